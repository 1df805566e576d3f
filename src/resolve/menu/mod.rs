//! The menu in a form that any family of boot loaders can show: what each entry starts, its path in the image, and which firmware can
//! start it.

mod initrd;
pub(super) mod kernel;
mod limits;
mod linux;
mod program;
mod words;

use crate::facts::MenuFacts;
use crate::formats::pe::Machine;
use crate::manifest::{self, Action, At, Firmware, MenuEntry, Reference};
use crate::resolve::ResolveError;
use crate::tree::{Attributes, Conflict, Kind, NodeId, PayloadId, ROOT};

use super::Resolution;
use super::loader;
pub(super) use initrd::{Initrd, is_initrd};
pub(super) use limits::total;
pub(super) use program::{BiosProgram, Kernel};

/// Which firmware can start an entry, or is to be able to start the image, in the order of [`Firmware::ALL`].
pub(super) type Starts = [bool; Firmware::ALL.len()];

/// A menu whose files are in the tree.
pub(super) struct Menu<'d> {
    /// What stands over it.
    pub(super) title: String,
    /// Seconds; -1 waits for ever.
    pub(super) timeout: i64,
    /// The entry that is chosen at first, from 0.
    pub(super) default: usize,
    /// The speed of the serial console.
    pub(super) serial: Option<u32>,
    /// In their order.
    pub(super) entries: Vec<Entry<'d>>,
    /// The firmware that the image is for.
    pub(super) firmware: Starts,
}

impl Menu<'_> {
    /// Whether the image is for a firmware.
    pub(super) fn is_for(&self, firmware: Firmware) -> bool {
        let mut all = Firmware::ALL.into_iter().zip(self.firmware);
        all.any(|each| each == (firmware, true))
    }
}

/// An entry of a menu.
pub(super) struct Entry<'d> {
    /// What the manifest says.
    pub(super) said: &'d MenuEntry,
    /// What the menu shows.
    pub(super) title: &'d str,
    /// What is started.
    pub(super) start: Start,
    /// Which firmware can start it. `None` for an action, which starts nothing.
    pub(super) by: Option<Starts>,
    /// Which firmware could, whatever the image's own loader can.
    pub(super) runs: Option<Starts>,
}

impl Entry<'_> {
    /// The command line that a loader passes. `None` for a unified kernel image, which has it inside.
    pub(super) fn command_line(&self) -> Option<&str> {
        let is_in_program = self.said.is_unified() && matches!(self.start, Start::Programs { .. });
        let line = self.said.cmdline.as_ref().filter(|_| !is_in_program);
        line.map(|line| line.get_ref().as_str())
    }

    /// The unified kernel image that a firmware starts in place of kernel and initrds.
    pub(super) fn unified(&self, firmware: Firmware) -> Option<&[u8]> {
        match &self.start {
            Start::Linux {
                unified: Some((machine, path)),
                ..
            } if processor(firmware) == Some(*machine) => Some(path),
            _ => None,
        }
    }
}

/// What an entry starts. Paths are those of the image, with a slash at their beginning.
pub(super) enum Start {
    /// A Linux kernel.
    Linux {
        /// The kernel.
        kernel: Kernel,
        /// Its initrds, in their order.
        initrds: Vec<Initrd>,
        /// A unified kernel image, which UEFI on this processor starts instead of the files.
        unified: Option<(Machine, Vec<u8>)>,
    },
    /// A program for each kind of firmware.
    Programs {
        /// For a BIOS.
        bios: Option<BiosProgram>,
        /// For UEFI on one processor each.
        efi: Vec<(Machine, Vec<u8>)>,
    },
    /// What the loader does itself.
    Action(Action),
}

