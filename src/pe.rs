//! The headers of a Portable Executable (Microsoft PE Format): what an EFI program says about itself before it is run.
//!
//! Enough to tell which firmware can start a file and whether it is signed; nothing is verified. All of it comes from
//! foreign files, so every table has a limit and what is past it is not there.

use crate::read_at::ReadAt;

/// "MS-DOS Stub": the offset of the signature is at byte 3C (hexadecimal).
const SIGNATURE_POINTER: u64 = 0x3C;
/// "COFF File Header": 20 bytes, behind the signature.
const COFF_HEADER: u64 = 20;
/// "COFF File Header", NumberOfSections: the Windows loader takes no more.
const MAX_SECTIONS: u16 = 96;
/// "Section Table": bytes of a section header.
const SECTION_HEADER: u64 = 40;
/// Attribute certificates that are read, in bytes. A signature has about 10 KiB.
const MAX_CERTIFICATES: u64 = 1 << 20;
/// Bytes of `.compat` that are read. Linux's has one entry of 8 bytes.
const MAX_COMPATIBLE: u64 = 4096;
/// Common names that are kept.
const MAX_SIGNERS: usize = 64;

/// An EFI program, by its headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pe {
    /// The processor it is for.
    pub machine: Machine,
    /// "Windows Subsystem": 10 for an EFI application, 11 and 12 for drivers.
    pub subsystem: u16,
    /// It carries an Authenticode signature. Whether it is a good one, and of whom, the firmware decides.
    pub signed: bool,
    /// The common names in the signatures' certificates, subjects and issuers, each once, in order of appearance.
    pub signers: Vec<String>,
    /// It has a `.sbat` section, without which shim starts nothing.
    pub sbat: bool,
    /// It has a `.initrd` section, which a unified kernel image gives its kernel.
    pub initrd: bool,
    /// Other processors whose firmware can start it too, by an entry of their own in the section `.compat` (Linux,
    /// `arch/x86/boot/header.S`).
    pub compatible: Vec<Machine>,
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
    let sections = u16_at(file, coff + 2)?.min(MAX_SECTIONS);
    let optional_size = u64::from(u16_at(file, coff + 16)?);
    let optional = coff + COFF_HEADER;

    // "Optional Header": the magic tells the width of five fields in front of the data directories.
    let directories = match u16_at(file, optional)? {
        0x10B => 96,
        0x20B => 112,
        _ => return None,
    };
    let subsystem = u16_at(file, optional + 68)?;
    let count = u32_at(file, optional + directories - 4)?;
    // "Optional Header Data Directories": the fifth is the certificate table, the only one with a file offset.
    let entry = directories + 4 * 8;
    let signatures = match count > 4 && entry + 8 <= optional_size {
        true => certificates(
            file,
            u32_at(file, optional + entry)?.into(),
            u32_at(file, optional + entry + 4)?.into(),
        ),
        false => Vec::new(),
    };
    let mut signers = Vec::new();
    signatures
        .iter()
        .for_each(|signature| common_names(signature, &mut signers));

    let table = optional + optional_size;
    let section = |name: &[u8; 8]| {
        (0..u64::from(sections))
            .map(|index| table + index * SECTION_HEADER)
            .find(|&header| bytes(file, header).as_ref() == Some(name))
    };
    let sbat = section(b".sbat\0\0\0").is_some();
    let initrd = section(b".initrd\0").is_some();
    let compatible = section(b".compat\0").map_or_else(Vec::new, |header| compatible(file, header));
    Some(Pe {
        machine,
        subsystem,
        signed: !signatures.is_empty(),
        signers,
        sbat,
        initrd,
        compatible,
    })
}

/// The entries of `.compat`, whose section header is at `header`: kind, length in bytes; of kind 1 a machine type and an address.
fn compatible(file: &dyn ReadAt, header: u64) -> Vec<Machine> {
    let length = u32_at(file, header + 8).zip(u32_at(file, header + 16));
    let length = length.map_or(0, |(memory, stored)| u64::from(memory.min(stored)).min(MAX_COMPATIBLE));
    let start = u32_at(file, header + 20).map_or(0, u64::from);
    let entries = file.read_vec_at(start, length).unwrap_or_default();
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

/// "The Attribute Certificate Table": the PKCS #7 signatures in it. Entries of other types sign nothing for UEFI.
fn certificates(file: &dyn ReadAt, offset: u64, size: u64) -> Vec<Vec<u8>> {
    let size = size.min(MAX_CERTIFICATES).min(file.size().saturating_sub(offset));
    let table = file.read_vec_at(offset, size).unwrap_or_default();
    let mut rest = table.as_slice();
    let mut signatures = Vec::new();
    // dwLength, wRevision, wCertificateType, then the certificate; the next entry is 8-byte aligned.
    while let Some(&[a, b, c, d, _, _, kind, kind_high]) = rest.first_chunk() {
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some(signature) = rest.get(8..length).filter(|signature| !signature.is_empty()) else {
            break;
        };
        if u16::from_le_bytes([kind, kind_high]) == 0x0002 {
            signatures.push(signature.to_vec());
        }
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    signatures
}

/// X.520, 2.5.4.3: the common names in DER, found by the bytes of the attribute's object identifier. Names that are no
/// text are passed over.
fn common_names(der: &[u8], names: &mut Vec<String>) {
    const COMMON_NAME: &[u8; 5] = b"\x06\x03\x55\x04\x03";
    for window in 0..der.len() {
        let rest = &der[window..];
        let Some([tag, length, value @ ..]) = rest.strip_prefix(COMMON_NAME) else {
            continue;
        };
        // X.690 8.1.3.4: one byte of length up to 127. X.520 allows 64 characters.
        let Some(value) = value.get(..usize::from(*length)).filter(|_| *length < 0x80) else {
            continue;
        };
        let name = match tag {
            // UTF8String, PrintableString, TeletexString, IA5String.
            0x0C | 0x13 | 0x14 | 0x16 => String::from_utf8(value.to_vec()).ok(),
            // BMPString, big-endian.
            0x1E => {
                let (units, _) = value.as_chunks();
                String::from_utf16(&units.iter().map(|unit| u16::from_be_bytes(*unit)).collect::<Vec<_>>()).ok()
            }
            _ => None,
        };
        if let Some(name) = name.filter(|name| names.len() < MAX_SIGNERS && !names.contains(name)) {
            names.push(name);
        }
    }
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
