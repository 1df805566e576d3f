//! The table of keys says what serde reads, and every key has a value somewhere.

use serde::Deserialize;

use super::*;
use crate::manifest::types::Manifest;

/// The head of a table, and the keys that it must have, with values.
fn head(path: &str) -> (String, &'static [(&'static str, &'static str)]) {
    match path {
        "" => (String::new(), &[]),
        "menu" | "test.send" | "boot.uefi.uki.profile" => (format!("[[{path}]]\n"), &[]),
        "files" => ("[[files]]\n".into(), &[("to", "\"/\"")]),
        "base" => ("[base]\n".into(), &[("image", "\"x\"")]),
        path if path.starts_with("base.") => (format!("[base]\nimage = \"x\"\n[{path}]\n"), &[]),
        "boot.entry" => ("[[boot.entry]]\n".into(), &[("platform", "0"), ("image", "\"x\"")]),
        path => (format!("[{path}]\n"), &[]),
    }
}

/// Reads a manifest with one table, which has the keys that it must have and this line.
fn manifest(path: &str, key: &str, line: &str) -> Result<Manifest, toml::de::Error> {
    let (mut text, needed) = head(path);
    let needed = needed.iter().filter(|(other, _)| *other != key);
    text.extend(needed.map(|(key, value)| format!("{key} = {value}\n")));
    text += line;
    Manifest::deserialize(toml::Deserializer::from(DeTable::parse(&text).unwrap()))
}

