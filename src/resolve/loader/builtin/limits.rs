//! What the built-in loader cannot start although the firmware can, and what it has no room for.

use super::{LARGEST_PROGRAM, LONGEST_BIOS_COMMAND_LINE};
use crate::manifest::{At, Firmware, Reference, Text};
use crate::resolve::Resolution;
use crate::resolve::menu::{BiosProgram, Entry, Initrd, Start, Starts, kernel, total};

/// Removes from an entry the firmware under which the loader cannot start it, and warns why.
pub(in crate::resolve) fn judge(resolution: &mut Resolution<'_>, entry: &mut Entry<'_>) {
    let (said, Some(by)) = (entry.said, &mut entry.by) else {
        return;
    };
    match (&entry.start, &said.kernel, &said.bios) {
        (Start::Linux { kernel, initrds, .. }, Some(path), _) => {
            let name = path.get_ref();
            if let Some(line) = &said.cmdline {
                resolution.bios_command_line(name, line, &kernel.program, by);
            }
            if let Some(first) = said.initrd.first() {
                resolution.initrds_of_32_bits(name, first, initrds, by);
            }
        }
        (
            Start::Programs {
                bios: Some(program), ..
            },
            _,
            Some(path),
        ) => resolution.size_of_program(path, program),
        _ => {}
    }
}

impl Resolution<'_> {
    /// Whether the loader for BIOS has room for the command line.
    fn bios_command_line(&mut self, name: &Reference, line: &Text, program: &kernel::Program, by: &mut Starts) {
        let length = line.get_ref().len();
        let is_taken = program.command_line.is_some_and(|limit| length <= limit);
        if is_taken && length > LONGEST_BIOS_COMMAND_LINE {
            let reason = format!(
                "the command line of {name:?} has {length} bytes, and the loader for BIOS takes {LONGEST_BIOS_COMMAND_LINE}"
            );
            self.lacking(line, Firmware::Bios, reason, by);
        }
    }

    /// Whether a loader of 32 bits can count the initrds.
    fn initrds_of_32_bits(&mut self, name: &Reference, first: &At<Reference>, initrds: &[Initrd], by: &mut Starts) {
        const LARGEST_OF_32_BITS: u64 = i32::MAX as u64;
        let total = total(initrds);
        if total > LARGEST_OF_32_BITS {
            let reason = format!(
                "the initrds of {name:?} have {total} bytes, and firmware of 32 bits takes {LARGEST_OF_32_BITS} at most"
            );
            self.lacking(first, Firmware::UefiIa32, reason, by);
        }
    }

    /// Whether a program for BIOS fits where the loader moves it to; a kernel goes elsewhere.
    fn size_of_program(&mut self, path: &At<Reference>, program: &BiosProgram) {
        if !program.has_linux_header && program.length > LARGEST_PROGRAM {
            let (name, length) = (path.get_ref(), program.length);
            let message = format!(
                "{name:?} has {length} bytes and no Linux-style header; a program without one has {LARGEST_PROGRAM} at most"
            );
            self.error(path, message, "this file");
        }
    }
}
