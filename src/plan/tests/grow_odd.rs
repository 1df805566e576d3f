//! Bases that are odd or damaged, changed in place.

use std::fs;

use super::Host;
use super::grow::{changed, contents, host, listing};
use crate::formats::iso9660::EntryKind;
use crate::look::contents::{Place, Tree};

/// In Joliet as xorriso writes it, `..` points at the directory itself. The parent's record gets the new place, and `..` points at it again.
#[test]
fn a_directory_that_names_itself_as_its_parent_moves_too() {
    let host = host("universal");
    let mut base = fs::read(host.at("base.iso")).unwrap();
    let (tree, _) = Tree::of(&base, Place::parse(b"joliet:/").unwrap()).unwrap();
    let directories = tree.items().iter().filter(|item| item.kind == EntryKind::Directory);
    let places: Vec<usize> = directories.map(|item| item.extents[0].0.unwrap() as usize).collect();
    assert_eq!(places.len(), 7);
    for own in places {
        // ECMA-119 10.1: a record begins with its length; extent and data length are the bytes from 2 to 18.
        let parent = own + usize::from(base[own]);
        base.copy_within(own + 2..own + 18, parent + 2);
    }
    host.put("base.iso", &base);
    let names = (0..60)
        .map(|number| format!("[[files]]\ntext = \"{number}\"\nto = \"/b/d/a-file-with-a-long-name-{number:03}\"\n"));
    let (after, bytes, _) = changed(&host, &names.collect::<String>()).unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    let found = listing(&bytes, "joliet:/");
    assert_eq!(found.len(), listing(&bytes, "iso:/").len());
    assert!(found.contains(&("/b/d/a-file-with-a-long-name-059".into(), "59".into())));
    let (tree, _) = Tree::of(&bytes, Place::parse(b"joliet:/").unwrap()).unwrap();
    let moved = tree.find(b"/b/d", true).unwrap().extents[0].0.unwrap() as usize;
    assert!(moved >= base.len() - (1 << 20), "{moved}");
    let parent = moved + usize::from(bytes[moved]);
    assert_eq!(bytes[parent + 2..parent + 6], (moved as u32 / 2048).to_le_bytes());
}

/// ECMA-119 9.4.17: the field of the type M path table is at byte 148 of the volume descriptor.
#[test]
fn a_path_table_that_is_none_is_not_written_over() {
    let host = host("universal");
    let mut base = fs::read(host.at("base.iso")).unwrap();
    let (tree, _) = Tree::of(&base, Place::parse(b"iso:/").unwrap()).unwrap();
    let large = tree.find(b"/b/d/f", true).unwrap().extents[0].0.unwrap();
    base[32_768 + 148..][..4].copy_from_slice(&((large / 2048) as u32).to_be_bytes());
    host.put("base.iso", &base);
    let (_, bytes, _) = changed(&host, "[[files]]\ntext = \"x\"\nto = \"/new/x\"\n").unwrap();
    assert_eq!(contents(&bytes, "iso:/b/d/f"), vec![5; 70_000]);
    let now = u32::from_be_bytes(bytes[32_768 + 148..][..4].try_into().unwrap());
    assert!(u64::from(now) * 2048 > large, "{now}");
}

/// §10.1.11: the length of the identifier is at byte 32 of a record; §10.1.6: bit 7 of the flags, at byte 25, says that more records follow.
#[test]
fn damaged_records_are_not_taken_for_others() {
    let host = host("universal");
    let whole = fs::read(host.at("base.iso")).unwrap();
    let (tree, _) = Tree::of(&whole, Place::parse(b"joliet:/").unwrap()).unwrap();
    let directory = tree.find(b"/gone", true).unwrap().extents[0].0.unwrap() as usize;
    let third = directory + 2 * usize::from(whole[directory]);
    for length in [200, 0] {
        let mut base = whole.clone();
        base[third + 32] = length;
        host.put("base.iso", &base);
        let added = changed(&host, "[[files]]\ntext = \"x\"\nto = \"/gone/new\"\n");
        let error = added.map(drop).unwrap_err();
        assert!(error.contains("is cut short"), "{length}: {error}");
    }
    // A file's record says that more records follow, but the next record has another name.
    let mut base = whole.clone();
    base[third + 25] |= 0x80;
    host.put("base.iso", &base);
    if let Ok((_, bytes, _)) = changed(&host, "remove = [\"/gone/x\"]\n") {
        assert!(listing(&bytes, "iso:/").contains(&("/gone/y/z".into(), "z".into())));
        assert!(bytes.len() >= base.len());
    }
}

/// `kernel_args` leaves a configuration alone if `remove` takes it away.
#[test]
fn configurations_may_go() {
    let grub = b"menuentry \"A\" {\n\tlinux /a quiet\n}\n";
    let host = Host::new(&[
        ("tree/a", b"a"),
        ("tree/old/grub.cfg", grub),
        ("tree/boot/grub/grub.cfg", grub),
    ]);
    let (_, base) = host.build("[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
    host.put("base.iso", &base);
    let keys = "remove = [\"/boot\"]\n[base.kernel_args]\nappend = [\"x=1\"]\n";
    let (after, bytes, _) = changed(&host, keys).unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    assert!(
        listing(&bytes, "iso:/")
            .iter()
            .all(|(path, _)| !path.starts_with("/boot"))
    );
}

/// Two menus, one of which is not read as a whole: the other changes, and a warning names the first. Lines keep their ends.
#[test]
fn configurations_that_are_not_read_are_named() {
    let entry = "menuentry A {\r\nlinux /a quiet\r\n}\r\n";
    let utf_16: Vec<u8> = std::iter::once('\u{feff}')
        .chain(entry.chars())
        .flat_map(|letter| (letter as u16).to_le_bytes())
        .collect();
    for (grub, warns, wanted) in [
        (entry.as_bytes().to_vec(), "", "menuentry A {\r\nlinux /a x=1\r\n}\r\n"),
        (utf_16.clone(), "is in UTF-16", str::from_utf8(&utf_16[2..4]).unwrap()),
        (
            [entry.as_bytes(), &[b'#'; 1 << 20]].concat(),
            "no configuration has more than 1 MiB",
            "linux /a quiet",
        ),
        (
            format!("{entry}source /boot/grub/grub.cfg\r\n").into_bytes(),
            "",
            "linux /a x=1\r\n}\r\nsource /boot/grub/grub.cfg\r\n",
        ),
    ] {
        let host = Host::new(&[
            ("tree/a", b"a"),
            (
                "tree/isolinux/isolinux.cfg",
                b"label a\r\n  kernel /a\r\n  append quiet\r\n",
            ),
            ("tree/boot/grub/grub.cfg", &grub),
        ]);
        let (_, base) = host.build("[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
        host.put("base.iso", &base);
        let keys = "[base.kernel_args]\nappend = [\"x=1\"]\nremove = [\"quiet\"]\n";
        let (_, bytes, warnings) = changed(&host, keys).unwrap();
        assert_eq!(
            contents(&bytes, "iso:/isolinux/isolinux.cfg"),
            b"label a\r\n  kernel /a\r\n  append x=1\r\n"
        );
        let is_told = warnings
            .iter()
            .any(|warning| warning.contains(warns) && warning.contains("grub.cfg"));
        assert!(is_told != warns.is_empty(), "{warns}: {warnings:?}");
        let now = contents(&bytes, "iso:/boot/grub/grub.cfg");
        assert!(String::from_utf8_lossy(&now).contains(wanted), "{warns}");
    }
}
