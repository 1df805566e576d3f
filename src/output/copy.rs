//! The image as a stream: bytes, ranges of files and zeros, one after the other, into a file of its final size.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::buffer::{BUFFER, Buffer};
use super::input::Input;
use super::pipeline::Feed;
use super::{Interrupt, OutputError, ended, io_error};
use crate::ground::read_at::{ReadAt, Shared};

/// Fewer zeros than this are written. A hole costs a write of its own on either side, and an entry in the file system.
const HOLE: u64 = 64 * 1024;

/// Ranges from this length on are left to the kernel: what is shorter is gathered.
const SHARE: u64 = 64 * 1024;

/// A block of the file systems that share: they do so only between offsets that are multiples of it.
const BLOCK: u64 = 4096;

/// The most that one call copies, so that a signal is seen soon.
const STEP: u64 = 16 * 1024 * 1024;

/// The file system of a file that shares no blocks: what the kernel copies there, it copies page by page, slower than a read
/// and a write would. statfs(2).
const COPIES: [u32; 3] = [0xEF53, 0x0102_1994, 0xF2F5_2010]; // ext2 to ext4, tmpfs, f2fs

/// Whether the kernel may be able to share blocks of other files with `file`, or have them copied where they are.
fn shares(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|fs| !COPIES.contains(&(fs.f_type as u32)))
}

/// Passes on an image from the first byte to the last.
pub(super) struct Stream<'a> {
    /// What the kernel may copy to.
    file: Option<&'a File>,
    path: &'a Path,
    /// Its first `filled` bytes belong at `start` of the image.
    buffer: Buffer,
    start: u64,
    filled: usize,
    feed: Feed,
    /// Whether the kernel may be faster than a read and a write.
    shares: bool,
    /// A device that the kernel would not copy from; it need not be asked for each file.
    refused: Option<u64>,
    progress: &'a mut (dyn FnMut(u64) + Send),
    interrupt: &'a Interrupt,
}

impl<'a> Stream<'a> {
    /// Starts at byte 0 of `file`, if the bytes are to be there. Its `path` is for errors.
    pub(super) fn new(
        file: Option<&'a File>,
        path: &'a Path,
        feed: Feed,
        progress: &'a mut (dyn FnMut(u64) + Send),
        interrupt: &'a Interrupt,
    ) -> Result<Self, OutputError> {
        progress(0);
        interrupt.check()?;
        let buffer = feed.buffer().ok_or_else(|| ended(path))?;
        Ok(Self {
            file,
            path,
            buffer,
            start: 0,
            filled: 0,
            shares: !feed.passes_all && file.is_some_and(shares),
            feed,
            refused: None,
            progress,
            interrupt,
        })
    }

    /// The next byte of the image.
    pub(super) fn position(&self) -> u64 {
        self.start + self.filled as u64
    }

    /// An error for pieces that do not make an image.
    pub(super) fn misplaced(&self, why: &'static str) -> OutputError {
        let source = io::Error::new(io::ErrorKind::InvalidInput, why);
        io_error(self.path, "lay out", Some(self.position()))(source)
    }

