//! El Torito 1.0, the bootable CD format: a boot record among the volume descriptors points to a boot catalog, and that
//! to boot images. UEFI 13.3.2.1 adds platform EF, whose image is a FAT file system.
//!
//! Not here: what a boot image contains, but for the tables some boot loaders want patched into theirs ([`boot_info`])
//! and the partition type a hard disk image has to repeat in the catalog.

pub mod boot_info;
mod catalog;
mod decode;
mod shifted;

pub use catalog::{Catalog, CatalogEntry, Emulation, Platform, Section, encode};
pub use decode::decode;
pub use shifted::shift;

use crate::ground::block::{BLOCK, Block};

/// El Torito 1.5: a sector of a CD. The catalog and every boot image start on one.
const SECTOR: u64 = BLOCK;
/// El Torito 1.5: a virtual sector, in which load sizes are counted.
const VIRTUAL_SECTOR: u64 = 512;
/// Figure 7: what bytes 0 to 26 (hexadecimal) of the boot record must be.
const BOOT_RECORD: &[u8; 39] = b"\0CD001\x01EL TORITO SPECIFICATION\0\0\0\0\0\0\0\0\0";
/// Figure 7, byte 47 (hexadecimal): the pointer to the catalog.
const CATALOG_POINTER: usize = 0x47;

/// What El Torito cannot express, or what is no El Torito.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ElToritoError {
    /// Pointers count sectors, in 32 bits.
    #[error("{what} at byte {offset} is not at a 2048-byte sector below 2^32")]
    Place {
        /// The catalog or a boot image.
        what: &'static str,
        /// Its byte offset.
        offset: u64,
    },
    /// The validation entry needs a default entry behind it, and only that.
    #[error("the first section of a boot catalog has exactly one entry, the default; this has {0}")]
    Default(usize),
    /// EDK2 reads no further than the first sector.
    #[error(
        "a boot catalog of {sections} sections and {entries} boot entries takes {records} records; its sector holds 64"
    )]
    TooManyEntries {
        /// Sections, the default entry's included.
        sections: usize,
        /// Boot entries.
        entries: usize,
        /// Records of 32 bytes.
        records: usize,
    },
    /// Figures 2 and 4.
    #[error("the id {id:?} of a boot catalog section has {length} bytes; there is room for {room}")]
    Id {
        /// The id.
        id: String,
        /// Its length.
        length: usize,
        /// 24 in the validation entry, 28 in a section header.
        room: usize,
    },
    /// The catalog is not in the image.
    #[error("the boot catalog at byte {0} cannot be read: {1}")]
    Unreadable(u64, String),
    /// Figure 2: the header id is 01.
    #[error("there is no boot catalog at byte {offset}: its first byte is {found:02x}, not 01")]
    NoValidation {
        /// Where it should be.
        offset: u64,
        /// What is there.
        found: u8,
    },
    /// El Torito 4.1: one partition, the first entry.
    #[error("a hard disk image needs an MBR with one partition, in slot 1; this has {0}")]
    HardDisk(String),
    /// A loader's table does not fit.
    #[error("a boot info table needs an image of at least {needed} bytes; this has {length}")]
    Short {
        /// The image's length.
        length: u64,
        /// The end of the last field.
        needed: u64,
    },
    /// The length field has 32 bits.
    #[error("a boot info table cannot hold the image length {0}")]
    Long(u64),
}

/// Figure 7: the boot record volume descriptor (ECMA-119 §9.2), which belongs in sector 17.
pub fn boot_record(catalog: u64) -> Result<[u8; 2048], ElToritoError> {
    let pointer = sector_number("boot catalog", catalog)?;
    let mut record = [0; SECTOR as usize];
    record[..BOOT_RECORD.len()].copy_from_slice(BOOT_RECORD);
    record[CATALOG_POINTER..][..4].copy_from_slice(&pointer.to_le_bytes());
    Ok(record)
}

/// The byte offset of the catalog. `None` if this is no boot record, or one of another system.
pub fn parse_boot_record(record: &[u8; 2048]) -> Option<u64> {
    let pointer: &[u8; 4] = record.get(CATALOG_POINTER..)?.first_chunk()?;
    record
        .starts_with(BOOT_RECORD)
        .then(|| u64::from(u32::from_le_bytes(*pointer)) * SECTOR)
}

/// Figure 3, byte 4: the system type that the entry of a hard disk image has to repeat.
///
/// El Torito 4.1: its MBR may have one partition only, in the first slot.
pub fn hard_disk_system_type(image: &[u8]) -> Result<u8, ElToritoError> {
    let Some(sector) = image.first_chunk::<512>() else {
        return Err(ElToritoError::HardDisk(format!("{} bytes", image.len())));
    };
    if !sector.ends_with(&[0x55, 0xAA]) {
        return Err(ElToritoError::HardDisk("no 55 aa at byte 510".to_owned()));
    }
    match [450, 466, 482, 498].map(|at| sector[at]) {
        [0, 0, 0, 0] => Err(ElToritoError::HardDisk("none".to_owned())),
        [kind, 0, 0, 0] => Ok(kind),
        kinds => {
            let used: Vec<String> = (1..)
                .zip(kinds)
                .filter(|&(_, kind)| kind != 0)
                .map(|(slot, kind)| format!("type {kind:02x} in slot {slot}"))
                .collect();
            Err(ElToritoError::HardDisk(used.join(", ")))
        }
    }
}

/// The sector count for an EFI boot image of `length` bytes, in virtual sectors.
///
/// UEFI 13.3.2.1: 0 and 1 both mean "to the end of the volume", and 1 is what an image over 65535 virtual sectors gets. No other
/// gets it; the sector that an image lies in has four virtual ones anyway.
pub fn uefi_sectors(length: u64) -> u16 {
    u16::try_from(length.div_ceil(VIRTUAL_SECTOR)).map_or(1, |count| count.max(2))
}

/// A byte offset as the number of its sector.
fn sector_number(what: &'static str, offset: u64) -> Result<u32, ElToritoError> {
    match Block::at(offset) {
        Ok(block) => Ok(block.number()),
        Err(_) => Err(ElToritoError::Place { what, offset }),
    }
}

#[cfg(test)]
mod tests;
