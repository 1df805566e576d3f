//! `isobuild build`

use std::fs::File;
use std::path::Path;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use crate::Image;
use crate::ground::text;
use crate::manifest;
use crate::output::{FileFormat, Interrupt, Target, Wanted};
use crate::plan::Late;

use super::progress::Progress;
use super::{Arguments, Build, Failure, environment, interrupt, print_json, show};

/// The path that means standard output.
pub(super) const STANDARD_OUTPUT: &str = "-";

impl Build {
    fn is_to_standard_output(&self) -> bool {
        self.output.iter().any(|path| path == Path::new(STANDARD_OUTPUT))
    }
}

pub(super) fn run(arguments: &Build) -> Result<(), Failure> {
    if arguments.is_to_standard_output() {
        let conflict = match arguments.json {
            true => Some("`-o -` writes the image to standard output, and --json would mix with it"),
            false if arguments.output.len() > 1 => {
                Some("`-o -` writes the image to standard output, and to no file besides")
            }
            false => None,
        };
        if let Some(message) = conflict {
            Arguments::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
    }
    let interrupt = interrupt()?;
    let progress = Progress::new("looking at the inputs", arguments.quiet);
    let document = manifest::load(&arguments.manifest)?;
    if arguments.manifest == Path::new(manifest::STANDARD_INPUT)
        && arguments.output.is_empty()
        && document.manifest.output.is_empty()
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
            show::built(&[image.output()], &image.brief(&late)?);
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
    let targets = image.outputs();
    let wanted = Wanted {
        image: json,
        files: json,
        lists: image.document().manifest.sha256_file,
        check: None,
    };
    let (late, written) = image.write(targets, wanted, &mut bar(&progress), interrupt)?;
    drop(progress);
    if json {
        let mut described = image.describe(&late)?;
        described.planned.sha256 = written.sha256.map(|digest| text::hex(&digest));
        described.planned.outputs = show::outputs(targets, &written);
        print_json(&described)?;
    } else if !quiet {
        let paths: Vec<&Path> = targets.iter().map(|target| target.path.as_path()).collect();
        show::built(&paths, &image.brief(&late)?);
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

/// Writes the image to standard output. A container or a compressed file is made in a temporary file first.
fn stream(image: &Image, progress: &Progress, interrupt: &Interrupt) -> Result<Late, Failure> {
    let name = Path::new("standard output");
    let mut out = std::io::stdout().lock();
    let Some(target) = image
        .outputs()
        .first()
        .filter(|target| target.format != FileFormat::RAW)
    else {
        return Ok(image.stream(name, &mut out, &mut bar(progress), interrupt)?);
    };
    let temporary = std::env::temp_dir();
    let directory = tempfile::tempdir().map_err(|source| Failure::io(&temporary, "creating a directory in", source))?;
    let targets = [Target::of_image(directory.path().join("image"), target.format)];
    let (late, _) = image.write(&targets, Wanted::default(), &mut bar(progress), interrupt)?;
    let copied = File::open(&targets[0].path).and_then(|mut file| std::io::copy(&mut file, &mut out));
    copied.map_err(|source| Failure::io(name, "writing", source))?;
    Ok(late)
}
