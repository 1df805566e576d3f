//! Byte by byte, counted by extent.

use std::collections::BTreeMap;

use super::Run;
use crate::facts::Extent;
use crate::ground::read_at::ReadAt;
use crate::look::inspect::InspectError;

/// What is read at once.
const PIECE: u64 = 1 << 20;
/// How many bytes differ, and where, by the extents of `a`. The number of an error is that of the image.
pub(super) fn compare(
    a: &dyn ReadAt,
    b: &dyn ReadAt,
    extents: &[Extent],
) -> Result<(u64, Vec<Run>), (usize, InspectError)> {
    let common = a.size().min(b.size());
    let mut found = Found::new(extents);
    let (mut left, mut right) = (vec![0; PIECE as usize], vec![0; PIECE as usize]);
    let mut at = 0;
    while at < common {
        let length = PIECE.min(common - at) as usize;
        let (left, right) = (&mut left[..length], &mut right[..length]);
        a.read_exact_at(left, at).map_err(|error| (0, error.into()))?;
        b.read_exact_at(right, at).map_err(|error| (1, error.into()))?;
        if left != right {
            found.add(at, left, right);
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

/// Where and how many, by the number of the extent. What is between extents has the number of the one behind it and `false`.
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

    /// Adds what differs between two pieces from byte `start` on, a stretch inside or between extents at a time.
    fn add(&mut self, start: u64, left: &[u8], right: &[u8]) {
        let (mut at, end) = (start, start + left.len() as u64);
        let ends = |extent: &Extent| extent.offset + extent.length;
        let mut number = self.extents.partition_point(|extent| ends(extent) <= at);
        while at < end {
            let extent = self.extents.get(number);
            let inside = extent.is_some_and(|extent| extent.offset <= at);
            let next = extent.map_or(end, |extent| if inside { ends(extent) } else { extent.offset });
            let next = next.min(end);
            let stretch = (at - start) as usize..(next - start) as usize;
            let (left, right) = (&left[stretch.clone()], &right[stretch]);
            if left != right {
                let differ = || left.iter().zip(right).map(|(left, right)| left != right);
                let first = differ().position(|differs| differs).unwrap_or(0) as u64;
                let count = differ().filter(|&differs| differs).count() as u64;
                self.counts.entry((number, inside)).or_insert((at + first, 0)).1 += count;
            }
            number += usize::from(inside);
            at = next;
        }
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
