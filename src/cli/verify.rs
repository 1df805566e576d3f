//! `isobuild verify`

use std::path::{Path, PathBuf};

use crate::device::{self, Comparison, Fault, Medium};
use crate::facts::Extent;
use crate::ground::read_at::ReadAt;
use crate::ground::text::visible_path;
use crate::ground::text::{size, visible};
use crate::look::inspect;
use crate::look::open::{Name, Opened};
use crate::output::Interrupt;
use clap::Args;
use serde::Serialize;

use super::open::opened;
use super::progress::Progress;
use super::{Failure, interrupt, print, print_json};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The image, as it is or compressed with gzip, xz, zstd or bzip2.
    image: PathBuf,
    /// The disk, the disc or the file that it was written to.
    device: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verdict<'a> {
    /// Whether the medium does what the image does.
    same: bool,
    size: u64,
    /// Bytes by which the medium is shorter.
    missing: u64,
    first: Option<Difference>,
    /// Sectors of 512 bytes.
    different_sectors: u64,
    touched: &'a [&'static str],
}

#[derive(Serialize)]
struct Difference {
    offset: u64,
    lba: u64,
    what: Option<String>,
    paths: Vec<String>,
}

pub(super) fn run(arguments: &Verify) -> Result<(), Failure> {
    let interrupt = interrupt()?;
    let image = opened(&arguments.image, Name::Needless, &interrupt)?;
    // Every medium has all bytes of an empty image.
    if image.size() == 0 {
        return Err(Failure::input(&arguments.image, "there is nothing in it"));
    }
    let foreign = inspect::foreign(&image).map_err(|error| Failure::input(&arguments.image, error.to_string()))?;
    if let Some(what) = foreign {
        return Err(Failure::input(&arguments.image, what.to_string()));
    }
    let progress = Progress::new("looking at the image", arguments.json);
    compare(
        (&arguments.image, &image),
        &arguments.device,
        arguments.json,
        progress,
        &interrupt,
    )
}

/// Compares the medium with the image, which has a name to be shown by, and says what differs.
pub(super) fn compare(
    (name, image): (&Path, &Opened),
    device: &Path,
    json: bool,
    progress: Progress,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut medium = Medium::open_to_read(device)?;
    progress.phase("comparing", Some(image.size().min(ReadAt::size(&medium))));
    let mut update = |done| progress.update(done);
    let found = device::verify(image, &mut medium, &mut update, interrupt).map_err(|fault| match fault {
        Fault::Image(source) => Failure::io(name, "reading", source),
        Fault::Medium(error) => error.into(),
        Fault::Interrupted(signal) => device::DeviceError::Interrupted(signal).into(),
    })?;
    drop(progress);
    let first = found
        .first
        .map(|offset| difference(image, offset, medium.sector_size()));
    let names = [visible_path(name), visible_path(device)];
    let verdict = match found.is_sound() {
        true => Ok(()),
        false => Err(Failure::Verdict(format!("{} is not what is on {}", names[0], names[1]))),
    };
    match json {
        true => print_json(&Verdict {
            same: found.is_sound(),
            size: found.size,
            missing: found.missing,
            first,
            different_sectors: found.different,
            touched: &found.touched,
        })?,
        false => print(&text(&found, first, &names))?,
    }
    verdict
}

/// What of the image lies at `offset`. An image of nothing that is known has no names.
fn difference(image: &Opened, offset: u64, sector_size: u64) -> Difference {
    let described = inspect::inspect(image).ok();
    let lies_there = |extent: &Extent| (extent.offset..extent.offset + extent.length).contains(&offset);
    let extent = described.and_then(|described| described.facts.extents.into_iter().find(lies_there));
    let (what, paths) = extent.map_or((None, Vec::new()), |extent| {
        (Some(extent.what.to_string()), extent.paths)
    });
    Difference {
        offset,
        lba: offset / sector_size.max(512),
        what,
        paths,
    }
}

fn text(found: &Comparison, first: Option<Difference>, [image, device]: &[String; 2]) -> String {
    let mut text = String::new();
    if let Some(first) = first {
        let paths: Vec<String> = first.paths.iter().map(|path| visible(path.as_bytes())).collect();
        let what = match (first.what, paths.is_empty()) {
            (Some(what), true) => format!(" in the {what}"),
            (Some(what), false) => format!(" in the {what} {}", paths.join(", ")),
            (None, _) => String::new(),
        };
        text.push_str(&format!(
            "the first difference is{what}, at byte {} (LBA {}); sectors that differ: {} of {}\n",
            first.offset,
            first.lba,
            found.different,
            found.size.div_ceil(512)
        ));
    }
    if found.missing > 0 {
        text.push_str(&format!("{device} is too small: {} are missing\n", size(found.missing)));
    }
    for touched in &found.touched {
        text.push_str(&format!("no damage: {touched}\n"));
    }
    if found.is_sound() {
        let but = if found.touched.is_empty() { "" } else { ", but for that" };
        text.push_str(&format!("{device} has every byte of {image}{but}\n"));
    }
    text
}
