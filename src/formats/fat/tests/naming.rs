//! Names: what is refused, what is equal, and the short names.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;
use crate::formats::fat::names::{checksum, exact_short, fold, short_names, show_short};

fn planned(root: Vec<Node>) -> Result<Plan, FatError> {
    plan(&volume(root, Size::Fit { free: 0 }, 512))
}

#[test]
fn invalid_names_are_refused_with_their_path() {
    let long = "x".repeat(256);
    let surrogates = "😀".repeat(128);
    for name in [
        "",
        ".",
        "..",
        "a.",
        "a ",
        "a*",
        "a?",
        "a<",
        "a>",
        "a|",
        "a\"",
        "a:",
        "a\\b",
        "a/b",
        "a\n",
        "a\u{7f}",
        "a\u{ffff}",
        &long,
        &surrogates,
    ] {
        let error = planned(vec![directory("EFI", vec![file(name, 1, 0)])]).unwrap_err();
        assert!(matches!(&error, FatError::Name { path, .. } if *path == format!("/EFI/{name}")));
    }
    let deep = (0..17).fold(Vec::new(), |nodes, _| vec![directory("x".repeat(250), nodes)]);
    assert!(matches!(planned(deep), Err(FatError::Name { path, .. }) if path.len() > 4096));
    for name in [
        "x".repeat(255),
        "😀".repeat(127),
        ".hidden".into(),
        " a".into(),
        "é".into(),
    ] {
        check_round_trip(&volume(vec![file(name, 1, 0)], Size::Fit { free: 0 }, 512));
    }
}

#[test]
fn names_equal_but_for_case_are_refused() {
    for (one, other) in [("a", "A"), ("Grub.cfg", "GRUB.CFG"), ("é", "É"), ("same", "same")] {
        let error = planned(vec![directory("d", vec![file(one, 1, 0), file(other, 1, 1)])]);
        let text = error.unwrap_err().to_string();
        assert_eq!(text, format!("/d/{one} and /d/{other} are the same name to FAT"));
    }
    assert_eq!(fold("straße ŉ"), "STRAßE ŉ");
}

#[test]
fn labels_are_verbatim_or_refused() {
    for label in ["esp", " A", "A ", "TWELVE CHARS", "A.B", "Ä", "A\0", "A+B"] {
        let mut volume = volume(Vec::new(), Size::Fit { free: 0 }, 512);
        volume.label = label.into();
        assert!(matches!(plan(&volume), Err(FatError::Label { .. })), "{label}");
    }
    for label in ["", "A", "BOOT DISK 1", "NO NAME"] {
        let mut volume = volume(Vec::new(), Size::Fit { free: 0 }, 512);
        volume.label = label.into();
        check_round_trip(&volume);
    }
}

#[test]
fn only_exact_names_go_without_a_long_one() {
    for name in ["BOOTX64.EFI", "A", "A.B", "$~1", "EFI"] {
        assert!(exact_short(name).is_some(), "{name}");
    }
    for name in ["bootx64.efi", "TOOLONGNAME", "A.LONG", "A B", ".A", "A.B.C", "É", "A+B"] {
        assert_eq!(exact_short(name), None, "{name}");
    }
}

#[test]
fn short_names_are_readable_and_unique() {
    let names = [
        "grub.cfg",
        "GRUBX6~1.CFG",
        "grubx64+a.cfg",
        "grubx64 b.cfg",
        ".bashrc",
        "日本",
    ];
    let shown: Vec<String> = short_names(&names).iter().map(|s| show_short(s, 0)).collect();
    assert_eq!(
        shown,
        [
            "GRUB.CFG",
            "GRUBX6~1.CFG",
            "GRUBX6~2.CFG",
            "GRUBX6~3.CFG",
            "BASHRC~1",
            "__~1"
        ]
    );
}

#[test]
fn ten_thousand_alike_names_stay_fast() {
    let names: Vec<String> = (0..10_000)
        .map(|n| format!("a long common prefix {n}.conf"))
        .chain((0..5_000).map(|n| format!("a lo{n:04}ng common prefix.conf")))
        .chain((1..=400).map(|n| format!("ALONG~{n}.CON")))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let start = Instant::now();
    let shorts = short_names(&names);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(shorts.iter().collect::<BTreeSet<_>>().len(), names.len());

    let nodes = (0..10_000)
        .map(|n| file(format!("a long common prefix {n}"), 0, n))
        .collect();
    check_round_trip(&volume(vec![directory("d", nodes)], Size::Fit { free: 0 }, 512));
}

#[test]
fn the_checksum_is_the_one_of_the_specification() {
    // ChkSum() of fatgen103, by its own recurrence.
    for short in [*b"GRUB    CFG", *b"LONGNA~1TXT", [0xFF; 11]] {
        let mut sum = 0_u32;
        for byte in short {
            sum = ((sum & 1) * 0x80 + (sum >> 1) + u32::from(byte)) & 0xFF;
        }
        assert_eq!(u32::from(checksum(&short)), sum);
    }
}

#[test]
fn full_directories_are_refused_with_the_count() {
    // A name of 14 to 26 units takes three entries; the label and the names fill the root.
    let nodes = |count: usize| (0..count).map(|n| file(format!("a longer name {n:05}"), 0, n));
    let root: Vec<Node> = nodes(170).chain([file("A", 0, 998)]).collect();
    check_round_trip(&volume(root.clone(), Size::Exact(8 * MIB), 512));
    let more: Vec<Node> = root.into_iter().chain([file("B", 0, 999)]).collect();
    for size in [Size::Exact(8 * MIB), Size::Fit { free: 0 }] {
        let error = plan(&volume(more.clone(), size, 512)).unwrap_err();
        assert!(
            matches!(
                error,
                FatError::RootFull {
                    entries: 513,
                    available: 512,
                    ..
                }
            ),
            "{error}"
        );
    }
    check_round_trip(&volume(more, Size::Exact(300 * MIB), 512));

    let full = directory(
        "d",
        nodes(21_844)
            .chain([file("A", 0, 99_998), file("B", 0, 99_999)])
            .collect(),
    );
    check_round_trip(&volume(vec![full], Size::Exact(8 * MIB), 512));
    let over = directory("d", nodes(21_845).collect());
    let error = planned(vec![over]).unwrap_err();
    assert!(matches!(&error, FatError::DirectoryFull { path, entries: 65_537 } if path == "/d"));
}
