//! One hierarchy of the base, changed: directory records, directories that move because they grow, path tables, and what its volume
//! descriptor says of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use super::GrowError;
use super::draft::Draft;
use crate::facts::What;
use crate::formats::iso9660::edit::{self, NewName, PathEntry, RawRecord};
use crate::formats::iso9660::{
    self, EntryKind, Flavour, IsoEntry, Posix, SECTION, SECTOR, VolumeDescriptor, VolumeKind,
};
use crate::ground::block::Block;
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::shift::Shift;
use crate::ground::text;

/// Offsets in a volume descriptor: §9.4.9, §9.4.14 to §9.4.18 (by byte, from 0).
mod at {
    pub(super) const SPACE: u64 = 80;
    pub(super) const PATH_TABLE_SIZE: u64 = 132;
    pub(super) const PATH_TABLES_L: [u64; 2] = [140, 144];
    pub(super) const PATH_TABLES_M: [u64; 2] = [148, 152];
    pub(super) const ROOT: u64 = 156;
}

/// Where data is: offset in the image, and length.
pub(super) type Place = (u64, u64);

/// A directory whose records change.
#[derive(Debug)]
struct Open {
    path: Vec<u8>,
    parent: u64,
    records: Vec<RawRecord>,
    /// Bytes that it has now.
    room: u64,
    is_new: bool,
}

/// A hierarchy.
#[derive(Debug)]
pub(super) struct Hierarchy {
    /// The byte of the image that its addresses count from.
    pub(super) origin: u64,
    pub(super) volume: VolumeDescriptor,
    pub(super) flavour: Flavour,
    /// Of the volume descriptors that lead to it, in the image.
    descriptors: Vec<u64>,
    /// Bytes of each record's system use that belong to somebody else.
    skip: usize,
    /// Sorted by path.
    pub(super) entries: Vec<IsoEntry>,
    /// Numbers of entries that are taken away.
    gone: HashSet<usize>,
    /// Numbers of entries by the offset of their first byte in the image.
    by_place: HashMap<u64, Vec<usize>>,
    /// By offset in the image; a new one by the number of its first record, counted from the end of all offsets.
    open: BTreeMap<u64, Open>,
    /// Offsets of new directories and of moved ones, by the offset before.
    moved: Vec<(u64, u64)>,
    /// Directories that are gone.
    removed: Vec<u64>,
    /// New directories: parent, identifier and own offset.
    added: Vec<(u64, Vec<u8>, u64)>,
}

impl Hierarchy {
    pub(super) fn read(
        base: &dyn ReadAt,
        origin: u64,
        descriptor: u64,
        volume: &VolumeDescriptor,
    ) -> Result<Self, GrowError> {
        let window = Window::new(base, origin, base.size().saturating_sub(origin));
        let walk = iso9660::walk(&window, volume)?;
        let mut entries = walk.entries;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let mut by_place: HashMap<u64, Vec<usize>> = HashMap::new();
        for (number, entry) in entries.iter().enumerate() {
            if let Some((offset, _)) = entry.extents.first() {
                by_place.entry(origin + offset).or_default().push(number);
            }
        }
        Ok(Self {
            origin,
            volume: volume.clone(),
            flavour: walk.flavour,
            descriptors: vec![origin + descriptor],
            skip: walk.skip,
            entries,
            gone: HashSet::new(),
            by_place,
            open: BTreeMap::new(),
            moved: Vec::new(),
            removed: Vec::new(),
            added: Vec::new(),
        })
    }

    /// Another volume descriptor leads to the same directories: that of ISO 9660:1999.
    pub(super) fn is_also_of(&mut self, origin: u64, descriptor: u64, volume: &VolumeDescriptor) -> bool {
        let is_same = self.origin == origin && self.volume.root.offset == volume.root.offset;
        if is_same {
            self.descriptors.push(origin + descriptor);
        }
        is_same
    }

    /// As in facts and errors.
    pub(super) fn name(&self) -> String {
        let kind = match self.volume.kind {
            VolumeKind::Primary => "ISO 9660",
            VolumeKind::Joliet => "Joliet",
            VolumeKind::Enhanced => "ISO 9660:1999",
        };
        match self.origin {
            0 => kind.into(),
            origin => format!("{kind} of the volume that begins at byte {origin}"),
        }
    }

