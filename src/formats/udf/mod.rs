//! UDF (ECMA-167 with OSTA's rules): 1.02 to 2.60 read back from bytes that may be hostile, and 1.02 written.
//!
//! | file | clause | knows |
//! |---|---|---|
//! | `descriptor` | ECMA-167 3/7.2, 3/10 | tags, and the descriptors of the volume |
//! | `volume` | ECMA-167 3/8.4; UDF 2.2 | from the anchor to the file set |
//! | `maps` | ECMA-167 3/10.7 | the partition maps, and the tables that they need |
//! | `partition` | UDF 2.2.8 to 2.2.13 | what a block number means: physical, virtual, sparable and metadata partitions |
//! | `file_entry` | ECMA-167 4/14.9, 4/14.17 | what a file is and where its bytes are |
//! | `directory` | ECMA-167 4/14.4 | the names in a directory |
//! | `text` | UDF 2.1.1 | compressed unicode, and time stamps |
//! | `walk` | | the tree, with limits on what it may take |
//! | `write` | UDF 1.02 | all of it the other way round |
//! | `edit` | | a volume of any writer, changed where it is |
//!
//! Addresses are byte offsets; block numbers appear only inside structures. There is no checking of the space bitmap, and named
//! streams are not read.

mod descriptor;
mod directory;
pub mod edit;
mod file_entry;
mod maps;
mod partition;
mod recognition;
mod text;
mod volume;
mod walk;
pub mod write;

#[cfg(test)]
mod tests;

pub use recognition::{is_announced, recognition_sequence};
use std::io;

use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::time::Timestamp;

/// What a UDF volume holds.
#[derive(Debug)]
pub struct Volume {
    /// The logical volume identifier.
    pub label: String,
    /// Of the logical block, in bytes.
    pub block: u64,
    /// The bytes of the one partition that there is, if its blocks are where it has them: no table stands between.
    pub partition: Option<Range>,
    /// Parents before children; the root first.
    pub entries: Vec<UdfEntry>,
    /// How many names have no entry; the notes say why.
    pub left_out: usize,
    /// The volume's own structures.
    pub structures: Vec<Structure>,
    /// What contradicts the standard, or is not supported.
    pub notes: Vec<String>,
    /// What most readers do not mind.
    pub remarks: Vec<String>,
}

/// A name in a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdfEntry {
    /// From the root, which is `/`.
    pub path: Vec<u8>,
    /// What it names.
    pub kind: Kind,
    /// Of the content, in bytes.
    pub length: u64,
    /// Byte offset in the image and length of each piece of the content, without an offset for zeros that are not recorded. Cut
    /// where the image ends.
    pub extents: Vec<(Option<u64>, u64)>,
    /// What POSIX knows of it.
    pub attributes: Attributes,
    /// The byte that its file entry begins at.
    pub entry: u64,
}

/// What a [`UdfEntry`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file, a real-time file too.
    File,
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A device by its numbers, a FIFO or a socket.
    Other(Option<(u32, u32)>),
}

/// ECMA-167 4/14.9.3 to 14.9.12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `st_mode`: file type and permissions.
    pub mode: u32,
    /// `st_nlink`.
    pub links: u32,
    /// None where the volume does not say: UDF 2.3.6.3.
    pub uid: Option<u32>,
    /// None where the volume does not say: UDF 2.3.6.4.
    pub gid: Option<u32>,
    /// The same for every name of one file.
    pub serial: u64,
    /// Of the last change of the content.
    pub modified: Timestamp,
}

/// A run of bytes that belongs to the volume itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// First byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// What it is.
    pub what: What,
}

/// What a [`Structure`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// ECMA-167 3/10.2.
    Anchor,
    /// A volume descriptor sequence: ECMA-167 3/8.4.2.
    VolumeDescriptors,
    /// ECMA-167 3/10.10.
    Integrity,
    /// ECMA-167 4/14.1.
    FileSet,
    /// ECMA-167 4/14.9 and 4/14.17, embedded content included.
    FileEntry,
    /// ECMA-167 4/14.5: more allocation descriptors.
    Allocation,
    /// The content of a directory.
    Directory(Vec<u8>),
    /// The tables of virtual, sparable and metadata partitions.
    PartitionTable,
}

/// Why there is no volume to be read.
#[derive(Debug, thiserror::Error)]
pub enum UdfError {
    /// Reading failed.
    #[error("reading the UDF volume: {0}")]
    Read(#[from] io::Error),
    /// A structure that everything else depends on is missing or wrong.
    #[error("UDF: {}", .0)]
    Damaged(String),
}

/// Reads the volume of an image, which ends at byte `end` if it is at the begin of a larger medium. None if there is no anchor of one.
pub fn read(image: &dyn ReadAt, end: u64) -> Result<Option<Volume>, UdfError> {
    let Some(opened) = volume::open(image, end)? else {
        return Ok(None);
    };
    walk::walk(image, opened).map(Some)
}

/// The little-endian number at `at`.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian number at `at`.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian number at `at`.
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
