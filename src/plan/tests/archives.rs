//! Entries of archives as files of the image: what is kept, left out and refused. What the archives themselves may be is tested
//! with their readers.

use tar::{Builder, EntryType, Header};

use super::*;

/// The archive at the root of the image.
const UNPACKED: &str = "[[files]]\nfrom = \"a.tar\"\nunpack = true\nto = \"/\"\n";

/// One entry: its type, its path, and its bytes or where it leads.
type Packed<'a> = (EntryType, &'a str, &'a str);

fn tar_of(entries: &[Packed]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for &(kind, path, content) in entries {
        let bytes = if kind == EntryType::Regular { content } else { "" };
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        if bytes.is_empty() && !content.is_empty() {
            header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o4750);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1_000_000_000);
        if kind == EntryType::Char {
            header.set_device_major(5).unwrap();
            header.set_device_minor(1).unwrap();
        }
        header.set_cksum();
        builder.append(&header, bytes.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn host_with(entries: &[Packed]) -> Host {
    Host::new(&[("a.tar", &tar_of(entries))])
}

/// The image's own paths, with the type of each.
fn tree(host: &Host, manifest: &str) -> Vec<String> {
    let resolved = host.resolve(manifest).unwrap_or_else(|error| panic!("{error}"));
    let nodes = IsoTree::of(&resolved.contents.tree).tree.nodes;
    let named = nodes.iter().filter(|node| !node.name.is_empty());
    let mut shown: Vec<String> = named
        .map(|node| {
            format!(
                "{} {:o} {} {} {}",
                crate::ground::text::visible(&node.name),
                node.posix.mode,
                node.posix.uid,
                node.posix.gid,
                node.posix.links
            )
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn a_tree_gives_the_same_image_packed_or_not() {
    let host = Host::new(&[("tree/b/c", b"c"), ("tree/empty", b""), ("tree/a", &[9; 70_000])]);
    fs::create_dir(host.0.path().join("tree/nothing in it")).unwrap();
    std::os::unix::fs::symlink("b/c", host.0.path().join("tree/link")).unwrap();
    let mut packed = Builder::new(Vec::new());
    packed.follow_symlinks(false);
    packed.append_dir_all(".", host.0.path().join("tree")).unwrap();
    host.put("a.tar", &packed.into_inner().unwrap());
    for preserved in ["", "preserve = [\"mode\", \"owner\", \"mtime\"]\n"] {
        let (_, wanted) = host.build(&format!(
            "volume_id = \"V\"\n[[files]]\nfrom = \"tree\"\nto = \"/x\"\n{preserved}"
        ));
        let manifest = UNPACKED.replace("\"/\"", "\"/x\"");
        let (described, image) = host.build(&format!("volume_id = \"V\"\n{manifest}{preserved}"));
        assert!(image == wanted, "{preserved}");
        let source = source(&described, "iso:/x/b/c").unwrap();
        assert!(source.ends_with("a.tar:b/c"), "{source}");
    }
}

#[test]
fn attributes_are_the_archives_where_they_are_preserved() {
    let host = host_with(&[
        (EntryType::Regular, "file", "1"),
        (EntryType::Char, "console", ""),
        (EntryType::Fifo, "pipe", ""),
    ]);
    assert_eq!(tree(&host, UNPACKED), ["file 100755 0 0 1"]);
    let (described, _) = host.build(UNPACKED);
    assert!(
        has(&described.planned.warnings, "left out 2 special files"),
        "{:?}",
        described.planned.warnings
    );
    assert_eq!(
        tree(&host, &format!("{UNPACKED}preserve = [\"mode\", \"owner\"]\n")),
        ["console 24750 7 8 1", "file 104750 7 8 1"]
    );
}

#[test]
fn patterns_leave_entries_out_and_what_is_in_them() {
    let host = host_with(&[
        (EntryType::Regular, "share/doc/a", "1"),
        (EntryType::Directory, "share/doc", ""),
        (EntryType::Regular, "share/doc/deep/b", "2"),
        (EntryType::Regular, "share/c.o", "3"),
        (EntryType::Link, "kept", "share/doc/a"),
    ]);
    let names = tree(
        &host,
        &format!("{UNPACKED}exclude = [\"share/doc\", \"*.o\", \"nowhere\"]\n"),
    );
    assert_eq!(names, ["kept 100755 0 0 1"]);
    let (described, image) = host.build(&format!("{UNPACKED}exclude = [\"share/doc/\", \"nowhere\"]\n"));
    assert_eq!(described.planned.warnings, ["this pattern leaves nothing out"]);
    let kept = extent(&described, "iso:/kept");
    assert_eq!(kept.paths, ["iso:/kept"]);
    assert_eq!(image[kept.offset as usize], b'1');
}

#[test]
fn hard_links_lead_to_a_file_before_them() {
    let first = (EntryType::Regular, "dir/first", "1");
    let second = (EntryType::Link, "second", "dir/first");
    let (described, _) = host_with(&[first, second]).build(UNPACKED);
    assert_eq!(
        extent(&described, "iso:/second").paths,
        ["iso:/dir/first", "iso:/second"]
    );
    let third = (EntryType::Link, "third", "second");
    let (described, _) = host_with(&[first, second, third]).build(UNPACKED);
    assert_eq!(extent(&described, "iso:/third").paths.len(), 3);
    for entries in [
        &[second][..],
        &[second, first],
        &[(EntryType::Directory, "dir/first", ""), second],
    ] {
        let error = host_with(entries).error(UNPACKED);
        assert!(
            error.contains("hard link second is to dir/first, and no file of that name comes before it"),
            "{error}"
        );
        assert!(!error.contains("left out"), "{error}");
    }
}

#[test]
fn nothing_goes_through_a_link_and_nothing_is_there_twice() {
    let link = (EntryType::Symlink, "out", "/etc");
    for (entries, words) in [
        (
            &[link, (EntryType::Regular, "out/passwd", "x")][..],
            "/out is a link that does not lead to a directory of the image",
        ),
        (&[(EntryType::Directory, "x", ""), (EntryType::Regular, "x", "2")], "/x"),
        (
            &[(EntryType::Regular, "x", "2"), (EntryType::Directory, "x", "")],
            "/x is not a directory",
        ),
        (&[(EntryType::Regular, "../x", "2")], "`..` leads out of the archive"),
    ] {
        let error = host_with(entries).error(UNPACKED);
        assert!(error.contains(words), "{error}");
    }
    // A file may have several versions, of which the last is meant.
    let host = host_with(&[(EntryType::Regular, "x", "1"), (EntryType::Regular, "x", "2")]);
    let (described, image) = host.build(UNPACKED);
    assert_eq!(image[extent(&described, "iso:/x").offset as usize], b'2');
    let warning = "\"a.tar\" has \"x\" twice; the last one is taken";
    assert!(
        described.planned.warnings.iter().any(|said| said.contains(warning)),
        "{:?}",
        described.planned.warnings
    );
    // A directory may be named as often as one likes.
    let host = host_with(&[(EntryType::Directory, "x", ""), (EntryType::Directory, "./x/", "")]);
    assert_eq!(tree(&host, UNPACKED).len(), 1);
}

#[test]
fn what_unpack_is_not_for_is_said() {
    let host = Host::new(&[("a.tar", b"no archive at all"), ("tree/a", b"a")]);
    let error = host.error(UNPACKED);
    assert!(error.contains("\"a.tar\" is nothing that can be unpacked"), "{error}");
    let error = host.error(&UNPACKED.replace("a.tar", "tree"));
    assert!(error.contains("`unpack` is for an archive"), "{error}");
    let error = host.error(&UNPACKED.replace("a.tar", "b.tar"));
    assert!(error.contains("\"b.tar\""), "{error}");
    let host = host_with(&[(EntryType::Regular, "x", "1")]);
    let wrong = format!("{UNPACKED}sha256 = \"{}\"\n", "0".repeat(64));
    assert!(host.error(&wrong).contains("SHA-256"));
    let digest = crate::ground::text::hex(&<sha2::Sha256 as sha2::Digest>::digest(tar_of(&[(
        EntryType::Regular,
        "x",
        "1",
    )])));
    host.build(&format!("{UNPACKED}sha256 = \"{digest}\"\n"));
}

#[test]
fn a_file_that_is_compressed_by_itself_is_put_where_a_file_would_be() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, b"a disk").unwrap();
    let host = Host::new(&[("disk.img.gz", &packed.finish().unwrap())]);
    for (to, path) in [("/x", "iso:/x"), ("/x/", "iso:/x/disk.img")] {
        let manifest = format!("[[files]]\nfrom = \"disk.img.gz\"\nunpack = true\nto = {to:?}\n");
        let (described, image) = host.build(&manifest);
        let file = extent(&described, path);
        assert!(image[file.offset as usize..].starts_with(b"a disk\0"));
        assert_eq!((file.length, source(&described, path)), (6, Some("disk.img.gz")));
        let error = host.error(&format!("{manifest}exclude = [\"a\"]\n"));
        assert!(error.contains("the input is a single file"), "{error}");
    }
}

#[test]
fn files_without_bytes_are_no_links_to_each_other() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["one", "other"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    let host = Host::new(&[("a.tar", &zip.finish().unwrap().into_inner())]);
    assert_eq!(tree(&host, UNPACKED), ["one 100644 0 0 1", "other 100644 0 0 1"]);
    let host = host_with(&[(EntryType::Regular, "one", ""), (EntryType::Link, "other", "one")]);
    assert_eq!(tree(&host, UNPACKED), ["one 100755 0 0 2", "other 100755 0 0 2"]);
}

/// A signature stays what it was, with the file that carries it.
#[test]
fn what_was_true_of_an_image_that_is_unpacked_is_not_taken_for_true() {
    let base = host();
    let (_, mut image) = base.build(&format!(
        "[iso]\nsha256sums = \"/SHA256SUMS\"\n[[files]]\nfrom = \"tree\"\nto = \"/\"\n{BOOT}"
    ));
    let md5 = crate::formats::iso9660::MediaMd5 {
        md5: "0".repeat(32),
        fragments: String::new(),
        skipped: 0,
    };
    image[32768 + 883..][..crate::formats::iso9660::FIELD_LENGTH].copy_from_slice(&md5.encode());
    base.put("base.iso", &image);
    let unpacked = "[[files]]\nfrom = \"base.iso\"\nunpack = true\nto = \"/\"\n";
    let warnings = |manifest: &str| base.build(manifest).0.planned.warnings.join("\n");
    let data = warnings(unpacked);
    assert!(data.contains("\"base.iso\" boots, and this image will not"), "{data}");
    assert!(data.contains("\"base.iso\" has its MD5 implanted"), "{data}");
    assert!(!data.contains("no longer true"), "{data}");
    let boot = BOOT.replace("\"loader\"", "\"iso:/EFI/BOOT/BOOTX64.EFI\"");
    let own = format!("[iso]\nimplant_md5 = true\n{unpacked}");
    assert_eq!(warnings(&format!("{own}{boot}")), "");
    let replaced = format!("{own}exclude = [\"/a\", \"/b\"]\n[[files]]\ntext = \"other\"\nto = \"/a\"\n{boot}");
    assert_eq!(
        warnings(&replaced),
        "/SHA256SUMS is no longer true: of what it lists, 2 left out or replaced, /a first"
    );
    let without = replaced.replace("\"/a\", ", "\"/a\", \"/SHA256SUMS\", ");
    assert_eq!(warnings(&without), "");
    // One that an md5sum wrote, in a tar, into a directory.
    let list = format!("{}  ./x\n{}  ./y\nno digest\n", "0".repeat(32), "1".repeat(32));
    let host = host_with(&[
        (EntryType::Regular, ".disk/md5sum.txt", &list),
        (EntryType::Regular, "x", "1"),
    ]);
    let manifest = UNPACKED.replace("\"/\"", "\"/d\"");
    assert_eq!(host.build(&manifest).0.planned.warnings, Vec::<String>::new());
    assert_eq!(
        host.build(&format!("{manifest}exclude = [\"x\"]\n")).0.planned.warnings,
        ["/d/.disk/md5sum.txt is no longer true: of what it lists, 1 left out or replaced, /d/x first"]
    );
}

#[test]
fn a_device_is_in_rock_ridge_and_not_in_udf() {
    let host = host_with(&[(EntryType::Char, "dev/tty", ""), (EntryType::Symlink, "link", "dev")]);
    let (described, _) = host.build(&format!("[iso]\nudf = true\n{UNPACKED}preserve = [\"mode\"]\n"));
    assert_eq!((described.facts.counts.symlinks, described.facts.counts.others), (1, 1));
    for words in [
        "1 device is not in the UDF index, which Windows and 7-Zip read: /dev/tty first",
        "1 symbolic link is not in the UDF index, which Windows and 7-Zip read: /link first",
    ] {
        assert!(
            has(&described.planned.warnings, words),
            "{:?}",
            described.planned.warnings
        );
    }
}
