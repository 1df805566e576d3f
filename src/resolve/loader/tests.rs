//! The same menu by each family: what stands in the manifest comes back from the readers of the languages, and nothing of it is a directive.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::grub::config;
use super::isolinux;
use super::systemd_boot;
use crate::look::menu::{self, of_texts};
use crate::manifest::MenuEntry;
use crate::resolve::menu::{Entry, Kernel, Menu, Start, kernel};

/// A menu of one Linux entry and another behind it, rendered.
fn with_menu<T>(title: &str, line: &str, render: impl FnOnce(&Menu<'_>) -> T) -> T {
    let said = [title, "the entry behind it"].map(|title| MenuEntry {
        title: Some(title.to_owned().into()),
        cmdline: Some(line.to_owned().into()),
        ..MenuEntry::default()
    });
    let entry = |said| Entry {
        said,
        title: said.shown_title(),
        start: Start::Linux {
            kernel: Kernel {
                path: b"/boot/vmlinuz".to_vec(),
                length: 1,
                program: kernel::read(&Vec::new()),
            },
            initrds: Vec::new(),
            unified: None,
        },
        by: Some([true, true, false, false]),
        runs: Some([true, true, false, false]),
    };
    render(&Menu {
        title: "LABEL".into(),
        timeout: 5,
        default: 0,
        serial: None,
        entries: said.iter().map(entry).collect(),
        firmware: [true, true, false, false],
    })
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Titles and command lines of a configuration, as its reader shows them.
fn read(path: &str, config: &str) -> Vec<(String, String)> {
    let menu: menu::Menu = of_texts(&[(path, config), ("/boot/vmlinuz", "")], &[]);
    let bios = menu.entries.into_iter().filter(|entry| entry.firmware.name() == "bios");
    bios.map(|entry| (entry.title, entry.cmdline)).collect()
}

/// What `grub-script-check` says of a configuration; none where it is not installed.
fn is_grub_script(config: &str) -> Option<bool> {
    let directory = tempfile::tempdir().ok()?;
    let path = directory.path().join("grub.cfg");
    std::fs::write(&path, config).ok()?;
    let mut command = Command::new("grub-script-check");
    let status = command.arg(path).stderr(Stdio::null()).status().ok()?;
    Some(status.success())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn grub_reads_what_the_manifest_says(title in "[ -~é中]{1,30}", line in "[ -~é]{0,40}") {
        let refused = super::grub::refuses(&line);
        let config = text(with_menu(&title, &line, |menu| config::menu(menu, menu.firmware, None)));
        prop_assert_ne!(is_grub_script(&config), Some(false), "{}", config);
        let found = read("/boot/grub/grub.cfg", &config);
        // What is refused is an error of the manifest, and such an entry is in no menu.
        let titles: Vec<&str> = found.iter().map(|(title, _)| title.as_str()).collect();
        match refused {
            true => prop_assert_eq!(titles, Vec::<&str>::new()),
            false => {
                prop_assert_eq!(titles, [title.as_str(), "the entry behind it"]);
                // GRUB puts an argument's quotes around all of it, and one blank between two.
                let is_alike = |one: &str, other: &str| {
                    let plain = |line: &str| line.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ");
                    plain(one) == plain(other)
                };
                prop_assert!(is_alike(&found[0].1, &line), "{:?} {:?}", found, line);
            }
        }
    }

    #[test]
    fn isolinux_reads_what_the_manifest_says(title in "[ -~é中]{1,30}", line in "[ -~é]{0,40}") {
        prop_assume!(!isolinux::refuses(&title, &line) && !title.trim().is_empty());
        let config = text(with_menu(&title, &line, isolinux::render));
        let found = read("/isolinux/isolinux.cfg", &config);
        let titles: Vec<&str> = found.iter().map(|(title, _)| title.as_str()).collect();
        prop_assert_eq!(titles, [title.trim(), "the entry behind it"]);
        prop_assert_eq!(found[0].1.trim(), line.trim());
    }

    #[test]
    fn systemd_boot_reads_what_the_manifest_says(title in "[ -~é中]{1,30}", line in "[ -~é]{0,40}") {
        prop_assume!(!title.trim().is_empty());
        let (path, entry) = with_menu(&title, &line, systemd_boot::first);
        let menu: menu::Menu = of_texts(&[], &[("/EFI/BOOT/BOOTX64.EFI", ""), (&path, &text(entry)), ("/boot/vmlinuz", "")]);
        let uefi = menu.entries.iter().find(|entry| entry.firmware.name() == "uefi").unwrap();
        prop_assert_eq!(&uefi.title, title.trim());
        prop_assert_eq!(&uefi.cmdline, line.trim());
        prop_assert_eq!(uefi.kernel.as_deref(), Some("/boot/vmlinuz"));
    }
}
