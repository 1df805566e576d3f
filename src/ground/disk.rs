//! A disk whose bytes are scattered over a file.

use std::io;

use super::read_at::{ReadAt as _, Shared, end_within};

/// Why a disk in a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file cannot be read.
    #[error("{}", .0)]
    Read(#[from] io::Error),
    /// The file is damaged, or has more to it than one file, in words that go on from its name.
    #[error("{}", .0)]
    Refused(String),
}

impl DiskError {
    /// A file that is not used.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

/// Bytes that are not what the form asks for.
pub(crate) fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Where bytes of a disk are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// They are not in the file, and read as zeros.
    Zeros,
    /// From this byte of the file on, as they are.
    File(u64),
    /// They have to be decoded.
    Coded,
}

/// A disk whose bytes are scattered over a file.
pub(crate) trait Scattered {
    /// Of the disk, in bytes.
    fn disk_size(&self) -> u64;

    /// The file.
    fn file(&self) -> &Shared;

    /// Where the byte at `offset` of the disk is, and how many bytes from there on are alike: at least one.
    fn place(&self, offset: u64) -> io::Result<(Place, u64)>;

    /// Fills `buffer` with bytes from `offset` on that have to be decoded, of which there are so many.
    fn decode(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let _ = buffer;
        Err(wrong(format!("the disk's byte {offset} is compressed")))
    }
}

/// A compressed file may have so many times its length in it, and this much in any case: zlib compresses zeros by 1030.
const RATIO: u64 = 1100;
const LEAST: u64 = 64 << 20;

/// Makes sure that the file has as many bytes as its tables say: else a short one would have a disk that takes hours to read.
///
/// # Errors
/// Tables point at one place many times, or behind the end of the file.
pub(crate) fn bounded(disk: &impl Scattered) -> Result<(), DiskError> {
    let file = disk.file().size();
    // A table has four bytes for an entry at least.
    let mut entries = file / 4;
    let (mut stored, mut coded, mut at) = (0u64, 0u64, 0);
    while at < disk.disk_size() {
        let (place, length) = disk.place(at)?;
        let length = length.clamp(1, disk.disk_size() - at);
        match place {
            Place::Zeros => {}
            Place::File(_) => stored = stored.saturating_add(length),
            Place::Coded => coded = coded.saturating_add(length),
        }
        at += length;
        let is_more = stored > file || coded > file.saturating_mul(RATIO).max(LEAST) || entries == 0;
        if is_more {
            return Err(DiskError::refused(format!(
                "its tables are damaged: they point at more of the file than its {file} bytes"
            )));
        }
        entries -= 1;
    }
    Ok(())
}

/// Reads from a disk.
pub(crate) fn read(disk: &impl Scattered, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    end_within(disk.disk_size(), offset, buffer)?;
    let mut rest = buffer;
    let mut at = offset;
    while !rest.is_empty() {
        let (place, length) = disk.place(at)?;
        let length = length.clamp(1, rest.len() as u64) as usize;
        let (now, later) = rest.split_at_mut(length);
        match place {
            Place::Zeros => now.fill(0),
            Place::File(start) => padded(disk.file(), now, start)?,
            Place::Coded => disk.decode(at, now)?,
        }
        rest = later;
        at += length as u64;
    }
    Ok(())
}

/// Skips the hole at `offset`: the result is the next byte that the file holds. Behind the last one it is the size of the disk.
pub(crate) fn data_from(disk: &impl Scattered, offset: u64) -> io::Result<u64> {
    let mut at = offset;
    while at < disk.disk_size() {
        match disk.place(at)? {
            (Place::Zeros, length) => at = at.saturating_add(length.max(1)),
            _ => return Ok(at),
        }
    }
    Ok(disk.disk_size().max(offset))
}

/// Reads what the file has. One that was cut in its last unit has zeros behind it.
fn padded(file: &Shared, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let there = file.size().checked_sub(offset).filter(|&there| there > 0);
    let there = there.ok_or_else(|| {
        wrong(format!(
            "a part of the disk is to be at byte {offset}, behind the end of the file"
        ))
    })?;
    let length = there.min(buffer.len() as u64) as usize;
    let (now, later) = buffer.split_at_mut(length);
    later.fill(0);
    file.read_exact_at(now, offset)
}

/// Makes a disk of parts readable at any place.
macro_rules! read_at {
    ($disk:ty) => {
        impl $crate::ground::read_at::ReadAt for $disk {
            fn size(&self) -> u64 {
                $crate::ground::disk::Scattered::disk_size(self)
            }

            fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
                $crate::ground::disk::read(self, buffer, offset)
            }

            fn data_from(&self, offset: u64) -> std::io::Result<u64> {
                $crate::ground::disk::data_from(self, offset)
            }
        }
    };
}
pub(crate) use read_at;
