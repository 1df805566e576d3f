//! UDF over the same extents. That `inspect` reads back what the plan says is asserted at each build.

use std::os::unix::fs::symlink;

use super::*;
use crate::facts::FileSystem;
use crate::formats::udf::{self, Kind};
use crate::ground::read_at::ReadAt;

pub(super) const UDF: &str = "[iso]\nudf = true\n";
const STUB: &str = "[iso]\niso9660 = \"stub\"\n";

fn read(bytes: &dyn ReadAt) -> udf::Volume {
    let volume = udf::read(bytes, bytes.size()).unwrap().unwrap();
    assert_eq!((volume.notes.as_slice(), volume.left_out), (&[][..], 0));
    volume
}

fn entry<'v>(volume: &'v udf::Volume, path: &str) -> &'v udf::UdfEntry {
    let found = volume.entries.iter().find(|entry| entry.path == path.as_bytes());
    found.unwrap_or_else(|| panic!("no entry is {path}"))
}

pub(super) fn block_of(described: &Description, what: What) -> Vec<u64> {
    let extents = described.facts.extents.iter().filter(|extent| extent.what == what);
    extents.map(|extent| extent.offset / 2048).collect()
}

#[test]
fn a_bridge_has_its_structures_where_every_reader_looks() {
    for layout in ["universal", "gpt", "mbr", "isohybrid", "none", "multi-sector"] {
        let host = host();
        host.put("tree/large", &[3; 100_000]);
        let (described, bytes) = host.build(&format!("{UDF}{TREE}{BOOT}[disk]\nlayout = \"{layout}\"\n"));
        let last = bytes.len() as u64 / 2048 - 1;
        // PVD, boot record, Joliet, terminator, and no gap.
        assert_eq!(block_of(&described, What::Terminator), [19], "{layout}");
        assert_eq!(block_of(&described, What::UdfRecognition), [20], "{layout}");
        assert_eq!(block_of(&described, What::UdfVolumeDescriptors), [32, 48], "{layout}");
        assert_eq!(block_of(&described, What::UdfIntegrity), [64], "{layout}");
        assert_eq!(block_of(&described, What::PathTableL), [66], "{layout}");
        assert_eq!(block_of(&described, What::UdfAnchor), [256, last - 256], "{layout}");
        assert_eq!(block_of(&described, What::UdfFileSet), [257], "{layout}");
        assert_eq!(block_of(&described, What::UdfFileEntry), [259], "{layout}");
        let behind = described
            .facts
            .extents
            .iter()
            .filter(|extent| extent.offset / 2048 > last - 256);
        assert!(
            behind
                .clone()
                .all(|extent| matches!(extent.what, What::BackupGptEntries | What::BackupGptHeader)),
            "{layout}: {behind:?}",
            behind = behind.collect::<Vec<_>>()
        );
        for extent in described
            .facts
            .extents
            .iter()
            .filter(|extent| extent.what == What::File)
        {
            assert!(extent.offset / 2048 >= 257, "{layout}: {extent:?}");
        }
        let volume = read(&bytes);
        for path in ["/", "/a", "/b", "/b/c", "/EFI/BOOT/BOOTX64.EFI"] {
            entry(&volume, path);
        }
        // One copy: the content is where ISO 9660 has it.
        let large = &entry(&volume, "/large").extents;
        assert_eq!(large, &[(Some(extent(&described, "iso:/large").offset), 100_000)]);
        assert_eq!(described.facts.faults, [""; 0], "{layout}");
    }
}

#[test]
fn what_iso_9660_needs_more_goes_behind_the_file_set() {
    let host = Host::new(&[]);
    for number in 0..6000 {
        host.put(&format!("tree/{}/file-number-{number}.text", number / 1000), b"x");
    }
    let (described, bytes) = host.build(&format!("{UDF}{TREE}"));
    let directories = block_of(&described, What::Directory);
    assert!(directories.iter().any(|&block| block < 256) && directories.iter().any(|&block| block > 258));
    assert_eq!(read(&bytes).entries.len(), 1 + 6 + 6000);
    // More than one piece of file entries, one extent.
    assert_eq!(block_of(&described, What::UdfFileEntry).len(), 1);
    let entries = described
        .facts
        .extents
        .iter()
        .find(|extent| extent.what == What::UdfFileEntry);
    assert_eq!(entries.unwrap().length, 6007 * 2048);
}

