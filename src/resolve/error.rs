//! Why what a manifest names does not become contents.

use std::io;
use std::path::{Path, PathBuf};

use crate::ground::text::visible_path;
use crate::manifest::diagnostic::Report;

/// Why what a manifest names does not become contents.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// What the manifest says and what is there do not fit: every fault.
    #[error(transparent)]
    Manifest(Box<Report>),
    /// An input is missing, unreadable, of the wrong digest or of the wrong form.
    #[error("{}: {message}", visible_path(.path))]
    Input {
        /// The input.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Reading failed on the way.
    #[error("{}: {action}: {source}", visible_path(.path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// An input did not hold still.
    #[error("{path:?} changed while the image was built: {what}")]
    Changed {
        /// The input.
        path: PathBuf,
        /// In what.
        what: String,
    },
}

impl ResolveError {
    /// An input that cannot be used.
    pub(super) fn input(path: &Path, message: impl Into<String>) -> Self {
        Self::Input {
            path: path.into(),
            message: message.into(),
        }
    }
}
