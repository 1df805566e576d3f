//! Volumes that were made to harm their reader, and those that ours are not like.

mod foreign;
mod sessions;

use std::cell::Cell;
use std::io;

use super::super::record::both_u32;
use super::super::tests::{Volume, tree, volume};
use super::super::{Flavour, SECTOR};
use super::{EntryKind, Walk, walk};
use crate::ground::read_at::ReadAt;

/// Counts what is read.
struct Counted<'a> {
    bytes: &'a [u8],
    read: Cell<u64>,
}

impl ReadAt for Counted<'_> {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.set(self.read.get() + buffer.len() as u64);
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// Walks, and reads no more than [`crate::ground::limits::READ_FACTOR`] allows with a sector for the root.
fn bounded(volume: &Volume) -> Walk {
    let image = Counted {
        bytes: &volume.bytes,
        read: Cell::new(0),
    };
    let walk = walk(&image, &volume.descriptor).unwrap();
    assert!(image.read.get() <= image.size() * crate::ground::limits::READ_FACTOR + SECTOR);
    walk
}

/// The place of the first `needle` at or behind `from`.
fn find(bytes: &[u8], needle: &[u8], from: usize) -> usize {
    let rest = bytes[from..].windows(needle.len());
    from + rest.into_iter().position(|window| window == needle).unwrap()
}

fn put(volume: &mut Volume, at: usize, bytes: &[u8]) {
    volume.bytes[at..][..bytes.len()].copy_from_slice(bytes);
}

fn noted(walk: &Walk, words: &str) {
    assert!(walk.notes.iter().any(|note| note.contains(words)), "{:?}", walk.notes);
}

fn paths(walk: &Walk) -> Vec<String> {
    let paths = walk.entries.iter().map(|entry| String::from_utf8_lossy(&entry.path));
    paths.map(|path| path.into_owned()).collect()
}

/// A volume with a name that needs a continuation area, and where its CE entry is.
fn continued() -> (Volume, usize) {
    let volume = volume(&tree(&[&"n".repeat(220), "z"]), Flavour::RockRidge);
    // The first is that of the root's own record, with ER.
    let first = find(&volume.bytes, b"CE\x1c\x01", 0);
    let at = find(&volume.bytes, b"CE\x1c\x01", first + 1);
    (volume, at)
}

#[test]
fn continuation_areas_that_go_round_end() {
    let (mut volume, at) = continued();
    let area = find(&volume.bytes, &[b'n'; 20], at + 200);
    let block = area as u64 / SECTOR * SECTOR;
    let pointer = volume.bytes[at..at + 28].to_vec();
    // An area that is nothing but a pointer to itself.
    put(&mut volume, block as usize, &pointer);
    put(&mut volume, at + 12, &both_u32(0));
    put(&mut volume, block as usize + 12, &both_u32(0));
    let walk = bounded(&volume);
    noted(&walk, "more continuation areas than any name or link needs");
    assert!(paths(&walk).contains(&"/z".into()));
}

#[test]
fn continuation_areas_stay_in_their_block_and_in_the_image() {
    let (mut volume, at) = continued();
    put(&mut volume, at + 20, &both_u32(4000));
    noted(&bounded(&volume), "crosses the end of its logical block");
    put(&mut volume, at + 4, &both_u32(u32::MAX));
    noted(&bounded(&volume), "is not in the image");
}

#[test]
fn system_use_entries_without_a_length_end_those_of_their_record_alone() {
    for length in 0..4 {
        let mut volume = volume(&tree(&["first", "second"]), Flavour::RockRidge);
        let at = find(&volume.bytes, b"first", 0) - 5;
        assert_eq!(volume.bytes[at..][..2], *b"NM");
        put(&mut volume, at + 2, &[length]);
        let walk = bounded(&volume);
        noted(&walk, "1 records have system use entries that are cut short");
        assert_eq!(paths(&walk), ["/", "/FIRST", "/second"]);
    }
}

#[test]
fn a_directory_is_read_once_wherever_it_is_named() {
    let mut volume = volume(&tree(&["a/", "a/b/", "a/b/c"]), Flavour::RockRidge);
    let (root, b) = (volume.nodes[0], volume.nodes[2]);
    // The record of b, by the block that it names: now it names the root.
    let block = both_u32((b / SECTOR) as u32);
    let at = find(&volume.bytes, &block, volume.nodes[1] as usize);
    put(&mut volume, at, &both_u32((root / SECTOR) as u32));
    let walk = bounded(&volume);
    noted(&walk, "the directory /a/b has the same place as another directory");
    assert_eq!(paths(&walk), ["/", "/a", "/a/b"]);
}

/// The place of the record with this identifier in the root, by §10.1.10 and §10.1.11.
fn record(volume: &Volume, identifier: &[u8]) -> usize {
    let length = identifier.len() as u8;
    find(
        &volume.bytes,
        &[&[length], identifier].concat(),
        volume.nodes[0] as usize,
    ) - 32
}

