//! The boot catalog: records of 32 bytes, 64 to the sector (El Torito 2.0).
//!
//! A validation entry and the default entry; then any number of section headers, each with its entries. Zeros end it.

use std::fmt;

use super::{ElToritoError, SECTOR, sector_number};

/// El Torito 2.0: bytes of a record.
pub(super) const RECORD: usize = 32;
/// Records of the one sector we write and EDK2 reads.
const RECORDS: usize = SECTOR as usize / RECORD;

/// Figure 2: the validation entry's header id.
pub(super) const VALIDATION: u8 = 0x01;
/// Figure 2, bytes 1E and 1F (hexadecimal).
pub(super) const KEY: [u8; 2] = [0x55, 0xAA];
/// Figure 3: a bootable entry.
pub(super) const BOOTABLE: u8 = 0x88;
/// Figure 4: a section header with more behind it.
pub(super) const HEADER: u8 = 0x90;
/// Figure 4: the last section header.
pub(super) const FINAL_HEADER: u8 = 0x91;

/// A boot catalog. Its first section is the validation entry with the default entry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalog {
    /// In the order of the records.
    pub sections: Vec<Section>,
}

/// Boot entries for one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Figures 2 and 4, byte 1.
    pub platform: Platform,
    /// Figures 2 and 4, byte 4 on: a manufacturer or a name. At most 24 bytes in the first section, 28 in others.
    pub id: String,
    /// Exactly one in the first section.
    pub entries: Vec<CatalogEntry>,
}

/// Platform id. EDK2 does not look at it and takes every entry; a BIOS takes the default entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Platform {
    /// 00: 80x86.
    Bios,
    /// 01.
    PowerPc,
    /// 02.
    Mac,
    /// EF, by UEFI 13.3.2.1.
    Uefi,
    /// Not assigned.
    Other(u8),
}

/// Figures 3 and 5: one boot image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CatalogEntry {
    /// Byte 0: 88 or 00.
    pub bootable: bool,
    /// Byte 1.
    pub emulation: Emulation,
    /// Byte 2: where a BIOS loads it; 0 means 07C0.
    pub load_segment: u16,
    /// Byte 4: for a hard disk image the type of its partition.
    pub system_type: u8,
    /// Byte 6: how many virtual sectors of 512 bytes are loaded. EDK2: how long the image is.
    pub sectors: u16,
    /// Byte 8, there in sectors: byte offset of the boot image.
    pub offset: u64,
}

/// Boot media type: what the BIOS makes of the image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Emulation {
    /// A program, or for UEFI a file system.
    None,
    /// A 1.2 MB diskette.
    Floppy12,
    /// A 1.44 MB diskette.
    Floppy144,
    /// A 2.88 MB diskette.
    Floppy288,
    /// Drive 80.
    HardDisk,
}

impl Platform {
    /// The byte on the medium.
    pub const fn code(self) -> u8 {
        match self {
            Self::Bios => 0,
            Self::PowerPc => 1,
            Self::Mac => 2,
            Self::Uefi => 0xEF,
            Self::Other(code) => code,
        }
    }

    /// Every byte is some platform.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Bios,
            1 => Self::PowerPc,
            2 => Self::Mac,
            0xEF => Self::Uefi,
            code => Self::Other(code),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bios => f.pad("bios"),
            Self::PowerPc => f.pad("ppc"),
            Self::Mac => f.pad("mac"),
            Self::Uefi => f.pad("uefi"),
            Self::Other(code) => write!(f, "{code:#04X}"),
        }
    }
}

impl Emulation {
    /// El Torito 4.1: the length an image must have, by tracks, heads and sectors of the diskette.
    pub const fn exact_length(self) -> Option<u64> {
        match self {
            Self::None | Self::HardDisk => None,
            Self::Floppy12 => Some(80 * 2 * 15 * 512),
            Self::Floppy144 => Some(80 * 2 * 18 * 512),
            Self::Floppy288 => Some(80 * 2 * 36 * 512),
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Floppy12 => 1,
            Self::Floppy144 => 2,
            Self::Floppy288 => 3,
            Self::HardDisk => 4,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::Floppy12),
            2 => Some(Self::Floppy144),
            3 => Some(Self::Floppy288),
            4 => Some(Self::HardDisk),
            _ => None,
        }
    }
}

