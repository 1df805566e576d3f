//! What `run` and `test` are given: an image, or a manifest, whose image is built first when it is older than what goes into it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::Image;
use crate::ground::stamp;
use crate::ground::stamp::Stamp;
use crate::look::inspect;
use crate::look::open::{Name, Opened};
use crate::manifest::{self, Expectations};
use crate::output::Interrupt;
use crate::plan::Late;
use crate::tree::source::Source;
use crate::vm::Trusted;

use super::open::{open, opened};
use super::progress::Progress;
use super::trust::certificate;
use super::{Failure, build, environment, show};

/// An image that is there, and what a manifest says about its test.
pub(super) struct Subject {
    /// What it is called.
    pub(super) name: PathBuf,
    /// QEMU opens it by its path.
    pub(super) image: Opened,
    pub(super) expectations: Expectations,
    /// The certificate of the key that signs the loader (`boot.sign.cert`).
    pub(super) owner: Option<Trusted>,
}

/// How much of a file shows whether it is text.
const HEAD: u64 = 4096;

/// The image at `path`, or that of the manifest there.
pub(super) fn subject(path: &Path, interrupt: &Interrupt) -> Result<Subject, Failure> {
    if !is_text(path)? {
        return Ok(Subject {
            name: path.into(),
            image: opened(path, Name::Needed, interrupt)?,
            expectations: Expectations::default(),
            owner: None,
        });
    }
    let progress = Progress::new("looking at the inputs", false);
    let document = manifest::load(path)?;
    let image = Image::of(document, &environment(Vec::new()))?;
    match is_current(&image)? {
        true => drop(progress),
        false => {
            progress.aside(|| show::warnings(image.report(), &image.warnings()));
            build::write(&image, progress, false, false, interrupt)?;
        }
    }
    let (document, name) = (image.document(), image.output().to_owned());
    let sign = document.manifest.boot.sign.as_ref();
    let owner = sign.and_then(|sign| sign.get_ref().cert.as_ref()).map(|cert| {
        let base = document.path.parent().unwrap_or(Path::new(""));
        certificate(&base.join(cert.get_ref()))
    });
    Ok(Subject {
        image: opened(&name, Name::Needed, interrupt)?,
        name,
        expectations: document.expectations.clone(),
        owner: owner.transpose()?,
    })
}

/// No image begins with text: it has boot code there, or zeros.
fn is_text(path: &Path) -> Result<bool, Failure> {
    // Whoever opens the image says what is wrong with the path. A FIFO would wait here.
    let Some(file) = path.is_file().then(|| stamp::open(path).ok()).flatten() else {
        return Ok(false);
    };
    let mut head = Vec::new();
    file.take(HEAD)
        .read_to_end(&mut head)
        .map_err(|source| Failure::io(path, "reading", source))?;
    // The last character may be cut.
    let text = std::str::from_utf8(&head).map_or_else(|error| error.error_len().is_none(), |_| true);
    Ok(text && !head.contains(&0))
}

/// Whether the image of a manifest is what a build would make: nothing that goes into it is newer, and it describes itself as the plan
/// does.
fn is_current(image: &Image) -> Result<bool, Failure> {
    let Ok(written) = fs::metadata(image.output()) else {
        return Ok(false);
    };
    if !written.is_file() || !is_newer_than_its_inputs(Stamp::of(&written).mtime, image) {
        return Ok(false);
    }
    let Ok(found) = inspect::inspect(&open(image.output())?) else {
        return Ok(false);
    };
    let mut planned = image.describe(&Late::default())?.facts;
    // A plan does not know the sum of the image's bytes.
    planned.media_md5.clone_from(&found.facts.media_md5);
    Ok(found.facts == planned)
}

/// A program that is newer may write another image.
fn is_newer_than_its_inputs(written: (i64, i64), image: &Image) -> bool {
    let program = env::current_exe();
    let others = [Some(image.document().path.as_path()), program.as_deref().ok()];
    let others = others
        .into_iter()
        .map(|path| path.and_then(|path| fs::metadata(path).ok()));
    let others = others.map(|found| found.map(|metadata| Stamp::of(&metadata)));
    let sources = image.sources().filter_map(|source| match source {
        // An archive may have been decompressed just now.
        Source::File { stamp, member, .. } => Some(Some(member.as_ref().map_or(*stamp, |member| member.stamp))),
        Source::Bytes(..) | Source::Given(_) => None,
    });
    let older = |stamp: Stamp| stamp.mtime.max(stamp.ctime) < written;
    others.chain(sources).all(|stamp| stamp.is_some_and(older))
}
