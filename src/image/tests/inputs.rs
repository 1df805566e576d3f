//! Inputs as some hosts have them, and manifests that name them: what goes into the image, what is warned of and what is refused.
//!
//! The names begin with the row of the list of bad inputs: `m` a manifest, `t` a tree, `f` a limit of a format.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;
use crate::iso9660;

/// The tree directory at the root of the image.
const TREE: &str = "[[files]]\nfrom = \"tree\"\nto = \"/\"\n";

impl Host {
    pub(super) fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// The warnings of a manifest's image, on one line each.
    fn warnings(&self, manifest: &str) -> Vec<String> {
        self.build(manifest).0.warnings
    }
}

#[test]
fn m4_two_entries_for_one_path_show_both_places() {
    let twice = "[[files]]\ntext = \"1\"\nto = \"/x\"\n[[files]]\ntext = \"2\"\nto = \"//./x\"\n";
    let error = host().error(twice);
    for words in [
        "/x is put into the image twice",
        "manifest.toml:6:6",
        "first put here",
        "3 |",
    ] {
        assert!(error.contains(words), "{error}");
    }
    let below = "[[files]]\ntext = \"1\"\nto = \"/x\"\n[[files]]\ntext = \"2\"\nto = \"/x/y\"\n";
    assert!(host().error(below).contains("/x is not a directory"));
}

#[test]
fn m7_joliets_copy_of_an_identifier_is_cut_and_told() {
    let host = host();
    let long = "volume_id = \"A_VOLUME_OF_20_BYTES\"\n";
    let (facts, bytes) = host.build(&format!("{long}{TREE}"));
    assert!(has(
        &facts.warnings,
        "the Joliet copy of volume_id holds 16 characters and is cut to \"A_VOLUME_OF_20_B\""
    ));
    assert!(bytes[32768 + 40..].starts_with(b"A_VOLUME_OF_20_BYTES "));
    assert!(
        host.warnings(&format!("{long}[iso]\njoliet = false\n{TREE}"))
            .is_empty()
    );
}

#[test]
fn m9_sources_may_be_anywhere() {
    let elsewhere = Host::new(&[("f", b"elsewhere")]);
    let host = Host::new(&[("base/x", b"x")]);
    symlink(elsewhere.at("f"), host.at("link")).unwrap();
    let absolute = elsewhere.at("f").display().to_string();
    for from in [absolute.as_str(), "link", "base/../link"] {
        let (facts, _) = host.build(&format!("[[files]]\nfrom = {from:?}\nto = \"/f\"\n"));
        let file = extent(&facts, "iso:/f");
        assert_eq!((file.length, file.source.as_deref().is_some()), (9, true));
        assert!(
            file.source
                .as_deref()
                .unwrap()
                .ends_with(from.rsplit('/').next().unwrap()),
            "{:?}",
            file.source
        );
    }
}

#[test]
fn m10_patterns_without_a_match_are_told_and_the_output_is_no_input() {
    let host = host();
    let warnings = host.warnings(&format!("{TREE}exclude = [\"*.o\", \"a\"]\n"));
    assert_eq!(warnings, ["this pattern leaves nothing out"]);
    host.put("tree/out.iso", b"an older image");
    let path = host.at("manifest.toml");
    let inside = |output: &str| {
        let document = parse(&path, TREE).unwrap();
        let output = Some(host.at(output));
        resolve(
            &document,
            &Environment {
                source_date_epoch: None,
                output,
            },
        )
        .unwrap_err()
        .to_string()
    };
    assert!(inside("tree/new/x.iso").contains("would be written into its own input"));
    assert!(inside("tree/out.iso").contains("would be written into its own input"));
}

#[test]
fn t1_names_that_are_not_utf_8_keep_their_bytes_in_rock_ridge() {
    let host = host();
    fs::write(host.at("tree").join(OsStr::from_bytes(b"latin \xfc")), "u").unwrap();
    let (facts, bytes) = host.build(TREE);
    assert!(
        has(&facts.warnings, "1 name is not possible in a Joliet index"),
        "{:?}",
        facts.warnings
    );
    let mapped = facts.name_map.iter().find(|mapped| mapped.index == "joliet").unwrap();
    assert_eq!(
        (mapped.path.as_str(), mapped.name.as_str()),
        ("/latin \\xfc", "latin _")
    );
    assert!(bytes.windows(7).any(|window| window == b"latin \xfc"));
}

