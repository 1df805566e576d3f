//! The menu in ISOLINUX's language: a directive a line, and its value up to the line's end (SYSLINUX's documentation, "syslinux.txt" and
//! "menu.txt").

use super::super::template::fill;
use crate::manifest::{Action, Firmware};
use crate::resolve::menu::{Entry, Menu, Start};

/// The modules that actions are.
pub(super) fn module(action: Action) -> Option<&'static str> {
    match action {
        Action::Reboot => Some("reboot.c32"),
        Action::Poweroff => Some("poweroff.c32"),
        Action::Machine => Some("hdt.c32"),
        Action::FirmwareSetup | Action::NextDevice => None,
    }
}

/// The module that shows the menu: in a frame of its own on the screen, or as text, which a serial port shows too. None where nobody is to see one.
pub(super) fn interface(menu: &Menu<'_>) -> Option<&'static str> {
    match (menu.timeout, menu.serial) {
        (0, _) => None,
        (_, Some(_)) => Some("menu.c32"),
        (_, None) => Some("vesamenu.c32"),
    }
}

/// The entries that a BIOS shows, each with its number from 1.
pub(super) fn shown<'m, 'd>(menu: &'m Menu<'d>) -> impl Iterator<Item = (usize, &'m Entry<'d>)> {
    let at = Firmware::ALL.iter().position(|firmware| *firmware == Firmware::Bios);
    (1..).zip(&menu.entries).filter(move |(_, entry)| match &entry.start {
        // No call of a BIOS starts its set-up.
        Start::Action(action) => *action != Action::FirmwareSetup,
        _ => entry.by.is_none_or(|by| at.is_some_and(|at| by[at])),
    })
}

/// `isolinux.cfg`.
pub(in crate::resolve::loader) fn render(menu: &Menu<'_>) -> Vec<u8> {
    let serial = menu.serial.map_or(String::new(), |speed| format!("SERIAL 0 {speed}"));
    let interface = interface(menu).map_or(String::new(), |module| format!("UI {module}"));
    let first = shown(menu).map(|(number, _)| number).next().unwrap_or(1);
    let wanted = menu.default + 1;
    let default = shown(menu).map(|(number, _)| number).find(|number| *number == wanted);
    let default = default.unwrap_or(first);
    // In tenths of a second; 0 waits for ever.
    let timeout = menu.timeout.max(0) * 10;
    let mut entries = Vec::new();
    for (number, entry) in shown(menu) {
        entries.extend_from_slice(format!("\nLABEL entry-{number}\n").as_bytes());
        entries.extend_from_slice(format!("\tMENU LABEL {}\n", entry.title).as_bytes());
        if number == default {
            entries.extend_from_slice(b"\tMENU DEFAULT\n");
        }
        entries.extend(body(entry));
    }
    fill(
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/isolinux/isolinux.cfg")),
        &[
            ("serial", serial.as_bytes()),
            ("interface", interface.as_bytes()),
            ("default", format!("entry-{default}").as_bytes()),
            ("timeout", timeout.to_string().as_bytes()),
            ("title", menu.title.replace(char::is_control, " ").as_bytes()),
            ("entries", &entries),
        ],
    )
}

fn body(entry: &Entry<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line = |directive: &str, value: &[u8]| {
        out.extend_from_slice(format!("\t{directive} ").as_bytes());
        out.extend_from_slice(value);
        out.push(b'\n');
    };
    let append = entry.command_line().into_iter().map(str::as_bytes);
    match &entry.start {
        Start::Linux { kernel, initrds, .. } => {
            line("LINUX", &kernel.path);
            let paths: Vec<&[u8]> = initrds.iter().map(|initrd| &initrd.path[..]).collect();
            if !paths.is_empty() {
                line("INITRD", &paths.join(&b','));
            }
            append.for_each(|words| line("APPEND", words));
        }
        Start::Programs { bios, .. } => {
            if let Some(program) = bios {
                line(if program.has_linux_header { "LINUX" } else { "BOOT" }, &program.path);
            }
            append.for_each(|words| line("APPEND", words));
        }
        Start::Action(action) => match module(*action) {
            Some(module) => line("COM32", module.as_bytes()),
            // INT 18h: the BIOS goes on. From a stick not every BIOS goes on to a hard disk (measured: SeaBIOS does not).
            None => line("LOCALBOOT", b"-1"),
        },
    }
    out
}
