//! A volume with more clusters than somebody else's has. Every cluster keeps its number and its bytes, so that directories and files stay as
//! they are; the tables grow, and the data area stands further back.

use std::io;

use super::{EditError, bytes_at};
use crate::formats::fat::FatKind;
use crate::formats::fat::boot_sector::{self, BootSector};
use crate::formats::fat::geometry::Geometry;
use crate::formats::fat::table::Table;
use crate::ground::fields::put;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;

/// The volume is a multiple of this, the longest logical sector of a disk.
const SECTOR: u64 = 4096;
/// Bytes before the data area: room for the tables of 128 GiB.
const LONGEST_HEAD: u64 = 256 << 20;
/// BPB_TotSec16, BPB_FATSz16, BPB_TotSec32 and BPB_FATSz32.
const TOTAL_16: usize = 19;
const TABLE_16: usize = 22;
const TOTAL_32: usize = 32;
const TABLE_32: usize = 36;
/// BS_FilSysType of FAT12 and FAT16.
const TYPE: usize = 54;

/// A larger volume.
pub struct Enlarged<'v> {
    volume: &'v dyn ReadAt,
    /// Everything before the data area.
    pub head: Vec<u8>,
    /// The data area of the volume that it is made of.
    pub data: Range,
    size: u64,
}

impl<'v> Enlarged<'v> {
    /// A volume with at least `more` clusters more.
    ///
    /// # Errors
    /// The volume cannot be read, or FAT of its kind has not so many clusters.
    pub fn of(volume: &'v dyn ReadAt, more: u64) -> Result<Self, EditError> {
        let first = bytes_at(volume, "the boot sector", 0, boot_sector::LENGTH as u64)?;
        let boot = first.first_chunk().map(boot_sector::decode).transpose()?;
        let boot = boot.ok_or_else(|| EditError::Missing("/".into()))?;
        let old = boot.geometry;
        let new = larger(&old, more).ok_or(EditError::Clusters {
            kind: old.kind,
            wanted: u64::from(old.clusters).saturating_add(more),
        })?;
        let mut head = bytes_at(volume, "the reserved area", 0, old.reserved_length())?;
        head.resize(new.data_offset() as usize, 0);
        describe(&mut head, 0, &new);
        if let Some(backup) = boot.backup {
            describe(&mut head, usize::from(backup) * new.sector_size as usize, &new);
        }
        free(&mut head, &boot, new.clusters - old.clusters);
        for number in 0..old.tables {
            let length = old.kind.table_bytes(old.clusters.into());
            let table = bytes_at(volume, "the allocation table", old.table_offset(number), length)?;
            let table = Table::from_bytes(old.kind, table).with_clusters(old.clusters, new.kind, new.clusters);
            put(&mut head, new.table_offset(number) as usize, table.bytes());
        }
        let root = bytes_at(volume, "the root directory", old.root_offset(), old.root_length())?;
        put(&mut head, new.root_offset() as usize, &root);
        Ok(Self {
            volume,
            head,
            data: Range {
                offset: old.data_offset(),
                length: u64::from(old.clusters) * u64::from(old.cluster_size),
            },
            size: new.size(),
        })
    }
}

/// The geometry with more clusters. A FAT12 that has no room for them becomes a FAT16.
fn larger(old: &Geometry, more: u64) -> Option<Geometry> {
    let (least, most) = old.kind.safe_clusters();
    let wanted = u64::from(old.clusters).checked_add(more)?;
    let (kind, wanted) = match old.kind {
        FatKind::Fat12 if wanted > u64::from(most) => {
            let (least, most) = FatKind::Fat16.safe_clusters();
            let wanted = wanted.max(least.into());
            (wanted <= u64::from(most)).then_some((FatKind::Fat16, wanted))?
        }
        kind => (wanted <= u64::from(most)).then_some((kind, wanted.max(least.into())))?,
    };
    let sector = u64::from(old.sector_size);
    let mut new = Geometry { kind, ..*old };
    // Up to a whole sector, which may hold some clusters more, which need longer tables.
    let mut clusters = wanted;
    loop {
        let table = kind.table_bytes(clusters).div_ceil(sector);
        new.table_sectors = u32::try_from(table).ok()?.max(new.table_sectors);
        let end = new.data_offset() + wanted * u64::from(old.cluster_size);
        let total = end.next_multiple_of(SECTOR) / sector;
        new.total_sectors = u32::try_from(total).ok()?;
        clusters = (new.size() - new.data_offset()) / u64::from(old.cluster_size);
        if kind.table_bytes(clusters) <= new.table_length() {
            break;
        }
    }
    new.clusters = u32::try_from(clusters).ok()?;
    let is_narrow = kind == FatKind::Fat32 || new.table_sectors <= u32::from(u16::MAX);
    let is_bounded = new.data_offset() <= LONGEST_HEAD;
    (FatKind::from_clusters(new.clusters) == kind && is_narrow && is_bounded).then_some(new)
}

