//! Why an input cannot be used. Manifests, the files that they name and images are inputs.

use std::io;
use std::path::{Path, PathBuf};

use super::text::visible_path;

/// Why an input cannot be used: a manifest, a file that it names, an image.
///
/// ```
/// use isobuild::{Error, InputError};
///
/// let error = isobuild::inspect("/no/such/image.iso").unwrap_err();
/// let Error::Input(InputError::Unusable { path, .. }) = error else { panic!("{error}") };
/// assert_eq!(path.to_str(), Some("/no/such/image.iso"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// It is missing, unreadable, of the wrong digest or of the wrong form.
    #[error("{}: {message}", visible_path(.path))]
    Unusable {
        /// The input.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Reading or writing failed on the way.
    #[error("{}: {action}: {source}", visible_path(.path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It changed after it was first looked at.
    #[error("{path:?} changed while the image was built: {what}")]
    Changed {
        /// The input.
        path: PathBuf,
        /// In what.
        what: String,
    },
}

impl InputError {
    /// An input that cannot be used.
    pub(crate) fn unusable(path: &Path, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self::Unusable { path, message }
    }

    /// Reading or writing failed on the way.
    pub(crate) fn io(path: impl Into<PathBuf>, action: &'static str, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.into(), source.into());
        Self::Io { path, action, source }
    }
}
