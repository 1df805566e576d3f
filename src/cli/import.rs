//! `isobuild import`

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::{Compression, GzBuilder};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::Image;
use crate::ground::read_at::ReadAt;
use crate::ground::text::{self, visible_path};
use crate::look::inspect;
use crate::look::open::Name;
use crate::look::parts::{Part, Skeleton, parts};
use crate::manifest;
use crate::output::{self, Interrupt, OutputError};

use super::progress::Progress;
use super::{Failure, environment, interrupt, open, print, print_json};

/// The names in the directory.
const MANIFEST: &str = "manifest.toml";
const SKELETON: &str = "skeleton.iso.gz";
const FILES: &str = "files";
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Any ISO 9660 or UDF image.
    image: PathBuf,
    /// Where to put the parts: a directory that is new or empty.
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: PathBuf,
    /// Keep everything that is no file's content as it is, so that the manifest makes the same image, bit by bit. Files may be exchanged for
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
    differs: Vec<()>,
}

pub(super) fn run(arguments: &Import) -> Result<(), Failure> {
    if !arguments.exact {
        let message = "only --exact is supported so far: a manifest of keys is not written yet";
        return Err(Failure::input(&arguments.image, message));
    }
    let directory = &arguments.directory;
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::Refused(format!("{} is not empty", visible_path(directory))));
    }
    let interrupt = interrupt()?;
    let image = open::opened(&arguments.image, Name::Needless, &interrupt)?;
    let unusable = |error: &dyn std::fmt::Display| Failure::input(&arguments.image, error.to_string());
    inspect::refuse(&image).map_err(|error| unusable(&error))?;
    let parts = parts(&image).map_err(|error| unusable(&error))?;
    let progress = Progress::new("taking the image apart", arguments.quiet);
    let skeleton = Skeleton::of(&image, &parts);
    make(&directory.join(FILES))?;
    progress.phase("files", Some(parts.iter().map(Part::length).sum()));
    let mut done = 0;
    for part in &parts {
        take_out(&image, part, &directory.join(FILES), &mut |bytes| {
            done += bytes;
            progress.update(done);
            check(&interrupt)
        })?;
    }
    progress.phase("skeleton", Some(image.size()));
    let digest = pack(&image, &skeleton, &directory.join(SKELETON), &mut |done| {
        progress.update(done);
        check(&interrupt)
    })?;
    let path = directory.join(MANIFEST);
    let text = manifest_text(&arguments.image, &digest);
    output::write_file(&path, text.as_bytes(), &interrupt)?;
    progress.phase("checking", Some(image.size()));
    let made = made(&path, &progress, &interrupt)?;
    drop(progress);
    if made != digest {
        return Err(Failure::Failed(format!(
            "{} would make another image (SHA-256 {made}), which is a fault of isobuild",
            visible_path(&path)
        )));
    }
    let count = parts.len();
    match (arguments.json, arguments.quiet) {
        (true, _) => print_json(&Imported {
            manifest: path.to_string_lossy().into_owned(),
            exact: true,
            differs: Vec::new(),
        }),
        (false, true) => Ok(()),
        (false, false) => print(&format!(
            "{}: {count} files and a skeleton; it makes the same image, SHA-256 {digest}\n",
            visible_path(&path)
        )),
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

/// Writes the bytes of a part as a file below the directory.
fn take_out(
    image: &dyn ReadAt,
    part: &Part,
    directory: &Path,
    progress: &mut dyn FnMut(u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let relative = part.path.strip_prefix(b"/").unwrap_or(&part.path);
    let path = directory.join(std::ffi::OsStr::from_bytes(relative));
    make(path.parent().unwrap_or(directory))?;
    let mut file = File::create_new(&path).map_err(|error| Failure::io(&path, "making", error))?;
    let mut buffer = vec![0; PIECE];
    for range in &part.ranges {
        let mut at = range.offset;
        while at < range.end() {
            let step = (range.end() - at).min(PIECE as u64) as usize;
            let bytes = &mut buffer[..step];
            image
                .read_exact_at(bytes, at)
                .map_err(|error| Failure::io("the image", "reading", error))?;
            file.write_all(bytes)
                .map_err(|error| Failure::io(&path, "writing", error))?;
            at += step as u64;
            progress(step as u64)?;
        }
    }
    Ok(())
}

/// Compresses the skeleton. The result is the SHA-256 of the image.
fn pack(
    image: &dyn ReadAt,
    skeleton: &Skeleton<'_>,
    path: &Path,
    progress: &mut dyn FnMut(u64) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::io(path, "writing", error);
    let file = File::create_new(path).map_err(|error| Failure::io(path, "making", error))?;
    // No name and no time, so that the same image gives the same file.
    let mut packed = GzBuilder::new()
        .mtime(0)
        .write(io::BufWriter::new(file), Compression::new(6));
    let mut sum = Sha256::new();
    let (mut whole, mut buffer) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while at < image.size() {
        let step = (image.size() - at).min(PIECE as u64) as usize;
        image
            .read_exact_at(&mut whole[..step], at)
            .map_err(|error| Failure::io("the image", "reading", error))?;
        sum.update(&whole[..step]);
        skeleton
            .read_exact_at(&mut buffer[..step], at)
            .map_err(|error| Failure::io("the image", "reading", error))?;
        packed.write_all(&buffer[..step]).map_err(failed)?;
        at += step as u64;
        progress(at)?;
    }
    let written = packed.finish().map_err(failed)?;
    let file = written.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(text::hex(&sum.finalize()))
}

fn manifest_text(image: &Path, digest: &str) -> String {
    let stem = image
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = stem
        .trim_end_matches(".gz")
        .trim_end_matches(".xz")
        .trim_end_matches(".zst")
        .trim_end_matches(".bz2");
    let output = toml::Value::String(name.to_owned());
    format!(
        "# The parts of an image. It is made again bit by bit, with the SHA-256 {digest}.\n\
         # A file in `{FILES}` may be exchanged for another of the same length. What is no file's content is in the skeleton.\n\
         output = {output}\n\n[base]\nimage = \"{SKELETON}\"\nfill = \"{FILES}\"\n"
    )
}

/// The SHA-256 of the image that a manifest makes.
fn made(path: &Path, progress: &Progress, interrupt: &Interrupt) -> Result<String, Failure> {
    let image = Image::of(manifest::load(path)?, &environment(None))?;
    let mut sum = Sha256::new();
    let mut update = |done: u64, _| progress.update(done);
    image.digest(&mut |bytes| sum.update(bytes), &mut update, interrupt)?;
    Ok(text::hex(&sum.finalize()))
}
