//! The files that one pass over an image writes.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::{io, thread};

use sha2::{Digest as _, Sha256};

use super::copy::Stream;
use super::file::Output;
use super::pipeline::{self, Each, Feed, Stage, Take};
use super::{
    BUFFER, BoxedError, Container, DiskSum, FileFormat, Interrupt, OutputError, Piece, containers, copy_all, io_error,
    joined, start, unchanged,
};
use crate::formats::digest_list;
use crate::ground::text;

/// A file that an image is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its path.
    pub path: PathBuf,
    /// The form that the image has in it.
    pub format: FileFormat,
    /// The length of the disk in it is rounded up to a multiple of so many bytes.
    pub multiple: u64,
}

/// A disk has whole MiB. Hosts that import a disk round its length up, and its backup GPT would no longer be in the last sector.
pub const DISK_UNIT: u64 = 1 << 20;

/// A disk in a container has whole logical sectors.
const SECTOR: u64 = 512;

impl Target {
    /// A file with the bytes of the image.
    pub fn raw(path: &Path) -> Self {
        Self {
            path: path.into(),
            format: FileFormat::RAW,
            multiple: 1,
        }
    }

    /// For an image that isobuild makes. The disk has whole MiB.
    pub fn of_image(path: PathBuf, format: FileFormat) -> Self {
        let multiple = if format.container == Container::Raw {
            1
        } else {
            DISK_UNIT
        };
        Self { path, format, multiple }
    }

    /// For a disk that exists. It keeps its length, rounded up to whole sectors.
    pub fn of_disk(path: PathBuf, format: FileFormat) -> Self {
        let multiple = match format.container {
            Container::Raw | Container::Img => 1,
            _ => SECTOR,
        };
        Self { path, format, multiple }
    }

    /// The length of the disk in this file, for an image of `size` bytes.
    pub fn disk_size(&self, size: u64) -> u64 {
        size.next_multiple_of(self.multiple)
    }
}

/// What a caller wants besides the files.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The SHA-256 of the image.
    pub image: bool,
    /// The SHA-256 of each file.
    pub files: bool,
    /// A second file beside each, with its SHA-256, for `sha256sum --check`.
    pub lists: bool,
    /// A check of each file before it gets its name.
    pub check: Option<&'a Check<'a>>,
}

/// Reads a written file, and compares it with the sum of the image. If it returns an error, no file gets its name.
pub(super) type Check<'a> = dyn Fn(&Target, File, u128) -> Result<(), BoxedError> + 'a;

/// What is known of an image that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The SHA-256 of the image, if it was asked for.
    pub sha256: Option<[u8; 32]>,
    /// The files, as they were asked for.
    pub files: Vec<WrittenFile>,
}

/// A file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// In bytes.
    pub size: u64,
    /// Its SHA-256, if it was asked for.
    pub sha256: Option<[u8; 32]>,
}

/// Writes an image of `size` bytes to every target in one pass: the `pieces`, sorted and disjoint, and zeros between them. Each piece is
/// asked for when it is written, so that they need not all be in memory.
///
/// It returns when the files and their directories are on the disk; none has its name before all are complete. Links of a target are followed
/// and kept; missing directories are made. Where there is one target that has the image as it is, and no digest is wanted, blocks of files
/// are shared and nothing need pass through memory. A file in another form, or one of several, that exists with the same bytes is left alone.
/// `progress` learns how many bytes of the image are done: first 0, before any source is opened, and at last `size`.
pub fn write_all<'a>(
    targets: &[Target],
    size: u64,
    pieces: impl Iterator<Item = Result<Piece<'a>, impl Into<BoxedError>>> + Send,
    wanted: Wanted<'_>,
    progress: &mut (dyn FnMut(u64) + Send),
    interrupt: &Interrupt,
) -> Result<Written, OutputError> {
    let Some(first) = targets.first() else {
        let files = Vec::new();
        return Ok(Written { sha256: None, files });
    };
    let is_image = |target: &Target| target.format.is_plain() && target.disk_size(size) == size;
    let of_files = wanted.files || wanted.lists;
    let hash = wanted.image || (of_files && targets.iter().any(is_image));
    let sums = wanted.check.is_some();
    let is_alone = targets.len() == 1 && first.format.is_plain();
    let attempt = Attempt {
        targets,
        size,
        is_alone,
        interrupt,
    };
    thread::scope(|scope| {
        let more = usize::from(hash) + usize::from(sums);
        let (feed, mut stages) = pipeline::pipeline(targets.len() + more, more > 0 || !is_alone);
        let digest = if hash { stages.pop() } else { None };
        let summing = if sums { stages.pop() } else { None };
        let path = &first.path;
        let reading = start(scope, "read", path, move || attempt.run(pieces, feed, stages, progress))?;
        let summing = summing.map(|stage| start(scope, "sum", path, move || disk_sum(stage)));
        let summing = summing.transpose()?;
        let sha256 = digest.map(sha256).transpose()?;
        let made = joined(reading)?;
        if let Some((check, summing)) = wanted.check.zip(summing) {
            attempt.check(&made, check, joined(summing)?)?;
        }
        let mut files = Vec::with_capacity(made.len());
        for (target, made) in targets.iter().zip(&made) {
            let digest = match of_files {
                true if is_image(target) => sha256,
                true => Some(digest_of(made, interrupt)?),
                false => None,
            };
            files.push(WrittenFile {
                size: made.length,
                sha256: digest,
            });
        }
        let lists = targets.iter().zip(&files).filter(|_| wanted.lists);
        let lists: Result<Vec<_>, _> = lists.map(|(target, file)| list(target, file)).collect();
        attempt.complete(made, lists?)?;
        let sha256 = sha256.filter(|_| wanted.image);
        Ok(Written { sha256, files })
    })
}

