//! Entries that come back as they were, whatever their lengths.

use super::*;

fn read(entries: &[Vec<u8>]) -> Read {
    let mut read = Read::default();
    entries.iter().for_each(|entry| read.add(entry));
    read
}

#[test]
fn links_come_back_as_they_were() {
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
fn names_come_back_as_they_were() {
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
            block: Block::at(block * SECTOR).unwrap(),
            within: 12,
            length,
        })
        .collect();
    assert_eq!(uses.inline(&places).len(), CE);
    let mut read = Read::default();
    read.add(&uses.inline(&places));
    for ((place, block), bytes) in places.iter().zip(10..).zip(uses.continuation(&places)) {
        assert_eq!(read.continuation, Some((block * SECTOR + 12, place.length.into())));
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

#[test]
fn attributes_are_read_in_every_form() {
    let words = |numbers: &[u32]| numbers.iter().flat_map(|&number| both_u32(number)).collect::<Vec<u8>>();
    // Version 1.09 has no serial number; access and change stand around the time that is looked for.
    let stamps = [
        [90, 1, 2, 3, 4, 5, 0],
        [101, 9, 9, 1, 46, 40, 0],
        [99, 1, 1, 0, 0, 0, 0],
    ];
    let old = read(&[
        entry(b"PX", &words(&[0o100_644, 2, 7, 8])),
        entry(b"TF", &[&[0x07], stamps.as_flattened()].concat()),
    ]);
    let posix = old.posix.unwrap();
    assert_eq!(
        (posix.mode, posix.links, posix.uid, posix.gid, posix.serial),
        (0o100_644, 2, 7, 8, 0)
    );
    assert_eq!(old.modified, Some(Timestamp::from_unix(1_000_000_000)));
    // 17 bytes a stamp, two hours east of UTC.
    let long = read(&[
        entry(b"PX", &words(&[0o020_666, 1, 0, 0, 5])),
        entry(b"TF", &[&[0x82][..], b"2001090903464000\x08"].concat()),
        entry(b"PN", &words(&[0, 0x0103])),
    ]);
    assert_eq!(long.posix.unwrap().serial, 5);
    assert_eq!(long.modified, Some(Timestamp::from_unix(1_000_000_000)));
    assert_eq!(long.device, Some((1, 3)));
    let without = read(&[entry(b"TF", &[0x01, 90, 1, 2, 3, 4, 5, 0]), entry(b"PX", &[1, 2])]);
    assert_eq!((without.modified, without.posix), (None, None));
    // A stamp that is announced and not there.
    assert_eq!(read(&[entry(b"TF", &[0x03, 90, 1, 2, 3, 4, 5, 0])]).modified, None);
}

/// What genisoimage 1.1.11 and xorriso 1.5.4 write for these targets: each empty component is a ROOT.
#[test]
fn a_root_component_in_the_middle_is_nothing_between_two_slashes() {
    const ROOT: [u8; 2] = [8, 0];
    let usr = b"\0\x03usr".as_slice();
    let lib = b"\0\x03lib".as_slice();
    for (components, target) in [
        ([usr, &ROOT, lib].concat(), "usr//lib"),
        ([&[2, 0], ROOT.as_slice(), lib].concat(), ".//lib"),
        ([ROOT.as_slice(), &ROOT, lib].concat(), "//lib"),
        ([ROOT.as_slice(), usr, &ROOT, &ROOT, lib].concat(), "/usr///lib"),
        ([usr, &ROOT].concat(), "usr/"),
        (ROOT.to_vec(), "/"),
    ] {
        let mut read = Read::default();
        read.add(&entry(b"SL", &[&[0], components.as_slice()].concat()));
        assert_eq!(String::from_utf8(read.target.unwrap()).unwrap(), target);
    }
}
