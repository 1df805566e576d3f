//! Starting images in QEMU: the machine, what it is told, and what it shows.
//!
//! - [`programs`] and [`firmware`]: what of QEMU is installed, and which package has what is not.
//! - [`doctor`]: all that in one list.
//! - [`accelerator`]: what runs the machine's instructions.
//! - [`machine`]: a machine, from its command line to the [`guest`] that it becomes.
//! - [`medium`]: the image in its drive, which stays as it is.
//! - [`trial`]: one cell of a test; [`round`]: all of them; [`report`]: what has come of them.
//! - [`failure`]: what is said when it does not do what it should.

pub mod accelerator;
mod child;
pub mod doctor;
pub mod failure;
pub mod firmware;
pub mod guest;
mod hardware;
mod log;
pub mod machine;
pub mod medium;
mod overlay;
pub mod programs;
mod qmp;
pub mod report;
pub mod round;
mod terminal;
pub mod trial;
mod variables;
mod watch;
mod words;

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::formats::authenticode::Certificate;

pub use failure::Failure;
#[cfg(feature = "inside")]
pub use guest::Guest;
pub use machine::{Machine, Seat};
pub use medium::Scratch;
pub use report::{Report, Skipped};
pub use round::Round;
pub use trial::Outcome;

/// A certificate that a machine's owner has enrolled.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// Where it was read from.
    pub file: PathBuf,
    /// Itself.
    pub certificate: Certificate,
}

/// The logs of a machine: of its serial port, of what its firmware tries, of QEMU itself.
pub const LOGS: [&str; 3] = ["serial.log", "firmware.log", "qemu.log"];

/// Why a machine does not start, or does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A program or a firmware is not installed; which package has it.
    #[error("{0}")]
    Missing(String),
    /// Reading or writing failed.
    #[error("{}: {source}", crate::ground::text::visible(.path.as_os_str().as_bytes()))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// QEMU does not answer on its control socket, or refuses.
    #[error("QEMU: {0}")]
    Control(String),
    /// It has been started, and that is all.
    #[error("{0}")]
    Failed(Box<Failure>),
    /// What it should only read has changed.
    #[error(
        "the machine has written to its medium, first at offset {offset}; blocks of 64 KiB with another content: {clusters}"
    )]
    Written {
        /// Of the first byte that is another.
        offset: u64,
        /// How many blocks of 64 KiB have another content.
        clusters: usize,
    },
    /// A signal has asked to stop.
    #[error("interrupted by signal {0}")]
    Interrupted(i32),
}

impl MachineError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl From<MachineError> for String {
    fn from(error: MachineError) -> Self {
        error.to_string()
    }
}
