//! Images with UDF that are changed in place.

use std::fs;

use super::grow::{CHANGES, LAYOUTS, changed, host_with, listing, nothing_is_left};
use super::udf::{UDF, block_of};
use crate::facts::{Description, What};
use crate::formats::udf::{self, Kind};
use crate::ground::read_at::ReadAt;

const STUB: &str = "[iso]\niso9660 = \"stub\"\n";

fn volume(bytes: &dyn ReadAt) -> udf::Volume {
    let volume = udf::read(bytes, bytes.size()).unwrap().unwrap();
    assert_eq!((volume.notes.as_slice(), volume.left_out), (&[][..], 0));
    volume
}

fn count(volume: &udf::Volume, wanted: fn(&Kind) -> bool) -> u32 {
    volume.entries.iter().filter(|entry| wanted(&entry.kind)).count() as u32
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

/// What the descriptors say of the whole volume, at the places of ECMA-167 3/10.5, 3/10.10 and UDF 2.2.6, agrees with what is in it.
fn totals_hold(described: &Description, bytes: &[u8], case: &str) {
    let volume = volume(&bytes.to_vec());
    let last = bytes.len() as u64 / 2048 - 1;
    let anchors = block_of(described, What::UdfAnchor);
    assert_eq!(anchors, [256, last - 256], "{case}");
    let blocks = anchors[1] as u32 - 257;
    // The partition descriptor is the third of each sequence.
    for sequence in [32, 48] {
        let partition = (sequence + 2) * 2048;
        assert_eq!(u32_at(bytes, partition + 188), 257, "{case}");
        assert_eq!(u32_at(bytes, partition + 192), blocks, "{case}");
    }
    let integrity = 64 * 2048;
    assert_eq!(u32_at(bytes, integrity + 84), blocks, "{case}");
    let files = count(&volume, |kind| *kind == Kind::File);
    let directories = count(&volume, |kind| *kind == Kind::Directory);
    assert_eq!(u32_at(bytes, integrity + 120), files, "{case}");
    assert_eq!(u32_at(bytes, integrity + 124), directories, "{case}");
    let greatest = volume.entries.iter().map(|entry| entry.attributes.serial).max();
    assert!(u64_at(bytes, integrity + 40) > greatest.unwrap(), "{case}");
    // A directory has its own name and those of the directories in it, which call it their parent.
    for entry in volume.entries.iter().filter(|entry| entry.kind == Kind::Directory) {
        let prefix: &[u8] = if entry.path == b"/" { b"" } else { &entry.path };
        let is_child = |other: &&udf::UdfEntry| {
            let rest = other.path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(b"/"));
            other.kind == Kind::Directory && rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(&b'/'))
        };
        let children = volume.entries.iter().filter(is_child).count() as u32;
        let path = String::from_utf8_lossy(&entry.path);
        assert_eq!(entry.attributes.links, 1 + children, "{case} {path}");
    }
}

#[test]
fn udf_says_the_same_as_the_other_indexes_in_every_layout() {
    for layout in LAYOUTS {
        let host = host_with(layout, UDF);
        let (after, bytes, warnings) = changed(&host, CHANGES).unwrap();
        assert_eq!(warnings, [""; 0], "{layout}");
        assert_eq!(after.facts.faults, [""; 0], "{layout}");
        let mut wanted = listing(&bytes, "iso:/");
        wanted.retain(|(_, content)| !content.starts_with("->"));
        assert_eq!(listing(&bytes, "udf:/"), wanted, "{layout}");
        totals_hold(&after, &bytes, layout);
        nothing_is_left(&after, &bytes, layout);
        // 7-Zip looks for the last anchor behind the last block of a file or directory, over zeros.
        let volume = volume(&bytes);
        let root = volume.entries[0].extents[0].0.unwrap() as usize;
        let anchor = block_of(&after, What::UdfAnchor)[1] as usize * 2048;
        assert!(anchor - root < 2 << 20, "{layout}");
        assert!(bytes[root + 2048..anchor].iter().all(|&byte| byte == 0), "{layout}");
        // What was removed is nowhere, file entries among it: tag 261 with the name's directory is not followed any more.
        assert!(!bytes.windows(100).any(|window| window == [7; 100]), "{layout}");
        // Once more, onto what was made.
        host.put("base.iso", &bytes);
        let more = "remove = [\"/one/two\"]\n[[files]]\ntext = \"again\"\nto = \"/one/again\"\n";
        let (after, bytes, _) = changed(&host, more).unwrap();
        assert_eq!(after.facts.faults, [""; 0], "{layout}");
        totals_hold(&after, &bytes, layout);
        assert!(listing(&bytes, "udf:/").contains(&("/one/again".into(), "again".into())));
    }
}

