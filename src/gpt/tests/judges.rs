//! What sgdisk and sfdisk think of our tables.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::{Command, Output};

use super::*;

/// Runs a judge, which has to be installed: these tests are asked for by name.
fn judge(tool: &str, arguments: &[&str], file: &std::path::Path) -> Output {
    let output = Command::new(tool).args(arguments).arg(file).env("LC_ALL", "C").output();
    output.unwrap_or_else(|error| panic!("{tool}: {error}"))
}

/// A sparse file with the table and a protective MBR.
fn sparse(table: &Table) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let disk: &File = file.as_file();
    disk.set_len(table.disk_size).unwrap();
    let mut mbr = [0; 512];
    mbr[446..462].copy_from_slice(&[0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0]);
    let length = (table.disk_size / table.sector_size - 1) as u32;
    mbr[458..462].copy_from_slice(&length.to_le_bytes());
    mbr[510..].copy_from_slice(&[0x55, 0xAA]);
    disk.write_all_at(&mbr, 0).unwrap();
    for (offset, bytes) in pieces(&encode(table).unwrap()) {
        disk.write_all_at(bytes, offset).unwrap();
    }
    file
}

#[test]
#[ignore = "runs sgdisk or sfdisk: cargo xtask ci"]
fn sgdisk_finds_no_problems() {
    for table in [
        sample(512),
        Table {
            entries_offset: 32768,
            first_usable: MIB,
            ..sample(512)
        },
    ] {
        let file = sparse(&table);
        let output = judge("sgdisk", &["-v"], file.path());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("No problems found"), "{text}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
#[ignore = "runs sgdisk or sfdisk: cargo xtask ci"]
fn sfdisk_reads_the_same_table() {
    let table = sample(512);
    let file = sparse(&table);
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
#[test]
#[ignore = "runs sgdisk or sfdisk: cargo xtask ci"]
fn fdisk_reads_the_same_table_with_4096_byte_sectors() {
    let table = sample(4096);
    let file = sparse(&table);
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
