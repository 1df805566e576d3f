//! `isobuild inspect`

use std::path::Path;

use crate::Error;
use crate::facts::Description;
use crate::ground::read_at::ReadAt;
use crate::look::inspect;

use super::open::open;
use super::progress::Progress;
use super::{Failure, Inspect, print, print_json, show};

pub(super) fn run(arguments: &Inspect) -> Result<(), Failure> {
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
pub(super) fn described(path: &Path, image: &dyn ReadAt, session: Option<usize>) -> Result<Description, Failure> {
    let _progress = Progress::new("reading the image", false);
    inspect::inspect_session(image, session).map_err(|error| Error::inspected(path, error).into())
}
