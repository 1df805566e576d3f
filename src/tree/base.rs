//! An existing image that is changed, and what is asked of it.

use std::sync::Arc;

use super::source::Source;
use super::{PayloadId, Tree};
use crate::facts::FileSystem;
use crate::formats::fat;
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Shared};
use crate::ground::spool::Decompressed;
use crate::ground::time::Timestamp;

/// An existing image.
#[derive(Debug)]
pub struct BaseImage {
    /// Its bytes, to be looked at.
    pub image: Shared,
    /// Where they are copied from.
    pub source: Source,
}

/// What becomes of an existing image.
#[derive(Debug)]
pub struct Growth {
    /// The image.
    pub base: BaseImage,
    /// Names that are new, or take the place of those of the base, and every payload. Of the base's own names those are here that paths lead
    /// through: they have no origin.
    pub tree: Tree,
    /// The index of the image whose names are meant.
    pub names_of: FileSystem,
    /// Payloads that take the place of bytes of the base, by their first bytes, disjoint; each with the name of the file. `None` if that is
    /// not asked for.
    pub fills: Option<Vec<(Range, PayloadId, Vec<u8>)>>,
    /// Names that go, as that index has them; a directory goes with all that is in it.
    pub remove: Vec<Vec<u8>>,
    /// Files of the base that get another content, and keep their names and attributes.
    pub edits: Vec<(Vec<u8>, PayloadId)>,
    /// The base's FAT volumes, and what changes inside of them.
    pub fat: Vec<FatVolume>,
    /// Bytes of the base that something beside its names uses: boot images, partitions.
    pub in_use: Vec<Range>,
    /// Whether the sum of the image is implanted in it. One that the base has is renewed in any case.
    pub implant_md5: bool,
    /// What the user should know of the inputs.
    pub warnings: Vec<String>,
    /// The files to which inputs were decompressed, which payloads come from. They are there while this is.
    pub _decompressed: Vec<Decompressed>,
}

impl Growth {
    /// Whether files get other bytes where they are, and nothing else changes.
    pub fn is_filled_alone(&self) -> bool {
        let has_names = self
            .tree
            .in_order()
            .into_iter()
            .any(|id| self.tree.node(id).origin.is_some());
        self.fills.is_some()
            && !has_names
            && self.remove.is_empty()
            && self.edits.is_empty()
            && self.fat.iter().all(|volume| volume.edits.is_empty())
            && !self.implant_md5
    }
}

/// A FAT volume of the base.
#[derive(Debug)]
pub struct FatVolume {
    /// The byte of the base at which it begins.
    pub start: u64,
    /// In bytes.
    pub size: u64,
    /// Its number, from 1.
    pub number: usize,
    /// Bytes of it that a file outside of it has too, counted from its first byte.
    pub foreign: Vec<Range>,
    /// In this order.
    pub edits: Vec<FatEdit>,
}

/// A file or directory of a FAT volume.
#[derive(Clone, Debug)]
pub struct FatEdit {
    /// From the root of the volume.
    pub path: String,
    /// What is there then.
    pub becomes: FatBecomes,
    /// The date of a file that is new.
    pub modified: Timestamp,
}

/// What a path of a FAT volume becomes.
#[derive(Clone, Debug)]
pub enum FatBecomes {
    /// A file with these bytes.
    File(Arc<[u8]>),
    /// A directory, unless it is one.
    Directory,
    /// Nothing. A directory goes with all that is in it.
    Nothing,
}

/// What becomes of a FAT volume: bytes that are written into it.
pub enum FatChange<'v> {
    /// Into the volume as it is.
    Within(Vec<fat::Piece>),
    /// Into a larger one that is made of it, for it has no room.
    Anew(fat::Enlarged<'v>, Vec<fat::Piece>),
}

impl FatVolume {
    /// Its bytes in the base.
    pub fn range(&self) -> Range {
        Range {
            offset: self.start,
            length: self.size,
        }
    }

    /// Whether an edit removes what is gone by then.
    pub fn removes(&self, edit: &FatEdit) -> bool {
        let is_gone = |earlier: &FatEdit| {
            let rest = edit.path.strip_prefix(&earlier.path);
            matches!(earlier.becomes, FatBecomes::Nothing)
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        matches!(edit.becomes, FatBecomes::Nothing) && self.edits.iter().any(is_gone)
    }

    /// What becomes of the volume.
    ///
    /// # Errors
    /// When the volume does not take an edit.
    pub fn changed<'v>(&self, volume: &'v dyn ReadAt) -> Result<FatChange<'v>, fat::EditError> {
        let edits: Vec<fat::Edit<'_>> = self
            .edits
            .iter()
            .map(|edit| fat::Edit {
                path: &edit.path,
                becomes: match &edit.becomes {
                    FatBecomes::File(content) => fat::Becomes::File(content),
                    FatBecomes::Directory => fat::Becomes::Directory,
                    FatBecomes::Nothing => fat::Becomes::Nothing,
                },
                modified: edit.modified,
            })
            .collect();
        match fat::edit(volume, &edits, &self.foreign) {
            Err(fat::EditError::Full { .. }) => {
                let (enlarged, pieces) = fat::enlarge(volume, &edits)?;
                Ok(FatChange::Anew(enlarged, pieces))
            }
            pieces => pieces.map(FatChange::Within),
        }
    }
}
