//! What an entry starts: which firmware can, and what speaks against it.

use super::initrd::Initrd;
use super::{Starts, processor};
use crate::formats::pe::Machine;
use crate::ground::decompress::Compression;
use crate::look::inspect;
use crate::manifest::error::Error;
use crate::manifest::{At, Firmware, MenuEntry, Reference};
use crate::resolve::Resolution;
use crate::resolve::loader::builtin::{LARGEST_PROGRAM, LONGEST_BIOS_COMMAND_LINE, LONGEST_COMMAND_LINE, kernel};
use crate::tree::PayloadId;

/// A path in the image, and who can start what is there.
pub(super) type Found = (Vec<u8>, Starts);

impl Resolution<'_> {
    /// A kernel, with what its entry gives it.
    pub(super) fn kernel(
        &mut self,
        path: &At<Reference>,
        entry: &MenuEntry,
        initrds: &[Initrd],
    ) -> Result<Option<Found>, Error> {
        let Some(payload) = self.reference(path)? else {
            return Ok(None);
        };
        let Some(payload) = self.uncompressed_kernel(path, payload)? else {
            return Ok(None);
        };
        let program = kernel::read(self.open(payload)?.0.as_ref());
        let name = path.get_ref();
        if let Some(message) = unfit_kernel(&program, name) {
            self.error(path, message, "this file");
            return Ok(None);
        }
        let Some(place) = self.boot_place(path, payload) else {
            return Ok(None);
        };
        if let (true, Some(initrd)) = (program.has_initrd, entry.initrd.first()) {
            let message = format!("{name:?} is a unified kernel image with an initrd of its own (.initrd)");
            self.error(initrd, message, "one initrd too many");
        }
        let mut starts = Firmware::ALL.map(|firmware| match processor(firmware) {
            None => program.boot_protocol.is_some(),
            Some(machine) => program.efi.contains(&machine),
        });
        let length = self.tree.payload(payload).length;
        self.command_line(path, entry, &program, &mut starts);
        self.room_for_initrds(path, entry, (&program, length), initrds, &mut starts);
        Ok(Some((place, starts)))
    }

    /// Whether the command line is as short as the kernel takes.
    fn command_line(
        &mut self,
        path: &At<Reference>,
        entry: &MenuEntry,
        program: &kernel::Program,
        starts: &mut Starts,
    ) {
        let Some(line) = &entry.cmdline else { return };
        let (length, name) = (line.get_ref().len(), path.get_ref());
        let (limit, whose) = match program.command_line {
            Some(limit) => (limit, format!("{name:?} takes {limit} by its header")),
            None if program.efi.contains(&Machine::Aa64) => {
                let limit = LONGEST_COMMAND_LINE;
                (limit, format!("Linux takes {limit} on 64-bit ARM"))
            }
            None => return,
        };
        if length > limit {
            let message = format!("the command line has {length} bytes; {whose}");
            self.error(line, message, "too long");
        } else if length > LONGEST_BIOS_COMMAND_LINE {
            let reason = format!(
                "the command line of {name:?} has {length} bytes, and the loader for BIOS takes {LONGEST_BIOS_COMMAND_LINE}"
            );
            self.lacking(line, Firmware::Bios, reason, starts);
        }
    }

    /// Whether there is room for the initrds where a firmware's loader has to put them.
    fn room_for_initrds(
        &mut self,
        path: &At<Reference>,
        entry: &MenuEntry,
        (program, length): (&kernel::Program, u64),
        initrds: &[Initrd],
        starts: &mut Starts,
    ) {
        const LARGEST_OF_32_BITS: u64 = i32::MAX as u64;
        let Some(first) = entry.initrd.first() else { return };
        // The loader has each begin at a multiple of four.
        let total = initrds.iter().fold(0u64, |sum, initrd| {
            sum.next_multiple_of(4).saturating_add(initrd.length)
        });
        let name = path.get_ref();
        if let Some(memory) = program.memory {
            let (from, last) = (memory.initrd_first(length), memory.initrd_last);
            let room = (last + 1).saturating_sub(from);
            if total > room {
                let reason = format!(
                    "the initrds of {name:?} have {total} bytes, and under a BIOS there is room for {room}: from {from}, behind the \
                     kernel, to {last}, the last byte that its header allows them (initrd_addr_max)"
                );
                self.lacking(first, Firmware::Bios, reason, starts);
            }
        }
        if total > LARGEST_OF_32_BITS {
            let reason = format!(
                "the initrds of {name:?} have {total} bytes, and firmware of 32 bits takes {LARGEST_OF_32_BITS} at most"
            );
            self.lacking(first, Firmware::UefiIa32, reason, starts);
        }
    }

    /// Takes a firmware away from those that start an entry, and says why.
    fn lacking<T>(&mut self, at: &At<T>, firmware: Firmware, reason: String, starts: &mut Starts) {
        for (one, starts) in Firmware::ALL.iter().zip(starts.iter_mut()) {
            if *one == firmware && *starts {
                *starts = false;
                let message = format!("{reason}; the entry does not show under {}", firmware.word());
                self.warn(at, message, "too much");
                self.lacks.push((firmware, reason.clone()));
            }
        }
    }

    /// Some distributions compress the kernel for 64-bit ARM with gzip, which UEFI does not start: it goes into the image decompressed.
    fn uncompressed_kernel(&mut self, path: &At<Reference>, payload: PayloadId) -> Result<Option<PayloadId>, Error> {
        let name = path.get_ref();
        let bytes = self.open(payload)?.0;
        let start = bytes.read_vec_at(0, bytes.size().min(16)).unwrap_or_default();
        let Some(compression) = Compression::of(&start) else {
            return Ok(Some(payload));
        };
        let how = compression.name();
        let Reference::Host(host) = path.get_ref() else {
            let message = format!("{name:?} is compressed with {how}, and no firmware starts it so");
            self.error(path, message, "decompress it, or name it by its path on the host");
            return Ok(None);
        };
        let Some(decompressed) = self.decompressed(&path.map(|_| host.clone()))? else {
            return Ok(None);
        };
        let program = kernel::read(self.open(decompressed)?.0.as_ref());
        if program.efi.is_empty() && program.boot_protocol.is_none() {
            let message = format!(
                "{name:?} is compressed with {how}, and what is in it is not a Linux kernel that a BIOS or UEFI loader could start"
            );
            self.error(path, message, "this file");
            return Ok(None);
        }
        Ok(Some(decompressed))
    }

    /// A program for BIOS: anything but what is known to be no such program.
    pub(super) fn bios_program(&mut self, path: &At<Reference>) -> Result<Option<Found>, Error> {
        let Some((payload, place)) = self.boot_file(path)? else {
            return Ok(None);
        };
        let bytes = self.open(payload)?.0;
        let (program, length) = (kernel::read(bytes.as_ref()), bytes.size());
        let head = bytes.read_vec_at(0, length.min(inspect::START)).unwrap_or_default();
        let name = path.get_ref();
        let message = match program.boot_protocol {
            Some(_) => None,
            None if length == 0 => Some(format!("{name:?} is empty")),
            None if head.starts_with(b"MZ") => Some(format!(
                "{name:?} is a program for DOS, Windows or UEFI and has no Linux-style header: a BIOS does not start it"
            )),
            None if head.starts_with(b"#!") => Some(format!("{name:?} is a script, which a BIOS does not start")),
            None if length > LARGEST_PROGRAM => Some(format!(
                "{name:?} has {length} bytes and no Linux-style header; a program without one has {LARGEST_PROGRAM} at most"
            )),
            None => inspect::by_start(&head).map(|it| format!("{name:?} is {}, not a program for a BIOS", it.what)),
        };
        if let Some(message) = message {
            self.error(path, message, "this file");
            return Ok(None);
        }
        let starts = Firmware::ALL.map(|firmware| firmware == Firmware::Bios);
        Ok(Some((place, starts)))
    }

    /// Programs for UEFI, one for each processor: each with its key in the menu file.
    pub(super) fn efi_programs(&mut self, paths: &[At<Reference>]) -> Result<Vec<(&'static str, Found)>, Error> {
        let mut programs: Vec<(&'static str, Found)> = Vec::new();
        for path in paths {
            let Some((payload, place)) = self.boot_file(path)? else {
                continue;
            };
            let program = kernel::read(self.open(payload)?.0.as_ref());
            let name = path.get_ref();
            let known = program.efi.iter().find_map(|machine| key(*machine));
            let own = match (known, program.efi.first()) {
                (Some(own), _) => Ok(own),
                (None, Some(machine)) => Err(for_nobody(name, *machine)),
                (None, None) => Err(format!("{name:?} is not an EFI program")),
            };
            let key = match own {
                Ok(_) if paths.len() == 1 => "efi",
                Ok(own) => own,
                Err(message) => {
                    self.error(path, message, "this file");
                    continue;
                }
            };
            if programs.iter().any(|(other, _)| *other == key) {
                let message = format!("{name:?} is for the same processor as another program of the entry");
                self.error(path, message, "one too many");
                continue;
            }
            let by = |firmware| processor(firmware).is_some_and(|machine| program.efi.contains(&machine));
            programs.push((key, (place, Firmware::ALL.map(by))));
        }
        Ok(programs)
    }
}

/// The menu file's key for a program of a processor.
fn key(machine: Machine) -> Option<&'static str> {
    match machine {
        Machine::X64 => Some("efi-x64"),
        Machine::Ia32 => Some("efi-ia32"),
        Machine::Aa64 => Some("efi-aa64"),
        _ => None,
    }
}

fn for_nobody(name: &Reference, machine: Machine) -> String {
    format!("{name:?} is for {machine}, and the built-in loader is for x64, ia32 and aa64")
}

/// Why the loader could not start a file as a kernel.
fn unfit_kernel(program: &kernel::Program, name: &Reference) -> Option<String> {
    match program.efi.first() {
        Some(machine) if key(*machine).is_none() => Some(for_nobody(name, *machine)),
        None if program.boot_protocol.is_none() => Some(format!(
            "{name:?} is not a Linux kernel: it has no header that a BIOS or UEFI loader could start"
        )),
        _ => None,
    }
}
