//! `import --exact`: the files, and a skeleton with everything else.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

use crate::cli::progress::Progress;
use crate::cli::{Failure, print};
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::text::{self, visible_path};
use crate::look::parts::{Part, Skeleton, parts};
use crate::output::{self, Interrupt};

use super::{Differing, Import, MANIFEST, PIECE, check, each_piece, made, make, output_name, take_out};

const SKELETON: &str = "skeleton.iso.gz";
const FILES: &str = "files";

pub(super) fn run(arguments: &Import, image: &dyn ReadAt, interrupt: &Interrupt) -> Result<Vec<Differing>, Failure> {
    let directory = &arguments.directory;
    let parts = parts(image).map_err(|error| Failure::input(&arguments.image, error.to_string()))?;
    let progress = Progress::new("taking the image apart", arguments.quiet);
    let skeleton = Skeleton::of(image, &parts);
    make(&directory.join(FILES))?;
    progress.phase("files", Some(parts.iter().map(Part::length).sum()));
    let mut done = 0;
    for part in &parts {
        take_out(image, &part.path, &part.ranges, &directory.join(FILES), &mut |bytes| {
            done += bytes;
            progress.update(done);
            check(interrupt)
        })?;
    }
    progress.phase("skeleton", Some(image.size()));
    let digest = pack(image, &skeleton, &directory.join(SKELETON), &mut |done| {
        progress.update(done);
        check(interrupt)
    })?;
    let path = directory.join(MANIFEST);
    let text = manifest_text(&arguments.image, &digest);
    output::write_file(&path, text.as_bytes(), interrupt)?;
    progress.phase("checking", Some(image.size()));
    let made = made(&path, &progress, interrupt)?;
    drop(progress);
    if made != digest {
        return Err(Failure::Failed(format!(
            "{} would make another image (SHA-256 {made}), which is a fault of isobuild",
            visible_path(&path)
        )));
    }
    if !arguments.quiet && !arguments.json {
        print(&format!(
            "{}: {} files and a skeleton; it makes the same image, SHA-256 {digest}\n",
            visible_path(&path),
            parts.len()
        ))?;
    }
    Ok(Vec::new())
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
    let mut buffer = vec![0; PIECE];
    let all = Range {
        offset: 0,
        length: image.size(),
    };
    each_piece(image, all, |at, bytes| {
        sum.update(bytes);
        let left = &mut buffer[..bytes.len()];
        skeleton
            .read_exact_at(left, at)
            .map_err(|error| Failure::io("the image", "reading", error))?;
        packed.write_all(left).map_err(failed)?;
        progress(at + bytes.len() as u64)
    })?;
    let written = packed.finish().map_err(failed)?;
    let file = written.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(text::hex(&sum.finalize()))
}

fn manifest_text(image: &Path, digest: &str) -> String {
    let output = toml::Value::String(output_name(image));
    format!(
        "# The parts of an image. It is made again bit by bit, with the SHA-256 {digest}.\n\
         # A file in `{FILES}` may be exchanged for another of the same length. What is no file's content is in the skeleton.\n\
         output = {output}\n\n[base]\nimage = \"{SKELETON}\"\nfill = \"{FILES}\"\n"
    )
}