#[test]
fn a_stub_leaves_the_tree_to_udf() {
    let host = host();
    let (described, bytes) = host.build(&format!("{STUB}{TREE}"));
    assert_eq!(described.facts.filesystems, [FileSystem::Iso9660, FileSystem::Udf]);
    assert_eq!(
        (described.facts.counts.files, described.facts.counts.directories),
        (2, 2)
    );
    assert_eq!(extent(&described, "udf:/b/c").length, 1);
    assert_eq!(source(&described, "iso:/README.TXT"), Some("iso.iso9660"));
    let readme = extent(&described, "iso:/README.TXT");
    let text = &bytes[readme.offset as usize..][..readme.length as usize];
    assert!(text.starts_with(b"The files of this volume are in its UDF file system,"));
    assert_eq!(read(&bytes).entries.len(), 4);
    // That ISO 9660 has another file than UDF is no news then.
    assert_eq!(inspect(&bytes).unwrap().found.remarks, [""; 0]);
    assert_eq!(described.planned.warnings, [""; 0]);
    // With boot images, and with a list of digests.
    let list = "[iso]\niso9660 = \"stub\"\nsha256sums = \"/SHA256SUMS\"\n";
    for layout in ["universal", "none"] {
        let (described, _) = host.build(&format!("{list}{TREE}{BOOT}[disk]\nlayout = \"{layout}\"\n"));
        // /a, /b/c, the loader and the list.
        assert_eq!(described.facts.counts.files, 4, "{layout}");
    }
}

#[test]
fn a_stub_is_one_whatever_udf_has() {
    let host = host();
    // A README of the tree is another file than that of ISO 9660.
    for files in ["", "[[files]]\ntext = \"mine\"\nto = \"/README.TXT\"\n"] {
        let (described, bytes) = host.build(&format!("{STUB}{files}"));
        assert_eq!(described.facts.counts.files, files.matches("to =").count() as u64);
        assert_eq!(inspect(&bytes).unwrap().found.remarks, [""; 0]);
        assert_eq!(described.facts.faults, [""; 0]);
    }
}

#[test]
fn what_contradicts_a_stub_is_refused_by_key() {
    let host = host();
    for (keys, words) in [
        ("udf = false", "`udf` must be true"),
        ("rock_ridge = true", "`rock_ridge` must be false"),
        ("joliet = true", "`joliet` must be false"),
    ] {
        let error = host.error(&format!("{STUB}{keys}\n{TREE}"));
        assert!(error.contains(words), "{error}");
        // The other way round it is what it says anyway.
        let same = match keys.ends_with("true") {
            true => keys.replace("true", "false"),
            false => keys.replace("false", "true"),
        };
        host.build(&format!("{STUB}{same}\n{TREE}"));
    }
    let error = host.error(&format!("{STUB}[[menu]]\naction = \"reboot\"\n"));
    assert!(error.contains("a stub has no files for it"), "{error}");
}

#[test]
fn hard_links_are_one_file_entry() {
    let host = host();
    fs::hard_link(host.at("tree/a"), host.at("tree/b/hard")).unwrap();
    let (_, bytes) = host.build(&format!("{UDF}{TREE}preserve = [\"hardlinks\"]\n"));
    let volume = read(&bytes);
    let (one, other) = (entry(&volume, "/a"), entry(&volume, "/b/hard"));
    assert_eq!((one.attributes, &one.extents), (other.attributes, &other.extents));
    assert_eq!(one.attributes.links, 2);
    // The root, /b, and one file with the two names, and /b/c.
    let entries = volume
        .structures
        .iter()
        .filter(|structure| structure.what == udf::What::FileEntry);
    assert_eq!(entries.count(), 4);
    assert_eq!(entry(&volume, "/").attributes.links, 2);
    assert_eq!(entry(&volume, "/b").attributes.links, 1);
}

#[test]
fn a_file_that_no_file_entry_describes_is_refused() {
    let host = host();
    let large = fs::File::create(host.at("tree/large")).unwrap();
    // 234 extents of a gibibyte less a block.
    large.set_len(234 * ((1 << 30) - 2048) + 1).unwrap();
    let error = host.error(&format!("{UDF}{TREE}"));
    assert!(
        error.starts_with(
            "/large: it has 251255107585 bytes, and a file entry of UDF in one block describes 251255107584"
        ),
        "{error}"
    );
    // ISO 9660 holds it.
    host.resolve(TREE)
        .map(|resolved| plan(resolved.contents))
        .unwrap()
        .unwrap();
}

#[test]
fn links_and_devices_are_left_out_and_counted() {
    let host = host();
    symlink("a", host.at("tree/link")).unwrap();
    symlink("b", host.at("tree/b/link")).unwrap();
    let joliet = "2 links or devices are in the Rock Ridge tree alone";
    let udf = "2 symbolic links are not in the UDF index, which Windows and 7-Zip read: /b/link first";
    let (described, bytes) = host.build(&format!("{UDF}{TREE}"));
    assert!(
        has(&described.planned.warnings, joliet),
        "{:?}",
        described.planned.warnings
    );
    assert!(
        has(&described.planned.warnings, udf),
        "{:?}",
        described.planned.warnings
    );
    assert_eq!(described.facts.counts.symlinks, 2);
    let volume = read(&bytes);
    assert!(
        volume
            .entries
            .iter()
            .all(|entry| matches!(entry.kind, Kind::Directory | Kind::File))
    );
    // Nobody has them then, and it is said once.
    let (described, _) = host.build(&format!("{STUB}{TREE}"));
    assert_eq!(
        described.planned.warnings,
        ["2 symbolic links are left out: only Rock Ridge can hold them; /b/link first"]
    );
    assert_eq!(described.facts.counts.symlinks, 0);
}

