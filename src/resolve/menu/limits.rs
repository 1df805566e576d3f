//! What a kernel takes from any loader: how long its command line is, and where its initrds are.

use super::{Entry, Initrd, Kernel, Start, Starts, kernel};
use crate::formats::pe::Machine;
use crate::manifest::{At, Firmware, Reference, Text};
use crate::resolve::Resolution;
use crate::resolve::loader::builtin::LONGEST_COMMAND_LINE;

impl Resolution<'_> {
    /// Refuses a command line that the kernel does not take, and takes a BIOS away if there is no room for the initrds.
    pub(in crate::resolve) fn what_kernels_take(&mut self, entry: &mut Entry<'_>) {
        let (said, Some(by)) = (entry.said, &mut entry.by) else {
            return;
        };
        let (Start::Linux { kernel, initrds, .. }, Some(path)) = (&entry.start, &said.kernel) else {
            return;
        };
        let name = path.get_ref();
        if let Some(line) = &said.cmdline {
            self.command_line(name, line, &kernel.program);
        }
        if let Some(first) = said.initrd.first() {
            self.room_for_initrds(name, first, (kernel, initrds), by);
        }
    }

    pub(in crate::resolve) fn command_line(&mut self, name: &Reference, line: &Text, program: &kernel::Program) {
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
        }
    }

    /// Whether there is room where a BIOS' loader has to put the initrds.
    fn room_for_initrds(
        &mut self,
        name: &Reference,
        first: &At<Reference>,
        (kernel, initrds): (&Kernel, &[Initrd]),
        by: &mut Starts,
    ) {
        let Some(memory) = kernel.program.memory else { return };
        let total = total(initrds);
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
}

/// The bytes of all initrds. A loader has each begin at a multiple of four.
pub(in crate::resolve) fn total(initrds: &[Initrd]) -> u64 {
    initrds.iter().fold(0u64, |sum, initrd| {
        sum.next_multiple_of(4).saturating_add(initrd.length)
    })
}
