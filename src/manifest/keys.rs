//! Every key of a manifest, so that a wrong one gets a suggestion and one of a later version is never ignored.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::manifest::diagnostic::Diagnostic;

/// A table of the manifest and its keys.
struct Table {
    /// As in `[boot.bios]`; empty for the top level.
    path: &'static str,
    keys: &'static [&'static str],
    /// Keys that are documented and refused until they do something.
    later: &'static [&'static str],
}

const TABLES: [Table; 16] = [
    Table {
        path: "",
        keys: &[
            "output",
            "volume_id",
            "iso",
            "base",
            "files",
            "boot",
            "menu",
            "disk",
            "test",
        ],
        later: &[],
    },
    Table {
        path: "base",
        keys: &["image", "sha256", "fill", "remove", "kernel_args", "answers", "boot"],
        later: &["compact"],
    },
    Table {
        path: "base.boot",
        keys: &["kernel", "initrd_append"],
        later: &[],
    },
    Table {
        path: "base.answers",
        keys: &[
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
        later: &[],
    },
    Table {
        path: "base.kernel_args",
        keys: &["append", "remove", "replace", "entries"],
        later: &[],
    },
    Table {
        path: "test",
        keys: &[
            "cells", "expect", "fail", "timeout", "memory", "network", "disks", "qemu", "send",
        ],
        later: &[],
    },
    Table {
        path: "test.send",
        keys: &["after", "text", "keys"],
        later: &[],
    },
    Table {
        path: "menu",
        keys: &["title", "kernel", "initrd", "cmdline", "bios", "efi", "action"],
        later: &[],
    },
    Table {
        path: "iso",
        keys: &[
            "system_id",
            "volume_set_id",
            "publisher_id",
            "preparer_id",
            "application_id",
            "timestamp",
            "rock_ridge",
            "joliet",
            "udf",
            "iso9660",
            "implant_md5",
            "sha256sums",
        ],
        later: &[],
    },
    Table {
        path: "files",
        keys: &[
            "from",
            "text",
            "link",
            "to",
            "exclude",
            "mode",
            "uid",
            "gid",
            "preserve",
            "sha256",
            "unpack",
            "replace",
            "follow",
            "ignore_mode",
        ],
        later: &[],
    },
    Table {
        path: "boot",
        keys: &[
            "loader", "firmware", "timeout", "default", "serial", "bios", "uefi", "entry", "sign",
        ],
        later: &[],
    },
    Table {
        path: "boot.bios",
        keys: &[
            "image",
            "emulation",
            "load_sectors",
            "load_segment",
            "info_table",
            "mbr",
        ],
        later: &[],
    },
    Table {
        path: "boot.sign",
        keys: &["key", "cert", "command"],
        later: &[],
    },
    Table {
        path: "boot.uefi",
        keys: &["image", "size", "files"],
        later: &[],
    },
    Table {
        path: "boot.entry",
        keys: &[
            "platform",
            "image",
            "emulation",
            "load_sectors",
            "load_segment",
            "info_table",
        ],
        later: &[],
    },
    Table {
        path: "disk",
        keys: &["layout"],
        later: &["partition", "partition_offset"],
    },
];

/// Values that are documented and refused until they do something.
const LATER_VALUES: [(&str, &str, &[&str]); 1] = [("boot", "loader", &["grub", "isolinux", "systemd-boot", "limine"])];

/// Takes every key that the types do not know out of `root`, and says of each what is wrong with it.
pub(super) fn check(root: &mut DeTable<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    check_table("", root, &mut diagnostics);
    diagnostics
}

fn check_table(path: &str, table: &mut DeTable<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(known) = TABLES.iter().find(|known| known.path == path) else {
        return;
    };
    let mut wrong: Vec<String> = Vec::new();
    for (key, value) in table.iter_mut() {
        let (name, span) = (key.get_ref().as_ref(), key.span());
        if known.later.contains(&name) {
            let message = format!("`{name}` is not supported yet");
            diagnostics.push(Diagnostic::error(message, span, "of a later version"));
            wrong.push(name.to_owned());
        } else if !known.keys.contains(&name) {
            diagnostics.push(unknown(known, name, span));
            wrong.push(name.to_owned());
        } else if let Some(diagnostic) = later_value(path, name, value.get_ref(), value.span()) {
            diagnostics.push(diagnostic);
            wrong.push(name.to_owned());
        } else {
            let path = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            check_value(&path, value.get_mut(), diagnostics);
        }
    }
    for name in wrong {
        table.remove(name.as_str());
    }
}

fn check_value(path: &str, value: &mut DeValue<'_>, diagnostics: &mut Vec<Diagnostic>) {
    match value {
        DeValue::Table(table) => check_table(path, table, diagnostics),
        DeValue::Array(items) => {
            for item in items.iter_mut() {
                if let DeValue::Table(table) = item.get_mut() {
                    check_table(path, table, diagnostics);
                }
            }
        }
        _ => {}
    }
}

/// Of a list each item counts.
fn later_value(path: &str, key: &str, value: &DeValue<'_>, span: Range<usize>) -> Option<Diagnostic> {
    if let DeValue::Array(items) = value {
        let mut items = items.iter();
        return items.find_map(|item| later_value(path, key, item.get_ref(), item.span()));
    }
    let text = value.as_str()?;
    let (.., values) = LATER_VALUES
        .iter()
        .find(|(table, of, _)| (*table, *of) == (path, key))?;
    let message = format!("{key} = {text:?} is not supported yet");
    values
        .contains(&text)
        .then(|| Diagnostic::error(message, span, "of a later version"))
}

fn unknown(table: &Table, name: &str, span: Range<usize>) -> Diagnostic {
    let place = match table.path {
        "" => "at the top level of a manifest".to_owned(),
        path => format!("in [{path}]"),
    };
    let error = Diagnostic::error(format!("there is no key `{name}` {place}"), span, "unknown key");
    if let Some(near) = nearest(name, table.keys.iter().chain(table.later).copied()) {
        return error.with_help(format!("did you mean `{near}`?"));
    }
    match TABLES.iter().find(|other| other.keys.contains(&name)) {
        Some(Table { path: "", .. }) => error.with_help(format!("`{name}` belongs before the first [table]")),
        Some(other) => error.with_help(format!("`{name}` is a key of [{}]", other.path)),
        None => error.with_help(format!("the keys {place} are {}", table.keys.join(", "))),
    }
}

/// The word that was probably meant: at most two letters away.
pub(super) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = words.map(|known| (strsim::damerau_levenshtein(&word.to_lowercase(), known), known));
    let (distance, nearest) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance < nearest.len()).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::types::Manifest;
    use super::*;

    /// The head of a table, and the keys that it must have, with values.
    fn head(path: &str) -> (String, &'static [(&'static str, &'static str)]) {
        match path {
            "" => (String::new(), &[]),
            "menu" | "test.send" => (format!("[[{path}]]\n"), &[]),
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
    const TEXTS: [(&str, &[&str]); 14] = [
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
        ("boot.sign", &["key", "cert"]),
        ("boot.entry", &["image"]),
        ("menu", &["title", "kernel", "initrd", "cmdline", "bios", "efi"]),
        ("test", &["expect", "memory"]),
        ("test.send", &["after", "text"]),
    ];

    /// The other keys: table, key, a value, and how `Debug` shows that value.
    const VALUES: [(&str, &str, &str, &str); 45] = [
        ("iso", "timestamp", "1999-12-31T00:00:00Z", "Instant("),
        ("iso", "rock_ridge", "false", "false"),
        ("iso", "joliet", "false", "false"),
        ("iso", "udf", "true", "true"),
        ("iso", "iso9660", r#""stub""#, "Stub"),
        ("iso", "implant_md5", "true", "implant_md5: true"),
        ("base", "remove", r#"["m-remove"]"#, r#""m-remove""#),
        ("base.kernel_args", "append", r#"["m-append"]"#, r#""m-append""#),
        ("base.kernel_args", "remove", r#"["m-gone"]"#, r#""m-gone""#),
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
}
