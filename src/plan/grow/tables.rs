//! The structures outside of the volumes that hold addresses: boot catalogs and partition tables.

use super::GrowError;
use super::base_index::BaseIndex;
use super::draft::Draft;
use super::volumes::SECTOR_SIZES;
use crate::facts::What;
use crate::formats::iso9660::{Descriptor, SECTOR};
use crate::formats::{apm, el_torito, gpt, iso9660, mbr};
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::shift::Shift;

/// Gives all of them the new places.
pub(super) fn shift(draft: &mut Draft, size: u64, shift: &Shift, indexes: &[BaseIndex]) -> Result<(), GrowError> {
    let mut origins: Vec<u64> = indexes.iter().map(BaseIndex::origin).collect();
    origins.sort_unstable();
    origins.dedup();
    let mut seen = Vec::new();
    for origin in origins {
        catalog(draft, origin, shift, &mut seen)?;
    }
    let mut sector = [0; 512];
    draft.read_exact_at(&mut sector, 0)?;
    if sector.ends_with(&[0x55, 0xAA]) {
        mbr::shift(&mut sector, shift);
        draft.write(0, &sector, What::MasterBootRecord, &[])?;
    }
    // If nothing moves, a damaged table can stay as it is.
    if shift.by > 0 || shift.known.iter().any(|(before, now)| before != now) {
        for sector_size in SECTOR_SIZES {
            gpt(draft, sector_size, size, shift)?;
        }
    }
    for (offset, bytes) in apm::shift(draft, size, shift) {
        draft.write(offset, &bytes, What::ApplePartitionMap, &[])?;
    }
    Ok(())
}

/// The table for logical sectors of this size, and its backup.
fn gpt(draft: &mut Draft, sector_size: u64, size: u64, shift: &Shift) -> Result<(), GrowError> {
    let written = gpt::shift(draft, sector_size, size, shift);
    for (offset, bytes) in written.map_err(|damaged| GrowError::Conflict(damaged.to_string()))? {
        let what = match (offset < shift.cut, bytes.len() as u64 == sector_size) {
            (true, true) => What::GptHeader,
            (true, false) => What::GptEntries,
            (false, true) => What::BackupGptHeader,
            (false, false) => What::BackupGptEntries,
        };
        draft.write(offset, &bytes, what, &[])?;
    }
    Ok(())
}

/// The catalog of a volume, unless it was `seen` as that of another. Its addresses count from the first byte of the volume.
fn catalog(draft: &mut Draft, origin: u64, shift: &Shift, seen: &mut Vec<u64>) -> Result<(), GrowError> {
    let window = Window::new(&*draft, origin, draft.size() - origin);
    let descriptors = iso9660::read_descriptors(&window)?;
    let place = descriptors.iter().find_map(|(_, descriptor)| match descriptor {
        Descriptor::Boot(record) => el_torito::parse_boot_record(record).map(|catalog| origin + catalog),
        _ => None,
    });
    let Some(place) = place.filter(|place| place + SECTOR <= draft.size()) else {
        return Ok(());
    };
    if seen.contains(&place) {
        return Ok(());
    }
    seen.push(place);
    let mut bytes = draft.read_vec_at(place, SECTOR)?;
    let own = Shift {
        cut: shift.cut.saturating_sub(origin),
        known: shift.known.iter().filter_map(|&pair| within(pair, origin)).collect(),
        ..shift.clone()
    };
    el_torito::shift(&mut bytes, &own);
    Ok(draft.write(place, &bytes, What::BootCatalog, &[])?)
}

/// The same places, counted from a volume's first byte.
fn within((before, now): (Range, Range), origin: u64) -> Option<(Range, Range)> {
    let counted = |range: Range| {
        Some(Range {
            offset: range.offset.checked_sub(origin)?,
            ..range
        })
    };
    Some((counted(before)?, counted(now)?))
}
