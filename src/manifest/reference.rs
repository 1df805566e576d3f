//! What a manifest names a file by.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A file that goes into the image: of the host, or one that is in the image already.
#[derive(Clone, PartialEq, Eq)]
pub enum Reference {
    /// A path of the host, relative to the manifest.
    Host(String),
    /// `iso:/...`: a path in the image, with the slash at its beginning.
    Image(String),
}

/// As it is written.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(path) => f.write_str(path),
            Self::Image(path) => write!(f, "iso:{path}"),
        }
    }
}

/// As it is written, in quotes: as messages name it.
impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl From<String> for Reference {
    fn from(text: String) -> Self {
        match text.strip_prefix("iso:") {
            Some(path) => Self::Image(path.to_owned()),
            None => Self::Host(text),
        }
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
