//! Why what a manifest names does not become contents.

use std::path::{Path, PathBuf};

use crate::ground::input_error::InputError;
use crate::ground::spool::SpoolError;
use crate::manifest::diagnostic::Report;

/// Why what a manifest names does not become contents.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// What the manifest says and what is there do not fit: every fault.
    #[error(transparent)]
    Manifest(Box<Report>),
    /// An input cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
}

impl ResolveError {
    /// An input that cannot be used.
    pub(super) fn input(path: &Path, message: impl Into<String>) -> Self {
        InputError::unusable(path, message).into()
    }

    /// An input that cannot be copied to a temporary file.
    pub(super) fn spool(path: &Path, error: SpoolError) -> Self {
        match error {
            SpoolError::Read(error) => Self::io(path, "reading", error),
            SpoolError::Hold(error) => Self::io(std::env::temp_dir(), "writing to", error),
            SpoolError::TooMuch => Self::input(path, error.to_string()),
        }
    }

    /// An input that cannot be read.
    pub(super) fn io(path: impl Into<PathBuf>, action: &'static str, source: std::io::Error) -> Self {
        InputError::io(path, action, source).into()
    }
}
