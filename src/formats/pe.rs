//! A Portable Executable (Microsoft PE Format): what an EFI program says about itself before it is run, and what a signature of it
//! covers (Windows Authenticode Portable Executable Signature Format).
//!
//! All of it comes from foreign files, so every table has a limit and what is past it is not there.

mod certificates;
mod covered;
pub mod join;
mod sections;
mod signed;
pub mod write;

use crate::ground::read_at::ReadAt;

pub use certificates::AttributeCertificate;
pub use covered::CoverFault;
pub use sections::Section;
pub use signed::Signable;

/// "MS-DOS Stub": the offset of the signature is at byte 3C (hexadecimal).
const SIGNATURE_POINTER: u64 = 0x3C;
/// "COFF File Header": 20 bytes, behind the signature.
const COFF_HEADER: u64 = 20;
/// "Optional Header", CheckSum: 4 bytes at this place, in both forms of the header.
const CHECKSUM: u64 = 64;
/// "DLL Characteristics": NX compatible.
const NX_COMPATIBLE: u16 = 0x0100;
/// Bytes of `.compat` that are read. Linux's has one entry of 8 bytes.
const MAX_COMPATIBLE: u64 = 4096;

/// An EFI program, by its headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pe {
    /// The processor it is for.
    pub machine: Machine,
    /// "Windows Subsystem": 10 for an EFI application, 11 and 12 for drivers.
    pub subsystem: u16,
    /// "Section Table", in its order.
    pub sections: Vec<Section>,
    /// "DLL Characteristics", NX compatible: it runs where no page is both writable and executable.
    pub is_nx_compatible: bool,
    /// Other processors whose firmware can start it too, by an entry of their own in the section `.compat` (Linux,
    /// `arch/x86/boot/header.S`).
    pub compatible: Vec<Machine>,
    /// Where the fields are that a signature does not cover.
    places: Places,
}

/// Where the headers have what is not in a hash of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Places {
    /// "Optional Header", CheckSum.
    checksum: u64,
    /// "Optional Header Data Directories", the entry of the certificate table, if there is one.
    directory: Option<u64>,
    /// "Optional Header", SizeOfHeaders.
    headers_end: u64,
    /// "The Attribute Certificate Table": its file offset and size in bytes. Both are 0 in a program without one.
    certificates: (u64, u64),
}

impl Pe {
    /// The first section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Whether it is a unified kernel image (UAPI.5), which holds the Linux kernel that it starts.
    pub fn is_unified(&self) -> bool {
        self.section(".linux").is_some()
    }
}

/// "Machine Types".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Machine {
    /// 8664: x86-64.
    X64,
    /// 014C: 386 and later.
    Ia32,
    /// AA64: 64-bit ARM.
    Aa64,
    /// 01C2: ARM and Thumb, which UEFI 2.1.1 uses for 32-bit ARM.
    Arm,
    /// 5064: 64-bit RISC-V.
    RiscV64,
    /// 6264: 64-bit LoongArch.
    LoongArch64,
    /// 0200: Itanium.
    Ia64,
    /// Any other.
    Other(u16),
}

impl Machine {
    const fn from_code(code: u16) -> Self {
        match code {
            0x8664 => Self::X64,
            0x014C => Self::Ia32,
            0xAA64 => Self::Aa64,
            0x01C2 => Self::Arm,
            0x5064 => Self::RiscV64,
            0x6264 => Self::LoongArch64,
            0x0200 => Self::Ia64,
            code => Self::Other(code),
        }
    }

    const fn code(self) -> u16 {
        match self {
            Self::X64 => 0x8664,
            Self::Ia32 => 0x014C,
            Self::Aa64 => 0xAA64,
            Self::Arm => 0x01C2,
            Self::RiscV64 => 0x5064,
            Self::LoongArch64 => 0x6264,
            Self::Ia64 => 0x0200,
            Self::Other(code) => code,
        }
    }
}

/// The architecture in the words of UEFI's default file names, in lower case.
impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::X64 => f.pad("x64"),
            Self::Ia32 => f.pad("ia32"),
            Self::Aa64 => f.pad("aa64"),
            Self::Arm => f.pad("arm"),
            Self::RiscV64 => f.pad("riscv64"),
            Self::LoongArch64 => f.pad("loongarch64"),
            Self::Ia64 => f.pad("ia64"),
            Self::Other(code) => write!(f, "{code:#06x}"),
        }
    }
}

/// Reads the headers of `file`. `None` if it is no Portable Executable image, or its headers are cut.
pub fn read(file: &dyn ReadAt) -> Option<Pe> {
    if &bytes::<2>(file, 0)? != b"MZ" {
        return None;
    }
    let signature = u64::from(u32::from_le_bytes(bytes(file, SIGNATURE_POINTER)?));
    if &bytes::<4>(file, signature)? != b"PE\0\0" {
        return None;
    }
    let coff = signature + 4;
    let machine = Machine::from_code(u16_at(file, coff)?);
    let optional_size = u64::from(u16_at(file, coff + 16)?);
    let optional = coff + COFF_HEADER;

    // "Optional Header": the magic tells the width of five fields in front of the data directories.
    let directories = match u16_at(file, optional)? {
        0x10B => 96,
        0x20B => 112,
        _ => return None,
    };
    let subsystem = u16_at(file, optional + 68)?;
    let characteristics = u16_at(file, optional + 70)?;
    let count = u32_at(file, optional + directories - 4)?;
    // "Optional Header Data Directories": the fifth is the certificate table, the only one with a file offset.
    let entry = directories + 4 * 8;
    let directory = (count > 4 && entry + 8 <= optional_size).then_some(optional + entry);
    let certificates = match directory {
        Some(entry) => (u32_at(file, entry)?.into(), u32_at(file, entry + 4)?.into()),
        None => (0, 0),
    };
    let sections = sections::read(file, coff, optional + optional_size)?;
    let compatible = sections.iter().find(|section| section.name == ".compat");
    Some(Pe {
        machine,
        subsystem,
        is_nx_compatible: characteristics & NX_COMPATIBLE != 0,
        compatible: compatible.map_or_else(Vec::new, |section| compatible_machines(file, section)),
        sections,
        places: Places {
            checksum: optional + CHECKSUM,
            directory,
            headers_end: u32_at(file, optional + 60)?.into(),
            certificates,
        },
    })
}

/// The entries of `.compat`: kind, length in bytes; of kind 1 a machine type and an address.
fn compatible_machines(file: &dyn ReadAt, section: &Section) -> Vec<Machine> {
    let entries = file.read_vec_at(section.offset, section.length.min(MAX_COMPATIBLE));
    let entries = entries.unwrap_or_default();
    let mut rest = entries.as_slice();
    let mut machines = Vec::new();
    while let [kind, length, fields @ ..] = rest
        && *kind != 0
        && *length != 0
    {
        if let (1, 8.., [low, high, ..]) = (*kind, *length, fields) {
            machines.push(Machine::from_code(u16::from_le_bytes([*low, *high])));
        }
        rest = rest.get(usize::from(*length)..).unwrap_or_default();
    }
    machines
}

fn u16_at(file: &dyn ReadAt, offset: u64) -> Option<u16> {
    bytes(file, offset).map(u16::from_le_bytes)
}

fn u32_at(file: &dyn ReadAt, offset: u64) -> Option<u32> {
    bytes(file, offset).map(u32::from_le_bytes)
}

/// `N` bytes at an offset; all offsets here come from 32-bit fields, so their sums do not overflow.
fn bytes<const N: usize>(file: &dyn ReadAt, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

#[cfg(test)]
pub(crate) mod tests;
