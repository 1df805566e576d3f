//! An image as a machine sees it, and the proof that nobody wrote to it.

use std::path::{Path, PathBuf};

use super::MachineError;
use super::overlay::Overlay;
use crate::facts::cell::Medium;

/// An image in a machine's drive. The image itself stays as it is.
#[derive(Debug)]
pub struct Scratch {
    image: PathBuf,
    medium: Medium,
    /// A disc is not written to.
    overlay: Option<Overlay>,
}

impl Scratch {
    /// The image as `medium`; what the machine writes goes to a file in `directory`. On a stick much real firmware does not look at
    /// El Torito, but EDK2 does, so that an image without a partition for the ESP would pass there: it is blanked.
    pub fn new(image: &Path, medium: Medium, directory: &Path) -> Result<Self, MachineError> {
        let path = directory.join("medium.qcow2");
        let blank = matches!(medium, Medium::Usb | Medium::Usb4kn);
        let overlay = match medium {
            Medium::Cd => None,
            _ => Some(Overlay::create(&path, image, blank).map_err(MachineError::io(&path))?),
        };
        Ok(Self {
            image: image.into(),
            medium,
            overlay,
        })
    }

    /// The file that QEMU opens.
    pub fn path(&self) -> &Path {
        self.overlay.as_ref().map_or(&self.image, |overlay| overlay.path())
    }

    /// Its format, as QEMU calls it.
    pub fn format(&self) -> &'static str {
        match self.overlay {
            Some(_) => "qcow2",
            None => "raw",
        }
    }

    /// What it is in the machine.
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// The error says where the machine has written other bytes than were there. EDK2 repairs a GPT that it finds wrong by writing to
    /// the medium, and a disc's checksum would not match a stick's.
    pub fn check_unwritten(&self) -> Result<(), MachineError> {
        let Some(overlay) = &self.overlay else {
            return Ok(());
        };
        let changed = overlay.changed().map_err(MachineError::io(overlay.path()))?;
        changed.map_or(Ok(()), |(offset, clusters)| {
            Err(MachineError::Written { offset, clusters })
        })
    }
}
