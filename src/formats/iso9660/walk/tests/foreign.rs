//! What other writers write and ours does not.

use super::super::super::record::both_u32;
use super::super::super::tests::{Volume, tree, volume};
use super::super::super::{Flavour, SECTOR};
use super::super::{EntryKind, Walk, walk};
use super::{bounded, find, noted, paths, put, record};

/// The place of the TF entry of the record with this identifier, in any directory. It has 12 bytes, as CL has.
fn times(volume: &Volume, identifier: &str) -> usize {
    let directories = volume.nodes[0] as usize;
    let identifier = [&[identifier.len() as u8], identifier.as_bytes()].concat();
    find(
        &volume.bytes,
        b"TF\x0c\x01",
        find(&volume.bytes, &identifier, directories),
    )
}

/// `/a/x` is a file that becomes the place where `/rr_moved/m` belongs.
fn moved(paths: &[&str]) -> (Volume, usize) {
    let mut volume = volume(&tree(paths), Flavour::RockRidge);
    let m = paths.iter().position(|path| *path == "rr_moved/m/").unwrap() + 1;
    let block = both_u32((volume.nodes[m] / SECTOR) as u32);
    let (cl, re) = (times(&volume, "X.;1"), times(&volume, "M"));
    put(&mut volume, cl, &[b"CL\x0c\x01".as_slice(), &block].concat());
    put(&mut volume, re, b"RE\x04\x01\0\0\0\0\0\0\0\0");
    (volume, cl)
}

const MOVED: [&str; 5] = ["a/", "a/x", "rr_moved/", "rr_moved/m/", "rr_moved/m/leaf"];

#[test]
fn a_relocated_directory_is_where_it_belongs_and_the_emptied_one_is_hidden() {
    let (volume, _) = moved(&MOVED);
    let walk = bounded(&volume);
    assert_eq!(paths(&walk), ["/", "/a", "/a/x", "/a/x/leaf"]);
    assert_eq!((walk.notes.len(), walk.left_out), (0, 0), "{:?}", walk.notes);
    let x = &walk.entries[2];
    assert_eq!((&x.kind, x.length), (&EntryKind::Directory, SECTOR));
    assert_eq!(x.posix.unwrap().mode, 0o040_755);
    assert_eq!(x.extents, [(volume.nodes[4], SECTOR)]);
    assert_eq!(walk.emptied.len(), 1);
    assert_eq!(walk.emptied[0].path, b"/rr_moved");
    // One that holds something of its own too stays.
    let (volume, _) = moved(&[MOVED.as_slice(), &["rr_moved/own"]].concat());
    let walk = bounded(&volume);
    assert_eq!(
        paths(&walk),
        ["/", "/a", "/rr_moved", "/a/x", "/a/x/leaf", "/rr_moved/own"]
    );
    assert_eq!(walk.emptied, []);
}

#[test]
fn a_relocated_directory_that_nothing_leads_to_stays_where_it_is_kept() {
    let (mut volume, cl) = moved(&MOVED);
    put(&mut volume, cl, b"XX");
    let walk = bounded(&volume);
    assert_eq!(
        paths(&walk),
        ["/", "/a", "/rr_moved", "/a/x", "/rr_moved/m", "/rr_moved/m/leaf"]
    );
    noted(&walk, "/rr_moved/m was moved there and nothing says from where");
}

#[test]
fn child_links_that_lead_nowhere_or_back_are_said() {
    let (mut volume, cl) = moved(&MOVED);
    let root = both_u32((volume.nodes[0] / SECTOR) as u32);
    put(&mut volume, cl + 4, &root);
    let walk = bounded(&volume);
    noted(&walk, "the directory /a/x has the same place as another directory");
    noted(&walk, "/rr_moved/m was moved there and nothing says from where");
    for block in [0, u32::MAX, (volume.nodes[5] / SECTOR) as u32] {
        put(&mut volume, cl + 4, &both_u32(block));
        let walk = bounded(&volume);
        noted(&walk, "but no directory is there: its contents are lost");
        assert_eq!(walk.left_out, 1);
        assert!(paths(&walk).contains(&"/rr_moved/m/leaf".into()), "{:?}", paths(&walk));
    }
}

/// SUSP 5.3: behind the 14 bytes that CD-ROM XA has in the system use of every record.
#[test]
fn the_announcement_may_stand_behind_other_bytes() {
    let mut volume = volume(&tree(&["a_long_name_of_a_file"]), Flavour::RockRidge);
    let root = volume.nodes[0] as usize;
    let dot = volume.bytes[root..root + 2048].to_vec();
    let first = usize::from(dot[0]);
    // The CE of the root's first record stays whole; only PX goes, for the 14 bytes in front.
    let (system_use, behind) = (&dot[34..first], &dot[first..]);
    let (sp, px) = (&system_use[..7], find(system_use, b"PX", 0));
    let without = [&system_use[7..px], &system_use[px + 44..]].concat();
    let mut changed = [&dot[..34], &[0x55; 14], sp, &without].concat();
    changed[0] = changed.len() as u8;
    // Every other record has them too: SP says how many.
    changed[34 + 14 + 6] = 14;
    let mut rest = behind;
    while rest[0] != 0 {
        let length = rest[0];
        let (record, next) = rest.split_at(length.into());
        let system_use = (33 + usize::from(record[32])).next_multiple_of(2);
        let mut record = [&record[..system_use], &[0x55; 14], &record[system_use..]].concat();
        record[0] += 14;
        changed.extend(record);
        rest = next;
    }
    changed.resize(2048, 0);
    put(&mut volume, root, &changed);
    let walk = bounded(&volume);
    assert_eq!(walk.flavour, Flavour::RockRidge);
    assert_eq!(paths(&walk), ["/", "/a_long_name_of_a_file"]);
    assert_eq!(walk.notes, Vec::<String>::new());
    // The root's ER is in a continuation area.
    assert_eq!(walk.continuations.len(), 1);
}

