//! An index of the base: a hierarchy of ISO 9660, or UDF.

use super::GrowError;
use super::draft::Draft;
use super::gone::Gone;
use super::hierarchy::Hierarchy;
use super::listing::{Listing, Place};
use super::udf::UdfVolume;
use crate::facts::FileSystem;
use crate::formats::iso9660::edit::NewName;
use crate::formats::iso9660::{Kind, Posix};
use crate::ground::shift::Shift;

/// An index of the base.
#[derive(Debug)]
pub(super) enum BaseIndex {
    Iso(Box<Hierarchy>),
    Udf(Box<UdfVolume>),
}

impl BaseIndex {
    /// Where its volume begins in the image.
    pub(super) fn origin(&self) -> u64 {
        match self {
            Self::Iso(hierarchy) => hierarchy.origin,
            Self::Udf(_) => 0,
        }
    }

    /// As in facts and errors.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Iso(hierarchy) => hierarchy.name(),
            Self::Udf(_) => "UDF".into(),
        }
    }

    pub(super) fn file_system(&self) -> FileSystem {
        match self {
            Self::Iso(hierarchy) => hierarchy.flavour.into(),
            Self::Udf(_) => FileSystem::Udf,
        }
    }

    pub(super) fn listing(&self) -> &Listing {
        match self {
            Self::Iso(hierarchy) => &hierarchy.listing,
            Self::Udf(volume) => &volume.listing,
        }
    }

    /// Whether it leaves its files to UDF.
    pub(super) fn is_stub(&self) -> bool {
        matches!(self, Self::Iso(hierarchy) if hierarchy.is_stub)
    }

    /// Whether readers of it see what is of this kind.
    pub(super) fn holds(&self, kind: &Kind) -> bool {
        matches!(kind, Kind::Directory | Kind::File { .. }) || self.file_system() == FileSystem::RockRidge
    }

    /// What stands for a directory in [`BaseIndex::add`] and [`BaseIndex::begin_directory`].
    pub(super) fn directory(&self, entry: usize) -> Option<u64> {
        match self {
            Self::Iso(hierarchy) => hierarchy.listing.place_of(entry),
            Self::Udf(volume) => volume.file_entry(entry),
        }
    }

    /// Gives a file another content. What is said of it stays as it is otherwise. The result are the places that it had.
    pub(super) fn set_content(
        &mut self,
        draft: &mut Draft,
        entry: usize,
        place: Place,
    ) -> Result<Vec<Place>, GrowError> {
        match self {
            Self::Iso(hierarchy) => {
                hierarchy.set_content(draft, entry, place)?;
                Ok(hierarchy.listing.forget(entry))
            }
            Self::Udf(volume) => {
                volume.set_content(draft, entry, place)?;
                Ok(volume.listing.forget(entry))
            }
        }
    }

    /// What the index has for a name.
    pub(super) fn identifier(&mut self, draft: &Draft, entry: usize) -> Result<Vec<u8>, GrowError> {
        match self {
            Self::Iso(hierarchy) => hierarchy.identifier(draft, entry),
            Self::Udf(volume) => Ok(volume.identifier(entry)),
        }
    }

    /// Takes a name away, and all below it. The result are the places of what it had.
    pub(super) fn remove(&mut self, draft: &mut Draft, entry: usize) -> Result<Vec<Place>, GrowError> {
        match self {
            Self::Iso(hierarchy) => hierarchy.remove(draft, entry),
            Self::Udf(volume) => volume.remove(draft, entry),
        }
    }

    /// The places of what is left.
    pub(super) fn used(&self) -> Vec<Place> {
        self.used_without(None)
    }

    /// The same without the content of a name.
    pub(super) fn used_without(&self, entry: Option<usize>) -> Vec<Place> {
        let of_listing = self.listing().used_without(entry);
        match self {
            Self::Iso(_) => of_listing.collect(),
            Self::Udf(volume) => of_listing
                .chain(volume.file_entries())
                .chain(volume.structures())
                .collect(),
        }
    }

    /// Begins a new directory in that at `parent`: room for it.
    pub(super) fn begin_directory(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        path: Vec<u8>,
        posix: &Posix,
    ) -> Result<Place, GrowError> {
        match self {
            Self::Iso(hierarchy) => Ok(hierarchy.begin_directory(draft, parent, path, posix)),
            Self::Udf(volume) => volume.begin_directory(draft, parent, path, posix),
        }
    }

    /// Adds a name to the directory at `parent`, with the identifier of another or one of its own. Whether readers see another name.
    pub(super) fn add(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        name: &NewName<'_>,
        place: Place,
        identifier: Option<Vec<u8>>,
    ) -> Result<bool, GrowError> {
        match self {
            Self::Iso(hierarchy) => hierarchy.add(draft, parent, name, place, identifier),
            Self::Udf(volume) => volume.add(draft, parent, name, place, identifier),
        }
    }

    /// Writes every changed directory.
    pub(super) fn finish(&mut self, draft: &mut Draft, gone: &mut Gone) -> Result<(), GrowError> {
        match self {
            Self::Iso(hierarchy) => hierarchy.finish(draft, gone),
            Self::Udf(volume) => volume.finish(draft, gone),
        }
    }

    /// Writes what the descriptors of the volume say, which covers what is new.
    pub(super) fn set_end(&self, draft: &mut Draft, shift: &Shift) -> Result<(), GrowError> {
        match self {
            Self::Iso(hierarchy) => hierarchy.set_end(draft, shift),
            Self::Udf(volume) => volume.set_end(draft, shift),
        }
    }
}
