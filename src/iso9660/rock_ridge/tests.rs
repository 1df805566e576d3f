//! Entries that come back as they were, whatever their lengths.

use super::*;

fn read(entries: &[Vec<u8>]) -> Read {
    let mut read = Read::default();
    entries.iter().for_each(|entry| read.add(entry));
    read
}

#[test]
fn t6_links_come_back_as_they_were() {
    let long = "component/".repeat(60);
    let exact = format!("{}/{}/x", "a".repeat(122), "b".repeat(122));
    let parents = format!("{}end", "../".repeat(200));
    for target in [
        "a",
        "/",
        "/a",
        "//a",
        "a//b",
        "a/",
        ".",
        "..",
        "./..",
        "../../a/b",
        &long,
        &exact,
        &parents,
    ] {
        let entries = link::entries(target.as_bytes());
        assert!(entries.iter().all(|entry| entry.len() <= 255));
        assert_eq!(read(&entries).target.unwrap(), target.as_bytes(), "{target}");
    }
    let huge = vec![b'n'; 4095];
    assert_eq!(read(&link::entries(&huge)).target.unwrap(), huge);
}

#[test]
fn entries_of_a_long_link_are_divided_inside_components() {
    for length in 1..250 {
        let target = format!("{}/", "c".repeat(length)).repeat(1000 / length + 2);
        let entries = link::entries(target.as_bytes());
        assert_eq!(read(&entries).target.unwrap(), target.as_bytes(), "{length}");
        for entry in &entries[..entries.len() - 1] {
            assert_eq!(last_flags(&entry[5..]) & CONTINUE, CONTINUE, "{length}");
        }
    }
}

fn last_flags(mut components: &[u8]) -> u8 {
    let mut last = 0;
    while let [flags, length, rest @ ..] = components {
        last = *flags;
        components = &rest[usize::from(*length)..];
    }
    last
}

#[test]
fn t2_names_come_back_as_they_were() {
    for length in [1, 249, 250, 251, 255] {
        let name = vec![0xFF; length];
        assert_eq!(read(&names(&name)).name.unwrap(), name);
    }
}

#[test]
fn no_piece_of_a_continuation_is_longer_than_a_block() {
    let posix = Posix {
        mode: 0o120_777,
        links: 1,
        uid: 0,
        gid: 0,
        serial: 1,
        mtime: Timestamp::default(),
    };
    let kind = Kind::Symlink {
        target: vec![b't'; 4095],
    };
    let uses = SystemUse::of_node(&[b'n'; 255], &kind, &posix, 200);
    let lengths: Vec<u32> = uses.continuation_lengths().collect();
    assert_eq!(lengths.len(), 3);
    assert!(lengths.iter().all(|&length| u64::from(length) <= SECTOR));
    let places: Vec<Place> = lengths
        .iter()
        .zip(10..)
        .map(|(&length, block)| Place {
            offset: block * SECTOR,
            length,
        })
        .collect();
    assert_eq!(uses.inline(&places).len(), CE);
    let mut read = Read::default();
    read.add(&uses.inline(&places));
    for (place, bytes) in uses.continuation(&places) {
        assert_eq!(read.continuation, Some((place.offset, place.length.into())));
        assert_eq!(bytes.len(), place.length as usize);
        read.add(&bytes);
    }
    assert_eq!(
        (read.name.unwrap().len(), read.target.unwrap().len(), read.continuation),
        (255, 4095, None)
    );
}

#[test]
fn a_device_number_has_the_form_that_every_reader_knows() {
    for (major, minor, high, low) in [(1, 3, 0, 0x103), (0, 7, 0, 7), (8, 255, 0, 0x8FF), (259, 300, 259, 300)] {
        let entry = device(major, minor);
        assert_eq!(entry.len(), 20);
        assert_eq!(
            (&entry[4..8], &entry[12..16]),
            (&u32::to_le_bytes(high)[..], &u32::to_le_bytes(low)[..])
        );
    }
}
