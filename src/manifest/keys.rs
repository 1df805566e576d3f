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

const TABLES: [Table; 19] = [
    Table {
        path: "",
        keys: &[
            "output",
            "format",
            "level",
            "sha256_file",
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
        keys: &[
            "image",
            "sha256",
            "fill",
            "remove",
            "compact",
            "kernel_args",
            "answers",
            "boot",
        ],
        later: &[],
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
        keys: &[
            "title", "kernel", "initrd", "cmdline", "uki", "bios", "efi", "action", "iso_scan",
        ],
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
            "loader", "firmware", "timeout", "default", "serial", "bios", "uefi", "entry", "sign", "assets", "theme",
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
        path: "boot.theme",
        keys: &["file"],
        later: &["background", "accent", "logo"],
    },
    Table {
        path: "boot.sign",
        keys: &["key", "cert", "command"],
        later: &[],
    },
    Table {
        path: "boot.uefi",
        keys: &["image", "size", "files", "uki"],
        later: &[],
    },
    Table {
        path: "boot.uefi.uki",
        keys: &[
            "kernel",
            "initrd",
            "cmdline",
            "title",
            "to",
            "profile",
            "stub",
            "microcode",
            "os_release",
            "uname",
            "splash",
            "sbat",
        ],
        later: &[],
    },
    Table {
        path: "boot.uefi.uki.profile",
        keys: &["title", "id", "cmdline", "initrd"],
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
const LATER_VALUES: [(&str, &str, &[&str]); 1] = [("boot", "loader", &["limine"])];

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
mod tests;
