//! The GUID partition tables (UEFI 5.3): one, or with `layout = "multi-sector"` one for each size of logical sectors.

use std::sync::OnceLock;

use crate::facts::partitions::gpt_partition;
use crate::facts::{Common, GptFacts, What};
use crate::formats::gpt::{self, Guid};
use crate::formats::iso9660::{self, SYSTEM_AREA};
use crate::ground::range::Range;
use crate::plan::layout::{ALIGNMENT, IndexId, Need, Where};
use crate::plan::{Late, Plan, PlanError};
use crate::tree::contents::Tables;

use super::fat::VOLUMES;
use super::{Index, Target, not_mine};

/// Bytes of a partition entry array, of which UEFI 5.3.1 wants at least so many.
const ARRAY: u64 = 16 << 10;

/// Where the first of several tables has its array, in the usual place of which the header of the second is: behind the volume
/// descriptors, of which there are four at most.
const MOVED_ARRAY: u64 = SYSTEM_AREA + 4 * iso9660::SECTOR;

/// The same with UDF, which has three more descriptors there: the array ends where UDF's first fixed place begins.
const MOVED_ARRAY_UDF: u64 = SYSTEM_AREA + 8 * iso9660::SECTOR;

/// A table for logical sectors of one size.
#[derive(Debug)]
pub(super) struct Gpt {
    number: u8,
    /// In bytes.
    sector_size: u64,
    /// Where the primary array is.
    entries: u64,
    /// How far before the end of the image the backup array begins.
    backup_entries: u64,
    /// Of the backup header: it is in the last logical sector as its own table counts, of which only the first bytes mean something,
    /// so that the header for smaller sectors is at the end of the one for larger.
    backup_length: u64,
    /// What partitions may use begins here, if other tables leave less than this one's own structures do.
    first_usable: Option<u64>,
    /// Made when the first of its pieces is asked for.
    encoded: OnceLock<gpt::Encoded>,
}

/// The tables for logical sectors of these sizes, which ascend.
pub(super) fn all(tables: &Tables, has_udf: bool) -> Vec<Gpt> {
    let sizes = tables.gpt;
    let largest = sizes.last().copied().unwrap_or(0);
    let arrays = sizes.len() as u64 * ARRAY;
    let entries: Vec<u64> = match sizes {
        [only] => vec![2 * only],
        [_, others @ ..] => std::iter::once(if has_udf { MOVED_ARRAY_UDF } else { MOVED_ARRAY })
            .chain(others.iter().map(|size| 2 * size))
            .collect(),
        [] => Vec::new(),
    };
    // What belongs to another table is not for partitions.
    let shared = entries
        .iter()
        .map(|entries| entries + ARRAY)
        .fold(SYSTEM_AREA, u64::max);
    let table = |(number, (&sector_size, &entries)): (u8, (&u64, &u64))| {
        let before = usize::from(number).checked_sub(1).and_then(|before| sizes.get(before));
        Gpt {
            number,
            sector_size,
            entries,
            backup_entries: largest + arrays - u64::from(number) * ARRAY,
            backup_length: sector_size - before.unwrap_or(&0),
            first_usable: (sizes.len() > 1).then_some(shared),
            encoded: OnceLock::new(),
        }
    };
    (0..).zip(sizes.iter().zip(&entries)).map(table).collect()
}

