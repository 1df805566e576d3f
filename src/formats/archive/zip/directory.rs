//! The central directory as it stands (APPNOTE 4.3.12), held against the record at its end that counts its headers (4.3.16): a reader
//! that believes the count loses what is behind it.

use std::collections::HashSet;
use std::io;

use super::super::{ArchiveError, wrong};
use crate::ground::read_at::ReadAt;

/// Of a header without its name, its extra field and its comment.
const HEADER: u64 = 46;
/// APPNOTE 4.4.1.4: the values of a record that is continued in one of zip64.
const MORE_16: u16 = u16::MAX;
const MORE_32: u32 = u32::MAX;

/// What the headers say.
pub(super) struct Directory {
    pub(super) start: u64,
    end: u64,
    pub(super) count: u64,
    /// Headers whose name another one has.
    pub(super) repeated: u64,
    /// How many headers there are by the record at the end; none if that is not where it belongs.
    pub(super) declared: Option<u64>,
}

impl Directory {
    /// Reads every header from `start` on.
    pub(super) fn read(archive: &dyn ReadAt, start: u64) -> Result<Self, ArchiveError> {
        let mut directory = Self {
            start,
            end: start,
            count: 0,
            repeated: 0,
            declared: None,
        };
        let mut names = HashSet::new();
        while let Ok(header) = archive.read_vec_at(directory.end, HEADER)
            && header.starts_with(b"PK\x01\x02")
        {
            let length = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
            let (name, extra, comment) = (length(28), length(30), length(32));
            let bytes = archive
                .read_vec_at(directory.end + HEADER, name)
                .map_err(ArchiveError::of)?;
            directory.repeated += u64::from(!names.insert(bytes));
            directory.end += HEADER + name + extra + comment;
            directory.count += 1;
        }
        directory.declared = declared(archive, directory.end);
        Ok(directory)
    }

    /// The archive with a record at its end that counts every header. `offset` is what addresses in the archive do not count.
    pub(super) fn counted<'a>(&self, archive: &'a dyn ReadAt, offset: u64) -> Result<Counted<'a>, ArchiveError> {
        let address = |at: u64| {
            at.checked_sub(offset)
                .ok_or_else(|| wrong("is damaged: its central directory is before its begin"))
        };
        let mut tail = b"PK\x06\x06".to_vec();
        tail.extend(44u64.to_le_bytes());
        tail.extend([45, 0, 45, 0]);
        tail.extend([0; 8]);
        for number in [self.count, self.count, self.end - self.start, address(self.start)?] {
            tail.extend(number.to_le_bytes());
        }
        tail.extend(b"PK\x06\x07\0\0\0\0");
        tail.extend(address(self.end)?.to_le_bytes());
        tail.extend(1u32.to_le_bytes());
        tail.extend(b"PK\x05\x06\0\0\0\0");
        tail.extend([MORE_16.to_le_bytes(); 2].concat());
        tail.extend([MORE_32.to_le_bytes(); 2].concat());
        tail.extend([0; 2]);
        Ok(Counted {
            archive,
            end: self.end,
            tail,
        })
    }
}

/// Where the directory begins by the record at the end of the archive.
pub(super) fn start(archive: &dyn ReadAt) -> io::Result<u64> {
    // 4.3.16: the record, and a comment of 16 bits.
    let length = archive.size().min(22 + 0xFFFF);
    let tail = archive.read_vec_at(archive.size() - length, length)?;
    let record = tail.windows(20).rfind(|record| record.starts_with(b"PK\x05\x06"));
    let start = record.and_then(|record| record[16..].first_chunk());
    Ok(start.map_or(0, |&start| u32::from_le_bytes(start).into()))
}

/// The number in the record at `end`.
fn declared(archive: &dyn ReadAt, end: u64) -> Option<u64> {
    let record = archive
        .read_vec_at(end, 22.min(archive.size().checked_sub(end)?))
        .ok()?;
    match record.first_chunk()? {
        b"PK\x05\x06" => Some(u16::from_le_bytes([*record.get(10)?, *record.get(11)?]).into()),
        b"PK\x06\x06" => {
            let number = archive.read_vec_at(end + 32, 8).ok()?;
            Some(u64::from_le_bytes(*number.first_chunk()?))
        }
        _ => None,
    }
}

/// An archive up to the end of its central directory, and a new end.
pub(super) struct Counted<'a> {
    archive: &'a dyn ReadAt,
    end: u64,
    tail: Vec<u8>,
}

impl ReadAt for Counted<'_> {
    fn size(&self) -> u64 {
        self.end + self.tail.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let before =
            usize::try_from(self.end.saturating_sub(offset)).map_or(buffer.len(), |left| left.min(buffer.len()));
        let (here, behind) = buffer.split_at_mut(before);
        if !here.is_empty() {
            self.archive.read_exact_at(here, offset)?;
        }
        match behind.is_empty() {
            true => Ok(()),
            false => self.tail.read_exact_at(behind, offset.max(self.end) - self.end),
        }
    }
}
