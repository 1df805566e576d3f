//! The built-in loader: the menu's files into the tree, the menu file, and the loader's own images.

mod initrd;
mod program;
mod words;

use crate::facts::loaders::loader_facts;
use crate::facts::menu_file;
use crate::facts::{MenuFacts, MenuProgram};
use crate::formats::el_torito::{Emulation, Platform};
use crate::formats::pe::Machine;
use crate::ground::text;
use crate::manifest::error::Error;
use crate::manifest::{Action, At, Firmware, MenuEntry, Reference};
use crate::resolve::loader::builtin;
use crate::tree::source::Giver;
use crate::tree::{Attributes, Conflict, Kind, NodeId, Patch, Patched, PayloadId, ROOT};

use super::boot::Parts;
use super::host::read_whole;
use super::{BootBytes, BootImage, Resolution};

/// Key and value of each line of an entry in the menu file.
type Lines = Vec<(&'static str, Vec<u8>)>;

/// Which firmware can start an entry, or is to be able to start the image, in the order of [`Firmware::ALL`].
type Starts = [bool; Firmware::ALL.len()];

impl Resolution<'_> {
    /// Reads what the menu names and puts it and the menu file into the tree. What is for the ESP comes back: path and payload.
    pub(super) fn loader(&mut self, parts: &mut Parts) -> Result<Vec<(Vec<String>, PayloadId)>, Error> {
        let document = self.document;
        let manifest = &document.manifest;
        let titles = || manifest.menu.iter().map(|entry| entry.get_ref().shown_title());
        let default = manifest.boot.default.as_ref().map(|default| default.get_ref().as_str());
        let mut menu = builtin::Menu {
            title: super::identifiers(document, &self.output).volume,
            timeout: manifest.boot.timeout.as_ref().map_or(5, |timeout| *timeout.get_ref()),
            default: 1 + titles().position(|title| Some(title) == default).unwrap_or(0),
            serial: manifest.boot.serial.as_ref().map(|speed| *speed.get_ref()),
            entries: Vec::new(),
        };
        self.warn_of_words();
        let mut starts = Vec::new();
        for (entry, title) in manifest.menu.iter().zip(titles()) {
            let (lines, by) = self.menu_entry(entry.get_ref())?;
            starts.push(by);
            menu.entries.push(builtin::MenuFileEntry {
                title: title.to_owned(),
                lines,
            });
        }
        let image = self.firmware(&starts);
        parts.menu = self.entries_by_firmware(image, &starts);
        for (entry, by) in menu.entries.iter_mut().zip(&starts) {
            entry.lines.extend(by.and_then(|by| limits(image, by)));
        }
        self.menu_file(&menu);
        let wanted = |firmware| {
            Firmware::ALL
                .into_iter()
                .zip(image)
                .any(|each| each == (firmware, true))
        };
        if wanted(Firmware::Bios) {
            self.bios_loader(parts);
        }
        let mut esp = Vec::new();
        let signing = self.signing();
        for firmware in Firmware::ALL.into_iter().filter(|&firmware| wanted(firmware)) {
            let program = builtin::EFI
                .into_iter()
                .find(|each| Some(each.0) == processor(firmware));
            if let Some((_, name, program)) = program {
                let [efi, boot, _] = builtin::ID_PATH;
                let payload = match &signing {
                    Some(signing) => {
                        let signed = self.signed(signing, program);
                        self.host.inline(&mut self.tree, &signed, Giver::Loader)
                    }
                    None => self.host.inline(&mut self.tree, program, Giver::Loader),
                };
                esp.push(([efi, boot, name].map(str::to_owned).to_vec(), payload));
            }
        }
        if !esp.is_empty() {
            let id = self.host.inline(&mut self.tree, builtin::NO_ID, Giver::Loader);
            self.tree.set_image_id(id, 0);
            esp.push((builtin::ID_PATH.map(str::to_owned).to_vec(), id));
        }
        parts.owner = signing.and_then(|signing| signing.certificate);
        Ok(esp)
    }

    /// The firmware that the loader is for: what the manifest says, else what the menu's programs can run under. A menu of nothing but
    /// actions is for all.
    fn firmware(&mut self, starts: &[Option<Starts>]) -> Starts {
        let manifest = &self.document.manifest;
        let nothing = starts.iter().flatten().next().is_none();
        let image = std::array::from_fn(|at| match &manifest.boot.firmware {
            Some(list) => list.get_ref().iter().any(|item| *item.get_ref() == Firmware::ALL[at]),
            None => nothing || starts.iter().flatten().any(|by| by[at]),
        });
        for (entry, by) in manifest.menu.iter().zip(starts) {
            let (Some(by), Some(kernel)) = (by, &entry.get_ref().kernel) else {
                continue;
            };
            // A menu may be for several processors; what one of them does not start is nothing to be told of.
            let is_pc = |firmware| firmware != Firmware::UefiAa64;
            let for_pcs = Firmware::ALL
                .into_iter()
                .zip(by)
                .any(|(firmware, by)| *by && is_pc(firmware));
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
    fn entries_by_firmware(&mut self, image: Starts, starts: &[Option<Starts>]) -> Vec<MenuFacts> {
        let manifest = &self.document.manifest;
        let has_programs = starts.iter().flatten().next().is_some();
        let mut menus = Vec::new();
        for (at, firmware) in Firmware::ALL.into_iter().enumerate() {
            let entries = manifest.menu.iter().zip(starts);
            let shown = entries.filter(|(entry, by)| {
                let action = entry.get_ref().action.as_ref().map(|action| *action.get_ref());
                // No call of a BIOS starts its set-up.
                let is_shown = action != Some(Action::FirmwareSetup) || firmware != Firmware::Bios;
                image[at] && is_shown && by.is_none_or(|by| by[at])
            });
            let entries: Vec<String> = shown
                .map(|(entry, _)| entry.get_ref().shown_title().to_owned())
                .collect();
            let starts_one = starts.iter().flatten().any(|by| by[at]);
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
                firmware: firmware.word().to_owned(),
                entries,
                lacks: reasons.map(|(_, reason)| reason.clone()).filter(|_| !starts_one),
            });
        }
        menus.retain(|menu| !menu.entries.is_empty() || menu.lacks.is_some());
        menus
    }

    /// The lines of an entry, and who can start it; of an action nobody knows.
    fn menu_entry(&mut self, entry: &MenuEntry) -> Result<(Lines, Option<Starts>), Error> {
        let mut lines = Vec::new();
        let mut starts = None;
        if let Some(action) = &entry.action {
            lines.push(("action", action.get_ref().word().into()));
        }
        let mut both = |lines: &mut Lines, key, (line, by): (Vec<u8>, Starts)| {
            lines.push((key, line));
            let starts: &mut Starts = starts.get_or_insert_default();
            starts.iter_mut().zip(by).for_each(|(one, other)| *one |= other);
        };
        let initrds = self.initrds(entry)?;
        if let Some(path) = &entry.kernel
            && let Some(found) = self.kernel(path, entry, &initrds)?
        {
            both(&mut lines, "kernel", found);
        }
        if let Some(path) = &entry.bios
            && let Some(found) = self.bios_program(path)?
        {
            both(&mut lines, "bios", found);
        }
        for (key, found) in self.efi_programs(&entry.efi)? {
            both(&mut lines, key, found);
        }
        lines.extend(initrds.into_iter().map(|initrd| ("initrd", initrd.path)));
        if let Some(line) = &entry.cmdline {
            lines.push(("cmdline", line.get_ref().clone().into_bytes()));
        }
        Ok((lines, starts))
    }

    /// A file of the menu: where `iso:/` leads, else from the host to `/boot/NAME`.
    fn boot_file(&mut self, path: &At<Reference>) -> Result<Option<(PayloadId, Vec<u8>)>, Error> {
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
                candidate.extend_from_slice(format!("-{number}").as_bytes());
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

    fn of_loader(&self) -> Attributes {
        Attributes {
            mode: 0o644,
            ..self.implied
        }
    }

    fn menu_file(&mut self, menu: &builtin::Menu) {
        let Some(first) = self.document.manifest.menu.first() else {
            return;
        };
        let (bytes, id) = builtin::render(menu);
        if bytes.len() > menu_file::LARGEST {
            let message = format!(
                "the menu file would have {} bytes; the loader reads {} at most",
                bytes.len(),
                menu_file::LARGEST
            );
            self.error(first, message, "the first of its entries");
        }
        let payload = self.host.inline(&mut self.tree, &bytes, Giver::Loader);
        self.tree.set_image_id(payload, id.start);
        self.place_own(menu_file::PATH, payload);
    }

    /// What the menu starts under UEFI on a 64-bit PC, read as `inspect` reads it.
    pub(super) fn menu_programs(&self) -> Result<Vec<MenuProgram>, Error> {
        let file = |path: &[u8]| {
            let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
            match self.tree.node(self.tree.find(names)?).kind {
                Kind::File(payload) => Some(payload),
                _ => None,
            }
        };
        let Some(menu) = file(menu_file::PATH.join("/").as_bytes()) else {
            return Ok(Vec::new());
        };
        let menu = read_whole(self.tree.payload(menu))?;
        let mut programs = Vec::new();
        for started in menu_file::started(&menu) {
            if let Some(payload) = file(&started.path) {
                let (bytes, _) = self.open(payload)?;
                programs.push(MenuProgram {
                    title: started.title,
                    is_default: started.is_default,
                    program: loader_facts(&text::lossless(&started.path), bytes.as_ref()),
                });
            }
        }
        Ok(programs)
    }

    /// Puts a file of the loader's own into the tree.
    fn place_own(&mut self, path: [&str; 3], payload: PayloadId) {
        let [directories @ .., name] = path;
        let directories = directories.iter().map(|name| name.as_bytes());
        let parent = self.tree.directories(ROOT, directories, self.implied);
        let attributes = self.of_loader();
        let added = parent.and_then(|parent| {
            let kind = Kind::File(payload);
            self.tree.insert(parent, name.as_bytes(), kind, attributes, None)
        });
        if let Err(conflict) = added
            && let Some(first) = self.document.manifest.menu.first()
        {
            let taken = text::visible(&self.tree.path(conflict.node()));
            let message = format!("{taken} of [[files]] stands where the loader puts /{}", path.join("/"));
            self.error(first, message, "needs that place");
        }
    }

    fn bios_loader(&mut self, parts: &mut Parts) {
        let image = self.host.inline(&mut self.tree, builtin::BIOS_IMAGE, Giver::Loader);
        let patch = Patch::Isolinux;
        self.tree.set_patched(
            image,
            Patched {
                patch,
                bytes: builtin::BIOS_IMAGE.into(),
            },
        );
        self.tree.set_image_id(image, builtin::ID_IN_BIOS_IMAGE);
        self.place_own(builtin::BIOS_PATH, image);
        parts.images.push(BootImage {
            platform: Platform::Bios,
            emulation: Emulation::None,
            load_segment: 0,
            system_type: 0,
            sectors: 4,
            disk_length: None,
            end: builtin::BIOS_IMAGE.len() as u64,
            image: BootBytes::Payload(image),
        });
        let mut code = [0; 440];
        code[..builtin::BOOT_CODE.len()].copy_from_slice(builtin::BOOT_CODE);
        parts.boot_code = Some(code);
        parts.boot_code_patch = Some(patch);
    }
}

/// The processor for which a firmware starts EFI programs.
fn processor(firmware: Firmware) -> Option<Machine> {
    match firmware {
        Firmware::Bios => None,
        Firmware::Uefi => Some(Machine::X64),
        Firmware::UefiIa32 => Some(Machine::Ia32),
        Firmware::UefiAa64 => Some(Machine::Aa64),
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
