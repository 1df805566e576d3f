//! The page about this machine.

use crate::console::EfiConsole;
use crate::files::Files;
use crate::firmware::{Firmware, wide};
use crate::tables::SystemTable;
use isobuild_loader::disk::little_endian;
use isobuild_loader::line::Line;
use isobuild_loader::page::{MemoryPage, Page};

pub(crate) fn page(firmware: Firmware, console: &mut EfiConsole, files: &Files, own: bool) {
    let mut page = Page::new(console, "This machine");
    // SAFETY: the table is the firmware's.
    let system: &SystemTable = unsafe { &*firmware.system };
    // §4.2.1: the major number above, ten times the minor one below.
    let revision = u64::from(system.header.revision);
    let version = Line::of("Firmware      UEFI ")
        .number(revision >> 16)
        .text(".")
        .number((revision & 0xffff) / 10);
    page.line(console, &vendor(system.vendor, version.text(", by ")));
    let state = match (
        firmware.variable(&wide::<16>("SecureBoot")),
        firmware.variable(&wide::<16>("SetupMode")),
    ) {
        (Some(1), _) => "on",
        (Some(_), Some(1)) => "off, in set-up mode: no platform key",
        (Some(_), _) => "off",
        (None, _) => "this firmware has none",
    };
    page.line(console, &Line::of("Secure Boot   ").text(state));
    let medium = Line::of("Boot medium   ");
    let medium = match files {
        Files::Tree(disk) => medium
            .number(disk.block_size() as u64)
            .text(" bytes a sector, ")
            .size(disk.length())
            .text(if own {
                ", the one that the firmware started"
            } else {
                ", found by the image's id"
            }),
        Files::Copied(_) => medium.text("files on the file system that the firmware started"),
    };
    page.line(console, &medium);
    page.line(console, &Line::new());
    memory(firmware, console, &mut page);
    page.end(console);
}

/// The vendor's name, as far as it fits.
fn vendor(mut name: *const u16, mut line: Line) -> Line {
    const LONGEST: usize = 60;
    if name.is_null() {
        return line.text("nobody");
    }
    for _ in 0..LONGEST {
        // SAFETY: a text that ends in a zero (§4.3.1).
        let unit = unsafe { *name };
        if unit == 0 {
            break;
        }
        line = line.character(char::from_u32(u32::from(unit)).unwrap_or('?'));
        name = name.wrapping_add(1);
    }
    line
}

/// §7.2.3: the memory map, what adjoins and is alike taken together.
fn memory(firmware: Firmware, console: &mut EfiConsole, page: &mut Page) {
    const ROOM: usize = 64 << 10;
    let Some(map) = firmware.allocate(ROOM) else {
        return;
    };
    let (mut length, mut key, mut size, mut version) = (map.len(), 0, 0, 0);
    let get = firmware.boot().get_memory_map;
    let status = get(&mut length, map.as_mut_ptr(), &mut key, &mut size, &mut version);
    let mut rows = MemoryPage::default();
    if status == 0 && size >= 40 {
        for descriptor in map[..length].chunks_exact(size) {
            let kind = match little_endian::<4>(descriptor, 0) {
                1..=4 | 7 => "free",
                5 | 6 => "firmware, at run time",
                9 => "ACPI tables",
                10 => "ACPI, kept over sleep",
                8 => "unusable",
                11 | 12 => "devices",
                14 => "persistent",
                _ => "reserved",
            };
            let start = little_endian::<8>(descriptor, 8);
            let end = start + little_endian::<8>(descriptor, 24) * 4096;
            rows.range(console, page, start, end, kind);
        }
    }
    rows.end(console, page);
    firmware.free(map);
}
