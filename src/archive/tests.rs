use std::io::{Cursor, Write};

use ::tar::{Builder, EntryType, Header};
use ::zip::CompressionMethod;
use ::zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

/// What an archive gives: a line for each entry, and for a file its bytes.
fn listed(archive: &[u8]) -> Result<Vec<String>, Error> {
    let spool = Spool::new(archive.len() as u64);
    let content = read(&archive.to_vec(), &spool)?;
    let spooled = spool.bytes()?;
    let entries = match content {
        Content::Entries(entries) | Content::Image(entries, _) => entries,
        Content::File(place) => {
            let bytes = spooled.read_vec_at(place.offset, place.length).unwrap();
            return Ok(vec![format!("one file {}", text(&bytes))]);
        }
    };
    let line = |entry: &Entry| {
        let kind = match &entry.kind {
            Kind::File(place) => {
                let bytes: &dyn ReadAt = if place.spooled { &spooled } else { archive_of(archive) };
                let bytes = bytes.read_vec_at(place.offset, place.length).unwrap();
                format!("file {}", text(&bytes))
            }
            Kind::Symlink(target) => format!("link {}", text(target)),
            Kind::Link(target) => format!("same {}", text(target)),
            Kind::Device { block, major, minor } => format!("device {block} {major} {minor}"),
            other => format!("{other:?}").to_lowercase(),
        };
        let path = text(&entry.path);
        format!(
            "{path} {:o} {}:{} {} {kind}",
            entry.mode,
            entry.uid,
            entry.gid,
            entry.mtime.unix()
        )
    };
    Ok(entries.iter().map(line).collect())
}

fn archive_of(bytes: &[u8]) -> &dyn ReadAt {
    Box::leak(Box::new(bytes.to_vec()))
}

/// The bytes, or how many there are.
fn text(bytes: &[u8]) -> String {
    match bytes.len() {
        0..=40 => String::from_utf8_lossy(bytes).into_owned(),
        length => format!("of {length} bytes"),
    }
}

fn refusal(archive: &[u8]) -> String {
    listed(archive).expect_err("it is refused").to_string()
}

