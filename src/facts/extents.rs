//! Extents out of claims: sorted, disjoint, and covering every byte that is not zero.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use super::{Extent, What};
use crate::ground::read_at::{ReadAt, nonzero_span};

/// A range of bytes and what a structure, a name or a plan says about it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Which, and what they are.
    pub(crate) extent: Extent,
    /// Where they come from, if a plan says it.
    pub(crate) source: Option<String>,
}

impl From<Extent> for Claim {
    fn from(extent: Extent) -> Self {
        Self { extent, source: None }
    }
}

/// Sorts extents and makes them disjoint, as [`settle_claims`] does with claims.
pub(crate) fn settle(extents: Vec<Extent>) -> Vec<Extent> {
    let claims = settle_claims(extents.into_iter().map(Claim::from));
    claims.into_iter().map(|claim| claim.extent).collect()
}

/// Sorted, disjoint extents out of claims in any order, each with its source. Claims on the very same bytes are one extent with all their names; where
/// they overlap otherwise, the one that begins later or is shorter is the more specific and wins, and what is left of the other
/// stays.
pub(crate) fn settle_claims(claims: impl IntoIterator<Item = Claim>) -> Vec<Claim> {
    let mut pending: BinaryHeap<Reverse<Claim>> = claims
        .into_iter()
        .filter(|claim| claim.extent.length > 0)
        .map(Reverse)
        .collect();
    let mut settled: Vec<Claim> = Vec::with_capacity(pending.len());
    while let Some(Reverse(mut claim)) = pending.pop() {
        let current = &mut claim.extent;
        while let Some(Reverse(Claim { extent: next, .. })) = pending.peek() {
            if next.offset == current.offset && next.length == current.length {
                let Some(Reverse(next)) = pending.pop() else {
                    break;
                };
                current.paths.extend(next.extent.paths);
                claim.source = claim.source.or(next.source);
                continue;
            }
            let end = current.offset + current.length;
            if next.offset < end {
                let rest = next.offset.saturating_add(next.length);
                if rest < end {
                    let remainder = Extent {
                        offset: rest,
                        length: end - rest,
                        ..current.clone()
                    };
                    pending.push(Reverse(Claim {
                        extent: remainder,
                        source: claim.source.clone(),
                    }));
                }
                let Some(Reverse(next)) = pending.peek() else {
                    break;
                };
                current.length = next.extent.offset - current.offset;
            }
            break;
        }
        if current.length > 0 {
            current.paths.sort_unstable();
            current.paths.dedup();
            settled.push(claim);
        }
    }
    settled
}

/// In the order of the sweep: by offset, the longer first, then by what it is.
impl Ord for Claim {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (one, other) = (&self.extent, &other.extent);
        let key = |extent: &Extent| (extent.offset, Reverse(extent.length), extent.what);
        key(one).cmp(&key(other)).then_with(|| one.paths.cmp(&other.paths))
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Adds what no index points at: in each gap of `extents` between `start` and `end` the bytes from the first to the last that are
/// not zero. Behind a boot image they belong to it, since El Torito records only what the firmware loads.
pub(crate) fn with_unclaimed(
    extents: Vec<Extent>,
    bytes: &dyn ReadAt,
    start: u64,
    end: u64,
) -> io::Result<Vec<Extent>> {
    let mut all: Vec<Extent> = Vec::with_capacity(extents.len());
    let mut at = start;
    for extent in extents {
        claim_gap(&mut all, bytes, at, extent.offset.min(end))?;
        at = at.max(extent.offset + extent.length);
        all.push(extent);
    }
    claim_gap(&mut all, bytes, at, end)?;
    Ok(all)
}

fn claim_gap(all: &mut Vec<Extent>, bytes: &dyn ReadAt, start: u64, end: u64) -> io::Result<()> {
    let Some((first, last)) = nonzero_span(bytes, start, end)? else {
        return Ok(());
    };
    match all.last_mut() {
        Some(image) if image.what == What::BootImage && image.offset + image.length == start => {
            image.length = last - image.offset;
        }
        _ => all.push(Extent {
            offset: first,
            length: last - first,
            what: What::Unknown,
            paths: Vec::new(),
        }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(offset: u64, length: u64, what: What, path: &str) -> Extent {
        Extent {
            offset,
            length,
            what,
            paths: vec![path.into()],
        }
    }

    #[test]
    fn the_same_bytes_are_one_extent() {
        let both = vec![
            claim(0, 10, What::File, "iso:/b"),
            claim(0, 10, What::File, "esp:/a"),
            claim(20, 5, What::File, "iso:/c"),
        ];
        let settled = settle(both);
        assert_eq!(settled.len(), 2);
        assert_eq!(settled[0].paths, ["esp:/a", "iso:/b"]);
    }

    #[test]
    fn the_more_specific_claim_wins() {
        let settled = settle(vec![
            claim(0, 100, What::File, "iso:/efi.img"),
            claim(0, 10, What::FatBootSector, "x"),
            claim(50, 10, What::File, "esp:/a"),
        ]);
        let shape: Vec<_> = settled.iter().map(|e| (e.offset, e.length, e.what)).collect();
        assert_eq!(
            shape,
            [
                (0, 10, What::FatBootSector),
                (10, 40, What::File),
                (50, 10, What::File),
                (60, 40, What::File)
            ]
        );
    }

    #[test]
    fn overlaps_settle_to_disjoint_extents_that_cover_the_same_bytes() {
        proptest::proptest!(|(claims in proptest::collection::vec((0u64..60, 0u64..20), 0..12))| {
            let all: Vec<_> = claims.iter().map(|&(o, l)| claim(o, l, What::File, "p")).collect();
            let mut wanted = [false; 100];
            for &(o, l) in &claims {
                wanted[o as usize..(o + l) as usize].fill(true);
            }
            let mut got = [false; 100];
            for extent in settle(all) {
                for byte in extent.offset..extent.offset + extent.length {
                    proptest::prop_assert!(!std::mem::replace(&mut got[byte as usize], true));
                }
            }
            proptest::prop_assert_eq!(wanted, got);
        });
    }

    #[test]
    fn unclaimed_bytes_go_to_the_boot_image_before_them() {
        let mut bytes = vec![0u8; 100];
        bytes[30] = 1;
        bytes[70] = 1;
        let extents = vec![claim(10, 10, What::BootImage, "i"), claim(50, 10, What::File, "f")];
        let all = with_unclaimed(extents, &bytes, 0, 100).unwrap();
        let shape: Vec<_> = all.iter().map(|e| (e.offset, e.length, e.what)).collect();
        assert_eq!(
            shape,
            [(10, 21, What::BootImage), (50, 10, What::File), (70, 1, What::Unknown)]
        );
    }
}
