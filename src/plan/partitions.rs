//! Partition tables: which entries each profile has, and where the tables themselves go.
//!
//! No one layout satisfies every BIOS, so the profiles differ in the tables alone; the payload is at the same bytes in all of them.

use crate::facts::What;
use crate::formats::gpt;
use crate::formats::iso9660::{self, SYSTEM_AREA};
use crate::formats::mbr::{self, Slot};
use crate::plan::layout::{Content, Layout};
use crate::tree::contents::{Contents, Slots, Tables};

use super::esp::SECTOR_SIZES;
use super::identity::Identity;
use super::{PlanError, Span};

/// The logical sector of the tables.
pub(super) const SECTOR: u64 = 512;

/// Where partitions and the image end: a multiple of every logical sector that a disk can have.
const ALIGNMENT: u64 = 4096;

/// Zeros that end an image without tables: 150 logical sectors, as other writers have them. A drive that reads ahead at the end of a
/// disc, and readers that take the first 68 KiB at once to find a label, find bytes there.
const PADDING: u64 = 150 * iso9660::SECTOR;

/// A slot of type 0 that is active: BIOSes that look for an active partition start the boot code, and firmware that takes tables
/// with overlapping partitions for broken does not count it.
const ACTIVE_EMPTY: Slot = Slot {
    active: true,
    kind: 0,
    start: 0,
    length: 1,
};

/// The entries of an image's partition tables.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// None where the system area stays zero.
    pub(super) slots: Option<[Slot; 4]>,
    /// One for each logical sector that the image is for.
    pub(super) gpt: Vec<GptPlan>,
}

/// A GPT before the image has an identity.
#[derive(Debug)]
pub(super) struct GptPlan {
    sector_size: u64,
    entries_offset: u64,
    backup_entries_offset: Option<u64>,
    first_usable: u64,
    usable_end: u64,
    entries: Vec<Entry>,
}

/// A GPT partition before the image has an identity.
#[derive(Debug)]
struct Entry {
    kind: gpt::Guid,
    name: &'static str,
    span: Span,
    attributes: u64,
}

/// Bytes of a partition entry array, of which UEFI 5.3.1 wants at least so many.
const ARRAY: u64 = 16 << 10;

/// Logical sectors of the second table of a `multi-sector` image.
const LARGE_SECTOR: u64 = 4096;

/// Where a `multi-sector` image has the array of its first table, in the usual place of which the header of the second table
/// is: behind the volume descriptors, of which there are four at most.
const MOVED_ARRAY: u64 = SYSTEM_AREA + 4 * iso9660::SECTOR;

/// Logical sector and byte offset of the primary array of each table.
fn arrays(tables: &Tables) -> Vec<(u64, u64)> {
    let has_large = tables.gpt.contains(&LARGE_SECTOR);
    let array = |&sector_size: &u64| match sector_size {
        SECTOR if has_large => (SECTOR, MOVED_ARRAY),
        _ => (sector_size, 2 * sector_size),
    };
    tables.gpt.iter().map(array).collect()
}

/// Puts the MBR and the primary GPT at the only place where they can be.
pub(super) fn place_primary(layout: &mut Layout, tables: &Tables) {
    if tables.mbr.is_none() {
        return;
    }
    layout.place_at(Content::Structure(What::MasterBootRecord), 0, SECTOR);
    for (number, (sector_size, entries)) in arrays(tables).into_iter().enumerate() {
        layout.place_at(Content::Gpt(number, What::GptHeader), sector_size, sector_size);
        if entries < SYSTEM_AREA {
            layout.place_at(Content::Gpt(number, What::GptEntries), entries, ARRAY);
        }
    }
}

/// Puts an array for which there is no room in front of the volume descriptors.
pub(super) fn place_behind_descriptors(layout: &mut Layout, tables: &Tables) {
    for (number, (_, entries)) in arrays(tables).into_iter().enumerate() {
        if entries >= SYSTEM_AREA {
            layout.place_at(Content::Gpt(number, What::GptEntries), entries, ARRAY);
        }
    }
}

/// Ends the image, with the backup GPTs where there are any. `esps` are the ESP for each logical sector. The result is the image's size and
/// the
/// entries of its tables.
pub(super) fn place(
    layout: &mut Layout,
    contents: &Contents,
    payload_end: u64,
    esps: &[Span],
) -> Result<(u64, Entries), PlanError> {
    let Some(mbr) = contents.tables.mbr else {
        let size = (layout.end() + PADDING).next_multiple_of(iso9660::SECTOR);
        return Ok((size, Entries::default()));
    };
    let tables = arrays(&contents.tables);
    let esps: Vec<Span> = esps
        .iter()
        .map(|esp| Span {
            length: esp.length.next_multiple_of(ALIGNMENT),
            ..*esp
        })
        .collect();
    layout.reserve(esps.last().map_or(0, Span::end));
    let usable_end = layout.end().next_multiple_of(ALIGNMENT);
    let backups = place_backups(layout, &tables, usable_end);
    let size = layout.end().next_multiple_of(ALIGNMENT);
    let gpt = gpt_plans(&tables, &backups, size, payload_end, usable_end, &esps);
    let slots = Some(slots(mbr, size, esps.first().copied())?);
    Ok((size, Entries { slots, gpt }))
}

