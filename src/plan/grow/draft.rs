//! The bytes of an image that is being changed: those of the base, with some written over, new ones behind its data, and what stood there
//! moved away from them as one piece.

use std::collections::BTreeMap;
use std::io;

use crate::facts::{Extent, What};
use crate::formats::iso9660::SECTOR;
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Shared, end_within};
use crate::tree::PayloadId;

/// An image in the making.
#[derive(Debug)]
pub(super) struct Draft {
    base: Shared,
    /// The draft moves the base's bytes from this offset on behind the new bytes.
    cut: u64,
    /// The distance of that move; `None` while the draft still takes new bytes.
    shift: Option<u64>,
    /// Where the next new bytes go.
    end: u64,
    /// Sectors with bytes that differ from the base's, by number.
    sectors: BTreeMap<u64, Box<[u8]>>,
    /// New contents.
    payloads: Vec<(Range, PayloadId)>,
    /// New bytes that are those of the base from an offset on.
    copies: Vec<(Range, u64)>,
    /// Bytes of the base that become zeros, where the base has them.
    erased: Vec<(Range, Vec<String>)>,
    changes: Vec<Extent>,
}

/// What a stretch of the image consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// Bytes of the base, from this offset of it.
    Base(u64),
    /// Bytes of the draft's own, of one sector.
    Own(u64),
    /// All of a payload.
    Payload(PayloadId),
}

impl Draft {
    /// Nothing is changed so far.
    pub(super) fn new(base: Shared, cut: u64) -> Self {
        Self {
            base,
            cut,
            shift: None,
            end: cut.next_multiple_of(SECTOR),
            sectors: BTreeMap::new(),
            payloads: Vec::new(),
            copies: Vec::new(),
            erased: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Where the new bytes begin.
    pub(super) fn cut(&self) -> u64 {
        self.cut
    }

    /// The end of the new bytes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether nothing new stands behind the data.
    pub(super) fn is_as_long(&self) -> bool {
        self.end == self.cut.next_multiple_of(SECTOR)
    }

    /// Room for new bytes: whole sectors.
    pub(super) fn take(&mut self, length: u64) -> u64 {
        let offset = self.end;
        self.end = (self.end + length).next_multiple_of(SECTOR);
        offset
    }

    /// Room that begins with as large a power of two as a place of the base does, up to 1 MiB: partitions are aligned.
    pub(super) fn take_aligned(&mut self, length: u64, before: u64) -> u64 {
        let alignment = 1 << before.trailing_zeros().min(20);
        self.end = self.end.next_multiple_of(alignment);
        self.take(length)
    }

    /// Room for a payload, which stands there.
    pub(super) fn place(&mut self, payload: PayloadId, length: u64, paths: Vec<String>) -> u64 {
        let offset = self.take(length);
        if length > 0 {
            let range = Range { offset, length };
            self.payloads.push((range, payload));
            self.say(range, What::File, paths);
        }
        offset
    }

    /// A payload in place of bytes of the base. What is filled first stands first.
    pub(super) fn fill(&mut self, range: Range, payload: PayloadId, paths: Vec<String>) {
        self.payloads.push((range, payload));
        self.say(range, What::File, paths);
    }

    /// Bytes of the base once more, in room that was taken for them.
    pub(super) fn copy(&mut self, range: Range, from: u64, paths: Vec<String>) {
        self.copies.push((range, from));
        self.say(range, What::File, paths);
    }

    /// Bytes of the base that come to another place as well: where they go, and where they are.
    pub(super) fn copies(&self) -> impl Iterator<Item = (Range, u64)> + '_ {
        self.copies.iter().copied()
    }

    /// Of the base, in bytes.
    pub(super) fn base_size(&self) -> u64 {
        self.base.size()
    }

    /// New contents, and where they stand.
    pub(super) fn payloads(&self) -> &[(Range, PayloadId)] {
        &self.payloads
    }

    /// No more bytes are added. What stood behind the cut moves by `shift`.
    pub(super) fn close(&mut self, shift: u64) {
        self.shift = Some(shift);
    }

    /// Writes bytes that differ from those at the offset, and records the change.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], what: What, paths: &[String]) -> io::Result<()> {
        let old = self.read_vec_at(offset, bytes.len() as u64)?;
        let differs = |at: &usize| old[*at] != bytes[*at];
        let (first, last) = match ((0..bytes.len()).find(differs), (0..bytes.len()).rev().find(differs)) {
            (Some(first), Some(last)) => (first, last),
            _ => return Ok(()),
        };
        let mut at = offset + first as u64;
        let mut rest = &bytes[first..=last];
        let range = Range {
            offset: at,
            length: rest.len() as u64,
        };
        self.say(range, what, paths.to_vec());
        while !rest.is_empty() {
            let (number, within) = (at / SECTOR, (at % SECTOR) as usize);
            let here = rest.len().min(SECTOR as usize - within);
            self.hold(number)?;
            if let Some(sector) = self.sectors.get_mut(&number) {
                sector[within..within + here].copy_from_slice(&rest[..here]);
            }
            (at, rest) = (at + here as u64, &rest[here..]);
        }
        Ok(())
    }