/// serde's own list of a table's keys, from the error about one that is unknown.
fn keys_of(path: &str) -> Vec<String> {
    let error = manifest(path, "_", "_ = 1").unwrap_err();
    let list = error.message().split_once("expected ").unwrap().1;
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_keys_are_those_of_the_types() {
    for table in TABLES {
        assert_eq!(keys_of(table.path), table.keys, "[{}]", table.path);
    }
}

/// Keys whose value is a text, by table.
const TEXTS: [(&str, &[&str]); 17] = [
    ("", &["output", "volume_id"]),
    (
        "iso",
        &[
            "system_id",
            "volume_set_id",
            "publisher_id",
            "preparer_id",
            "application_id",
            "sha256sums",
        ],
    ),
    ("base", &["image", "sha256", "fill"]),
    (
        "base.answers",
        &[
            "preseed",
            "kickstart",
            "autoinstall",
            "autoyast",
            "agama",
            "ignition",
            "proxmox",
            "apkovl",
            "unattend",
            "nocloud",
            "meta_data",
        ],
    ),
    ("base.boot", &["kernel"]),
    ("files", &["from", "text", "link", "to", "sha256"]),
    ("boot", &["default"]),
    ("boot.bios", &["image", "mbr"]),
    ("boot.uefi", &["image", "size"]),
    (
        "boot.uefi.uki",
        &[
            "kernel",
            "initrd",
            "cmdline",
            "title",
            "to",
            "stub",
            "microcode",
            "os_release",
            "uname",
            "splash",
            "sbat",
        ],
    ),
    ("boot.uefi.uki.profile", &["title", "id", "cmdline", "initrd"]),
    ("boot.sign", &["key", "cert"]),
    ("boot.theme", &["file"]),
    ("boot.entry", &["image"]),
    ("menu", &["title", "kernel", "initrd", "cmdline", "bios", "efi"]),
    ("test", &["expect", "memory"]),
    ("test.send", &["after", "text"]),
];

/// The other keys: table, key, a value, and how `Debug` shows that value.
const VALUES: [(&str, &str, &str, &str); 52] = [
    ("", "format", r#""qcow2""#, "Qcow2"),
    ("", "level", "4711", "4711"),
    ("", "sha256_file", "true", "sha256_file: true"),
    ("iso", "timestamp", "1999-12-31T00:00:00Z", "Instant("),
    ("iso", "rock_ridge", "false", "false"),
    ("iso", "joliet", "false", "false"),
    ("iso", "udf", "true", "true"),
    ("iso", "iso9660", r#""stub""#, "Stub"),
    ("iso", "implant_md5", "true", "implant_md5: true"),
    ("base", "remove", r#"["m-remove"]"#, r#""m-remove""#),
    ("base.kernel_args", "append", r#"["m-append"]"#, r#""m-append""#),
    ("base.kernel_args", "remove", r#"["m-gone"]"#, r#""m-gone""#),
    ("base", "compact", "true", "true"),
    ("base.kernel_args", "replace", r#"{ m = "m-value" }"#, r#""m-value""#),
    ("base.kernel_args", "entries", r#"["m-entry"]"#, r#""m-entry""#),
    ("base.boot", "initrd_append", r#"["m-more"]"#, r#""m-more""#),
    ("files", "exclude", r#"["m-exclude"]"#, r#""m-exclude""#),
    ("files", "mode", "4711", "4711"),
    ("files", "uid", "4711", "4711"),
    ("files", "gid", "4711", "4711"),
    ("files", "preserve", r#"["hardlinks"]"#, "Hardlinks"),
    ("files", "unpack", "true", "true"),
    ("files", "replace", "true", "true"),
    ("files", "follow", "true", "true"),
    ("files", "ignore_mode", "true", "true"),
    ("boot", "loader", r#""builtin""#, "Builtin"),
    ("boot", "firmware", r#"["uefi-ia32"]"#, "UefiIa32"),
    ("boot", "timeout", "4711", "4711"),
    ("boot", "serial", "4711", "4711"),
    ("boot.bios", "emulation", r#""floppy-2.88""#, "Floppy"),
    ("boot.bios", "load_sectors", "4711", "4711"),
    ("boot.bios", "load_segment", "4711", "4711"),
    ("boot.bios", "info_table", r#""grub2""#, "Grub2"),
    ("boot.entry", "emulation", r#""floppy-2.88""#, "Floppy"),
    ("boot.entry", "load_sectors", "4711", "4711"),
    ("boot.entry", "load_segment", "4711", "4711"),
    ("boot.entry", "info_table", r#""grub2""#, "Grub2"),
    ("boot.entry", "platform", "239", "239"),
    ("boot.uefi", "files", r#"{ "/EFI/M" = "m-files" }"#, r#""m-files""#),
    ("boot.sign", "command", r#"["m-command"]"#, r#""m-command""#),
    ("menu", "iso_scan", "true", "true"),
    ("menu", "uki", "true", "true"),
    ("boot", "assets", r#"["m-assets"]"#, r#""m-assets""#),
    ("menu", "action", r#""firmware-setup""#, "FirmwareSetup"),
    ("disk", "layout", r#""gpt""#, "Gpt"),
    ("test", "cells", r#"["bios-cd"]"#, "medium: Cd"),
    ("test", "fail", r#"["m-fail"]"#, r#""m-fail""#),
    ("test", "timeout", "4711", "4711"),
    ("test", "network", "true", "network: true"),
    ("test", "disks", r#"["m-disks"]"#, r#""m-disks""#),
    ("test", "qemu", r#"["m-qemu"]"#, r#""m-qemu""#),
    ("test.send", "keys", r#"["m-keys"]"#, r#""m-keys""#),
];

/// Counts a text in what `Debug` shows of a manifest.
fn count(manifest: &Manifest, shown: &str) -> usize {
    let spans = regex::Regex::new(r"place: Some\(\d+\.\.\d+\)").unwrap();
    spans.replace_all(&format!("{manifest:?}"), "").matches(shown).count()
}

fn is_read(path: &str, key: &str, value: &str, shown: &str) {
    let with = manifest(path, key, &format!("{key} = {value}")).unwrap();
    // Without the key the text must occur less often. If the table must have the key, the manifest is an error and the count is 0.
    let without = manifest(path, key, "").map_or(0, |without| count(&without, shown));
    assert!(count(&with, shown) > without, "[{path}] {key} = {value}");
}

#[test]
fn the_value_of_every_key_is_read() {
    for (path, keys) in TEXTS {
        for key in keys {
            let text = format!("\"the text of {key}\"");
            is_read(path, key, &text, &text);
        }
    }
    for (path, key, value, shown) in VALUES {
        is_read(path, key, value, shown);
    }
    let texts = TEXTS
        .iter()
        .flat_map(|(path, keys)| keys.iter().map(move |key| (*path, *key)));
    let looked_for: Vec<_> = texts.chain(VALUES.map(|(path, key, ..)| (path, key))).collect();
    for table in TABLES {
        for key in table.keys {
            let path = [table.path, key].join(".");
            let is_table = TABLES.iter().any(|other| other.path == path.trim_start_matches('.'));
            let times = looked_for.iter().filter(|one| **one == (table.path, *key)).count();
            assert_eq!(times, usize::from(!is_table), "[{}] {key}", table.path);
        }
    }
}

#[test]
fn a_slip_of_the_pen_finds_its_word() {
    let words = ["volume_id", "output", "to"];
    assert_eq!(nearest("voluem_id", words.into_iter()), Some("volume_id"));
    assert_eq!(nearest("Output", words.into_iter()), Some("output"));
    assert_eq!(nearest("xy", words.into_iter()), None);
    assert_eq!(nearest("kernel", words.into_iter()), None);
}
