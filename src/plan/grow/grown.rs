//! What has been decided, as the program and a reader see it.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::GrowError;
use super::draft::{Draft, Stretch};
use crate::facts::Changed;
use crate::formats::iso9660::{self, FIELD, FIELD_LENGTH, MediaMd5, MediaTag, SECTOR, TagSumming};
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::stamp::Stamp;
use crate::output::{Piece, PieceSource};
use crate::plan::Late;
use crate::tree::PayloadId;
use crate::tree::base::Growth;
use crate::tree::source::Source;

/// A base with its changes, every byte decided.
#[derive(Debug)]
pub struct Grown {
    pub(super) growth: Growth,
    pub(super) draft: Draft,
    pub(super) warnings: Vec<String>,
    /// Warnings of what stays as it is.
    pub(super) stays: Vec<String>,
    pub(super) volume_size: u64,
    pub(super) has_media_md5: bool,
    /// The digest by tagmedia that the image carries, as the base has it.
    pub(super) media_tag: Option<MediaTag>,
}

impl Grown {
    /// The file or the disk that the base is read from, and what it was then.
    pub fn base(&self) -> Option<(&Path, &Stamp)> {
        match &self.growth.base.source {
            Source::File { path, stamp, .. } => Some((path, stamp)),
            _ => None,
        }
    }

    /// Of the image, in bytes.
    pub fn size(&self) -> u64 {
        self.draft.size()
    }

    /// Every byte that is not the base's at its place.
    pub fn changed(&self) -> Changed {
        Changed {
            extents: self.draft.changes(),
            grows: self.size() - self.growth.base.image.size(),
            moved_from: self.draft.cut(),
        }
    }

    /// The bytes of the volume, as its descriptor says.
    pub fn volume_size(&self) -> u64 {
        self.volume_size
    }

    /// What has to see all bytes of the image, if it carries a digest of tagmedia's.
    pub fn tag_summing(&self) -> Option<TagSumming> {
        let tag = self.media_tag.clone()?;
        Some(TagSumming::new(tag, self.volume_size))
    }

    /// Whether the image carries the sum of its own bytes.
    pub fn wants_media_md5(&self) -> bool {
        self.has_media_md5
    }

    /// What a person should know.
    pub fn warnings(&self) -> Vec<String> {
        [self.warnings_of_changes(), self.stays.clone()].concat()
    }

    /// Of these, what is also true if the image is laid out anew.
    pub fn warnings_of_changes(&self) -> Vec<String> {
        self.growth.warnings.iter().chain(&self.warnings).cloned().collect()
    }

    /// New contents: where they stand in the image, and where they come from.
    pub fn contents(&self) -> impl Iterator<Item = (Range, &Source)> {
        let payloads = self.draft.payloads().iter();
        payloads.map(|&(range, id)| (range, &self.growth.tree.payload(id).source))
    }

    /// Which ranges of the image are the bytes of a source, by offset.
    pub fn stretches(&self) -> Vec<(Range, Source)> {
        let stretches = self.draft.stretches().into_iter();
        let of_sources = stretches.filter_map(|(range, stretch)| match stretch {
            Stretch::Own(_) => None,
            Stretch::Base(offset) => Some((range, self.growth.base.source.part(Range { offset, ..range }))),
            Stretch::Payload(id) => Some((range, self.growth.tree.payload(id).source.clone())),
        });
        of_sources.collect()
    }

    /// Where the bytes come from.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let payloads = self.growth.tree.payloads().iter().map(|payload| &payload.source);
        payloads.chain([&self.growth.base.source])
    }

    /// The pieces of the image by offset; between them are zeros.
    pub fn pieces<'g>(&'g self, late: &'g Late) -> impl Iterator<Item = Result<Piece<'g>, GrowError>> {
        self.draft.stretches().into_iter().map(|(range, stretch)| {
            let source = match stretch {
                Stretch::Own(number) => PieceSource::Bytes(self.own(number, range.length as usize, late)),
                Stretch::Base(offset) => part(&self.growth.base.source, offset)?,
                Stretch::Payload(id) => self.payload(id)?,
            };
            Ok(Piece {
                offset: range.offset,
                length: range.length,
                source,
            })
        })
    }

    /// The bytes of a sector that the draft holds. The primary volume descriptor gets the digest of the image once it is known.
    fn own<'g>(&'g self, number: u64, length: usize, late: &Late) -> Cow<'g, [u8]> {
        let bytes = self.draft.own(number);
        let bytes = &bytes[..length.min(bytes.len())];
        let sum = late.media_md5.as_ref().map(MediaMd5::encode);
        match sum.or(late.media_tag) {
            Some(field) if number * SECTOR == iso9660::SYSTEM_AREA => {
                let mut bytes = bytes.to_vec();
                if let Some(place) = bytes.get_mut(FIELD..FIELD + FIELD_LENGTH) {
                    place.copy_from_slice(&field);
                }
                Cow::Owned(bytes)
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    fn payload(&self, id: PayloadId) -> Result<PieceSource<'_>, GrowError> {
        part(&self.growth.tree.payload(id).source, 0)
    }
}

/// The bytes of a source from an offset on. Only files have offsets other than 0.
fn part(source: &Source, from: u64) -> Result<PieceSource<'_>, GrowError> {
    match source {
        Source::Bytes(bytes, _) => Ok(PieceSource::Bytes(Cow::Borrowed(bytes))),
        Source::Given(bytes) => Ok(PieceSource::Given(bytes)),
        Source::File {
            path, stamp, offset, ..
        } => Ok(PieceSource::File {
            path,
            stamp,
            offset: offset + from,
        }),
    }
}

/// The bytes of the image. New contents read as zeros: [`Grown::contents`] says where they are.
impl ReadAt for Grown {
    fn size(&self) -> u64 {
        self.draft.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.draft.read_exact_at(buffer, offset)
    }
}