fn header(kind: EntryType, size: u64) -> Header {
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
fn tar_of(add: impl Fn(&mut Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    add(&mut builder);
    builder.into_inner().unwrap()
}

fn tar_file(builder: &mut Builder<Vec<u8>>, path: &str, bytes: &[u8]) {
    let mut header = header(EntryType::Regular, bytes.len() as u64);
    builder.append_data(&mut header, path, bytes).unwrap();
}

/// An entry whose name no library would write.
fn tar_raw(builder: &mut Builder<Vec<u8>>, kind: EntryType, name: &[u8], target: &[u8], bytes: &[u8]) {
    let mut header = header(kind, bytes.len() as u64);
    let fields = header.as_old_mut();
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..target.len()].copy_from_slice(target);
    header.set_cksum();
    builder.append(&header, bytes).unwrap();
}

fn sample() -> Vec<u8> {
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

#[test]
fn a5_paths_and_links_that_lead_out_are_refused() {
    for name in [&b"../up"[..], b"/etc/passwd", b"a/../../b"] {
        let archive = tar_of(|builder| tar_raw(builder, EntryType::Regular, name, b"", b"x"));
        assert!(refusal(&archive).contains("refused"));
        let archive = tar_of(|builder| tar_raw(builder, EntryType::Link, b"h", name, b""));
        assert!(refusal(&archive).contains("refused"));
    }
    for name in ["C:/boot.ini", "a\\b", "../up", "/etc/passwd"] {
        let archive = zip_of(|zip| {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
        });
        assert!(refusal(&archive).contains("refused"), "{name}");
    }
    let archive = cpio_of(&[cpio("070701", "../up", 0o100_644, (1, 1), b"x")]);
    assert!(refusal(&archive).contains("refused"));
}

fn zip_of(add: impl Fn(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    add(&mut zip);
    zip.finish().unwrap().into_inner()
}

fn zip_sample() -> Vec<u8> {
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
fn a7_a_zip_that_contradicts_itself_is_an_error() {
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

#[test]
fn a4_bombs_are_refused() {
    // Ten thousand to one, as zstd can: 65 MiB of zeros.
    let archive = tar_of(|builder| tar_file(builder, "zeros", &vec![0; 65 << 20]));
    let zstd = ruzstd::encoding::compress_to_vec(&archive[..], ruzstd::encoding::CompressionLevel::Fastest);
    assert!(zstd.len() < 64 << 10, "{}", zstd.len());
    assert!(refusal(&zstd).contains("1000 times"));

    // Two entries of the directory lead to the same bytes.
    let mut overlapping = zip_sample();
    let names: Vec<usize> = (0..overlapping.len() - 4)
        .filter(|&at| overlapping[at..at + 4] == *b"PK\x01\x02")
        .collect();
    let (first, second) = (names[1], names[2]);
    let copied = overlapping[first + 42..first + 46].to_vec();
    overlapping[second + 42..second + 46].copy_from_slice(&copied);
    listed(&overlapping).expect_err("its entries overlap");

    // What is inside stays what it is.
    let inside = zip_sample();
    let archive = tar_of(|builder| tar_file(builder, "inside.zip", &inside));
    assert_eq!(
        listed(&archive).unwrap(),
        [format!("inside.zip 644 7:8 9 file of {} bytes", inside.len())]
    );
}

/// One entry of a cpio: header, name and content, padded. `serial` is the inode and how many names it has.
fn cpio(magic: &str, name: &str, mode: u32, serial: (u32, u32), bytes: &[u8]) -> Vec<u8> {
    let (inode, links) = serial;
    let (length, named) = (bytes.len(), name.len() + 1);
    let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
    let sum = if magic == "070702" { sum } else { 0 };
    let mut entry = match magic {
        "070707" => format!(
            "{magic}{:06o}{inode:06o}{mode:06o}{:06o}{:06o}{links:06o}{:06o}{:011o}{named:06o}{length:011o}",
            3,
            7,
            8,
            0x0801,
            9
        ),
        _ => format!(
            "{magic}{inode:08x}{mode:08x}{:08x}{:08x}{links:08x}{:08x}{length:08x}{:08x}{:08x}{:08x}{:08x}{named:08x}{sum:08x}",
            7, 8, 9, 3, 1, 8, 1
        ),
    }
    .into_bytes();
    let align = if magic == "070707" { 1 } else { 4 };
    entry.extend(name.bytes());
    entry.push(0);
    entry.resize(entry.len().next_multiple_of(align), 0);
    entry.extend_from_slice(bytes);
    entry.resize(entry.len().next_multiple_of(align), 0);
    entry
}

fn cpio_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let magic = entries[0][..6].to_vec();
    let end = cpio(str::from_utf8(&magic).unwrap(), "TRAILER!!!", 0, (0, 1), b"");
    [entries.concat(), end].concat()
}

#[test]
fn every_kind_of_entry_of_a_cpio() {
    for magic in ["070701", "070702", "070707"] {
        let archive = cpio_of(&[
            cpio(magic, ".", 0o040_755, (1, 2), b""),
            cpio(magic, "early", 0o100_600, (5, 3), b""),
            cpio(magic, "bin/one", 0o100_755, (2, 1), b"first"),
            cpio(magic, "with", 0o100_600, (5, 3), b"content"),
            cpio(magic, "late", 0o100_600, (5, 3), b""),
            cpio(magic, "link", 0o120_777, (3, 1), b"bin/one"),
            cpio(magic, "device", 0o060_640, (4, 1), b""),
            cpio(magic, "fifo", 0o010_640, (6, 1), b""),
        ]);
        let expected = [
            " 755 7:8 9 directory",
            "early 600 7:8 9 file content",
            "bin/one 755 7:8 9 file first",
            "with 600 7:8 9 file content",
            "late 600 7:8 9 same with",
            "link 777 7:8 9 link bin/one",
            "device 640 7:8 9 device true 8 1",
            "fifo 640 7:8 9 special",
        ];
        assert_eq!(listed(&archive).unwrap(), expected, "{magic}");
        // A second one behind padding, as the kernel reads them.
        let more = [
            &archive[..],
            &[0; 512],
            &cpio_of(&[cpio(magic, "x", 0o100_644, (1, 1), b"y")]),
        ]
        .concat();
        let entries = listed(&more).unwrap();
        assert_eq!(entries.last().unwrap(), "x 644 7:8 9 file y", "{magic}");
        assert!(refusal(&[&archive[..], b"\0\0\0\0garbage"].concat()).contains("behind its end"));
        for length in (6..archive.len()).step_by(5) {
            listed(&archive[..length]).expect_err("it is cut short");
        }
    }
    let mut wrong = cpio_of(&[cpio("070702", "a", 0o100_644, (1, 1), b"text")]);
    wrong[112] ^= 1;
    assert!(refusal(&wrong).contains("the sum of"));
}

#[test]
fn a3_all_members_of_a_compressed_archive_and_nothing_else() {
    let archive = sample();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (head, tail) = archive.split_at(700);
    let both = [gzip(head), gzip(tail)].concat();
    assert_eq!(listed(&both).unwrap(), listed(&archive).unwrap());
    listed(&[&both[..], b"garbage"].concat()).expect_err("there is garbage behind it");
    assert_eq!(listed(&gzip(b"no archive")).unwrap(), ["one file no archive"]);
    // An archive in an archive is a file of it.
    assert_eq!(listed(&gzip(&gzip(b"twice"))).unwrap().len(), 1);
    assert!(refusal(b"no archive").contains("nothing that can be unpacked"));
}

#[test]
fn a8_windows_beyond_the_limit_are_refused() {
    // A zstd frame with a window of 2 GiB, and an xz block with a dictionary of 4 GiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8];
    frame.extend([0x01, 0, 0]);
    listed(&frame).expect_err("its window is too large");
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(&sample()).unwrap();
    let mut xz = xz.finish().unwrap();
    // The block header: size, flags, filter 0x21, size of its properties 1, the dictionary's size as an exponent.
    assert_eq!(xz[14..16], [0x21, 1]);
    xz[16] = 40;
    let size = (usize::from(xz[12]) + 1) * 4;
    let sum = crc32fast::hash(&xz[12..12 + size - 4]).to_le_bytes();
    xz[12 + size - 4..12 + size].copy_from_slice(&sum);
    listed(&xz).expect_err("its dictionary is too large");
}
