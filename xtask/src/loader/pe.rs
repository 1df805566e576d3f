//! PE images: the Microsoft PE Format, as UEFI 2.10 §2.1.1 wants it of an application.

use super::sections::{Section, Sections};

const SECTION_ALIGNMENT: u64 = 0x1000;
const FILE_ALIGNMENT: u64 = 0x200;
/// Bytes of the DOS header, which holds nothing but the place of what follows.
const DOS_HEADER: u64 = 64;
/// The signature, the COFF header, and the optional header with sixteen data directories.
const HEADERS: u64 = 4 + 20 + 240;
const SECTION_HEADER: u64 = 40;

const CODE: u32 = 0x6000_0020;
const READ_ONLY: u32 = 0x4000_0040;
const READ_WRITE: u32 = 0xC000_0040;
const DISCARDABLE: u32 = 0x4200_0040;

/// A section of the PE image.
struct Part {
    name: &'static str,
    address: u64,
    size: u64,
    bytes: Vec<u8>,
    flags: u32,
}

/// The image of an EFI application for x86-64.
pub(crate) fn image(elf: &Sections) -> Result<Vec<u8>, String> {
    let mut parts = parts(elf)?;
    for &(place, value) in &elf.relocations {
        let part = parts
            .iter_mut()
            .find(|part| part.address <= place && place + 8 <= part.address + part.bytes.len() as u64);
        let part = part.ok_or_else(|| format!("a relocation at {place:#x}, outside of the sections"))?;
        let at = (place - part.address) as usize;
        part.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    let end = parts
        .iter()
        .map(|part| part.address + part.size)
        .max()
        .unwrap_or_default();
    let relocations = base_relocations(elf);
    parts.push(Part {
        name: ".reloc",
        address: end.next_multiple_of(SECTION_ALIGNMENT),
        size: relocations.len() as u64,
        bytes: relocations,
        flags: DISCARDABLE,
    });
    Ok(assemble(elf.entry, &parts))
}

fn parts(elf: &Sections) -> Result<Vec<Part>, String> {
    let part = |section: &Section, name, flags| Part {
        name,
        address: section.address,
        size: section.size,
        bytes: section.bytes.clone(),
        flags,
    };
    let mut parts = Vec::new();
    for section in &elf.sections {
        match section.name.as_str() {
            ".text" => parts.push(part(section, ".text", CODE)),
            ".rodata" => parts.push(part(section, ".rdata", READ_ONLY)),
            ".sbat" => parts.push(part(section, ".sbat", READ_ONLY)),
            ".data" => parts.push(part(section, ".data", READ_WRITE)),
            // Zeros behind the data are the data's, in memory alone.
            ".bss" => match parts.last_mut() {
                Some(data) if data.name == ".data" => data.size = section.end() - data.address,
                _ => parts.push(part(section, ".data", READ_WRITE)),
            },
            other => return Err(format!("a section that a PE image has no place for: {other}")),
        }
    }
    for part in &parts {
        if !part.address.is_multiple_of(SECTION_ALIGNMENT) {
            return Err(format!("{} does not begin on a page", part.name));
        }
    }
    Ok(parts)
}

/// "The .reloc Section": a block for each page, each entry the kind DIR64 and the offset in the page.
fn base_relocations(elf: &Sections) -> Vec<u8> {
    const DIR64: u16 = 10 << 12;
    let mut bytes = Vec::new();
    for block in elf.relocations.chunk_by(|a, b| a.0 >> 12 == b.0 >> 12) {
        let mut entries: Vec<u16> = block.iter().map(|(place, _)| DIR64 | (place & 0xfff) as u16).collect();
        if entries.len() % 2 == 1 {
            entries.push(0);
        }
        bytes.extend(((block[0].0 & !0xfff) as u32).to_le_bytes());
        bytes.extend((8 + 2 * entries.len() as u32).to_le_bytes());
        entries.iter().for_each(|entry| bytes.extend(entry.to_le_bytes()));
    }
    if bytes.is_empty() {
        // A block without entries: an image that has no table at all counts as one that cannot be moved.
        bytes.extend([0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0]);
    }
    bytes
}

fn assemble(entry: u64, parts: &[Part]) -> Vec<u8> {
    let headers = (DOS_HEADER + HEADERS + SECTION_HEADER * parts.len() as u64).next_multiple_of(FILE_ALIGNMENT);
    let raw = |part: &Part| (part.bytes.len() as u64).next_multiple_of(FILE_ALIGNMENT);
    let sum = |code: bool| -> u64 { parts.iter().filter(|part| (part.flags == CODE) == code).map(raw).sum() };
    let end = parts.last().map_or(0, |part| part.address + part.size);
    let mut out = Vec::new();
    let mut field = |value: u64, bytes: usize| out.extend_from_slice(&value.to_le_bytes()[..bytes]);

    field(u64::from(u16::from_le_bytes(*b"MZ")), 2);
    (0..58).for_each(|_| field(0, 1));
    field(DOS_HEADER, 4);
    field(u64::from(u32::from_le_bytes(*b"PE\0\0")), 4);
    // COFF header: no time, so that the same sources give the same bytes; executable, 64-bit, no line numbers or symbols.
    field(0x8664, 2);
    field(parts.len() as u64, 2);
    (0..3).for_each(|_| field(0, 4));
    field(240, 2);
    field(0x022e, 2);
    // Optional header.
    field(0x020b, 2);
    field(0, 2);
    field(sum(true), 4);
    field(sum(false), 4);
    field(0, 4);
    field(entry, 4);
    field(parts.first().map_or(0, |part| part.address), 4);
    field(0, 8); // image base
    field(SECTION_ALIGNMENT, 4);
    field(FILE_ALIGNMENT, 4);
    (0..4).for_each(|_| field(0, 4)); // versions of system, image and subsystem; reserved
    field(end.next_multiple_of(SECTION_ALIGNMENT), 4);
    field(headers, 4);
    field(0, 4); // checksum
    field(10, 2); // EFI application
    field(0x0160, 2); // moves freely, 64-bit addresses, no execution of data
    (0..4).for_each(|_| field(0, 8)); // stack and heap
    field(0, 4);
    field(16, 4);
    for directory in 0..16 {
        let relocations = parts.last().filter(|_| directory == 5);
        field(relocations.map_or(0, |part| part.address), 4);
        field(relocations.map_or(0, |part| part.size), 4);
    }
    let mut offset = headers;
    for part in parts {
        let mut name = [0; 8];
        name[..part.name.len()].copy_from_slice(part.name.as_bytes());
        field(u64::from_le_bytes(name), 8);
        field(part.size, 4);
        field(part.address, 4);
        field(raw(part), 4);
        field(if raw(part) > 0 { offset } else { 0 }, 4);
        (0..3).for_each(|_| field(0, 4));
        field(u64::from(part.flags), 4);
        offset += raw(part);
    }
    out.resize(headers as usize, 0);
    for part in parts {
        out.extend_from_slice(&part.bytes);
        out.resize(out.len().next_multiple_of(FILE_ALIGNMENT as usize), 0);
    }
    out
}