fn disk_sum(stage: Stage) -> Result<u128, OutputError> {
    let mut sum = DiskSum::default();
    stage.run(&mut sum)?;
    Ok(sum.finish())
}

fn sha256(stage: Stage) -> Result<[u8; 32], OutputError> {
    let mut sha256 = Sha256::new();
    stage.run(&mut Each(&mut |bytes| sha256.update(bytes)))?;
    Ok(sha256.finalize().into())
}

/// A file with all its bytes that does not have its name yet.
struct Made {
    output: Output,
    length: u64,
}

#[derive(Clone, Copy)]
struct Attempt<'a> {
    targets: &'a [Target],
    size: u64,
    /// There is one target, and it gets the image's bytes as they are.
    is_alone: bool,
    interrupt: &'a Interrupt,
}

impl Attempt<'_> {
    /// Runs in the reading thread. It starts a writing thread for each target.
    fn run<'a>(
        self,
        pieces: impl Iterator<Item = Result<Piece<'a>, impl Into<BoxedError>>>,
        feed: Feed,
        stages: Vec<Stage>,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Vec<Made>, OutputError> {
        let mut outputs: Vec<Output> = Vec::with_capacity(self.targets.len());
        for target in self.targets {
            let output = Output::create(&target.path)?;
            if outputs.iter().any(|other| other.has_the_place_of(&output)) {
                return Err(OutputError::Refused {
                    path: target.path.clone(),
                    what: "another output of the same image",
                });
            }
            outputs.push(output);
        }
        let mut needed: u64 = 0;
        let mut pieces =
            pieces.inspect(|piece| needed = needed.saturating_add(piece.as_ref().map_or(0, |piece| piece.length)));
        let result = self.fill(&outputs, &mut pieces, feed, stages, progress);
        // The rest is asked for too, so that all of them are counted.
        pieces.for_each(drop);
        let lengths = match result {
            Ok(lengths) => lengths,
            Err(error) => {
                let places = outputs
                    .iter()
                    .map(|output| (output.target().to_owned(), output.directory().to_owned()));
                let places: Vec<(PathBuf, PathBuf)> = places.collect();
                // This frees their room, before the free room is asked for.
                drop(outputs);
                return Err(full(error, &places, needed));
            }
        };
        let made = outputs.into_iter().zip(lengths);
        Ok(made.map(|(output, length)| Made { output, length }).collect())
    }

    /// Writes every output. Returns the lengths of the files.
    fn fill<'a>(
        &self,
        outputs: &[Output],
        pieces: &mut impl Iterator<Item = Result<Piece<'a>, impl Into<BoxedError>>>,
        feed: Feed,
        stages: Vec<Stage>,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Vec<u64>, OutputError> {
        for (target, output) in self.targets.iter().zip(outputs) {
            if target.format.is_plain() {
                output.set_size(target.disk_size(self.size))?;
            }
        }
        thread::scope(|scope| {
            let mut writing = Vec::new();
            for ((target, output), stage) in self.targets.iter().zip(outputs).zip(stages) {
                let write = move || self.take(target, output, stage);
                writing.push(start(scope, "write", output.target(), write)?);
            }
            let [first, ..] = outputs else { return Ok(Vec::new()) };
            let shared = self.is_alone.then(|| first.file());
            let read = Stream::new(shared, first.target(), feed, progress, self.interrupt)
                .and_then(|mut stream| copy_all(&mut stream, self.size, pieces));
            // The stream is gone, and with it the feed: the writing threads end.
            let lengths: Vec<_> = writing.into_iter().map(joined).collect();
            let lengths = lengths.into_iter().collect::<Result<Vec<u64>, _>>()?;
            read.map(|()| lengths)
        })
    }

    /// Runs in a writing thread. Returns the length of the file.
    fn take(&self, target: &Target, output: &Output, stage: Stage) -> Result<u64, OutputError> {
        let size = target.disk_size(self.size);
        let spans = |take: &mut dyn Take| {
            stage.run(take)?;
            take.zeros(size - self.size)
        };
        let file = (output.file(), output.target());
        containers::write(target.format, size, Box::new(spans), file, self.interrupt)
    }

    /// Has every file checked against the sum of the image.
    fn check(&self, made: &[Made], check: &Check<'_>, sum: u128) -> Result<(), OutputError> {
        for (target, made) in self.targets.iter().zip(made) {
            let file = made.output.file().try_clone();
            let file = file.map_err(io_error(&target.path, "open", None))?;
            let checked = check(target, file, sum);
            // If a signal ended the check, the signal is the error.
            self.interrupt.check()?;
            checked.map_err(OutputError::Pieces)?;
        }
        Ok(())
    }

    /// Gives every file its name when all of them are on the disk.
    fn complete(&self, made: Vec<Made>, lists: Vec<Made>) -> Result<(), OutputError> {
        let mut changed = Vec::new();
        let mut lists = lists.into_iter();
        for made in made {
            // The caller has compared a single plain target before.
            let is_new = self.is_alone || !is_there(&made)?;
            let list = lists
                .next()
                .map(|list| is_there(&list).map(|is_there| (!is_there).then_some(list)));
            changed.extend(is_new.then_some(made));
            changed.extend(list.transpose()?.flatten());
        }
        for made in &changed {
            made.output.sync()?;
        }
        self.interrupt.check()?;
        changed.into_iter().try_for_each(|made| made.output.take_place())
    }
}

