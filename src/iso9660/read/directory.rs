//! The records of one directory.

use super::super::record::{ASSOCIATED, DIRECTORY, MULTI_EXTENT};
use super::super::{DEPTH, Error, Flavour, SECTOR, identifier, rock_ridge};
use super::raw::Raw;
use super::{Directory, ENTRY, Entry, EntryKind, Walker, shown};
use crate::text;

/// Continuation pieces that one record may have: the longest name and link fill four.
const CONTINUATIONS: usize = 16;

impl Walker<'_> {
    /// The entries of a directory. The result are the directories among them.
    fn directory(&mut self, directory: &Directory) -> Result<Vec<Directory>, Error> {
        let (path, depth) = (&directory.path, directory.depth);
        let mut found = Vec::new();
        let end = directory.offset.saturating_add(directory.length);
        if end > self.image.size() {
            self.notes
                .add(format!("the directory {} ends behind the image", shown(path)));
        }
        if !directory.length.is_multiple_of(SECTOR) {
            self.notes.add(format!(
                "the length of the directory {} is no multiple of {SECTOR}",
                shown(path)
            ));
        }
        let mut sections: Option<Entry> = None;
        let mut at = directory.offset;
        while let Some((offset, length)) = self.clip(at, SECTOR.min(end.saturating_sub(at)))
            && self.limits.may_read(length)
        {
            let bytes = self
                .image
                .read_vec_at(offset, length)
                .map_err(|error| Error::Read { offset, error })?;
            let mut rest = bytes.as_slice();
            while let Some(record) = Raw::parse(rest) {
                rest = &rest[record.length..];
                if record.torn {
                    let place = offset + (bytes.len() - rest.len() - record.length) as u64;
                    self.notes.add(format!(
                        "the record at {place} in {} says one thing in little-endian and another in big-endian",
                        shown(path)
                    ));
                }
                if matches!(record.identifier, [0] | [1]) {
                    if self.walk.flavour == Flavour::RockRidge {
                        self.system_use(record.system_use);
                    }
                    continue;
                }
                self.record(&record, path, depth, &mut sections, &mut found);
            }
            if rest.first().is_some_and(|&length| length != 0) {
                let place = offset + (bytes.len() - rest.len()) as u64;
                self.notes
                    .add(format!("the record at {place} in {} is cut short", shown(path)));
            }
            at += SECTOR;
        }
        if let Some(unfinished) = sections {
            self.notes
                .add(format!("the last section of {} is missing", shown(&unfinished.path)));
            self.walk.entries.push(unfinished);
        }
        Ok(found)
    }

    fn record(
        &mut self,
        record: &Raw<'_>,
        parent: &[u8],
        depth: usize,
        sections: &mut Option<Entry>,
        found: &mut Vec<Directory>,
    ) {
        let read = match self.walk.flavour {
            Flavour::RockRidge => self.system_use(record.system_use),
            _ => rock_ridge::Read::default(),
        };
        if read.torn {
            self.torn += 1;
        }
        if read.relocated {
            return;
        }
        let is_directory = record.flags & DIRECTORY != 0 || read.child.is_some();
        let name = read.name.unwrap_or_else(|| match self.walk.flavour {
            Flavour::Joliet => identifier::read_joliet(record.identifier, is_directory),
            Flavour::Enhanced => record.identifier.to_vec(),
            _ => identifier::read_primary(record.identifier, is_directory),
        });
        if !text::is_component(&name) {
            self.notes.add(format!(
                "{} in {} is no name that a path can hold; it is left out",
                text::visible(&name),
                shown(parent)
            ));
            self.walk.left_out += 1;
            return;
        }
        let cost = (parent.len() + 1 + name.len()) as u64 + ENTRY;
        if !self.limits.may_hold(cost) {
            return;
        }
        let path = [parent, b"/", &name].concat();
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
        let (mut offset, mut length) = (u64::from(record.extent) * SECTOR, u64::from(record.data_length));
        if let Some(child) = read.child {
            offset = u64::from(child) * SECTOR;
            length = self.relocated_length(offset);
        }
        if offset.saturating_add(length) > self.image.size() && length > 0 {
            self.notes.add(format!("{} ends behind the image", shown(&path)));
        }
        let extent = self.clip(offset, length);
        let mut entry = match sections.take() {
            Some(entry) if entry.path == path => entry,
            Some(other) => {
                self.notes
                    .add(format!("the last section of {} is missing", shown(&other.path)));
                self.walk.entries.push(other);
                Entry::new(path, kind)
            }
            None => Entry::new(path, kind),
        };
        entry.extents.extend(extent);
        entry.length += length;
        entry.zisofs = read.zisofs;
        entry.describe(read.posix, read.modified.unwrap_or(record.recorded));
        if record.flags & MULTI_EXTENT != 0 && !is_directory {
            *sections = Some(entry);
            return;
        }
        if entry.kind == EntryKind::Directory {
            let path = entry.path.clone();
            if depth >= DEPTH {
                self.notes.add(format!(
                    "{} is nested more than {DEPTH} deep and not read",
                    shown(&path)
                ));
            } else if !self.seen.insert(offset) {
                self.notes
                    .add(format!("the directory {} is at the place of another", shown(&path)));
            } else {
                found.push(Directory {
                    offset,
                    length,
                    path,
                    depth: depth + 1,
                });
            }
        }
        self.walk.entries.push(entry);
    }

    /// RRIP 4.1.5: the CL entry names the block alone; the directory's first record has its length.
    fn relocated_length(&self, offset: u64) -> u64 {
        let bytes = self.image.read_vec_at(offset, 34).unwrap_or_default();
        Raw::parse(&bytes).map_or(0, |record| record.data_length.into())
    }

    fn system_use(&mut self, area: &[u8]) -> rock_ridge::Read {
        let mut read = rock_ridge::Read::default();
        read.add(area.get(usize::from(self.skip)..).unwrap_or_default());
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

