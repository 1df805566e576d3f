//! Whether two contents are one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{changed, giving, reading};
use crate::ground::read_at::{ReadAt, Shared};
use crate::ground::stamp;
use crate::resolve::ResolveError;
use crate::tree::source::Source;

/// Whether two contents of the same length are equal. A hole in both is not read.
pub(crate) fn has_same_bytes(a: &Source, b: &Source, length: u64) -> Result<bool, ResolveError> {
    const STEP: u64 = 1 << 18;
    let (a, b) = (Content::open(a)?, Content::open(b)?);
    let mut at = 0;
    while at < length {
        at = a.data_from(at, length).min(b.data_from(at, length));
        let step = STEP.min(length - at) as usize;
        if a.read(at, step)? != b.read(at, step)? {
            return Ok(false);
        }
        at += step as u64;
    }
    Ok(true)
}

/// A content that is read.
enum Content<'s> {
    Bytes(&'s [u8]),
    Given(&'s Shared),
    File { path: &'s Path, file: File, start: u64 },
}

impl<'s> Content<'s> {
    fn open(source: &'s Source) -> Result<Self, ResolveError> {
        match source {
            Source::Bytes(bytes, _) => Ok(Self::Bytes(bytes)),
            Source::Given(bytes) => Ok(Self::Given(bytes)),
            Source::File { path, offset, .. } => Ok(Self::File {
                path,
                file: stamp::open(path).map_err(|source| reading(path, source))?,
                start: *offset,
            }),
        }
    }

    /// The first offset from `at` on whose byte may not be zero, or `end` if all bytes before it are zero.
    fn data_from(&self, at: u64, end: u64) -> u64 {
        let Self::File { file, start, .. } = self else {
            return at;
        };
        match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(start + at)) {
            Ok(data) => data.saturating_sub(*start).clamp(at, end),
            Err(rustix::io::Errno::NXIO) => end,
            // A file system that cannot tell has data everywhere.
            Err(_) => at,
        }
    }

    fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, ResolveError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes[at as usize..][..length].to_vec()),
            Self::Given(bytes) => bytes.read_vec_at(at, length as u64).map_err(giving),
            Self::File { path, file, start } => {
                let mut bytes = vec![0; length];
                match file.read_exact_at(&mut bytes, start + at) {
                    Ok(()) => Ok(bytes),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(changed(path, "it shrank")),
                    Err(error) => Err(reading(path, error)),
                }
            }
        }
    }
}
