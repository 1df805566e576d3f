//! QEMU's disk images: a table of tables says where each cluster of the disk is in the file.
//!
//! Source: QEMU, docs/interop/qcow2.txt, whose names the fields have. Numbers are big-endian.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::open;
pub use write::Writer;

/// The first four bytes.
const MAGIC: u32 = 0x5146_49fb;

/// A table entry: the cluster that it points at is referred to once, so that it may be written in place.
const COPIED: u64 = 1 << 63;

/// `header_length` of version 3 with the type of compression.
const HEADER_LENGTH: u32 = 112;
