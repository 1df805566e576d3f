//! What an entry starts: which firmware can, and what speaks against it.

use super::{Starts, kernel, processor};
use crate::formats::pe::Machine;
use crate::ground::decompress::Compression;
use crate::look::inspect;
use crate::manifest::{At, Firmware, Reference};
use crate::resolve::Resolution;
use crate::resolve::ResolveError;
use crate::tree::PayloadId;

/// A program for BIOS in the image.
pub(in crate::resolve) struct BiosProgram {
    /// Where it is.
    pub(in crate::resolve) path: Vec<u8>,
    /// In bytes.
    pub(in crate::resolve) length: u64,
    /// It is loaded as a Linux kernel is.
    pub(in crate::resolve) has_linux_header: bool,
}

/// A kernel in the image.
pub(in crate::resolve) struct Kernel {
    /// Where it is.
    pub(in crate::resolve) path: Vec<u8>,
    /// In bytes.
    pub(in crate::resolve) length: u64,
    /// What its headers say.
    pub(in crate::resolve) program: kernel::Program,
}

impl Resolution<'_> {
    /// The file of a kernel, and what its headers say.
    pub(in crate::resolve) fn kernel_file(
        &mut self,
        path: &At<Reference>,
    ) -> Result<Option<(PayloadId, kernel::Program)>, ResolveError> {
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
        Ok(Some((payload, program)))
    }

    /// Some distributions compress the kernel for 64-bit ARM with gzip, which UEFI does not start: it goes into the image decompressed.
    fn uncompressed_kernel(
        &mut self,
        path: &At<Reference>,
        payload: PayloadId,
    ) -> Result<Option<PayloadId>, ResolveError> {
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
    pub(super) fn bios_program(&mut self, path: &At<Reference>) -> Result<Option<(BiosProgram, Starts)>, ResolveError> {
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
            None => inspect::by_start(&head).map(|it| format!("{name:?} is {}, not a program for a BIOS", it.what)),
        };
        if let Some(message) = message {
            self.error(path, message, "this file");
            return Ok(None);
        }
        let by = Firmware::ALL.map(|firmware| firmware == Firmware::Bios);
        let program = BiosProgram {
            path: place,
            length,
            has_linux_header: program.boot_protocol.is_some(),
        };
        Ok(Some((program, by)))
    }

    /// Programs for UEFI, one for each processor: for which, where, and who can start it.
    pub(super) fn efi_programs(
        &mut self,
        paths: &[At<Reference>],
    ) -> Result<Vec<(Machine, Vec<u8>, Starts)>, ResolveError> {
        let mut programs: Vec<(Machine, Vec<u8>, Starts)> = Vec::new();
        for path in paths {
            let Some((payload, place)) = self.boot_file(path)? else {
                continue;
            };
            let program = kernel::read(self.open(payload)?.0.as_ref());
            let name = path.get_ref();
            let known = program.efi.iter().copied().find(is_served);
            let machine = match (known, program.efi.first()) {
                (Some(machine), _) => machine,
                (None, first) => {
                    let message = match first {
                        Some(machine) => for_nobody(name, *machine),
                        None => format!("{name:?} is not an EFI program"),
                    };
                    self.error(path, message, "this file");
                    continue;
                }
            };
            if programs.iter().any(|(other, ..)| *other == machine) {
                let message = format!("{name:?} is for the same processor as another program of the entry");
                self.error(path, message, "one too many");
                continue;
            }
            let by = |firmware| processor(firmware).is_some_and(|machine| program.efi.contains(&machine));
            programs.push((machine, place, Firmware::ALL.map(by)));
        }
        Ok(programs)
    }
}

/// Whether a firmware that images are made for starts programs of a processor.
fn is_served(machine: &Machine) -> bool {
    Firmware::ALL
        .into_iter()
        .any(|firmware| processor(firmware) == Some(*machine))
}

fn for_nobody(name: &Reference, machine: Machine) -> String {
    format!("{name:?} is for {machine}, and the built-in loader is for x64, ia32 and aa64")
}

/// Why the loader could not start a file as a kernel.
fn unfit_kernel(program: &kernel::Program, name: &Reference) -> Option<String> {
    match program.efi.first() {
        Some(machine) if !is_served(machine) => Some(for_nobody(name, *machine)),
        None if program.boot_protocol.is_none() => Some(format!(
            "{name:?} is not a Linux kernel: it has no header that a BIOS or UEFI loader could start"
        )),
        _ => None,
    }
}
