//! The only part of the program that writes: a list of pieces, streamed to output paths, each of which is at any instant absent, old or
//! complete.
//!
//! - `Output` is a file beside the target without a name, or with a hidden one, until every byte of it is on the disk.
//! - `Stream` fills it from the first byte to the last. Pieces are gathered into large writes, which go past the page cache
//!   where the file system allows it: they have to reach the disk anyway. Where it can share blocks, the kernel is asked to
//!   copy the long ones. What lies between pieces is left a hole. Memory does not grow with the image.
//! - `Input` is a file that pieces are read from. One that differs from what was planned with fails the write.
//!
//! - `containers` writes files in other forms: disks of virtual machines, compressed files.
//!
//! One thread reads, and one thread for each file writes, so that none waits for another. The calling thread waits or computes the digest, so
//! that a signal finds a thread that no stalled disk or network holds up.
//!
//! Nothing is preallocated, and free space is not asked for beforehand: a clone and a hole take none, a compressing file
//! system takes less. A full disk is found by the write that hits it.

mod buffer;
mod containers;
mod copy;
mod disk;
mod file;
mod files;
mod input;
mod interrupt;
mod pipeline;
mod unchanged;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use crate::ground::read_at::Shared;
use crate::ground::stamp::Stamp;
pub(crate) use buffer::{ALIGNMENT, BUFFER, Buffer};
pub use containers::{Container, DiskSum, FileFormat, Hashed, stem};
use copy::Stream;
pub(crate) use file::Output;
use input::Input;
use pipeline::Each;

pub use files::{DISK_UNIT, Target, Wanted, Written, WrittenFile, write_all};
pub use interrupt::Interrupt;
pub use unchanged::is_written;

/// Bytes at a place in the image.
#[derive(Clone, Debug)]
pub struct Piece<'a> {
    /// Where in the image, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// What they are.
    pub source: PieceSource<'a>,
}

/// What a [`Piece`] consists of.
#[derive(Clone, Debug)]
pub enum PieceSource<'a> {
    /// Encoded metadata or inline content, exactly as long as the piece.
    Bytes(Cow<'a, [u8]>),
    /// All of what code has given.
    Given(&'a Shared),
    /// Part of a host file.
    File {
        /// The host path.
        path: &'a Path,
        /// The file as it was when the image was planned.
        stamp: &'a Stamp,
        /// Where in the file the piece begins.
        offset: u64,
    },
}

/// The error of the caller that makes the pieces.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no new image. The output path is as it was, but for an error of the directory's own `fsync`.
///
/// ```
/// use isobuild::{Builder, Error, WriteError};
///
/// let image = Builder::new("DATA").build()?;
/// let error = image.write_file("/dev/null", |_, _| {}).unwrap_err();
/// assert!(matches!(error, Error::Write(WriteError::Refused { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The kernel reports an error.
    #[error("cannot {action} {path:?}{}: {source}", At(*offset))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was attempted: a verb.
        action: &'static str,
        /// Where in the file, if that is known.
        offset: Option<u64>,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A source is not what it was when the image was planned.
    #[error("{path:?} changed while the image was built: {what}")]
    Changed {
        /// The source.
        path: PathBuf,
        /// In what.
        what: String,
    },
    /// The target is no place for an image.
    #[error("refusing to write an image to {path:?}: it is {what}")]
    Refused {
        /// The target, its links resolved.
        path: PathBuf,
        /// What it is instead of a regular file.
        what: &'static str,
    },
    /// The image is longer than the form allows.
    #[error("{path:?}: an image in the form {form} has at most {most} bytes")]
    TooLong {
        /// The file that was to be written.
        path: PathBuf,
        /// The form, by its name in manifests.
        form: String,
        /// In bytes.
        most: u64,
    },
    /// The file system is full.
    #[error("no space left in {path:?}: the image needs up to {needed} bytes, {free} are free")]
    NoSpace {
        /// The directory of the target.
        path: PathBuf,
        /// The bytes of all pieces. Those that are holes or shared take no space.
        needed: u64,
        /// The bytes that are free again, now that the attempt is removed.
        free: u64,
    },
    /// A source that code has given cannot be read.
    #[error("cannot read a source of the caller at byte {offset}: {source}")]
    Given {
        /// Where in the source.
        offset: u64,
        /// Its own reason.
        source: io::Error,
    },
    /// The caller could not make a piece.
    #[error("{}", .0)]
    Pieces(BoxedError),
    /// A signal asked to stop.
    #[error("interrupted by signal {0}")]
    Interrupted(i32),
}

