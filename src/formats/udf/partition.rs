//! What a block number means: physical, virtual, sparable and metadata partitions.

use std::collections::BTreeMap;

use super::descriptor::{Allocation, Recorded};
use crate::ground::range::Range;

/// A partition map, resolved.
#[derive(Debug)]
pub(super) enum Map {
    /// ECMA-167 3/10.7.2: the partition as it lies on the medium.
    Physical(Physical),
    /// UDF 2.2.9: blocks in packets, of which those that went bad are elsewhere.
    Sparable {
        under: Physical,
        /// Blocks in a packet, a power of two.
        packet: u32,
        /// The first block of a packet, and the logical sector where it is now.
        moved: BTreeMap<u32, u32>,
    },
    /// UDF 2.2.8: numbers of blocks that a table at the end of the medium gives.
    Virtual { under: Physical, table: Vec<u32> },
    /// UDF 2.2.10: blocks of the metadata file.
    Metadata {
        /// The first block of each piece in the partition, where it is in the image, and its blocks.
        pieces: Vec<(u64, u64, u64)>,
    },
    /// Not supported, or not to be read.
    Nothing,
}

/// ECMA-167 3/10.5: first logical sector and number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Physical {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// The partition maps of a logical volume.
#[derive(Debug)]
pub(super) struct Partitions {
    /// Of the logical block, in bytes.
    pub(super) block: u64,
    pub(super) maps: Vec<Map>,
}

/// Byte offset and length of each piece, without an offset for zeros.
pub(super) type Extents = Vec<(Option<u64>, u64)>;

impl Partitions {
    /// The bytes of the only one, if no table stands between its blocks and the image's.
    pub(super) fn only(&self) -> Option<Range> {
        let [Map::Physical(physical)] = self.maps.as_slice() else {
            return None;
        };
        Some(Range {
            offset: physical.start.checked_mul(self.block)?,
            length: physical.length.checked_mul(self.block)?,
        })
    }

    /// Where a block of a partition is in the image, and how many blocks follow it there.
    fn run(&self, partition: u16, block: u32) -> Option<(u64, u64)> {
        let number = u64::from(block);
        let at = |under: &Physical, number: u64| {
            let left = under.length.checked_sub(number).filter(|&left| left > 0)?;
            Some(((under.start + number).checked_mul(self.block)?, left))
        };
        match self.maps.get(usize::from(partition))? {
            Map::Physical(under) => at(under, number),
            Map::Sparable { under, packet, moved } => {
                let first = block & !(packet - 1);
                let left = u64::from(packet - (block - first));
                match moved.get(&first) {
                    Some(&elsewhere) => Some(((u64::from(elsewhere) + u64::from(block - first)) * self.block, left)),
                    None => at(under, number).map(|(offset, rest)| (offset, left.min(rest))),
                }
            }
            Map::Virtual { under, table } => {
                let block = *table.get(block as usize)?;
                at(under, block.into()).map(|(offset, _)| (offset, 1))
            }
            Map::Metadata { pieces } => {
                let after = pieces.partition_point(|&(first, ..)| first <= number);
                let &(first, offset, blocks) = pieces.get(after.checked_sub(1)?)?;
                let left = (first + blocks).checked_sub(number).filter(|&left| left > 0)?;
                Some((offset + (number - first) * self.block, left))
            }
            Map::Nothing => None,
        }
    }

    /// Where one block is.
    pub(super) fn place(&self, partition: u16, block: u32) -> Option<u64> {
        self.run(partition, block).map(|(offset, _)| offset)
    }

    /// Adds the pieces of an extent to `extents`, joined to what they follow. None if a part of it is in no partition.
    pub(super) fn add(&self, allocation: Allocation, extents: &mut Extents) -> Option<()> {
        if allocation.kind != Recorded::Yes {
            push(extents, (None, allocation.length));
            return Some(());
        }
        let mut left = allocation.length;
        let mut block = allocation.block;
        while left > 0 {
            let (offset, blocks) = self.run(allocation.partition, block)?;
            let length = left.min(blocks.saturating_mul(self.block));
            push(extents, (Some(offset), length));
            left -= length;
            block = block.checked_add(u32::try_from(length.div_ceil(self.block)).ok()?)?;
        }
        Some(())
    }
}

fn push(extents: &mut Extents, (offset, length): (Option<u64>, u64)) {
    if let Some((before, known)) = extents.last_mut() {
        let follows = match (*before, offset) {
            (Some(before), Some(offset)) => before.checked_add(*known) == Some(offset),
            (before, offset) => before == offset,
        };
        if follows && let Some(both) = known.checked_add(length) {
            *known = both;
            return;
        }
    }
    if length > 0 {
        extents.push((offset, length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(partitions: &Partitions, partition: u16, block: u32, length: u64) -> Option<Extents> {
        let mut extents = Extents::new();
        let kind = Recorded::Yes;
        let allocation = Allocation {
            kind,
            length,
            block,
            partition,
        };
        partitions.add(allocation, &mut extents).map(|()| extents)
    }

    #[test]
    fn blocks_are_where_their_partition_has_them() {
        let under = Physical { start: 10, length: 20 };
        let partitions = Partitions {
            block: 2048,
            maps: vec![
                Map::Physical(under),
                Map::Sparable {
                    under,
                    packet: 4,
                    moved: [(4, 100)].into(),
                },
                Map::Virtual {
                    under,
                    table: vec![5, 6, 1, u32::MAX],
                },
                Map::Metadata {
                    pieces: vec![(0, 2048, 2), (2, 20480, 1)],
                },
                Map::Nothing,
            ],
        };
        let at = |block: u64, blocks: u64| (Some(block * 2048), blocks * 2048);
        assert_eq!(extents(&partitions, 0, 3, 5 * 2048), Some(vec![at(13, 5)]));
        assert_eq!(extents(&partitions, 0, 18, 2 * 2048), Some(vec![at(28, 2)]));
        assert_eq!(extents(&partitions, 0, 18, 2 * 2048 + 1), None);
        assert_eq!(
            extents(&partitions, 1, 2, 7 * 2048),
            Some(vec![at(12, 2), at(100, 4), at(18, 1)])
        );
        assert_eq!(
            extents(&partitions, 2, 0, 5000),
            Some(vec![(Some(15 * 2048), 4096), (Some(11 * 2048), 904)])
        );
        assert_eq!(extents(&partitions, 2, 3, 1), None);
        assert_eq!(extents(&partitions, 3, 1, 4096), Some(vec![at(2, 1), at(10, 1)]));
        assert_eq!(extents(&partitions, 3, 3, 1), None);
        assert_eq!(extents(&partitions, 4, 0, 1), None);
        assert_eq!(extents(&partitions, 5, 0, 1), None);
        assert_eq!(extents(&partitions, 0, 0, 0), Some(vec![]));
    }
}
