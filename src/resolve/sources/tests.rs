//! Archives in memory: each kind by itself, and what holds for all of them. The names begin with the row of the list of bad inputs.

mod cpio;
mod tar;
mod zip;

use std::io::Write;

use ::tar::EntryType;
use ::zip::write::SimpleFileOptions;

use self::cpio::{cpio, cpio_of};
use self::tar::{sample, tar_file, tar_of, tar_raw};
use self::zip::{zip_of, zip_sample};
use super::*;
use crate::formats::archive::Kind;

/// What an archive gives: a line for each entry, and for a file its bytes.
fn listed(archive: &[u8]) -> Result<Vec<String>, ArchiveError> {
    let spool = Spool::new(archive.len() as u64);
    let archive = archive.to_vec();
    let content = read(&archive, &spool)?.content;
    let spooled = spool.bytes()?;
    let entries = match content {
        Content::Entries(entries) | Content::Image(entries, _) => entries,
        Content::File(place) => {
            let bytes = spooled.read_vec_at(place.offset, place.length).unwrap();
            return Ok(vec![format!("one file {}", text(&bytes))]);
        }
    };
    let line = |entry: &ArchiveEntry| {
        let kind = match &entry.kind {
            Kind::File(place) => {
                let bytes: &dyn ReadAt = if place.spooled { &spooled } else { &archive };
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

/// What an archive gives a warning of.
fn warnings(archive: &[u8]) -> Vec<String> {
    let spool = Spool::new(archive.len() as u64);
    read(&archive.to_vec(), &spool).unwrap().warnings
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

#[test]
fn paths_and_links_that_lead_out_are_refused() {
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

#[test]
fn bombs_are_refused() {
    // Ten thousand to one, as zstd can: 65 MiB of zeros.
    let archive = tar_of(|builder| tar_file(builder, "zeros", &vec![0; 65 << 20]));
    let zstd =
        structured_zstd::encoding::compress_to_vec(&archive[..], structured_zstd::encoding::CompressionLevel::Fastest);
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

#[test]
fn all_members_of_a_compressed_archive_and_nothing_else() {
    let archive = sample();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (head, tail) = archive.split_at(700);
    let both = [gzip(head), gzip(tail)].concat();
    assert_eq!(listed(&both).unwrap(), listed(&archive).unwrap());
    let followed = [&both[..], b"garbage"].concat();
    assert_eq!(listed(&followed).unwrap(), listed(&archive).unwrap());
    assert!(warnings(&followed)[0].contains("7 bytes behind what is compressed"));
    assert_eq!(warnings(&[&both[..], &[0; 512]].concat()), Vec::<String>::new());
    assert_eq!(listed(&gzip(b"no archive")).unwrap(), ["one file no archive"]);
    // An archive in an archive is a file of it.
    assert_eq!(listed(&gzip(&gzip(b"twice"))).unwrap().len(), 1);
    assert!(refusal(b"no archive").contains("nothing that can be unpacked"));
}

#[test]
fn windows_beyond_the_limit_are_refused() {
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
