//! The menu in GRUB's language.

use super::limits::is_too_long;
use super::quote::{arguments, quoted, word};
use crate::manifest::{Action, Firmware};
use crate::resolve::loader::template::fill;
use crate::resolve::menu::{Entry, Menu, Start, Starts, processor};

/// A template of this project.
macro_rules! template {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/grub/", $name))
    };
}

/// What makes a menu look better than text.
pub(in crate::resolve::loader) struct Theme {
    /// Paths of fonts in the image, one at least.
    pub(super) fonts: Vec<Vec<u8>>,
    /// The path of the theme.
    pub(super) file: Vec<u8>,
}

/// For whom a menu is written.
#[derive(Clone, Copy)]
enum Reader {
    /// The image's own GRUB, for these kinds of firmware.
    Own(Starts),
    /// A GRUB that starts the image as a file on another medium: of any kind.
    Loopback,
}

impl Reader {
    fn starts(self) -> Starts {
        match self {
            Self::Own(starts) => starts,
            Self::Loopback => [true; Firmware::ALL.len()],
        }
    }

    /// Which firmware shows an entry.
    fn shown_by(self, entry: &Entry<'_>) -> Starts {
        match (&entry.start, self) {
            // No call of a BIOS starts its set-up.
            (Start::Action(Action::FirmwareSetup), _) => Firmware::ALL.map(|firmware| firmware != Firmware::Bios),
            (_, Self::Own(_)) => entry.by.unwrap_or([true; Firmware::ALL.len()]),
            (start, Self::Loopback) => {
                let is_too_long = matches!(start, Start::Programs { bios: Some(bios), .. } if is_too_long(bios));
                let mut shown = entry.runs.unwrap_or([true; Firmware::ALL.len()]);
                for (shown, firmware) in shown.iter_mut().zip(Firmware::ALL) {
                    *shown &= !(is_too_long && firmware == Firmware::Bios);
                }
                shown
            }
        }
    }
}

/// `grub.cfg`, for a GRUB that is started by these kinds of firmware.
pub(in crate::resolve::loader) fn menu(menu: &Menu<'_>, starts: Starts, theme: Option<&Theme>) -> Vec<u8> {
    let serial = menu.serial.map_or(Vec::new(), |speed| {
        fill(template!("serial.cfg"), &[("speed", speed.to_string().as_bytes())])
    });
    let theme = theme.map_or(Vec::new(), |theme| {
        let fonts: Vec<_> = theme
            .fonts
            .iter()
            .map(|font| [&b"loadfont "[..], &word(font)].concat())
            .collect();
        let console: &[u8] = if menu.serial.is_some() { b"serial" } else { b"" };
        let file = word(&theme.file);
        let values: [(&str, &[u8]); 3] = [("fonts", &fonts.join(&b"; "[..])), ("serial", console), ("file", &file)];
        fill(template!("theme.cfg"), &values)
    });
    let entries = entries(menu, Reader::Own(starts));
    fill(
        template!("grub.cfg"),
        &[
            ("serial", &serial),
            ("timeout", menu.timeout.to_string().as_bytes()),
            ("default", identifier(menu.default).as_bytes()),
            ("theme", &theme),
            ("entries", &entries),
        ],
    )
}

/// `loopback.cfg`. `None` if no entry starts anything.
pub(in crate::resolve::loader) fn loopback(menu: &Menu<'_>) -> Option<Vec<u8>> {
    let entries = entries(menu, Reader::Loopback);
    (!entries.is_empty()).then(|| fill(template!("loopback.cfg"), &[("entries", &entries)]))
}

/// Whether GRUB can give an entry's command line to its kernel.
pub(in crate::resolve::loader) fn is_sayable(entry: &Entry<'_>) -> bool {
    let line = entry.command_line().unwrap_or_default();
    let goes_to_kernel = match &entry.start {
        Start::Linux { .. } => true,
        Start::Programs { bios, .. } => bios.as_ref().is_some_and(|bios| bios.has_linux_header),
        Start::Action(_) => false,
    };
    !goes_to_kernel || arguments(line).is_ok()
}

/// The stub in the ESP, which finds the medium by a file of this path.
pub(super) fn stub(id_file: &str) -> Vec<u8> {
    fill(template!("esp.cfg"), &[("id", id_file.as_bytes())])
}

/// By its number, from 0: what an entry is for `default`, whichever entries are shown.
fn identifier(number: usize) -> String {
    format!("entry-{}", number + 1)
}

/// The name that GRUB has for a platform: `$grub_cpu-$grub_platform`.
fn platform(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::Bios => "i386-pc",
        Firmware::Uefi => "x86_64-efi",
        Firmware::UefiIa32 => "i386-efi",
        Firmware::UefiAa64 => "arm64-efi",
    }
}

fn entries(menu: &Menu<'_>, reader: Reader) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, entry) in menu.entries.iter().enumerate() {
        let Some(body) = body(entry, reader) else { continue };
        if !out.is_empty() {
            out.push(b'\n');
        }
        let condition = condition(reader.starts(), reader.shown_by(entry));
        if let Some(condition) = &condition {
            out.extend_from_slice(format!("if [ {condition} ]; then\n").as_bytes());
        }
        out.extend_from_slice(b"menuentry ");
        out.extend_from_slice(&quoted(entry.title.as_bytes()));
        out.extend_from_slice(format!(" --id {} {{\n", identifier(number)).as_bytes());
        out.extend_from_slice(&body);
        out.extend_from_slice(b"}\n");
        if condition.is_some() {
            out.extend_from_slice(b"fi\n");
        }
    }
    out
}

