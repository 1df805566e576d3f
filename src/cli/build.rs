//! `isobuild build`

use std::path::Path;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use crate::Image;
use crate::ground::text;
use crate::manifest;
use crate::output::Interrupt;
use crate::plan::Late;

use super::progress::Progress;
use super::{Arguments, Build, Failure, environment, interrupt, print_json, show};

/// The path that means standard output.
pub(super) const STANDARD_OUTPUT: &str = "-";

impl Build {
    fn is_to_standard_output(&self) -> bool {
        self.output.as_deref() == Some(Path::new(STANDARD_OUTPUT))
    }
}

pub(super) fn run(arguments: &Build) -> Result<(), Failure> {
    if arguments.json && arguments.is_to_standard_output() {
        let message = "`-o -` writes the image to standard output, and --json would mix with it";
        Arguments::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    let interrupt = interrupt()?;
    let progress = Progress::new("looking at the inputs", arguments.quiet);
    let document = manifest::load(&arguments.manifest)?;
    if arguments.manifest == Path::new(manifest::STANDARD_INPUT)
        && arguments.output.is_none()
        && document.manifest.output.is_none()
    {
        let message = "a manifest from standard input has no name, so the image needs one: -o, or the key `output`";
        return Err(Failure::input(&arguments.manifest, message));
    }
    let image = Image::of(document, &environment(arguments.output.clone()))?;
    if !arguments.quiet {
        progress.aside(|| show::warnings(image.report(), &image.warnings()));
    }
    if arguments.is_to_standard_output() {
        let late = stream(&image, &progress, &interrupt)?;
        drop(progress);
        if !arguments.quiet {
            show::built(image.output(), &image.brief(&late)?);
        }
        return Ok(());
    }
    write(&image, progress, arguments.json, arguments.quiet, &interrupt)
}

/// Writes the image to where its manifest says, and says what came of it.
pub(super) fn write(
    image: &Image,
    progress: Progress,
    json: bool,
    quiet: bool,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let (late, sha256) = image.write(image.output(), json, &mut bar(&progress), interrupt)?;
    drop(progress);
    if json {
        let mut described = image.describe(&late)?;
        described.planned.sha256 = sha256.map(|digest| text::hex(&digest));
        print_json(&described)?;
    } else if !quiet {
        show::built(image.output(), &image.brief(&late)?);
    }
    Ok(())
}

/// The bar over a pass after the other.
fn bar(progress: &Progress) -> impl FnMut(u64, u64) + Send {
    |done, total| {
        if done == 0 {
            progress.begin(total);
        }
        progress.update(done);
    }
}

fn stream(image: &Image, progress: &Progress, interrupt: &Interrupt) -> Result<Late, Failure> {
    let name = Path::new("standard output");
    let mut out = std::io::stdout().lock();
    Ok(image.stream(name, &mut out, &mut bar(progress), interrupt)?)
}