    /// Copies a sector of the base into the draft, so that its bytes can be changed.
    fn hold(&mut self, number: u64) -> io::Result<()> {
        if !self.sectors.contains_key(&number) {
            let mut sector = vec![0; SECTOR as usize];
            let known = SECTOR.min(self.size().saturating_sub(number * SECTOR));
            self.read_exact_at(&mut sector[..known as usize], number * SECTOR)?;
            self.sectors.insert(number, sector.into());
        }
        Ok(())
    }

    /// Writes bytes for which [`Grown`](super::Grown) puts others when it knows the whole image. They count as a change even if the base has the
    /// same.
    pub(super) fn write_for_now(&mut self, offset: u64, bytes: &[u8], what: What) -> io::Result<()> {
        if self.read_vec_at(offset, bytes.len() as u64)? != bytes {
            return self.write(offset, bytes, what, &[]);
        }
        self.hold(offset / SECTOR)?;
        let length = bytes.len() as u64;
        self.say(Range { offset, length }, what, Vec::new());
        Ok(())
    }

    /// Bytes of the base, all before the cut or all behind it, that nothing names any more.
    pub(super) fn erase(&mut self, range: Range, paths: Vec<String>) {
        self.erased.push((range, paths));
    }

    /// Where bytes of the base are now.
    fn now(&self, range: Range) -> Range {
        let by = if range.offset < self.cut {
            0
        } else {
            self.shift.unwrap_or(0)
        };
        Range {
            offset: range.offset + by,
            ..range
        }
    }

    fn say(&mut self, range: Range, what: What, paths: Vec<String>) {
        self.changes.push(Extent {
            paths,
            ..Extent::new(range.offset, range.length, what)
        });
    }

    /// What is changed, by offset.
    pub(super) fn changes(&self) -> Vec<Extent> {
        let erased = self.erased.iter().map(|(range, paths)| {
            let range = self.now(*range);
            Extent {
                paths: paths.clone(),
                ..Extent::new(range.offset, range.length, What::File)
            }
        });
        let mut changes: Vec<Extent> = self.changes.iter().cloned().chain(erased).collect();
        changes.sort_by_key(|change| (change.offset, change.length));
        changes
    }

    /// The image as stretches by offset. What is between them is zeros.
    pub(super) fn stretches(&self) -> Vec<(Range, Stretch)> {
        let mut own: Vec<(Range, Option<Stretch>)> = Vec::new();
        let size = self.size();
        for &number in self.sectors.keys() {
            let offset = number * SECTOR;
            let length = SECTOR.min(size.saturating_sub(offset));
            own.push((Range { offset, length }, Some(Stretch::Own(number))));
        }
        own.extend(
            self.payloads
                .iter()
                .map(|&(range, id)| (range, Some(Stretch::Payload(id)))),
        );
        let start = self.cut.min(size);
        let moved = self.cut + self.shift.unwrap_or(0);
        if moved > start {
            // Between payloads and sectors of the draft the new part is zeros.
            own.extend(self.gaps(start, moved).into_iter().map(|range| (range, None)));
        }
        for &(range, from) in &self.copies {
            let pieces = self.without_sectors(range).into_iter();
            own.extend(pieces.map(|piece| (piece, Some(Stretch::Base(from + piece.offset - range.offset)))));
        }
        own.extend(
            self.erased
                .iter()
                .flat_map(|(range, _)| self.without_sectors(self.now(*range)))
                .map(|range| (range, None)),
        );
        own.sort_by_key(|(range, _)| range.offset);
        let mut stretches = Vec::new();
        let mut at = 0;
        for (range, stretch) in own {
            if range.offset > at {
                self.of_base(at, range.offset, &mut stretches);
            }
            if let Some(stretch) = stretch {
                stretches.push((range, stretch));
            }
            at = at.max(range.end());
        }
        if at < size {
            self.of_base(at, size, &mut stretches);
        }
        stretches
    }

