//! Why an image is not on a medium.

use std::io;
use std::path::{Path, PathBuf};

use crate::output;

/// What can end a transfer.
#[derive(Debug)]
pub enum DeviceError {
    /// The medium is not one to write to. Nothing was written.
    Refused {
        /// The medium.
        path: PathBuf,
        /// Everything that speaks against it.
        reasons: Vec<String>,
    },
    /// The image is none, or broken.
    Image {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The image is not what it was at the start.
    Changed {
        /// The image.
        path: PathBuf,
        /// In what.
        what: String,
    },
    /// The system reports an error.
    Io {
        /// The image or the medium.
        path: PathBuf,
        /// What was attempted: a verb.
        action: &'static str,
        /// The byte offset, if it is known.
        offset: Option<u64>,
        /// The system's reason.
        source: io::Error,
    },
    /// What is read back is not what was written.
    Different {
        /// The medium.
        path: PathBuf,
        /// The byte offset of the first sector that differs.
        offset: u64,
        /// Bytes of a sector.
        sector_size: u64,
    },
    /// The file cannot be written.
    Output(output::OutputError),
    /// A signal asked to stop.
    Interrupted(i32),
}

impl DeviceError {
    pub(super) fn refused(path: &Path, reason: impl Into<String>) -> Self {
        Self::Refused {
            path: path.into(),
            reasons: vec![reason.into()],
        }
    }

    pub(super) fn image(path: &Path, message: impl Into<String>) -> Self {
        Self::Image {
            path: path.into(),
            message: message.into(),
        }
    }

    /// A [`DeviceError::Io`] in the making: for `map_err`.
    pub(super) fn io<E: Into<io::Error>>(
        path: &Path,
        action: &'static str,
        offset: Option<u64>,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Io {
            path: path.into(),
            action,
            offset,
            source: source.into(),
        }
    }
}

impl From<output::OutputError> for DeviceError {
    fn from(error: output::OutputError) -> Self {
        match error {
            output::OutputError::Interrupted(signal) => Self::Interrupted(signal),
            error => Self::Output(error),
        }
    }
}

impl std::error::Error for DeviceError {}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = crate::ground::text::visible_path;
        match self {
            Self::Refused { path, reasons } => {
                write!(f, "refusing to write to {}: {}", name(path), reasons.join("; "))
            }
            Self::Image { path, message } => write!(f, "{}: {message}", name(path)),
            Self::Changed { path, what } => write!(f, "{} changed while it was written: {what}", name(path)),
            Self::Io {
                path,
                action,
                offset,
                source,
            } => {
                write!(f, "cannot {action} {}", name(path))?;
                if let Some(offset) = offset {
                    write!(f, " at byte {offset}")?;
                }
                write!(f, ": {source}")
            }
            Self::Different {
                path,
                offset,
                sector_size,
            } => write!(
                f,
                "{} does not keep what is written to it: the first sector that reads otherwise is LBA {}, at byte {offset}",
                name(path),
                offset / sector_size
            ),
            Self::Output(error) => write!(f, "{error}"),
            Self::Interrupted(signal) => write!(f, "interrupted by signal {signal}"),
        }
    }
}
