//! Who wants how much room, and where everything is.

use std::collections::BTreeMap;

use crate::facts::What;
use crate::ground::range::Range;
use crate::tree::PayloadId;

use super::PlanError;

/// Where partitions and the image end: a multiple of every logical sector that a disk can have.
pub(super) const ALIGNMENT: u64 = 4096;

/// An index of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexId {
    /// The master boot record.
    Mbr,
    /// A GUID partition table, by its number.
    Gpt(u8),
    /// The primary hierarchy of ISO 9660.
    Iso,
    /// The Joliet hierarchy.
    Joliet,
    /// UDF.
    Udf,
    /// El Torito's boot catalog.
    Catalog,
    /// A FAT volume, by its number.
    Fat(u8),
}

/// A contiguous run of the image that one encoder or one payload fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// What fills it.
    pub content: Content,
}

/// What fills a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A piece of an index.
    Structure {
        /// Whose.
        index: IndexId,
        /// What it is.
        what: What,
        /// Which of those that the index has, by its own numbers.
        number: u32,
    },
    /// The bytes of a payload.
    Payload(PayloadId),
}

/// Where a piece wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// Behind what comes before it in the order, on a multiple of this.
    Next(u64),
    /// At this byte. What follows in the order goes around it.
    At(u64),
    /// So many bytes before the end of the image.
    FromEnd(u64),
}

/// Room that an index needs.
#[derive(Debug)]
pub(super) struct Need {
    /// Which of the pieces of its kind it is for.
    pub(super) number: u32,
    /// In bytes. A piece without bytes takes no place.
    pub(super) length: u64,
    pub(super) place: Where,
    /// What is where in a volume, by offsets in it; empty for a piece that its index fills itself.
    pub(super) inside: Vec<Region>,
}

impl Need {
    /// Room for a piece.
    pub(super) fn new(number: u32, length: u64, place: Where) -> Self {
        Self {
            number,
            length,
            place,
            inside: Vec::new(),
        }
    }
}

/// Stands for an address that is not known. No image is so large.
const NOWHERE: u64 = u64::MAX;

/// Where everything is.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Of the image.
    pub(super) size: u64,
    /// The end of what is in the ISO 9660 volume alone, in front of FAT volumes.
    pub(super) data_end: u64,
    /// The end of what partitions may use.
    pub(super) usable_end: u64,
    /// By offset.
    pub(super) regions: Vec<Region>,
    /// The offsets of pieces by their number.
    pieces: BTreeMap<(IndexId, What), Vec<u64>>,
    volumes: BTreeMap<IndexId, Range>,
    /// Where each payload is first.
    payloads: Vec<u64>,
}

impl Places {
    pub(super) fn new(payloads: usize) -> Self {
        Self {
            payloads: vec![NOWHERE; payloads],
            ..Self::default()
        }
    }

    pub(super) fn put_piece(&mut self, (index, what, number): (IndexId, What, u32), range: Range, inside: Vec<Region>) {
        if !inside.is_empty() {
            self.volumes.insert(index, range);
            for part in inside {
                let offset = range.offset + part.offset;
                match part.content {
                    Content::Payload(id) => self.put_payload(
                        id,
                        Range {
                            offset,
                            length: part.length,
                        },
                    ),
                    Content::Structure { .. } => self.regions.push(Region { offset, ..part }),
                }
            }
            return;
        }
        let offsets = self.pieces.entry((index, what)).or_default();
        let number_at = number as usize;
        if offsets.len() <= number_at {
            offsets.resize(number_at + 1, NOWHERE);
        }
        if let Some(slot) = offsets.get_mut(number_at) {
            *slot = range.offset;
        }
        self.regions.push(Region {
            offset: range.offset,
            length: range.length,
            content: Content::Structure { index, what, number },
        });
    }

    /// The first place of a payload is the one that other indexes point at.
    pub(super) fn put_payload(&mut self, id: PayloadId, range: Range) {
        if let Some(slot) = self.payloads.get_mut(id.index()).filter(|slot| **slot == NOWHERE) {
            *slot = range.offset;
        }
        self.regions.push(Region {
            offset: range.offset,
            length: range.length,
            content: Content::Payload(id),
        });
    }

    /// Where a payload is; nothing stores an empty one.
    pub(super) fn payload(&self, id: PayloadId) -> Option<u64> {
        self.payloads
            .get(id.index())
            .copied()
            .filter(|&offset| offset != NOWHERE)
    }

    /// Where a payload is that has bytes.
    pub(super) fn stored(&self, id: PayloadId) -> Result<u64, PlanError> {
        let missing = || PlanError::Bug(format!("payload {} has no place", id.index()));
        self.payload(id).ok_or_else(missing)
    }

    /// Where a piece is.
    pub(super) fn piece(&self, index: IndexId, what: What, number: u32) -> Result<u64, PlanError> {
        let offsets = self.pieces.get(&(index, what));
        let offset = offsets.and_then(|offsets| offsets.get(number as usize)).copied();
        let missing = || PlanError::Bug(format!("the {what} {number} of {index:?} has no place"));
        offset.filter(|&offset| offset != NOWHERE).ok_or_else(missing)
    }

    /// Where a volume is.
    pub(super) fn volume(&self, index: IndexId) -> Result<Range, PlanError> {
        let missing = || PlanError::Bug(format!("the volume {index:?} has no place"));
        self.volumes.get(&index).copied().ok_or_else(missing)
    }

    /// Whether a FAT volume or another one holds this byte.
    pub(super) fn is_in_volume(&self, offset: u64) -> bool {
        self.volumes.values().any(|volume| volume.contains(offset))
    }
}
