//! Why a run ends early, and the exit code that says so.

use std::io;
use std::path::{Path, PathBuf};

use crate::ground::text::visible_path;
use crate::manifest::diagnostic::Report;
use crate::output;

/// Everything that can end a run. The exit codes are part of the command line's contract.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest is wrong, or what it names: every fault, each underlined in its line.
    #[error("{}", .0.render(false))]
    Manifest(Box<Report>),
    /// An input is missing, unreadable, of the wrong digest or of the wrong form.
    #[error("{}: {message}", visible_path(.path))]
    Input {
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
    /// A verdict is negative, in words.
    #[error("{}", .0)]
    Verdict(String),
    /// Writing the output failed.
    #[error(transparent)]
    Write(#[from] output::OutputError),
    /// What was asked for is not safe, in words.
    #[error("{}", .0)]
    Refused(String),
    /// A machine, a disk or a disc does not do what it should, in words.
    #[error("{}", .0)]
    Failed(String),
}

impl Error {
    /// An input that cannot be used.
    pub fn input(path: &Path, message: impl Into<String>) -> Self {
        Self::Input {
            path: path.into(),
            message: message.into(),
        }
    }

    /// 1 manifest or input wrong, 3 I/O error, 4 refused for safety, 5 a verdict is negative, 130 and 143 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Manifest(_) | Self::Input { .. } => 1,
            Self::Io { .. } => 3,
            Self::Verdict(_) => 5,
            Self::Refused(_) | Self::Write(output::OutputError::Refused { .. }) => 4,
            Self::Write(output::OutputError::Interrupted(signal)) => 128 + u8::try_from(*signal).unwrap_or(0),
            Self::Write(_) | Self::Failed(_) => 3,
        }
    }
}