#[test]
fn t2_names_and_trees_at_their_limits_read_back() {
    let host = host();
    host.put(&format!("tree/{}", "n".repeat(255)), b"long");
    let mut deep = host.at("tree");
    for level in 0..200 {
        deep.push(format!("level{level}"));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "deep").unwrap();
    let (facts, _) = host.build(TREE);
    assert!(has(
        &facts.warnings,
        "1 name has 254 bytes or more, and Linux does not show such a name"
    ));
    assert!(has(&facts.warnings, "more than 8 levels deep"));
    let path = (0..200).fold("iso:".to_owned(), |path, level| format!("{path}/level{level}")) + "/file";
    assert!(path.len() > 1023 && extent(&facts, &path).length == 4);
}

#[test]
fn t3_names_that_an_index_cannot_tell_apart_are_numbered() {
    let host = host();
    for name in ["Same", "same", "u\u{308}", "ü", "a+b", "a=b"] {
        host.put(&format!("tree/{name}"), name.as_bytes());
    }
    let (facts, _) = host.build(TREE);
    assert!(has(
        &facts.warnings,
        "1 Joliet name differs only in case from another, /Same and /same first"
    ));
    let plain = host
        .build(&format!("[iso]\nrock_ridge = false\njoliet = false\n{TREE}"))
        .0;
    let names: Vec<&str> = plain.name_map.iter().map(|mapped| mapped.name.as_str()).collect();
    assert!(
        names.contains(&"A_B") && names.contains(&"A_B_1") && names.contains(&"SAME_1"),
        "{names:?}"
    );
    let esp = "[boot.uefi.files]\n\"/EFI/x\" = \"loader\"\n\"/efi/X\" = \"loader\"\n";
    assert!(host.error(esp).contains("/EFI and /efi are the same name to FAT"));
}

#[test]
fn t4_t5_joliet_maps_what_it_cannot_hold_and_has_no_half_characters() {
    let host = host();
    for name in ["esc\u{1b}[2J", "tab\t", "line\nbreak", "f;1", "star*?:<|>", "\u{1f600}"] {
        host.put(&format!("tree/{name}"), b"x");
    }
    let (facts, bytes) = host.build(TREE);
    let mapped: Vec<&str> = facts.name_map.iter().map(|mapped| mapped.name.as_str()).collect();
    for name in ["esc_[2J", "tab_", "line_break", "f_1", "star__\u{5f}<|>", "_"] {
        assert!(mapped.contains(&name), "{name} {mapped:?}");
    }
    let surrogate = bytes.windows(4).any(|four| four == [0xd8, 0x3d, 0xde, 0x00]);
    assert!(!surrogate, "half of a pair is no character of UCS-2");
}

