//! The number of a logical block, as structures on the medium have it.

/// ECMA-119 §7.2.2: the logical blocks of our volumes are as long as a logical sector (§7.1.1).
pub const BLOCK: u64 = 2048;

/// A logical block of 2048 bytes, by its number in 32 bits: what ISO 9660, El Torito and UDF store for an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block(u32);

/// A byte offset at which no block begins, or whose block number does not fit 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no logical block with a number of 32 bits begins at byte {0}")]
pub struct NotABlock(pub u64);

impl Block {
    /// The block with the number 0, which stands in the record of a file without data.
    pub const ZERO: Self = Self(0);

    /// The block that begins at a byte offset.
    ///
    /// # Errors
    /// No block begins there, or its number has more than 32 bits.
    pub fn at(offset: u64) -> Result<Self, NotABlock> {
        match u32::try_from(offset / BLOCK) {
            Ok(number) if offset.is_multiple_of(BLOCK) => Ok(Self(number)),
            _ => Err(NotABlock(offset)),
        }
    }

    /// The number that a structure stores.
    pub fn number(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_at_a_multiple_and_has_32_bits() {
        assert_eq!(Block::at(0), Ok(Block::ZERO));
        assert_eq!(Block::at(4096).map(Block::number), Ok(2));
        assert_eq!(Block::at(8_796_093_020_160).map(Block::number), Ok(u32::MAX));
        for offset in [1, 2047, 4095, 8_796_093_022_208, u64::MAX] {
            assert_eq!(Block::at(offset), Err(NotABlock(offset)));
        }
    }
}
