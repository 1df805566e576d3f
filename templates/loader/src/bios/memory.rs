//! The machine's memory, as the BIOS shows it: INT 15h function 0xe820.

use crate::real_mode::{Registers, SCRATCH, interrupt, peek, segment};
use isobuild_loader::linux::Range;

/// Where an entry of the map is put down.
const ENTRY: usize = SCRATCH + 0x80;

/// More ranges than this are not looked at.
pub(crate) const MOST_RANGES: usize = 64;

/// An entry of the memory map.
#[derive(Clone, Copy)]
pub(crate) struct MapEntry {
    pub start: u64,
    pub end: u64,
    pub kind: u32,
}

/// The entries of the memory map in the BIOS's order.
pub(crate) fn map() -> impl Iterator<Item = MapEntry> {
    const SIGNATURE: u32 = 0x534d_4150; // "SMAP"
    let mut next = Some(0);
    core::iter::from_fn(move || {
        let result = interrupt(
            0x15,
            Registers {
                eax: 0xe820,
                ebx: next?,
                ecx: 20,
                edx: SIGNATURE,
                es: segment(SCRATCH),
                edi: (ENTRY - SCRATCH) as u32,
                ..Registers::default()
            },
        );
        next = (result.ebx != 0).then_some(result.ebx);
        if result.failed() || result.eax != SIGNATURE {
            next = None;
            return None;
        }
        let start: u64 = peek(ENTRY);
        let length: u64 = peek(ENTRY + 8);
        let end = start.saturating_add(length);
        Some(MapEntry {
            start,
            end,
            kind: peek(ENTRY + 16),
        })
    })
}

/// What is free to use, and how many ranges that is.
pub(crate) fn free() -> ([Range; MOST_RANGES], usize) {
    const USABLE: u32 = 1;
    let mut ranges = [Range::default(); MOST_RANGES];
    let mut count = 0;
    for entry in map().filter(|entry| entry.kind == USABLE) {
        if let Some(range) = ranges.get_mut(count) {
            *range = Range {
                start: entry.start,
                end: entry.end,
            };
            count += 1;
        }
    }
    (ranges, count)
}