#[test]
fn an_associated_file_is_left_out_and_counted() {
    let mut volume = volume(&tree(&["fork", "other"]), Flavour::Plain);
    let at = record(&volume, b"FORK.;1");
    put(&mut volume, at + 25, &[0x04]);
    let walk = bounded(&volume);
    assert_eq!(paths(&walk), ["/", "/OTHER"]);
    assert_eq!((walk.notes.len(), walk.left_out), (0, 0));
    assert!(walk.remarks[0].starts_with("1 associated files"), "{:?}", walk.remarks);
}

/// §8.5.1 and §10.3.
#[test]
fn the_highest_version_has_the_plain_name() {
    let ucs2 = |name: &str| name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let plain = |name: &str| name.as_bytes().to_vec();
    let changes = [("A.;1", "F.;2"), ("B.;1", "F.;1"), ("C.;1", "F.;3"), ("D.;1", "X.;2")];
    let joliet = [("aaaa", "ff;2"), ("bbbb", "ff;1"), ("cccc", "ff;3"), ("dddd", "xx;2")];
    for (flavour, changes, identifier, names, wanted) in [
        (
            Flavour::Plain,
            changes,
            &plain as &dyn Fn(&str) -> Vec<u8>,
            ["a", "b", "c", "d"],
            ["/", "/F;2", "/F;1", "/F", "/X"],
        ),
        (
            Flavour::Joliet,
            joliet,
            &ucs2,
            ["aaaa", "bbbb", "cccc", "dddd"],
            ["/", "/ff;2", "/ff;1", "/ff", "/xx"],
        ),
    ] {
        let mut volume = volume(&tree(&names), flavour);
        for (old, new) in changes {
            let at = record(&volume, &identifier(old)) + 33;
            put(&mut volume, at, &identifier(new));
        }
        assert_eq!(paths(&bounded(&volume)), wanted, "{flavour:?}");
    }
}

/// §7.4.3: two blocks of data, three of something else.
#[test]
fn an_interleaved_section_is_its_units() {
    let mut volume = volume(&tree(&["f", "g"]), Flavour::Plain);
    let (at, f) = (record(&volume, b"F.;1"), volume.nodes[1]);
    let length = 5 * SECTOR + 100;
    volume.bytes.resize((f + 13 * SECTOR) as usize, 0);
    put(&mut volume, at + 10, &both_u32(length as u32));
    put(&mut volume, at + 26, &[2, 3]);
    let walk = bounded(&volume);
    let file = &walk.entries[1];
    let units = [
        (f, 2 * SECTOR),
        (f + 5 * SECTOR, 2 * SECTOR),
        (f + 10 * SECTOR, SECTOR + 100),
    ];
    assert_eq!((file.length, file.extents.as_slice()), (length, units.as_slice()));
    assert_eq!(walk.notes, Vec::<String>::new());
    // §7.4.3.4: an extended attribute record has the first unit.
    put(&mut volume, at + 1, &[2]);
    put(&mut volume, at + 10, &both_u32(3 * SECTOR as u32));
    let walk = bounded(&volume);
    assert_eq!(
        walk.entries[1].extents,
        [(f + 5 * SECTOR, 2 * SECTOR), (f + 10 * SECTOR, SECTOR)]
    );
    // Units that are not in the image, and a gap of 0.
    put(&mut volume, at + 10, &both_u32(u32::MAX));
    let walk = bounded(&volume);
    noted(&walk, "/F ends behind the image");
    assert_eq!(walk.entries[1].length, u64::from(u32::MAX));
    put(&mut volume, at + 26, &[1, 0]);
    noted(&bounded(&volume), "/F ends behind the image");
}

#[test]
fn a_root_directory_of_length_0_is_a_fault() {
    let mut volume = volume(&tree(&["f"]), Flavour::RockRidge);
    volume.descriptor.root.length = 0;
    let walk: Walk = walk(&volume.bytes, &volume.descriptor).unwrap();
    noted(&walk, "the root directory has a length of 0");
}

#[test]
fn a_file_without_its_last_section_is_not_whole() {
    let mut volume = volume(&tree(&["f", "g"]), Flavour::Plain);
    let at = record(&volume, b"F.;1");
    put(&mut volume, at + 25, &[0x80]);
    let walk = bounded(&volume);
    noted(&walk, "the last section of /F is missing");
    let is_whole: Vec<bool> = walk.entries.iter().map(|entry| entry.is_whole).collect();
    assert_eq!(
        (paths(&walk)[1].as_str(), is_whole.as_slice()),
        ("/F", [true, false, true].as_slice())
    );
}

#[test]
fn names_and_link_targets_with_nul_are_left_out() {
    let mut volume = volume(&tree(&["name_of_one", "link->target_of_it", "z"]), Flavour::RockRidge);
    for needle in [b"name_of_one".as_slice(), b"target_of_it"] {
        let at = find(&volume.bytes, needle, volume.nodes[0] as usize);
        put(&mut volume, at + 4, &[0]);
    }
    let walk = bounded(&volume);
    assert_eq!(
        (paths(&walk), walk.left_out),
        (vec!["/".to_owned(), "/z".to_owned()], 2)
    );
    noted(&walk, "a link to a name with a NUL");
}
