//! Images that are damaged, cut, foreign, or none. A row of hostile images has its id in the test's name.

use super::Host;
use crate::facts::Description;
use crate::formats::iso9660::SECTOR;
use crate::formats::pe::tests::program;
use crate::ground::read_at::Window;
use crate::look::inspect::inspect;

/// An image with all that there is: files, links, an ESP, two boot entries, MBR and GPT.
fn image() -> Vec<u8> {
    let host = Host::new(&[
        ("bios.bin", &[1; 5000]),
        ("loader", &[2; 9000]),
        ("tree/a", b"a"),
        ("tree/b/c", b"c"),
        (&format!("tree/b/{}", "n".repeat(240)), b"n"),
    ]);
    let manifest = "[boot.bios]\nimage = \"bios.bin\"\n\
                    [boot.uefi]\nsize = \"1MiB\"\nfiles = { \"/EFI/BOOT/BOOTX64.EFI\" = \"loader\" }\n\
                    [[files]]\nfrom = \"tree\"\nto = \"/\"\n";
    host.build(manifest).1
}

/// `bytes` with others in their place, put at `at`.
fn with(bytes: &[u8], at: u64, put: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at as usize..][..put.len()].copy_from_slice(put);
    changed
}

fn read(bytes: &[u8]) -> Description {
    inspect(&bytes.to_vec()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(bytes: &[u8], words: &str) {
    let error = inspect(&bytes.to_vec())
        .map(|described| described.facts.size)
        .unwrap_err()
        .to_string();
    assert!(error.contains(words), "{error}");
}

fn faulty(bytes: &[u8], words: &str) {
    let faults = read(bytes).facts.faults;
    assert!(faults.iter().any(|fault| fault.contains(words)), "{words}: {faults:?}");
}

fn sector(number: u64) -> u64 {
    number * SECTOR
}

#[test]
fn descriptors_that_contradict_themselves_are_faults() {
    let image = image();
    assert_eq!(read(&image).facts.faults, Vec::<String>::new());
    for (at, field) in [
        (87, "volume space size"),
        (122, "volume set size"),
        (139, "path table size"),
    ] {
        faulty(&with(&image, sector(16) + at, &[0x55]), field);
    }
    refused(
        &with(&image, sector(16) + 128, &[0, 4, 4, 0]),
        "logical blocks of 1024 bytes",
    );
}

#[test]
fn descriptor_sets_end_and_path_tables_are_not_trusted() {
    let image = image();
    let set: Vec<u64> = (16..24)
        .filter(|&number| image[sector(number) as usize + 1..].starts_with(b"CD001"))
        .collect();
    let terminator = sector(*set.last().unwrap());
    faulty(&with(&image, terminator, &[7; 2048]), "has no terminator");
    // As many descriptors as there are sectors.
    let mut endless = image[..sector(17) as usize].to_vec();
    for _ in 0..10_000 {
        endless.extend(with(&[0; 2048], 0, b"\x03CD001\x01"));
    }
    let described = read(&with(&endless, sector(16) + 158, &17u32.to_le_bytes()));
    let others = described
        .facts
        .extents
        .iter()
        .filter(|extent| extent.what.to_string().contains("descriptor"));
    assert_eq!(others.count(), 64);
    for (at, words) in [(132, "the path table at"), (140, "path table")] {
        faulty(&with(&image, sector(16) + at, &u32::MAX.to_le_bytes()), words);
    }
    let table = u32::from_le_bytes(*image[sector(16) as usize + 140..].first_chunk().unwrap());
    faulty(
        &with(&image, sector(table.into()) + 2, &[9]),
        "does not begin with the root directory",
    );
    faulty(
        &with(&image, sector(table.into()) + 16, &[9]),
        "has no parent before it",
    );
}

#[test]
fn a_catalog_that_lies_is_told_and_read_as_far_as_it_goes() {
    let image = image();
    let catalog = u32::from_le_bytes(*image[sector(17) as usize + 0x47..].first_chunk().unwrap());
    let at = sector(catalog.into());
    faulty(&with(&image, at + 0x1C, &[0x5A]), "its checksum is");
    for outside in [u32::MAX, (image.len() / 2048) as u32] {
        faulty(&with(&image, sector(17) + 0x47, &outside.to_le_bytes()), "boot catalog");
    }
    // More to load than there is, from a place that is not there.
    let described = read(&with(&image, at + 0x26, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]));
    assert_eq!(described.facts.el_torito[0].load_sectors, u16::MAX);
    assert!(
        described
            .facts
            .extents
            .iter()
            .all(|extent| extent.offset + extent.length <= described.facts.size)
    );
}

/// Every length that is or is not one of whole sectors.
#[test]
fn an_image_that_is_cut_anywhere_is_described_or_refused() {
    let image = image();
    let ends = (0..64 << 10)
        .chain((64 << 10..image.len()).step_by(2048))
        .chain([image.len() - 1]);
    for end in ends {
        match inspect(&Window::new(&image, 0, end as u64)) {
            Ok(described) => {
                assert!(
                    described
                        .facts
                        .faults
                        .iter()
                        .any(|fault| fault.contains("it is cut short")),
                    "{end}"
                );
                assert!(
                    described
                        .facts
                        .extents
                        .iter()
                        .all(|extent| extent.offset + extent.length <= end as u64)
                );
            }
            Err(error) => assert!(error.to_string().len() > 20, "{error}"),
        }
    }
}

#[test]
fn what_is_not_described_is_named() {
    let image = image();
    let named = |bytes: &[u8], words: &str| {
        let warnings = read(bytes).found.remarks;
        assert!(
            warnings
                .iter()
                .any(|said| said.starts_with("unsupported: ") && said.contains(words)),
            "{warnings:?}"
        );
    };
    assert_eq!(read(&image).found.remarks, Vec::<String>::new());
    let map = read(&with(&image, 2048, b"PM\0\0\0\0\0\x01"));
    assert!(
        map.facts
            .partitions
            .iter()
            .any(|partition| partition.table == crate::facts::PartitionTable::Apm)
    );
    named(&with(&image, 1024, b"BD"), "HFS volume");
    named(&with(&image, 1024, b"H+\0\x04"), "HFS volume");
    // ECMA-130 §14.1: the synchronization field.
    let synchronization = b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0";
    refused(
        &[&synchronization[..], &[0; 100_000][..]].concat(),
        "raw sectors of 2352 bytes",
    );

    let terminator = (16..24)
        .rfind(|&number| image[sector(number) as usize + 1..].starts_with(b"CD001"))
        .unwrap();
    let mut bridge = image;
    for (number, id) in [b"\0BEA01\x01", b"\0NSR02\x01", b"\0TEA01\x01"].into_iter().enumerate() {
        bridge = with(&bridge, sector(terminator + 1 + number as u64), id);
    }
    let faults = read(&bridge).facts.faults;
    assert!(
        faults.iter().any(|fault| fault.contains("UDF's anchor is missing")),
        "{faults:?}"
    );
}

/// An MS-DOS program whose header leads to `signature`.
fn dos(signature: &[u8]) -> Vec<u8> {
    let header = with(&with(&vec![0; 100_000], 0, b"MZ"), 0x3c, &[0x80, 0, 0, 0]);
    with(&header, 0x80, signature)
}

#[test]
fn what_is_no_image_is_named() {
    for (bytes, words) in [
        (vec![], "0 bytes are too few"),
        (vec![0; 34_815], "34815 bytes are too few"),
        (b"\x1f\x8b\x08 and more".to_vec(), "compressed with gzip"),
        (b"\xfd7zXZ\0 and more".to_vec(), "compressed with xz"),
        (b"QFI\xfb".to_vec(), "qcow2"),
        (vec![0; 100_000], "no ISO 9660 volume"),
        (b"<!DOCTYPE html>\n<title>404</title>".to_vec(), "a web page"),
        (b"\xef\xbb\xbf  <HTML>".to_vec(), "a web page"),
        (b"# rescue\n[[menu]]\nkernel = \"vmlinuz\"\n".to_vec(), "a manifest"),
        ("Grüße\n".repeat(700).into_bytes(), "it is text"),
        (b"d8:announce35:udp://tracker".to_vec(), "a torrent"),
        ([b"d4:info", &[0x80; 40][..]].concat(), "a torrent"),
        (b"LZIP\x01".to_vec(), "lzip"),
        (b"\x1f\x9d\x90".to_vec(), "compress (.Z)"),
        (b"Rar!\x1a\x07\x01\0".to_vec(), "RAR"),
        (b"7z\xbc\xaf\x27\x1c".to_vec(), "7z"),
        (b"\x3a\xff\x26\xed\x01\0\0\0".to_vec(), "Android sparse"),
        // What `xz --format=lzma -6` writes, with and without the length.
        (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0".to_vec(), "LZMA"),
        (b"\x5d\0\0\x80\0\0\0\x10\0\0\0\0\0\0".to_vec(), "LZMA"),
        ([vec![0; 64], b"\x7f\x10\xda\xbe".to_vec()].concat(), "VDI"),
        (b"conectix\0\0\0\x02".to_vec(), "VHD"),
        (
            [vec![0; 100_000], b"conectix".to_vec(), vec![0; 504]].concat(),
            "fixed size",
        ),
        ([vec![0; 100_000], b"koly".to_vec(), vec![0; 508]].concat(), "DMG"),
        ([vec![0; 100_000], b"NER5".to_vec(), vec![0; 8]].concat(), "Nero"),
        ([vec![b'a'; 257], b"ustar".to_vec()].concat(), "tar archive"),
        (b"xar!\0\x1c".to_vec(), "XAR archive"),
        (b"070701".repeat(20), "cpio archive"),
        (b"\xc7\x71\x01\x02".to_vec(), "cpio archive"),
        (b"\xff\xfeh\0i\0".to_vec(), "text in UTF-16"),
        (dos(b"PE\0\0"), "an EFI or a Windows program"),
        (
            [vec![0; 0x202], b"HdrS".to_vec(), vec![0; 60_000]].concat(),
            "a Linux kernel",
        ),
        // What `gpg --detach-sign` writes: the length, version 4, a document's signature.
        (
            [&[0x89, 0x02, 0x33, 4, 0], &[7; 0x231][..]].concat(),
            "signature of a file",
        ),
        ([&[0x88, 0x75, 4, 0], &[7; 0x73][..]].concat(), "signature of a file"),
        ([&[0x88, 0x75, 4, 0], &[7; 0x74][..]].concat(), "too few"),
        // Boot code may begin like a DOS program.
        (dos(b"NE\0\0"), "no ISO 9660 volume"),
        (with(&dos(b"PE\0\0"), 512, b"EFI PART"), "no ISO 9660 volume"),
        // Neither properties nor a length of LZMA.
        (b"\x5d\0\0\x80\x05\0\0\x10\0\0\0\0\0\0".to_vec(), "too few"),
        (b"\x5d\0\0\x80\0\0\0\x10\0\0\0\0\x10\0".to_vec(), "too few"),
    ] {
        refused(&bytes, words);
    }
    let mut udf = vec![0; 100_000];
    for (number, id) in [b"\0BEA01\x01", b"\0NSR03\x01", b"\0TEA01\x01"].into_iter().enumerate() {
        udf = with(&udf, sector(16 + number as u64), id);
    }
    refused(&udf, "UDF's anchor is missing");
}

#[test]
fn nothing_boots_it_and_the_reason_is_said() {
    let host = Host::new(&[
        ("riscv", &program(0x20B, 0x5064, b".text\0\0\0", b"")),
        ("loong", &program(0x20B, 0x6264, b".text\0\0\0", b"")),
        ("text", b"no program"),
    ]);
    let in_esp = |name: &str, file: &str| format!("[boot.uefi]\nfiles = {{ \"/EFI/BOOT/{name}\" = {file:?} }}\n");
    for (manifest, words) in [
        (in_esp("BOOTRISCV64.EFI", "riscv"), "in the ESP is for riscv64"),
        (in_esp("BOOTLOONGARCH64.EFI", "loong"), "in the ESP is for loongarch64"),
        (in_esp("BOOTX64.EFI", "text"), "in the ESP is not an EFI program"),
        (
            "[[files]]\nfrom = \"riscv\"\nto = \"/EFI/BOOT/BOOTX64.EFI\"\n".to_owned(),
            "iso:/EFI/BOOT/BOOTX64.EFI is in the tree, where firmware does not look",
        ),
        (
            "[[files]]\ntext = \"\"\nto = \"/data\"\n".to_owned(),
            "there is no boot catalog, no partition with a loader and no boot code in it",
        ),
    ] {
        let described = read(&host.build(&manifest).1);
        let why = crate::facts::verdicts::why_nothing(&described).unwrap_or_default();
        assert!(why.contains(words), "{words}: {why}");
    }
}

/// Damage in one index is reported, and everything that the others hold is shown.
#[test]
fn a_damaged_joliet_tree_or_a_directory_that_is_cut_is_a_fault() {
    let image = image();
    let joliet = (16..24)
        .map(sector)
        .find(|&at| image[at as usize..].starts_with(b"\x02CD001"))
        .unwrap();
    // The root's record: its place in both orders of bytes (ECMA-119 §9.1.3), far behind the end.
    let mut place = 0x00FF_FFFFu32.to_le_bytes().to_vec();
    place.extend(0x00FF_FFFFu32.to_be_bytes());
    faulty(&with(&image, joliet + 156 + 2, &place), "directory");
    assert_eq!(
        read(&with(&image, joliet + 156 + 2, &place)).facts.counts,
        read(&image).facts.counts
    );
    // Only the tree's descriptors and tables are left.
    let described = read(&image[..sector(25) as usize]);
    assert!(!described.facts.faults.is_empty() && described.facts.size == sector(25));
}
