//! `isobuild read`

use std::io;
use std::path::{Path, PathBuf};

use crate::device::{self, Copied, Host, Medium};
use crate::ground::read_at::ReadAt;
use crate::ground::text::visible_path;
use crate::ground::text::{hex, size};
use clap::Args;

use super::progress::Progress;
use super::{Failure, interrupt, print};

#[derive(Debug, Args)]
pub(super) struct Read {
    /// The drive or the disk, such as /dev/sr0.
    device: PathBuf,
    /// The image to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Read all that the medium has, and not only what its volume or its partition table says.
    #[arg(long)]
    all: bool,
    /// No progress bar.
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Read) -> Result<(), Failure> {
    if device::overlap(&Host::default(), &arguments.device, &arguments.output) {
        return Err(Failure::Refused(format!(
            "refusing to write to {}: it holds what is read",
            visible_path(&arguments.output)
        )));
    }
    let interrupt = interrupt()?;
    let mut medium = Medium::open_to_read(&arguments.device)?;
    let length = match arguments.all {
        true => ReadAt::size(&medium),
        false => device::image_size(&medium)?,
    };
    if length == 0 {
        return Err(Failure::io(
            arguments.device.clone(),
            "reading",
            io::Error::other("there is no medium in it, or nothing on it"),
        ));
    }
    let progress = Progress::new("reading", arguments.quiet);
    progress.phase("reading", Some(length));
    let mut update = |done| progress.update(done);
    let copied = device::copy(&mut medium, length, &arguments.output, &mut update, &interrupt)?;
    drop(progress);
    print(&text(&copied, &arguments.output))?;
    let map = map_path(&arguments.output);
    if copied.unreadable.is_empty() {
        return Ok(());
    }
    std::fs::write(&map, device::map(&copied))
        .map_err(|source| Failure::io(&map, "writing the map of what could not be read", source))?;
    let source = io::Error::other(format!(
        "parts of it cannot be read; they are zeros in the image, and in {}, from which ddrescue can go on",
        visible_path(&map)
    ));
    Err(Failure::io(&arguments.device, "reading", source))
}

/// Where the map goes: beside the image.
fn map_path(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".map");
    name.into()
}

/// As sha256sum(1) writes it, so that it can be compared and kept.
fn text(copied: &Copied, output: &Path) -> String {
    let mut text = String::new();
    for &(offset, length) in &copied.unreadable {
        text.push_str(&format!("unreadable: {} at byte {offset}\n", size(length)));
    }
    text.push_str(&format!("{}  {}\n", hex(&copied.sha256), visible_path(output)));
    text
}
