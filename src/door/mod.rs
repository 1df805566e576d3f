//! What other programs see of this crate. Every name is re-exported at the crate's root, where it is documented.

mod builder;
mod compact;
mod error;
mod facts;
mod image;
mod planned;
mod preview;
#[cfg(test)]
mod tests;

pub use builder::{Builder, Layout, Menu};
pub use error::{Error, Fault, Faults, Place};
pub use facts::{Facts, inspect, inspect_bytes};
pub use image::Image;

pub use crate::facts::cell::{Cell, Firmware, Medium};
pub use crate::facts::{Extent, Partition, PartitionKind, PartitionTable, Verdict, What};
pub use crate::ground::input_error::InputError;
pub use crate::ground::read_at::ReadAt;
pub use crate::output::OutputError as WriteError;
