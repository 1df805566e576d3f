//! Images that are changed in place: what `inspect` and `ls` read afterwards, and which bytes stayed.

use std::fs;

use super::{BOOT, Host};
use crate::facts::{Description, Extent, What};
use crate::formats::iso9660::EntryKind;
use crate::ground::read_at::ReadAt;
use crate::look::contents::{Place, Tree};
use crate::look::inspect::inspect;
use crate::manifest::parse;
use crate::output::{Interrupt, write};
use crate::plan::Late;
use crate::plan::grow::grow;
use crate::resolve::{Environment, Goal, resolve};

pub(super) const LAYOUTS: [&str; 6] = ["universal", "multi-sector", "gpt", "mbr", "isohybrid", "none"];

/// A base that boots, with a tree.
pub(super) fn host(layout: &str) -> Host {
    host_with(layout, "")
}

/// The same, with more keys.
pub(super) fn host_with(layout: &str, keys: &str) -> Host {
    let host = Host::new(&[
        ("bios.bin", &[1; 5000]),
        ("loader", &[2; 9000]),
        ("tree/a", b"a"),
        ("tree/b/c", b"of the base"),
        ("tree/b/d/e", b"deep"),
        ("tree/b/d/f", &[5; 70_000]),
        ("tree/gone/x", &[7; 4000]),
        ("tree/gone/y/z", b"z"),
    ]);
    let layout = format!("[disk]\nlayout = \"{layout}\"\n");
    let (_, base) = host.build(&format!(
        "volume_id = \"BASE\"\n[[files]]\nfrom = \"tree\"\nto = \"/\"\n{BOOT}{layout}{keys}"
    ));
    host.put("base.iso", &base);
    host
}

/// Why a manifest with `[base]` makes no image, or the image: its description before it is written, and its bytes.
pub(super) fn changed(host: &Host, keys: &str) -> Result<(Description, Vec<u8>, Vec<String>), String> {
    let path = host.at("change.toml");
    let output = host.at("changed.iso");
    let environment = Environment {
        source_date_epoch: None,
        outputs: vec![output.clone()],
    };
    let document = parse(&path, &format!("[base]\nimage = \"base.iso\"\n{keys}")).map_err(|error| error.to_string())?;
    let Goal::Grown(resolved) = resolve(&document, &environment).map_err(|error| error.to_string())? else {
        panic!("not a changed image");
    };
    let grown = grow(resolved.contents).map_err(|error| error.to_string())?;
    let late = Late::default();
    let pieces = grown.pieces(&late);
    write(&output, grown.size(), pieces, false, &mut |_| {}, &Interrupt::default()).unwrap();
    let bytes = fs::read(&output).unwrap();
    let changed = grown.changed();
    // Whatever is not named is as it was, behind what is new too.
    let base = fs::read(host.at("base.iso")).unwrap();
    let (cut, grows) = (changed.moved_from as usize, changed.grows as usize);
    let is_named = |at: usize| {
        let holds = |extent: &Extent| (extent.offset..extent.offset + extent.length).contains(&(at as u64));
        changed.extents.iter().any(holds)
    };
    for (at, byte) in base.iter().enumerate() {
        let now = if at < cut { at } else { at + grows };
        assert!(
            bytes[now] == *byte || is_named(now),
            "byte {at} changed and nobody says so"
        );
    }
    assert_eq!(bytes.len() as u64 - base.len() as u64, changed.grows);
    let mut described = inspect(&bytes).unwrap();
    described.planned.changed = Some(changed);
    Ok((described, bytes, grown.warnings()))
}

