//! Why a manifest is not taken.

use std::path::{Path, PathBuf};

use super::diagnostic::Report;
use crate::ground::text::visible_path;

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is wrong: every fault.
    #[error(transparent)]
    Faults(Box<Report>),
    /// It cannot be read, or is no text.
    #[error("{}: {message}", visible_path(.path))]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

impl ManifestError {
    pub(super) fn unreadable(path: &Path, message: impl Into<String>) -> Self {
        Self::Unreadable {
            path: path.into(),
            message: message.into(),
        }
    }
}
