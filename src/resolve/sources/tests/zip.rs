//! Entries of a zip, and a zip against itself.

use std::io::{Cursor, Write};

use ::zip::CompressionMethod;
use ::zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

pub(super) fn zip_of(add: impl Fn(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    add(&mut zip);
    zip.finish().unwrap().into_inner()
}

pub(super) fn zip_sample() -> Vec<u8> {
    zip_of(|zip| {
        let date = ::zip::DateTime::from_date_and_time(2020, 2, 29, 12, 30, 58).unwrap();
        let options = SimpleFileOptions::default().last_modified_time(date);
        zip.add_directory("d", options.unix_permissions(0o700)).unwrap();
        for (name, method) in [
            ("d/stored", CompressionMethod::Stored),
            ("d/deflated", CompressionMethod::Deflated),
        ] {
            zip.start_file(name, options.compression_method(method).unix_permissions(0o755))
                .unwrap();
            zip.write_all(&[b'z'; 3000]).unwrap();
        }
        zip.add_symlink("link", "d/stored", options).unwrap();
    })
}

#[test]
fn every_kind_of_entry_of_a_zip() {
    let expected = [
        "d 700 0:0 1582979458 directory",
        "d/stored 755 0:0 1582979458 file of 3000 bytes",
        "d/deflated 755 0:0 1582979458 file of 3000 bytes",
        "link 777 0:0 1582979458 link d/stored",
    ];
    assert_eq!(listed(&zip_sample()).unwrap(), expected);
    assert_eq!(listed(&zip_of(|_| {})).unwrap(), Vec::<String>::new());
}

#[test]
fn a_zip_that_contradicts_itself_is_an_error() {
    let good = zip_sample();
    let find = |what: &[u8], from: usize| from + good[from..].windows(what.len()).position(|at| at == what).unwrap();
    let local = find(b"d/stored", 0);
    let central = find(b"d/stored", find(b"PK\x01\x02", 0));
    let changed = |at: usize, bytes: &[u8]| {
        let mut archive = good.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        refusal(&archive)
    };
    assert!(changed(local, b"d/stolen").contains("another name in its own header"));
    // The central header is 46 bytes before the name: flags at 8, method at 10, sum at 16.
    let entry = central - 46;
    assert!(changed(entry + 8, &[1]).contains("encrypted"));
    let method = changed(entry + 10, &[9]);
    assert!(method.contains("compressed by"), "{method}");
    assert!(changed(entry + 16, &[0, 0, 0, 0]).contains("damaged"));
    assert!(changed(local + 100, b"!").contains("damaged"));
    for length in (30..good.len()).step_by(7) {
        listed(&good[..length]).expect_err("it is cut short");
    }
}

/// Three stored files, and where the record at the end begins.
fn three() -> (Vec<u8>, usize) {
    let archive = zip_of(|zip| {
        for name in ["file0", "file1", "file2"] {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            zip.start_file(name, options).unwrap();
            zip.write_all(b"content").unwrap();
        }
    });
    let end = archive.len() - 22;
    assert_eq!(archive[end..end + 4], *b"PK\x05\x06");
    (archive, end)
}

fn paths(archive: &[u8]) -> Vec<String> {
    let listed = listed(archive).unwrap();
    listed
        .iter()
        .map(|line| line.split(' ').next().unwrap().into())
        .collect()
}

#[test]
fn entries_that_the_end_record_does_not_count_are_read_and_said() {
    let (whole, end) = three();
    assert_eq!(warnings(&whole), Vec::<String>::new());
    for count in [0, 1, 2] {
        let mut archive = whole.clone();
        archive[end + 8..end + 12].copy_from_slice(&[count, 0, count, 0]);
        assert_eq!(paths(&archive), ["file0", "file1", "file2"], "{count}");
        assert_eq!(
            warnings(&archive),
            [format!(
                "has 3 entries, but its end record counts {count}; all are taken"
            )]
        );
    }
    let mut archive = whole.clone();
    archive[end + 8..end + 12].copy_from_slice(&[4, 0, 4, 0]);
    assert!(refusal(&archive).contains("damaged"));
}

/// The record counts modulo 65536 where a writer knows no zip64.
#[test]
fn more_entries_than_sixteen_bits_count_are_read() {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for number in 0..65_540u32 {
        let name = format!("{number:05}");
        let header = archive.len() as u32;
        archive.extend(b"PK\x03\x04\x0a\0\0\0\0\0\0\0\x21\0");
        archive.extend([0; 12]);
        archive.extend([5, 0, 0, 0]);
        archive.extend(name.bytes());
        directory.extend(b"PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\x21\0");
        directory.extend([0; 12]);
        directory.extend([5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        directory.extend(header.to_le_bytes());
        directory.extend(name.bytes());
    }
    let start = archive.len() as u32;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0\x04\0\x04\0");
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    let paths = paths(&archive);
    assert_eq!((paths.len(), paths[65_539].as_str()), (65_540, "65539"));
    assert!(warnings(&archive)[0].contains("65540 entries, but its end record counts 4"));
}

#[test]
fn an_entry_with_two_sizes_is_refused() {
    let (whole, _) = three();
    let find = |what: &[u8]| whole.windows(what.len()).position(|at| at == what).unwrap();
    let (local, central) = (find(b"PK\x03\x04"), find(b"PK\x01\x02"));
    // The sizes: compressed at 18, whole at 22 of the local header; 20 and 24 of the central one.
    for (at, words) in [
        (central + 24, "another size"),
        (central + 20, "another size"),
        (local + 18, "another size"),
        (local + 22, "another size"),
    ] {
        let mut archive = whole.clone();
        archive[at] = 6;
        let refused = refusal(&archive);
        assert!(refused.contains(words), "{refused}");
    }
    // The same in both, and the entry is stored.
    let mut archive = whole.clone();
    (archive[central + 24], archive[local + 22]) = (32, 32);
    assert!(refusal(&archive).contains("is stored, and has 32 bytes and 7"));
}

#[test]
fn of_entries_with_one_name_the_last_is_taken_and_the_others_are_counted() {
    let (mut archive, _) = three();
    let places: Vec<usize> = (0..archive.len() - 5)
        .filter(|&at| archive[at..at + 5] == *b"file1")
        .collect();
    for at in places {
        archive[at + 4] = b'0';
    }
    assert_eq!(paths(&archive), ["file0", "file2"]);
    assert_eq!(
        warnings(&archive),
        ["has 1 entries whose names come again later; the last entry of a name is taken"]
    );
}

/// APPNOTE 4.6.9, with the name as an old program on Windows has it (code page 437).
#[test]
fn a_unicode_path_is_the_name() {
    let (old, new) = (b"gr\x81\xe1.txt", "gr\u{fc}\u{df}.txt");
    let mut field = vec![1];
    field.extend(crc32fast::hash(old).to_le_bytes());
    field.extend(new.bytes());
    let extra = [
        &0x7075u16.to_le_bytes()[..],
        &(field.len() as u16).to_le_bytes(),
        &field,
    ]
    .concat();
    let sizes = |bytes: &mut Vec<u8>| {
        bytes.extend(b"\x0a\0\0\0\0\0\0\0\x21\0");
        bytes.extend(crc32fast::hash(b"hi").to_le_bytes());
        bytes.extend([2, 0, 0, 0, 2, 0, 0, 0, old.len() as u8, 0, extra.len() as u8, 0]);
    };
    let mut archive = b"PK\x03\x04".to_vec();
    sizes(&mut archive);
    archive.extend([&old[..], &extra, b"hi"].concat());
    let start = archive.len() as u8;
    archive.extend(b"PK\x01\x02\x0a\0");
    sizes(&mut archive);
    archive.extend([0; 14]);
    archive.extend([&old[..], &extra].concat());
    let length = archive.len() as u8 - start;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend([length, 0, 0, 0, start, 0, 0, 0, 0, 0]);
    let listed = listed(&archive).unwrap();
    assert!(
        listed.len() == 1 && listed[0].starts_with(new) && listed[0].ends_with(" file hi"),
        "{listed:?}"
    );
}