    /// Appends `bytes`.
    pub(super) fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), OutputError> {
        while !bytes.is_empty() {
            let room = self.room(bytes.len() as u64)?;
            let (now, rest) = bytes.split_at(room.len());
            room.copy_from_slice(now);
            self.filled += now.len();
            bytes = rest;
        }
        Ok(())
    }

    /// Appends zeros, many of them as a hole.
    pub(super) fn zeros(&mut self, mut length: u64) -> Result<(), OutputError> {
        if length >= HOLE {
            self.flush()?;
            self.feed.zeros(length);
            return self.advance(length);
        }
        while length > 0 {
            let room = self.room(length)?;
            room.fill(0);
            let now = room.len();
            self.filled += now;
            length -= now as u64;
        }
        Ok(())
    }

    /// Appends the first `length` bytes of what code has given.
    pub(super) fn given(&mut self, bytes: &Shared, length: u64) -> Result<(), OutputError> {
        let mut at = 0;
        while at < length {
            let room = self.room(length - at)?;
            bytes
                .read_exact_at(room, at)
                .map_err(|source| OutputError::Given { offset: at, source })?;
            let now = room.len();
            self.filled += now;
            at += now as u64;
            self.interrupt.check()?;
        }
        Ok(())
    }

    /// Appends `length` bytes of a file from `offset`.
    pub(super) fn file(&mut self, input: &Input<'_>, offset: u64, length: u64) -> Result<(), OutputError> {
        let end = offset.checked_add(length).filter(|&end| end <= input.size());
        let end = end.ok_or_else(|| self.misplaced("a piece lies past the end of its source"))?;
        let mut at = offset;
        while at < end {
            let data = input.data(at..end);
            self.zeros(data.start - at)?;
            at = data.end;
            self.data(input, data)?;
        }
        Ok(())
    }

    /// Appends a range of a file that is no hole.
    fn data(&mut self, input: &Input<'_>, data: Range<u64>) -> Result<(), OutputError> {
        let mut at = data.start;
        if self.shares && data.end - at >= SHARE && self.refused != Some(input.device()) {
            at = self.share(input, data.clone())?;
        }
        while at < data.end {
            let room = self.room(data.end - at)?;
            let now = input.read(room, at)?;
            self.filled += now;
            at += now as u64;
            // A read may have taken its time, as on a network.
            self.interrupt.check()?;
        }
        Ok(())
    }

    /// Lets the kernel copy, or share, as much of the range as it will, and returns how far it came.
    ///
    /// Whatever error it meets, reading and writing goes on from there: `EXDEV`, `EOPNOTSUPP`, `EINVAL`, `ENOSYS` and
    /// `EPERM` mean that it does not copy between these files, and of the others only a read or a write can say whose they
    /// are.
    fn share(&mut self, input: &Input<'_>, data: Range<u64>) -> Result<u64, OutputError> {
        let Some(file) = self.file else {
            return Ok(data.start);
        };
        if !data.start.is_multiple_of(BLOCK) || !self.position().is_multiple_of(BLOCK) {
            return Ok(data.start);
        }
        self.flush()?;
        let mut at = data.start;
        while at < data.end {
            self.interrupt.check()?;
            let (mut from, mut to) = (at, self.start);
            let step = (data.end - at).min(STEP) as usize;
            match rustix::io::retry_on_intr(|| {
                rustix::fs::copy_file_range(input.file(), Some(&mut from), file, Some(&mut to), step)
            }) {
                Ok(now) if now > 0 => {
                    at += now as u64;
                    self.advance(now as u64)?;
                }
                _ => {
                    self.refused = Some(input.device());
                    break;
                }
            }
        }
        Ok(at)
    }

    /// Room for at most `length` bytes, and at least one: the caller fills it and adds to `filled`.
    ///
    /// A buffer ends at a multiple of its size in the image, so that all writes but the first cover whole pages.
    fn room(&mut self, length: u64) -> Result<&mut [u8], OutputError> {
        let capacity = |start: u64| BUFFER - (start % BUFFER as u64) as usize;
        if self.filled >= capacity(self.start) {
            self.flush()?;
        }
        let end = capacity(self.start);
        let end = end.min(self.filled.saturating_add(usize::try_from(length).unwrap_or(BUFFER)));
        Ok(self.buffer.get_mut(self.filled..end).unwrap_or_default())
    }

    /// Hands over what is gathered.
    pub(super) fn flush(&mut self) -> Result<(), OutputError> {
        let filled = std::mem::take(&mut self.filled);
        if filled == 0 {
            return Ok(());
        }
        let next = self.feed.buffer().ok_or_else(|| ended(self.path))?;
        let full = std::mem::replace(&mut self.buffer, next);
        if !self.feed.bytes(full, filled, self.start) {
            return Err(ended(self.path));
        }
        self.advance(filled as u64)
    }

    /// `length` more bytes of the image are on their way.
    fn advance(&mut self, length: u64) -> Result<(), OutputError> {
        self.start += length;
        (self.progress)(self.start);
        self.interrupt.check()
    }
}
