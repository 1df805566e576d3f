//! What the built-in loader cannot start although the firmware can, and what it has no room for.

use super::{LARGEST_PROGRAM, LONGEST_BIOS_COMMAND_LINE, LONGEST_COMMAND_LINE};
use crate::formats::pe::Machine;
use crate::manifest::{At, Firmware, Reference, Text};
use crate::resolve::Resolution;
use crate::resolve::menu::{BiosProgram, Entry, Initrd, Kernel, Start, Starts, kernel};

/// Removes from an entry the firmware under which the loader cannot start it, and warns why.
pub(in crate::resolve) fn judge(resolution: &mut Resolution<'_>, entry: &mut Entry<'_>) {
    let (said, Some(by)) = (entry.said, &mut entry.by) else {
        return;
    };
    match (&entry.start, &said.kernel, &said.bios) {
        (Start::Linux { kernel, initrds }, Some(path), _) => {
            let name = path.get_ref();
            if let Some(line) = &said.cmdline {
                resolution.command_line(name, line, &kernel.program, by);
            }
            if let Some(first) = said.initrd.first() {
                resolution.room_for_initrds(name, first, (kernel, initrds), by);
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
    /// Whether the command line is as short as the kernel takes.
    fn command_line(&mut self, name: &Reference, line: &Text, program: &kernel::Program, by: &mut Starts) {
        let length = line.get_ref().len();
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
            self.lacking(line, Firmware::Bios, reason, by);
        }
    }

    /// Whether there is room for the initrds where a firmware's loader has to put them.
    fn room_for_initrds(
        &mut self,
        name: &Reference,
        first: &At<Reference>,
        (kernel, initrds): (&Kernel, &[Initrd]),
        by: &mut Starts,
    ) {
        const LARGEST_OF_32_BITS: u64 = i32::MAX as u64;
        // The loader has each begin at a multiple of four.
        let total = initrds.iter().fold(0u64, |sum, initrd| {
            sum.next_multiple_of(4).saturating_add(initrd.length)
        });
        if let Some(memory) = kernel.program.memory {
            let (from, last) = (memory.initrd_first(kernel.length), memory.initrd_last);
            let room = (last + 1).saturating_sub(from);
            if total > room {
                let reason = format!(
                    "the initrds of {name:?} have {total} bytes, and under a BIOS there is room for {room}: from {from}, behind the \
                     kernel, to {last}, the last byte that its header allows them (initrd_addr_max)"
                );
                self.lacking(first, Firmware::Bios, reason, by);
            }
        }
        if total > LARGEST_OF_32_BITS {
            let reason = format!(
                "the initrds of {name:?} have {total} bytes, and firmware of 32 bits takes {LARGEST_OF_32_BITS} at most"
            );
            self.lacking(first, Firmware::UefiIa32, reason, by);
        }
    }

    /// Takes a firmware away from those that start an entry, and says why.
    fn lacking<T>(&mut self, at: &At<T>, firmware: Firmware, reason: String, by: &mut Starts) {
        for (one, by) in Firmware::ALL.iter().zip(by.iter_mut()) {
            if *one == firmware && *by {
                *by = false;
                let message = format!("{reason}; the entry does not show under {}", firmware.word());
                self.warn(at, message, "too much");
                self.lacks.push((firmware, reason.clone()));
            }
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
