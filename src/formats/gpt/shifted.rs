//! Somebody else's table, after bytes have been put into the image: each entry at its new place, both headers right, and every other byte
//! as it was.

use super::SIGNATURE;
use super::fields::{at, is_sealed, number, seal};
use crate::ground::fields::put;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::shift::Shift;

/// The sector of a header, and its array.
type Half = (Vec<u8>, Vec<u8>);

/// The checksums of a table do not match its bytes, so nobody knows which of its entries are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the checksums of the GPT whose header is at byte {place} do not hold (UEFI 5.3.2), so it cannot be brought up to date"
)]
pub struct Damaged {
    /// The first byte of the header.
    pub place: u64,
}

/// The longest array that is read.
const LONGEST: u64 = 1 << 20;

/// Computes the new headers and arrays, each with its byte offset, the primary's first. The result is empty if the disk has no valid table.
/// On `disk` the bytes have moved already, and the table still has the old addresses; `size` is the old size of the disk.
///
/// # Errors
/// The checksums of a table do not match its bytes.
pub fn shift(disk: &dyn ReadAt, sector_size: u64, size: u64, shift: &Shift) -> Result<Vec<(u64, Vec<u8>)>, Damaged> {
    let Some((header, entries)) = half(disk, sector_size, sector_size, &|offset| shift.start(offset))? else {
        return Ok(Vec::new());
    };
    let alternate = number(&header, at::ALTERNATE, 8);
    let mut written = Vec::new();
    let mut halves = vec![(sector_size, header, entries)];
    let backup = alternate.saturating_mul(sector_size);
    if backup < size && backup > sector_size {
        let place = shift.start(backup);
        if let Some((header, entries)) = half(disk, sector_size, place, &|offset| shift.start(offset))? {
            halves.push((place, header, entries));
        }
    }
    for (place, mut header, mut entries) in halves {
        let entry = number(&header, at::SIZE, 4).max(1) as usize;
        for entry in entries.chunks_exact_mut(entry) {
            remap(entry, sector_size, shift);
        }
        let here = place / sector_size;
        let array = shift.start(number(&header, at::ENTRIES, 8).saturating_mul(sector_size)) / sector_size;
        // These two speak of the end of the disk, whatever stands there.
        let moved = shift.by / sector_size;
        let other = match here {
            1 => number(&header, at::ALTERNATE, 8).saturating_add(moved),
            _ => 1,
        };
        let last = number(&header, at::LAST_USABLE, 8).saturating_add(moved);
        for (field, value) in [
            (at::MY_LBA, here),
            (at::ALTERNATE, other),
            (at::ENTRIES, array),
            (at::LAST_USABLE, last),
        ] {
            put(&mut header, field, &value.to_le_bytes());
        }
        put(&mut header, at::ENTRIES_CRC, &crc32fast::hash(&entries).to_le_bytes());
        seal(&mut header);
        written.push((array * sector_size, entries));
        written.push((place, header));
    }
    Ok(written)
}

/// Reads the header at byte `place` and its array. The result is `None` if there is no header. `moved` gives the new offset of the array.
fn half(disk: &dyn ReadAt, sector_size: u64, place: u64, moved: &dyn Fn(u64) -> u64) -> Result<Option<Half>, Damaged> {
    let Ok(header) = disk.read_vec_at(place, sector_size) else {
        return Ok(None);
    };
    if !header.starts_with(SIGNATURE) {
        return Ok(None);
    }
    match is_sealed(&header)
        .then(|| array(disk, sector_size, &header, moved))
        .flatten()
    {
        Some(entries) => Ok(Some((header, entries))),
        None => Err(Damaged { place }),
    }
}

/// Reads the array of a header. The result is `None` if its checksum does not match.
fn array(disk: &dyn ReadAt, sector_size: u64, header: &[u8], moved: &dyn Fn(u64) -> u64) -> Option<Vec<u8>> {
    let length = number(header, at::COUNT, 4).saturating_mul(number(header, at::SIZE, 4));
    let array = moved(number(header, at::ENTRIES, 8).saturating_mul(sector_size));
    if length > LONGEST || number(header, at::SIZE, 4) < 128 {
        return None;
    }
    let entries = disk.read_vec_at(array, length).ok()?;
    let is_right = u64::from(crc32fast::hash(&entries)) == number(header, at::ENTRIES_CRC, 4);
    is_right.then_some(entries)
}