    /// The entry of this very path.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let found = self.entries.binary_search_by(|entry| entry.path.as_slice().cmp(path));
        found.ok().filter(|entry| !self.gone.contains(entry))
    }

    /// The entries whose first byte is at this offset of the image.
    pub(super) fn at_place(&self, offset: u64) -> impl Iterator<Item = usize> + '_ {
        let all = self.by_place.get(&offset).map_or(&[][..], Vec::as_slice);
        all.iter().copied().filter(|entry| !self.gone.contains(entry))
    }

    /// Where an entry's first byte is in the image.
    pub(super) fn place_of(&self, entry: usize) -> Option<u64> {
        let extents = &self.entries.get(entry)?.extents;
        extents.first().map(|(offset, _)| self.origin + offset)
    }

    fn block(&self, offset: u64) -> Result<Block, GrowError> {
        let bytes = offset.checked_sub(self.origin);
        let bytes = bytes.ok_or_else(|| GrowError::Bug(format!("{offset} is before the volume at {}", self.origin)))?;
        Ok(Block::at(bytes)?)
    }

    /// The record's directory, ready to be changed, and the record's place among those there.
    fn record(&mut self, draft: &Draft, entry: usize) -> Result<(u64, usize), GrowError> {
        let (path, record) = match self.entries.get(entry) {
            Some(entry) => (entry.path.clone(), self.origin + entry.record),
            None => return Err(GrowError::Bug("a name without a number".into())),
        };
        let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let parent = if end == 0 { b"/".to_vec() } else { path[..end].to_vec() };
        let directory = self
            .find(&parent)
            .and_then(|parent| self.place_of(parent))
            .ok_or_else(|| self.lost(&path))?;
        let extent = self.extent(draft, directory)?;
        let raw = edit::records(&extent);
        let wanted = raw.iter().find(|(at, _)| directory + *at as u64 == record);
        let Some((_, wanted)) = wanted else {
            // A directory that was moved away from its place (RRIP 4.1.5).
            return Err(self.lost(&path));
        };
        let wanted = wanted.clone();
        let open = self.opened(draft, directory)?;
        let at = open
            .records
            .iter()
            .position(|record| record.identifier() == wanted.identifier());
        Ok((directory, at.ok_or_else(|| GrowError::Bug("a record is gone".into()))?))
    }

    fn lost(&self, path: &[u8]) -> GrowError {
        GrowError::Unsupported(format!(
            "{}: its record in {} is not in the directory that it belongs to (RRIP 4.1.5), and such names are not changed",
            text::visible(path),
            self.name()
        ))
    }

    /// The bytes of a directory as they stand.
    fn extent(&self, draft: &Draft, directory: u64) -> Result<Vec<u8>, GrowError> {
        let length = self.length(directory)?;
        Ok(draft.read_vec_at(directory, length)?)
    }

    fn length(&self, directory: u64) -> Result<u64, GrowError> {
        let entries = self.at_place(directory).filter_map(|entry| self.entries.get(entry));
        let mut directories = entries.filter(|entry| entry.kind == EntryKind::Directory);
        let found = directories.next().and_then(|entry| entry.extents.first());
        found
            .map(|&(_, length)| length)
            .ok_or_else(|| GrowError::Bug(format!("no directory at {directory}")))
    }

    /// The records of a directory that is to be changed.
    fn opened(&mut self, draft: &Draft, directory: u64) -> Result<&mut Open, GrowError> {
        if !self.open.contains_key(&directory) {
            let extent = self.extent(draft, directory)?;
            let records: Vec<RawRecord> = edit::records(&extent).into_iter().map(|(_, record)| record).collect();
            let parent = records
                .get(1)
                .map_or(0, |parent| self.origin + u64::from(parent.block()) * SECTOR);
            let entry = self
                .at_place(directory)
                .next()
                .and_then(|entry| self.entries.get(entry));
            let open = Open {
                path: entry.map(|entry| entry.path.clone()).unwrap_or_default(),
                parent,
                records,
                room: extent.len() as u64,
                is_new: false,
            };
            self.open.insert(directory, open);
        }
        self.open
            .get_mut(&directory)
            .ok_or_else(|| GrowError::Bug("a directory that was opened is not there".into()))
    }

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
    pub(super) fn set_content(&mut self, draft: &Draft, entry: usize, place: Place) -> Result<(), GrowError> {
        let sections = self.sections(place)?;
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
    pub(super) fn identifier(&mut self, draft: &Draft, entry: usize) -> Result<Vec<u8>, GrowError> {
        let (directory, at) = self.record(draft, entry)?;
        let open = self.opened(draft, directory)?;
        Ok(open.records[at].identifier().to_vec())
    }

    /// Takes a name away, and all below it. The result are the places of contents and directories that it had.
    pub(super) fn remove(&mut self, draft: &Draft, entry: usize) -> Result<Vec<Place>, GrowError> {
        let (directory, at) = self.record(draft, entry)?;
        let skip = self.skip;
        let open = self.opened(draft, directory)?;
        let count = sections_at(&open.records, at);
        let record = open.records.drain(at..at + count).next();
        if record.is_some_and(|record| record.is_directory()) {
            self.linked(draft, directory, skip, -1)?;
        }
        let path = self
            .entries
            .get(entry)
            .map(|entry| entry.path.clone())
            .unwrap_or_default();
        let below = [path.as_slice(), b"/"].concat();
        let mut places = Vec::new();
        for (number, entry) in self.entries.iter_mut().enumerate() {
            if entry.path != path && !entry.path.starts_with(&below) {
                continue;
            }
            let origin = self.origin;
            self.gone.insert(number);
            let extents = entry.extents.drain(..);
            let extents: Vec<Place> = extents.map(|(offset, length)| (origin + offset, length)).collect();
            if entry.kind == EntryKind::Directory {
                self.removed.extend(extents.first().map(|&(offset, _)| offset));
            }
            places.extend(extents);
        }
        Ok(places)
    }

    /// The places of all names that are left.
    pub(super) fn used(&self) -> impl Iterator<Item = Place> + '_ {
        let extents = self.entries.iter().flat_map(|entry| &entry.extents);
        extents.map(|&(offset, length)| (self.origin + offset, length))
    }

    /// Adds a name to the directory at `parent`, with the identifier of another or one of its own. The result is the place of a new directory.
    pub(super) fn add(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        name: &NewName<'_>,
        place: Place,
        identifier: Option<Vec<u8>>,
    ) -> Result<(), GrowError> {
        let flavour = self.flavour;
        let sections = self.sections(place)?;
        let records = &self.opened(draft, parent)?.records;
        let others: Vec<&[u8]> = records.iter().map(RawRecord::identifier).collect();
        let identifier = identifier.unwrap_or_else(|| name.identifier(flavour, &others));
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
        Ok(())
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
    pub(super) fn begin_directory(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        path: Vec<u8>,
        posix: &Posix,
    ) -> Result<Place, GrowError> {
        let offset = draft.take(SECTOR);
        let open = Open {
            path,
            parent,
            records: edit::dots(self.flavour, posix).to_vec(),
            room: SECTOR,
            is_new: true,
        };
        self.open.insert(offset, open);
        Ok((offset, SECTOR))
    }

    /// Writes every directory that has changed. One that does not fit its place any more moves, and all that names it says so.
    pub(super) fn finish(&mut self, draft: &mut Draft) -> Result<(), GrowError> {
        // A directory that moves changes its parent, which then may not be written yet: the deepest come first.
        let mut order: Vec<(usize, u64)> = Vec::new();
        loop {
            order.clear();
            let depth = |path: &[u8]| path.iter().filter(|&&byte| byte == b'/').count() + usize::from(path.len() > 1);
            order.extend(self.open.iter().map(|(&offset, open)| (depth(&open.path), offset)));
            order.sort_unstable_by(|a, b| b.cmp(a));
            let Some(&(_, offset)) = order.first() else {
                break;
            };
            let Some(open) = self.open.remove(&offset) else {
                break;
            };
            self.write_directory(draft, offset, open)?;
        }
        self.write_path_tables(draft)
    }

    fn write_directory(&mut self, draft: &mut Draft, offset: u64, mut open: Open) -> Result<(), GrowError> {
        let needed = edit::directory(&open.records).len() as u64;
        let (place, length) = match needed > open.room {
            true => (draft.take(needed), needed),
            false => (offset, open.room),
        };
        let block = self.block(place)?;
        let length_32 = u32::try_from(length).map_err(|_| GrowError::Unsupported("a directory of 4 GiB".into()))?;
        let changed = place != offset || open.is_new;
        let is_root = open.path == b"/";
        if changed {
            if let Some(own) = open.records.first_mut() {
                own.set(block, length_32);
            }
            if is_root && let Some(parent) = open.records.get_mut(1) {
                parent.set(block, length_32);
            }
        }
        if open.is_new {
            let above = self.parent_place(draft, open.parent)?;
            if let Some(parent) = open.records.get_mut(1) {
                parent.set(self.block(above.0)?, above.1 as u32);
            }
        }
        let mut bytes = edit::directory(&open.records);
        bytes.resize(length as usize, 0);
        let shown = [self.shown(&open.path)];
        draft.write(place, &bytes, self.what(), &shown)?;
        if place == offset && !open.is_new {
            return Ok(());
        }
        // Who names it: its children by `..`, its parent by its record, the path tables, and the descriptors.
        let children: Vec<u64> = open
            .records
            .iter()
            .filter(|record| record.is_directory() && !record.is_dot())
            .map(|record| self.origin + u64::from(record.block()) * SECTOR)
            .collect();
        for child in children {
            if let Some(child) = self.open.get_mut(&child) {
                if let Some(parent) = child.records.get_mut(1) {
                    parent.set(block, length_32);
                }
                child.parent = place;
                continue;
            }
            let sector = draft.read_vec_at(child, SECTOR)?;
            if let Some((at, mut parent)) = edit::records(&sector).into_iter().nth(1) {
                parent.set(block, length_32);
                draft.write(child + at as u64, parent.bytes(), self.what(), &[])?;
            }
        }
        if place != offset {
            self.moved.push((offset, place));
            for (parent, _, own) in &mut self.added {
                *parent = if *parent == offset { place } else { *parent };
                *own = if *own == offset { place } else { *own };
            }
        }
        if is_root {
            return self.write_root(draft, block, length_32);
        }
        let old = self.block(offset)?.number();
        let parent = self.opened(draft, open.parent)?;
        let record = parent
            .records
            .iter_mut()
            .find(|record| record.block() == old && record.is_directory() && !record.is_dot());
        match record {
            Some(record) => record.set(block, length_32),
            None => return Err(self.lost(&open.path)),
        }
        Ok(())
    }

    /// Place and length of a directory as they are so far.
    fn parent_place(&self, draft: &Draft, directory: u64) -> Result<Place, GrowError> {
        let open = self.open.get(&directory);
        let length = match open {
            Some(open) => open.room,
            None => self.extent(draft, directory)?.len() as u64,
        };
        Ok((directory, length))
    }

    fn write_root(&self, draft: &mut Draft, block: Block, length: u32) -> Result<(), GrowError> {
        for &descriptor in &self.descriptors {
            let record = draft.read_vec_at(descriptor + at::ROOT, 34)?;
            let Some((_, mut root)) = edit::records(&record).into_iter().next() else {
                return Err(GrowError::Bug("a volume descriptor without a root directory".into()));
            };
            root.set(block, length);
            draft.write(descriptor + at::ROOT, root.bytes(), self.what_descriptor(), &[])?;
        }
        Ok(())
    }

    /// Path tables with the new places of directories.
    fn write_path_tables(&mut self, draft: &mut Draft) -> Result<(), GrowError> {
        if self.moved.is_empty() && self.added.is_empty() && self.removed.is_empty() {
            return Ok(());
        }
        let old = draft.read_vec_at(self.origin + self.volume.path_table_l, self.volume.path_table_length)?;
        let mut entries = edit::path_entries(&old);
        for &(before, place) in &self.moved {
            let (before, now) = (self.block(before)?.number(), self.block(place)?.number());
            for entry in entries.iter_mut().filter(|entry| entry.block == before) {
                entry.block = now;
            }
        }
        for &gone in &self.removed {
            edit::remove_from_path_table(&mut entries, self.block(gone)?.number());
        }
        for (parent, identifier, own) in &self.added {
            let (parent, own) = (self.block(*parent)?.number(), self.block(*own)?.number());
            edit::add_to_path_table(&mut entries, parent, identifier, own).ok_or_else(|| {
                GrowError::Unsupported(format!(
                    "the path table of {} does not hold its directories",
                    self.name()
                ))
            })?;
        }
        for &descriptor in &self.descriptors {
            self.tables_of(draft, descriptor, &entries)?;
        }
        Ok(())
    }

    /// The tables that a descriptor names, where they are if they fit there.
    fn tables_of(&self, draft: &mut Draft, descriptor: u64, entries: &[PathEntry]) -> Result<(), GrowError> {
        let what = self.what_descriptor();
        let tables = [(at::PATH_TABLES_L, true), (at::PATH_TABLES_M, false)];
        for (field, is_little) in tables
            .into_iter()
            .flat_map(|(fields, little)| fields.map(|field| (field, little)))
        {
            let number: [u8; 4] = *draft
                .read_vec_at(descriptor + field, 4)?
                .first_chunk()
                .unwrap_or(&[0; 4]);
            let number = match is_little {
                true => u32::from_le_bytes(number),
                false => u32::from_be_bytes(number),
            };
            if number == 0 {
                continue;
            }
            let bytes = edit::path_table(entries, is_little);
            let room = self.volume.path_table_length.next_multiple_of(SECTOR);
            let place = match bytes.len() as u64 > room {
                true => draft.take(bytes.len() as u64),
                false => self.origin + u64::from(number) * SECTOR,
            };
            let table = match (self.volume.kind, is_little) {
                (VolumeKind::Joliet, true) => What::JolietPathTableL,
                (VolumeKind::Joliet, false) => What::JolietPathTableM,
                (_, true) => What::PathTableL,
                (_, false) => What::PathTableM,
            };
            draft.write(place, &bytes, table, &[])?;
            let block = self.block(place)?.number();
            let block = if is_little {
                block.to_le_bytes()
            } else {
                block.to_be_bytes()
            };
            draft.write(descriptor + field, &block, what, &[])?;
        }
        let length = edit::path_table(entries, true).len() as u32;
        draft.write(descriptor + at::PATH_TABLE_SIZE, &both(length), what, &[])?;
        Ok(())
    }

    /// The end of the volume, which covers what is new.
    pub(super) fn new_end(&self, shift: &Shift) -> u64 {
        let old = Range {
            offset: self.origin,
            length: self.volume.space,
        };
        shift.range(old).end().next_multiple_of(SECTOR)
    }

    /// Says so.
    pub(super) fn set_end(&self, draft: &mut Draft, shift: &Shift) -> Result<(), GrowError> {
        let blocks = self.block(self.new_end(shift))?.number();
        for &descriptor in &self.descriptors {
            draft.write(descriptor + at::SPACE, &both(blocks), self.what_descriptor(), &[])?;
        }
        Ok(())
    }

    fn what(&self) -> What {
        match self.volume.kind {
            VolumeKind::Joliet => What::JolietDirectory,
            _ => What::Directory,
        }
    }

    fn what_descriptor(&self) -> What {
        match self.volume.kind {
            VolumeKind::Primary => What::PrimaryDescriptor,
            _ => What::JolietDescriptor,
        }
    }

    fn shown(&self, path: &[u8]) -> String {
        format!("iso:{}", text::lossless(path))
    }
}

/// How many records in a row name one file.
fn sections_at(records: &[RawRecord], at: usize) -> usize {
    1 + records.iter().skip(at).take_while(|record| record.goes_on()).count()
}

/// §8.3.4
fn both(value: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&value.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_be_bytes());
    bytes
}

impl From<io::Error> for GrowError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}
