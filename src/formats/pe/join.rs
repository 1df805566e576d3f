//! Adds sections to a program. A unified kernel image is a stub with such sections (UAPI.5).
//!
//! The program's own sections keep their addresses in memory. In the file they move, because the headers may grow. Signatures are left out, since
//! they are of other bytes, and so are symbols, which only debuggers read.

use std::fmt;

use super::sections::SECTION_HEADER;
use super::{COFF_HEADER, NX_COMPATIBLE, SIGNATURE_POINTER, Section, read};

/// "Section Table": bytes of Name.
const NAME: usize = 8;
/// "Section Flags": instructions, initialized data, executable, readable.
const CODE: u32 = 0x20;
const INITIALIZED: u32 = 0x40;
const EXECUTE: u32 = 0x2000_0000;
const READ: u32 = 0x4000_0000;
/// "Optional Header Data Directories": certificate table and debug data, which have places in the file.
const CERTIFICATES: usize = 4;
const DEBUG: usize = 6;

/// A section to be added. It replaces a section of the program that has the same name.
#[derive(Clone, Debug)]
pub struct Added<'a> {
    /// Eight bytes at most.
    pub name: &'a str,
    /// In bytes.
    pub length: u64,
    /// Whether it holds a program, as `.linux` does.
    pub is_code: bool,
}

/// A program with more sections: everything but the content of those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The bytes before the first section that is added.
    pub head: Vec<u8>,
    /// Where each added section begins in the file, in their order. Zeros fill the gaps.
    pub places: Vec<u64>,
    /// The length of the whole file, in bytes.
    pub length: u64,
}

/// Why a program cannot have more sections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinFault {
    /// It is not a program.
    NotAProgram,
    /// Its headers contradict each other, or its sections are not inside the file.
    Broken,
    /// A section has a name of more than eight bytes. Such a name is in the symbols' string table, which is left out.
    LongName,
    /// The section headers would reach beyond the address of the first section.
    NoRoom,
    /// A length or an address would have more than 32 bits.
    TooLong,
}

impl fmt::Display for JoinFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotAProgram => "is not an EFI program",
            Self::Broken => "has sections or headers that are broken",
            Self::LongName => "has a section with a name of more than eight bytes",
            Self::NoRoom => "has no room in its headers for so many sections",
            Self::TooLong => "is longer than a program can be",
        })
    }
}

/// The header of a section, and its bytes: those of the program, or the number of an added section.
struct Header {
    fields: [u8; SECTION_HEADER as usize],
    bytes: Content,
}

enum Content {
    Program(Vec<u8>),
    Added(usize),
}

impl Header {
    fn of_program(program: &[u8], at: usize, section: &Section) -> Option<Self> {
        let fields = program.get(at..)?.first_chunk().copied()?;
        let start = usize::try_from(section.offset).ok()?;
        let end = start.checked_add(usize::try_from(section.stored).ok()?)?;
        let bytes = match section.stored {
            0 => Vec::new(),
            _ => program.get(start..end)?.to_vec(),
        };
        Some(Self {
            fields,
            bytes: Content::Program(bytes),
        })
    }

    fn field(&self, at: usize) -> u32 {
        self.fields[at..].first_chunk().copied().map_or(0, u32::from_le_bytes)
    }

