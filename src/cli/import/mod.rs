//! `isobuild import`

mod exact;
mod keys;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::Image;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::text::{self, visible_path};
use crate::look::inspect;
use crate::look::open::Name;
use crate::manifest;
use crate::output::{Interrupt, OutputError};

use super::progress::Progress;
use super::{Failure, environment, interrupt, open, print_json};

/// The names in the directory.
const MANIFEST: &str = "manifest.toml";
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Any ISO 9660 or UDF image.
    image: PathBuf,
    /// Where to put the parts: a directory that is new or empty.
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: PathBuf,
    /// Keep everything but the contents of files as it is, so that the manifest makes the same image, bit by bit. Files may be exchanged for
    /// others of the same length.
    #[arg(long)]
    exact: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// No progress bar, no closing line.
    #[arg(short, long)]
    quiet: bool,
}

/// What `--json` says.
#[derive(Debug, Serialize)]
struct Imported {
    manifest: String,
    exact: bool,
    /// Where the image that the manifest makes differs.
    differs: Vec<Differing>,
}

/// Something that is not the same in the image that the manifest makes.
#[derive(Debug, Serialize)]
struct Differing {
    what: String,
    r#where: String,
}

pub(super) fn run(arguments: &Import) -> Result<(), Failure> {
    let directory = &arguments.directory;
    let was_there = directory.exists();
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::Refused(format!("{} is not empty", visible_path(directory))));
    }
    let interrupt = interrupt()?;
    let image = open::opened(&arguments.image, Name::Needless, &interrupt)?;
    inspect::refuse(&image).map_err(|error| Failure::input(&arguments.image, error.to_string()))?;
    let differs = match arguments.exact {
        true => exact::run(arguments, &image, &interrupt),
        false => keys::run(arguments, &image, &interrupt),
    };
    let differs = differs.inspect_err(|_| clear(directory, was_there))?;
    match arguments.json {
        true => print_json(&Imported {
            manifest: directory.join(MANIFEST).to_string_lossy().into_owned(),
            exact: arguments.exact,
            differs,
        }),
        false => Ok(()),
    }
}

/// Removes what was made in a directory that was empty, as far as that is possible, and the directory if it was new.
fn clear(directory: &Path, was_there: bool) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        // The error that has ended the import is the one to be told.
        let _ = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => fs::remove_dir_all(path),
            false => fs::remove_file(path),
        };
    }
    if !was_there {
        let _ = fs::remove_dir(directory);
    }
}

fn check(interrupt: &Interrupt) -> Result<(), Failure> {
    match interrupt.requested() {
        None => Ok(()),
        Some(signal) => Err(OutputError::Interrupted(signal).into()),
    }
}

fn make(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| Failure::io(directory, "making", error))
}

/// Writes bytes of the image as a file at this path below the directory.
fn take_out(
    image: &dyn ReadAt,
    path: &[u8],
    ranges: &[Range],
    directory: &Path,
    progress: &mut dyn FnMut(u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let relative = path.strip_prefix(b"/").unwrap_or(path);
    let path = directory.join(std::ffi::OsStr::from_bytes(relative));
    make(path.parent().unwrap_or(directory))?;
    let mut file = File::create_new(&path).map_err(|error| Failure::io(&path, "making", error))?;
    for &range in ranges {
        each_piece(image, range, |_, bytes| {
            file.write_all(bytes)
                .map_err(|error| Failure::io(&path, "writing", error))?;
            progress(bytes.len() as u64)
        })?;
    }
    Ok(())
}

/// Bytes of the image, piece by piece, each with its offset.
fn each_piece(
    image: &dyn ReadAt,
    range: Range,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; PIECE];
    let mut at = range.offset;
    while at < range.end() {
        let step = (range.end() - at).min(PIECE as u64);
        let bytes = &mut buffer[..step as usize];
        image
            .read_exact_at(bytes, at)
            .map_err(|error| Failure::io("the image", "reading", error))?;
        each(at, bytes)?;
        at += step;
    }
    Ok(())
}

/// What the image's file is called without an ending of its compression.
fn output_name(image: &Path) -> String {
    let stem = image
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = [".gz", ".xz", ".zst", ".bz2"]
        .iter()
        .find_map(|ending| stem.strip_suffix(ending));
    name.unwrap_or(&stem).to_owned()
}

/// The SHA-256 of the image that a manifest makes.
fn made(path: &Path, progress: &Progress, interrupt: &Interrupt) -> Result<String, Failure> {
    let image = Image::of(manifest::load(path)?, &environment(Vec::new()))?;
    let mut sum = Sha256::new();
    let mut update = |done: u64, _| progress.update(done);
    image.digest(&mut |bytes| sum.update(bytes), &mut update, interrupt)?;
    Ok(text::hex(&sum.finalize()))
}
