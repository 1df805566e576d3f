//! The images that verbs read: files and disks, compressed or not.

use std::path::Path;

use crate::ground::text::visible_path;
use crate::look::open::{self, Name, OpenError, Opened};
use crate::manifest::error::Error;
use crate::output::{self, Interrupt};

use super::progress::Progress;
use super::show;

/// The image at `path`, to be read by this program.
pub(super) fn open(path: &Path) -> Result<Opened, Error> {
    opened(path, Name::Needless, &Interrupt::default())
}

/// The same, with or without a name for other programs, until a signal comes.
pub(super) fn opened(path: &Path, name: Name, interrupt: &Interrupt) -> Result<Opened, Error> {
    let progress = Progress::new("decompressing the image", false);
    let mut has_begun = false;
    let image = open::open(path, name, &mut |done, total| {
        if !std::mem::replace(&mut has_begun, true) {
            progress.phase("decompressing", Some(total));
        }
        progress.update(done);
        interrupt.requested().is_none()
    });
    drop(progress);
    let image = image.map_err(|error| match error {
        OpenError::Hold(source) => Error::Io {
            path: std::env::temp_dir(),
            action: "decompressing to",
            source,
        },
        OpenError::Stopped => output::OutputError::Interrupted(interrupt.requested().unwrap_or_default()).into(),
        error => Error::input(path, error.to_string()),
    })?;
    if image.behind() > 0 {
        let (name, count) = (visible_path(path), image.behind());
        show::notes(&[format!(
            "{name}: {count} bytes behind what is compressed are no part of the image"
        )]);
    }
    Ok(image)
}
