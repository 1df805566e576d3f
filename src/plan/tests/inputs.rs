//! Inputs as some hosts have them, and manifests that name them: what goes into the image, what is warned of and what is refused.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn two_entries_for_one_path_show_both_places() {
    let twice = "[[files]]\ntext = \"1\"\nto = \"/x\"\n[[files]]\ntext = \"2\"\nto = \"//./x\"\n";
    let error = host().error(twice);
    for words in [
        "/x is put into the image twice",
        "manifest.toml:6:6",
        "(line 3: first put here)",
    ] {
        assert!(error.contains(words), "{error}");
    }
    let below = "[[files]]\ntext = \"1\"\nto = \"/x\"\n[[files]]\ntext = \"2\"\nto = \"/x/y\"\n";
    assert!(host().error(below).contains("/x is not a directory"));
}

#[test]
fn sources_may_be_anywhere() {
    let elsewhere = Host::new(&[("f", b"elsewhere")]);
    let host = Host::new(&[("base/x", b"x")]);
    symlink(elsewhere.at("f"), host.at("link")).unwrap();
    let absolute = elsewhere.at("f").display().to_string();
    for from in [absolute.as_str(), "link", "base/../link"] {
        let (described, _) = host.build(&format!("[[files]]\nfrom = {from:?}\nto = \"/f\"\n"));
        let file = extent(&described, "iso:/f");
        assert_eq!(file.length, 9);
        let source = source(&described, "iso:/f").unwrap();
        assert!(source.ends_with(from.rsplit('/').next().unwrap()), "{source}");
    }
}

#[test]
fn patterns_without_a_match_are_told_and_the_output_is_no_input() {
    let host = host();
    let warnings = host.warnings(&format!("{TREE}exclude = [\"*.o\", \"a\"]\n"));
    assert_eq!(warnings, ["this pattern leaves nothing out"]);
    host.put("tree/out.iso", b"an older image");
    let path = host.at("manifest.toml");
    let inside = |output: &str| {
        let document = parse(&path, TREE).unwrap();
        let outputs = vec![host.at(output)];
        contents(
            &document,
            &Environment {
                source_date_epoch: None,
                outputs,
            },
        )
        .unwrap_err()
        .to_string()
    };
    assert!(inside("tree/new/x.iso").contains("would be written into its own input"));
    assert!(inside("tree/out.iso").contains("would be written into its own input"));
}

#[test]
fn the_same_file_from_two_sources_is_one_and_another_needs_a_word() {
    let host = host();
    for directory in ["one", "two"] {
        host.put(&format!("{directory}/same"), b"same");
        std::os::unix::fs::symlink("same", host.at(&format!("{directory}/link"))).unwrap();
    }
    let both = "[[files]]\nfrom = \"one\"\nto = \"/\"\n[[files]]\nfrom = \"two\"\nto = \"iso:/\"\n";
    let (described, _) = host.build(both);
    assert_eq!((described.facts.counts.files, described.facts.counts.symlinks), (1, 1));
    host.put("two/same", b"else");
    let error = host.error(both);
    assert!(error.contains("/same is put into the image twice"), "{error}");
    assert!(
        error.contains("`exclude`") && error.contains("`replace = true`"),
        "{error}"
    );
    let (described, image) = host.build(&format!("{both}replace = true\n"));
    assert!(image[extent(&described, "iso:/same").offset as usize..].starts_with(b"else"));
    // The mode counts as the bytes do.
    host.put("two/same", b"same");
    fs::set_permissions(host.at("two/same"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(host.error(both).contains("/same is put into the image twice"));
    host.build(&format!("{both}ignore_mode = true\n"));
}

/// The kernel makes these files while they are read, and reports 0 bytes or a page. The length of a file that is one hole is true.
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
            error.contains(&format!("says that it has {says}, but reading it gives another number")),
            "{error}"
        );
    }
    fs::File::create(host.at("hole")).unwrap().set_len(5000).unwrap();
    host.put("nothing", b"");
    let both = manifest("hole") + &manifest("nothing");
    let (described, _) = host.build(&both);
    assert_eq!(extent(&described, "iso:/hole").length, 5000);
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
fn what_no_block_number_reaches_is_refused_before_a_byte_is_written() {
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
fn all_that_is_not_there_is_named_at_once() {
    let host = host();
    let missing: String = (0..25)
        .map(|n| format!("[[files]]\nfrom = \"no{n}\"\nto = \"/\"\n"))
        .collect();
    let error = host.error(&missing);
    assert!(error.contains("\"no0\"") && error.contains("\"no19\""), "{error}");
}

#[test]
fn the_image_that_is_there_is_no_input_of_the_next() {
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
fn no_input_is_overwritten_by_any_of_its_names() {
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
fn modes_and_owners_are_the_same_everywhere_or_kept() {
    let host = host();
    fs::set_permissions(host.at("tree/a"), fs::Permissions::from_mode(0o4711)).unwrap();
    let posix = |keys: &str| {
        let resolved = host.resolve(&format!("{TREE}{keys}")).unwrap();
        let iso = IsoTree::of(&resolved.contents.tree);
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
