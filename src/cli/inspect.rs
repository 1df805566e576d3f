//! `isobuild inspect`

use std::path::Path;

use crate::facts::Description;
use crate::ground::read_at::FileAt;
use crate::ground::stamp;
use crate::look::inspect::{self, InspectError};
use crate::manifest::error::Error;

use super::progress::Progress;
use super::{Inspect, print, print_json, show};

pub(super) fn run(arguments: &Inspect) -> Result<(), Error> {
    let facts = described(&arguments.image, arguments.session)?;
    match arguments.json {
        true => print_json(&facts),
        false => {
            show::notes(&facts.warnings);
            print(&show::picture(&facts))
        }
    }
}

/// Everything that the bytes of an image say.
pub(super) fn described(path: &Path, session: Option<usize>) -> Result<Description, Error> {
    let image = open(path)?;
    let _progress = Progress::new("reading the image", false);
    inspect::inspect_session(&image, session).map_err(|error| unreadable(path, error))
}

/// An image is a regular file or a block device; reading a FIFO or a terminal could wait for ever.
pub(super) fn open(path: &Path) -> Result<FileAt, Error> {
    use std::os::unix::fs::FileTypeExt;
    let unusable = |error: std::io::Error| Error::input(path, error.to_string());
    let file = stamp::open(path).map_err(unusable)?;
    let kind = file.metadata().map_err(unusable)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        let what = if kind.is_dir() {
            "a directory"
        } else {
            "neither a file nor a disk"
        };
        return Err(Error::input(path, format!("is {what}, not an image")));
    }
    FileAt::new(file).map_err(unusable)
}

/// The disk's fault, or that of what is on it.
pub(super) fn unreadable(image: &Path, error: InspectError) -> Error {
    match error {
        InspectError::Io(source) => Error::Io {
            path: image.to_owned(),
            action: "reading",
            source,
        },
        other => Error::input(image, other.to_string()),
    }
}
