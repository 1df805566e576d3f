//! Moving the backup table of an image to the end of a larger disk (UEFI 5.3.2: it belongs in the last sector), and a partition into the
//! room between. Every byte that does not have to change stays, whoever made the table.

use super::fields::{at, is_sealed, number, seal};
use super::{Guid, NAME_UNITS, Partition, SIGNATURE};
use crate::ground::fields::put;

/// What a table becomes on a larger disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The start of the disk: as it was given, with the new MBR entry, header and array.
    pub head: Vec<u8>,
    /// Byte offset and length of what has to become zeros, for the old backup not to be found any more: its header. What is behind
    /// that in a larger logical sector may be the header of a table for smaller ones, and where its array is nothing at hand says.
    pub old_backup: (u64, u64),
    /// Byte offset and content of the new backup array, which the new header follows.
    pub backup: (u64, Vec<u8>),
    /// The new partition.
    pub added: Option<Partition>,
}

/// Why a table cannot be moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// No header, or one that firmware does not take.
    #[error("it has no GPT for sectors of {0} bytes")]
    None(u64),
    /// The table is not in the part of the disk that is at hand.
    #[error("its partition entries are not at its start")]
    Elsewhere,
    /// All entries are in use.
    #[error("its GPT has no free entry")]
    Full,
    /// There is no room.
    #[error("the disk is not larger by as much as a table and a partition take")]
    NoRoom,
}

/// Bytes of the smallest logical sector, in which every header has its fields.
const SMALLEST_SECTOR: u64 = 512;

/// New partitions begin and end on this.
const ALIGNMENT: u64 = 1 << 20;

/// A partition to add: its type, GUID and name.
#[derive(Clone, Debug)]
pub struct New {
    /// PartitionTypeGUID.
    pub kind: Guid,
    /// UniquePartitionGUID.
    pub guid: Guid,
    /// PartitionName.
    pub name: String,
}

/// Moves the table in `head`, the start of an image, to a disk of `disk_size` bytes, and adds a partition that takes all the room behind the
/// image.
///
/// # Errors
/// When there is no table to move, or no room.
pub fn expand(head: &[u8], sector_size: u64, disk_size: u64, new: Option<New>) -> Result<Expanded, ExpandError> {
    let none = || ExpandError::None(sector_size);
    let mut head = head.to_vec();
    let sector = usize::try_from(sector_size).map_err(|_| none())?;
    let mut header = head.get(sector..2 * sector).ok_or_else(none)?.to_vec();
    if !header.starts_with(SIGNATURE) || !is_sealed(&header) {
        return Err(none());
    }
    let (count, size) = (number(&header, at::COUNT, 4), number(&header, at::SIZE, 4));
    let length = count.saturating_mul(size);
    let array = number(&header, at::ENTRIES, 8).saturating_mul(sector_size);
    let array = usize::try_from(array).map_err(|_| ExpandError::Elsewhere)?;
    let array = array..array.saturating_add(length as usize);
    let mut entries = head.get(array.clone()).ok_or(ExpandError::Elsewhere)?.to_vec();
    if size < 128 || crc32fast::hash(&entries) != number(&header, at::ENTRIES_CRC, 4) as u32 {
        return Err(none());
    }

    let array_sectors = length.div_ceil(sector_size);
    let old_last = number(&header, at::ALTERNATE, 8);
    let last = (disk_size / sector_size).saturating_sub(1);
    let usable_end = last.saturating_sub(array_sectors);
    if usable_end <= old_last {
        return Err(ExpandError::NoRoom);
    }
    let added = match new {
        Some(new) => {
            let free = entries
                .chunks_exact_mut(size as usize)
                .find(|entry| entry.iter().take(16).all(|&byte| byte == 0));
            let start = ((old_last + 1) * sector_size).next_multiple_of(ALIGNMENT);
            let end = usable_end * sector_size / ALIGNMENT * ALIGNMENT;
            if end < start + ALIGNMENT {
                return Err(ExpandError::NoRoom);
            }
            let partition = Partition {
                kind: new.kind,
                guid: new.guid,
                name: new.name,
                start,
                length: end - start,
                attributes: 0,
            };
            write_entry(free.ok_or(ExpandError::Full)?, &partition, sector_size);
            Some(partition)
        }
        None => None,
    };

    let old_size = old_last + 1;
    protect(&mut head, old_size, last + 1);
    put(&mut header, at::ALTERNATE, &last.to_le_bytes());
    put(&mut header, at::LAST_USABLE, &(usable_end - 1).to_le_bytes());
    put(&mut header, at::ENTRIES_CRC, &crc32fast::hash(&entries).to_le_bytes());
    seal(&mut header);
    put(&mut head, sector, &header);
    put(&mut head, array.start, &entries);
    put(&mut header, at::MY_LBA, &last.to_le_bytes());
    put(&mut header, at::ALTERNATE, &1u64.to_le_bytes());
    put(&mut header, at::ENTRIES, &usable_end.to_le_bytes());
    seal(&mut header);
    entries.resize((array_sectors * sector_size) as usize, 0);
    entries.extend_from_slice(&header);
    Ok(Expanded {
        head,
        old_backup: (old_last * sector_size, SMALLEST_SECTOR),
        backup: (usable_end * sector_size, entries),
        added,
    })
}

