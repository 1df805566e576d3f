//! Reading at a byte offset: how every decoder looks at an image, a file or a buffer.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::range::Range;

/// Bytes of a known length that can be read at any offset, by many readers at once.
///
/// ```
/// use isobuild::ReadAt;
///
/// let bytes = vec![1, 2, 3, 4];
/// assert_eq!((bytes.size(), bytes.read_vec_at(1, 2)?), (4, vec![2, 3]));
/// assert!(bytes.read_vec_at(3, 2).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ReadAt {
    /// The length in bytes.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset`. An end of the data before that is `UnexpectedEof`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Skips the hole at `offset`: every byte from there to the result is zero. A reader that knows no holes returns `offset`. If only a hole
    /// is left, the result is the length.
    fn data_from(&self, offset: u64) -> io::Result<u64> {
        Ok(offset)
    }

    /// `length` bytes from `offset`. What lies past the end is an error before any memory is taken for it.
    fn read_vec_at(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let end = offset.checked_add(length).filter(|&end| end <= self.size());
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut buffer = vec![0; length];
        self.read_exact_at(&mut buffer, offset)?;
        Ok(buffer)
    }
}

impl<R: ReadAt + ?Sized> ReadAt for &R {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        (**self).data_from(offset)
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = start
            .checked_add(buffer.len())
            .and_then(|end| self.get(start..end))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buffer, offset)
    }
}

/// Bytes that several threads can read at once. They must not change.
#[derive(Clone)]
pub struct Shared(Arc<dyn ReadAt + Send + Sync>);

impl Shared {
    /// Shares these bytes.
    pub fn new(bytes: impl ReadAt + Send + Sync + 'static) -> Self {
        Self(Arc::new(bytes))
    }

    /// The bytes of a range, cut where these end.
    pub(crate) fn part(&self, range: Range) -> Self {
        Self::new(Part {
            whole: self.clone(),
            start: range.offset,
            size: range.length.min(self.size().saturating_sub(range.offset)),
        })
    }
}

/// A [`Window`] that owns what it is a window onto.
struct Part {
    whole: Shared,
    start: u64,
    size: u64,
}

impl ReadAt for Part {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        Window::new(&self.whole, self.start, self.size).read_exact_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        Window::new(&self.whole, self.start, self.size).data_from(offset)
    }
}

impl ReadAt for Shared {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        self.0.data_from(offset)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} bytes)", self.size())
    }
}

/// An open regular file or block device, with its length as it was when it was opened.
#[derive(Debug)]
pub struct FileAt {
    file: File,
    start: u64,
    size: u64,
}

impl FileAt {
    /// Takes the length of `file` now; what is appended later is not seen.
    pub fn new(file: File) -> io::Result<Self> {
        Self::part(file, 0, u64::MAX)
    }

    /// `size` bytes from `start`, cut where the file ends.
    pub fn part(mut file: File, start: u64, size: u64) -> io::Result<Self> {
        // The metadata of a block device says 0.
        let available = file.seek(SeekFrom::End(0))?.saturating_sub(start);
        let size = size.min(available);
        Ok(Self { file, start, size })
    }
}

impl ReadAt for FileAt {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, self.start.saturating_add(offset))
    }

    /// lseek(2), `SEEK_DATA`. The call moves the file's read position. No method here reads from that position.
    fn data_from(&self, offset: u64) -> io::Result<u64> {
        let end = self.size.max(offset);
        match rustix::fs::seek(
            &self.file,
            rustix::fs::SeekFrom::Data(self.start.saturating_add(offset)),
        ) {
            Ok(at) => Ok(at.saturating_sub(self.start).clamp(offset, end)),
            Err(rustix::io::Errno::NXIO) => Ok(end),
            // Disks and some file systems do not support it.
            Err(_) => Ok(offset),
        }
    }
}

/// Reads bytes in their order.
#[derive(Clone, Copy, Debug)]
pub struct Reader<R> {
    bytes: R,
    at: u64,
}

