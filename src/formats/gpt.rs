//! The GUID partition table (UEFI 5.3): a header and an array of partition entries behind the MBR, and a copy of both
//! at the end of the disk, the header in the very last logical sector.
//!
//! Four structures, so four places on the disk: [`placement`] gives them before there is anything to encode, [`encode()`]
//! their bytes, [`decode()`] reads the bytes of any disk. The records themselves are those of the `gpt` crate. Its disk
//! editor is not used: it draws random GUIDs, lets partitions overlap and panics on hostile headers.
//!
//! On the disk the first and the last LBA are both inclusive. Here a partition is a start and a length in bytes.

mod decode;
mod encode;
mod expand;
mod guid;

pub use decode::{Decoded, decode};
pub use encode::{Encoded, GptError, encode};
pub use expand::{New, expand};
pub use guid::Guid;

/// UEFI 5.3.3, Table 5.7: the EFI system partition.
pub const ESP: Guid = Guid::from_fields(0xC12A7328, 0xF81F, 0x11D2, 0xBA4B_00A0_C93E_C93B);
/// Discoverable Partitions Specification: data of Linux, no particular mount point.
pub const LINUX_DATA: Guid = Guid::from_fields(0x0FC63DAF, 0x8483, 0x4772, 0x8E79_3D69_D847_7DE4);
/// Discoverable Partitions Specification: swap space of Linux.
pub const LINUX_SWAP: Guid = Guid::from_fields(0x0657FD6D, 0xA4AB, 0x43C4, 0x84E5_0933_C84B_4F4F);
/// Microsoft, `PARTITION_BASIC_DATA_GUID`: what Windows gives a drive letter.
pub const BASIC_DATA: Guid = Guid::from_fields(0xEBD0A0A2, 0xB9E5, 0x4433, 0x87C0_68B6_B726_99C7);
/// GRUB: where its core image lies on a GPT disk that a BIOS boots.
pub const BIOS_BOOT: Guid = Guid::from_fields(0x21686148, 0x6449, 0x6E6F, 0x744E_6565_6445_4649);

/// Bit 60, meaning given by the type: read-only, for Microsoft basic data and in the Discoverable Partitions
/// Specification.
pub const READ_ONLY: u64 = 1 << 60;
/// Bit 63, meaning given by the type: no drive letter for Microsoft basic data, no automatic mount in the Discoverable
/// Partitions Specification.
pub const NO_AUTOMOUNT: u64 = 1 << 63;

/// UEFI 5.3.2: "EFI PART", byte 0 of a header.
const SIGNATURE: &[u8; 8] = b"EFI PART";
/// UEFI 5.3.2: bytes of a header that have a meaning, and the least value of HeaderSize.
const HEADER_SIZE: u32 = 92;
/// UEFI 5.3.3: the least SizeOfPartitionEntry; larger ones are 128 times a power of two.
const ENTRY_SIZE: u32 = 128;
/// Entries of an array we write: UEFI 5.3.1 reserves at least 16 KiB for it.
const ENTRY_COUNT: u32 = 128;
/// Bytes of an array we write.
const ARRAY_SIZE: u64 = ENTRY_SIZE as u64 * ENTRY_COUNT as u64;
/// UEFI 5.3.3: PartitionName is 72 bytes of UTF-16.
const NAME_UNITS: usize = 36;

/// The partitions of a disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// DiskGUID.
    pub disk_guid: Guid,
    /// In the order of the array.
    pub partitions: Vec<Partition>,
    /// Bytes of a logical sector: 512 or 4096.
    pub sector_size: u64,
    /// Bytes of the disk, a multiple of the logical sector.
    pub disk_size: u64,
    /// Byte offset of the primary array. Usually behind the header, at two logical sectors; further back where headers
    /// for several sector sizes share a disk.
    pub entries_offset: u64,
    /// Byte offset of the backup array where it is not in front of the backup header.
    pub backup_entries_offset: Option<u64>,
    /// Byte offset of the first logical sector a partition may have. [`encode()`] raises it to the least that UEFI 5.3.1
    /// allows, so zero asks for that.
    pub first_usable: u64,
    /// The first byte behind those that a partition may have. [`encode()`] lowers it to where the backup begins, so
    /// [`u64::MAX`] asks for that.
    pub usable_end: u64,
}

/// One partition entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// PartitionTypeGUID.
    pub kind: Guid,
    /// UniquePartitionGUID.
    pub guid: Guid,
    /// At most 36 UTF-16 units.
    pub name: String,
    /// Byte offset of the first logical sector.
    pub start: u64,
    /// Bytes, at least one logical sector.
    pub length: u64,
    /// Bits 0 to 47 by UEFI 5.3.3, bits 48 to 63 by the partition's type.
    pub attributes: u64,
}

/// Where the four structures of a table lie: byte offset and length of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The primary header, in LBA 1.
    pub header: (u64, u64),
    /// The primary array.
    pub entries: (u64, u64),
    /// The backup array, in front of the backup header or further in front.
    pub backup_entries: (u64, u64),
    /// The backup header, in the last LBA.
    pub backup_header: (u64, u64),
}

impl Placement {
    /// UEFI 5.3.1: the first byte a partition may have. It is behind the primary array, and behind the space that 16 KiB
    /// of array would take in its usual place: LBA 34 with logical sectors of 512 bytes, LBA 6 with 4096.
    pub fn first_usable(&self) -> u64 {
        let (header_end, entries_end) = (end(self.header), end(self.entries));
        entries_end.max(header_end.saturating_add(ARRAY_SIZE))
    }

    /// The first byte behind the usable ones: the backup array's.
    pub fn usable_end(&self) -> u64 {
        self.backup_entries.0
    }
}

/// The place of each structure on a disk of `disk_size` bytes. `None` if the disk is too small for them, or if they do
/// not lie on logical sectors; a primary array in front of its usual place or a backup array behind its own would cover
/// the header.
pub fn placement(
    sector_size: u64,
    disk_size: u64,
    entries_offset: u64,
    backup_entries_offset: Option<u64>,
) -> Option<Placement> {
    let aligned = |bytes: u64| bytes.checked_rem(sector_size) == Some(0);
    if !aligned(disk_size) || !aligned(entries_offset) || !aligned(ARRAY_SIZE) {
        return None;
    }
    let backup_header = disk_size.checked_sub(sector_size)?;
    let usual_backup = backup_header.checked_sub(ARRAY_SIZE)?;
    let backup_entries = backup_entries_offset.unwrap_or(usual_backup);
    if !aligned(backup_entries) || backup_entries > usual_backup {
        return None;
    }
    let placement = Placement {
        header: (sector_size, sector_size),
        entries: (entries_offset, ARRAY_SIZE),
        backup_entries: (backup_entries, ARRAY_SIZE),
        backup_header: (backup_header, sector_size),
    };
    let room = entries_offset >= end(placement.header) && placement.first_usable() <= placement.usable_end();
    room.then_some(placement)
}

/// The first byte behind a range.
fn end((offset, length): (u64, u64)) -> u64 {
    offset.saturating_add(length)
}

#[cfg(test)]
mod tests;
