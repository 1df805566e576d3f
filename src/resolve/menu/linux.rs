//! An entry that starts Linux: from its files, or from one program that holds them all.

use super::{Kernel, Start, Starts, processor};
use crate::formats::pe::Machine;
use crate::manifest::{At, Firmware, MenuEntry, Reference};
use crate::resolve::loader;
use crate::resolve::loader::uki::Wanted;
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;

impl Resolution<'_> {
    /// What an entry with this kernel starts, and which firmware can start it. If it cannot be used, the error is reported and the result is
    /// `None`.
    pub(super) fn linux(
        &mut self,
        path: &At<Reference>,
        said: &MenuEntry,
    ) -> Result<Option<(Start, Starts)>, ResolveError> {
        let initrds = self.initrd_files(&said.initrd)?;
        let Some((payload, program)) = self.kernel_file(path)? else {
            return Ok(None);
        };
        if let (true, Some(initrd)) = (program.has_initrd, said.initrd.first()) {
            let message = format!(
                "{:?} is a unified kernel image with an initrd of its own (.initrd)",
                path.get_ref()
            );
            self.error(initrd, message, "one initrd too many");
        }
        let mut by = Firmware::ALL.map(|firmware| match processor(firmware) {
            None => program.boot_protocol.is_some(),
            Some(machine) => program.efi.contains(&machine),
        });
        let mut unified = None;
        if said.is_unified() {
            let files: Vec<PayloadId> = initrds.iter().map(|(_, payload)| *payload).collect();
            let Some((machine, image)) = self.unified_entry(path, (payload, &files), said)? else {
                return Ok(None);
            };
            if !self.needs_files(by) {
                if let Some(line) = &said.cmdline {
                    self.command_line(path.get_ref(), line, &program);
                }
                self.cannot_scan(said);
                by = Firmware::ALL.map(|firmware| processor(firmware) == Some(machine));
                let efi = vec![(machine, image)];
                return Ok(Some((Start::Programs { bios: None, efi }, by)));
            }
            unified = Some((machine, image));
        }
        let Some(place) = self.boot_place(path, payload) else {
            return Ok(None);
        };
        let kernel = Kernel {
            path: place,
            length: self.tree.payload(payload).length,
            program,
        };
        let initrds = self.initrds(&initrds);
        let start = Start::Linux {
            kernel,
            initrds,
            unified,
        };
        Ok(Some((start, by)))
    }

    /// Makes the unified kernel image of an entry. Returns its processor and its path.
    fn unified_entry(
        &mut self,
        path: &At<Reference>,
        (kernel, initrds): (PayloadId, &[PayloadId]),
        said: &MenuEntry,
    ) -> Result<Option<(Machine, Vec<u8>)>, ResolveError> {
        let wanted = Wanted {
            at: path,
            kernel,
            initrds,
            cmdline: said.cmdline.as_ref(),
            title: said.shown_title(),
            profiles: &[],
        };
        let Some((machine, image)) = self.unified(&wanted)? else {
            return Ok(None);
        };
        let named = match path.get_ref() {
            Reference::Host(path) | Reference::Image(path) => path.rsplit('/').next().unwrap_or_default(),
        };
        let name = format!("{}.efi", named.strip_suffix(".efi").unwrap_or(named));
        let node = self.place_boot_file(path, name.as_bytes(), image);
        Ok(node.map(|node| (machine, self.tree.path(node))))
    }

    /// Whether the image is for a firmware that cannot start a unified kernel image, and starts the kernel from its files: a BIOS, or 32-bit UEFI
    /// if the manifest names it.
    fn needs_files(&self, by: Starts) -> bool {
        let manifest = &self.document.manifest;
        let served = loader::served(manifest.loader());
        let asked = manifest.boot.firmware.as_ref();
        let mut all = Firmware::ALL.into_iter().zip(by.into_iter().zip(served));
        all.any(|(firmware, (by, served))| {
            let is_meant = match (asked, firmware) {
                (Some(list), Firmware::Bios | Firmware::UefiIa32) => {
                    list.get_ref().iter().any(|item| *item.get_ref() == firmware)
                }
                (None, Firmware::Bios) => true,
                _ => false,
            };
            by && served && is_meant
        })
    }

    /// Refuses `iso_scan`, which adds arguments. Nobody can add to a command line inside the image.
    fn cannot_scan(&mut self, said: &MenuEntry) {
        if let Some(scan) = said.iso_scan.as_ref().filter(|scan| *scan.get_ref()) {
            let message = "nobody can tell the system where it is: its command line is in the unified kernel image";
            self.error(scan, message, "of files alone");
        }
    }
}
