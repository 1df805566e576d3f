//! What a reader finds: a name, and what it names.

use super::super::{Posix, Zisofs};
use crate::ground::time::Timestamp;

/// A name in a hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsoEntry {
    /// From the root, which is `/`.
    pub path: Vec<u8>,
    /// What it names.
    pub kind: EntryKind,
    /// Byte offset and length of each section, cut where the image ends.
    pub extents: Vec<(u64, u64)>,
    /// As the records say; more than the extents have where they are cut.
    pub length: u64,
    /// All sections are there; the last record of a file that is not says that there is one more.
    pub is_whole: bool,
    /// How the content is compressed, if it is.
    pub zisofs: Option<Zisofs>,
    /// Rock Ridge's attributes.
    pub posix: Option<Posix>,
    /// Of the last change: Rock Ridge's, else that of the record.
    pub modified: Timestamp,
    /// The byte at which the record that names it begins: the first, if there are several. The root has none.
    pub record: u64,
}

impl IsoEntry {
    /// Most have one section, so that there is room for no more.
    pub(super) fn new(path: Vec<u8>, kind: EntryKind) -> Self {
        Self {
            path,
            kind,
            extents: Vec::with_capacity(1),
            length: 0,
            is_whole: true,
            zisofs: None,
            posix: None,
            modified: Timestamp::default(),
            record: 0,
        }
    }

    /// Adds what the record or its system use says.
    pub(super) fn describe(&mut self, posix: Option<Posix>, modified: Timestamp) {
        self.modified = modified;
        self.posix = posix.map(|posix| Posix {
            mtime: modified,
            ..posix
        });
    }
}

/// What an [`IsoEntry`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A device by its numbers, or a FIFO or socket, whose mode says which.
    Other(Option<(u32, u32)>),
}