/// Every path of an index with its content: a text, or length and first byte of a long one.
pub(super) fn listing(bytes: &dyn ReadAt, place: &str) -> Vec<(String, String)> {
    let (tree, _) = Tree::of(bytes, Place::parse(place.as_bytes()).unwrap()).unwrap();
    assert_eq!(tree.notes, [""; 0], "{place}");
    let items = tree.items().iter().map(|item| {
        let mut content = Vec::new();
        item.copy(bytes, &mut |piece| {
            content.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        let shown = match (&item.kind, content.len()) {
            (EntryKind::File, 0..100) => String::from_utf8(content).unwrap(),
            (EntryKind::File, length) => format!("{length} x {}", content[0]),
            (EntryKind::Symlink(target), _) => format!("-> {}", String::from_utf8_lossy(target)),
            (kind, _) => format!("{kind:?}"),
        };
        (String::from_utf8(item.path.clone()).unwrap(), shown)
    });
    items.collect()
}

/// The text of a file.
pub(super) fn read(bytes: &dyn ReadAt, place: &str) -> String {
    String::from_utf8(contents(bytes, place)).unwrap()
}

/// The bytes of a file.
pub(super) fn contents(bytes: &dyn ReadAt, place: &str) -> Vec<u8> {
    let (tree, path) = Tree::of(bytes, Place::parse(place.as_bytes()).unwrap()).unwrap();
    let mut contents = Vec::new();
    let item = tree.find(&path, true).unwrap();
    item.copy(bytes, &mut |piece| {
        contents.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    contents
}

pub(super) const CHANGES: &str = "remove = [\"/gone\", \"/b/d/e\"]\n\
    [[files]]\ntext = \"of the manifest\"\nto = \"/b/c\"\n\
    [[files]]\ntext = \"new\"\nto = \"/b/new\"\n\
    [[files]]\nfrom = \"loader\"\nto = \"/one/two/three\"\n\
    [[files]]\nlink = \"../a\"\nto = \"/one/link\"\n";

#[test]
fn every_index_of_every_layout_says_the_same_afterwards() {
    for layout in LAYOUTS {
        let host = host(layout);
        let before = inspect(&fs::read(host.at("base.iso")).unwrap()).unwrap();
        let (after, bytes, warnings) = changed(&host, CHANGES).unwrap();
        assert_eq!(warnings, [""; 0], "{layout}");
        assert_eq!(after.facts.faults, [""; 0], "{layout}");
        let boots = |image: &Description| -> Vec<String> {
            let cells = image.cells.iter().filter(|cell| cell.boots);
            cells.map(|cell| cell.cell.to_string()).collect()
        };
        assert_eq!(boots(&after), boots(&before), "{layout}");
        assert!(!boots(&after).is_empty(), "{layout}");
        let same = |image: &Description| {
            let facts = &image.facts;
            let guids: Vec<_> = facts.gpt.iter().map(|gpt| gpt.disk_guid.clone()).collect();
            let partitions: Vec<_> = facts
                .partitions
                .iter()
                .map(|partition| (partition.guid.clone(), partition.start))
                .collect();
            (
                facts.volume_id.clone(),
                facts.identifiers.clone(),
                guids,
                partitions,
                facts.el_torito.clone(),
            )
        };
        assert_eq!(same(&after), same(&before), "{layout}");
        for place in ["iso:/", "joliet:/"] {
            let wanted = [
                ("/", "Directory"),
                ("/EFI", "Directory"),
                ("/EFI/BOOT", "Directory"),
                ("/EFI/BOOT/BOOTX64.EFI", "9000 x 2"),
                ("/a", "a"),
                ("/b", "Directory"),
                ("/b/c", "of the manifest"),
                ("/b/d", "Directory"),
                ("/b/d/f", "70000 x 5"),
                ("/b/new", "new"),
                ("/one", "Directory"),
                ("/one/link", "-> ../a"),
                ("/one/two", "Directory"),
                ("/one/two/three", "9000 x 2"),
            ];
            let wanted = wanted
                .iter()
                .filter(|(path, _)| place == "iso:/" || !path.ends_with("link"));
            let wanted: Vec<(String, String)> = wanted
                .map(|(path, content)| ((*path).into(), (*content).into()))
                .collect();
            assert_eq!(listing(&bytes, place), wanted, "{layout} {place}");
        }
        // 7 and 7 and 7: nobody else has such bytes.
        assert!(
            !bytes.windows(100).any(|window| window == [7; 100]),
            "{layout}: what was removed is still there"
        );
        nothing_is_left(&after, &bytes, layout);
    }
}

/// What nothing names any more is zeros: the old content of a file, and the old place of a directory that moved.
pub(super) fn nothing_is_left(after: &Description, bytes: &[u8], case: &str) {
    let unknown: Vec<&Extent> = after
        .facts
        .extents
        .iter()
        .filter(|extent| extent.what == What::Unknown)
        .collect();
    assert!(unknown.is_empty(), "{case}: {unknown:?}");
    let old = b"of the base";
    assert!(!bytes.windows(old.len()).any(|window| window == old), "{case}");
}

#[test]
fn a_directory_that_is_full_moves_with_all_that_names_it() {
    let host = host("universal");
    let mut keys = String::new();
    for number in 0..200 {
        keys += &format!("[[files]]\ntext = \"{number}\"\nto = \"/b/a-file-with-a-long-name-{number:03}.txt\"\n");
    }
    let (after, bytes, warnings) = changed(&host, &keys).unwrap();
    assert_eq!((warnings, after.facts.faults.clone()), (Vec::new(), Vec::new()));
    for place in ["iso:/", "joliet:/"] {
        let found = listing(&bytes, place);
        for number in [0, 99, 199] {
            let path = format!("/b/a-file-with-a-long-name-{number:03}.txt");
            assert!(found.contains(&(path, number.to_string())), "{place} {number}");
        }
        // What is below the directory that moved.
        assert!(found.contains(&("/b/d/e".into(), "deep".into())));
    }
    assert!(after.facts.extents.iter().all(|extent| extent.what != What::Unknown));
    // Again, onto what was made: the directory moves once more.
    host.put("base.iso", &bytes);
    let more: String = (0..200)
        .map(|number| format!("[[files]]\ntext = \"m{number}\"\nto = \"/b/more-{number:03}\"\n"))
        .collect();
    let (after, bytes, _) = changed(&host, &more).unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    assert_eq!(listing(&bytes, "iso:/").len(), 13 + 400 + 1);
}

#[test]
fn nothing_asked_is_nothing_changed() {
    let host = host("universal");
    let (after, bytes, warnings) = changed(&host, "").unwrap();
    assert_eq!(bytes, fs::read(host.at("base.iso")).unwrap());
    let changed = after.planned.changed.unwrap();
    assert_eq!((changed.extents, changed.grows), (Vec::new(), 0));
    assert!(warnings[0].contains("nothing is changed"), "{warnings:?}");
}

/// Other programs keep notes in the field of the descriptor that holds the sum (byte 883 from 0).
#[test]
fn an_implanted_sum_that_replaces_something_says_so() {
    let host = host("universal");
    let keys = "[iso]\nimplant_md5 = true\n";
    let (.., warnings) = changed(&host, keys).unwrap();
    assert_eq!(warnings, [""; 0]);
    let mut base = fs::read(host.at("base.iso")).unwrap();
    base[32_768 + 883..][..4].copy_from_slice(b"note");
    host.put("base.iso", &base);
    let (.., warnings) = changed(&host, keys).unwrap();
    assert!(warnings[0].contains("replaces other data"), "{warnings:?}");
}

#[test]
fn what_cannot_be_changed_is_said() {
    let host = host("universal");
    for (keys, wanted) in [
        (
            "[[files]]\ntext = \"x\"\nto = \"/b\"\n",
            "/b is a directory in the base",
        ),
        (
            "[[files]]\ntext = \"x\"\nto = \"/a/x\"\n",
            "/a is no directory in the base",
        ),
        (
            "sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
            "SHA-256",
        ),
        ("remove = [\"/b/[\"]\n", "this pattern is wrong"),
        (
            "[[menu]]\nkernel = \"k\"\n",
            "`[[menu]]` beside `[base]` is not supported yet",
        ),
        ("[disk]\nlayout = \"gpt\"\n", "`disk.layout` beside `[base]`"),
    ] {
        let error = changed(&host, keys).unwrap_err();
        assert!(error.contains(wanted), "{keys}: {error}");
    }
    let (.., warnings) = changed(&host, "remove = [\"/none/**\"]\n").unwrap();
    assert!(warnings[0].contains("matches nothing"), "{warnings:?}");
    // What the boot catalog starts stays, whoever names it.
    let (after, bytes, _) = changed(&host, "remove = [\"/EFI/**\"]\n").unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    let esp = after.facts.esp[0].loaders.len();
    assert_eq!(esp, 1, "{}", bytes.len());
    let base = fs::read(host.at("base.iso")).unwrap();
    host.put("base.iso", &base[..100_000]);
    let error = changed(&host, "remove = [\"/a\"]\n").unwrap_err();
    assert!(error.contains("cut short"), "{error}");
    host.put("base.iso", b"no image");
    assert!(changed(&host, "").unwrap_err().contains("base.iso"));
}