#[test]
fn names_are_mapped_as_windows_shows_them() {
    let host = Host::new(&[]);
    for name in ["a:b", "a_b", "dot.", "grün €", "x?", "Readme", "README"] {
        host.put(&format!("tree/{name}"), name.as_bytes());
    }
    let (described, bytes) = host.build(&format!("{UDF}rock_ridge = false\njoliet = false\n{TREE}"));
    let mapped = described.planned.name_map.iter();
    let mapped: Vec<_> = mapped
        .filter(|mapped| mapped.index == FileSystem::Udf)
        .map(|mapped| (mapped.path.as_str(), mapped.name.as_str()))
        .collect();
    assert_eq!(mapped, [("/a:b", "a_b_1"), ("/dot.", "dot_"), ("/x?", "x_")]);
    assert!(has(
        &described.planned.warnings,
        "3 names are not possible in a UDF index and mapped to others"
    ));
    assert!(has(
        &described.planned.warnings,
        "1 UDF name differs only in case from another, /README and /Readme first"
    ));
    let volume = read(&bytes);
    for name in ["/a_b_1", "/a_b", "/dot_", "/grün €", "/x_"] {
        entry(&volume, name);
        assert_eq!(extent(&described, &format!("udf:{name}")).paths.len(), 1);
    }
}

#[test]
fn a_volume_with_other_bytes_is_another_volume() {
    let unique = |content: &[u8], keys: &str| {
        let host = Host::new(&[("tree/a", content)]);
        let (_, bytes) = host.build(&format!("{keys}{TREE}"));
        bytes[32 * 2048 + 72..][..17].to_vec()
    };
    let one = unique(b"one", UDF);
    assert!(one[0] == 8 && one[1..].iter().all(u8::is_ascii_hexdigit));
    assert_eq!(one, unique(b"one", UDF));
    assert_ne!(one, unique(b"two", UDF));
    assert_ne!(one, unique(b"one", STUB));
}

#[test]
fn attributes_are_those_of_the_tree() {
    let host = host();
    let (_, bytes) = host.build(&format!(
        "{UDF}timestamp = 2026-11-29T10:11:12Z\n[[files]]\nfrom = \"tree/a\"\nto = \"/a\"\nmode = 0o4751\nuid = 70000\ngid = 5\n"
    ));
    let found = entry(&read(&bytes), "/a").attributes;
    assert_eq!(
        (found.mode, found.uid, found.gid, found.links),
        (0o104_751, Some(70_000), Some(5), 1)
    );
    assert_eq!(found.modified.to_string(), "2026-11-29T10:11:12Z");
}

#[test]
fn dates_that_iso_9660_cannot_hold_are_no_matter_for_a_stub() {
    let host = host();
    let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(7_258_118_400);
    fs::File::open(host.at("tree/a")).unwrap().set_modified(date).unwrap();
    let kept = format!("{TREE}preserve = [\"mtime\"]\n");
    let (described, bytes) = host.build(&format!("{STUB}{kept}"));
    assert_eq!(described.planned.warnings, [""; 0]);
    assert_eq!(
        entry(&read(&bytes), "/a").attributes.modified.to_string(),
        "2200-01-01T00:00:00Z"
    );
    let (described, bytes) = host.build(&format!("{UDF}{kept}"));
    assert!(has(&described.planned.warnings, "1 date outside of 1900 to 2155"));
    assert_eq!(
        entry(&read(&bytes), "/a").attributes.modified.to_string(),
        "2200-01-01T00:00:00Z"
    );
}

#[test]
fn linux_in_the_menu_is_warned_of() {
    let message = "Linux mounts a medium with UDF as UDF unless it is told the type";
    let warnings = |iso: &str| {
        let resolved = crate::manifest::parse(Path::new("m.toml"), &format!("{iso}[[menu]]\nkernel = \"vmlinuz\"\n"));
        resolved.unwrap().warnings
    };
    let found = warnings(UDF);
    assert!(
        found.iter().any(|warning| warning.message.contains(message)),
        "{found:?}"
    );
    assert!(warnings("[iso]\nudf = false\n").is_empty());
}

#[test]
fn the_label_is_cut_where_udf_has_less_room() {
    let host = host();
    let label = "A_VOLUME_OF_32_BYTES_IS_LONGEST_";
    let (described, bytes) = host.build(&format!("volume_id = \"{label}\"\n{UDF}joliet = false\n{TREE}"));
    assert_eq!(
        described.planned.warnings,
        [
            "volume_id is cut to \"A_VOLUME_OF_32_BYTES_IS_LONGES\" in two descriptors of UDF; where readers look for it, it is whole"
        ]
    );
    assert_eq!(read(&bytes).label, label);
}