impl Gpt {
    /// The table with its partitions: the ISO 9660 volume as one that no system mounts or offers to format, and the ESPs. EDK2 drops both
    /// of two entries that overlap, so the first ends before the second begins; the volume itself is mounted from the whole disk. The ESP
    /// for another logical sector than the table's is there too, as a partition that nobody touches.
    fn table(&self, plan: &Plan) -> Result<gpt::Table, PlanError> {
        let protected = gpt::READ_ONLY | gpt::NO_AUTOMOUNT;
        let mut partitions = Vec::new();
        let mut add = |kind: Guid, name: &str, range: Range, attributes| {
            partitions.push(gpt::Partition {
                kind,
                guid: plan.identity.guid(name),
                name: name.into(),
                start: range.offset,
                length: range.length,
                attributes,
            });
        };
        let start = self.first_usable.unwrap_or(SYSTEM_AREA);
        let data = plan.range(Target::Data)?;
        let data = Range {
            offset: start,
            length: data.end().next_multiple_of(ALIGNMENT) - start,
        };
        add(gpt::LINUX_DATA, "iso9660", data, protected);
        for (number, (_, name)) in (0..).zip(VOLUMES) {
            if let Some(range) = plan.esp_partition(number)? {
                let (kind, attributes) = match number == self.number {
                    true => (gpt::ESP, 0),
                    false => (gpt::LINUX_DATA, protected),
                };
                add(kind, name, range, attributes);
            }
        }
        let backup = plan
            .places
            .piece(IndexId::Gpt(self.number), What::BackupGptEntries, 0)?;
        let is_usual = backup + ARRAY + self.sector_size == plan.size();
        Ok(gpt::Table {
            disk_guid: plan.identity.guid("disk"),
            partitions,
            sector_size: self.sector_size,
            disk_size: plan.size(),
            entries_offset: self.entries,
            backup_entries_offset: (!is_usual).then_some(backup),
            first_usable: self.first_usable.unwrap_or(0),
            usable_end: match self.first_usable {
                Some(_) => plan.places.usable_end,
                None => u64::MAX,
            },
        })
    }
}

impl Gpt {
    fn encoded(&self, plan: &Plan) -> Result<&gpt::Encoded, PlanError> {
        if let Some(encoded) = self.encoded.get() {
            return Ok(encoded);
        }
        let encoded = gpt::encode(&self.table(plan)?)?;
        Ok(self.encoded.get_or_init(|| encoded))
    }
}

impl Index for Gpt {
    fn needs(&self, what: What, ask: &mut dyn FnMut(Need)) {
        let (length, place) = match what {
            What::GptHeader => (self.sector_size, Where::At(self.sector_size)),
            What::GptEntries => (ARRAY, Where::At(self.entries)),
            What::BackupGptEntries => (ARRAY, Where::FromEnd(self.backup_entries)),
            What::BackupGptHeader => (self.backup_length, Where::FromEnd(self.sector_size)),
            _ => return,
        };
        ask(Need::new(0, length, place));
    }

    fn encode(&self, piece: (What, u32), plan: &Plan, _late: &Late) -> Result<Vec<u8>, PlanError> {
        let encoded = self.encoded(plan)?;
        let bytes = match piece.0 {
            What::GptHeader => &encoded.header,
            What::GptEntries => &encoded.entries,
            What::BackupGptEntries => &encoded.backup_entries,
            What::BackupGptHeader => &encoded.backup_header,
            _ => return Err(not_mine(piece)),
        };
        // Of a backup header that shares its logical sector with another one only what is in front of that.
        let length = match piece.0 {
            What::BackupGptHeader => self.backup_length as usize,
            _ => bytes.len(),
        };
        Ok(bytes.iter().take(length).copied().collect())
    }

    fn describe(&self, plan: &Plan, _late: &Late, facts: &mut Common) -> Result<(), PlanError> {
        let table = self.table(plan)?;
        facts.gpt.push(gpt_facts(&self.encoded(plan)?.header));
        for (number, partition) in (1..).zip(&table.partitions) {
            facts
                .partitions
                .push(gpt_partition(number, partition, self.sector_size));
        }
        Ok(())
    }
}

fn gpt_facts(header: &[u8]) -> GptFacts {
    let word = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default())
    };
    let guid = header
        .get(56..72)
        .and_then(|bytes| bytes.try_into().ok())
        .unwrap_or_default();
    GptFacts {
        sector_size: header.len() as u64,
        disk_guid: Guid::from_bytes_le(guid).to_string(),
        header_crc32: word(16),
        entries_crc32: word(88),
        refused: None,
    }
}