/// Writes the new lengths into the boot sector at `start`.
fn describe(head: &mut [u8], start: usize, new: &Geometry) {
    let is_fat32 = new.kind == FatKind::Fat32;
    // The 16 bits count unless they are zero.
    let narrow = u16::try_from(new.total_sectors).ok().filter(|_| !is_fat32);
    let wide = if narrow.is_some() { 0 } else { new.total_sectors };
    put(head, start + TOTAL_16, &narrow.unwrap_or(0).to_le_bytes());
    put(head, start + TOTAL_32, &wide.to_le_bytes());
    match is_fat32 {
        true => put(head, start + TABLE_32, &new.table_sectors.to_le_bytes()),
        false => put(head, start + TABLE_16, &(new.table_sectors as u16).to_le_bytes()),
    }
    let is_named = head
        .get(start + TYPE..)
        .is_some_and(|rest| rest.starts_with(b"FAT12   "));
    if is_named && new.kind == FatKind::Fat16 {
        put(head, start + TYPE, b"FAT16   ");
    }
}

/// FSInfo's number of free clusters, where there is one, in both copies.
fn free(head: &mut [u8], boot: &BootSector, more: u32) {
    let sector = boot.geometry.sector_size as usize;
    let copies = boot.fsinfo.into_iter().chain(boot.backup.map(|backup| backup + 1));
    for number in copies {
        let start = usize::from(number) * sector;
        let bytes = head.get(start..start + boot_sector::LENGTH).unwrap_or_default();
        let count = boot_sector::decode_fsinfo(bytes).filter(|&count| count != boot_sector::UNKNOWN);
        if let Some(count) = count {
            let count = count.saturating_add(more);
            put(head, start + super::FREE_COUNT as usize, &count.to_le_bytes());
        }
    }
}

/// Behind the old data area are zeros.
impl ReadAt for Enlarged<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.fill(0);
        let head = self.head.len() as u64;
        if offset < head {
            let stop = end.min(head);
            buffer[..(stop - offset) as usize].copy_from_slice(&self.head[offset as usize..stop as usize]);
        }
        let (start, stop) = (offset.max(head), end.min(head + self.data.length));
        if start < stop {
            let here = &mut buffer[(start - offset) as usize..(stop - offset) as usize];
            self.volume.read_exact_at(here, self.data.offset + start - head)?;
        }
        Ok(())
    }
}

/// A volume that has no room for what is new, as large as it has to be, and the edits of it.
///
/// # Errors
/// As [`edit`](super::edit), and when FAT of its kind has not so many clusters.
pub fn enlarge<'v>(
    volume: &'v dyn ReadAt,
    edits: &[super::Edit<'_>],
) -> Result<(Enlarged<'v>, Vec<super::Piece>), EditError> {
    let first = bytes_at(volume, "the boot sector", 0, boot_sector::LENGTH as u64)?;
    let boot = first.first_chunk().map(boot_sector::decode).transpose()?;
    let boot = boot.ok_or_else(|| EditError::Missing("/".into()))?;
    let cluster = u64::from(boot.geometry.cluster_size);
    // Each directory of the path may be new, or need one more cluster for the name.
    let needed = edits.iter().map(|edit| {
        let content = match edit.becomes {
            super::Becomes::File(content) => (content.len() as u64).div_ceil(cluster),
            _ => 0,
        };
        content + edit.path.split('/').count() as u64
    });
    let enlarged = Enlarged::of(volume, needed.sum())?;
    let pieces = super::edit(&enlarged, edits, &[])?;
    Ok((enlarged, pieces))
}
