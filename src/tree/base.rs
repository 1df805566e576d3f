//! An existing image that is changed, and what is asked of it.

use super::source::Source;
use super::{PayloadId, Tree};
use crate::ground::range::Range;
use crate::ground::read_at::Shared;
use crate::ground::spool::Decompressed;

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
    /// Names that go, as the base's richest hierarchy has them; a directory goes with all that is in it.
    pub remove: Vec<Vec<u8>>,
    /// Files of the base that get another content, and keep their names and attributes.
    pub edits: Vec<(Vec<u8>, PayloadId)>,
    /// Files of the base's FAT volumes that get another content.
    pub fat_edits: Vec<FatEdit>,
    /// Bytes of the base that something beside its names uses: boot images, partitions.
    pub in_use: Vec<Range>,
    /// Whether the sum of the image is implanted in it. One that the base has is renewed in any case.
    pub implant_md5: bool,
    /// What the user should know of the inputs.
    pub warnings: Vec<String>,
    /// The files to which inputs were decompressed, which payloads come from. They are there while this is.
    pub _decompressed: Vec<Decompressed>,
}

/// A file of a FAT volume that gets another content.
#[derive(Debug)]
pub struct FatEdit {
    /// The byte of the base at which the volume begins.
    pub volume: u64,
    /// The volume's number, from 1.
    pub number: usize,
    /// From the root of the volume.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
}
