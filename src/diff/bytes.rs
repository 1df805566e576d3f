//! Byte by byte, counted by extent.

use std::collections::BTreeMap;

use super::Run;
use crate::facts::{Description, Extent};
use crate::inspect::InspectError;
use crate::read_at::ReadAt;

/// What is read at once.
const PIECE: u64 = 1 << 20;
/// What is looked at byte by byte once it differs.
const STEP: usize = 4096;

/// How many bytes differ, and where, by the extents of `a`. The number of an error is that of the image.
pub(super) fn compare(
    a: &dyn ReadAt,
    b: &dyn ReadAt,
    facts: &Description,
) -> Result<(u64, Vec<Run>), (usize, InspectError)> {
    let common = a.size().min(b.size());
    let mut found = Found::new(&facts.extents);
    let (mut left, mut right) = (vec![0; PIECE as usize], vec![0; PIECE as usize]);
    let mut at = 0;
    while at < common {
        let length = PIECE.min(common - at) as usize;
        let (left, right) = (&mut left[..length], &mut right[..length]);
        a.read_exact_at(left, at).map_err(|error| (0, error.into()))?;
        b.read_exact_at(right, at).map_err(|error| (1, error.into()))?;
        if left != right {
            for (number, (left, right)) in left.chunks(STEP).zip(right.chunks(STEP)).enumerate() {
                if left != right {
                    let start = at + (number * STEP) as u64;
                    let differ = left.iter().zip(right.iter()).enumerate();
                    let differ = differ.filter(|(_, (left, right))| left != right);
                    differ.for_each(|(index, _)| found.add(start + index as u64));
                }
            }
        }
        at += length as u64;
    }
    let beyond = a.size().abs_diff(b.size());
    let mut runs = found.runs();
    if beyond > 0 {
        runs.push(Run {
            offset: common,
            bytes: beyond,
            what: match a.size() > b.size() {
                true => "only the first image is so long".into(),
                false => "only the second image is so long".into(),
            },
        });
    }
    let total = runs.iter().map(|run| run.bytes).sum();
    Ok((total, runs))
}

/// Counts of bytes by the number of the extent; what is between extents has that of the one behind it and `false`.
struct Found<'a> {
    extents: &'a [Extent],
    counts: BTreeMap<(usize, bool), (u64, u64)>,
}

impl<'a> Found<'a> {
    fn new(extents: &'a [Extent]) -> Self {
        Self {
            extents,
            counts: BTreeMap::new(),
        }
    }

    fn add(&mut self, at: u64) {
        let number = self
            .extents
            .partition_point(|extent| extent.offset + extent.length <= at);
        let inside = self.extents.get(number).is_some_and(|extent| extent.offset <= at);
        self.counts.entry((number, inside)).or_insert((at, 0)).1 += 1;
    }

    fn runs(self) -> Vec<Run> {
        let extents = self.extents;
        let run = |((number, inside), (offset, bytes)): ((usize, bool), (u64, u64))| {
            let extent = extents.get(number).filter(|_| inside);
            let what = extent.map_or("zeros between extents".into(), |extent| {
                let names: Vec<&str> = extent.paths.iter().map(String::as_str).collect();
                match names.is_empty() {
                    true => extent.what.to_string(),
                    false => format!("{} {}", extent.what, names.join(" = ")),
                }
            });
            Run { offset, bytes, what }
        };
        let mut runs: Vec<Run> = self.counts.into_iter().map(run).collect();
        runs.sort_by_key(|run| run.offset);
        runs
    }
}