impl fmt::Display for Emulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Floppy12 => "floppy-1.2",
            Self::Floppy144 => "floppy-1.44",
            Self::Floppy288 => "floppy-2.88",
            Self::HardDisk => "hard-disk",
        })
    }
}

/// The sector of the catalog, zero behind the last record.
pub fn encode(catalog: &Catalog) -> Result<Vec<u8>, ElToritoError> {
    let (first, rest) = catalog.sections.split_first().ok_or(ElToritoError::Default(0))?;
    let &[default] = first.entries.as_slice() else {
        return Err(ElToritoError::Default(first.entries.len()));
    };
    let sections = catalog.sections.len();
    let entries = catalog.sections.iter().map(|section| section.entries.len()).sum();
    // A validation entry for the first section, a header for each other.
    let records = sections + entries;
    if records > RECORDS {
        return Err(ElToritoError::TooManyEntries {
            sections,
            entries,
            records,
        });
    }

    let mut bytes = Vec::with_capacity(SECTOR as usize);
    bytes.extend(validation_entry(first)?);
    bytes.extend(entry_record(&default)?);
    for (index, section) in rest.iter().enumerate() {
        bytes.extend(section_header(section, index + 1 == rest.len())?);
        for entry in &section.entries {
            bytes.extend(entry_record(entry)?);
        }
    }
    bytes.resize(SECTOR as usize, 0);
    Ok(bytes)
}

/// Figure 2. OVMF refuses the catalog if the words do not sum to zero; SeaBIOS does not look.
fn validation_entry(section: &Section) -> Result<[u8; RECORD], ElToritoError> {
    let mut record = [0; RECORD];
    record[0] = VALIDATION;
    record[1] = section.platform.code();
    put_id(&section.id, &mut record[0x04..0x1C])?;
    record[0x1E..].copy_from_slice(&KEY);
    let checksum = sum(&record).wrapping_neg();
    record[0x1C..0x1E].copy_from_slice(&checksum.to_le_bytes());
    Ok(record)
}

/// Figure 4. The count cannot be over 64 here.
fn section_header(section: &Section, last: bool) -> Result<[u8; RECORD], ElToritoError> {
    let mut record = [0; RECORD];
    record[0] = if last { FINAL_HEADER } else { HEADER };
    record[1] = section.platform.code();
    record[2] = section.entries.len() as u8;
    put_id(&section.id, &mut record[0x04..])?;
    Ok(record)
}

/// Figures 3 and 5; selection criteria type 0, none.
fn entry_record(entry: &CatalogEntry) -> Result<[u8; RECORD], ElToritoError> {
    let mut record = [0; RECORD];
    record[0] = if entry.bootable { BOOTABLE } else { 0 };
    record[1] = entry.emulation.code();
    record[2..4].copy_from_slice(&entry.load_segment.to_le_bytes());
    record[4] = entry.system_type;
    record[6..8].copy_from_slice(&entry.sectors.to_le_bytes());
    let address = sector_number("boot image", entry.offset)?;
    record[8..12].copy_from_slice(&address.to_le_bytes());
    Ok(record)
}

/// El Torito 1.2: character strings are padded with zeros.
fn put_id(id: &str, field: &mut [u8]) -> Result<(), ElToritoError> {
    let room = field.len();
    let too_long = ElToritoError::Id {
        id: id.to_owned(),
        length: id.len(),
        room,
    };
    field
        .get_mut(..id.len())
        .ok_or(too_long)?
        .copy_from_slice(id.as_bytes());
    Ok(())
}

/// El Torito 2.1: the sum of the sixteen words.
pub(super) fn sum(record: &[u8; RECORD]) -> u16 {
    let (words, _) = record.as_chunks();
    words
        .iter()
        .fold(0, |sum: u16, word| sum.wrapping_add(u16::from_le_bytes(*word)))
}
