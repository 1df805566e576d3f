//! The page about this machine.

use crate::console::BiosConsole;
use crate::disk::{Addressing, BiosDisk};
use crate::memory::map;
use isobuild_loader::line::Line;
use isobuild_loader::page::{MemoryPage, Page};

pub(crate) fn page(console: &mut BiosConsole, disk: &BiosDisk, own: bool) {
    let mut page = Page::new(console, "This machine");
    page.line(console, &Line::of("Firmware      BIOS"));
    page.line(console, &Line::of("Secure Boot   BIOS has none"));
    let drive = Line::of("Boot medium   drive 0x")
        .hexadecimal(u64::from(disk.drive), 2)
        .text(", ");
    let mut drive = drive.number(disk.sector_size as u64).text(" bytes a sector");
    if let Some(length) = disk.length().filter(|&length| length > 0 && length < 1 << 60) {
        drive = drive.text(", ").size(length);
    }
    page.line(console, &drive);
    let how = match disk.addressing {
        Addressing::Packets => "by number (INT 13h extensions)",
        Addressing::Geometry { .. } => "by cylinder, head and sector",
    };
    page.line(console, &Line::of("Addressed     ").text(how));
    let found = if own {
        "the one that the firmware started"
    } else {
        "found by the image's id"
    };
    page.line(console, &Line::of("It is         ").text(found));
    page.line(console, &Line::new());
    let mut rows = MemoryPage::default();
    for entry in map() {
        let kind = match entry.kind {
            1 => "free",
            3 => "ACPI tables",
            4 => "ACPI, kept over sleep",
            5 => "unusable",
            7 => "persistent",
            _ => "reserved",
        };
        rows.range(console, &mut page, entry.start, entry.end, kind);
    }
    rows.end(console, &mut page);
    page.end(console);
}
