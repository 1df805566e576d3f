//! Partition tables: which entries each profile has, and where the tables themselves go.
//!
//! No one layout satisfies every BIOS, so the profiles differ in the tables alone; the payload is at the same bytes in all of them.

use crate::facts::What;
use crate::gpt;
use crate::iso9660::{self, SYSTEM_AREA};
use crate::layout::{Content, Layout};
use crate::manifest::DiskLayout;
use crate::mbr::{self, Slot};
use crate::resolve::Resolved;

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
pub(super) struct Tables {
    /// None where the system area stays zero.
    pub(super) slots: Option<[Slot; 4]>,
    /// None without a GPT.
    pub(super) gpt: Option<Vec<Entry>>,
}

/// A GPT partition before the image has an identity.
#[derive(Debug)]
pub(super) struct Entry {
    kind: gpt::Guid,
    name: &'static str,
    span: Span,
    attributes: u64,
}

/// Puts the MBR and the primary GPT at the only place where they can be.
pub(super) fn place_primary(layout: &mut Layout, profile: DiskLayout) {
    if profile == DiskLayout::None {
        return;
    }
    layout.place_at(Content::Structure(What::MasterBootRecord), 0, SECTOR);
    // The backup's place is not known yet, and the primary does not depend on it.
    if let (true, Some(primary)) = (has_gpt(profile), gpt::placement(SECTOR, 1 << 20, 2 * SECTOR)) {
        let (offset, length) = primary.header;
        layout.place_at(Content::Structure(What::GptHeader), offset, length);
        let (offset, length) = primary.entries;
        layout.place_at(Content::Structure(What::GptEntries), offset, length);
    }
}

/// Ends the image, with the backup GPT where there is one. The result is the image's size and its tables.
pub(super) fn place(
    layout: &mut Layout,
    resolved: &Resolved,
    payload_end: u64,
    esp: Option<Span>,
) -> Result<(u64, Tables), PlanError> {
    let profile = resolved.layout;
    if profile == DiskLayout::None {
        let size = (layout.end() + PADDING).next_multiple_of(iso9660::SECTOR);
        return Ok((size, Tables::default()));
    }
    let esp = esp.map(|esp| Span {
        length: esp.length.next_multiple_of(ALIGNMENT),
        ..esp
    });
    layout.reserve(esp.map_or(0, |esp| esp.end()));
    let mut size = layout.end().next_multiple_of(ALIGNMENT);
    let mut tables = Tables::default();
    if has_gpt(profile) {
        // The array of 16 KiB and the header of one logical sector end the image.
        size += ((16 << 10) + SECTOR).next_multiple_of(ALIGNMENT);
        if let Some(placement) = gpt::placement(SECTOR, size, 2 * SECTOR) {
            let (offset, length) = placement.backup_entries;
            layout.place_at(Content::Structure(What::BackupGptEntries), offset, length);
            let (offset, length) = placement.backup_header;
            layout.place_at(Content::Structure(What::BackupGptHeader), offset, length);
        }
        let payload = Span {
            offset: SYSTEM_AREA,
            length: payload_end.next_multiple_of(ALIGNMENT) - SYSTEM_AREA,
        };
        tables.gpt = Some(gpt_entries(payload, esp));
    }
    tables.slots = Some(slots(profile, size, esp)?);
    Ok((size, tables))
}

fn has_gpt(profile: DiskLayout) -> bool {
    matches!(profile, DiskLayout::Universal | DiskLayout::Gpt)
}

/// The volume as a partition that no system mounts or offers to format, and the ESP. EDK2 drops both of two entries that overlap, so
/// the first ends before the second begins; the volume itself is mounted from the whole disk.
fn gpt_entries(payload: Span, esp: Option<Span>) -> Vec<Entry> {
    let mut entries = vec![Entry {
        kind: gpt::LINUX_DATA,
        name: "iso9660",
        span: payload,
        attributes: gpt::READ_ONLY | gpt::NO_AUTOMOUNT,
    }];
    entries.extend(esp.map(|span| Entry {
        kind: gpt::ESP,
        name: "ESP",
        span,
        attributes: 0,
    }));
    entries
}

fn slots(profile: DiskLayout, size: u64, esp: Option<Span>) -> Result<[Slot; 4], PlanError> {
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
    Ok(match profile {
        DiskLayout::Universal => [mbr::protective(size / SECTOR), ACTIVE_EMPTY, unused, unused],
        DiskLayout::Gpt => [mbr::protective(size / SECTOR), unused, unused, unused],
        DiskLayout::Mbr => [esp.unwrap_or_default(), ACTIVE_EMPTY, unused, unused],
        DiskLayout::Isohybrid => {
            let (start, length) = mbr::slot(0, size, SECTOR)?;
            let whole = Slot {
                active: true,
                kind: 0,
                start,
                length,
            };
            [whole, esp.unwrap_or_default(), unused, unused]
        }
        DiskLayout::None => [unused; 4],
    })
}

impl Tables {
    /// The GPT with its identities.
    pub(super) fn gpt_table(&self, size: u64, identity: &Identity) -> Option<gpt::Table> {
        let entries = self.gpt.as_ref()?;
        let partitions = entries.iter().map(|entry| gpt::Partition {
            kind: entry.kind,
            guid: identity.guid(entry.name),
            name: entry.name.into(),
            start: entry.span.offset,
            length: entry.span.length,
            attributes: entry.attributes,
        });
        Some(gpt::Table {
            disk_guid: identity.guid("disk"),
            partitions: partitions.collect(),
            sector_size: SECTOR,
            disk_size: size,
            entries_offset: 2 * SECTOR,
            first_usable: 0,
        })
    }
}
