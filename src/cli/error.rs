//! Why a run ends early, and the exit code that says so.

use std::io;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::device::DeviceError;
use crate::ground::input_error::InputError;
use crate::manifest::ManifestError;
use crate::output::OutputError;
use crate::vm::MachineError;

/// Everything that can end a run. The exit codes are part of the command line's contract.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// An image cannot be made, written or read.
    #[error(transparent)]
    Image(#[from] Error),
    /// A verdict is negative; the text says which.
    #[error("{}", .0)]
    Verdict(String),
    /// The request is not safe; the text says why.
    #[error("{}", .0)]
    Refused(String),
    /// A machine, a disk or a disc fails; the text says how.
    #[error("{}", .0)]
    Failed(String),
}

impl Failure {
    /// An input that cannot be used.
    pub(super) fn input(path: &Path, message: impl Into<String>) -> Self {
        Self::Image(InputError::unusable(path, message).into())
    }

    /// Reading or writing failed on the way.
    pub(super) fn io(path: impl Into<PathBuf>, action: &'static str, source: impl Into<io::Error>) -> Self {
        Self::Image(InputError::io(path, action, source).into())
    }

    /// 1 manifest or input wrong, 3 I/O error, 4 refused for safety, 5 a verdict is negative, 130 and 143 interrupted.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Image(error) => match error {
                Error::Manifest(_)
                | Error::Input(InputError::Unusable { .. })
                | Error::Plan { .. }
                | Error::Write(OutputError::TooLong { .. }) => 1,
                Error::Write(OutputError::Refused { .. }) => 4,
                Error::Write(OutputError::Interrupted(signal)) => 128 + u8::try_from(*signal).unwrap_or(0),
                Error::Input(InputError::Io { .. } | InputError::Changed { .. }) | Error::Write(_) => 3,
            },
            Self::Failed(_) => 3,
            Self::Refused(_) => 4,
            Self::Verdict(_) => 5,
        }
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Self::Image(error.into())
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::Image(error.into())
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Refused { .. } => Self::Refused(error.to_string()),
            DeviceError::Image { path, message } => Self::input(&path, message),
            DeviceError::Different { .. } => Self::Verdict(error.to_string()),
            DeviceError::Output(error) => error.into(),
            DeviceError::Interrupted(signal) => OutputError::Interrupted(signal).into(),
            DeviceError::Changed { .. } | DeviceError::Io { .. } => Self::Failed(error.to_string()),
        }
    }
}

impl From<MachineError> for Failure {
    fn from(error: MachineError) -> Self {
        match error {
            MachineError::Missing(_) | MachineError::Control(_) => Self::Failed(error.to_string()),
            MachineError::Io { path, source } => Self::io(path, "running a machine", source),
            MachineError::Failed(_) | MachineError::Written { .. } => Self::Verdict(error.to_string()),
            MachineError::Interrupted(signal) => OutputError::Interrupted(signal).into(),
        }
    }
}
