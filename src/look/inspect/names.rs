//! By which index the files of an image are named: by the best, and by the others what that one does not have.

use std::collections::HashSet;

use super::indexes::{Index, Indexes, best};

/// Which kind of index names what.
pub(super) struct Names {
    /// UDF is the best index.
    pub(super) udf_is_best: bool,
    /// Where the files of the best index are, if both kinds of index are there.
    known: Option<HashSet<u64>>,
}

impl Names {
    pub(super) fn of(indexes: &Indexes) -> Self {
        let best = best(&indexes.all).and_then(|at| indexes.all.get(at));
        let has_both = indexes.all.iter().any(Index::is_udf) && indexes.all.iter().any(Index::is_iso9660);
        Self {
            udf_is_best: best.is_some_and(Index::is_udf),
            known: best.filter(|_| has_both).map(offsets),
        }
    }

    /// Whether ISO 9660 names a file whose content begins at `offset`.
    pub(super) fn by_iso9660(&self, offset: Option<u64>) -> bool {
        !self.udf_is_best || !self.is_known(offset)
    }

    /// Whether UDF names it.
    pub(super) fn by_udf(&self, offset: Option<u64>) -> bool {
        self.udf_is_best || !self.is_known(offset)
    }

    fn is_known(&self, offset: Option<u64>) -> bool {
        let known = self.known.as_ref();
        offset.is_some_and(|offset| known.is_some_and(|known| known.contains(&offset)))
    }
}

/// Where the contents of an index begin, each piece of them.
fn offsets(index: &Index) -> HashSet<u64> {
    match index {
        Index::Iso(walk) => {
            let extents = walk.entries.iter().flat_map(|entry| &entry.extents);
            extents.map(|&(offset, _)| offset).collect()
        }
        Index::Udf(volume) => {
            let extents = volume.entries.iter().flat_map(|entry| &entry.extents);
            extents.filter_map(|&(offset, _)| offset).collect()
        }
    }
}
