//! A journal is read: its sections as far as they are whole, and how the last edit stands.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};

use super::{DONE, EDIT, Journal, MAGIC, SUM, Section, State, UNDO};
use crate::device::DeviceError;
use crate::device::edit::PIECE;
use crate::ground::range::Range;

/// More ranges are those of no journal.
const RANGES: u64 = 1 << 24;

impl Journal {
    pub(super) fn read(&mut self, file: &File) -> Result<(), DeviceError> {
        let length = file.metadata().map_err(self.failed("look at"))?.len();
        let mut magic = [0; 16];
        let start = &mut magic[..length.min(16) as usize];
        file.read_exact_at(start, 0).map_err(self.failed("read"))?;
        let has_magic = magic == *MAGIC;
        // A shorter file was being begun.
        let length = match length < 16 && MAGIC.starts_with(&magic[..length as usize]) {
            true => 0,
            false => length,
        };
        if !has_magic && length > 0 {
            return Err(DeviceError::image(&self.path, "not an undo file of this program"));
        }
        let mut at = if has_magic { 16 } else { 0 };
        self.end = at;
        while at + 4 <= length {
            let mut tag = [0; 4];
            file.read_exact_at(&mut tag, at).map_err(self.failed("read"))?;
            match tag {
                EDIT => match self.section(file, at, length)? {
                    Some((section, end)) => {
                        self.sections.push(section);
                        self.state = State::Unfinished;
                        at = end;
                    }
                    // It was being written.
                    None => break,
                },
                DONE if at + 4 + SUM <= length => {
                    let mut digest = [0; 32];
                    file.read_exact_at(&mut digest, at + 4).map_err(self.failed("read"))?;
                    self.state = State::Done(digest);
                    at += 4 + SUM;
                }
                UNDO => {
                    self.state = State::Unfinished;
                    at += 4;
                }
                _ => break,
            }
            self.end = at;
        }
        Ok(())
    }

    /// A section and its end; none if it is not whole.
    fn section(&self, file: &File, start: u64, length: u64) -> Result<Option<(Section, u64)>, DeviceError> {
        let number = |at: u64| -> Result<Option<u64>, DeviceError> {
            if at + 8 > length {
                return Ok(None);
            }
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, at).map_err(self.failed("read"))?;
            Ok(Some(u64::from_le_bytes(bytes)))
        };
        let (Some(before), Some(after), Some(count)) = (number(start + 4)?, number(start + 12)?, number(start + 20)?)
        else {
            return Ok(None);
        };
        if count > RANGES || start + 28 + count * 16 > length {
            return Ok(None);
        }
        let mut ranges = Vec::new();
        for index in 0..count {
            let at = start + 28 + index * 16;
            if let (Some(offset), Some(length)) = (number(at)?, number(at + 8)?) {
                ranges.push(Range { offset, length });
            }
        }
        let data = start + 28 + count * 16;
        let held = ranges
            .iter()
            .try_fold(0_u64, |sum, range| sum.checked_add(range.length));
        let end = held.and_then(|held| data.checked_add(held)?.checked_add(SUM));
        let Some(end) = end.filter(|&end| end <= length) else {
            return Ok(None);
        };
        let mut sum = Sha256::new();
        let mut buffer = vec![0; PIECE];
        let mut at = start;
        while at < end - SUM {
            let step = (end - SUM - at).min(PIECE as u64) as usize;
            file.read_exact_at(&mut buffer[..step], at)
                .map_err(self.failed("read"))?;
            sum.update(&buffer[..step]);
            at += step as u64;
        }
        let mut wanted = [0; 32];
        file.read_exact_at(&mut wanted, end - SUM)
            .map_err(self.failed("read"))?;
        let is_whole = <[u8; 32]>::from(sum.finalize()) == wanted;
        let section = Section {
            lengths: (before, after),
            ranges,
            data,
        };
        Ok(is_whole.then_some((section, end)))
    }
}
