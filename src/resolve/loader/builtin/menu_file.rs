//! The menu file, which the loader reads: a line for each value.

use std::ops::Range;

use super::NO_ID;
use crate::formats::pe::Machine;
use crate::manifest::Firmware;
use crate::resolve::menu::{Entry, Menu, Start, Starts};

/// A menu to be written, as its lines.
#[derive(Debug, Default)]
pub struct MenuFile {
    /// What stands over it.
    pub title: String,
    /// Seconds; -1 waits for ever.
    pub timeout: i64,
    /// The entry that is chosen at first, from 1.
    pub default: usize,
    /// The speed of the serial console.
    pub serial: Option<u32>,
    /// The entries.
    pub entries: Vec<MenuFileEntry>,
}

/// An entry of a [`MenuFile`]: its title, and its other lines in their order.
#[derive(Debug)]
pub struct MenuFileEntry {
    /// What the menu shows.
    pub title: String,
    /// Key and value of each line. A value is bytes: a path of the image need not be text.
    pub lines: Vec<(&'static str, Vec<u8>)>,
}

/// The menu file's bytes, and where the image's id stands in them; it is [`NO_ID`] so far. A control character of the title, which
/// a volume identifier may have, becomes a space: each value is one line.
pub fn render(menu: &MenuFile) -> (Vec<u8>, Range<usize>) {
    let mut out = b"# The menu of isobuild's boot loader, which reads it from here.\nid = ".to_vec();
    let id = out.len()..out.len() + NO_ID.len();
    out.extend_from_slice(NO_ID);
    let title = menu.title.replace(char::is_control, " ");
    let head = format!(
        "\ntitle = {title}\ntimeout = {}\ndefault = {}\n",
        menu.timeout, menu.default
    );
    out.extend_from_slice(head.as_bytes());
    if let Some(speed) = menu.serial {
        out.extend_from_slice(format!("serial = {speed}\n").as_bytes());
    }
    for entry in &menu.entries {
        out.extend_from_slice(format!("\nentry = {}\n", entry.title).as_bytes());
        for (key, value) in &entry.lines {
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b" = ");
            out.extend_from_slice(value);
            out.push(b'\n');
        }
    }
    (out, id)
}

impl MenuFile {
    /// The lines of a menu.
    pub(in crate::resolve) fn of(menu: &Menu<'_>) -> Self {
        let entries = menu.entries.iter().map(|entry| MenuFileEntry {
            title: entry.title.to_owned(),
            lines: lines(entry, menu.firmware),
        });
        Self {
            title: menu.title.clone(),
            timeout: menu.timeout,
            default: 1 + menu.default,
            serial: menu.serial,
            entries: entries.collect(),
        }
    }
}

fn lines(entry: &Entry<'_>, image: Starts) -> Vec<(&'static str, Vec<u8>)> {
    let mut lines = Vec::new();
    match &entry.start {
        Start::Action(action) => lines.push(("action", action.word().into())),
        Start::Linux {
            kernel,
            initrds,
            unified,
        } => {
            lines.push(("kernel", kernel.path.clone()));
            lines.extend(initrds.iter().map(|initrd| ("initrd", initrd.path.clone())));
            lines.extend(unified.iter().map(|(machine, path)| (key(*machine), path.clone())));
        }
        Start::Programs { bios, efi } => {
            lines.extend(bios.iter().map(|program| ("bios", program.path.clone())));
            let is_one = entry.said.efi.len() == 1;
            let efi = efi.iter().map(|(machine, path)| match is_one {
                true => ("efi", path.clone()),
                false => (key(*machine), path.clone()),
            });
            lines.extend(efi);
        }
    }
    if let Some(line) = entry.command_line() {
        lines.push(("cmdline", line.as_bytes().to_vec()));
    }
    lines.extend(entry.by.and_then(|by| limits(image, by)));
    lines
}

/// The key for a program of a processor; of no other has the menu one.
fn key(machine: Machine) -> &'static str {
    match machine {
        Machine::Ia32 => "efi-ia32",
        Machine::Aa64 => "efi-aa64",
        _ => "efi-x64",
    }
}

/// The line for an entry that not every firmware of the image can start: the others do not show it.
fn limits(image: Starts, entry: Starts) -> Option<(&'static str, Vec<u8>)> {
    let words = |by: Starts| {
        Firmware::ALL
            .into_iter()
            .zip(by)
            .filter(|(_, by)| *by)
            .map(|(firmware, _)| firmware.word())
    };
    let some = image.iter().zip(entry).any(|(&image, entry)| image && !entry);
    some.then(|| ("firmware", words(entry).collect::<Vec<_>>().join(" ").into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_menu_file_is_for_people_too() {
        let (bytes, id) = render(&MenuFile {
            title: "ACME\n1.4".into(),
            timeout: 5,
            default: 1,
            serial: Some(115_200),
            entries: vec![MenuFileEntry {
                title: "Install".into(),
                lines: vec![("kernel", b"/boot/vmlinuz".to_vec()), ("cmdline", b"quiet".to_vec())],
            }],
        });
        assert_eq!(&bytes[id], NO_ID);
        let text = String::from_utf8(bytes).unwrap();
        let (_, behind) = text.split_once("0000\n").unwrap();
        let wanted = "title = ACME 1.4\ntimeout = 5\ndefault = 1\nserial = 115200\n\nentry = Install\nkernel = /boot/vmlinuz\n\
                      cmdline = quiet\n";
        assert_eq!(behind, wanted);
    }
}
