//! Disks of Virtual PC and Hyper-V, first version.
//!
//! Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0 (2006), whose names the fields have. Numbers are big-endian.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::open;
pub use write::{Kind, Writer};

const SECTOR: u64 = 512;

/// "Hard Disk Footer Format": the length of a footer, and its first bytes.
const FOOTER: usize = 512;
const COOKIE: &[u8; 8] = b"conectix";

/// "Dynamic Disk Header Format".
const HEADER: usize = 1024;
const HEADER_COOKIE: &[u8; 8] = b"cxsparse";

/// "Block Allocation Table": a block that is not in the file.
const UNUSED: u32 = u32::MAX;

/// "Checksum": the one's complement of the sum of all bytes but its own four.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(0, |sum: u32, &byte| sum.wrapping_add(byte.into()))
}
