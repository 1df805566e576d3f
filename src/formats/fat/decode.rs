//! Reading any FAT volume: the reserved area and the tables; [`super::walk`] follows the chains.

use super::boot_sector::{self, BootSector};
use super::table::{Link, Table};
use super::walk::Walk;
use super::{Contents, FatError, FatKind, Region, What};
use crate::ground::limits::Notes;
use crate::ground::read_at::ReadAt;

/// Where the fields of a boot sector are that say what the volume is. Code stands before and behind them.
const FIELDS: std::ops::Range<usize> = 11..90;
/// How much of a copy of the table is compared at once.
const STEP: usize = 1 << 16;

/// Takes a volume apart. Damage that leaves some of it readable ends up in [`Contents::notes`].
pub fn read(volume: &dyn ReadAt) -> Result<Contents, FatError> {
    let first = bytes_at(volume, "the boot sector", 0, boot_sector::LENGTH as u64)?;
    let first = first.first_chunk().ok_or(FatError::NotFat {
        field: "the length",
        value: 0,
    })?;
    let mut boot = boot_sector::decode(first)?;
    let geometry = boot.geometry;
    let mut notes = Notes::from(std::mem::take(&mut boot.notes));
    if geometry.size() > volume.size() {
        let (size, there) = (geometry.size(), volume.size());
        notes.add(format!("the boot sector counts {size} bytes, there are {there}"));
    }
    let active = boot.active_table.unwrap_or(0).min(geometry.tables - 1);
    let table = bytes_at(
        volume,
        "the allocation table",
        geometry.table_offset(active),
        geometry.kind.table_bytes(geometry.clusters.into()),
    )?;
    let table = Table::from_bytes(geometry.kind, table);

    let mut regions = reserved_regions(volume, &boot, &table, &mut notes)?;
    for number in 0..geometry.tables {
        let offset = geometry.table_offset(number);
        let what = What::Table(number.saturating_add(1));
        regions.push(Region {
            offset,
            length: geometry.table_length(),
            what,
        });
        // BPB_ExtFlags: when one table is active, the others are left as they are.
        if boot.active_table.is_none() && !same(volume, offset, table.bytes())? {
            notes.add(format!("allocation table {} differs from the first", number + 1));
        }
    }

    let mut walk = Walk::new(volume, geometry, &table, regions, notes);
    walk.root(boot.root_cluster);
    let (mut regions, entries, label, notes) = walk.finish();
    regions.sort_by_key(|region| region.offset);
    Ok(Contents {
        kind: geometry.kind,
        size: geometry.size(),
        sector_size: geometry.sector_size,
        cluster_size: geometry.cluster_size,
        label: label.unwrap_or(boot.label),
        serial: boot.serial,
        regions,
        entries,
        notes: notes.finish(),
    })
}

/// Boot sector, and on FAT32 FSInfo and their copies if they are there.
fn reserved_regions(
    volume: &dyn ReadAt,
    boot: &BootSector,
    table: &Table,
    notes: &mut Notes,
) -> Result<Vec<Region>, FatError> {
    let geometry = &boot.geometry;
    let sector = u64::from(geometry.sector_size);
    let mut regions = vec![Region {
        offset: 0,
        length: sector,
        what: What::BootSector,
    }];
    if geometry.kind != FatKind::Fat32 {
        return Ok(regions);
    }
    let backup = boot.backup.map(|number| u64::from(number) * sector);
    let fsinfo = boot.fsinfo.map(|number| u64::from(number) * sector);
    if let Some(offset) = fsinfo {
        let bytes = bytes_at(volume, "FSInfo", offset, sector)?;
        let inside_backup = backup.is_some_and(|b| (b..b + 2 * sector).contains(&offset));
        match boot_sector::decode_fsinfo(&bytes) {
            Some(count) if !inside_backup => {
                regions.push(Region {
                    offset,
                    length: sector,
                    what: What::FsInfo,
                });
                let free = (0..geometry.clusters)
                    .filter(|n| table.link(n + 2, geometry.clusters) == Link::Free)
                    .count() as u64;
                if count != boot_sector::UNKNOWN && u64::from(count) != free {
                    notes.add(format!("FSInfo counts {count} free clusters, there are {free}"));
                }
            }
            _ => notes.add("BPB_FSInfo points at no FSInfo".to_owned()),
        }
    }
    if let Some(offset) = backup {
        let first = bytes_at(volume, "the boot sector", 0, sector)?;
        let copy = bytes_at(volume, "the backup boot sector", offset, sector)?;
        // syslinux and others put code into the first sector alone, and no reader runs that of the copy.
        if copy.get(FIELDS) == first.get(FIELDS) {
            let what = What::BackupBootSector;
            regions.push(Region {
                offset,
                length: 2 * sector,
                what,
            });
        } else {
            notes.add("the backup boot sector has other fields than the first".to_owned());
        }
    }
    Ok(regions)
}

/// Whether the bytes of `volume` from `offset` are `wanted`.
fn same(volume: &dyn ReadAt, offset: u64, wanted: &[u8]) -> Result<bool, FatError> {
    let mut at = offset;
    for part in wanted.chunks(STEP) {
        let length = part.len() as u64;
        if bytes_at(volume, "the allocation table", at, length)? != part {
            return Ok(false);
        }
        at += length;
    }
    Ok(true)
}

fn bytes_at(volume: &dyn ReadAt, what: &'static str, offset: u64, length: u64) -> Result<Vec<u8>, FatError> {
    volume
        .read_vec_at(offset, length)
        .map_err(|source| FatError::Io { what, source })
}
