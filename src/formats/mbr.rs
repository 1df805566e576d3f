//! The master boot record: boot code, disk signature and four partition records in the first 512 bytes of a disk
//! (UEFI 5.2.1), and the protective form of it in front of a GPT (UEFI 5.2.3).
//!
//! Addresses are in logical sectors of the medium, 512 or 4096 bytes; the record itself is 512 bytes on both. What the
//! slots of an image hold is decided elsewhere; here only what one slot can say. `mbrman` has the bytes of the record.
//! Its code for logical partitions wraps and panics on hostile numbers and is not used.

mod logical;
mod shifted;

use std::io::Cursor;

use mbrman::{BOOT_ACTIVE, BOOT_INACTIVE, CHS, MBRHeader, MBRPartitionEntry};

pub use logical::logical;
pub use shifted::shift;

/// UEFI 5.2.3: the type of the slot that keeps tools without GPT away from the disk.
pub const PROTECTIVE: u8 = 0xEE;

/// UEFI 5.2.2: the type of an EFI system partition on a disk without GPT.
pub const ESP: u8 = 0xEF;

/// Bytes 0 to 439. The disk signature follows.
const CODE: usize = 440;

/// Bytes 446 to 509: four partition records of 16 bytes. 55 AA follows.
const TABLE: std::ops::Range<usize> = 446..510;

/// The geometry every BIOS with LBA translation reports for a disk of more than 8 GB.
const HEADS: u64 = 255;
/// Sectors of a track in the same geometry; they count from 1.
const SECTORS: u64 = 63;
/// Ten bits hold the cylinder.
const LAST_CYLINDER: u16 = 1023;

/// One master boot record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mbr {
    /// Run by a BIOS at 0000:7C00. Code shorter than 440 bytes is followed by zeros.
    pub boot_code: [u8; 440],
    /// Byte 440: tells disks apart; Windows changes it when two are equal.
    pub disk_signature: u32,
    /// Slots 1 to 4, in this order.
    pub slots: [Slot; 4],
}

/// One partition record. All fields zero: unused.
///
/// Type 00 with other fields set marks no partition, but a BIOS that insists on an active record finds one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Byte 0: 80 if set, else 00.
    pub active: bool,
    /// Byte 4: the partition type.
    pub kind: u8,
    /// Byte 8: the first logical sector.
    pub start: u32,
    /// Byte 12: the number of logical sectors.
    pub length: u32,
}

/// What cannot be put into a master boot record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MbrError {
    /// Slots count logical sectors.
    #[error("{bytes} bytes are not a multiple of the logical sector of {sector} bytes")]
    Unaligned {
        /// The start or the length.
        bytes: u64,
        /// The logical sector's length.
        sector: u64,
    },
    /// Both numbers of a slot have 32 bits.
    #[error("an MBR partition of {length} bytes from byte {start} ends past 2^32 logical sectors of {sector} bytes")]
    TooFar {
        /// First byte.
        start: u64,
        /// Length in bytes.
        length: u64,
        /// The logical sector's length.
        sector: u64,
    },
    /// What `mbrman` does not write.
    #[error("the MBR cannot be encoded: {0}")]
    Record(String),
    /// More would run into the disk signature and the table.
    #[error("MBR boot code is 1 to 440 bytes, or a whole boot sector of 512; this is {0} bytes")]
    CodeLength(u64),
    /// 512 bytes of something else.
    #[error("MBR boot code of 512 bytes must end in 55 aa; this ends in {0:02x} {1:02x}")]
    CodeSignature(u8, u8),
    /// Only one table can be in the sector, and it is ours.
    #[error("MBR boot code of 512 bytes must leave the table, bytes 446 to 509, zero; byte {offset} is {value:02x}")]
    CodeHasTable {
        /// The first byte that is not zero.
        offset: usize,
        /// Its value.
        value: u8,
    },
}

/// The start and length of a slot, in logical sectors of `sector` bytes.
///
/// The last sector must have a 32-bit address too: readers add the two numbers in 32 bits.
pub fn slot(start_bytes: u64, length_bytes: u64, sector: u64) -> Result<(u32, u32), MbrError> {
    let sectors = |bytes: u64| match bytes.checked_rem(sector) {
        Some(0) => Ok(bytes / sector),
        _ => Err(MbrError::Unaligned { bytes, sector }),
    };
    let (start, length) = (sectors(start_bytes)?, sectors(length_bytes)?);
    let too_far = || MbrError::TooFar {
        start: start_bytes,
        length: length_bytes,
        sector,
    };
    if start.checked_add(length).is_none_or(|end| end > 1 << 32) {
        return Err(too_far());
    }
    let narrow = |sectors| u32::try_from(sectors).map_err(|_| too_far());
    Ok((narrow(start)?, narrow(length)?))
}

