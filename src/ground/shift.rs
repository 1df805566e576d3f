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
    /// Ranges whose new place and length are known, before and after: what points at the first byte of one points at the other.
    pub known: Vec<(Range, Range)>,
}

impl Shift {
    /// The new offset of a byte.
    pub fn start(&self, offset: u64) -> u64 {
        if let Some((_, now)) = self.known(offset) {
            return now.offset;
        }
        self.moved(offset)
    }

    fn moved(&self, offset: u64) -> u64 {
        match offset < self.cut {
            true => offset,
            false => offset.saturating_add(self.by),
        }
    }

    /// The new offset of an end.
    pub fn end(&self, end: u64) -> u64 {
        self.moved(end)
    }

    /// The known range that begins at this byte: before, and after.
    pub fn known(&self, offset: u64) -> Option<(Range, Range)> {
        self.known.iter().find(|(before, _)| before.offset == offset).copied()
    }

    /// The new range of a partition. If it held all files of a volume, it holds the new files too.
    pub fn range(&self, range: Range) -> Range {
        if let Some((before, now)) = self
            .known(range.offset)
            .filter(|(before, _)| range.end() >= before.end())
        {
            return Range {
                length: now.length + (range.length - before.length),
                ..now
            };
        }
        let holds = |&(start, end): &(u64, u64)| start == range.offset && range.end() >= end;
        let end = match self.volumes.iter().any(holds) {
            true => self.end(range.end()).max(self.filled),
            false => self.end(range.end()),
        };
        let offset = self.start(range.offset);
        let end = self.known.iter().fold(end, |end, &pair| self.beside(range, end, pair));
        Range {
            offset,
            length: end.saturating_sub(offset),
        }
    }

    /// The end of a range beside a known one that now stands behind everything: it holds that if it did, and ends before it if it was apart from
    /// it.
    fn beside(&self, range: Range, end: u64, (before, now): (Range, Range)) -> u64 {
        let is_elsewhere = now.offset != self.moved(before.offset) && now.offset >= self.filled;
        let held = range.offset <= before.offset && before.end() <= range.end();
        let is_apart = before.end() <= range.offset || range.end() <= before.offset;
        match (is_elsewhere, held, is_apart) {
            (true, true, _) => end.max(now.end()),
            (true, _, true) if self.start(range.offset) < now.offset => end.min(now.offset),
            _ => end,
        }
    }
}

/// Whether pieces of one file can move inside of it, the last first: each towards the end, and none onto what moves after it. They come by their
/// new places, each with the old one.
pub fn move_in_order(moves: impl IntoIterator<Item = (Range, u64)>) -> bool {
    let mut furthest = 0;
    moves.into_iter().all(|(to, from)| {
        let is_free = to.offset >= from && furthest <= to.offset;
        furthest = furthest.max(from + to.length);
        is_free
    })
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
            known: vec![(
                Range { offset: 105, length: 5 },
                Range {
                    offset: 130,
                    length: 20,
                },
            )],
        };
        for ((start, end), wanted) in [
            ((0, 90), (0, 90)),
            ((0, 100), (0, 130)),
            ((100, 120), (150, 170)),
            // Behind the old place of what is known, and behind its new one.
            ((110, 120), (160, 170)),
            ((20, 110), (20, 160)),
            // The volume's partition ends before the place, and has to hold what is new.
            ((10, 80), (10, 130)),
            ((10, 79), (10, 79)),
            ((10, 100), (10, 130)),
            // This one held the range that is known, which stands behind everything.
            ((10, 110), (10, 160)),
            ((90, 110), (90, 160)),
            // A known one, in a partition that is as long, longer, and too short to hold it.
            ((105, 110), (130, 150)),
            ((105, 111), (130, 151)),
            ((105, 109), (130, 159)),
        ] {
            let range = Range {
                offset: start,
                length: end - start,
            };
            let moved = shift.range(range);
            assert_eq!((moved.offset, moved.end()), wanted, "{start} to {end}");
        }
    }

    #[test]
    fn pieces_move_towards_the_end_and_not_onto_another() {
        let moves = |all: &[(u64, u64, u64)]| {
            let moves = all
                .iter()
                .map(|&(offset, length, from)| (Range { offset, length }, from));
            move_in_order(moves)
        };
        assert!(moves(&[]));
        // By 10 each; the first overlaps itself.
        assert!(moves(&[(10, 50, 0), (60, 5, 50)]));
        // Towards the begin.
        assert!(!moves(&[(10, 5, 20)]));
        // The second goes first, onto the bytes of the first.
        assert!(!moves(&[(10, 50, 0), (40, 5, 30)]));
    }
}