/// The condition for what is for some kinds of firmware of `all` alone.
fn condition(all: Starts, some: Starts) -> Option<String> {
    let both = || Firmware::ALL.into_iter().zip(all.into_iter().zip(some));
    if both().all(|(_, (all, some))| some || !all) {
        return None;
    }
    let tests: Vec<String> = both()
        .filter(|(_, (all, some))| *all && *some)
        .map(|(firmware, _)| format!("$grub_cpu-$grub_platform = {}", platform(firmware)))
        .collect();
    Some(tests.join(" -o "))
}

/// The commands of an entry. `None` if this reader does not show the entry.
fn body(entry: &Entry<'_>, reader: Reader) -> Option<Vec<u8>> {
    let is_shown = reader
        .starts()
        .into_iter()
        .zip(reader.shown_by(entry))
        .any(|(reads, shows)| reads && shows);
    // Of the image's own menu such entries are errors.
    if !is_shown || !is_sayable(entry) {
        return None;
    }
    match (&entry.start, reader) {
        (Start::Action(_), Reader::Loopback) => None,
        (Start::Action(action), Reader::Own(_)) => Some(match action {
            Action::FirmwareSetup => b"\tfwsetup\n".to_vec(),
            Action::Reboot => b"\treboot\n".to_vec(),
            Action::Poweroff => b"\thalt\n".to_vec(),
            Action::NextDevice => fill(template!("next-device.cfg"), &[]),
            Action::Machine => fill(template!("machine.cfg"), &[]),
        }),
        (Start::Linux { .. } | Start::Programs { .. }, _) => Some(by_platform(entry, reader)),
    }
}

/// The commands of an entry. If platforms need different ones, each set has a condition.
fn by_platform(entry: &Entry<'_>, reader: Reader) -> Vec<u8> {
    let shown: Starts = std::array::from_fn(|at| reader.starts()[at] && reader.shown_by(entry)[at]);
    let mut all: Vec<(Starts, Vec<u8>)> = Vec::new();
    for (at, firmware) in Firmware::ALL.into_iter().enumerate().filter(|(at, _)| shown[*at]) {
        let Some(command) = commands(entry, firmware, reader) else {
            continue;
        };
        match all.iter_mut().find(|(_, other)| *other == command) {
            Some((starts, _)) => starts[at] = true,
            None => {
                let mut starts = Starts::default();
                starts[at] = true;
                all.push((starts, command));
            }
        }
    }
    if let [(_, only)] = &all[..] {
        return only.clone();
    }
    let mut out = Vec::new();
    for (starts, command) in all {
        // Of all that show the entry, these alone.
        let condition = condition(shown, starts).unwrap_or_default();
        out.extend_from_slice(format!("\tif [ {condition} ]; then\n").as_bytes());
        for line in command.split_inclusive(|&byte| byte == b'\n') {
            out.push(b'\t');
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b"\tfi\n");
    }
    out
}

/// The commands that start an entry under a firmware.
fn commands(entry: &Entry<'_>, firmware: Firmware, reader: Reader) -> Option<Vec<u8>> {
    // The command line inside a unified kernel image cannot say where the image is on another medium. Kernel and initrds can be told.
    let finds_itself = entry.said.scans_iso() && matches!(reader, Reader::Loopback);
    let (bios, efi) = match &entry.start {
        Start::Action(_) => return None,
        Start::Programs { bios, efi } => (bios, efi),
        Start::Linux { kernel, initrds, .. } => {
            if let Some(path) = entry.unified(firmware).filter(|_| !finds_itself) {
                return Some(command(b"chainloader", path, &[]));
            }
            let mut out = command(b"linux", &kernel.path, &kernel_arguments(entry));
            if finds_itself {
                out.pop();
                out.extend_from_slice(b" iso-scan/filename=\"$iso_path\" findiso=\"$iso_path\"\n");
            }
            let mut paths = initrds.iter().map(|initrd| word(&initrd.path));
            if let Some(first) = paths.next() {
                out.extend(line(b"initrd", &[vec![first], paths.collect()].concat()));
            }
            return Some(out);
        }
    };
    match processor(firmware) {
        None => {
            let bios = bios.as_ref()?;
            Some(match bios.has_linux_header {
                true => command(b"linux16", &bios.path, &kernel_arguments(entry)),
                false => command(b"chainloader", &bios.path, &[]),
            })
        }
        Some(machine) => {
            // One program is for all processors that it names; of several, each is for its own.
            let own = efi.iter().find(|(other, _)| *other == machine).or_else(|| efi.first());
            // Its load options are the line as it is: one word.
            let options = entry.command_line().map(|line| word(line.as_bytes()));
            own.map(|(_, path)| command(b"chainloader", path, options.as_slice()))
        }
    }
}

/// The words of a command line that [`is_sayable`].
fn kernel_arguments(entry: &Entry<'_>) -> Vec<Vec<u8>> {
    let line = entry.command_line().unwrap_or_default();
    let words = arguments(line).unwrap_or_default();
    words.iter().map(|argument| word(argument.as_bytes())).collect()
}

fn command(name: &[u8], path: &[u8], words: &[Vec<u8>]) -> Vec<u8> {
    line(name, &[&[word(path)], words].concat())
}

fn line(name: &[u8], words: &[Vec<u8>]) -> Vec<u8> {
    [b"\t", name, b" ", &words.join(&b' ')[..], b"\n"].concat()
}
