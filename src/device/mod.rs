//! Disks: which there are, and which an image may be written to.

mod ahead;
mod burn;
mod copy;
mod disk;
mod edit;
mod error;
mod expand;
mod fit;
mod host;
mod judge;
mod medium;
mod payload;
mod same;
mod signature;
mod sysfs;
mod target;
#[cfg(test)]
mod tests;
mod touched;
mod transfer;
mod uses;
mod verify;

pub use burn::Burner;
pub use copy::{Copied, copy, image_size, map};
pub use disk::{Bus, Disk, Refusal};
pub use edit::{Changed, check_unused, edit, is_unfinished, journal_path, undo};
pub use error::DeviceError;
pub use expand::{DEBIAN, expand};
pub use fit::fits;
pub use host::Host;
pub use judge::{Starts, judge};
pub use medium::Medium;
pub use payload::Payload;
pub use same::overlap;
pub use signature::contents;
pub use target::{Allowed, Kind, Target};
pub use transfer::{Options, Phase, Report, transfer};
pub use verify::{Comparison, Fault, verify};
