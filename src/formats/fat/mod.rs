//! FAT12, FAT16 and FAT32: the file systems of an ESP.
//!
//! The words are those of the Microsoft FAT specification ("fatgen103"), cited as `FAT`, with the section's heading;
//! ECMA-107 describes the same structures for FAT12 and FAT16. This leaf plans a volume over files that lie elsewhere:
//! [`plan()`] says where each file's bytes belong, [`Plan::encode`] gives the bytes of everything else. [`read()`] takes any
//! volume apart into the same regions.
//!
//! A volume is, from its start: the reserved area (boot sector, on FAT32 also FSInfo and the backup of both), two
//! allocation tables, on FAT12 and FAT16 the root directory, and the data area in clusters. The data area starts on a
//! multiple of 4096 bytes and of the cluster size, and so does every file: then a file's place in the volume can be a place
//! in an ISO 9660 volume too, and no length depends on an address.

mod boot_sector;
mod decode;
mod directory;
mod edit;
mod geometry;
mod names;
mod plan;
mod second_reader;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

use std::fmt;
use std::io;

use crate::ground::time::Timestamp;

pub use decode::read;
pub use directory::clamped;
pub use edit::{Becomes, Edit, EditError, Enlarged, Piece, edit, enlarge};
pub use plan::{Plan, plan};
pub use second_reader::agrees;

/// Every file and the data area start on a multiple of this, whatever the cluster size.
pub const ALIGNMENT: u64 = 4096;

/// The width of the entries of the allocation table. `FAT: FAT Type Determination`: the count of clusters decides it and
/// nothing else, no label and no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FatKind {
    /// Fewer than 4,085 clusters, 12 bits each.
    Fat12,
    /// Fewer than 65,525 clusters, 16 bits each.
    Fat16,
    /// 32 bits each, of which 28 count.
    Fat32,
}

impl fmt::Display for FatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
        })
    }
}

/// What a volume shall hold.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The root directory, in any order.
    pub root: Vec<Node>,
    /// At most 11 upper-case characters; empty for none.
    pub label: String,
    /// When every file and directory was created and modified: [`clamped`], and down to the even second.
    pub timestamp: Timestamp,
    /// How large the volume is.
    pub size: Size,
    /// 512 or 4096: the logical sector of the disk. A 4Kn disk mounts only with 4096.
    pub sector_size: u32,
}

/// How large a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The smallest that holds the tree.
    Fit {
        /// Bytes in clusters that belong to nothing.
        free: u64,
    },
    /// This many bytes, a multiple of 4096.
    Exact(u64),
}

/// A file or a directory.
#[derive(Clone, Debug)]
pub struct Node {
    /// The long name, without a path.
    pub name: String,
    /// Which of the two.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory with its entries, in any order.
    Directory(Vec<Node>),
    /// A file.
    File {
        /// In bytes; at most 4 GiB - 1.
        length: u64,
        /// The caller's name for it, of which each file has its own.
        key: usize,
    },
}

/// A contiguous run of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte, from the volume's start.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// What it holds.
    pub what: What,
}

/// The metadata of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The first logical sector.
    BootSector,
    /// FAT32: the count of free clusters and a hint where to look for one.
    FsInfo,
    /// FAT32: the copies of the boot sector and of FSInfo, side by side.
    BackupBootSector,
    /// An allocation table, counted from 1.
    Table(u8),
    /// The root directory; on FAT32 a part of the data area.
    RootDirectory,
    /// The clusters of a directory, by its path.
    Directory(String),
}

/// What [`read()`] found in a volume.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The width of a table entry.
    pub kind: FatKind,
    /// The whole volume in bytes, as the boot sector counts it.
    pub size: u64,
    /// In bytes.
    pub sector_size: u32,
    /// In bytes.
    pub cluster_size: u32,
    /// From the root directory, else from the boot sector; empty for none.
    pub label: String,
    /// The volume's serial number.
    pub serial: u32,
    /// Metadata by offset. A directory in pieces has a region for each.
    pub regions: Vec<Region>,
    /// Files and directories, the entries of a directory before those of its subdirectories.
    pub entries: Vec<FatEntry>,
    /// What is wrong with the volume, though it can be read.
    pub notes: Vec<String>,
}

/// A file or a directory that [`read()`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FatEntry {
    /// From the root, with the long names where there are any.
    pub path: String,
    /// A directory, not a file.
    pub directory: bool,
    /// In bytes; a directory's is what its clusters hold.
    pub length: u64,
    /// Offset and length of each contiguous run, from the volume's start, in the order of the file.
    pub extents: Vec<(u64, u64)>,
    /// Time of the last write; FAT keeps local time, taken for UTC here.
    pub modified: Timestamp,
}

/// Why a volume cannot be planned or read.
#[derive(Debug, thiserror::Error)]
pub enum FatError {
    /// The label would not survive.
    #[error("the FAT label {label:?} {reason}")]
    Label {
        /// As given.
        label: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name that no FAT directory can hold.
    #[error("{path}: a FAT name {reason}")]
    Name {
        /// The path of the node.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// FAT finds names without regard to case.
    #[error("{first} and {second} are the same name to FAT")]
    Clash {
        /// The path of one.
        first: String,
        /// The path of the other.
        second: String,
    },
    /// `FAT: Other Notes Relating to FAT Directories`: DIR_FileSize has 32 bits.
    #[error("{path} has {length} bytes; a file in a FAT has at most 4294967295")]
    FileTooLong {
        /// The path of the file.
        path: String,
        /// In bytes.
        length: u64,
    },
    /// `FAT: Other Notes Relating to FAT Directories`: a directory has at most 65,536 entries, 2 MiB.
    #[error("{path} needs {entries} directory entries, long names included; FAT allows 65536")]
    DirectoryFull {
        /// The path of the directory.
        path: String,
        /// Directory entries with those of long names.
        entries: u64,
    },
    /// The root directory of FAT12 and FAT16 has a fixed length.
    #[error(
        "the root directory needs {entries} directory entries, long names and label included; \
         {kind} has {available}"
    )]
    RootFull {
        /// The kind that the volume's size asks for.
        kind: FatKind,
        /// Directory entries with those of long names.
        entries: u64,
        /// What there is.
        available: u64,
    },
    /// Only these two are the logical sectors of disks.
    #[error("a FAT has logical sectors of 512 or 4096 bytes, not {0}")]
    SectorSize(u32),
    /// No volume can have this size.
    #[error("no FAT with logical sectors of {sector_size} bytes has {size} bytes: {reason}")]
    Size {
        /// In bytes, capped where 64 bits end.
        size: u64,
        /// In bytes.
        sector_size: u32,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The tree is larger than the volume.
    #[error("the files need a FAT of {needed} bytes, the volume has {size}")]
    NoSpace {
        /// What [`Size::Fit`] would have taken.
        needed: u64,
        /// What was asked for.
        size: u64,
    },
    /// The bytes are no FAT volume.
    #[error("no FAT: {field} is {value}")]
    NotFat {
        /// The field of the boot sector that says so.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// The bytes end before the metadata does, or cannot be read.
    #[error("reading {what}: {source}")]
    Io {
        /// What was read.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