impl<R: ReadAt> Reader<R> {
    /// From the first byte on.
    pub fn new(bytes: R) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<R: ReadAt> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.size().saturating_sub(self.at);
        let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        self.bytes.read_exact_at(&mut buffer[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl<R: ReadAt> Seek for Reader<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.bytes.size().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A window onto other bytes: a partition, a file inside an image.
#[derive(Clone, Copy)]
pub struct Window<'a> {
    inner: &'a dyn ReadAt,
    start: u64,
    size: u64,
}

impl<'a> Window<'a> {
    /// `size` bytes of `inner` from `start`, cut where `inner` ends.
    pub fn new(inner: &'a dyn ReadAt, start: u64, size: u64) -> Self {
        let available = inner.size().saturating_sub(start);
        Self {
            inner,
            start,
            size: size.min(available),
        }
    }
}

impl ReadAt for Window<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        end_within(self.size, offset, buffer)?;
        self.inner.read_exact_at(buffer, self.start + offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        let at = self.inner.data_from(self.start.saturating_add(offset))?;
        Ok(at.saturating_sub(self.start).clamp(offset, self.size.max(offset)))
    }
}

/// Pieces of other bytes, one behind the other.
pub struct Pieces<'a> {
    inner: &'a dyn ReadAt,
    /// Where each piece begins here, and there; zeros stand nowhere there.
    pieces: Vec<(u64, Option<u64>)>,
    size: u64,
}

impl<'a> Pieces<'a> {
    /// The pieces of `inner` by offset and length, without an offset for zeros. What 64 bits cannot count is left out.
    pub fn new(inner: &'a dyn ReadAt, pieces: impl IntoIterator<Item = (Option<u64>, u64)>) -> Self {
        let mut all = Self {
            inner,
            pieces: Vec::new(),
            size: 0,
        };
        for (offset, length) in pieces {
            let Some(end) = all.size.checked_add(length) else {
                break;
            };
            all.pieces.push((all.size, offset));
            all.size = end;
        }
        all
    }
}

impl ReadAt for Pieces<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = end_within(self.size, offset, buffer)?;
        let first = self
            .pieces
            .partition_point(|&(start, _)| start <= offset)
            .saturating_sub(1);
        let mut rest = buffer;
        let mut at = offset;
        for (index, &(start, place)) in self.pieces.iter().enumerate().skip(first) {
            if at == end {
                break;
            }
            let next = self.pieces.get(index + 1).map_or(self.size, |&(start, _)| start);
            let length = next.min(end).saturating_sub(at);
            let (here, behind) = rest.split_at_mut(length as usize);
            match place {
                Some(place) => {
                    let place = place.checked_add(at - start).ok_or(io::ErrorKind::UnexpectedEof)?;
                    self.inner.read_exact_at(here, place)?;
                }
                None => here.fill(0),
            }
            rest = behind;
            at += length;
        }
        Ok(())
    }
}

/// The offset behind the bytes that a reader wants, if all of them are in a file of `size` bytes.
pub(crate) fn end_within(size: u64, offset: u64, buffer: &[u8]) -> io::Result<u64> {
    let end = offset.checked_add(buffer.len() as u64);
    end.filter(|&end| end <= size)
        .ok_or(io::ErrorKind::UnexpectedEof.into())
}

/// The first byte between `start` and `end` that is not zero, and the byte behind the last.
pub fn nonzero_span(bytes: &dyn ReadAt, start: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
    const STEP: u64 = 1 << 18;
    let mut span: Option<(u64, u64)> = None;
    let mut at = start;
    while at < end {
        at = bytes.data_from(at)?;
        let step = STEP.min(end.saturating_sub(at));
        if step == 0 {
            break;
        }
        let buffer = bytes.read_vec_at(at, step)?;
        at += step;
        // Many bytes at a time, while a search for the first looks at each; most gaps are zero.
        if buffer.iter().fold(0, |any, byte| any | byte) == 0 {
            continue;
        }
        if let Some(first) = buffer.iter().position(|&byte| byte != 0) {
            let at = at - step;
            let last = buffer.iter().rposition(|&byte| byte != 0).unwrap_or(first);
            let first = span.map_or(at + first as u64, |(first, _)| first);
            span = Some((first, at + last as u64 + 1));
        }
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other() {
        let bytes: Vec<u8> = (0..100).collect();
        let pieces = [(Some(90), 10), (None, 3), (Some(0), 0), (Some(5), 5)];
        let whole: Vec<u8> = [&bytes[90..], &[0; 3], &bytes[5..10]].concat();
        let pieces = Pieces::new(&bytes, pieces);
        assert_eq!(pieces.size(), 18);
        for start in 0..=18 {
            for end in start..=18 {
                let read = pieces.read_vec_at(start, end - start).unwrap();
                assert_eq!(read, whole[start as usize..end as usize], "{start}..{end}");
            }
        }
        assert!(pieces.read_vec_at(18, 1).is_err());
        let beyond = Pieces::new(&bytes, [(Some(u64::MAX), 9), (Some(0), u64::MAX)]);
        assert!(beyond.read_vec_at(3, 2).is_err());
        assert_eq!(beyond.size(), 9);
    }
}
