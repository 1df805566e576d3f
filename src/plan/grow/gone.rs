//! Bytes of the base that nothing names any more: they become zeros.

use std::collections::BTreeMap;

use super::base_index::BaseIndex;
use super::draft::Draft;
use super::listing::Place;
use crate::ground::range::Range;
use crate::ground::text;

/// Places that a name has had, each with the path.
#[derive(Debug, Default)]
pub(super) struct Gone(BTreeMap<Place, Vec<u8>>);

impl Gone {
    pub(super) fn add(&mut self, places: Vec<Place>, path: &[u8]) {
        for place in places.into_iter().filter(|place| place.1 > 0) {
            self.0.entry(place).or_insert_with(|| path.to_vec());
        }
    }

    /// Erases those that neither a name nor one of the ranges `in_use` has a byte of.
    pub(super) fn erase(self, indexes: &[BaseIndex], in_use: &[Range], draft: &mut Draft) {
        if self.0.is_empty() {
            return;
        }
        let mut used: Vec<Place> = indexes.iter().flat_map(BaseIndex::used).collect();
        used.extend(in_use.iter().map(|range| (range.offset, range.length)));
        used.sort_unstable();
        // Of those that begin before a place, the furthest end.
        let mut furthest = 0;
        let ends: Vec<u64> = used
            .iter()
            .map(|&(start, length)| {
                furthest = furthest.max(start.saturating_add(length));
                furthest
            })
            .collect();
        let is_used = |(offset, length): Place| {
            let before = used.partition_point(|&(start, _)| start < offset + length);
            before > 0 && ends[before - 1] > offset
        };
        let cut = draft.cut();
        for (place, path) in self.0 {
            let (offset, length) = place;
            if offset + length <= cut && !is_used(place) {
                draft.erase(Range { offset, length }, vec![format!("iso:{}", text::lossless(&path))]);
            }
        }
    }
}
