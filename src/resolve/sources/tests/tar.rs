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
fn a_tar_that_is_cut_short_is_an_error() {
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
fn a_size_of_pax_is_the_files() {
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
fn holes_of_pax_are_zeros() {
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
    let unknown = with_records(&[("GNU.sparse.major", "2"), ("GNU.sparse.minor", "0")], b"");
    assert!(refusal(&unknown).contains("which is not known"));
}

/// A file behind an extended header of these records.
fn with_records(records: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    let records: String = records.iter().map(|(key, value)| record(key, value)).collect();
    tar_of(|builder| {
        tar_raw(builder, EntryType::XHeader, b"pax", b"", records.as_bytes());
        tar_file(builder, "stand-in", content);
    })
}

/// A record of two digits of length, which counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    assert!((8..98).contains(&rest.len()));
    format!("{}{rest}", rest.len() + 2)
}

/// GNU tar's `--sparse-version=0.0` and `0.1`.
#[test]
fn holes_of_the_older_forms_of_pax_are_zeros() {
    let pieces = [
        ("GNU.sparse.size", "12"),
        ("GNU.sparse.numblocks", "2"),
        ("GNU.sparse.offset", "2"),
        ("GNU.sparse.numbytes", "3"),
        ("GNU.sparse.offset", "7"),
        ("GNU.sparse.numbytes", "2"),
    ];
    let wanted = "\0\0abc\0\0de\0\0\0";
    assert_eq!(
        listed(&with_records(&pieces, b"abcde")).unwrap(),
        [format!("stand-in 644 7:8 9 file {wanted}")]
    );
    let map = |map| {
        [
            ("GNU.sparse.name", "dir/holes"),
            ("GNU.sparse.size", "12"),
            ("GNU.sparse.map", map),
        ]
    };
    assert_eq!(
        listed(&with_records(&map("2,3,7,2"), b"abcde")).unwrap(),
        [format!("dir/holes 644 7:8 9 file {wanted}")]
    );
    for (wrong, words) in [
        ("2,3,7", "no number"),
        ("2,x", "no number"),
        ("2,3,4,2", "the map of"),
        ("2,3", "the map of"),
        ("2,3,7,9", "the map of"),
    ] {
        let refused = refusal(&with_records(&map(wrong), b"abcde"));
        assert!(refused.contains(words), "{refused}");
    }
    assert!(refusal(&with_records(&map("0,12"), b"abcde")).contains("cut short"));
}

#[test]
fn fields_that_are_left_blank_are_zero() {
    let archive = tar_of(|builder| {
        let mut header = header(EntryType::Regular, 2);
        header.as_mut_bytes()[..4].copy_from_slice(b"file");
        // Owner, group and time.
        header.as_mut_bytes()[108..124].fill(b' ');
        header.as_mut_bytes()[136..148].fill(b' ');
        header.set_cksum();
        builder.append(&header, &b"hi"[..]).unwrap();
    });
    assert_eq!(listed(&archive).unwrap(), ["file 644 0:0 0 file hi"]);
}

#[test]
fn records_of_pax_may_have_any_bytes() {
    let path = "a\nb=c/\u{fc}";
    let archive = with_records(
        &[("SCHILY.xattr.user.x", "1\n2=3"), ("path", path), ("uid", "70000")],
        b"hi",
    );
    let listed = listed(&archive).unwrap();
    assert_eq!(listed, [format!("{path} 644 70000:8 9 file hi")]);
    assert_eq!(
        warnings(&archive),
        ["has 1 entries with extended attributes or access control lists, which an image does not hold"]
    );
}

/// Solaris' `X`, a global header, and GNU's long name behind the magic of ustar.
#[test]
fn headers_of_other_writers_are_about_the_entry_behind_them() {
    let long = "l".repeat(120);
    let archive = tar_of(|builder| {
        tar_raw(
            builder,
            EntryType::XGlobalHeader,
            b"g",
            b"",
            record("mtime", "1000000000").as_bytes(),
        );
        tar_raw(
            builder,
            EntryType::new(b'X'),
            b"x",
            b"",
            record("path", "solaris").as_bytes(),
        );
        tar_file(builder, "stand-in", b"1");
        for header in [Header::new_ustar(), Header::new_old()] {
            let mut header = header;
            header.set_entry_type(EntryType::GNULongName);
            header.set_size(121);
            header.set_cksum();
            builder.append(&header, format!("{long}\0").as_bytes()).unwrap();
            tar_file(builder, "stand-in", b"2");
        }
        tar_file(builder, "plain", b"3");
    });
    assert_eq!(
        listed(&archive).unwrap(),
        [
            "solaris 644 7:8 1000000000 file 1",
            "of 120 bytes 644 7:8 1000000000 file 2",
            "plain 644 7:8 1000000000 file 3",
        ]
    );
    assert_eq!(
        warnings(&archive),
        ["has \"".to_owned() + &long + "\" twice; the last one is taken"]
    );
}

#[test]
fn of_one_name_the_last_is_taken_and_a_link_keeps_what_it_was_to() {
    let archive = tar_of(|builder| {
        tar_file(builder, "etc/motd", b"old");
        tar_raw(builder, EntryType::Link, b"kept", b"etc/motd", b"");
        tar_file(builder, "other", b"other");
        tar_file(builder, "./etc/motd", b"new");
        tar_raw(builder, EntryType::Link, b"changed", b"etc/motd", b"");
    });
    assert_eq!(
        listed(&archive).unwrap(),
        [
            "kept 644 7:8 9 file old",
            "other 644 7:8 9 file other",
            "etc/motd 644 7:8 9 file new",
            "changed 644 7:8 9 file new",
        ]
    );
    assert_eq!(warnings(&archive), ["has \"etc/motd\" twice; the last one is taken"]);
}

#[test]
fn what_is_behind_the_end_and_an_end_that_is_missing_are_said() {
    let archive = sample();
    let end = archive.len() - 1024;
    assert_eq!(warnings(&archive), Vec::<String>::new());
    let padded = [&archive[..], &[0; 9000]].concat();
    assert_eq!(warnings(&padded), Vec::<String>::new());
    let behind = [&padded[..], &tar_of(|builder| tar_file(builder, "second", b"x"))].concat();
    assert!(warnings(&behind)[0].contains(&format!("at byte {}", padded.len())));
    assert_eq!(listed(&behind).unwrap().len(), 8);
    assert!(warnings(&archive[..end])[0].contains("no blocks of zeros at its end"));
    assert_eq!(listed(&archive[..end]).unwrap().len(), 8);
}

/// Old writers give a hard link the length of its file, and no content.
#[test]
fn a_link_with_a_length_may_have_no_content() {
    for has_content in [false, true] {
        let archive = tar_of(|builder| {
            tar_file(builder, "a", b"first");
            let mut link = header(EntryType::Link, 5);
            link.as_mut_bytes()[0] = b'b';
            link.as_mut_bytes()[157] = b'a';
            link.set_cksum();
            let mut content = link.as_bytes().to_vec();
            if has_content {
                content.extend(b"first");
                content.resize(1024, 0);
            }
            builder.get_mut().write_all(&content).unwrap();
            tar_file(builder, "c", b"third");
        });
        let wanted = ["a 644 7:8 9 file first", "b 644 7:8 9 same a", "c 644 7:8 9 file third"];
        assert_eq!(listed(&archive).unwrap(), wanted, "{has_content}");
    }
}
