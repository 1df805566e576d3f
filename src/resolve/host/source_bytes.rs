//! The bytes of a source.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{changed, giving, reading};
use crate::ground::read_at::{ReadAt, Shared};
use crate::ground::stamp;
use crate::resolve::ResolveError;
use crate::tree::source::Source;

/// What a source gives, to be read while the manifest is resolved or planned.
pub(crate) enum SourceBytes {
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// Bytes that code gives.
    Given(Shared),
    /// Part of a file of the host, from a byte of it on.
    File { path: Arc<Path>, file: File, start: u64 },
}

impl SourceBytes {
    /// Opens it; nothing is read so far.
    pub(crate) fn open(source: &Source) -> Result<Self, ResolveError> {
        match source {
            Source::Bytes(bytes, _) => Ok(Self::Bytes(bytes.clone())),
            Source::Given(bytes) => Ok(Self::Given(bytes.clone())),
            Source::File { path, offset, .. } => Ok(Self::File {
                path: path.clone(),
                file: stamp::open(path).map_err(|source| reading(path, source))?,
                start: *offset,
            }),
        }
    }

    /// The first offset from `at` on whose byte may not be zero, or `end` if all bytes before it are zero.
    pub(super) fn data_from(&self, at: u64, end: u64) -> u64 {
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

    /// `length` bytes from a byte of the source on.
    pub(crate) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, ResolveError> {
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