impl<'d> Resolution<'d> {
    /// Reads the files that the menu names and puts them into the tree. An entry whose file cannot be used is reported and left out.
    pub(super) fn menu(&mut self) -> Result<Menu<'d>, ResolveError> {
        let document = self.document;
        let manifest = &document.manifest;
        let titles = || manifest.menu.iter().map(|entry| entry.get_ref().shown_title());
        let default = manifest.boot.default.as_ref().map(|default| default.get_ref().as_str());
        self.warn_of_words();
        let mut entries = Vec::new();
        for said in &manifest.menu {
            if let Some(mut entry) = self.menu_entry(said.get_ref())? {
                loader::judge(self, &mut entry);
                entries.push(entry);
            }
        }
        Ok(Menu {
            title: super::identifiers(document, self.output()).volume,
            timeout: manifest.boot.timeout.as_ref().map_or(5, |timeout| *timeout.get_ref()),
            default: titles().position(|title| Some(title) == default).unwrap_or(0),
            serial: manifest.boot.serial.as_ref().map(|speed| *speed.get_ref()),
            firmware: self.firmware(&entries),
            entries,
        })
    }

    /// What an entry starts, and who can start it. `None` if the entry cannot be used; an error has been reported then.
    fn menu_entry(&mut self, said: &'d MenuEntry) -> Result<Option<Entry<'d>>, ResolveError> {
        let found = match (&said.action, &said.kernel) {
            (Some(action), _) => Some((Start::Action(*action.get_ref()), None)),
            (None, Some(path)) => {
                let started = self.linux(path, said)?;
                started.map(|(start, by)| (start, Some(by)))
            }
            (None, None) => {
                let bios = match &said.bios {
                    Some(path) => self.bios_program(path)?,
                    None => None,
                };
                let efi = self.efi_programs(&said.efi)?;
                let by = std::array::from_fn(|at| {
                    let starts = |by: &Starts| by[at];
                    bios.iter().any(|(_, by)| starts(by)) || efi.iter().any(|(.., by)| starts(by))
                });
                let is_there = bios.is_some() || !efi.is_empty();
                let efi = efi.into_iter().map(|(machine, path, _)| (machine, path)).collect();
                let bios = bios.map(|(program, _)| program);
                is_there.then_some((Start::Programs { bios, efi }, Some(by)))
            }
        };
        Ok(found.map(|(start, by)| Entry {
            said,
            title: said.shown_title(),
            start,
            by,
            runs: by,
        }))
    }

    /// The firmware that the loader is for: what the manifest says, else what the menu's programs can run under. A menu of nothing but
    /// actions is for all that the built-in loader has programs for; of others', for BIOS and UEFI on a 64-bit PC.
    fn firmware(&mut self, entries: &[Entry<'_>]) -> Starts {
        let manifest = &self.document.manifest;
        let nothing = entries.iter().all(|entry| entry.by.is_none());
        let is_own = manifest.loader() == manifest::Loader::Builtin;
        let served = loader::served(manifest.loader());
        for asked in manifest.boot.firmware.iter().flat_map(|list| list.get_ref()) {
            let mut all = Firmware::ALL.into_iter().zip(served);
            if all.any(|each| each == (*asked.get_ref(), false)) {
                let message = format!("{} is not for {}", manifest.loader().name(), asked.get_ref().word());
                self.error(asked, message, "started by another loader");
            }
        }
        let image = std::array::from_fn(|at| match &manifest.boot.firmware {
            Some(list) => list.get_ref().iter().any(|item| *item.get_ref() == Firmware::ALL[at]),
            None if nothing => served[at] && (is_own || matches!(Firmware::ALL[at], Firmware::Bios | Firmware::Uefi)),
            None => entries.iter().filter_map(|entry| entry.by).any(|by| by[at]),
        });
        for entry in entries {
            let (Some(by), Some(kernel)) = (entry.by, &entry.said.kernel) else {
                continue;
            };
            // A menu may be for several processors; what one of them does not start is nothing to be told of.
            let is_pc = |firmware| firmware != Firmware::UefiAa64;
            let for_pcs = Firmware::ALL
                .into_iter()
                .zip(by)
                .any(|(firmware, by)| by && is_pc(firmware));
            let missed: Vec<_> = Firmware::ALL
                .into_iter()
                .zip(image.into_iter().zip(by))
                .filter(|(firmware, (image, by))| *image && !*by && is_pc(*firmware) == for_pcs)
                .map(|(firmware, _)| firmware.word())
                .collect();
            if !missed.is_empty() {
                let message = format!("{:?} cannot be started under {}", kernel.get_ref(), missed.join(", "));
                self.warn(kernel, message, "its header says so");
            }
        }
        image
    }

    /// What each firmware's menu shows. A firmware that is asked for and starts nothing of a menu with programs is an error; one that is not
    /// asked for has no menu, and perhaps a reason.
    pub(super) fn entries_by_firmware(&mut self, menu: &Menu<'_>) -> Vec<MenuFacts> {
        let manifest = &self.document.manifest;
        let (image, entries) = (menu.firmware, &menu.entries);
        let has_programs = entries.iter().any(|entry| entry.by.is_some());
        for entry in entries.iter().filter(|entry| entry.by.is_some()) {
            let is_shown = image
                .iter()
                .zip(entry.by.unwrap_or_default())
                .any(|(&image, by)| image && by);
            let said = &entry.said;
            if let (false, Some(path)) = (
                is_shown,
                said.kernel.as_ref().or(said.bios.as_ref()).or(said.efi.first()),
            ) {
                let message = format!(
                    "no firmware that this image is for starts {:?}: it is in no menu",
                    path.get_ref()
                );
                self.warn(path, message, "never shown");
            }
        }
        let mut menus = Vec::new();
        for (at, firmware) in Firmware::ALL.into_iter().enumerate() {
            let shown = entries.iter().filter(|entry| {
                // No call of a BIOS starts its set-up.
                let is_setup = matches!(entry.start, Start::Action(Action::FirmwareSetup));
                let is_shown = !is_setup || firmware != Firmware::Bios;
                image[at] && is_shown && entry.by.is_none_or(|by| by[at])
            });
            let titles: Vec<String> = shown.map(|entry| entry.title.to_owned()).collect();
            let starts_one = entries.iter().filter_map(|entry| entry.by).any(|by| by[at]);
            if image[at] && has_programs && !starts_one {
                let list = manifest.boot.firmware.as_ref();
                let word = list.and_then(|list| list.get_ref().iter().find(|item| *item.get_ref() == firmware));
                if let Some(word) = word {
                    let message = format!("no [[menu]] entry can be started under {}", firmware.word());
                    self.error(word, message, "starts nothing");
                }
            }
            let reasons = self.lacks.iter().find(|(of, _)| *of == firmware);
            menus.push(MenuFacts {
                firmware: firmware.into(),
                entries: titles,
                lacks: reasons.map(|(_, reason)| reason.clone()).filter(|_| !starts_one),
            });
        }
        menus.retain(|menu| !menu.entries.is_empty() || menu.lacks.is_some());
        menus
    }

    /// A file of the menu: where `iso:/` leads, else from the host to `/boot/NAME`.
    fn boot_file(&mut self, path: &At<Reference>) -> Result<Option<(PayloadId, Vec<u8>)>, ResolveError> {
        let Some(payload) = self.reference(path)? else {
            return Ok(None);
        };
        Ok(self.boot_place(path, payload).map(|place| (payload, place)))
    }

    /// The path in the image of a file of the menu, where it is put if it comes from the host.
    fn boot_place(&mut self, named: &At<Reference>, payload: PayloadId) -> Option<Vec<u8>> {
        let path = match named.get_ref() {
            Reference::Host(path) => path,
            Reference::Image(path) => return self.image_file(named, path).map(|node| self.tree.path(node)),
        };
        let host = self.host_path(path);
        let name = host.file_name()?.as_encoded_bytes().to_vec();
        let node = self.place_boot_file(named, &name, payload)?;
        Some(self.tree.path(node))
    }

    /// Puts a payload into `/boot` under a name, numbered if another file has it.
    fn place_boot_file(&mut self, at: &At<Reference>, name: &[u8], payload: PayloadId) -> Option<NodeId> {
        let directory = match self.tree.directory(ROOT, b"boot", self.implied) {
            Ok(directory) => directory,
            Err(_) => {
                self.error(
                    at,
                    "/boot is a file of [[files]], and this belongs into a directory of that name",
                    "has no place",
                );
                return None;
            }
        };
        for number in 1_u32.. {
            let mut candidate = name.to_vec();
            if number > 1 {
                // The suffix tells people that the file is an EFI program.
                let suffix = if name.ends_with(b".efi") { &b".efi"[..] } else { b"" };
                candidate.truncate(name.len() - suffix.len());
                candidate.extend_from_slice(format!("-{number}").as_bytes());
                candidate.extend_from_slice(suffix);
            }
            match self
                .tree
                .insert(directory, &candidate, Kind::File(payload), self.of_loader(), None)
            {
                Ok(node) => return Some(node),
                Err(Conflict::Occupied(node)) => {
                    if matches!(self.tree.node(node).kind, Kind::File(other) if other == payload) {
                        return Some(node);
                    }
                }
                Err(Conflict::NotDirectory(_) | Conflict::Link(_)) => break,
            }
        }
        None
    }

    /// Of a file that a loader puts into the image.
    pub(super) fn of_loader(&self) -> Attributes {
        Attributes {
            mode: 0o644,
            ..self.implied
        }
    }
}

/// The processor for which a firmware starts EFI programs.
pub(super) fn processor(firmware: Firmware) -> Option<Machine> {
    match firmware {
        Firmware::Bios => None,
        Firmware::Uefi => Some(Machine::X64),
        Firmware::UefiIa32 => Some(Machine::Ia32),
        Firmware::UefiAa64 => Some(Machine::Aa64),
    }
}
