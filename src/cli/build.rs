//! `isobuild build`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::formats::iso9660;
use crate::ground::text;
use crate::manifest;
use crate::manifest::error::Error;
use crate::output;
use crate::output::Interrupt;
use crate::plan::{self, Late};
use crate::resolve;
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use sha2::{Digest as _, Sha256};

use super::planned::planned;
use super::progress::Progress;
use super::{Arguments, Build, environment, interrupt, print_json, show};

/// The path that means standard output.
pub(super) const STANDARD_OUTPUT: &str = "-";

impl Build {
    fn is_to_standard_output(&self) -> bool {
        self.output.as_deref() == Some(Path::new(STANDARD_OUTPUT))
    }
}

pub(super) fn run(arguments: &Build) -> Result<(), Error> {
    if arguments.json && arguments.is_to_standard_output() {
        let message = "`-o -` writes the image to standard output, and --json would mix with it";
        Arguments::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    build(arguments, &interrupt()?).map(drop)
}

/// Where the image has been written.
pub(super) fn build(arguments: &Build, interrupt: &Interrupt) -> Result<PathBuf, Error> {
    let progress = Progress::new("looking at the inputs", arguments.quiet);
    let document = manifest::load(&arguments.manifest)?;
    if arguments.manifest == Path::new(manifest::STANDARD_INPUT)
        && arguments.output.is_none()
        && document.manifest.output.is_none()
    {
        let message = "a manifest from standard input has no name, so the image needs one: -o, or the key `output`";
        return Err(Error::input(&arguments.manifest, message));
    }
    let resolved = resolve::resolve(&document, &environment(arguments.output.clone()))?;
    let planned = |error: plan::PlanError| planned(error, &document);
    let plan = plan::plan(resolved.contents).map_err(planned)?;
    let mut late = Late::default();
    let mut described = plan.brief(&late).map_err(planned)?;
    if !arguments.quiet {
        progress.aside(|| show::warnings(&resolved.report, &described.planned.warnings));
    }
    // What the image says of its own bytes takes a pass over them each, the list first: the MD5 is of its bytes too.
    let pass = |late: &Late, take: &mut dyn FnMut(&[u8])| -> Result<(), Error> {
        progress.begin(plan.size());
        let mut update = |done| progress.update(done);
        Ok(output::digest(
            &resolved.output,
            plan.size(),
            plan.pieces(late),
            take,
            &mut update,
            interrupt,
        )?)
    };
    if let Some(mut digests) = plan.digests() {
        pass(&late, &mut |bytes| digests.update(bytes))?;
        late.digests = Some(digests.finish());
    }
    if plan.wants_media_md5() {
        let mut summing = iso9660::Summing::new(plan.size());
        pass(&late, &mut |bytes| summing.update(bytes))?;
        late.media_md5 = Some(summing.finish());
    }
    let sha256 = if arguments.is_to_standard_output() {
        stream(&mut |take| pass(&late, take))?;
        None
    } else {
        if !output::is_written(&resolved.output, plan.size(), plan.pieces(&late), interrupt)? {
            progress.begin(plan.size());
            let mut update = |done| progress.update(done);
            let (size, json) = (plan.size(), arguments.json);
            output::write(&resolved.output, size, plan.pieces(&late), json, &mut update, interrupt)?.sha256
        } else if arguments.json {
            let mut sha256 = Sha256::new();
            pass(&late, &mut |bytes| sha256.update(bytes))?;
            Some(sha256.finalize().into())
        } else {
            None
        }
    };
    drop(progress);
    if arguments.json {
        described = plan.describe(&late).map_err(planned)?;
        described.planned.sha256 = sha256.map(|digest: [u8; 32]| text::hex(&digest));
        print_json(&described)?;
    } else if !arguments.quiet {
        show::built(&resolved.output, &described);
    }
    Ok(resolved.output)
}

/// Takes the bytes of a pass.
type Take<'a> = dyn FnMut(&[u8]) + 'a;

/// Writes the bytes of a pass to standard output.
fn stream(pass: &mut dyn FnMut(&mut Take<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let mut failed = None;
    pass(&mut |bytes| {
        if failed.is_none() {
            failed = out.write_all(bytes).err();
        }
    })?;
    match failed.map_or_else(|| out.flush(), Err) {
        Ok(()) => Ok(()),
        Err(source) => Err(Error::Io {
            path: "standard output".into(),
            action: "writing",
            source,
        }),
    }
}
