//! ext2, ext3 and ext4, read from bytes that may be hostile.
//!
//! The words are those of the Linux kernel's documentation, "ext4 Data Structures and Algorithms", cited as `ext4`, with the name of the
//! structure.
//!
//! | file | structure | knows |
//! |---|---|---|
//! | `superblock` | super block, block group descriptors | the features, and where inodes are |
//! | `inode` | inode table, inline data | what a file is |
//! | `blocks` | extent tree, direct and indirect blocks | where its bytes are |
//! | `directory` | directory entries | the names in a directory |
//! | `walk` | | the tree, with limits on what it may take |
//!
//! The reader says where the bytes of each file are, as those of every other index do. Checksums of the metadata are not compared, and a
//! journal that holds writes is not replayed: [`Volume::remarks`] say so then. Contents that are encrypted stay so. Extended attributes
//! are not read, except those that hold the rest of a small file.

mod blocks;
mod directory;
mod inode;
mod superblock;
#[cfg(test)]
mod tests;
mod walk;

use std::fmt;
use std::io;

use crate::ground::read_at::ReadAt;
use crate::ground::time::Timestamp;

/// What a volume holds.
#[derive(Debug)]
pub struct Volume {
    /// By its features.
    pub version: Version,
    /// `s_volume_name`.
    pub label: String,
    /// `s_uuid`.
    pub uuid: [u8; 16],
    /// Parents before children; the root first.
    pub entries: Vec<Entry>,
    /// How many names have no entry; the notes say why.
    pub left_out: usize,
    /// What contradicts the format, or cannot be read.
    pub notes: Vec<String>,
    /// What the entries do not show.
    pub remarks: Vec<String>,
}

impl Volume {
    /// The UUID in the form in which Linux and GRUB know it.
    pub fn uuid(&self) -> String {
        uuid::Uuid::from_bytes(self.uuid).to_string()
    }
}

/// Which of the three it is. Their structures are the same as far as each has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Without a journal.
    Ext2,
    /// With a journal.
    Ext3,
    /// With extents, or another feature that only ext4 has.
    Ext4,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
        })
    }
}

/// A name in a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the root, which is `/`.
    pub path: Vec<u8>,
    /// What it names.
    pub kind: Kind,
    /// Of the content, in bytes.
    pub length: u64,
    /// Byte offset in the volume and length of each piece of the content, without an offset for zeros that are not stored.
    pub extents: Vec<(Option<u64>, u64)>,
    /// All of the content is there, and is not encrypted.
    pub is_whole: bool,
    /// `i_mode`: file type and permissions.
    pub mode: u32,
    /// `i_links_count`.
    pub links: u32,
    /// `i_uid` and its upper half.
    pub uid: u32,
    /// `i_gid` and its upper half.
    pub gid: u32,
    /// The inode's number: names of one file share it.
    pub inode: u32,
    /// `i_mtime`.
    pub modified: Timestamp,
}

/// What an [`Entry`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A device by its numbers, a FIFO or a socket.
    Other(Option<(u32, u32)>),
}

/// Why there is no volume to be read.
#[derive(Debug, thiserror::Error)]
pub enum Ext4Error {
    /// Reading failed.
    #[error("reading the file system: {0}")]
    Read(#[from] io::Error),
    /// A structure that everything else depends on is missing or wrong, or has a feature that is not read.
    #[error("{}", .0)]
    Unreadable(String),
}

/// Reads a volume that begins with the first byte.
pub fn read(volume: &dyn ReadAt) -> Result<Volume, Ext4Error> {
    walk::walk(volume, superblock::read(volume)?)
}
