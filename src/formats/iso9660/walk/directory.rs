//! The records of one directory.

use std::collections::HashMap;

use super::super::record::{ASSOCIATED, DIRECTORY, MULTI_EXTENT};
use super::super::{DEPTH, Flavour, Iso9660Error, SECTOR, identifier, rock_ridge};
use super::raw::Raw;
use super::{Directory, ENTRY, EntryKind, IsoEntry, Walker, shown};
use crate::ground::text;

/// Continuation pieces that one record may have: the longest name and link fill four.
const CONTINUATIONS: usize = 16;

/// What has been found in the directory that is being read.
struct Reading<'a> {
    directory: &'a Directory,
    /// A file whose last section has not been met.
    sections: Option<IsoEntry>,
    /// Directories to be read next.
    found: Vec<Directory>,
    /// Entries by their place in the walk, with their version numbers: §8.5.1.
    versions: Vec<(usize, u16)>,
    /// Records of directories that belong elsewhere.
    moved: usize,
    /// All other records.
    others: usize,
}

impl Walker<'_> {
    /// The entries of a directory. The result are the directories among them.
    pub(super) fn directory(&mut self, directory: &Directory) -> Result<Vec<Directory>, Iso9660Error> {
        let path = &directory.path;
        let end = directory.offset.saturating_add(directory.length);
        if end > self.image.size() {
            self.notes
                .add(format!("the directory {} ends behind the image", shown(path)));
        }
        if !directory.length.is_multiple_of(SECTOR) {
            self.notes.add(format!(
                "the length of the directory {} is not a multiple of {SECTOR}",
                shown(path)
            ));
        }
        let mut reading = Reading {
            directory,
            sections: None,
            found: Vec::new(),
            versions: Vec::new(),
            moved: 0,
            others: 0,
        };
        let mut at = directory.offset;
        while let Some((offset, length)) = self.clip(at, SECTOR.min(end.saturating_sub(at)))
            && self.limits.may_read(length)
        {
            let bytes = self
                .image
                .read_vec_at(offset, length)
                .map_err(|error| Iso9660Error::Read { offset, error })?;
            self.sector(offset, &bytes, &mut reading);
            at += SECTOR;
        }
        if let Some(unfinished) = reading.sections.take() {
            self.unfinished(unfinished);
        }
        self.name_versions(&reading.versions);
        if reading.moved > 0 && reading.others == 0 && directory.depth == 2 {
            self.relocated.emptied.insert(path.clone());
        }
        Ok(reading.found)
    }

    /// The records in one logical sector, which none crosses.
    fn sector(&mut self, offset: u64, bytes: &[u8], reading: &mut Reading<'_>) {
        let path = &reading.directory.path;
        let mut rest = bytes;
        while let Some(record) = Raw::parse(rest) {
            let place = offset + (bytes.len() - rest.len()) as u64;
            rest = &rest[record.length..];
            if record.torn {
                self.notes.add(format!(
                    "the record at {place} in {} says one thing in little-endian and another in big-endian",
                    shown(path)
                ));
            }
            if matches!(record.identifier, [0] | [1]) {
                if self.walk.flavour == Flavour::RockRidge {
                    let is_first = path.is_empty() && place == reading.directory.offset;
                    let skip = if is_first { self.announced_at } else { self.skip };
                    self.system_use(record.system_use, skip);
                }
                continue;
            }
            self.record(&record, place, reading);
        }
        if rest.first().is_some_and(|&length| length != 0) {
            let place = offset + (bytes.len() - rest.len()) as u64;
            self.notes
                .add(format!("the record at {place} in {} is cut short", shown(path)));
        }
    }

    /// One record, which begins at the byte `at`.
    fn record(&mut self, record: &Raw<'_>, at: u64, reading: &mut Reading<'_>) {
        let parent = &reading.directory.path;
        if record.flags & ASSOCIATED != 0 && record.flags & DIRECTORY == 0 {
            // Each of its sections has a record; the last one is counted.
            self.associated += usize::from(record.flags & MULTI_EXTENT == 0);
            return;
        }
        let read = match self.walk.flavour {
            Flavour::RockRidge => self.system_use(record.system_use, self.skip),
            _ => rock_ridge::Read::default(),
        };
        if read.torn {
            self.torn += 1;
        }
        let is_directory = record.flags & DIRECTORY != 0 || read.child.is_some();
        let (identifier, version) = match self.walk.flavour {
            Flavour::Joliet => identifier::read_joliet(record.identifier, is_directory),
            Flavour::Enhanced => (record.identifier.to_vec(), None),
            _ => identifier::read_primary(record.identifier, is_directory),
        };
        let name = read.name.unwrap_or(identifier);
        let target_is_whole = read.target.as_ref().is_none_or(|target| !target.contains(&0));
        if !text::is_component(&name) || !target_is_whole {
            let why = match target_is_whole {
                true => "cannot be part of a path",
                false => "is a link to a name with a NUL, which no path can hold",
            };
            let (name, parent) = (text::visible(&name), shown(parent));
            self.notes.add(format!("{name} in {parent} {why}; it is left out"));
            self.walk.left_out += 1;
            return;
        }
        let cost = (parent.len() + 1 + name.len()) as u64 + ENTRY;
        if !self.limits.may_hold(cost) {
            return;
        }
        let path = [parent, b"/".as_slice(), &name].concat();
        let kind = match (
            is_directory,
            read.target,
            read.posix.map_or(0, |posix| posix.mode) & 0o170_000,
        ) {
            (true, ..) => EntryKind::Directory,
            (false, Some(target), _) => EntryKind::Symlink(target),
            (false, None, 0 | 0o100_000 | 0o120_000) => EntryKind::File,
            _ => EntryKind::Other(read.device),
        };
        let new = |path| IsoEntry {
            record: at,
            ..IsoEntry::new(path, kind)
        };
        let mut entry = match reading.sections.take() {
            Some(entry) if entry.path == path => entry,
            Some(other) => {
                self.unfinished(other);
                new(path)
            }
            None => new(path),
        };
        entry.zisofs = read.zisofs;
        entry.describe(read.posix, read.modified.unwrap_or(record.recorded));
        let (mut offset, mut length) = (u64::from(record.extent) * SECTOR, u64::from(record.data_length));
        if let Some(child) = read.child {
            offset = u64::from(child) * SECTOR;
            length = self.moved_here(offset, &mut entry);
        }
        self.place(record, offset, length, &mut entry);
        if read.relocated {
            reading.moved += 1;
            self.relocated.records.push((entry, reading.directory.depth));
            return;
        }
        reading.others += 1;
        if record.flags & MULTI_EXTENT != 0 && !is_directory {
            reading.sections = Some(entry);
            return;
        }
        if entry.kind == EntryKind::Directory {
            reading
                .found
                .extend(self.descend(&entry, offset, reading.directory.depth));
        } else if let Some(version) = version {
            reading.versions.push((self.walk.entries.len(), version));
        }
        self.walk.entries.push(entry);
    }

    /// Adds a section's extents to its entry.
    fn place(&mut self, record: &Raw<'_>, offset: u64, length: u64, entry: &mut IsoEntry) {
        entry.length += length;
        let Some(interleaved) = record.interleaved.filter(|_| entry.kind != EntryKind::Directory) else {
            if offset.saturating_add(length) > self.image.size() && length > 0 {
                self.notes.add(format!("{} ends behind the image", shown(&entry.path)));
            }
            entry.extents.extend(self.clip(offset, length));
            return;
        };
        // §7.4.3: units of data, with gaps between them.
        let unit = u64::from(interleaved.unit) * SECTOR;
        let (mut at, mut left) = (offset, length);
        while left > 0 {
            let here = self.clip(at, unit.min(left));
            // The bytes of an extent count as those of a name do.
            let Some((_, found)) = here.filter(|_| self.limits.may_hold(size_of::<(u64, u64)>() as u64)) else {
                self.notes.add(format!("{} ends behind the image", shown(&entry.path)));
                return;
            };
            entry.extents.extend(here);
            left -= found;
            at = at.saturating_add(unit + u64::from(interleaved.gap) * SECTOR);
        }
    }

    /// The directory to be read next, unless it is one that has been.
    pub(super) fn descend(&mut self, entry: &IsoEntry, offset: u64, depth: usize) -> Option<Directory> {
        if depth >= DEPTH {
            self.notes.add(format!(
                "{} is nested more than {DEPTH} deep and not read",
                shown(&entry.path)
            ));
            return None;
        }
        if !self.seen.insert(offset) {
            self.notes.add(format!(
                "the directory {} has the same place as another directory",
                shown(&entry.path)
            ));
            return None;
        }
        Some(Directory {
            offset,
            length: entry.length,
            path: entry.path.clone(),
            depth: depth + 1,
        })
    }

    fn unfinished(&mut self, mut entry: IsoEntry) {
        self.notes
            .add(format!("the last section of {} is missing", shown(&entry.path)));
        entry.is_whole = false;
        self.walk.entries.push(entry);
    }

    /// §8.5.1: of several versions of a file the highest has the name to itself; the others have their number behind it.
    fn name_versions(&mut self, versions: &[(usize, u16)]) {
        if versions.iter().all(|&(_, version)| version == 1) {
            return;
        }
        let entries = &mut self.walk.entries;
        let mut highest: HashMap<Vec<u8>, u16> = HashMap::new();
        for &(at, version) in versions {
            let known = highest.entry(entries[at].path.clone()).or_default();
            *known = version.max(*known);
        }
        for &(at, version) in versions {
            let path = &mut entries[at].path;
            if highest.get(path).is_some_and(|&highest| version < highest) {
                path.extend(format!(";{version}").bytes());
            }
        }
    }

    fn system_use(&mut self, area: &[u8], skip: usize) -> rock_ridge::Read {
        let mut read = rock_ridge::Read::default();
        read.add(area.get(skip..).unwrap_or_default());
        for _ in 0..CONTINUATIONS {
            let Some((offset, length)) = read.continuation else {
                return read;
            };
            if length > SECTOR - offset % SECTOR {
                self.notes.add(format!(
                    "the continuation area at {offset} crosses the end of its logical block"
                ));
            }
            let length = length.min(SECTOR - offset % SECTOR);
            if !self.limits.may_read(length) {
                return read;
            }
            let Ok(bytes) = self.image.read_vec_at(offset, length) else {
                self.notes
                    .add(format!("the continuation area at {offset} is not in the image"));
                return read;
            };
            self.walk.continuations.push((offset, length));
            read.add(&bytes);
        }
        self.notes
            .add("a record has more continuation areas than any name or link needs".into());
        read
    }
}
