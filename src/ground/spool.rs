//! Decompressed bytes, in a file of their own for as long as the image is not written.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::read_at::FileAt;

/// What any archive may be decompressed to.
const LEAST: u64 = 64 << 20;
/// A larger result may be this many times the archive: gzip cannot do more, and what does hides something.
const RATIO: u64 = 1000;

/// Why bytes do not come into the spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// What gives them fails.
    #[error("{}", .0)]
    Read(io::Error),
    /// The temporary file fails.
    #[error("{}", .0)]
    Hold(io::Error),
    /// There are more than the file of the host can be trusted for, in words that go on from its name.
    #[error(
        "unpacks to more than {RATIO} times its size and {} MiB, like what is made to fill disks; if you trust it, unpack it yourself",
        LEAST >> 20
    )]
    TooMuch,
}

/// Where the bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In the spool, not in what was decompressed.
    pub spooled: bool,
    /// Of the first byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
}

/// A temporary file of decompressed bytes. It is there while this is, and has no name where the host opens it without one, so that
/// nothing is left if the program is killed.
#[derive(Debug)]
pub struct Decompressed {
    file: File,
    path: PathBuf,
    _name: Option<TempPath>,
}

impl Decompressed {
    /// An empty one.
    pub(crate) fn new(is_named: bool) -> io::Result<Self> {
        let (file, name) = NamedTempFile::with_prefix("isobuild-")?.into_parts();
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        if !is_named && path.exists() {
            name.close()?;
            return Ok(Self {
                file,
                path,
                _name: None,
            });
        }
        Ok(Self {
            file,
            path: name.to_path_buf(),
            _name: Some(name),
        })
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where to open it again.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Decompressed bytes, in a file that is made when the first comes.
#[derive(Debug)]
pub struct Spool {
    held: OnceCell<Decompressed>,
    length: Cell<u64>,
    /// Bytes that the disk has to hold.
    stored: Cell<u64>,
    most: u64,
    /// Zeros are left out, and take no room.
    has_holes: bool,
    is_named: bool,
}

impl Spool {
    /// An empty one for an archive of so many bytes.
    pub fn new(archive: u64) -> Self {
        Self {
            held: OnceCell::new(),
            length: Cell::new(0),
            stored: Cell::new(0),
            most: archive.saturating_mul(RATIO).max(LEAST),
            has_holes: false,
            is_named: false,
        }
    }

    /// An empty one for a compressed image of so many bytes, which may be zeros for the most part. With `is_named` other programs can open
    /// the file by its path.
    pub fn of_image(compressed: u64, is_named: bool) -> Self {
        Self {
            has_holes: true,
            is_named,
            ..Self::new(compressed)
        }
    }

    /// The file, if something had to be decompressed.
    pub fn into_file(self) -> Option<Decompressed> {
        self.held.into_inner()
    }

    fn file(&self) -> Result<&File, SpoolError> {
        if let Some(held) = self.held.get() {
            return Ok(&held.file);
        }
        let made = Decompressed::new(self.is_named).map_err(SpoolError::Hold)?;
        Ok(&self.held.get_or_init(|| made).file)
    }

    /// What it holds now.
    pub(crate) fn bytes(&self) -> Result<FileAt, SpoolError> {
        let file = self.file()?;
        let whole = match self.has_holes {
            // A hole at the end is as long as this says.
            true => file.set_len(self.length.get()),
            false => Ok(()),
        };
        let bytes = whole.and_then(|()| file.try_clone()).and_then(FileAt::new);
        bytes.map_err(SpoolError::Hold)
    }

    /// Takes all that `decoded` gives.
    pub(crate) fn append(&self, decoded: &mut dyn Read) -> Result<Place, SpoolError> {
        let start = self.length.get();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match decoded.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => self.push(&buffer[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SpoolError::Read(error)),
            }
        }
        Ok(self.since(start))
    }

    /// Takes bytes.
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<(), SpoolError> {
        let start = self.length.get();
        let end = start + bytes.len() as u64;
        let is_hole = self.has_holes && bytes.iter().all(|&byte| byte == 0);
        if !is_hole {
            self.stored.set(self.stored.get() + bytes.len() as u64);
            if self.stored.get() > self.most {
                return Err(SpoolError::TooMuch);
            }
            self.file()?.write_all_at(bytes, start).map_err(SpoolError::Hold)?;
        }
        self.length.set(end);
        Ok(())
    }

    /// Where the next byte comes to stand.
    pub(crate) fn end(&self) -> u64 {
        self.length.get()
    }

    /// The bytes that came behind the first `start`.
    pub(crate) fn since(&self, start: u64) -> Place {
        Place {
            spooled: true,
            offset: start,
            length: self.length.get() - start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decompressed_has_no_name_and_can_be_opened_again() {
        let spool = Spool::new(0);
        let place = spool.append(&mut &b"decompressed"[..]).unwrap();
        assert_eq!((place.offset, place.length), (0, 12));
        let held = spool.into_file().unwrap();
        assert_eq!(std::fs::read(held.path()).unwrap(), b"decompressed");
        let shown = std::fs::read_link(held.path()).unwrap();
        assert!(shown.to_string_lossy().ends_with("(deleted)"), "{}", shown.display());
    }
}
