//! What has changed of a hierarchy goes into the draft: directories, which move if they have no room where they are, path tables, and what the
//! volume descriptors say.

use super::{Hierarchy, Open, Place};
use crate::facts::What;
use crate::formats::iso9660::edit::{self, PathEntry, descriptor as field};
use crate::formats::iso9660::{EntryKind, SECTOR, VolumeDescriptor, VolumeKind};
use crate::ground::block::Block;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::shift::Shift;
use crate::ground::text;
use crate::plan::grow::GrowError;
use crate::plan::grow::draft::Draft;
use crate::plan::grow::gone::Gone;

impl Hierarchy {
    /// Writes every changed directory. A directory that has outgrown its extent moves, and every reference to it is updated.
    pub(in crate::plan::grow) fn finish(&mut self, draft: &mut Draft, gone: &mut Gone) -> Result<(), GrowError> {
        // A directory that moves changes its parent, which then may not be written yet: the deepest come first.
        let depth = |path: &[u8]| path.iter().filter(|&&byte| byte == b'/').count() + usize::from(path.len() > 1);
        while let Some(offset) = self
            .open
            .iter()
            .max_by_key(|(_, open)| depth(&open.path))
            .map(|(&offset, _)| offset)
            && let Some(open) = self.open.remove(&offset)
        {
            self.write_directory(draft, offset, open)?;
        }
        for &(before, _) in &self.moved {
            let directories: Vec<usize> = self.listing.at_place(before).collect();
            for entry in directories {
                let is_directory = self
                    .listing
                    .get(entry)
                    .is_some_and(|entry| entry.kind == EntryKind::Directory);
                if is_directory {
                    let path = self.listing.path(entry).to_vec();
                    gone.add(self.listing.forget(entry), &path);
                }
            }
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
            let is_own_parent = is_root || (!open.is_new && open.is_own_parent());
            if let Some(own) = open.records.first_mut() {
                own.set(block, length_32);
            }
            if is_own_parent && let Some(parent) = open.records.get_mut(1) {
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
                if !child.is_new && child.is_own_parent() {
                    child.parent = place;
                    continue;
                }
                if let Some(parent) = child.records.get_mut(1) {
                    parent.set(block, length_32);
                }
                child.parent = place;
                continue;
            }
            let sector = draft.read_vec_at(child, SECTOR)?;
            let parent = edit::records(&sector).into_iter().nth(1);
            let old = self.block(offset)?.number();
            if let Some((at, mut parent)) = parent.filter(|(_, parent)| open.is_new || parent.block() == old) {
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
            let record = draft.read_vec_at(descriptor + field::ROOT, field::ROOT_LENGTH)?;
            let Some((_, mut root)) = edit::records(&record).into_iter().next() else {
                return Err(GrowError::Bug("a volume descriptor without a root directory".into()));
            };
            root.set(block, length);
            draft.write(descriptor + field::ROOT, root.bytes(), self.what_descriptor(), &[])?;
        }
        Ok(())
    }

    /// Path tables with the new places of directories.
    fn write_path_tables(&mut self, draft: &mut Draft) -> Result<(), GrowError> {
        if self.moved.is_empty() && self.added.is_empty() && self.removed.is_empty() {
            return Ok(());
        }
        let old = draft.read_vec_at(self.origin + self.volume.path_table_l, self.volume.path_table_length)?;
        let known = edit::path_entries(&old);
        let mut entries = known.clone();
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
            self.tables_of(draft, descriptor, &known, &entries)?;
        }
        Ok(())
    }

    /// Writes the path tables of a descriptor. A table keeps its place if it fits and if the table of the `known` entries is there: a damaged field
    /// may point at something else. Otherwise it goes behind the data.
    fn tables_of(
        &self,
        draft: &mut Draft,
        descriptor: u64,
        known: &[PathEntry],
        entries: &[PathEntry],
    ) -> Result<(), GrowError> {
        let what = self.what_descriptor();
        let tables = [(field::PATH_TABLES_L, true), (field::PATH_TABLES_M, false)];
        for (at, is_little) in tables
            .into_iter()
            .flat_map(|(fields, little)| fields.map(|at| (at, little)))
        {
            let old = draft.read_vec_at(descriptor + at, 4)?;
            let number = field::path_table_block(*old.first_chunk().unwrap_or(&[0; 4]), is_little);
            if number == 0 {
                continue;
            }
            let bytes = edit::path_table(entries, is_little);
            let room = self.volume.path_table_length.next_multiple_of(SECTOR);
            let place = self.origin + u64::from(number) * SECTOR;
            let there = draft.read_vec_at(place, self.volume.path_table_length);
            let is_table = there.is_ok_and(|there| there == edit::path_table(known, is_little));
            let place = match is_table && bytes.len() as u64 <= room {
                true => place,
                false => draft.take(bytes.len() as u64),
            };
            let table = match (self.volume.kind, is_little) {
                (VolumeKind::Joliet, true) => What::JolietPathTableL,
                (VolumeKind::Joliet, false) => What::JolietPathTableM,
                (_, true) => What::PathTableL,
                (_, false) => What::PathTableM,
            };
            draft.write(place, &bytes, table, &[])?;
            let block = field::path_table_field(self.block(place)?.number(), is_little);
            draft.write(descriptor + at, &block, what, &[])?;
        }
        let length = edit::path_table(entries, true).len() as u32;
        let (at, bytes) = field::path_table_size(length);
        Ok(draft.write(descriptor + at, &bytes, what, &[])?)
    }

    /// Writes that end into the volume descriptors, as the number of blocks.
    pub(in crate::plan::grow) fn set_end(&self, draft: &mut Draft, shift: &Shift) -> Result<(), GrowError> {
        let blocks = self.block(new_end(self.origin, &self.volume, shift))?.number();
        let (at, bytes) = field::volume_space(blocks);
        for &descriptor in &self.descriptors {
            draft.write(descriptor + at, &bytes, self.what_descriptor(), &[])?;
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

/// The end of a volume that begins at the byte `origin`: it covers what is new.
pub(in crate::plan::grow) fn new_end(origin: u64, volume: &VolumeDescriptor, shift: &Shift) -> u64 {
    let old = Range {
        offset: origin,
        length: volume.space,
    };
    shift.range(old).end().next_multiple_of(SECTOR)
}