    fn put(&mut self, at: usize, value: u32) {
        self.fields[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// The section's first address in memory (VirtualAddress), and the first one behind it.
    fn memory(&self) -> (u64, u64) {
        let start = u64::from(self.field(12));
        (start, start + u64::from(self.field(8).max(self.field(16))))
    }
}

/// Adds sections to a program. The result is NX compatible only if the program is, and the added sections are by `is_nx_compatible`.
///
/// # Errors
/// Why the program cannot have the sections.
pub fn join(program: &[u8], added: &[Added<'_>], is_nx_compatible: bool) -> Result<Joined, JoinFault> {
    let pe = read(&program.to_vec()).ok_or(JoinFault::NotAProgram)?;
    let layout = Layout::of(program).ok_or(JoinFault::Broken)?;
    if pe.sections.iter().any(|section| section.name.len() > NAME) {
        return Err(JoinFault::LongName);
    }
    let stored: u64 = pe.sections.iter().map(|section| section.stored).sum();
    if stored > program.len() as u64 {
        return Err(JoinFault::Broken);
    }
    let mut headers = Vec::new();
    for (number, section) in pe.sections.iter().enumerate() {
        // An added section of this name replaces it.
        if added.iter().all(|added| added.name != section.name) {
            let at = layout.table + number * SECTION_HEADER as usize;
            headers.push(Header::of_program(program, at, section).ok_or(JoinFault::Broken)?);
        }
    }
    let memory = headers.iter().map(Header::memory);
    let first = memory.clone().map(|(start, _)| start).min().unwrap_or(u64::MAX);
    let end = memory.map(|(_, end)| end).max().unwrap_or(layout.headers);
    let mut end = end.next_multiple_of(layout.memory_alignment);
    for (number, section) in added.iter().enumerate() {
        headers.push(header(section, number, end)?);
        end = (end + section.length).next_multiple_of(layout.memory_alignment);
    }
    let table_end = layout.table + headers.len() * SECTION_HEADER as usize;
    let header_bytes = layout.headers.max(table_end as u64).next_multiple_of(layout.alignment);
    if header_bytes > first || headers.len() > usize::from(u16::MAX) {
        return Err(JoinFault::NoRoom);
    }
    let mut out = program.get(..layout.table).ok_or(JoinFault::Broken)?.to_vec();
    layout.change(&mut out, headers.len() as u16, (header_bytes, end), is_nx_compatible)?;
    place(out, headers, (header_bytes, layout.alignment), added)
}

/// The header of an added section, which begins at `memory`.
fn header(section: &Added<'_>, number: usize, memory: u64) -> Result<Header, JoinFault> {
    let mut fields = [0; SECTION_HEADER as usize];
    let name = fields.get_mut(..section.name.len().min(NAME + 1));
    match name {
        Some(name) if name.len() <= NAME => name.copy_from_slice(section.name.as_bytes()),
        _ => return Err(JoinFault::LongName),
    }
    let mut header = Header {
        fields,
        bytes: Content::Added(number),
    };
    let too_long = |_| JoinFault::TooLong;
    header.put(8, u32::try_from(section.length).map_err(too_long)?);
    header.put(12, u32::try_from(memory).map_err(too_long)?);
    let flags = if section.is_code { CODE | EXECUTE } else { INITIALIZED };
    header.put(36, flags | READ);
    Ok(header)
}

/// Writes the section table behind the other headers, and the program's own sections behind it.
fn place(
    mut out: Vec<u8>,
    mut headers: Vec<Header>,
    (header_bytes, alignment): (u64, u64),
    added: &[Added<'_>],
) -> Result<Joined, JoinFault> {
    let aligned = |at: u64| at.next_multiple_of(alignment);
    let mut at = header_bytes;
    let mut places = vec![0; added.len()];
    for header in &mut headers {
        let length = match &header.bytes {
            Content::Program(bytes) => bytes.len() as u64,
            Content::Added(number) => {
                places[*number] = at;
                added[*number].length
            }
        };
        let stored = u32::try_from(aligned(length)).map_err(|_| JoinFault::TooLong)?;
        let offset = u32::try_from(at).map_err(|_| JoinFault::TooLong)?;
        header.put(16, stored);
        header.put(20, if length == 0 { 0 } else { offset });
        at += aligned(length);
    }
    for header in &headers {
        out.extend_from_slice(&header.fields);
    }
    out.resize(header_bytes as usize, 0);
    for header in &headers {
        if let Content::Program(bytes) = &header.bytes {
            out.extend_from_slice(bytes);
            out.resize(aligned(out.len() as u64) as usize, 0);
        }
    }
    u32::try_from(at).map_err(|_| JoinFault::TooLong)?;
    Ok(Joined {
        head: out,
        places,
        length: at,
    })
}

/// Where the headers have the fields that change.
struct Layout {
    coff: usize,
    optional: usize,
    directories: usize,
    /// The section table.
    table: usize,
    /// FileAlignment and SectionAlignment.
    alignment: u64,
    memory_alignment: u64,
    /// SizeOfHeaders.
    headers: u64,
}

impl Layout {
    fn of(program: &[u8]) -> Option<Self> {
        let field = |at: usize| program.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let half = |at: usize| program.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
        let coff = usize::try_from(field(SIGNATURE_POINTER as usize)?).ok()? + 4;
        let optional = coff + COFF_HEADER as usize;
        let directories = if half(optional)? == 0x20B { 112 } else { 96 };
        let is_alignment = |value: &u32| value.is_power_of_two() && *value <= 1 << 16;
        Some(Self {
            coff,
            optional,
            directories: optional + directories,
            table: optional + usize::from(half(coff + 16)?),
            alignment: field(optional + 36).filter(is_alignment)?.into(),
            memory_alignment: field(optional + 32).filter(is_alignment)?.into(),
            headers: field(optional + 60)?.into(),
        })
    }

    /// Changes the headers before the section table. `headers` are the bytes of all headers, and `end` is the size of the program in memory.
    fn change(
        &self,
        out: &mut [u8],
        count: u16,
        (headers, end): (u64, u64),
        is_nx_compatible: bool,
    ) -> Result<(), JoinFault> {
        let end = u32::try_from(end).map_err(|_| JoinFault::TooLong)?;
        let directory_count = self.field(out, self.directories - 4)? as usize;
        let mut put = |at: usize, bytes: &[u8]| {
            let field = out.get_mut(at..at + bytes.len()).ok_or(JoinFault::Broken)?;
            field.copy_from_slice(bytes);
            Ok::<_, JoinFault>(())
        };
        put(self.coff + 2, &count.to_le_bytes())?;
        // PointerToSymbolTable and NumberOfSymbols.
        put(self.coff + 8, &[0; 8])?;
        put(self.optional + 56, &end.to_le_bytes())?;
        put(self.optional + 60, &(headers as u32).to_le_bytes())?;
        // CheckSum, which UEFI does not look at.
        put(self.optional + 64, &[0; 4])?;
        for directory in [CERTIFICATES, DEBUG] {
            if directory < directory_count {
                put(self.directories + directory * 8, &[0; 8])?;
            }
        }
        if !is_nx_compatible {
            let at = self.optional + 70;
            let flags = out.get(at..).and_then(|bytes| bytes.first_chunk()).copied();
            let flags = u16::from_le_bytes(flags.ok_or(JoinFault::Broken)?) & !NX_COMPATIBLE;
            out[at..at + 2].copy_from_slice(&flags.to_le_bytes());
        }
        Ok(())
    }

    fn field(&self, bytes: &[u8], at: usize) -> Result<u32, JoinFault> {
        let field = bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied();
        field.map(u32::from_le_bytes).ok_or(JoinFault::Broken)
    }
}

#[cfg(test)]
mod tests;
