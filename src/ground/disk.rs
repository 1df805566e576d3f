//! A disk whose bytes are scattered over a file: tables in the file say where each part is.
//!
//! A form has a [`Layout`], which looks the tables up. [`open`] makes a disk of it that can be read at any offset.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::pages::Pages;
use super::read_at::{ReadAt, Shared, end_within};

/// Why the disk in a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file cannot be read.
    #[error("{}", .0)]
    Read(#[from] io::Error),
    /// The file is damaged, or the disk needs a second file. The sentence goes on from the file's name.
    #[error("{}", .0)]
    Refused(String),
}

impl DiskError {
    /// The file is not used, for this reason.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

/// The error for bytes that contradict the form.
pub(crate) fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Where bytes of a disk are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The file does not hold them. They are zeros.
    Zeros,
    /// The file does not hold them. They are these four bytes over and over, and the first of the four stands at a multiple of four.
    Repeated([u8; 4]),
    /// The file holds them as they are, from this offset on.
    File(u64),
    /// They are in a unit that has to be decoded, from this offset in it on. The layout knows the unit by its number.
    Unit { number: u64, offset: u64 },
}

/// The tables of a file that say where the bytes of its disk are.
pub(crate) trait Layout {
    /// Where the byte at `offset` of the disk is, and how many bytes from there on are in one piece with it: at least one.
    fn place(&self, file: &Pages, offset: u64) -> io::Result<(Place, u64)>;

    /// Decodes a unit that [`place`](Self::place) has named.
    fn decode(&self, file: &Shared, number: u64) -> io::Result<Vec<u8>> {
        let _ = file;
        Err(wrong(format!("unit {number} is compressed")))
    }
}

/// Makes a disk of `size` bytes.
///
/// # Errors
/// Its tables point at more of the file than there is.
pub(crate) fn open(file: Shared, size: u64, layout: impl Layout + Send + Sync + 'static) -> Result<Shared, DiskError> {
    let disk = Disk {
        file: Pages::new(file),
        size,
        layout,
        decoded: Mutex::default(),
    };
    disk.check()?;
    Ok(Shared::new(disk))
}

/// A compressed file may hold so many times its length, and [`LEAST`] in any case. zlib compresses zeros by 1030.
const RATIO: u64 = 1100;
const LEAST: u64 = 64 << 20;

/// So many decoded units are kept. A reader goes through a few structures in turn.
const KEPT: usize = 4;

struct Disk<L> {
    file: Pages,
    size: u64,
    layout: L,
    /// Decoded units by their number. The unit that was used last is at the end.
    decoded: Mutex<Vec<(u64, Arc<[u8]>)>>,
}

impl<L: Layout> Disk<L> {
    /// Makes sure that the file holds as many bytes as its tables say. Otherwise a short file could have a disk that takes hours to read.
    fn check(&self) -> Result<(), DiskError> {
        let file = self.file.size();
        // Every table has at least four bytes for an entry.
        let mut entries = file / 4;
        let (mut stored, mut coded, mut at) = (0u64, 0u64, 0);
        while at < self.size {
            let (place, length) = self.place(at)?;
            match place {
                Place::Zeros | Place::Repeated(_) => {}
                Place::File(_) => stored = stored.saturating_add(length),
                Place::Unit { .. } => coded = coded.saturating_add(length),
            }
            at += length;
            if stored > file || coded > file.saturating_mul(RATIO).max(LEAST) || entries == 0 {
                return Err(DiskError::refused(format!(
                    "its tables are damaged: they point at more than the {file} bytes of the file"
                )));
            }
            entries -= 1;
        }
        Ok(())
    }

    /// The layout's answer, cut where the disk ends.
    fn place(&self, offset: u64) -> io::Result<(Place, u64)> {
        let (place, length) = self.layout.place(&self.file, offset)?;
        Ok((place, length.clamp(1, self.size - offset)))
    }

    /// Reads what the file holds. If the file was cut in the disk's last part, zeros stand for the rest of that.
    fn stored(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let file = self.file.file();
        let there = file.size().saturating_sub(offset).min(buffer.len() as u64);
        if there == 0 {
            let message = format!("a part of the disk should be at byte {offset}, which is behind the end of the file");
            return Err(wrong(message));
        }
        let (now, later) = buffer.split_at_mut(there as usize);
        later.fill(0);
        file.read_exact_at(now, offset)
    }

    /// Reads from a unit that has to be decoded.
    fn decoded(&self, buffer: &mut [u8], number: u64, offset: u64) -> io::Result<()> {
        let mut kept = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let unit = match kept.iter().position(|unit| unit.0 == number) {
            Some(place) => kept.remove(place).1,
            None => self.layout.decode(self.file.file(), number)?.into(),
        };
        let bytes = unit.get(offset as usize..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((number, unit));
        Ok(())
    }
}

impl<L: Layout> ReadAt for Disk<L> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        end_within(self.size, offset, buffer)?;
        let mut rest = buffer;
        let mut at = offset;
        while !rest.is_empty() {
            let (place, length) = self.place(at)?;
            let length = length.min(rest.len() as u64) as usize;
            let (now, later) = rest.split_at_mut(length);
            match place {
                Place::Zeros => now.fill(0),
                Place::Repeated(four) => {
                    for (byte, at) in now.iter_mut().zip(at..) {
                        *byte = four[(at % 4) as usize];
                    }
                }
                Place::File(start) => self.stored(now, start)?,
                Place::Unit { number, offset } => self.decoded(now, number, offset)?,
            }
            rest = later;
            at += length as u64;
        }
        Ok(())
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        let mut at = offset;
        while at < self.size {
            match self.place(at)? {
                (Place::Zeros, length) => at += length,
                _ => return Ok(at),
            }
        }
        Ok(self.size.max(offset))
    }
}
