//! A run of bytes.

/// Bytes that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
}

impl Range {
    /// The byte behind the last.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// Whether the byte at `offset` is one of them.
    pub fn contains(&self, offset: u64) -> bool {
        (self.offset..self.end()).contains(&offset)
    }

    /// As long as a multiple of `unit`.
    #[must_use]
    pub fn rounded(self, unit: u64) -> Self {
        let length = self.length.next_multiple_of(unit);
        Self { length, ..self }
    }
}
