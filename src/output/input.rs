//! A file that pieces are read from, and the proof that it is still the one that was planned with.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::{OutputError, io_error};
use crate::ground::stamp;
use crate::ground::stamp::Stamp;

/// An open source. It was what its stamp says when it was opened; [`close`](Self::close) says whether it stayed so.
pub(super) struct Input<'a> {
    path: &'a Path,
    stamp: &'a Stamp,
    file: File,
    /// Whether fewer bytes are allocated than the file is long.
    sparse: bool,
}

impl<'a> Input<'a> {
    /// Opens a source, and compares it with its stamp before anything is read.
    pub(super) fn open(path: &'a Path, stamp: &'a Stamp) -> Result<Self, OutputError> {
        let file = stamp::open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                OutputError::Changed {
                    path: path.into(),
                    what: "it is gone".into(),
                }
            } else {
                io_error(path, "open", None)(error)
            }
        })?;
        let mut input = Self {
            path,
            stamp,
            file,
            sparse: false,
        };
        // `st_blocks` counts units of 512 bytes on every file system.
        input.sparse = input.compare()?.saturating_mul(512) < stamp.size;
        Ok(input)
    }

    /// Whether it is the source that `path` and `stamp` name.
    pub(super) fn is(&self, path: &Path, stamp: &Stamp) -> bool {
        self.path == path && self.stamp == stamp
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The length that it must have.
    pub(super) fn size(&self) -> u64 {
        self.stamp.size
    }

    /// The device of its file system.
    pub(super) fn device(&self) -> u64 {
        self.stamp.dev
    }

    /// Reads some bytes at `offset`, at least one.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<usize, OutputError> {
        match retry(|| self.file.read_at(buffer, offset)) {
            Ok(0) => {
                self.compare()?;
                // The kernel has not noticed, as on a network: the file says a length that it does not have.
                Err(self.changed(format!("it ends at byte {offset} of {}", self.stamp.size)))
            }
            Ok(length) => Ok(length),
            Err(error) => Err(io_error(self.path, "read", Some(offset))(error)),
        }
    }

    /// The next data in `range`, which is not empty; all before it is a hole.
    pub(super) fn data(&self, range: Range<u64>) -> Range<u64> {
        match self.sparse {
            true => data(&self.file, range),
            false => range,
        }
    }

    /// Fails unless the file is what it was, and ends where it did.
    ///
    /// The byte past the end is read because a file system of the network or of the user may know a length that is old.
    pub(super) fn close(self) -> Result<(), OutputError> {
        let end = self.stamp.size;
        let past = retry(|| self.file.read_at(&mut [0], end)).map_err(io_error(self.path, "read", Some(end)))?;
        self.compare()?;
        if past > 0 {
            return Err(self.changed(format!("it goes on after its {end} bytes")));
        }
        Ok(())
    }

    /// Compares the open file with the stamp; returns the units of 512 bytes that are allocated.
    fn compare(&self) -> Result<u64, OutputError> {
        let metadata = self.file.metadata().map_err(io_error(self.path, "examine", None))?;
        if !metadata.is_file() {
            return Err(self.changed("it is no regular file any more".into()));
        }
        match self.stamp.change(&Stamp::of(&metadata)) {
            Some(what) => Err(self.changed(what)),
            None => Ok(metadata.blocks()),
        }
    }

    /// An [`OutputError::Changed`] of this source.
    fn changed(&self, what: String) -> OutputError {
        OutputError::Changed {
            path: self.path.into(),
            what,
        }
    }
}

/// The next data of a file in a range that is not empty. Everything in front of it is a hole. Some file systems do not know their holes; there
/// the whole range is data.
pub(super) fn data(file: &File, range: Range<u64>) -> Range<u64> {
    let start = match rustix::fs::seek(file, SeekFrom::Data(range.start)) {
        Ok(start) => start.max(range.start),
        // No data up to the end of the file.
        Err(Errno::NXIO) => return range.end..range.end,
        Err(_) => return range,
    };
    if start >= range.end {
        return range.end..range.end;
    }
    let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
        Ok(end) if end > start => end.min(range.end),
        _ => range.end,
    };
    start..end
}

/// Calls again what a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