/// UEFI 5.3.3, Table 5.6: StartingLBA and EndingLBA, which is the last.
fn remap(entry: &mut [u8], sector_size: u64, shift: &Shift) {
    if entry.iter().take(16).all(|&byte| byte == 0) {
        return;
    }
    let (first, last) = (number(entry, 32, 8), number(entry, 40, 8));
    let (Some(offset), Some(end)) = (
        first.checked_mul(sector_size),
        last.checked_add(1).and_then(|end| end.checked_mul(sector_size)),
    ) else {
        return;
    };
    if end <= offset {
        return;
    }
    let new = shift.range(Range {
        offset,
        length: end - offset,
    });
    put(entry, 32, &(new.offset / sector_size).to_le_bytes());
    put(entry, 40, &(new.end() / sector_size - 1).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{Guid, Table, decode, tests};
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A disk of 8 MiB with the partition of a volume from 1 to 5 MiB, and another behind it to 7 MiB.
    fn disk(sector_size: u64, has_backup: bool) -> Vec<u8> {
        let mut disk = tests::disk(&Table {
            disk_guid: Guid::from_bytes_le([9; 16]),
            partitions: vec![
                tests::partition("volume", 1, MIB, 4 * MIB),
                tests::partition("ESP", 2, 5 * MIB, 2 * MIB),
            ],
            sector_size,
            disk_size: 8 * MIB,
            entries_offset: 2 * sector_size,
            backup_entries_offset: None,
            first_usable: 0,
            usable_end: u64::MAX,
        });
        if !has_backup {
            let header = disk.len() - sector_size as usize;
            disk[header..].fill(0);
        }
        disk
    }

    #[test]
    fn both_tables_follow_their_partitions() {
        for (sector_size, has_backup) in [(512, true), (4096, true), (512, false)] {
            let old = disk(sector_size, has_backup);
            let (head, tail) = old.split_at(5 << 20);
            let mut new = [head, &[0xAB; 2 << 20], tail].concat();
            let put = Shift {
                cut: 5 * MIB,
                by: 2 * MIB,
                filled: 7 * MIB,
                volumes: vec![(MIB, 4 * MIB)],
                known: Vec::new(),
            };
            let written = shift(&new, sector_size, 8 * MIB, &put).unwrap();
            assert_eq!(written.len(), if has_backup { 4 } else { 2 });
            for (at, bytes) in written {
                new[at as usize..][..bytes.len()].copy_from_slice(&bytes);
            }
            let (before, after) = (decode(&old, sector_size).unwrap(), decode(&new, sector_size).unwrap());
            assert_eq!(after.faults.len(), before.faults.len(), "{:?}", after.faults);
            assert_eq!(after.faults.is_empty(), has_backup);
            let places: Vec<(u64, u64)> = after
                .table
                .partitions
                .iter()
                .map(|one| (one.start, one.length))
                .collect();
            assert_eq!(places, [(MIB, 6 * MIB), (7 * MIB, 2 * MIB)]);
            for (before, after) in before.table.partitions.iter().zip(&after.table.partitions) {
                let same = (&after.guid, &after.name, after.attributes);
                assert_eq!(same, (&before.guid, &before.name, before.attributes));
            }
            assert_eq!(after.table.usable_end, before.table.usable_end + 2 * MIB);
        }
        let put = Shift {
            cut: 0,
            by: 1,
            filled: 0,
            volumes: Vec::new(),
            known: Vec::new(),
        };
        assert_eq!(shift(&vec![0; 8192], 512, 8192, &put), Ok(Vec::new()));
        // The entry of a partition, in the primary array and in the backup.
        for (at, place) in [(1024 + 40, 512), ((8 << 20) - 33 * 512 + 40, (8 << 20) - 512)] {
            let mut disk = disk(512, true);
            disk[at] ^= 1;
            assert_eq!(
                shift(
                    &disk,
                    512,
                    8 * MIB,
                    &Shift {
                        cut: 8 * MIB,
                        ..put.clone()
                    }
                ),
                Err(Damaged { place })
            );
        }
    }
}
