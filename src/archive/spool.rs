//! Decompressed bytes, in a file of their own for as long as the image is not written.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use tempfile::NamedTempFile;

use super::{Error, Place, wrong};
use crate::read_at::FileAt;

/// What any archive may be decompressed to.
const LEAST: u64 = 64 << 20;
/// A larger result may be this many times the archive: gzip cannot do more, and what does hides something.
const RATIO: u64 = 1000;

/// A temporary file of decompressed bytes, made when the first comes. It is there while this is.
#[derive(Debug)]
pub struct Spool {
    file: OnceCell<NamedTempFile>,
    length: Cell<u64>,
    most: u64,
}

impl Spool {
    /// An empty one for an archive of so many bytes.
    pub fn new(archive: u64) -> Self {
        Self {
            file: OnceCell::new(),
            length: Cell::new(0),
            most: archive.saturating_mul(RATIO).max(LEAST),
        }
    }

    /// The file, if something had to be decompressed.
    pub fn into_file(self) -> Option<NamedTempFile> {
        self.file.into_inner()
    }

    fn file(&self) -> Result<&File, Error> {
        if let Some(file) = self.file.get() {
            return Ok(file.as_file());
        }
        let file = NamedTempFile::with_prefix("isobuild-").map_err(Error::Hold)?;
        Ok(self.file.get_or_init(|| file).as_file())
    }

    /// What it holds now.
    pub(super) fn bytes(&self) -> Result<FileAt, Error> {
        self.file()?.try_clone().and_then(FileAt::new).map_err(Error::Hold)
    }

    /// Takes all that `decoded` gives.
    pub(super) fn append(&self, decoded: &mut dyn Read) -> Result<Place, Error> {
        let start = self.length.get();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match decoded.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => self.push(&buffer[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::of(error)),
            }
        }
        Ok(self.since(start))
    }

    /// Takes bytes.
    pub(super) fn push(&self, bytes: &[u8]) -> Result<(), Error> {
        let start = self.length.get();
        let end = start + bytes.len() as u64;
        if end > self.most {
            return Err(wrong(format!(
                "unpacks to more than {RATIO} times its size and {} MiB: what does so is made to fill disks",
                LEAST >> 20
            )));
        }
        self.file()?.write_all_at(bytes, start).map_err(Error::Hold)?;
        self.length.set(end);
        Ok(())
    }

    /// Where the next byte comes to stand.
    pub(super) fn end(&self) -> u64 {
        self.length.get()
    }

    /// The bytes that came behind the first `start`.
    pub(super) fn since(&self, start: u64) -> Place {
        Place {
            spooled: true,
            offset: start,
            length: self.length.get() - start,
        }
    }
}
