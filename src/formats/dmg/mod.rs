//! Apple's disk images (UDIF). A file has chunks, each with its own compression, a property list that says where they are, and a trailer.
//!
//! Apple has not published a specification. The structures and their names are those that QEMU, 7-Zip and dmg2img read in images of `hdiutil`.
//! Numbers are big-endian.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::open;
pub use write::{Chunk, Writer};

const SECTOR: u64 = 512;

/// The trailer.
const KOLY: &[u8; 4] = b"koly";
const TRAILER: usize = 512;

/// A table of chunks.
const MISH: &[u8; 4] = b"mish";

/// The types of chunks.
const ZEROS: u32 = 0;
const ZLIB: u32 = 0x8000_0005;
const TERMINATOR: u32 = 0xffff_ffff;
