//! Indexes that were made to contradict each other.

use super::*;
use crate::formats::iso9660::{Flavour, IsoEntry, Walk};
use crate::ground::time::Timestamp;

fn entry(path: &str, kind: EntryKind, extents: &[(u64, u64)]) -> IsoEntry {
    IsoEntry {
        path: path.into(),
        kind,
        extents: extents.to_vec(),
        length: extents.iter().map(|&(_, length)| length).sum(),
        is_whole: true,
        zisofs: None,
        posix: None,
        modified: Timestamp::default(),
        record: 0,
    }
}

fn file(path: &str, offset: u64, length: u64) -> IsoEntry {
    let extents = [(offset, length)];
    entry(path, EntryKind::File, if length > 0 { &extents } else { &[] })
}

fn index(flavour: Flavour, entries: Vec<IsoEntry>) -> Index {
    let root = entry("/", EntryKind::Directory, &[(40_960, 2048)]);
    Index::Iso(Walk::new(flavour, std::iter::once(root).chain(entries).collect()))
}

fn rock_ridge(entries: Vec<IsoEntry>) -> Index {
    index(Flavour::RockRidge, entries)
}

fn joliet(entries: Vec<IsoEntry>) -> Index {
    index(Flavour::Joliet, entries)
}

#[test]
fn names_that_had_to_be_changed_are_no_disagreement() {
    let link = entry("/link", EntryKind::Symlink(b"x".into()), &[]);
    let better = rock_ridge(vec![
        file("/a:b", 65_536, 10),
        file("/a:c", 65_536, 10),
        file("/empty?", 0, 0),
        link,
    ]);
    let other = joliet(vec![
        file("/a_b", 65_536, 10),
        file("/a_c", 65_536, 10),
        file("/empty_", 0, 0),
    ]);
    let found = compare(&better, &other);
    assert_eq!(
        (found.faults, found.remarks),
        (Vec::<String>::new(), Vec::<String>::new())
    );
    assert_eq!(found.longer, []);
}

#[test]
fn an_empty_file_in_place_of_a_link_is_no_disagreement() {
    let link = |path| entry(path, EntryKind::Symlink(b"x".into()), &[]);
    let better = rock_ridge(vec![link("/a"), link("/b"), file("/c", 0, 0)]);
    let empty = |paths: &[&str]| joliet(paths.iter().map(|path| file(path, 0, 0)).collect());
    assert_eq!(
        compare(&better, &empty(&["/a", "/b", "/c"])).remarks,
        Vec::<String>::new()
    );
    assert_eq!(
        compare(&better, &empty(&["/a", "/b", "/c", "/d"])).remarks,
        ["the Joliet tree has 4 empty files and the Rock Ridge tree 1"]
    );
}

#[test]
fn two_lengths_are_a_fault_and_the_longer_is_named() {
    // By the place of the content, where the names are not the same; by the name, where one has no content.
    let better = rock_ridge(vec![
        file("/long:name", 65_536, 5),
        file("/none", 0, 0),
        file("/more", 98_304, 9),
        file("/only", 131_072, 7),
    ]);
    let other = joliet(vec![
        file("/long_name", 65_536, 4_294_967_301),
        file("/none", 81_920, 4_294_967_296),
        file("/more", 98_304, 8),
        file("/only", 0, 0),
    ]);
    let found = compare(&better, &other);
    let of = |path: &str, a: u64, b: u64| {
        format!("{path} has {a} bytes in the Rock Ridge tree and {b} bytes in the Joliet tree")
    };
    assert_eq!(
        found.faults,
        [
            of("/long:name", 5, 4_294_967_301),
            of("/none", 0, 4_294_967_296),
            of("/more", 9, 8),
            of("/only", 7, 0),
        ]
    );
    // The root is entry 0 of both.
    assert_eq!(found.longer, [(1, 1), (2, 2)]);
    // Names of one content may begin at one place and end at others.
    let found = compare(
        &rock_ridge(vec![file("/a", 65_536, 5), file("/b", 65_536, 9)]),
        &joliet(vec![file("/B", 65_536, 9)]),
    );
    assert_eq!(found.faults, Vec::<String>::new());
}

#[test]
fn what_the_other_names_alone_is_said() {
    let directory = |path| entry(path, EntryKind::Directory, &[(81_920, 2048)]);
    let better = rock_ridge(vec![file("/a", 65_536, 5), file("/moved", 69_632, 3)]);
    let other = joliet(vec![
        file("/a", 65_536, 5),
        file("/second name of a", 65_536, 5),
        file("/b", 67_584, 6),
        file("/moved", 71_680, 3),
        file("/empty", 0, 0),
        directory("/d"),
    ]);
    let found = compare(&better, &other);
    assert_eq!(found.faults, Vec::<String>::new());
    assert_eq!(
        found.remarks,
        [
            "the Joliet tree names 2 files that the Rock Ridge tree does not name: joliet:/second name of a",
            "the Joliet tree names 1 file that the Rock Ridge tree has at another place: joliet:/moved",
            "the Joliet tree has 1 empty file and the Rock Ridge tree 0",
            "the Joliet tree has 2 directories and the Rock Ridge tree 1",
        ]
    );
}

#[test]
fn an_empty_tree_beside_a_full_one_is_a_fault() {
    let full = || vec![file("/a", 65_536, 5)];
    let found = compare(&rock_ridge(full()), &joliet(Vec::new()));
    assert_eq!(
        found.faults,
        ["the Joliet tree holds no file, and the Rock Ridge tree holds 1"]
    );
    // ISO 9660 beside UDF need not hold anything.
    let found = compare(&joliet(full()), &index(Flavour::Plain, Vec::new()));
    assert_eq!(found.faults, Vec::<String>::new());
}

#[test]
fn many_lengths_are_counted() {
    let files = |length| (0..30).map(move |number| file(&format!("/{number}"), 65_536 + 2048 * number, length));
    let found = compare(&rock_ridge(files(5).collect()), &joliet(files(6).collect()));
    assert_eq!((found.faults.len(), found.longer.len()), (21, 30));
    assert_eq!(
        found.faults[20],
        "10 more files do not have the same length in the Joliet tree"
    );
}

#[test]
fn the_index_that_says_most_is_the_best_unless_it_is_damaged_or_empty() {
    use super::super::indexes::best;
    let one = || vec![file("/a", 65_536, 5)];
    let two = || vec![file("/a", 65_536, 5), file("/b", 67_584, 5)];
    let damaged = |index: Index| match index {
        Index::Iso(walk) => Index::Iso(Walk {
            notes: vec!["the directory /d ends behind the image".into()],
            ..walk
        }),
        index => index,
    };
    assert_eq!(best(&[rock_ridge(one()), joliet(two())]), Some(0));
    assert_eq!(best(&[damaged(rock_ridge(one())), joliet(two())]), Some(1));
    assert_eq!(best(&[damaged(rock_ridge(two())), joliet(one())]), Some(0));
    assert_eq!(best(&[rock_ridge(Vec::new()), joliet(one())]), Some(1));
    assert_eq!(best(&[index(Flavour::Plain, two()), joliet(one())]), Some(1));
    assert_eq!(best(&[]), None);
}
