//! `isobuild build`

use std::path::PathBuf;

use isobuild::error::Error;
use isobuild::image::{self, IsoTree};
use isobuild::write::Interrupt;
use isobuild::{iso9660, manifest, resolve, text, write};

use super::progress::Progress;
use super::{Build, environment, interrupt, print_json, show};

pub(super) fn run(arguments: &Build) -> Result<(), Error> {
    build(arguments, &interrupt()?).map(drop)
}

/// Where the image has been written.
pub(super) fn build(arguments: &Build, interrupt: &Interrupt) -> Result<PathBuf, Error> {
    let progress = Progress::new("looking at the inputs", arguments.quiet);
    let document = manifest::load(&arguments.manifest)?;
    let resolved = resolve::resolve(&document, &environment(arguments.output.clone()))?;
    let iso = IsoTree::of(&resolved);
    let planned = |error: image::PlanError| error.into_error(&document);
    let mut plan = image::plan(&resolved, &iso).map_err(planned)?;
    let mut facts = plan.facts().map_err(planned)?;
    if !arguments.quiet {
        progress.aside(|| show::warnings(&resolved.report, &facts.warnings));
    }
    // What the image says of its own bytes takes a pass over them each, the list first: the MD5 is of its bytes too.
    let pass = |plan: &image::Plan<'_>, take: &mut dyn FnMut(&[u8])| -> Result<(), Error> {
        let pieces = plan.encode().map_err(planned)?;
        progress.begin(plan.size());
        let mut update = |done| progress.update(done);
        Ok(write::digest(
            &resolved.output,
            plan.size(),
            pieces,
            take,
            &mut update,
            interrupt,
        )?)
    };
    if let Some(mut digests) = plan.digests() {
        pass(&plan, &mut |bytes| digests.update(bytes))?;
        plan.fill_in(digests);
    }
    if plan.wants_media_md5() {
        let mut summing = iso9660::Summing::new(plan.size());
        pass(&plan, &mut |bytes| summing.update(bytes))?;
        plan.implant(summing.finish());
    }
    let pieces = plan.encode().map_err(planned)?;
    progress.begin(plan.size());
    let written = write::write(
        &resolved.output,
        plan.size(),
        pieces,
        arguments.json,
        &mut |done| progress.update(done),
        interrupt,
    )?;
    drop(progress);
    if arguments.json {
        facts = plan.describe().map_err(planned)?;
        facts.sha256 = written.sha256.map(|digest| text::hex(&digest));
        print_json(&facts)?;
    } else if !arguments.quiet {
        show::built(&resolved.output, &facts);
    }
    Ok(resolved.output)
}
