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

    /// The bytes that are in both ranges. `None` if there are none.
    pub fn overlap(self, other: Self) -> Option<Self> {
        let offset = self.offset.max(other.offset);
        let end = self.end().min(other.end());
        (offset < end).then(|| Self {
            offset,
            length: end - offset,
        })
    }

    /// Whether the byte at `offset` is one of them.
    pub fn contains(&self, offset: u64) -> bool {
        (self.offset..self.end()).contains(&offset)
    }

    /// What is left without other ranges, by offset. A range of no bytes parts what it stands in.
    pub fn without(self, others: impl Iterator<Item = Self>) -> Vec<Self> {
        let mut others: Vec<Self> = others
            .filter(|other| other.end() > self.offset && other.offset < self.end())
            .collect();
        others.sort_unstable_by_key(|other| other.offset);
        let mut left = Vec::new();
        let mut at = self.offset;
        let last = Self {
            offset: self.end(),
            length: 0,
        };
        for other in others.into_iter().chain([last]) {
            if other.offset > at {
                left.push(Self {
                    offset: at,
                    length: other.offset - at,
                });
            }
            at = at.max(other.end());
        }
        left
    }

    /// As long as a multiple of `unit`.
    #[must_use]
    pub fn rounded(self, unit: u64) -> Self {
        let length = self.length.next_multiple_of(unit);
        Self { length, ..self }
    }
}
