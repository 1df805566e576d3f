//! ISO 9660 (ECMA-119, 6th edition), with Rock Ridge 1.12 (IEEE P1282) and Joliet: directory hierarchies to bytes and back.
//!
//! A volume holds one or two hierarchies over the same files. The primary one carries level-3 identifiers and, in the system use fields,
//! Rock Ridge's POSIX names and attributes; the Joliet one carries UCS-2 names.
//!
//! | file | clause | knows |
//! |---|---|---|
//! | `identifier` | §8.5, §8.6; Joliet | what a name becomes where it cannot stay as it is, and that it is unique |
//! | `record` | §10.1, §8.3 | one directory record; the numbers and dates inside |
//! | `rock_ridge` | RRIP 4.1, SUSP 5 | the system use entries of one record, and their continuation |
//! | `zisofs` | | contents in compressed blocks, read |
//! | `hierarchy` | §7.8, §10.3 | directories and continuation areas of one hierarchy |
//! | `path_table` | §7.9, §10.4 | its path tables, written and read |
//! | `descriptor` | §9 | the volume descriptors |
//! | `walk` | | all of it back from bytes that may be hostile |
//! | `edit` | §7.8, §7.9 | directories and path tables of a volume that exists, changed record by record |
//!
//! Addresses are byte offsets; the 32-bit logical block numbers of the standard appear only inside structures, made by a checked
//! conversion ([`crate::ground::block`]).

mod descriptor;
pub mod edit;
mod further;
mod hierarchy;
mod identifier;
mod media_md5;
mod media_tag;
mod path_table;
mod record;
mod rock_ridge;
mod walk;
mod zisofs;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::ground::block::{BLOCK, NotABlock};
use crate::ground::time::Timestamp;

pub use descriptor::{
    Descriptor, Identifiers, Root, VolumeDescriptor, VolumeKind, descriptor_faults, read_descriptors, terminator,
};
pub use further::FurtherFields;
pub use hierarchy::{Hierarchy, Locate};
pub use media_md5::{FIELD, FIELD_LENGTH, MediaMd5, Summing};
pub use media_tag::{MediaTag, TagSumming};
pub use path_table::{Endian, path_tables};
pub use walk::{EntryKind, IsoEntry, Session, Walk, is_stub, sessions, walk};
pub use zisofs::Zisofs;

/// §7.1.2: the logical sector; our logical blocks (§7.2.2) have the same length.
pub const SECTOR: u64 = BLOCK;

/// §7.1.1: sixteen logical sectors that the standard leaves to the system.
pub const SYSTEM_AREA: u64 = 16 * SECTOR;

/// How deep a hierarchy may nest. The standard's own limit of 8 (§7.8.2.2) is a warning; this one keeps hostile trees finite.
pub const DEPTH: usize = 1024;

/// The longest file section, a multiple of the logical block: §10.1.5 has 32 bits for it. Larger files have several.
pub const SECTION: u64 = 0xFFFF_F800;

/// A node of a [`Tree`], by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IsoNode(u32);

impl IsoNode {
    /// The root directory.
    pub const ROOT: Self = Self(0);

    /// The node with this number.
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// From 0.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The same, as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a volume holds.
#[derive(Debug)]
pub struct Tree {
    /// The root is the first and its own parent. Every parent stands before its children.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// A node.
    pub fn node(&self, id: IsoNode) -> &Node {
        &self.nodes[id.index()]
    }

    /// All of them in their order.
    pub fn iter(&self) -> impl Iterator<Item = (IsoNode, &Node)> {
        (0..).map(IsoNode).zip(&self.nodes)
    }
}

/// A name in a [`Tree`].
#[derive(Debug)]
pub struct Node {
    /// The directory that holds it.
    pub parent: IsoNode,
    /// The POSIX name, any bytes but `/` and NUL.
    pub name: Arc<[u8]>,
    /// What it names.
    pub kind: Kind,
    /// What Rock Ridge says of it.
    pub posix: Posix,
}

/// What a [`Node`] names.
#[derive(Debug)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file of `length` bytes.
    File {
        /// In bytes.
        length: u64,
    },
    /// A symbolic link. Only Rock Ridge holds it.
    Symlink {
        /// Any bytes but NUL.
        target: Vec<u8>,
    },
    /// A device node. Only Rock Ridge holds it; [`Posix::mode`] says whether it is a block device.
    Device {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// Whether §10.1.6 and Rock Ridge's short dates can record this: from 1900 to 2155. Any other is moved to the nearest.
pub fn is_recordable(at: Timestamp) -> bool {
    record::DATES.contains(&at)
}

/// POSIX attributes, RRIP 4.1.1 and 4.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posix {
    /// `st_mode`: file type and permissions.
    pub mode: u32,
    /// `st_nlink`.
    pub links: u32,
    /// `st_uid`.
    pub uid: u32,
    /// `st_gid`.
    pub gid: u32,
    /// `st_ino`: names of one file share it. 0 is not recorded.
    pub serial: u32,
    /// `st_mtime`.
    pub mtime: Timestamp,
}

/// Which names a hierarchy carries, the poorest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavour {
    /// Level-3 identifiers alone.
    Plain,
    /// Identifiers of any bytes, without versions. Only read.
    Enhanced,
    /// UCS-2 identifiers.
    Joliet,
    /// Level-3 identifiers, and POSIX names in the system use fields.
    RockRidge,
}

/// What ISO 9660 cannot hold, or bytes that are not ISO 9660.
#[derive(Debug, thiserror::Error)]
pub enum Iso9660Error {
    /// A directory below [`DEPTH`].
    #[error("{path} is nested more than {DEPTH} deep")]
    TooDeep {
        /// Escaped.
        path: String,
    },
    /// A name that neither Rock Ridge nor a reader can take.
    #[error("the name of {path} has {length} bytes; 255 is the most that readers of Rock Ridge take")]
    NameTooLong {
        /// Escaped.
        path: String,
        /// In bytes.
        length: usize,
    },
    /// §7.9: a path table numbers parents with 16 bits.
    #[error(
        "{path} is directory number {number} and holds directories: path tables number a parent with 16 bits, \
         65535 at most (ECMA-119 §10.4.5)"
    )]
    ParentNumber {
        /// Escaped.
        path: String,
        /// Its place in the path table, from 1.
        number: usize,
    },
    /// §10.1.5: a directory is a single extent.
    #[error(
        "the directory {path} needs {length} bytes; 4294965248 is the most that a directory can have (ECMA-119 §10.1.5)"
    )]
    DirectoryTooLong {
        /// Escaped.
        path: String,
        /// In bytes.
        length: u64,
    },
    /// A value longer than its field.
    #[error("the {field} has {length} bytes; its field holds {limit} (ECMA-119 §{clause})")]
    FieldTooLong {
        /// The field's name in the standard.
        field: &'static str,
        /// Of the value.
        length: usize,
        /// Of the field.
        limit: usize,
        /// Where the field is defined.
        clause: &'static str,
    },
    /// An address that no number of a logical block stands for.
    #[error(transparent)]
    Address(#[from] NotABlock),
    /// A length that its field of 32 bits does not hold.
    #[error("the {what} has {length} bytes; its length has 32 bits (ECMA-119 §{clause})")]
    TooLong {
        /// Whose length.
        what: &'static str,
        /// In bytes.
        length: u64,
        /// Where the field is defined.
        clause: &'static str,
    },
    /// No volume descriptor set.
    #[error("{0}")]
    NotIso9660(String),
    /// The image cannot be read.
    #[error("cannot read the image at byte {offset}: {error}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        error: std::io::Error,
    },
}