/// UEFI 5.2.3: the slot from LBA 1 to the end of the disk, or FFFFFFFF sectors where the disk has more.
///
/// EDK2 looks for a GPT only behind a slot that starts at exactly 1.
pub fn protective(disk_sectors: u64) -> Slot {
    let length = u32::try_from(disk_sectors.saturating_sub(1)).unwrap_or(u32::MAX);
    Slot {
        active: false,
        kind: PROTECTIVE,
        start: 1,
        length,
    }
}

/// Boot code out of a file: bare code (syslinux' isohdpfx.bin has 432 bytes, its mbr.bin 440), or a boot sector without
/// a partition table of its own (GRUB's boot_hybrid.img).
///
/// GRUB's boot.img is refused: it has code where the table goes and counts on GRUB's installer to overwrite it.
pub fn boot_code(file: &[u8]) -> Result<[u8; 440], MbrError> {
    let mut code = [0; CODE];
    match file.len() {
        1..=CODE => code[..file.len()].copy_from_slice(file),
        512 => {
            if file[510..] != [0x55, 0xAA] {
                return Err(MbrError::CodeSignature(file[510], file[511]));
            }
            if let Some(offset) = TABLE.into_iter().find(|&offset| file[offset] != 0) {
                return Err(MbrError::CodeHasTable {
                    offset,
                    value: file[offset],
                });
            }
            code.copy_from_slice(&file[..CODE]);
        }
        length => return Err(MbrError::CodeLength(length as u64)),
    }
    Ok(code)
}

/// The 512 bytes of the record, 55 AA at the end.
pub fn encode(mbr: &Mbr) -> Result<[u8; 512], MbrError> {
    let mut header = MBRHeader::new(mbr.disk_signature.to_le_bytes());
    header.bootstrap_code = mbr.boot_code;
    for ((_, record), slot) in header.iter_mut().zip(&mbr.slots) {
        *record = partition_record(slot);
    }
    let mut sector = [0; 512];
    header
        .write_into(&mut Cursor::new(&mut sector[..]))
        .map_err(|error| MbrError::Record(error.to_string()))?;
    Ok(sector)
}

/// Reads a record back.
///
/// `None`: no 55 AA at byte 510, or a boot flag other than 80 and 00. UEFI 5.2.1 calls the latter no legal record; the
/// boot sector of a file system looks like that.
pub fn decode(sector: &[u8; 512]) -> Option<Mbr> {
    let header = MBRHeader::read_from(&mut Cursor::new(&sector[..])).ok()?;
    let slot = |record: &MBRPartitionEntry| Slot {
        active: record.is_active(),
        kind: record.sys,
        start: record.starting_lba,
        length: record.sectors,
    };
    Some(Mbr {
        boot_code: header.bootstrap_code,
        disk_signature: u32::from_le_bytes(header.disk_signature),
        slots: [
            slot(&header.partition_1),
            slot(&header.partition_2),
            slot(&header.partition_3),
            slot(&header.partition_4),
        ],
    })
}

/// The sixteen bytes of a slot. The CHS fields follow from the LBA fields; nothing but very old boot code reads them.
fn partition_record(slot: &Slot) -> MBRPartitionEntry {
    if *slot == Slot::default() {
        return MBRPartitionEntry::empty();
    }
    let (start, last) = (u64::from(slot.start), u64::from(slot.length).saturating_sub(1));
    MBRPartitionEntry {
        boot: if slot.active { BOOT_ACTIVE } else { BOOT_INACTIVE },
        first_chs: chs(start, slot.kind),
        sys: slot.kind,
        last_chs: chs(start + last, slot.kind),
        starting_lba: slot.start,
        sectors: slot.length,
    }
}

/// Cylinder, head and sector of an LBA, clamped where ten bits of cylinder do not reach.
///
/// The clamp is FE FF FF, the last address of the geometry, as fdisk and Windows write it; but FF FF FF in a protective
/// slot, because UEFI 5.2.3 says so for EndingCHS. The start of a protective slot, LBA 1, is 00 02 00 as UEFI wants it.
fn chs(lba: u64, kind: u8) -> CHS {
    let (track, sector) = (lba / SECTORS, (lba % SECTORS + 1) as u8);
    let (cylinder, head) = (track / HEADS, (track % HEADS) as u8);
    match u16::try_from(cylinder) {
        Ok(cylinder @ ..=LAST_CYLINDER) => CHS::new(cylinder, head, sector),
        _ if kind == PROTECTIVE => CHS::new(LAST_CYLINDER, 255, 63),
        _ => CHS::new(LAST_CYLINDER, 254, 63),
    }
}

#[cfg(test)]
mod tests;
