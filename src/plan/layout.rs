//! Where everything is: regions in the order of the image, and extents as `plan` and `inspect` report them.
//!
//! Addresses come from [`Layout::place`] and nowhere else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use crate::facts::{Extent, What};
use crate::formats::iso9660::SECTOR;
use crate::ground::read_at::ReadAt;
use crate::tree::{NodeId, PayloadId};

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
    /// A structure of which there is only one.
    Structure(What),
    /// A directory of the primary hierarchy, by its node in [`crate::formats::iso9660::Tree`].
    Directory(NodeId),
    /// A directory of the Joliet hierarchy.
    JolietDirectory(NodeId),
    /// A structure of a GPT, by the table's number.
    Gpt(usize, What),
    /// A metadata region of an ESP's FAT volume: the volume's number, and the region's in the FAT's plan.
    Fat(usize, usize),
    /// The bytes of a payload.
    Payload(PayloadId),
}

/// Two regions that want the same bytes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{first:?} and {second:?} overlap")]
pub struct Overlap {
    /// The one that begins earlier.
    pub first: Region,
    /// The other.
    pub second: Region,
}

/// The regions of an image and the place where the next one can go.
#[derive(Debug, Default)]
pub struct Layout {
    regions: Vec<Region>,
    end: u64,
}

impl Layout {
    /// Puts a region at the first multiple of `align` behind all others. An empty one takes no place.
    pub fn place(&mut self, content: Content, length: u64, align: u64) -> u64 {
        let offset = self.end.next_multiple_of(align);
        self.place_at(content, offset, length);
        offset
    }

    /// Puts a region where a standard or another structure wants it.
    pub fn place_at(&mut self, content: Content, offset: u64, length: u64) {
        if length > 0 {
            self.regions.push(Region {
                offset,
                length,
                content,
            });
            self.end = self.end.max(offset + length);
        }
    }

    /// Keeps everything before `offset` from later regions.
    pub fn reserve(&mut self, offset: u64) {
        self.end = self.end.max(offset);
    }

    /// The end of the last region or reservation.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The regions by offset. Two that overlap are an error: every byte is written once.
    pub fn into_regions(mut self) -> Result<Vec<Region>, Overlap> {
        self.regions.sort_unstable_by_key(|region| region.offset);
        for pair in self.regions.windows(2) {
            if pair[0].offset + pair[0].length > pair[1].offset {
                return Err(Overlap {
                    first: pair[0],
                    second: pair[1],
                });
            }
        }
        self.regions.shrink_to_fit();
        Ok(self.regions)
    }
}

/// Whether a payload counts as large: it stands behind all that do not, so that alignment costs a gap only once.
pub fn is_large(length: u64) -> bool {
    length >= 64 << 10
}

/// Payload of 64 KiB and more starts on 4 KiB, so that file systems with reflinks share every whole block of it; the rest is packed
/// by logical sectors.
pub fn payload_alignment(length: u64) -> u64 {
    if is_large(length) { 4096 } else { SECTOR }
}

/// Sorted, disjoint extents out of claims in any order. Claims on the very same bytes are one extent with all their names; where
/// they overlap otherwise, the one that begins later or is shorter is the more specific and wins, and what is left of the other
/// stays.
pub fn settle(claims: Vec<Extent>) -> Vec<Extent> {
    let mut pending: BinaryHeap<Reverse<Claim>> = claims
        .into_iter()
        .filter(|extent| extent.length > 0)
        .map(|extent| Reverse(Claim(extent)))
        .collect();
    let mut settled: Vec<Extent> = Vec::with_capacity(pending.len());
    while let Some(Reverse(Claim(mut current))) = pending.pop() {
        while let Some(Reverse(Claim(next))) = pending.peek() {
            if next.offset == current.offset && next.length == current.length {
                let Some(Reverse(Claim(next))) = pending.pop() else {
                    break;
                };
                current.paths.extend(next.paths);
                current.source = current.source.or(next.source);
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
                    pending.push(Reverse(Claim(remainder)));
                }
                let Some(Reverse(Claim(next))) = pending.peek() else {
                    break;
                };
                current.length = next.offset - current.offset;
            }
            break;
        }
        if current.length > 0 {
            current.paths.sort_unstable();
            current.paths.dedup();
            settled.push(current);
        }
    }
    settled
}

/// A claim in the order of the sweep: by offset, the longer first, then by what it is.
#[derive(PartialEq, Eq)]
struct Claim(Extent);

impl Ord for Claim {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |claim: &Self| (claim.0.offset, Reverse(claim.0.length), claim.0.what);
        key(self)
            .cmp(&key(other))
            .then_with(|| self.0.paths.cmp(&other.0.paths))
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Adds what no index points at: in each gap of `extents` between `start` and `end` the bytes from the first to the last that are
/// not zero. Behind a boot image they belong to it, since El Torito records only what the firmware loads.
pub fn with_unclaimed(extents: Vec<Extent>, bytes: &dyn ReadAt, start: u64, end: u64) -> io::Result<Vec<Extent>> {
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
            source: None,
        }),
    }
    Ok(())
}

/// The first byte between `start` and `end` that is not zero, and the byte behind the last.
pub fn nonzero_span(bytes: &dyn ReadAt, start: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
    const STEP: u64 = 1 << 18;
    let mut span: Option<(u64, u64)> = None;
    let mut at = start;
    while at < end {
        let step = STEP.min(end - at);
        let buffer = bytes.read_vec_at(at, step)?;
        at += step;
        // Many bytes at a time, while a search for the first looks at each; most gaps are zero.
        if buffer.iter().fold(0, |any, byte| any | byte) == 0 {
            continue;
        }
        if let Some(first) = buffer.iter().position(|&byte| byte != 0) {
            let at = at - step;
            let last = buffer.iter().rposition(|&byte| byte != 0).unwrap_or(first);
            let first = span.map_or(at + first as u64, |(first, _)| first);
            span = Some((first, at + last as u64 + 1));
        }
    }
    Ok(span)
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
            source: None,
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
    fn f8_regions_may_not_overlap() {
        let mut layout = Layout::default();
        layout.place(Content::Structure(What::MasterBootRecord), 512, 1);
        assert_eq!(layout.place(Content::Payload(0), 10, 2048), 2048);
        layout.place_at(Content::Payload(1), 2050, 1);
        assert!(layout.into_regions().is_err());
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
