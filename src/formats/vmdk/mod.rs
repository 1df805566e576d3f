//! VMware's disks.
//!
//! Source: VMware, "Virtual Disk Format 5.0" (2011), whose names the fields have. Numbers are little-endian.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::open;
pub use write::Writer;

const SECTOR: u64 = 512;

/// "Hosted Sparse Extent Header".
const MAGIC: &[u8; 4] = b"KDMV";

/// "Stream-Optimized Compressed Sparse Extents", gdOffset in the header: the footer says where the grain directory is.
const AT_END: u64 = u64::MAX;
