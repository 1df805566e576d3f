//! `isobuild inspect`

use std::path::Path;

use crate::facts::Description;
use crate::ground::read_at::ReadAt;
use crate::look::inspect::{self, InspectError};
use crate::manifest::error::Error;

use super::open::open;
use super::progress::Progress;
use super::{Inspect, print, print_json, show};

pub(super) fn run(arguments: &Inspect) -> Result<(), Error> {
    let path = &arguments.image;
    let described = described(path, &open(path)?, arguments.session)?;
    match arguments.json {
        true => print_json(&described),
        false => {
            show::notes(described.warnings());
            print(&show::picture(&described))
        }
    }
}

/// Everything that the bytes of an image say.
pub(super) fn described(path: &Path, image: &dyn ReadAt, session: Option<usize>) -> Result<Description, Error> {
    let _progress = Progress::new("reading the image", false);
    inspect::inspect_session(image, session).map_err(|error| unreadable(path, error))
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
