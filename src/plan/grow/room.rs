//! The room that a file has where it stands: its sectors, if nothing else has a byte of them.
//!
//! What fits there changes the image least. Nothing moves, and `edit` writes a few sectors. coreos-installer looks for its areas where they were.

use super::base_index::BaseIndex;
use super::listing::Place;
use crate::formats::iso9660::SECTOR;
use crate::ground::range::Range;

/// Where a file stands, if new content of `length` bytes fits. `names` are its index and number in each index that has it; ranges that are
/// `in_use` belong to something else, and from `cut` on everything may move.
pub(super) fn own(
    indexes: &[BaseIndex],
    names: &[(usize, usize)],
    length: u64,
    in_use: &[Range],
    cut: u64,
) -> Option<Range> {
    let extents = names.iter().map(|&(index, entry)| {
        let listed = indexes.get(index)?.listing().get(entry)?;
        match listed.extents[..] {
            [(offset, length)] if length > 0 => Some(Range { offset, length }),
            _ => None,
        }
    });
    let mut extents: Vec<Range> = extents.collect::<Option<_>>()?;
    extents.dedup();
    let [extent] = extents[..] else {
        return None;
    };
    let sectors = Range {
        offset: extent.offset,
        length: extent.length.next_multiple_of(SECTOR),
    };
    let meets = |&(offset, length): &Place| offset < sectors.end() && sectors.offset < offset + length;
    let is_shared = indexes.iter().zip(0..).any(|(index, number)| {
        let own = names.iter().find(|(of, _)| *of == number).map(|(_, entry)| *entry);
        index.used_without(own).iter().any(meets)
    });
    let is_in_use = in_use.iter().any(|range| meets(&(range.offset, range.length)));
    let fits = length > 0 && length <= sectors.length && sectors.offset.is_multiple_of(SECTOR) && sectors.end() <= cut;
    (fits && !is_shared && !is_in_use).then_some(extent)
}