#[test]
fn t6_links_are_stored_as_they_are() {
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
    let (facts, bytes) = host.build(TREE);
    assert_eq!(facts.counts.symlinks, 8);
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
fn t7_links_share_an_extent_and_special_files_are_told_and_not_opened() {
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
    let iso = IsoTree::of(&resolved);
    let posix = |name: &[u8]| {
        let node = iso.tree.nodes.iter().find(|node| *node.name == *name).unwrap();
        (node.posix.serial, node.posix.links)
    };
    assert_eq!(posix(b"a"), posix(b"hard"));
    assert_eq!((posix(b"a").1, posix(b"c").1), (2, 1));
    assert_ne!(posix(b"a").0, posix(b"c").0);
    let (facts, _) = host.build(kept);
    assert_eq!(extent(&facts, "iso:/a").paths, ["iso:/a", "iso:/hard"]);
    // Links are no input otherwise.
    let (facts, linked) = host.build(TREE);
    assert_eq!(extent(&facts, "iso:/a").paths, ["iso:/a"]);
    fs::remove_file(host.at("tree/hard")).unwrap();
    fs::copy(host.at("tree/a"), host.at("tree/hard")).unwrap();
    assert!(host.build(TREE).1 == linked);
    assert!(has(&facts.warnings, "left out 2 special files") && has(&facts.warnings, "tree/fifo first"));
}

/// By content alone, from 64 KiB on.
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
    let (facts, image) = host.build(TREE);
    assert_eq!(extent(&facts, "iso:/l1").paths, ["iso:/l1", "iso:/l2"]);
    for alone in ["l3", "s1", "s2"] {
        let path = format!("iso:/{alone}");
        assert_eq!(extent(&facts, &path).paths, [path.as_str()]);
    }
    // They are two files that share their bytes, and not links.
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
fn the_same_file_from_two_sources_is_one_and_another_needs_a_word() {
    let host = host();
    for directory in ["one", "two"] {
        host.put(&format!("{directory}/same"), b"same");
        std::os::unix::fs::symlink("same", host.at(&format!("{directory}/link"))).unwrap();
    }
    let both = "[[files]]\nfrom = \"one\"\nto = \"/\"\n[[files]]\nfrom = \"two\"\nto = \"iso:/\"\n";
    let (facts, _) = host.build(both);
    assert_eq!((facts.counts.files, facts.counts.symlinks), (1, 1));
    host.put("two/same", b"else");
    let error = host.error(both);
    assert!(error.contains("/same is put into the image twice"), "{error}");
    assert!(
        error.contains("`exclude`") && error.contains("`replace = true`"),
        "{error}"
    );
    let (facts, image) = host.build(&format!("{both}replace = true\n"));
    assert!(image[extent(&facts, "iso:/same").offset as usize..].starts_with(b"else"));
    // The mode counts as the bytes do.
    host.put("two/same", b"same");
    fs::set_permissions(host.at("two/same"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(host.error(both).contains("/same is put into the image twice"));
    host.build(&format!("{both}ignore_mode = true\n"));
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
        let (facts, _) = host.build(both);
        assert_eq!(extent(&facts, "iso:/usr/lib/firmware/fw.bin").length, 2, "{target}");
        assert_eq!(facts.counts.symlinks, 1);
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

/// The kernel makes these up while they are read, and says 0 bytes or a page of them. A file that is one hole says what is so.
#[test]
fn a_file_whose_length_says_nothing_is_refused() {
    let host = host();
    let manifest = |from: &str| format!("[[files]]\nfrom = {from:?}\nto = \"/\"\n");
    for (from, says) in [
        ("/proc/version", "0 bytes"),
        ("/sys/kernel/uevent_seqnum", "4096 bytes"),
    ] {
        let error = host.error(&manifest(from));
        assert!(
            error.contains(&format!("is said to hold {says} and gives another number")),
            "{error}"
        );
    }
    fs::File::create(host.at("hole")).unwrap().set_len(5000).unwrap();
    host.put("nothing", b"");
    let both = manifest("hole") + &manifest("nothing");
    let (facts, _) = host.build(&both);
    assert_eq!(extent(&facts, "iso:/hole").length, 5000);
}

#[test]
fn attributes_that_no_image_holds_are_told_where_all_is_to_be_kept() {
    let host = host();
    let set = |name: &str, attribute: &str, value: &[u8]| {
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(host.at(name), attribute, value, none).map_err(|error| format!("{attribute}: {error}"))
    };
    // The second revision of linux/posix_acl_xattr.h: a tag, rights and a number each of the owner, user 1, the group, the mask and others.
    let mut list = vec![2, 0, 0, 0];
    for (tag, id) in [(1, u32::MAX), (2, 1), (4, u32::MAX), (0x10, u32::MAX), (0x20, u32::MAX)] {
        list.extend([tag, 0, 4, 0]);
        list.extend(id.to_le_bytes());
    }
    // The second revision of linux/capability.h: CAP_NET_RAW, permitted and effective.
    let mut capability = [0; 20];
    capability[..8].copy_from_slice(&[1, 0, 0, 2, 0, 0x20, 0, 0]);
    host.put("tree/ping", b"");
    host.put("tree/noted", b"");
    set("tree/noted", "system.posix_acl_access", &list).unwrap();
    match rustix::process::geteuid().is_root() {
        true => set("tree/ping", "security.capability", &capability).unwrap(),
        // Only root may give a capability.
        false => set("tree/ping", "system.posix_acl_access", &list).unwrap(),
    }
    assert!(host.warnings(TREE).is_empty());
    let warnings = host.warnings(&format!("{TREE}preserve = [\"mode\"]\n"));
    let words =
        "does not hold the extended attributes of 2 files (capabilities, access control lists or a user's own), ";
    assert!(warnings.len() == 1 && has(&warnings, words), "{warnings:?}");
    assert!(warnings[0].contains("tree/noted first"));
}

/// What bazel's sandboxes and others put in place of inputs.
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
    let (facts, image) = host.build(&manifest("follow = true\n"));
    assert!(image[extent(&facts, "iso:/etc/motd").offset as usize..].starts_with(b"hello"));
    let (facts, _) = host.build(&manifest("follow = false\n"));
    assert_eq!((facts.counts.files, facts.counts.symlinks), (0, 2));
}

#[test]
fn what_a_shell_would_have_changed_is_said() {
    let host = host();
    for (from, words) in [
        ("~/x", "home directory"),
        ("$HOME/x", "a variable"),
        ("*.txt", "patterns"),
    ] {
        let error = host.error(&format!("[[files]]\nfrom = {from:?}\nto = \"/\"\n"));
        assert!(error.contains(words), "{from}: {error}");
    }
}

#[test]
fn t9_what_no_block_number_reaches_is_refused_before_a_byte_is_written() {
    let host = host();
    let file = fs::File::create(host.at("tree/huge")).unwrap();
    file.set_len(8 << 40).unwrap();
    let error = host.error(TREE);
    assert!(
        error.contains("8796093022210 bytes") && error.contains("ECMA-119 §9.4.9"),
        "{error}"
    );
    // All together count.
    file.set_len(5 << 40).unwrap();
    fs::File::create(host.at("tree/too"))
        .unwrap()
        .set_len((5 << 40) + 1)
        .unwrap();
    assert!(host.error(TREE).contains("8796093020160 bytes at most"));
}

#[test]
fn t11_all_that_is_not_there_is_named_at_once() {
    let host = host();
    let missing: String = (0..25)
        .map(|n| format!("[[files]]\nfrom = \"no{n}\"\nto = \"/\"\n"))
        .collect();
    let error = host.error(&missing);
    assert!(error.contains("\"no0\"") && error.contains("\"no19\""), "{error}");
}

#[test]
fn t17_the_image_that_is_there_is_no_input_of_the_next() {
    let host = host();
    let manifest = "[[files]]\nfrom = \"out.iso\"\nto = \"/\"\n";
    host.put("out.iso", b"an older image");
    fs::hard_link(host.at("out.iso"), host.at("other name")).unwrap();
    for from in ["out.iso", "other name"] {
        let error = host.error(&manifest.replace("out.iso", from));
        assert!(error.contains("is the output itself"), "{error}");
    }
}

/// The kernel of a menu and the archive of an entry are inputs as a tree is, and so is the manifest.
#[test]
fn t17_no_input_is_overwritten_by_any_of_its_names() {
    let host = host();
    host.put("a.tar", &[0; 1024]);
    host.put("kernel", b"MZ and more");
    host.put("manifest.toml", b"the manifest is read from memory here");
    let archive = "[[files]]\nfrom = \"a.tar\"\nunpack = true\nto = \"/\"\n";
    let kernel = "[[menu]]\nkernel = \"kernel\"\n";
    let data = "[[files]]\ntext = \"x\"\nto = \"/a\"\n";
    for (input, manifest, words) in [
        ("a.tar", archive, "is the output itself"),
        ("kernel", kernel, "is the output itself"),
        ("manifest.toml", data, "is the manifest itself"),
    ] {
        let links: [fn(_, _) -> _; 2] = [fs::hard_link, std::os::unix::fs::symlink];
        for link in links {
            link(host.at(input), host.at("out.iso")).unwrap();
            let error = host.error(manifest);
            assert!(error.contains(words), "{input}: {error}");
            fs::remove_file(host.at("out.iso")).unwrap();
        }
    }
}

#[test]
fn t20_modes_and_owners_are_the_same_everywhere_or_kept() {
    let host = host();
    fs::set_permissions(host.at("tree/a"), fs::Permissions::from_mode(0o4711)).unwrap();
    let posix = |keys: &str| {
        let resolved = host.resolve(&format!("{TREE}{keys}")).unwrap();
        let iso = IsoTree::of(&resolved);
        let node = iso.tree.nodes.iter().find(|node| *node.name == *b"a").unwrap();
        (node.posix.mode, node.posix.uid, node.posix.gid)
    };
    assert_eq!(posix(""), (0o100_755, 0, 0));
    assert_eq!(posix("preserve = [\"mode\"]\n").0, 0o104_711);
    assert_eq!(
        posix("mode = 0o600\nuid = 4294967295\ngid = 7\n"),
        (0o100_600, u32::MAX, 7)
    );
    let here = std::os::unix::fs::MetadataExt::uid(&fs::metadata(host.at("tree/a")).unwrap());
    assert_eq!(posix("preserve = [\"owner\"]\n").1, here);
}

#[test]
fn f2_load_sizes_that_no_bios_could_count_are_refused() {
    let host = host();
    let size = |length: u64| {
        fs::File::create(host.at("bios.bin")).unwrap().set_len(length).unwrap();
    };
    size(65_535 * 512 + 1);
    let error = host.error("[boot.bios]\nimage = \"bios.bin\"\n");
    assert!(
        error.contains("33553921 bytes is too large") && error.contains("El Torito §2.2"),
        "{error}"
    );
    size(65_535 * 512);
    host.build("[boot.bios]\nimage = \"bios.bin\"\nload_sectors = 65535\n");
    let error = host.error("[boot.bios]\nimage = \"bios.bin\"\nload_sectors = 65536\n");
    assert!(error.contains("manifest.toml:3:16"), "{error}");
    let error = host.error("[boot.bios]\nimage = \"bios.bin\"\nload_sectors = 0\n");
    assert!(error.contains("manifest.toml:3:16"), "{error}");
}

#[test]
fn f6_the_backup_gpt_ends_the_image_whatever_its_length() {
    let host = host();
    for length in [0, 1, 511, 512, 2047, 2049, 100_001] {
        fs::write(host.at("tree/a"), vec![7; length]).unwrap();
        let (facts, bytes) = host.build(&format!("{BOOT}{TREE}"));
        assert!(facts.size.is_multiple_of(2048) && facts.size == bytes.len() as u64);
        assert!(bytes[bytes.len() - 512..].starts_with(b"EFI PART"));
        assert_eq!((facts.gpt.len(), facts.faults.len()), (1, 0));
    }
}

#[test]
fn a_ready_esp_goes_in_as_it_is_and_is_looked_into() {
    let host = host();
    let (facts, image) = host.build(BOOT);
    let esp = &facts.esp[0];
    let mut volume = image[esp.offset as usize..][..esp.length as usize].to_vec();
    host.put("esp.img", &volume);
    let ready = "[boot.uefi]\nimage = \"esp.img\"\n";
    let (facts, image) = host.build(ready);
    assert!(facts.warnings.is_empty(), "{:?}", facts.warnings);
    assert_eq!(extent(&facts, "esp:/EFI/BOOT/BOOTX64.EFI").length, 9000);
    assert_eq!(facts.esp[0].loaders[0].path, "/EFI/BOOT/BOOTX64.EFI");
    assert!(image[facts.esp[0].offset as usize..].starts_with(&volume));
    // One entry of the second table differs from the first.
    let tables = facts.extents.iter().find(|extent| extent.what == What::FatTable2);
    volume[(tables.unwrap().offset - facts.esp[0].offset) as usize + 5] ^= 1;
    host.put("esp.img", &volume);
    let (facts, _) = host.build(ready);
    assert!(
        has(&facts.warnings, "the FAT volume is damaged: allocation table 2 differs"),
        "{:?}",
        facts.warnings
    );
    volume.truncate(volume.len() / 2);
    host.put("esp.img", &volume);
    assert!(host.error(ready).contains("this image is cut short"));
    host.put("esp.img", &[0; 65536]);
    assert!(host.error(ready).contains("is not a FAT volume"));
}
