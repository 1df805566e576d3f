//! Where everything is: regions in the order of the image.
//!
//! Addresses come from [`Layout::place`] and nowhere else.

use crate::facts::What;
use crate::formats::iso9660::SECTOR;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f8_regions_may_not_overlap() {
        let mut layout = Layout::default();
        layout.place(Content::Structure(What::MasterBootRecord), 512, 1);
        assert_eq!(layout.place(Content::Payload(0), 10, 2048), 2048);
        layout.place_at(Content::Payload(1), 2050, 1);
        assert!(layout.into_regions().is_err());
    }
}