/// Puts the arrays, then the headers: each in the last logical sector as its own table counts, of which only the first bytes mean
/// something, so that the smaller one is at the end of the larger. The result is where the arrays are.
fn place_backups(layout: &mut Layout, tables: &[(u64, u64)], start: u64) -> Vec<u64> {
    let Some(&(largest, _)) = tables.last() else {
        return Vec::new();
    };
    let arrays = tables.len() as u64 * ARRAY;
    let size = start + (arrays + largest).next_multiple_of(ALIGNMENT);
    let mut header_end = size;
    let mut placed = Vec::new();
    for (number, &(sector_size, _)) in tables.iter().enumerate() {
        let entries = size - largest - arrays + number as u64 * ARRAY;
        layout.place_at(Content::Gpt(number, What::BackupGptEntries), entries, ARRAY);
        let header = size - sector_size;
        layout.place_at(Content::Gpt(number, What::BackupGptHeader), header, header_end - header);
        header_end = header;
        placed.push(entries);
    }
    placed
}

fn gpt_plans(
    tables: &[(u64, u64)],
    backups: &[u64],
    size: u64,
    payload_end: u64,
    usable_end: u64,
    esps: &[Span],
) -> Vec<GptPlan> {
    let arrays = tables.iter().map(|&(_, entries)| entries + ARRAY);
    let start = arrays.fold(SYSTEM_AREA, u64::max);
    let payload = Span {
        offset: start,
        length: payload_end.next_multiple_of(ALIGNMENT) - start,
    };
    // What belongs to another table is not for partitions.
    let (first_usable, usable_end) = match tables {
        [_] => (0, u64::MAX),
        _ => (start, usable_end),
    };
    let plan = |(number, (&(sector_size, entries_offset), &backup)): (usize, (&(u64, u64), &u64))| GptPlan {
        sector_size,
        entries_offset,
        backup_entries_offset: Some(backup).filter(|&backup| backup + ARRAY + sector_size != size),
        first_usable,
        usable_end,
        entries: gpt_entries(payload, esps, number),
    };
    tables.iter().zip(backups).enumerate().map(plan).collect()
}

/// The volume as a partition that no system mounts or offers to format, and the ESP. EDK2 drops both of two entries that overlap, so
/// the first ends before the second begins; the volume itself is mounted from the whole disk. The ESP for another logical sector
/// than the table's is there too, as a partition that nobody touches.
fn gpt_entries(payload: Span, esps: &[Span], table: usize) -> Vec<Entry> {
    let protected = gpt::READ_ONLY | gpt::NO_AUTOMOUNT;
    let mut entries = vec![Entry {
        kind: gpt::LINUX_DATA,
        name: "iso9660",
        span: payload,
        attributes: protected,
    }];
    for (number, (&span, (_, name))) in esps.iter().zip(SECTOR_SIZES).enumerate() {
        let (kind, attributes) = match number == table {
            true => (gpt::ESP, 0),
            false => (gpt::LINUX_DATA, protected),
        };
        entries.push(Entry {
            kind,
            name,
            span,
            attributes,
        });
    }
    entries
}

fn slots(wanted: Slots, size: u64, esp: Option<Span>) -> Result<[Slot; 4], PlanError> {
    let esp = match esp {
        Some(span) => {
            let (start, length) = mbr::slot(span.offset, span.length, SECTOR)?;
            Some(Slot {
                active: false,
                kind: mbr::ESP,
                start,
                length,
            })
        }
        None => None,
    };
    let unused = Slot::default();
    Ok(match wanted {
        Slots::ProtectiveActive => [mbr::protective(size / SECTOR), ACTIVE_EMPTY, unused, unused],
        Slots::Protective => [mbr::protective(size / SECTOR), unused, unused, unused],
        Slots::Esp => [esp.unwrap_or_default(), ACTIVE_EMPTY, unused, unused],
        Slots::Whole => {
            let (start, length) = mbr::slot(0, size, SECTOR)?;
            let whole = Slot {
                active: true,
                kind: 0,
                start,
                length,
            };
            [whole, esp.unwrap_or_default(), unused, unused]
        }
    })
}

impl GptPlan {
    /// The GPT with its identities.
    pub(super) fn table(&self, size: u64, identity: &Identity) -> gpt::Table {
        let partitions = self.entries.iter().map(|entry| gpt::Partition {
            kind: entry.kind,
            guid: identity.guid(entry.name),
            name: entry.name.into(),
            start: entry.span.offset,
            length: entry.span.length,
            attributes: entry.attributes,
        });
        gpt::Table {
            disk_guid: identity.guid("disk"),
            partitions: partitions.collect(),
            sector_size: self.sector_size,
            disk_size: size,
            entries_offset: self.entries_offset,
            backup_entries_offset: self.backup_entries_offset,
            first_usable: self.first_usable,
            usable_end: self.usable_end,
        }
    }
}
