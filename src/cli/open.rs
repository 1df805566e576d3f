//! The images that verbs read: files and disks, compressed or not.

use std::path::Path;

use super::Failure;
use crate::Error;
use crate::ground::text::visible_path;
use crate::look::open::{self, Name, OpenError, Opened};
use crate::output::{self, Interrupt};

use super::progress::Progress;
use super::show;

/// The image at `path`, to be read by this program.
pub(super) fn open(path: &Path) -> Result<Opened, Failure> {
    opened(path, Name::Needless, &Interrupt::default())
}

/// The same, with or without a name for other programs, until a signal comes.
pub(super) fn opened(path: &Path, name: Name, interrupt: &Interrupt) -> Result<Opened, Failure> {
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
        OpenError::Stopped => output::OutputError::Interrupted(interrupt.requested().unwrap_or_default()).into(),
        error => Failure::Image(Error::opened(path, error)),
    })?;
    if image.behind() > 0 {
        let (name, count) = (visible_path(path), image.behind());
        show::notes(&[format!(
            "{name}: {count} bytes behind what is compressed are no part of the image"
        )]);
    }
    Ok(image)
}
