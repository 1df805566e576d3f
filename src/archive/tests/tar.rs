//! Entries of a tar, and what no tar should hold.

use std::io::Write;

use ::tar::{Builder, EntryType, Header};

use super::*;

pub(super) fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(9);
    header
}

/// A tar of what `add` puts into it.
pub(super) fn tar_of(add: impl Fn(&mut Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    add(&mut builder);
    builder.into_inner().unwrap()
}

pub(super) fn tar_file(builder: &mut Builder<Vec<u8>>, path: &str, bytes: &[u8]) {
    let mut header = header(EntryType::Regular, bytes.len() as u64);
    builder.append_data(&mut header, path, bytes).unwrap();
}

/// An entry whose name no library would write.
pub(super) fn tar_raw(builder: &mut Builder<Vec<u8>>, kind: EntryType, name: &[u8], target: &[u8], bytes: &[u8]) {
    let mut header = header(kind, bytes.len() as u64);
    let fields = header.as_old_mut();
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..target.len()].copy_from_slice(target);
    header.set_cksum();
    builder.append(&header, bytes).unwrap();
}

pub(super) fn sample() -> Vec<u8> {
    tar_of(|builder| {
        tar_raw(builder, EntryType::Directory, b"./", b"", b"");
        tar_raw(builder, EntryType::Directory, b"./a/", b"", b"");
        tar_file(builder, "a/one", b"first");
        tar_file(builder, &format!("a/{}", "n".repeat(150)), b"long");
        tar_raw(builder, EntryType::Symlink, b"s", b"a/one", b"");
        tar_raw(builder, EntryType::Link, b"h", b"./a/one", b"");
        tar_raw(builder, EntryType::Fifo, b"f", b"", b"");
        let mut device = header(EntryType::Block, 0);
        device.set_device_major(8).unwrap();
        device.set_device_minor(1).unwrap();
        builder.append_data(&mut device, "d", &[][..]).unwrap();
    })
}

#[test]
fn every_kind_of_entry_of_a_tar() {
    let long = format!("a/{}", "n".repeat(150));
    let expected = [
        " 644 7:8 9 directory",
        "a 644 7:8 9 directory",
        "a/one 644 7:8 9 file first",
        &format!("of {} bytes 644 7:8 9 file long", long.len()),
        "s 644 7:8 9 link a/one",
        "h 644 7:8 9 same a/one",
        "f 644 7:8 9 special",
        "d 644 7:8 9 device true 8 1",
    ];
    assert_eq!(listed(&sample()).unwrap(), expected);
    assert_eq!(listed(&[0; 1024]).unwrap(), Vec::<String>::new());
}

#[test]
fn an_owner_that_no_system_has_is_refused() {
    let archive = tar_of(|builder| {
        let mut header = header(EntryType::Regular, 0);
        header.set_uid(1 << 32);
        builder.append_data(&mut header, "file", &[][..]).unwrap();
    });
    assert!(refusal(&archive).contains("the owner 4294967296"));
}

#[test]
fn a1_a_tar_that_is_cut_short_is_an_error() {
    let archive = tar_of(|builder| tar_file(builder, "one", &[b'x'; 5000]));
    assert_eq!(listed(&archive).unwrap(), ["one 644 7:8 9 file of 5000 bytes"]);
    // Inside the header, the content, and its last block.
    for length in [513, 1000, 5000, 512 + 4999] {
        assert!(refusal(&archive[..length]).contains("cut short"), "{length}");
    }
    for length in [0, 1, 511] {
        assert!(
            refusal(&archive[..length]).contains("nothing that can be unpacked"),
            "{length}"
        );
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(listed(&gzip).unwrap(), ["one 644 7:8 9 file of 5000 bytes"]);
    assert!(refusal(&gzip[..gzip.len() - 9]).contains("cut short"));
}

/// An extended header whose size is for the file, with a long name between them: a reader that takes the size for the name reads
/// on inside the file.
#[test]
fn a2_a_size_of_pax_is_the_files() {
    let inner = tar_of(|builder| tar_file(builder, "hidden", b"smuggled"));
    for outer in [0, inner.len() as u64] {
        let archive = tar_of(|builder| {
            let record = |text: &str| format!("{} {text}\n", text.len() + 4);
            let size = record(&format!("size={}", inner.len()));
            assert_eq!(size.len(), size.split(' ').next().unwrap().parse::<usize>().unwrap());
            tar_raw(builder, EntryType::XHeader, b"pax", b"", size.as_bytes());
            tar_raw(builder, EntryType::GNULongName, b"././@LongLink", b"", b"a/long name\0");
            let mut header = header(EntryType::Regular, outer);
            header.as_old_mut().name[..5].copy_from_slice(b"short");
            header.set_cksum();
            let mut bytes = header.as_bytes().to_vec();
            bytes.extend_from_slice(&inner[..inner.len() - 1024]);
            builder.get_mut().write_all(&bytes).unwrap();
            builder.get_mut().write_all(&[0; 1024]).unwrap();
        });
        let entries = listed(&archive).unwrap();
        assert_eq!(
            entries,
            [format!("a/long name 644 7:8 9 file of {} bytes", inner.len())],
            "{outer}"
        );
    }
}

/// A file with holes by GNU's extension of pax.
fn with_holes(length: &str, content: &[u8]) -> Vec<u8> {
    let record = |key: &str, value: &str| {
        let rest = format!(" GNU.sparse.{key}={value}\n");
        // The length counts its own two digits.
        format!("{}{rest}", rest.len() + 2)
    };
    let records = [
        record("major", "1"),
        record("minor", "0"),
        record("name", "dir/holes"),
        record("realsize", length),
    ];
    tar_of(|builder| {
        tar_raw(builder, EntryType::XHeader, b"pax", b"", records.concat().as_bytes());
        tar_file(builder, "GNUSparseFile.0/holes", content);
    })
}

#[test]
fn a2_holes_of_pax_are_zeros() {
    let padded = |map: &str| {
        let mut block = map.as_bytes().to_vec();
        block.resize(512, 0);
        block
    };
    let whole = with_holes("12", &[&padded("2\n2\n3\n7\n2\n")[..], b"abcde"].concat());
    assert_eq!(
        listed(&whole).unwrap(),
        ["dir/holes 644 7:8 9 file \0\0abc\0\0de\0\0\0"]
    );
    assert_eq!(
        listed(&with_holes("3", &padded("0\n"))).unwrap(),
        ["dir/holes 644 7:8 9 file \0\0\0"]
    );
    for (length, content, words) in [
        ("12", padded(""), "the map of"),
        ("12", padded("1\n"), "the map of"),
        ("12", padded("1\n-2\n3\n"), "the map of"),
        ("12", padded("2\n2\n0\n1\n2\n"), "the map of"),
        ("12", padded("1\n10\n3\n"), "the map of"),
        ("12", padded("1\n18446744073709551615\n3\n"), "the map of"),
        ("12", padded("18446744073709551615\n"), "the map of"),
        ("12", padded(&"1".repeat(100)), "the map of"),
        ("12", padded("1\n2\n3\n"), "cut short"),
        ("x", padded("0\n"), "no number"),
        ("99999999999999", padded("0\n"), "made to fill disks"),
    ] {
        let refusal = refusal(&with_holes(length, &content));
        assert!(refusal.contains(words), "{refusal}");
    }
    let old = tar_of(|builder| {
        tar_raw(builder, EntryType::XHeader, b"pax", b"", b"23 GNU.sparse.size=999\n");
        tar_file(builder, "holes", b"1\n0\n");
    });
    assert!(refusal(&old).contains("--format=gnu"));
}
