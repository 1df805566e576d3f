//! Links of the host and equal files: what the image stores once, and where a link leads.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;
use crate::formats::iso9660;

#[test]
fn links_are_stored_as_they_are() {
    let host = host();
    let targets = [
        "nowhere",
        "/absolute",
        "loop",
        &"c".repeat(300),
        &"long/".repeat(100),
        "../a",
        ".",
    ];
    for (number, target) in targets.iter().enumerate() {
        symlink(target, host.at("tree").join(format!("link{number}"))).unwrap();
    }
    symlink("loop", host.at("tree/loop")).unwrap();
    let (described, bytes) = host.build(TREE);
    assert_eq!(described.facts.counts.symlinks, 8);
    let volume = iso9660::read_descriptors(&bytes).unwrap();
    let iso9660::Descriptor::Volume(primary) = &volume[0].1 else {
        panic!("{volume:?}")
    };
    let walk = iso9660::walk(&bytes, primary).unwrap();
    for (number, target) in targets.iter().enumerate() {
        let path = format!("/link{number}").into_bytes();
        let entry = walk.entries.iter().find(|entry| entry.path == path).unwrap();
        assert_eq!(entry.kind, iso9660::EntryKind::Symlink(target.as_bytes().to_vec()));
    }
}

#[test]
fn links_share_an_extent_and_special_files_are_told_and_not_opened() {
    let host = host();
    fs::hard_link(host.at("tree/a"), host.at("tree/hard")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(host.at("tree/fifo"))
            .status()
            .unwrap()
            .success()
    );
    let _socket = UnixListener::bind(host.at("tree/socket")).unwrap();
    let kept = &format!("{TREE}preserve = [\"hardlinks\"]\n");
    let resolved = host.resolve(kept).unwrap();
    let posix = |name: &[u8]| {
        let iso = IsoTree::of(&resolved.contents.tree);
        let node = iso.tree.nodes.iter().find(|node| *node.name == *name).unwrap();
        (node.posix.serial, node.posix.links)
    };
    assert_eq!(posix(b"a"), posix(b"hard"));
    assert_eq!((posix(b"a").1, posix(b"c").1), (2, 1));
    assert_ne!(posix(b"a").0, posix(b"c").0);
    let (described, _) = host.build(kept);
    assert_eq!(extent(&described, "iso:/a").paths, ["iso:/a", "iso:/hard"]);
    // Links are no input otherwise.
    let (described, linked) = host.build(TREE);
    assert_eq!(extent(&described, "iso:/a").paths, ["iso:/a"]);
    fs::remove_file(host.at("tree/hard")).unwrap();
    fs::copy(host.at("tree/a"), host.at("tree/hard")).unwrap();
    assert!(host.build(TREE).1 == linked);
    assert!(
        has(&described.planned.warnings, "left out 2 special files")
            && has(&described.planned.warnings, "tree/fifo first")
    );
}

/// From 64 KiB on the content alone decides.
#[test]
fn equal_files_are_stored_once_if_they_are_large() {
    let host = host();
    let large: Vec<u8> = (0..70_000u32).map(|number| number as u8).collect();
    let mut other = large.clone();
    other[69_999] ^= 1;
    for (name, bytes) in [
        ("l1", &large[..]),
        ("l2", &large),
        ("l3", &other),
        ("s1", &large[..65_535]),
        ("s2", &large[..65_535]),
    ] {
        host.put(&format!("tree/{name}"), bytes);
    }
    let (described, image) = host.build(TREE);
    assert_eq!(extent(&described, "iso:/l1").paths, ["iso:/l1", "iso:/l2"]);
    for alone in ["l3", "s1", "s2"] {
        let path = format!("iso:/{alone}");
        assert_eq!(extent(&described, &path).paths, [path.as_str()]);
    }
    // They are two files that share their bytes. They are not links.
    let volume = iso9660::read_descriptors(&image).unwrap();
    let primary = volume.iter().find_map(|(_, descriptor)| match descriptor {
        iso9660::Descriptor::Volume(volume) => Some(volume),
        _ => None,
    });
    let walk = iso9660::walk(&image, primary.unwrap()).unwrap();
    let posix = |path: &[u8]| {
        walk.entries
            .iter()
            .find(|entry| entry.path == path)
            .unwrap()
            .posix
            .unwrap()
    };
    assert_eq!((posix(b"/l1").links, posix(b"/l2").links), (1, 1));
    assert_ne!(posix(b"/l1").serial, posix(b"/l2").serial);
}

