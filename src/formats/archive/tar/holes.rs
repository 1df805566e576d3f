//! Files with holes: GNU's own form, and its three forms in pax ("GNU tar: Storing Sparse Files").

use std::io::{self, BufRead, BufReader, Read};

use super::super::{ArchiveError, wrong};
use super::header::{BLOCK, number};
use crate::ground::read_at::ReadAt;
use crate::ground::spool::{Place, Spool};

/// Of a line of the map; no number of 64 bits has as many digits.
const LONGEST: u64 = 24;
/// Where GNU's own header has the first pieces of the map, whether there are more, and the length of the file.
const FIRST: std::ops::Range<usize> = 386..482;
const GOES_ON: usize = 482;
const LENGTH: std::ops::Range<usize> = 483..495;
/// The same in a block that goes on with the map.
const MORE: std::ops::Range<usize> = 0..504;
const MORE_GOES_ON: usize = 504;

/// A file's pieces, and its length with its holes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Holes {
    /// Offset and length of each, in the file.
    pub(super) pieces: Vec<(u64, u64)>,
    /// In bytes.
    pub(super) length: u64,
}

impl Holes {
    /// GNU's own form: the map begins in the header and goes on in the blocks behind it. The number is where the content begins.
    pub(super) fn of_header(
        archive: &dyn ReadAt,
        header: &[u8; BLOCK as usize],
        mut at: u64,
        shown: &str,
    ) -> Result<(Self, u64), ArchiveError> {
        let field = |field: &[u8]| number(field).and_then(|value| u64::try_from(value).ok());
        let take = |map: &[u8], pieces: &mut Vec<(u64, u64)>| {
            // A piece that is not there has no digits.
            for piece in map.chunks_exact(24).filter(|piece| piece[0] != 0) {
                let read = field(&piece[..12]).zip(field(&piece[12..]));
                pieces.push(read.ok_or_else(|| damaged(shown))?);
            }
            Ok::<(), ArchiveError>(())
        };
        let mut pieces = Vec::new();
        take(&header[FIRST], &mut pieces)?;
        let mut goes_on = header[GOES_ON] != 0;
        while goes_on {
            let block = archive.read_vec_at(at, BLOCK).map_err(ArchiveError::of)?;
            at += BLOCK;
            take(&block[MORE], &mut pieces)?;
            goes_on = block[MORE_GOES_ON] != 0;
        }
        let length = field(&header[LENGTH]).ok_or_else(|| damaged(shown))?;
        Ok((Self { pieces, length }, at))
    }

    /// The form 1.0 of pax: the content begins with the map, in decimal lines that are padded to a block.
    pub(super) fn read_map(&mut self, stored: &mut dyn Read, shown: &str) -> Result<u64, ArchiveError> {
        let mut stored = BufReader::new(stored);
        let mut read = 0;
        let mut next = || -> Result<u64, ArchiveError> {
            let mut line = Vec::new();
            read += (&mut stored)
                .take(LONGEST)
                .read_until(b'\n', &mut line)
                .map_err(ArchiveError::of)? as u64;
            let digits = line.strip_suffix(b"\n").and_then(decimal);
            digits.ok_or_else(|| damaged(shown))
        };
        for _ in 0..next()? {
            self.pieces.push((next()?, next()?));
        }
        Ok(read.next_multiple_of(BLOCK))
    }

    /// The file with zeros for its holes. `stored` are all its pieces, of so many bytes.
    pub(super) fn filled(
        &self,
        (stored, stored_length): (&mut dyn Read, u64),
        spool: &Spool,
        shown: &str,
    ) -> Result<Place, ArchiveError> {
        let start = spool.end();
        let held = self
            .pieces
            .iter()
            .try_fold(0u64, |sum, &(_, length)| sum.checked_add(length));
        if held.is_none_or(|held| held < stored_length) {
            return Err(damaged(shown));
        }
        let mut at = 0;
        for &(offset, length) in &self.pieces {
            let hole = offset.checked_sub(at).ok_or_else(|| damaged(shown))?;
            at = offset
                .checked_add(length)
                .filter(|&end| end <= self.length)
                .ok_or_else(|| damaged(shown))?;
            spool.append(&mut io::repeat(0).take(hole))?;
            if spool.append(&mut stored.take(length))?.length < length {
                return Err(wrong("is cut short"));
            }
        }
        let end = self.length.checked_sub(at).ok_or_else(|| damaged(shown))?;
        spool.append(&mut io::repeat(0).take(end))?;
        Ok(spool.since(start))
    }
}

pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let all = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}

fn damaged(shown: &str) -> ArchiveError {
    wrong(format!("is damaged: the map of {shown:?} has no number where one is"))
}