/// An image whose ISO 9660 tree is a README: the names are UDF's, and the README stays.
#[test]
fn where_the_files_are_in_udf_alone_its_names_are_meant() {
    let host = host_with("universal", STUB);
    let mut keys = CHANGES.replace("[[files]]\nlink = \"../a\"\nto = \"/one/link\"\n", "");
    for number in 0..100 {
        keys += &format!("[[files]]\ntext = \"{number}\"\nto = \"/b/a-file-with-a-long-name-{number:03}.txt\"\n");
    }
    let before = listing(&fs::read(host.at("base.iso")).unwrap(), "iso:/");
    let (after, bytes, warnings) = changed(&host, &keys).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(after.facts.faults, [""; 0]);
    assert_eq!(listing(&bytes, "iso:/"), before);
    let found = listing(&bytes, "/");
    for (path, content) in [
        ("/b/c", "of the manifest"),
        ("/b/d/f", "70000 x 5"),
        ("/one/two/three", "9000 x 2"),
        ("/b/a-file-with-a-long-name-099.txt", "99"),
    ] {
        assert!(found.contains(&(path.into(), content.into())), "{path}");
    }
    assert!(!found.iter().any(|(path, _)| path.starts_with("/gone")));
    totals_hold(&after, &bytes, "stub");
    // Links have no place there, and a name that Windows does not show gets another.
    let keys = "[[files]]\nlink = \"a\"\nto = \"/l\"\n[[files]]\ntext = \"x\"\nto = \"/a:b\"\n";
    let (_, bytes, warnings) = changed(&host, keys).unwrap();
    assert_eq!(
        warnings,
        ["UDF does not show what changes at /l", "UDF has another name for /a:b"]
    );
    assert!(listing(&bytes, "/").contains(&("/a_b".into(), "x".into())));
}

/// A file entry with two names: one of them gets another content, the other keeps its own.
#[test]
fn names_of_one_file_part_when_one_is_edited() {
    let host = host_with("universal", STUB);
    let grub = "menuentry \"Install\" {\n\tlinux /a quiet\n}\n";
    host.put("tree/boot/grub/grub.cfg", grub.as_bytes());
    fs::hard_link(host.at("tree/boot/grub/grub.cfg"), host.at("tree/boot/grub/other.cfg")).unwrap();
    let (_, base) = host.build(&format!(
        "[[files]]\nfrom = \"tree\"\nto = \"/\"\npreserve = [\"hardlinks\"]\n{STUB}"
    ));
    host.put("base.iso", &base);
    let links = |bytes: &dyn ReadAt| -> Vec<u32> {
        let volume = volume(bytes);
        let named = volume.entries.iter().filter(|entry| entry.path.ends_with(b".cfg"));
        named.map(|entry| entry.attributes.links).collect()
    };
    assert_eq!(links(&base), [2, 2]);
    let keys = "[base.kernel_args]\nremove = [\"quiet\"]\n";
    let (after, bytes, warnings) = changed(&host, keys).unwrap();
    assert_eq!((warnings, after.facts.faults.clone()), (Vec::new(), Vec::new()));
    let found = listing(&bytes, "/boot/grub");
    let edited = grub.replace(" quiet", "");
    assert!(found.contains(&("/boot/grub/grub.cfg".into(), edited)));
    assert!(found.contains(&("/boot/grub/other.cfg".into(), grub.into())));
    assert_eq!(links(&bytes), [1, 1]);
    let (_, bytes, _) = changed(&host, "remove = [\"/boot/grub/other.cfg\"]\n").unwrap();
    assert!(listing(&bytes, "/").contains(&("/boot/grub/grub.cfg".into(), grub.into())));
    assert_eq!(links(&bytes), [1]);
}

#[test]
fn a_volume_that_cannot_be_grown_says_why() {
    let host = host_with("universal", UDF);
    let base = fs::read(host.at("base.iso")).unwrap();
    let keys = "[[files]]\ntext = \"x\"\nto = \"/x\"\n";
    for (wanted, fault) in [
        ("whose anchor is missing", without_anchors as fn(&mut [u8])),
        ("with a map of free blocks", with_space_map),
        ("with several partitions", with_two_maps),
    ] {
        let mut bytes = base.clone();
        fault(&mut bytes);
        host.put("base.iso", &bytes);
        let error = changed(&host, keys).unwrap_err();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

fn without_anchors(bytes: &mut [u8]) {
    for block in [256, bytes.len() / 2048 - 257] {
        bytes[block * 2048..][..16].fill(0);
    }
}

/// ECMA-167 3/10.5.6 and 4/14.3: the unallocated space bitmap.
fn with_space_map(bytes: &mut [u8]) {
    bytes[34 * 2048 + 64..][..4].copy_from_slice(&2048u32.to_le_bytes());
}

/// ECMA-167 3/10.6.8: two partition maps.
fn with_two_maps(bytes: &mut [u8]) {
    bytes[35 * 2048 + 268] = 2;
}
