//! Compares an image with the file that exists. An equal file is not written again: it keeps its time and its inode, so build systems do not
//! rebuild what depends on it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::input::Input;
use super::{BoxedError, Interrupt, OutputError, Piece, PieceSource, io_error};
use crate::ground::read_at::ReadAt;

/// Bytes that are compared at once.
const STEP: usize = 1 << 18;

/// Whether `target` is a file with exactly these bytes. If so, the file is also synced to the disk. The comparison ends at the first
/// difference.
///
/// # Errors
/// When a source cannot be read, or has changed since the image was planned. A target that cannot be read counts as different.
pub fn is_written<'a>(
    target: &Path,
    size: u64,
    pieces: impl Iterator<Item = Result<Piece<'a>, impl Into<BoxedError>>>,
    interrupt: &Interrupt,
) -> Result<bool, OutputError> {
    let Ok(Some(file)) = existing(target, size) else {
        return Ok(false);
    };
    let mut there = There {
        file,
        at: 0,
        found: vec![0; STEP],
    };
    let mut wanted = vec![0; STEP];
    for piece in pieces {
        interrupt.check()?;
        let piece = piece.map_err(|error| OutputError::Pieces(error.into()))?;
        if !there.is_zero(piece.offset) {
            return Ok(false);
        }
        match piece.source {
            PieceSource::Bytes(bytes) => {
                if !bytes.chunks(STEP).all(|bytes| there.is_next(bytes)) {
                    return Ok(false);
                }
            }
            PieceSource::Given(bytes) => {
                let mut done = 0;
                while done < piece.length {
                    interrupt.check()?;
                    let length = (piece.length - done).min(STEP as u64) as usize;
                    bytes
                        .read_exact_at(&mut wanted[..length], done)
                        .map_err(|source| OutputError::Given { offset: done, source })?;
                    if !there.is_next(&wanted[..length]) {
                        return Ok(false);
                    }
                    done += length as u64;
                }
            }
            PieceSource::File { path, stamp, offset } => {
                let input = Input::open(path, stamp)?;
                let mut done = 0;
                while done < piece.length {
                    interrupt.check()?;
                    let length = (piece.length - done).min(STEP as u64) as usize;
                    let length = input.read(&mut wanted[..length], offset + done)?;
                    if !there.is_next(&wanted[..length]) {
                        return Ok(false);
                    }
                    done += length as u64;
                }
                input.close()?;
            }
        }
    }
    if !there.is_zero(size) {
        return Ok(false);
    }
    there.file.sync_all().map_err(io_error(target, "sync", None))?;
    Ok(true)
}

/// Whether `target` is a file with the first `length` bytes of `file`, and no more. If so, it is also synced to the disk.
pub(super) fn is_same(file: &File, length: u64, target: &Path) -> Result<bool, OutputError> {
    let mut at = 0;
    let Ok(Some(existing)) = existing(target, length) else {
        return Ok(false);
    };
    let mut there = There {
        file: existing,
        at: 0,
        found: vec![0; STEP],
    };
    let mut wanted = vec![0; STEP];
    while at < length {
        let now = (length - at).min(STEP as u64) as usize;
        file.read_exact_at(&mut wanted[..now], at)
            .map_err(io_error(target, "read back", Some(at)))?;
        if !there.is_next(&wanted[..now]) {
            return Ok(false);
        }
        at += now as u64;
    }
    there.file.sync_all().map_err(io_error(target, "sync", None))?;
    Ok(true)
}

/// Opens `target` if it is a file with `size` bytes.
fn existing(target: &Path, size: u64) -> io::Result<Option<File>> {
    let metadata = std::fs::metadata(target)?;
    if !metadata.is_file() || metadata.len() != size {
        return Ok(None);
    }
    File::open(target).map(Some)
}

/// The existing file, read from its first byte to its last.
struct There {
    file: File,
    at: u64,
    found: Vec<u8>,
}

impl There {
    /// Whether the next bytes are these.
    fn is_next(&mut self, wanted: &[u8]) -> bool {
        let found = &mut self.found[..wanted.len()];
        let read = self.file.read_exact_at(found, self.at);
        self.at += wanted.len() as u64;
        read.is_ok() && found == wanted
    }

    /// Whether all bytes up to `end` are zero.
    fn is_zero(&mut self, end: u64) -> bool {
        while self.at < end {
            let length = (end - self.at).min(STEP as u64) as usize;
            let found = &mut self.found[..length];
            if self.file.read_exact_at(found, self.at).is_err() || found.iter().any(|&byte| byte != 0) {
                return false;
            }
            self.at += length as u64;
        }
        true
    }
}
