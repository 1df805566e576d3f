//! An image that is made of parts of another. Its manifest comes from `look::import`; the files that it names are not on the host but in the other
//! image.

use std::path::Path;

use super::sources::image;
use super::unpack::Holder;
use crate::formats::archive::{self, ArchiveEntry, ArchiveError, Input};
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::spool::{Place, Spool};
use crate::look::contents::Item;
use crate::manifest::Document;
use crate::tree::Kind;
use crate::tree::contents::Contents;
use crate::tree::source::Composed;

use super::rules::Rules;
use super::{Environment, Resolution, ResolveError, Resolved};

/// The parts, and the image that they are in.
#[derive(Debug)]
pub struct Parts {
    /// The image that they are in.
    pub image: Composed,
    /// The names of the manifest's one `[[files]]` entry, parents before children.
    pub tree: Vec<Item>,
    /// Files, each with its path in the manifest.
    pub files: Vec<(String, Item)>,
    /// Boot images and boot code that have no name in the image, likewise.
    pub bytes: Vec<(String, Range)>,
}

/// Reads what goes into the new image. `path` names the other one in errors.
pub fn anew(
    document: &Document,
    environment: &Environment,
    parts: Parts,
    path: &Path,
) -> Result<Resolved<Contents>, ResolveError> {
    let mut resolution = Resolution::begin(document, environment)?;
    resolution.add_parts(parts, path)?;
    resolution.contents()
}

impl Resolution<'_> {
    /// Puts the names into the tree, and keeps the other parts for the keys that name them.
    fn add_parts(&mut self, parts: Parts, path: &Path) -> Result<(), ResolveError> {
        let failed = |error| match error {
            ArchiveError::Read(source) => ResolveError::io(path, "reading", source),
            ArchiveError::Hold(source) => ResolveError::io(std::env::temp_dir(), "decompressing to", source),
            ArchiveError::Wrong(message) => ResolveError::input(path, message),
        };
        let image = parts.image.image.clone();
        let spool = Spool::new(image.size());
        let input = Input {
            bytes: &image,
            spooled: false,
            spool: &spool,
        };
        let tree = parts.tree.iter().map(|item| image::entry(&input, item));
        let tree: Vec<ArchiveEntry> = tree.collect::<Result<_, _>>().map_err(failed)?;
        let files = parts.files.iter().map(|(name, item)| {
            let entry = image::entry(&input, item)?;
            Ok((name.clone(), entry))
        });
        let files: Vec<(String, ArchiveEntry)> = files.collect::<Result<_, _>>().map_err(failed)?;
        let mut unpacking = self.unpacking(Holder::Image(parts.image), spool)?;
        let of_files = files.iter().filter_map(|(name, entry)| match entry.kind {
            archive::Kind::File(place) => Some((name.clone(), place)),
            _ => None,
        });
        let bytes = parts.bytes.into_iter().map(|(name, range)| {
            let place = Place {
                spooled: false,
                offset: range.offset,
                length: range.length,
            };
            (name, place)
        });
        let named: Vec<(String, Place)> = of_files.chain(bytes).collect();
        for (name, place) in named {
            if let Kind::File(payload) = self.payload_of(&mut unpacking, place, false, b"")? {
                self.parts.insert(name, payload);
            }
        }
        let manifest = &self.document.manifest;
        let Some(entry) = manifest.files.first().map(|entry| entry.get_ref()) else {
            return Ok(());
        };
        if let Some(from) = &entry.from {
            let rules = Rules::kept(0, self.timestamp);
            self.add_entries(entry, from, &[], &tree, unpacking, &rules)?;
        }
        Ok(())
    }
}
