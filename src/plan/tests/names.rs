//! Names that an index cannot hold as they are: how each index holds them, and what the program says.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::facts::FileSystem;

#[test]
fn joliets_copy_of_an_identifier_is_cut_and_told() {
    let host = host();
    let long = "volume_id = \"A_VOLUME_OF_20_BYTES\"\n";
    let (described, bytes) = host.build(&format!("{long}{TREE}"));
    assert!(has(
        &described.planned.warnings,
        "the Joliet copy of volume_id holds 16 characters and is cut to \"A_VOLUME_OF_20_B\""
    ));
    assert!(bytes[32768 + 40..].starts_with(b"A_VOLUME_OF_20_BYTES "));
    assert!(
        host.warnings(&format!("{long}[iso]\njoliet = false\n{TREE}"))
            .is_empty()
    );
}

#[test]
fn a_character_that_an_index_has_not_is_told() {
    let host = host();
    let label = "volume_id = \"A\u{1f600}\"\n";
    for (keys, indexes) in [
        ("udf = true", "Joliet and UDF hold"),
        ("udf = true\njoliet = false", "UDF holds"),
        ("", "Joliet holds"),
    ] {
        let warnings = host.warnings(&format!("{label}[iso]\n{keys}\n{TREE}"));
        let wanted = format!("volume_id has 1 character above U+FFFF, for which {indexes} \"_\"");
        assert!(has(&warnings, &wanted), "{warnings:?}");
    }
}

#[test]
fn names_that_are_not_utf_8_keep_their_bytes_in_rock_ridge() {
    let host = host();
    fs::write(host.at("tree").join(OsStr::from_bytes(b"latin \xfc")), "u").unwrap();
    let (described, bytes) = host.build(TREE);
    assert!(
        has(&described.planned.warnings, "1 name is not possible in a Joliet index"),
        "{:?}",
        described.planned.warnings
    );
    let mapped = described
        .planned
        .name_map
        .iter()
        .find(|mapped| mapped.index == FileSystem::Joliet)
        .unwrap();
    assert_eq!(
        (mapped.path.as_str(), mapped.name.as_str()),
        ("/latin \\xfc", "latin _")
    );
    assert!(bytes.windows(7).any(|window| window == b"latin \xfc"));
}

#[test]
fn names_and_trees_at_their_limits_read_back() {
    let host = host();
    host.put(&format!("tree/{}", "n".repeat(255)), b"long");
    let mut deep = host.at("tree");
    for level in 0..200 {
        deep.push(format!("level{level}"));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "deep").unwrap();
    let (described, _) = host.build(TREE);
    assert!(has(
        &described.planned.warnings,
        "1 name has 254 bytes or more, and Linux does not show such a name"
    ));
    assert!(has(&described.planned.warnings, "more than 8 levels deep"));
    let path = (0..200).fold("iso:".to_owned(), |path, level| format!("{path}/level{level}")) + "/file";
    assert!(path.len() > 1023 && extent(&described, &path).length == 4);
}

#[test]
fn names_that_an_index_cannot_tell_apart_are_numbered() {
    let host = host();
    for name in ["Same", "same", "u\u{308}", "ü", "a+b", "a=b"] {
        host.put(&format!("tree/{name}"), name.as_bytes());
    }
    let (described, _) = host.build(TREE);
    assert!(has(
        &described.planned.warnings,
        "1 Joliet name differs only in case from another, /Same and /same first"
    ));
    let plain = host
        .build(&format!("[iso]\nrock_ridge = false\njoliet = false\n{TREE}"))
        .0;
    let names: Vec<&str> = plain
        .planned
        .name_map
        .iter()
        .map(|mapped| mapped.name.as_str())
        .collect();
    assert!(
        names.contains(&"A_B") && names.contains(&"A_B_1") && names.contains(&"SAME_1"),
        "{names:?}"
    );
    let esp = "[boot.uefi.files]\n\"/EFI/x\" = \"loader\"\n\"/efi/X\" = \"loader\"\n";
    assert!(host.error(esp).contains("/EFI and /efi are the same name to FAT"));
}

#[test]
fn joliet_maps_what_it_cannot_hold_and_has_no_half_characters() {
    let host = host();
    for name in ["esc\u{1b}[2J", "tab\t", "line\nbreak", "f;1", "star*?:<|>", "\u{1f600}"] {
        host.put(&format!("tree/{name}"), b"x");
    }
    let (described, bytes) = host.build(TREE);
    let mapped: Vec<&str> = described
        .planned
        .name_map
        .iter()
        .map(|mapped| mapped.name.as_str())
        .collect();
    for name in ["esc_[2J", "tab_", "line_break", "f_1", "star__\u{5f}<|>", "_"] {
        assert!(mapped.contains(&name), "{name} {mapped:?}");
    }
    let surrogate = bytes.windows(4).any(|four| four == [0xd8, 0x3d, 0xde, 0x00]);
    assert!(!surrogate, "half of a pair is no character of UCS-2");
}
