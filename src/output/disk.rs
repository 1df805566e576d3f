//! The output as the writing thread sees it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::buffer::{ALIGNMENT, BUFFER, Buffer};
use super::pipeline::Take;
use super::{OutputError, io_error};

/// Fewer bytes than this go through the page cache: each write past it waits for the disk.
const DIRECT: usize = 1024 * 1024;

/// A file that is written to at any place.
pub(super) struct Disk<'a> {
    file: &'a File,
    /// For errors.
    path: &'a Path,
    /// The same file, for writes past the page cache, where its file system has them.
    direct: Option<File>,
}

impl<'a> Disk<'a> {
    /// Its `path` is for errors. The bytes have to reach the disk before the image has its name, and need not wait in memory for it.
    pub(super) fn new(file: &'a File, path: &'a Path) -> Self {
        let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
        let direct = rustix::fs::open(format!("/proc/self/fd/{}", file.as_raw_fd()), flags, Mode::empty());
        Self {
            file,
            path,
            direct: direct.map(File::from).ok(),
        }
    }

    /// Writes `bytes`, whole blocks of an aligned buffer past the page cache.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), OutputError> {
        let mut past_cache = 0;
        let blocks = bytes.len() - bytes.len() % ALIGNMENT;
        if let Some(direct) = &self.direct
            && offset.is_multiple_of(ALIGNMENT as u64)
            && blocks >= DIRECT
        {
            let result = direct.write_all_at(bytes.get(..blocks).unwrap_or_default(), offset);
            if refuses(&result) {
                self.direct = None;
            } else {
                result.map_err(io_error(self.path, "write", Some(offset)))?;
                past_cache = blocks;
            }
        }
        let (rest, offset) = (bytes.get(past_cache..).unwrap_or_default(), offset + past_cache as u64);
        self.file
            .write_all_at(rest, offset)
            .map_err(io_error(self.path, "write", Some(offset)))
    }
}

impl Take for Disk<'_> {
    fn bytes(&mut self, bytes: &[u8], offset: u64) -> Result<(), OutputError> {
        self.write(bytes, offset)
    }

    /// The file already reads as zeros there.
    fn zeros(&mut self, _length: u64) -> Result<(), OutputError> {
        Ok(())
    }
}

/// Gathers bytes that follow each other into large writes.
pub(super) struct Gathered<'a> {
    disk: Disk<'a>,
    buffer: Buffer,
    /// Its first `filled` bytes belong at `start`.
    start: u64,
    filled: usize,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(disk: Disk<'a>) -> Self {
        Self {
            disk,
            buffer: Buffer::new(),
            start: 0,
            filled: 0,
        }
    }

    /// Writes `bytes` now or later.
    pub(super) fn write(&mut self, mut bytes: &[u8], offset: u64) -> Result<(), OutputError> {
        if offset != self.start + self.filled as u64 {
            self.flush()?;
            self.start = offset;
        }
        while !bytes.is_empty() {
            // A buffer ends at a multiple of its size, so that all writes but the first cover whole pages.
            let capacity = BUFFER - (self.start % BUFFER as u64) as usize;
            let (now, rest) = bytes.split_at(bytes.len().min(capacity - self.filled));
            self.buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = rest;
            if self.filled == capacity {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what is gathered.
    pub(super) fn flush(&mut self) -> Result<(), OutputError> {
        let filled = std::mem::take(&mut self.filled);
        self.disk.write(&self.buffer[..filled], self.start)?;
        self.start += filled as u64;
        Ok(())
    }
}

/// Whether this is no error of the disk: the file system does not write past the page cache, or not there.
fn refuses(result: &io::Result<()>) -> bool {
    let errno = result.as_ref().err().and_then(Errno::from_io_error);
    matches!(errno, Some(Errno::INVAL | Errno::OPNOTSUPP))
}
