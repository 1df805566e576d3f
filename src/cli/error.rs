//! Why a run ends early, and the exit code that says so.

use std::io;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::device::DeviceError;
use crate::ground::text::visible_path;
use crate::output::OutputError;
use crate::vm::MachineError;

/// Everything that can end a run. The exit codes are part of the command line's contract.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There is no image, or nothing to say of one.
    #[error(transparent)]
    Image(#[from] Error),
    /// An input is missing, unreadable or of the wrong form.
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
    Write(#[from] OutputError),
    /// What was asked for is not safe, in words.
    #[error("{}", .0)]
    Refused(String),
    /// A machine, a disk or a disc does not do what it should, in words.
    #[error("{}", .0)]
    Failed(String),
}

impl Failure {
    /// An input that cannot be used.
    pub(super) fn input(path: &Path, message: impl Into<String>) -> Self {
        Self::Input {
            path: path.into(),
            message: message.into(),
        }
    }

    /// 1 manifest or input wrong, 3 I/O error, 4 refused for safety, 5 a verdict is negative, 130 and 143 interrupted.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Image(Error::Manifest(_) | Error::Input { .. } | Error::Plan { .. }) | Self::Input { .. } => 1,
            Self::Verdict(_) => 5,
            Self::Refused(_) => 4,
            Self::Image(Error::Write(error)) | Self::Write(error) => match error {
                OutputError::Refused { .. } => 4,
                OutputError::Interrupted(signal) => 128 + u8::try_from(*signal).unwrap_or(0),
                _ => 3,
            },
            Self::Image(Error::Io { .. } | Error::Changed { .. }) | Self::Io { .. } | Self::Failed(_) => 3,
        }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Refused { .. } => Self::Refused(error.to_string()),
            DeviceError::Image { path, message } => Self::Input { path, message },
            DeviceError::Different { .. } => Self::Verdict(error.to_string()),
            DeviceError::Output(error) => Self::Write(error),
            DeviceError::Interrupted(signal) => Self::Write(OutputError::Interrupted(signal)),
            DeviceError::Changed { .. } | DeviceError::Io { .. } => Self::Failed(error.to_string()),
        }
    }
}

impl From<MachineError> for Failure {
    fn from(error: MachineError) -> Self {
        match error {
            MachineError::Missing(_) | MachineError::Control(_) => Self::Failed(error.to_string()),
            MachineError::Io { path, source } => Self::Io {
                path,
                action: "running a machine",
                source,
            },
            MachineError::Failed(_) | MachineError::Written { .. } => Self::Verdict(error.to_string()),
            MachineError::Interrupted(signal) => Self::Write(OutputError::Interrupted(signal)),
        }
    }
}
