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

/// A bit of a table entry: only this entry refers to the cluster, so that QEMU may write to it in place.
const COPIED: u64 = 1 << 63;

/// `header_length` of version 3 with the type of compression.
const HEADER_LENGTH: u32 = 112;
