//! Fedora CoreOS: what has an area that coreos-installer fills keeps its place.

use std::fs;

use super::Host;
use super::grow::{changed, read};
use crate::look::contents::{Place, Tree};

/// A base with a configuration that has an area of 40 bytes, `padding` bytes of a comment behind it, and an area for Ignition.
fn base(padding: usize) -> (Host, Vec<u8>) {
    let start = "menuentry A {\nlinux /k ";
    let area = format!("quiet\n{}", "#".repeat(34));
    let config = format!("{start}{area} AREA\ninitrd /i\n}}\n{}", "#\n".repeat(padding / 2));
    let list = format!(
        r##"{{"files": [{{"end": "\n", "offset": {}, "pad": "#", "path": "boot/grub/grub.cfg"}}], "size": 40}}"##,
        start.len()
    );
    let host = Host::new(&[
        ("tree/k", b"kernel"),
        ("tree/i", b"070701"),
        ("tree/boot/grub/grub.cfg", config.as_bytes()),
        ("tree/coreos/kargs.json", list.as_bytes()),
        ("tree/images/ignition.img", &[0; 5000]),
        ("config.ign", br#"{"ignition": {"version": "3.4.0"}}"#),
    ]);
    if padding > 64 << 10 {
        host.put("tree/boot/copy.cfg", config.as_bytes());
    }
    let (_, base) = host.build("[[files]]\nfrom = \"tree\"\nto = \"/\"\n");
    host.put("base.iso", &base);
    (host, base)
}

const KEYS: &str = "[base.kernel_args]\nappend = [\"a=1\"]\n[base.answers]\nignition = \"config.ign\"\n";

#[test]
fn areas_change_where_they_are_and_nothing_else_does() {
    let (host, base) = base(0);
    let (after, bytes, warnings) = changed(&host, KEYS).unwrap();
    assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]));
    assert!(read(&bytes, "iso:/boot/grub/grub.cfg").contains("linux /k quiet a=1\n##############################"));
    assert_eq!(bytes.len(), base.len());
    let (tree, _) = Tree::of(&base, Place::parse(b"iso:/").unwrap()).unwrap();
    let extent = |path: &[u8]| {
        let (offset, length) = tree.find(path, true).unwrap().extents[0];
        let start = offset.unwrap() as usize;
        start..start + length as usize
    };
    let changed = [extent(b"/boot/grub/grub.cfg"), extent(b"/images/ignition.img")];
    for at in (0..base.len()).filter(|&at| base[at] != bytes[at]) {
        assert!(changed.iter().any(|range| range.contains(&at)), "{at}");
    }
}

/// Files of 64 KiB are stored once. The other name keeps its content.
#[test]
fn an_area_whose_bytes_are_another_file_s_too_is_left_alone() {
    let (host, base) = base(80 << 10);
    let (after, bytes, _) = changed(&host, KEYS).unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    assert!(read(&bytes, "iso:/boot/grub/grub.cfg").contains("quiet a=1\n"));
    assert!(read(&bytes, "iso:/boot/copy.cfg").contains("quiet\n"));
    assert!(bytes.len() > base.len());
    let copy = fs::read(host.at("tree/boot/copy.cfg")).unwrap();
    assert_eq!(read(&bytes, "iso:/boot/copy.cfg").as_bytes(), copy);
    // If the other name goes, the bytes are the file's alone, and what is new there is not taken for what was removed.
    let (after, bytes, _) = changed(&host, &format!("remove = [\"/boot/copy.cfg\"]\n{KEYS}")).unwrap();
    assert_eq!(after.facts.faults, [""; 0]);
    assert_eq!(bytes.len(), base.len());
    assert!(read(&bytes, "iso:/boot/grub/grub.cfg").contains("quiet a=1\n"));
}

/// What needs more room gets it, and the list says so: coreos-installer reads both.
#[test]
fn areas_become_larger_if_the_arguments_need_it() {
    let (host, base) = base(0);
    let long = "a".repeat(50);
    let keys = format!("[base.kernel_args]\nappend = [\"{long}\"]\n");
    let (after, bytes, warnings) = changed(&host, &keys).unwrap();
    assert_eq!((warnings, &after.facts.faults[..]), (Vec::new(), &[][..]));
    // "quiet", a blank, 50 letters and the end of the line are 57 of 2,048 bytes.
    let wanted = format!(
        "menuentry A {{\nlinux /k quiet {long}\n{} AREA\ninitrd /i\n}}\n",
        "#".repeat(1991)
    );
    assert_eq!(read(&bytes, "iso:/boot/grub/grub.cfg"), wanted);
    assert!(read(&bytes, "iso:/coreos/kargs.json").contains("\"size\": 2048\n"));
    assert!(bytes.len() > base.len());
    let keys = format!("{keys}[[files]]\ntext = \"\"\nto = \"/boot/grub/grub.cfg\"\n");
    let (.., warnings) = changed(&host, &keys).unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("is replaced by [[files]]")),
        "{warnings:?}"
    );
    let longest = format!("[base.kernel_args]\nappend = [\"{}\"]\n", "a".repeat(2043));
    let error = changed(&host, &longest).unwrap_err();
    assert!(
        error.contains("need 2050 bytes") && error.contains("2048 at most"),
        "{error}"
    );
}
