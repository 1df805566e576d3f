//! What sgdisk, sfdisk and fdisk think of GPTs, those of 4096-byte sectors among them, which no manifest asks for yet.

use isobuild::inside::formats::gpt::{self, Guid, Partition, Table, version_4};
use qemu_tests::{suite, tools};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("sgdisk finds no problems", &["sgdisk"], sgdisk_finds_no_problems),
    ("sfdisk reads the same table", &["sfdisk"], sfdisk_reads_the_same_table),
    (
        "fdisk reads the same table with 4096-byte sectors",
        &["fdisk"],
        fdisk_reads_the_same_table,
    ),
];

const MIB: u64 = 1 << 20;

/// Payload, then the ESP, as in an image.
fn sample(sector_size: u64) -> Table {
    let partition = |kind, name: &str, seed, start, attributes| Partition {
        kind,
        guid: version_4([seed; 16]),
        name: name.to_owned(),
        start,
        length: 4 * MIB,
        attributes,
    };
    let read_only = gpt::READ_ONLY | gpt::NO_AUTOMOUNT;
    Table {
        disk_guid: version_4([7; 16]),
        partitions: vec![
            partition(gpt::LINUX_DATA, "iso9660", 1, 2 * MIB, read_only),
            partition(gpt::ESP, "esp", 2, 8 * MIB, 0),
        ],
        sector_size,
        disk_size: 16 * MIB,
        entries_offset: 2 * sector_size,
        backup_entries_offset: None,
        first_usable: 0,
        usable_end: u64::MAX,
    }
}

fn judge(tool: &str, arguments: &[&str], file: &Path) -> Output {
    let mut command = Command::new(tools::find(tool).unwrap());
    command.args(arguments).arg(file).env("LC_ALL", "C").output().unwrap()
}

/// A sparse file with the table and a protective MBR.
fn disk(table: &Table) -> tempfile::NamedTempFile {
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(table.disk_size).unwrap();
    let write = |bytes: &[u8], offset| disk.as_file().write_all_at(bytes, offset).unwrap();
    write(&[0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0], 446);
    write(&((table.disk_size / table.sector_size - 1) as u32).to_le_bytes(), 458);
    write(&[0x55, 0xAA], 510);
    let encoded = gpt::encode(table).unwrap();
    let place = encoded.placement;
    write(&encoded.header, place.header.0);
    write(&encoded.entries, place.entries.0);
    write(&encoded.backup_entries, place.backup_entries.0);
    write(&encoded.backup_header, place.backup_header.0);
    disk
}

fn sgdisk_finds_no_problems() {
    let moved = Table {
        entries_offset: 32768,
        first_usable: MIB,
        ..sample(512)
    };
    for table in [sample(512), moved] {
        let output = judge("sgdisk", &["-v"], disk(&table).path());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("No problems found"), "{text}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn sfdisk_reads_the_same_table() {
    let table = sample(512);
    let file = disk(&table);
    let output = judge("sfdisk", &["-J"], file.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &found["partitiontable"];
    assert_eq!(found["label"], "gpt");
    assert_eq!(found["id"], upper(table.disk_guid));
    assert_eq!((&found["firstlba"], &found["lastlba"]), (&34.into(), &32734.into()));
    for (index, partition) in table.partitions.iter().enumerate() {
        let found = &found["partitions"][index];
        assert_eq!(found["start"], partition.start / 512);
        assert_eq!(found["size"], partition.length / 512);
        assert_eq!(found["type"], upper(partition.kind));
        assert_eq!(found["uuid"], upper(partition.guid));
        assert_eq!(found["name"], partition.name);
    }
    assert_eq!(found["partitions"][0]["attrs"], "GUID:60,63");
    let verify = judge("sfdisk", &["--verify"], file.path());
    let text = String::from_utf8_lossy(&verify.stdout);
    assert!(verify.status.success() && text.contains("No errors detected"), "{text}");
}

/// sgdisk and sfdisk of Debian 12 take a file for a disk of 512-byte sectors; fdisk can be told.
fn fdisk_reads_the_same_table() {
    let table = sample(4096);
    let file = disk(&table);
    let columns = "Start,End,Type-UUID,UUID,Name";
    let arguments = ["--sector-size", "4096", "--output", columns, "--list"];
    let output = judge("fdisk", &arguments, file.path());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(
        text.contains(&format!("Disk identifier: {}", upper(table.disk_guid))),
        "{text}"
    );
    let rows = text
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("Start"))
        .skip(1);
    let found: Vec<Vec<&str>> = rows.map(|row| row.split_whitespace().collect()).collect();
    let wanted: Vec<Vec<String>> = table
        .partitions
        .iter()
        .map(|partition| {
            let last = (partition.start + partition.length) / 4096 - 1;
            let (kind, guid) = (upper(partition.kind), upper(partition.guid));
            let start = partition.start / 4096;
            vec![start.to_string(), last.to_string(), kind, guid, partition.name.clone()]
        })
        .collect();
    assert_eq!(found, wanted, "{text}");
}

/// A GUID as these tools print it.
fn upper(guid: Guid) -> String {
    guid.to_string().to_uppercase()
}
