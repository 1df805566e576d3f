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
mod fields;
mod shifted;

pub use decode::{Decoded, decode};
pub use encode::{Encoded, GptError, encode};
pub use expand::{New, expand};
pub use shifted::shift;
/// UEFI Appendix A: on the disk the first three fields are little-endian.
pub use uuid::Uuid as Guid;
use uuid::uuid;

/// UEFI 5.3.3, Table 5.7: the EFI system partition.
pub const ESP: Guid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
/// Discoverable Partitions Specification: data of Linux, no particular mount point.
pub const LINUX_DATA: Guid = uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4");
/// Discoverable Partitions Specification: swap space of Linux.
pub const LINUX_SWAP: Guid = uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f");
/// Microsoft, `PARTITION_BASIC_DATA_GUID`: what Windows gives a drive letter.
pub const BASIC_DATA: Guid = uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
/// GRUB: where its core image lies on a GPT disk that a BIOS boots.
pub const BIOS_BOOT: Guid = uuid!("21686148-6449-6e6f-744e-656564454649");

/// RFC 9562 §5.4: sixteen bytes of any origin, as they lie on the disk, marked as version 4. The mark is two bits and a digit; the other
/// 122 bits stay.
pub fn version_4(bytes: [u8; 16]) -> Guid {
    let marked = uuid::Builder::from_bytes_le(bytes).with_version(uuid::Version::Random);
    marked.with_variant(uuid::Variant::RFC4122).into_uuid()
}

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
