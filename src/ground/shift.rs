//! New offsets after bytes have been put into an image at one place.

use super::range::Range;

/// Bytes at the place and behind it have moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The place.
    pub cut: u64,
    /// By how many bytes.
    pub by: u64,
    /// The end of what was put in that means anything; zeros follow.
    pub filled: u64,
    /// The volumes that hold what was put in: first byte of each, and the end of the files that it held before.
    pub volumes: Vec<(u64, u64)>,
}

impl Shift {
    /// The new offset of a byte.
    pub fn start(&self, offset: u64) -> u64 {
        match offset < self.cut {
            true => offset,
            false => offset.saturating_add(self.by),
        }
    }

    /// The new offset of an end.
    pub fn end(&self, end: u64) -> u64 {
        self.start(end)
    }

    /// The new range of a partition. If it held all files of a volume, it holds the new files too.
    pub fn range(&self, range: Range) -> Range {
        let holds = |&(start, end): &(u64, u64)| start == range.offset && range.end() >= end;
        let end = match self.volumes.iter().any(holds) {
            true => self.end(range.end()).max(self.filled),
            false => self.end(range.end()),
        };
        let offset = self.start(range.offset);
        Range {
            offset,
            length: end.saturating_sub(offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_moves_and_what_goes_over_grows() {
        let shift = Shift {
            cut: 100,
            by: 50,
            filled: 130,
            volumes: vec![(10, 80)],
        };
        for ((start, end), wanted) in [
            ((0, 90), (0, 90)),
            ((0, 100), (0, 150)),
            ((100, 120), (150, 170)),
            ((20, 110), (20, 160)),
            // The volume's partition ends before the place, and has to hold what is new.
            ((10, 80), (10, 130)),
            ((10, 79), (10, 79)),
            ((10, 100), (10, 150)),
        ] {
            let range = Range {
                offset: start,
                length: end - start,
            };
            let moved = shift.range(range);
            assert_eq!((moved.offset, moved.end()), wanted, "{start} to {end}");
        }
    }
}
