//! A directory record as it stands in an image.

use super::super::record::{FIXED, read_recording_date};
use crate::ground::time::Timestamp;

/// A directory record as it stands, §10.1.
pub(super) struct Raw<'a> {
    /// Of the record, in bytes.
    pub(super) length: usize,
    /// The logical block of the data.
    pub(super) extent: u32,
    /// Of the data, in bytes.
    pub(super) data_length: u32,
    /// §10.1.6.
    pub(super) recorded: Timestamp,
    /// §10.1.7.
    pub(super) flags: u8,
    /// §10.1.8 and §10.1.9 in logical blocks, where the section is interleaved.
    pub(super) interleaved: Option<Interleaved>,
    /// §10.1.11.
    pub(super) identifier: &'a [u8],
    /// §10.1.13.
    pub(super) system_use: &'a [u8],
    /// The two forms of the block or the length say different things.
    pub(super) torn: bool,
}

/// §7.4.3: a section in units with gaps between them.
#[derive(Clone, Copy)]
pub(super) struct Interleaved {
    /// Logical blocks of data.
    pub(super) unit: u8,
    /// Logical blocks between two units.
    pub(super) gap: u8,
}

impl<'a> Raw<'a> {
    /// The record at the start of `bytes`; none at the end of a logical sector's records.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::from(*bytes.first()?);
        let record = bytes.get(..length).filter(|record| record.len() > FIXED)?;
        let word = |at: usize| record.get(at..)?.first_chunk().map(|&bytes| u32::from_le_bytes(bytes));
        let big = |at: usize| record.get(at..)?.first_chunk().map(|&bytes| u32::from_be_bytes(bytes));
        let end = FIXED + usize::from(record[32]);
        let interleaved = (record[26] != 0).then_some(Interleaved {
            unit: record[26],
            gap: record[27],
        });
        // §10.1.3: an extended attribute record stands before the data. Interleaved, it has the first unit to itself (§7.4.3.4).
        let before = match (record[1], interleaved) {
            (0, _) => 0,
            (length, None) => u32::from(length),
            (_, Some(Interleaved { unit, gap })) => u32::from(unit) + u32::from(gap),
        };
        Some(Self {
            length,
            extent: word(2)?.saturating_add(before),
            data_length: word(10)?,
            torn: word(2) != big(6) || word(10) != big(14),
            recorded: read_recording_date(*record.get(18..)?.first_chunk()?),
            flags: record[25],
            interleaved,
            identifier: record.get(FIXED..end).filter(|identifier| !identifier.is_empty())?,
            // §10.1.13: a padding byte keeps it at an even place.
            system_use: record.get(end.next_multiple_of(2)..).unwrap_or_default(),
        })
    }
}