#[test]
fn a_directory_is_as_long_as_the_image_at_most() {
    for (length, words) in [
        (u32::MAX - 2047, "the directory /a ends behind the image"),
        (2049, "the length of the directory /a is not a multiple of 2048"),
    ] {
        let mut volume = volume(&tree(&["a/", "a/b"]), Flavour::RockRidge);
        let at = record(&volume, b"A");
        put(&mut volume, at + 10, &both_u32(length));
        let walk = bounded(&volume);
        noted(&walk, words);
        assert!(paths(&walk).contains(&"/a/b".into()));
    }
}

#[test]
fn a_record_that_does_not_fit_ends_its_sector() {
    // Shorter than its fixed part; a name past the record.
    for (at, value) in [(0, 33), (32, 255)] {
        let mut volume = volume(&tree(&["first", "second"]), Flavour::RockRidge);
        let second = record(&volume, b"SECOND.;1");
        put(&mut volume, second + at, &[value]);
        let walk = bounded(&volume);
        noted(&walk, &format!("the record at {second} in / is cut short"));
        assert_eq!(paths(&walk), ["/", "/first"]);
    }
    // Past the sector.
    let mut volume = volume(&tree(&["first"]), Flavour::Plain);
    let first = record(&volume, b"FIRST.;1");
    let bytes = volume.bytes[first..first + 42].to_vec();
    let end = (volume.nodes[0] + SECTOR) as usize;
    let places: Vec<usize> = (first..end - 42).step_by(42).collect();
    for &at in &places {
        put(&mut volume, at, &bytes);
    }
    let last = places.last().unwrap() + 42;
    assert!(end - last < 42);
    put(&mut volume, last, &bytes[..end - last]);
    let walk = bounded(&volume);
    noted(&walk, &format!("the record at {last} in / is cut short"));
    assert_eq!(walk.entries.len(), places.len() + 1);
}

#[test]
fn extents_end_with_the_image_and_many_names_of_one_are_all_listed() {
    let mut volume = volume(&tree(&["a", "b"]), Flavour::Plain);
    let (a, b) = (record(&volume, b"A.;1"), record(&volume, b"B.;1"));
    let same = volume.bytes[a + 2..a + 18].to_vec();
    put(&mut volume, b + 2, &same);
    let walk = bounded(&volume);
    assert_eq!(walk.entries[1].extents, walk.entries[2].extents);
    put(&mut volume, b + 2, &both_u32(u32::MAX));
    let walk = bounded(&volume);
    noted(&walk, "/B ends behind the image");
    assert_eq!(
        (&walk.entries[2].kind, walk.entries[2].extents.len()),
        (&EntryKind::File, 0)
    );
}

/// Every sector is full of records for directories that begin at some other sector and reach to the end of the image.
#[test]
fn directories_that_overlap_are_not_read_over_and_over() {
    let mut volume = volume(&tree(&["a/"]), Flavour::Plain);
    let sectors = 1000;
    let first = volume.bytes.len().div_ceil(SECTOR as usize);
    volume.bytes.resize((first + sectors) * SECTOR as usize, 0);
    let end = volume.bytes.len() as u64;
    for number in 0..sectors {
        let start = (first + number) * SECTOR as usize;
        for place in 0..2048 / 36 {
            let target = first + (number * 57 + place) % sectors;
            let at = start + place * 36;
            let length = end - target as u64 * SECTOR;
            volume.bytes[at] = 36;
            put(&mut volume, at + 2, &both_u32(target as u32));
            put(&mut volume, at + 10, &both_u32(length as u32));
            volume.bytes[at + 25] = 2;
            put(&mut volume, at + 32, &[3, b'A' + place as u8 % 26, b'A', b'A']);
        }
    }
    let at = record(&volume, b"A");
    put(&mut volume, at + 2, &both_u32(first as u32));
    put(&mut volume, at + 10, &both_u32((sectors as u32) * 2048));
    let walk = bounded(&volume);
    noted(&walk, "more of them than the image has bytes");
    let kept: usize = walk.entries.iter().map(|entry| entry.path.len() + 256).sum();
    assert!(kept as u64 <= crate::ground::limits::MEMORY + SECTOR);
}

#[test]
fn numbers_that_contradict_themselves_are_noted() {
    let mut volume = volume(&tree(&["a"]), Flavour::Plain);
    let at = record(&volume, b"A.;1");
    volume.bytes[at + 17] ^= 1;
    let walk = bounded(&volume);
    noted(
        &walk,
        &format!("the record at {at} in / says one thing in little-endian and another in big-endian"),
    );
    assert_eq!(walk.entries[1].extents[0].1, 5);
}

#[test]
fn joliet_names_at_their_limit_read_back_at_any_depth() {
    let name = "ü".repeat(103);
    let deep: Vec<String> = (1..=60)
        .map(|depth| format!("{}/", vec![name.as_str(); depth].join("/")))
        .collect();
    let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
    let walk = bounded(&volume(&tree(&deep), Flavour::Joliet));
    assert_eq!(walk.notes, Vec::<String>::new());
    assert_eq!(
        walk.entries.last().unwrap().path,
        format!("/{}", vec![name.as_str(); 60].join("/")).into_bytes()
    );
}
