//! `isobuild convert`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::open::opened;
use super::progress::Progress;
use super::{Failure, interrupt, print_json, show};
use crate::device::{self, Host};
use crate::facts::OutputFacts;
use crate::ground::read_at::ReadAt as _;
use crate::ground::text::{self, visible_path};
use crate::look::convert;
use crate::look::open::Name;
use crate::output::{self, BoxedError, FileFormat, Target, Wanted};

#[derive(Debug, Args)]
pub(super) struct Convert {
    /// A disk or an image in any form that is read, or a block device.
    input: PathBuf,
    /// The files to write. The suffix of each says its form: .iso, .img, .qcow2, .vhd, .vhdx, .vmdk or .dmg, and .gz, .xz or .zst
    /// behind it.
    #[arg(required = true, value_name = "OUTPUT")]
    outputs: Vec<PathBuf>,
    /// The form of every output, whatever its suffix; also vhd-fixed.
    #[arg(long, value_name = "FORM", value_parser = FileFormat::of_name)]
    format: Option<FileFormat>,
    /// How hard to compress: gzip 1 to 9, xz 0 to 9, zstd 1 to 22.
    #[arg(long, value_name = "NUMBER")]
    level: Option<u32>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// No progress bar, no closing line.
    #[arg(short, long)]
    quiet: bool,
}

/// The JSON of `convert`.
#[derive(Serialize)]
struct Converted {
    /// Of the disk, in bytes.
    size: u64,
    sha256: String,
    outputs: Vec<OutputFacts>,
}

pub(super) fn run(arguments: &Convert) -> Result<(), Failure> {
    let targets = targets(arguments)?;
    let interrupt = interrupt()?;
    let disk = opened(&arguments.input, Name::Needless, &interrupt)?;
    let size = disk.size();
    if size == 0 {
        return Err(Failure::input(&arguments.input, "there is nothing in it"));
    }
    let progress = Progress::new("converting", arguments.quiet);
    progress.phase("converting", Some(size));
    let mut update = |done| progress.update(done);
    let check = |target: &Target, file: std::fs::File, sum: u128| -> Result<(), BoxedError> {
        let go_on = || interrupt.requested().is_none();
        convert::check(target, &file, (size, sum), &go_on)
            .map_err(|error| format!("{}: {error}", visible_path(&target.path)).into())
    };
    let wanted = Wanted {
        image: arguments.json,
        files: arguments.json,
        check: Some(&check),
        ..Wanted::default()
    };
    let written = output::write_all(&targets, size, convert::pieces(&disk), wanted, &mut update, &interrupt)?;
    drop(progress);
    for target in &targets {
        let more = target.disk_size(size) - size;
        if more > 0 {
            show::notes(&[format!(
                "{}: the form has whole sectors; {more} bytes of zeros are behind the disk",
                visible_path(&target.path)
            )]);
        }
    }
    let outputs: Vec<OutputFacts> = show::outputs(&targets, &written);
    if arguments.json {
        let sha256 = written.sha256.map(|digest| text::hex(&digest)).unwrap_or_default();
        return print_json(&Converted { size, sha256, outputs });
    }
    if !arguments.quiet {
        outputs.iter().for_each(|output| show::converted(output, size));
    }
    Ok(())
}

/// The files to write. None of them may hold the input.
fn targets(arguments: &Convert) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    for path in &arguments.outputs {
        if device::overlap(&Host::default(), &arguments.input, path) {
            let message = format!("refusing to write to {}: it holds what is read", visible_path(path));
            return Err(Failure::Refused(message));
        }
        let format = match arguments.format {
            Some(format) => Ok(format),
            None => FileFormat::of_path(path),
        };
        let format = format.and_then(|format| format.with_level(arguments.level));
        let format = format.map_err(|message| Failure::input(path, message))?;
        targets.push(Target::of_disk(path.clone(), format));
    }
    Ok(targets)
}