#[test]
fn a_link_to_a_directory_is_gone_through_inside_the_image() {
    let host = host();
    host.put("root/usr/lib/x", b"x");
    host.put("over/lib/firmware/fw.bin", b"fw");
    let link = |target: &str| {
        let _ = fs::remove_file(host.at("root/lib"));
        std::os::unix::fs::symlink(target, host.at("root/lib")).unwrap();
    };
    let both = "[[files]]\nfrom = \"root\"\nto = \"/\"\n[[files]]\nfrom = \"over\"\nto = \"/\"\n";
    for target in ["usr/lib", "/usr/lib", "./usr/../usr/lib/"] {
        link(target);
        let (described, _) = host.build(both);
        assert_eq!(extent(&described, "iso:/usr/lib/firmware/fw.bin").length, 2, "{target}");
        assert_eq!(described.facts.counts.symlinks, 1);
    }
    // To a file, to nothing, and in a circle.
    for target in ["usr/lib/x", "/nowhere", "lib"] {
        link(target);
        let error = host.error(both);
        assert!(
            error.contains("/lib is a link that does not lead to a directory"),
            "{target}: {error}"
        );
    }
}

/// Build sandboxes, such as Bazel's, put links in place of inputs.
#[test]
fn links_of_a_build_sandbox_are_not_taken_silently() {
    let host = host();
    host.put("store/pkg/etc/motd", b"hello");
    fs::create_dir_all(host.at("sandbox/etc")).unwrap();
    std::os::unix::fs::symlink(host.at("store/pkg/etc/motd"), host.at("sandbox/etc/motd")).unwrap();
    std::os::unix::fs::symlink("/bin/true", host.at("sandbox/true")).unwrap();
    let manifest = |follow: &str| format!("[[files]]\nfrom = \"sandbox\"\nto = \"/\"\n{follow}");
    let error = host.error(&manifest(""));
    assert!(
        error.contains("as build sandboxes make them") && error.contains("`follow = true`"),
        "{error}"
    );
    let (described, image) = host.build(&manifest("follow = true\n"));
    assert!(image[extent(&described, "iso:/etc/motd").offset as usize..].starts_with(b"hello"));
    let (described, _) = host.build(&manifest("follow = false\n"));
    assert_eq!((described.facts.counts.files, described.facts.counts.symlinks), (0, 2));
}

#[test]
fn targets_that_not_every_reader_takes_are_counted() {
    let host = host();
    symlink("t".repeat(1024), host.at("tree/short")).unwrap();
    assert!(host.warnings(&format!("[iso]\njoliet = false\n{TREE}")).is_empty());
    symlink("t".repeat(1025), host.at("tree/long")).unwrap();
    let warnings = host.warnings(&format!("[iso]\njoliet = false\n{TREE}"));
    assert!(
        warnings.len() == 1 && has(&warnings, "more than 1024 bytes"),
        "{warnings:?}"
    );
    // Joliet has no links at all.
    let warnings = host.warnings(TREE);
    assert!(
        has(&warnings, "2 links or devices are in the Rock Ridge tree alone"),
        "{warnings:?}"
    );
}

/// The tree shows the ESP's files too, unless another file has the path. Then that file is shown, and the others still are.
#[test]
fn a_file_in_the_way_of_the_esps_stays_and_the_others_are_shown() {
    let host = host();
    let files = "[boot.uefi.files]\n\"/EFI/a\" = \"tree/a\"\n\"/EFI/z\" = \"tree/b/c\"\n\
                 [[files]]\ntext = \"mine\"\nto = \"/EFI/a\"\n";
    let (described, image) = host.build(files);
    assert!(has(
        &described.planned.warnings,
        "/EFI/a of [[files]] stays in the ISO tree; the ESP holds another"
    ));
    assert!(image[extent(&described, "iso:/EFI/a").offset as usize..].starts_with(b"mine"));
    assert!(image[extent(&described, "iso:/EFI/z").offset as usize..].starts_with(b"c"));
}