/// Replaces the error of a full disk by one that says how much is free. `places` has the path and the directory of each target.
fn full(error: OutputError, places: &[(PathBuf, PathBuf)], needed: u64) -> OutputError {
    let OutputError::Io { path, source, .. } = &error else {
        return error;
    };
    let place = places.iter().find(|(target, _)| target == path);
    let Some((_, directory)) = place.filter(|_| source.kind() == io::ErrorKind::StorageFull) else {
        return error;
    };
    let free = rustix::fs::statvfs(directory).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    OutputError::NoSpace {
        path: directory.clone(),
        needed,
        free,
    }
}

/// Whether the target is a file with exactly these bytes, on the disk.
fn is_there(made: &Made) -> Result<bool, OutputError> {
    unchanged::is_same(made.output.file(), made.length, made.output.target())
}

fn digest_of(made: &Made, interrupt: &Interrupt) -> Result<[u8; 32], OutputError> {
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut at = 0;
    while at < made.length {
        interrupt.check()?;
        let now = (made.length - at).min(BUFFER as u64) as usize;
        made.output
            .file()
            .read_exact_at(&mut buffer[..now], at)
            .map_err(io_error(made.output.target(), "read back", Some(at)))?;
        sha256.update(&buffer[..now]);
        at += now as u64;
    }
    Ok(sha256.finalize().into())
}

/// Makes the file NAME.sha256 for the file NAME.
fn list(target: &Target, file: &WrittenFile) -> Result<Made, OutputError> {
    let name = target.path.file_name().unwrap_or_default().as_bytes();
    let digest = text::hex(&file.sha256.unwrap_or_default());
    let line = digest_list::written(&digest, *b"  ", name);
    let output = Output::create(&target.path.with_added_extension("sha256"))?;
    output.write(&line, 0)?;
    let length = line.len() as u64;
    Ok(Made { output, length })
}
