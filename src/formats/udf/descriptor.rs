//! Tags, and the descriptors of the volume.

use super::{u16_at, u32_at};

/// ECMA-167 3/7.2.1 and 4/7.2.1.
pub(super) const PRIMARY: u16 = 1;
pub(super) const ANCHOR: u16 = 2;
pub(super) const POINTER: u16 = 3;
pub(super) const IMPLEMENTATION_USE: u16 = 4;
pub(super) const PARTITION: u16 = 5;
pub(super) const LOGICAL_VOLUME: u16 = 6;
pub(super) const UNALLOCATED: u16 = 7;
pub(super) const TERMINATING: u16 = 8;
pub(super) const INTEGRITY: u16 = 9;
pub(super) const FILE_SET: u16 = 256;
pub(super) const FILE_IDENTIFIER: u16 = 257;
pub(super) const ALLOCATION_EXTENT: u16 = 258;
pub(super) const FILE_ENTRY: u16 = 261;
pub(super) const EXTENDED_FILE_ENTRY: u16 = 266;

/// ECMA-167 3/7.2: what each descriptor begins with.
pub(super) struct Tag {
    pub(super) identifier: u16,
    /// The block that it is in, by its own word.
    pub(super) location: u32,
    /// Whether the checksum of the descriptor is right; a length of zero covers nothing.
    pub(super) crc: bool,
}

/// Bytes of a tag.
pub(super) const TAG: usize = 16;

impl Tag {
    /// The tag that `bytes` begin with; none where its own checksum is wrong, which everything but a tag has.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let tag = bytes.first_chunk::<TAG>()?;
        let sum = tag.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
        let identifier = u16_at(tag, 0)?;
        if sum.wrapping_sub(tag[4]) != tag[4] || identifier == 0 {
            return None;
        }
        let covered = bytes.get(TAG..TAG + usize::from(u16_at(tag, 10)?));
        Some(Self {
            identifier,
            location: u32_at(tag, 12)?,
            crc: covered.is_some_and(|covered| crc(covered) == u16_at(tag, 8).unwrap_or(0)),
        })
    }
}

/// ECMA-167 1/7.2.6: the polynomial x^16 + x^12 + x^5 + 1, from zero.
pub(super) fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, &byte| {
        crc << 8 ^ CRC[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

/// What each byte adds to the checksum.
const CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// ECMA-167 4/14.14.2: an extent in a partition, with what its two highest bits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allocation {
    pub(super) kind: Recorded,
    pub(super) length: u64,
    pub(super) block: u32,
    /// The number of a partition map.
    pub(super) partition: u16,
}

/// ECMA-167 4/14.14.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The bytes are there.
    Yes,
    /// They are zero.
    No,
    /// The extent holds more allocation descriptors.
    Continued,
}

impl Allocation {
    fn of(word: u32, block: u32, partition: u16) -> Self {
        Self {
            kind: match word >> 30 {
                0 => Recorded::Yes,
                3 => Recorded::Continued,
                _ => Recorded::No,
            },
            length: u64::from(word & 0x3fff_ffff),
            block,
            partition,
        }
    }

    /// ECMA-167 4/14.14.1, eight bytes, in the partition of what it belongs to.
    pub(super) fn short(bytes: &[u8], partition: u16) -> Option<Self> {
        Some(Self::of(u32_at(bytes, 0)?, u32_at(bytes, 4)?, partition))
    }

    /// ECMA-167 4/14.14.2, sixteen bytes.
    pub(super) fn long(bytes: &[u8]) -> Option<Self> {
        Some(Self::of(u32_at(bytes, 0)?, u32_at(bytes, 4)?, u16_at(bytes, 8)?))
    }

    /// ECMA-167 4/14.14.3, twenty bytes: lengths of what is recorded and of what is meant stand apart, and UDF has them equal.
    pub(super) fn extended(bytes: &[u8]) -> Option<Self> {
        Some(Self::of(u32_at(bytes, 0)?, u32_at(bytes, 12)?, u16_at(bytes, 16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standards() {
        // ECMA-167 1/7.2.6: the example in a note there.
        assert_eq!(crc(&[0x70, 0x6A, 0x77]), 0x3299);
        // The check value of this polynomial from zero.
        assert_eq!(crc(b"123456789"), 0x31C3);
    }
}
