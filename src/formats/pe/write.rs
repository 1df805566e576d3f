//! A program of sections, written as GRUB's tools write it: every field that firmware does not read is zero.

use super::Machine;

/// "Section Table": the sections are multiples of this in the file and in memory, and the headers take the first page.
const PAGE: usize = 4096;
/// "Optional Header Data Directories": there are sixteen; the sixth is that of the base relocations.
const DIRECTORIES: usize = 16;
const BASE_RELOCATIONS: usize = 5;
/// "Characteristics": executable; without line numbers, symbols and debugging information; for machines of 32 bits.
const EXECUTABLE: u16 = 0x0002 | 0x0004 | 0x0008 | 0x0200;
const FOR_32_BITS: u16 = 0x0100;
/// "Section Flags".
const CODE: u32 = 0x20;
const INITIALIZED: u32 = 0x40;
const DISCARDABLE: u32 = 0x0200_0000;
const EXECUTE: u32 = 0x2000_0000;
const READ: u32 = 0x4000_0000;
const WRITE: u32 = 0x8000_0000;

/// The program that DOS runs in place of this one: it prints a sentence and ends ("MS-DOS Stub").
const DOS: &[u8] =
    b"\x0e\x1f\xba\x0e\x00\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21This program cannot be run in DOS mode.\r\r\n$";

/// The kinds of sections that a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Instructions.
    Code,
    /// Data that the program changes.
    Data,
    /// Data that it only reads.
    Constant,
}

impl Use {
    fn flags(self) -> u32 {
        match self {
            Self::Code => CODE | EXECUTE | READ,
            Self::Data => INITIALIZED | READ | WRITE,
            Self::Constant => INITIALIZED | READ,
        }
    }
}

/// A program to be written.
#[derive(Debug)]
pub struct Program<'a> {
    /// The processor it is for.
    pub machine: Machine,
    /// Where it begins, from its first byte.
    pub entry: u32,
    /// Name of eight bytes at most, kind and bytes of each section. The first is at 4096; each begins behind the one before it.
    pub sections: &'a [(&'a str, Use, &'a [u8])],
    /// Fields that hold addresses: where each is, and whether it has 64 bits.
    pub fixups: &'a [(u32, bool)],
    /// "COFF File Header", TimeDateStamp: seconds since 1970.
    pub time: u32,
}

/// The program's bytes.
pub fn write(program: &Program<'_>) -> Vec<u8> {
    let is_wide = !matches!(program.machine, Machine::Ia32 | Machine::Arm);
    let relocations = base_relocations(program.fixups);
    let own = program
        .sections
        .iter()
        .map(|(name, what, bytes)| (*name, what.flags(), *bytes));
    let mut sections: Vec<(&str, u32, &[u8])> = own.collect();
    sections.push((".reloc", INITIALIZED | DISCARDABLE | READ, &relocations));
    let pages = |bytes: &[u8]| bytes.len().next_multiple_of(PAGE) as u32;
    let all: u32 = sections.iter().map(|(.., bytes)| pages(bytes)).sum();
    let of_kind = |wanted: Use| -> u32 {
        let sections = program.sections.iter().filter(|(_, what, _)| *what == wanted);
        sections.map(|(.., bytes)| pages(bytes)).sum()
    };
    let header = PAGE as u32;

    let mut out = Vec::from(*b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x40");
    out.resize(0x3C, 0);
    out.extend(0x80_u32.to_le_bytes());
    out.extend_from_slice(DOS);
    out.resize(0x80, 0);
    out.extend_from_slice(b"PE\0\0");
    // "COFF File Header".
    let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
    put(&program.machine.code().to_le_bytes());
    put(&(sections.len() as u16).to_le_bytes());
    put(&program.time.to_le_bytes());
    put(&[0; 8]);
    let optional = if is_wide { 112 } else { 96 } + DIRECTORIES * 8;
    put(&(optional as u16).to_le_bytes());
    let width = if is_wide { 0 } else { FOR_32_BITS };
    put(&(EXECUTABLE | width).to_le_bytes());
    // "Optional Header Standard Fields".
    put(&(if is_wide { 0x20B_u16 } else { 0x10B }).to_le_bytes());
    put(&[0; 2]);
    for value in [
        of_kind(Use::Code),
        of_kind(Use::Data) + of_kind(Use::Constant),
        0,
        program.entry,
        header,
    ] {
        put(&value.to_le_bytes());
    }
    // BaseOfData, or the upper half of ImageBase.
    let base_of_data = header + sections.first().map_or(0, |(.., bytes)| pages(bytes));
    put(&(if is_wide { 0 } else { base_of_data }).to_le_bytes());
    put(&[0; 4]);
    // "Optional Header Windows-Specific Fields".
    put(&(PAGE as u32).to_le_bytes());
    put(&(PAGE as u32).to_le_bytes());
    put(&[0; 16]);
    put(&(header + all).to_le_bytes());
    put(&header.to_le_bytes());
    put(&[0; 4]);
    put(&10_u16.to_le_bytes());
    put(&[0; 2]);
    // Reserved and committed, of stack and heap.
    for _ in 0..4 {
        let size = 0x1_0000_u64.to_le_bytes();
        put(&size[..if is_wide { 8 } else { 4 }]);
    }
    put(&[0; 4]);
    put(&(DIRECTORIES as u32).to_le_bytes());
    for directory in 0..DIRECTORIES {
        let place = match directory {
            BASE_RELOCATIONS => [header + all - pages(&relocations), pages(&relocations)],
            _ => [0; 2],
        };
        place.iter().for_each(|value| put(&value.to_le_bytes()));
    }
    // "Section Table".
    let mut at = header;
    for (name, flags, bytes) in &sections {
        let mut short = [0; 8];
        short[..name.len()].copy_from_slice(name.as_bytes());
        put(&short);
        for value in [pages(bytes), at, pages(bytes), at, 0, 0, 0, *flags] {
            put(&value.to_le_bytes());
        }
        at += pages(bytes);
    }
    for (.., bytes) in &sections {
        out.resize(out.len().next_multiple_of(PAGE), 0);
        out.extend_from_slice(bytes);
    }
    out.resize(out.len().next_multiple_of(PAGE), 0);
    out
}

/// "The .reloc Section": a block for each page, with entries of sixteen bits. GRUB's tools fill blocks up to eight bytes, and the last one up
/// to the section's end.
fn base_relocations(fixups: &[(u32, bool)]) -> Vec<u8> {
    /// IMAGE_REL_BASED_HIGHLOW and IMAGE_REL_BASED_DIR64.
    const TYPES: [u16; 2] = [3, 10];
    let page = |at: u32| at & !(PAGE as u32 - 1);
    let mut out = Vec::new();
    let mut blocks = fixups
        .chunk_by(|(one, _), (other, _)| page(*one) == page(*other))
        .peekable();
    while let Some(block) = blocks.next() {
        let multiple = if blocks.peek().is_some() { 8 } else { PAGE };
        let end = (out.len() + 8 + 2 * block.len()).next_multiple_of(multiple);
        let length = end - out.len();
        out.extend_from_slice(&page(block[0].0).to_le_bytes());
        out.extend_from_slice(&(length as u32).to_le_bytes());
        for (at, is_wide) in block {
            let entry = TYPES[usize::from(*is_wide)] << 12 | (at - page(*at)) as u16;
            out.extend_from_slice(&entry.to_le_bytes());
        }
        out.resize(end, 0);
    }
    out
}
