//! Why a manifest is not taken.

use super::diagnostic::Report;
use crate::ground::input_error::InputError;

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is wrong: every fault.
    #[error(transparent)]
    Faults(Box<Report>),
    /// It cannot be read, or it is not text.
    #[error(transparent)]
    Input(#[from] InputError),
}
