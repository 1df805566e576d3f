//! The menu as systemd-boot reads it: `loader.conf`, and a file for each entry (UAPI.1, Boot Loader Specification, "Type #1").

use super::super::template::fill;
use crate::formats::pe::Machine;
use crate::manifest::{Action, Firmware};
use crate::resolve::menu::{Entry, Menu, Start, Starts, processor};

/// An entry's file in the directory of entries, its bytes, and the paths that it names.
pub(super) struct EntryFile {
    pub(super) name: String,
    pub(super) text: Vec<u8>,
    pub(super) paths: Vec<Vec<u8>>,
}

/// The name of an entry, from 0. systemd-boot shows those with a sort key in the order of their keys.
fn name(number: usize) -> String {
    format!("entry-{:03}", number + 1)
}

/// `loader.conf`.
pub(super) fn loader(menu: &Menu<'_>, files: &[EntryFile]) -> Vec<u8> {
    let has = |wanted: Action| {
        let is_it = |entry: &Entry<'_>| matches!(entry.start, Start::Action(action) if action == wanted);
        if menu.entries.iter().any(is_it) { "yes" } else { "no" }
    };
    let timeout = match menu.timeout {
        -1 => "menu-force".to_owned(),
        seconds => seconds.to_string(),
    };
    // A program for several processors has a file for each.
    let wanted = name(menu.default);
    let default = files
        .iter()
        .find(|file| file.name.starts_with(&wanted))
        .or(files.first());
    let default = match default {
        Some(file) if file.name.starts_with(&wanted) => format!("{wanted}*"),
        Some(file) => file.name.clone(),
        None => wanted,
    };
    fill(
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/templates/systemd-boot/loader.conf"
        )),
        &[
            ("default", default.as_bytes()),
            ("timeout", timeout.as_bytes()),
            ("firmware", has(Action::FirmwareSetup).as_bytes()),
            ("reboot", has(Action::Reboot).as_bytes()),
            ("poweroff", has(Action::Poweroff).as_bytes()),
        ],
    )
}

/// The files of the entries that are shown under these kinds of firmware.
pub(super) fn entries(menu: &Menu<'_>, starts: Starts) -> Vec<EntryFile> {
    let mut files = Vec::new();
    for (number, entry) in menu.entries.iter().enumerate() {
        let shown = Firmware::ALL.into_iter().zip(starts).filter(|(_, starts)| *starts);
        let by = entry.by.unwrap_or_default();
        let shown =
            shown.filter(|(firmware, _)| Firmware::ALL.into_iter().zip(by).any(|each| each == (*firmware, true)));
        let (unified, shown): (Vec<Firmware>, Vec<Firmware>) = shown
            .map(|(firmware, _)| firmware)
            .partition(|firmware| entry.unified(*firmware).is_some());
        for firmware in unified {
            if let (Some(machine), Some(path)) = (processor(firmware), entry.unified(firmware)) {
                files.push(program(entry, number, machine, path));
            }
        }
        let machines: Vec<Machine> = shown.into_iter().filter_map(processor).collect();
        if machines.is_empty() {
            continue;
        }
        match &entry.start {
            Start::Linux { kernel, initrds, .. } => {
                let mut text = Text::new(entry, number);
                text.line("linux", &kernel.path);
                initrds.iter().for_each(|initrd| text.line("initrd", &initrd.path));
                // Shown on all processors unless it is for one alone.
                if let ([machine], true) = (&machines[..], starts.iter().filter(|starts| **starts).count() > 1) {
                    text.line("architecture", machine.to_string().as_bytes());
                }
                text.options(entry);
                let paths = std::iter::once(&kernel.path).chain(initrds.iter().map(|initrd| &initrd.path));
                files.push(EntryFile {
                    name: name(number),
                    text: text.0,
                    paths: paths.cloned().collect(),
                });
            }
            Start::Programs { efi, .. } => {
                let efi = efi.iter().filter(|(machine, _)| machines.contains(machine));
                files.extend(efi.map(|(machine, path)| program(entry, number, *machine, path)));
            }
            Start::Action(_) => {}
        }
    }
    files
}

/// The file of an entry's program for a processor.
fn program(entry: &Entry<'_>, number: usize, machine: Machine, path: &[u8]) -> EntryFile {
    let mut text = Text::new(entry, number);
    text.line("efi", path);
    text.line("architecture", machine.to_string().as_bytes());
    // A unified kernel image has its command line inside.
    if !matches!(entry.start, Start::Linux { .. }) {
        text.options(entry);
    }
    EntryFile {
        name: format!("{}-{machine}", name(number)),
        text: text.0,
        paths: vec![path.to_vec()],
    }
}

/// The lines of an entry.
struct Text(Vec<u8>);

impl Text {
    fn new(entry: &Entry<'_>, number: usize) -> Self {
        let mut text = Self(Vec::new());
        text.line("title", entry.title.as_bytes());
        text.line("sort-key", name(number).as_bytes());
        text
    }

    fn line(&mut self, key: &str, value: &[u8]) {
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b' ');
        self.0.extend(whole(value));
        self.0.push(b'\n');
    }

    fn options(&mut self, entry: &Entry<'_>) {
        if let Some(line) = entry.command_line() {
            self.line("options", line.as_bytes());
        }
    }
}

/// systemd-boot takes away a quotation mark at the beginning of a value and one at its end; it gets a pair more to take.
fn whole(value: &[u8]) -> Vec<u8> {
    match value {
        [b'"', .., b'"'] => [b"\"", value, b"\""].concat(),
        value => value.to_vec(),
    }
}
