//! What an operating system, or `write --expand`, changes on a stick without harm: told apart from damage when a stick is verified.

use crate::formats::fat::{self, FatKind};
use crate::formats::gpt;
use crate::ground::read_at::ReadAt;
use crate::look::inspect;

/// Bits that may differ.
pub(super) struct Touch {
    /// Byte offset in the image.
    pub(super) offset: u64,
    /// A set bit may differ.
    pub(super) mask: Vec<u8>,
    /// What it means if they do.
    pub(super) what: &'static str,
}

/// All that may differ between an image and a medium that it was written to.
pub(super) fn touchable(image: &dyn ReadAt, medium: &dyn ReadAt) -> Vec<Touch> {
    let mut all = Vec::new();
    for (offset, volume) in inspect::fat_volumes(image).into_iter().flatten() {
        fat_volume(offset, &volume, &mut all);
    }
    for sector_size in [512, 4096] {
        moved_backup(image, medium, sector_size, &mut all);
    }
    all
}

const DIRTY: &str = "a FAT volume was mounted: its dirty bit or its count of free clusters";

/// What every driver of FAT writes when a volume is mounted (Microsoft, FAT 1.03): the flags in `FAT[1]`, those in the boot sector that
/// Windows and Linux keep there, and the hints of FSInfo.
fn fat_volume(offset: u64, volume: &fat::Contents, all: &mut Vec<Touch>) {
    let is_fat32 = matches!(volume.kind, FatKind::Fat32);
    for region in &volume.regions {
        let (at, mask) = match region.what {
            fat::What::BootSector if is_fat32 => (0x41, vec![0xff]),
            fat::What::BootSector => (0x25, vec![0xff]),
            fat::What::FsInfo => (488, vec![0xff; 8]),
            fat::What::Table(_) => match volume.kind {
                FatKind::Fat12 => continue,
                FatKind::Fat16 => (2, vec![0, 0xc0]),
                FatKind::Fat32 => (4, vec![0, 0, 0, 0x0c]),
            },
            _ => continue,
        };
        all.push(Touch {
            offset: offset + region.offset + at,
            mask,
            what: DIRTY,
        });
    }
}

const MOVED: &str = "the backup GPT was moved to the end of the medium";
const ADDED: &str = "a partition was added behind the image";

/// UEFI 5.3.2: what changes when the backup table goes to the end of a larger disk, if that has been done and the partitions of the image
/// are what they were.
fn moved_backup(image: &dyn ReadAt, medium: &dyn ReadAt, sector_size: u64, all: &mut Vec<Touch>) {
    let (Some(before), Some(now)) = (gpt::decode(image, sector_size), gpt::decode(medium, sector_size)) else {
        return;
    };
    let [header, entries, backup_header, backup_entries] = before.regions;
    let same = |number: &u32| {
        let of = |table: &gpt::Decoded| {
            let index = table.numbers.iter().position(|one| one == number)?;
            table.table.partitions.get(index).cloned()
        };
        of(&before) == of(&now)
    };
    let added: Vec<u32> = now
        .numbers
        .iter()
        .filter(|number| !before.numbers.contains(number))
        .copied()
        .collect();
    let is_behind = |number: &u32| {
        let index = now.numbers.iter().position(|one| one == number);
        let partition = index.and_then(|index| now.table.partitions.get(index));
        partition.is_some_and(|partition| partition.start >= backup_entries.0)
    };
    let is_moved = now.valid
        && now.regions[2].0.checked_add(sector_size) == Some(medium.size())
        && now.regions[2].0 != backup_header.0
        && now.table.disk_guid == before.table.disk_guid
        && now.entry_size == before.entry_size
        && before.numbers.iter().all(same)
        && added.iter().all(is_behind);
    if !is_moved {
        return;
    }
    let mut touch = |offset: u64, length: u64, what: &'static str| {
        let mask = vec![0xff; usize::try_from(length).unwrap_or(0)];
        all.push(Touch { offset, mask, what });
    };
    // HeaderCRC32, AlternateLBA, LastUsableLBA.
    for (at, length) in [(16, 4), (32, 8), (48, 8)] {
        touch(header.0 + at, length, MOVED);
    }
    // In a larger logical sector the header of a table for smaller ones may follow, which stays.
    touch(backup_header.0, 512, MOVED);
    touch(backup_entries.0, backup_entries.1, MOVED);
    // The protective entry's last sector as CHS, and its length.
    for slot in 0..4 {
        let at = 446 + 16 * slot;
        if image.read_vec_at(at + 4, 1).is_ok_and(|kind| kind == [0xee]) {
            touch(at + 5, 3, MOVED);
            touch(at + 12, 4, MOVED);
        }
    }
    if !added.is_empty() {
        // PartitionEntryArrayCRC32.
        touch(header.0 + 88, 4, ADDED);
    }
    for number in added {
        let slot = u64::from(number - 1) * u64::from(before.entry_size);
        touch(entries.0 + slot, before.entry_size.into(), ADDED);
    }
}