/// UEFI 5.3.3, Table 5.6.
fn write_entry(entry: &mut [u8], partition: &Partition, sector_size: u64) {
    let (first, end) = (
        partition.start / sector_size,
        (partition.start + partition.length) / sector_size,
    );
    put(entry, 0, &partition.kind.to_bytes_le());
    put(entry, 16, &partition.guid.to_bytes_le());
    put(entry, 32, &first.to_le_bytes());
    put(entry, 40, &(end - 1).to_le_bytes());
    put(entry, 48, &partition.attributes.to_le_bytes());
    for (index, unit) in partition.name.encode_utf16().take(NAME_UNITS).enumerate() {
        put(entry, 56 + 2 * index, &unit.to_le_bytes());
    }
}

/// UEFI 5.2.3: the protective entry covers the disk. One that ended with the image ends with the disk; any other is a hybrid's, and stays.
fn protect(head: &mut [u8], old_size: u64, new_size: u64) {
    for slot in (0..4).map(|index| 446 + 16 * index) {
        let (start, length) = (number(head, slot + 8, 4), number(head, slot + 12, 4));
        if number(head, slot + 4, 1) == 0xEE && start + length == old_size {
            let length = u32::try_from(new_size - start).unwrap_or(u32::MAX);
            put(head, slot + 12, &length.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LINUX_DATA, Table, decode, tests};
    use super::*;

    const MIB: u64 = 1 << 20;

    /// An image of 8 MiB with an ESP.
    fn image(sector_size: u64) -> Vec<u8> {
        let mut image = tests::disk(&Table {
            disk_guid: Guid::from_bytes_le([9; 16]),
            partitions: vec![tests::partition("ESP", 8, 2 * MIB, MIB)],
            sector_size,
            disk_size: 8 * MIB,
            entries_offset: 2 * sector_size,
            backup_entries_offset: None,
            first_usable: 0,
            usable_end: u64::MAX,
        });
        put(&mut image, 446 + 4, &[0xEE]);
        put(&mut image, 446 + 8, &1u32.to_le_bytes());
        put(
            &mut image,
            446 + 12,
            &((8 * MIB / sector_size) as u32 - 1).to_le_bytes(),
        );
        image
    }

    #[test]
    fn a_moved_table_is_whole_and_has_the_same_partitions() {
        for sector_size in [512, 4096] {
            let image = image(sector_size);
            let before = decode(&image, sector_size).unwrap();
            assert_eq!(before.faults, Vec::<String>::new());
            for (disk_size, named) in [(9 * MIB, false), (64 * MIB, true), (64 * MIB + 12 * 4096, true)] {
                let new = named.then(|| New {
                    kind: LINUX_DATA,
                    guid: Guid::from_bytes_le([7; 16]),
                    name: "persistence".into(),
                });
                let expanded = expand(&image[..1 << 20], sector_size, disk_size, new).unwrap();
                let mut disk = image.clone();
                disk.resize(disk_size as usize, 0);
                put(&mut disk, 0, &expanded.head);
                let (offset, length) = expanded.old_backup;
                disk[offset as usize..(offset + length) as usize].fill(0);
                put(&mut disk, expanded.backup.0 as usize, &expanded.backup.1);
                let after = decode(&disk, sector_size).unwrap();
                assert_eq!(after.faults, Vec::<String>::new());
                assert_eq!(after.table.partitions[0], before.table.partitions[0]);
                assert_eq!(after.table.partitions.get(1), expanded.added.as_ref());
                assert_eq!(expanded.added.is_some(), named);
                // Behind the third disk's last MiB there is room for the backup.
                let length = if disk_size.is_multiple_of(MIB) {
                    55 * MIB
                } else {
                    56 * MIB
                };
                if let Some(added) = expanded.added {
                    assert_eq!(
                        (added.start, added.length, added.name.as_str()),
                        (8 * MIB, length, "persistence")
                    );
                }
                let protective = u64::from(u32::from_le_bytes(disk[458..462].try_into().unwrap()));
                assert_eq!(protective, disk_size / sector_size - 1);
            }
        }
    }

    #[test]
    fn what_cannot_be_moved_is_refused() {
        let image = image(512);
        let head = &image[..1 << 20];
        let new = || {
            Some(New {
                kind: LINUX_DATA,
                guid: Guid::nil(),
                name: String::new(),
            })
        };
        assert_eq!(expand(head, 512, 8 * MIB, None), Err(ExpandError::NoRoom));
        assert_eq!(expand(head, 512, 9 * MIB, new()), Err(ExpandError::NoRoom));
        assert_eq!(expand(head, 4096, 64 * MIB, None), Err(ExpandError::None(4096)));
        assert_eq!(expand(&head[..900], 512, 64 * MIB, None), Err(ExpandError::None(512)));
        assert_eq!(expand(&head[..4096], 512, 64 * MIB, None), Err(ExpandError::Elsewhere));
        let mut wrong = head.to_vec();
        wrong[1024 + 60] ^= 1;
        assert_eq!(expand(&wrong, 512, 64 * MIB, None), Err(ExpandError::None(512)));
    }
}
