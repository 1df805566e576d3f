//! Names that come, go, or get another content.

use super::{Hierarchy, Open};
use crate::facts::What;
use crate::formats::iso9660::edit::{self, NewName, RawRecord};
use crate::formats::iso9660::{self, EntryKind, Flavour, Posix, SECTION, SECTOR};
use crate::ground::block::Block;
use crate::ground::text;
use crate::plan::grow::GrowError;
use crate::plan::grow::draft::Draft;
use crate::plan::grow::listing::Place;

impl Hierarchy {
    /// The sections that a file of this place and length has.
    fn sections(&self, (offset, length): Place) -> Result<Vec<(Block, u32, bool)>, GrowError> {
        let count = length.div_ceil(SECTION).max(1);
        let section = |number: u64| {
            let start = number * SECTION;
            let here = (length - start).min(SECTION) as u32;
            let block = match here {
                0 => Block::ZERO,
                _ => self.block(offset + start)?,
            };
            Ok((block, here, number + 1 < count))
        };
        (0..count).map(section).collect()
    }

    /// Gives a file another content. Its record stays as it is otherwise.
    pub(in crate::plan::grow) fn set_content(
        &mut self,
        draft: &Draft,
        entry: usize,
        place: Place,
    ) -> Result<(), GrowError> {
        let sections = self.sections(place)?;
        if self.details.get(entry).is_some_and(|detail| detail.is_compressed) {
            let path = text::visible(self.listing.path(entry));
            let message = format!("{path} is compressed in the image (zisofs), and such a file is not edited");
            return Err(GrowError::Unsupported(message));
        }
        let (directory, at) = self.record(draft, entry)?;
        let open = self.opened(draft, directory)?;
        let old = sections_at(&open.records, at);
        match (sections.as_slice(), old) {
            (&[(block, length, _)], 1) => open.records[at].set(block, length),
            _ => {
                let path = open.path.clone();
                return Err(GrowError::Unsupported(format!(
                    "a file of 4 GiB or more in {} cannot be edited in place; replace it by [[files]]",
                    text::visible(&path)
                )));
            }
        }
        Ok(())
    }

    /// What a record has for its identifier.
    pub(in crate::plan::grow) fn identifier(&mut self, draft: &Draft, entry: usize) -> Result<Vec<u8>, GrowError> {
        let (directory, at) = self.record(draft, entry)?;
        let open = self.opened(draft, directory)?;
        Ok(open.records[at].identifier().to_vec())
    }

    /// Takes a name away, and all below it. The result are the places of contents and directories that it had.
    pub(in crate::plan::grow) fn remove(&mut self, draft: &Draft, entry: usize) -> Result<Vec<Place>, GrowError> {
        let (directory, at) = self.record(draft, entry)?;
        let skip = self.skip;
        let open = self.opened(draft, directory)?;
        let count = sections_at(&open.records, at);
        let record = open.records.drain(at..at + count).next();
        if record.is_some_and(|record| record.is_directory()) {
            self.linked(draft, directory, skip, -1)?;
        }
        let mut places = Vec::new();
        for (number, extents) in self.listing.remove(entry) {
            if self
                .listing
                .get(number)
                .is_some_and(|entry| entry.kind == EntryKind::Directory)
            {
                self.removed.extend(extents.first().map(|&(offset, _)| offset));
            }
            places.extend(extents);
        }
        Ok(places)
    }

    /// Adds a name to the directory at `parent`, with the identifier of another or one of its own. Whether readers see another name.
    pub(in crate::plan::grow) fn add(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        name: &NewName<'_>,
        place: Place,
        identifier: Option<Vec<u8>>,
    ) -> Result<bool, GrowError> {
        let flavour = self.flavour;
        let sections = self.sections(place)?;
        let records = &self.opened(draft, parent)?.records;
        let others: Vec<&[u8]> = records.iter().map(RawRecord::identifier).collect();
        let identifier = identifier.unwrap_or_else(|| name.identifier(flavour, &others));
        let is_mapped = name.is_mapped(flavour, &identifier);
        let mut places = Vec::new();
        let mut offsets = Vec::new();
        for length in name.continuation(flavour, &identifier) {
            let offset = draft.take(length.into());
            offsets.push(offset);
            places.push((self.block(offset)?, 0, length));
        }
        let mut made = Vec::new();
        for (block, length, goes_on) in sections {
            let (record, pieces) = name.record(flavour, &identifier, (block, length), goes_on, &places);
            for (&offset, piece) in offsets.iter().zip(&pieces) {
                draft.write(offset, piece, What::ContinuationArea, &[])?;
            }
            made.push(record);
        }
        let skip = self.skip;
        let open = self.opened(draft, parent)?;
        let at = edit::place_of(&identifier, &open.records, flavour == Flavour::Joliet);
        open.records.splice(at..at, made);
        if matches!(name.kind, iso9660::Kind::Directory) {
            self.linked(draft, parent, skip, 1)?;
            self.added.push((parent, identifier, place.0));
        }
        Ok(is_mapped)
    }

    /// A directory has one more directory in it, or one less: each of its records counts links.
    fn linked(&mut self, draft: &Draft, directory: u64, skip: usize, more: i32) -> Result<(), GrowError> {
        if self.flavour != Flavour::RockRidge {
            return Ok(());
        }
        let open = self.opened(draft, directory)?;
        // One that is new has been counted with all that is in it.
        if open.is_new {
            return Ok(());
        }
        let parent = open.parent;
        if let Some(own) = open.records.first_mut() {
            own.add_links(skip, more);
        }
        let block = self.block(directory)?.number();
        let above = self.opened(draft, parent)?;
        let record = above
            .records
            .iter_mut()
            .find(|record| record.block() == block && record.is_directory() && !record.is_dot());
        if let Some(record) = record {
            record.add_links(skip, more);
        }
        Ok(())
    }

    /// Begins a new directory, to be added to that at `parent`: room for it, at this offset, with records of itself and of its parent.
    pub(in crate::plan::grow) fn begin_directory(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        path: Vec<u8>,
        posix: &Posix,
    ) -> Place {
        let offset = draft.take(SECTOR);
        let open = Open {
            path,
            parent,
            records: edit::dots(self.flavour, posix).to_vec(),
            room: SECTOR,
            is_new: true,
        };
        self.open.insert(offset, open);
        (offset, SECTOR)
    }
}

/// How many records in a row name one file.
fn sections_at(records: &[RawRecord], at: usize) -> usize {
    let is_next = |pair: &&[RawRecord]| pair[0].goes_on() && pair[1].identifier() == pair[0].identifier();
    let pairs = records.get(at..).unwrap_or_default().windows(2);
    1 + pairs.take_while(is_next).count()
}
