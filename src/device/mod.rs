//! Disks: which there are, and which an image may be written to.

mod disk;
mod sysfs;
#[cfg(test)]
mod tests;
mod uses;

pub use disk::{Bus, Disk, Partition, Refusal, Use};
pub use sysfs::Host;