    /// The ranges that neither a sector of the draft, nor a payload, nor a copy fills.
    fn gaps(&self, start: u64, end: u64) -> Vec<Range> {
        let copies = self.copies.iter().map(|(range, _)| *range);
        self.unfilled(start, end, copies)
    }

    fn unfilled(&self, start: u64, end: u64, copies: impl Iterator<Item = Range>) -> Vec<Range> {
        let sectors = self.sectors.keys().map(|number| Range {
            offset: number * SECTOR,
            length: SECTOR,
        });
        let payloads = self.payloads.iter().map(|(range, _)| *range);
        let all = Range {
            offset: start,
            length: end - start,
        };
        all.without(sectors.chain(payloads).chain(copies))
    }

    fn without_sectors(&self, range: Range) -> Vec<Range> {
        self.unfilled(range.offset, range.end(), std::iter::empty())
    }

    /// Bytes of the base, before the cut or behind what is new.
    fn of_base(&self, start: u64, end: u64, stretches: &mut Vec<(Range, Stretch)>) {
        let moved = self.cut + self.shift.unwrap_or(0);
        let mut add = |start: u64, end: u64, from: u64| {
            if end > start {
                let range = Range {
                    offset: start,
                    length: end - start,
                };
                stretches.push((range, Stretch::Base(from)));
            }
        };
        add(start, end.min(self.cut), start);
        let behind = start.max(moved);
        add(behind, end, behind - self.shift.unwrap_or(0));
    }

    /// The bytes of a sector of the draft's own.
    pub(super) fn own(&self, number: u64) -> &[u8] {
        self.sectors.get(&number).map_or(&[], |sector| sector)
    }
}

/// Payloads read as zeros.
impl ReadAt for Draft {
    fn size(&self) -> u64 {
        match self.shift {
            None => self.end.max(self.base.size()),
            Some(shift) => self.base.size() + shift,
        }
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        end_within(self.size(), offset, buffer)?;
        let mut at = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let within = (at % SECTOR) as usize;
            let here = rest.len().min(SECTOR as usize - within);
            let (part, behind) = rest.split_at_mut(here);
            match self.sectors.get(&(at / SECTOR)) {
                Some(sector) => part.copy_from_slice(&sector[within..within + here]),
                None => self.unchanged(part, at)?,
            }
            (at, rest) = (at + here as u64, behind);
        }
        Ok(())
    }
}

impl Draft {
    /// Bytes inside of one sector that is not the draft's own.
    fn unchanged(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        buffer.fill(0);
        if offset < self.cut {
            let here = (end.min(self.cut) - offset) as usize;
            self.base.read_exact_at(&mut buffer[..here], offset)?;
        }
        let moved = self.cut + self.shift.unwrap_or(0);
        if self.shift.is_some() && end > moved {
            let start = offset.max(moved);
            let at = (start - offset) as usize;
            let from = start - (moved - self.cut);
            self.base.read_exact_at(&mut buffer[at..], from)?;
        }
        let within = |range: Range| {
            let (start, stop) = (range.offset.max(offset), range.end().min(end));
            (start < stop).then(|| (start - offset) as usize..(stop - offset) as usize)
        };
        for (range, _) in &self.erased {
            if let Some(part) = within(self.now(*range)) {
                buffer[part].fill(0);
            }
        }
        for &(range, from) in &self.copies {
            if let Some(part) = within(range) {
                let start = offset + part.start as u64;
                self.base
                    .read_exact_at(&mut buffer[part], from + start - range.offset)?;
            }
        }
        Ok(())
    }
}