/// The place in a file, if it is known.
struct At(Option<u64>);

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |offset| write!(f, " at byte {offset}"))
    }
}

/// An [`OutputError::Io`] in the making: for `map_err`.
fn io_error<E: Into<io::Error>>(
    path: &Path,
    action: &'static str,
    offset: Option<u64>,
) -> impl FnOnce(E) -> OutputError {
    move |source| OutputError::Io {
        path: path.into(),
        action,
        offset,
        source: source.into(),
    }
}

/// Writes an image of `size` bytes to `target` as it is: see [`write_all`].
#[cfg(any(test, feature = "inside"))]
pub fn write<'a>(
    target: &Path,
    size: u64,
    pieces: impl Iterator<Item = Result<Piece<'a>, impl Into<BoxedError>>> + Send,
    hash: bool,
    progress: &mut (dyn FnMut(u64) + Send),
    interrupt: &Interrupt,
) -> Result<Written, OutputError> {
    let targets = [Target::raw(target)];
    let wanted = Wanted {
        image: hash,
        ..Wanted::default()
    };
    write_all(&targets, size, pieces, wanted, progress, interrupt)
}

/// Writes a small file: at every moment it is absent, old or complete.
pub fn write_file(target: &Path, bytes: &[u8], interrupt: &Interrupt) -> Result<(), OutputError> {
    let output = Output::create(target)?;
    output.set_size(bytes.len() as u64)?;
    output.write(bytes, 0)?;
    output.commit(interrupt)
}

/// Gives every byte of the image that [`write()`] would write to `take`, from the first to the last, and writes nothing. The `target`
/// is only named in errors.
pub fn digest<'a>(
    target: &Path,
    size: u64,
    pieces: impl Iterator<Item = Result<Piece<'a>, impl Into<BoxedError>>> + Send,
    take: &mut dyn FnMut(&[u8]),
    progress: &mut (dyn FnMut(u64) + Send),
    interrupt: &Interrupt,
) -> Result<(), OutputError> {
    thread::scope(|scope| {
        let (feed, stages) = pipeline::pipeline(1, true);
        let reader = start(scope, "read", target, move || {
            let mut stream = Stream::new(None, target, feed, progress, interrupt)?;
            copy_all(&mut stream, size, pieces)
        })?;
        for stage in stages {
            stage.run(&mut Each(take))?;
        }
        joined(reader)
    })
}

/// Starts a thread. The path is for the error.
fn start<'scope, 'env, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    name: &str,
    path: &Path,
    run: impl FnOnce() -> T + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, T>, OutputError> {
    let thread = thread::Builder::new().name(name.into());
    thread
        .spawn_scoped(scope, run)
        .map_err(io_error(path, "start a thread for", None))
}

/// What a thread returns; its panic goes on in this one.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// For a thread whose receiver has stopped. The receiver's own error is the one that is reported.
fn ended(path: &Path) -> OutputError {
    io_error(path, "write", None)(io::Error::from(io::ErrorKind::BrokenPipe))
}

/// Copies the pieces and the zeros between them. A file stays open while consecutive pieces come from it.
fn copy_all<'a>(
    stream: &mut Stream<'_>,
    size: u64,
    pieces: impl Iterator<Item = Result<Piece<'a>, impl Into<BoxedError>>>,
) -> Result<(), OutputError> {
    let mut open: Option<Input<'_>> = None;
    for piece in pieces {
        let piece = piece.map_err(|error| OutputError::Pieces(error.into()))?;
        if piece.offset.checked_add(piece.length).is_none_or(|end| end > size) {
            return Err(stream.misplaced("a piece lies past the end of the image"));
        }
        let gap = piece.offset.checked_sub(stream.position());
        stream.zeros(gap.ok_or_else(|| stream.misplaced("a piece overlaps the one before"))?)?;
        match piece.source {
            PieceSource::Bytes(bytes) if bytes.len() as u64 == piece.length => stream.bytes(&bytes)?,
            PieceSource::Bytes(_) => return Err(stream.misplaced("a piece is not its length")),
            PieceSource::Given(bytes) => stream.given(bytes, piece.length)?,
            PieceSource::File { path, stamp, offset } => {
                let input = match open.take() {
                    Some(input) if input.is(path, stamp) => input,
                    before => {
                        before.map_or(Ok(()), Input::close)?;
                        Input::open(path, stamp)?
                    }
                };
                stream.file(&input, offset, piece.length)?;
                open = Some(input);
            }
        }
    }
    open.map_or(Ok(()), Input::close)?;
    stream.zeros(size.saturating_sub(stream.position()))?;
    stream.flush()
}
