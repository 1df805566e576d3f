//! A volume's hierarchies back from bytes that may be hostile: no loop, no unbounded memory, every oddity a note.

mod entry;
mod raw;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::descriptor::VolumeDescriptor;
use super::record::{DIRECTORY, MULTI_EXTENT};
use super::rock_ridge;
use super::{DEPTH, Error, Flavour, SECTOR, VolumeKind, identifier};
use crate::limits::{Limits, Notes};
use crate::read_at::ReadAt;
use crate::text;
use raw::Raw;

pub use entry::{Entry, EntryKind};

/// Continuation pieces that one record may have: the longest name and link fill four.
const CONTINUATIONS: usize = 16;
/// What an entry takes beside its path.
const ENTRY: u64 = 256;

/// All that one hierarchy says.
#[derive(Debug)]
pub struct Walk {
    /// Parents before children.
    pub entries: Vec<Entry>,
    /// How many names have no entry; the notes say why.
    pub left_out: usize,
    /// Whose names the paths are made of.
    pub flavour: Flavour,
    /// Byte offset and length of the continuation pieces that records point at.
    pub continuations: Vec<(u64, u64)>,
    /// What contradicts the standard.
    pub notes: Vec<String>,
}

/// Follows a hierarchy from its root. A primary one is read by Rock Ridge if it has that, else by identifier.
///
/// # Errors
/// When the root directory cannot be read.
pub fn walk(image: &dyn ReadAt, volume: &VolumeDescriptor) -> Result<Walk, Error> {
    let root = Directory {
        offset: volume.root.offset,
        length: volume.root.length,
        path: Vec::new(),
        depth: 1,
    };
    let attributes = announced(image, &root)?;
    let flavour = match volume.kind {
        VolumeKind::Joliet => Flavour::Joliet,
        VolumeKind::Enhanced => Flavour::Enhanced,
        VolumeKind::Primary if attributes.skip.is_some() => Flavour::RockRidge,
        VolumeKind::Primary => Flavour::Plain,
    };
    let mut walker = Walker {
        image,
        skip: attributes.skip.unwrap_or(0),
        seen: HashSet::new(),
        limits: Limits::new(image.size()),
        notes: Notes::default(),
        torn: 0,
        walk: Walk {
            entries: Vec::new(),
            left_out: 0,
            flavour,
            continuations: Vec::new(),
            notes: Vec::new(),
        },
    };
    let mut entry = Entry::new(b"/".to_vec(), EntryKind::Directory);
    entry.extents.extend(walker.clip(root.offset, root.length));
    entry.length = root.length;
    entry.describe(attributes.posix, attributes.modified.unwrap_or(volume.root.recorded));
    walker.walk.entries.push(entry);
    walker.seen.insert(root.offset);
    let mut pending = vec![root];
    while let Some(directory) = pending.pop()
        && !walker.limits.is_read_over()
    {
        // The last that was found is read next: deep before wide keeps the list short.
        pending.extend(walker.directory(&directory)?.into_iter().rev());
    }
    let structures = "the directories and continuation areas";
    walker.walk.left_out += walker.limits.finish(structures, &mut walker.notes);
    if walker.torn > 0 {
        walker.notes.add(format!(
            "{} records have system use entries that are cut short or have no length; what follows them is not read",
            walker.torn
        ));
    }
    walker.walk.notes = walker.notes.finish();
    Ok(walker.walk)
}

/// SUSP 5.3: the SP entry in the root's first record announces all others. The root's attributes are beside it.
fn announced(image: &dyn ReadAt, root: &Directory) -> Result<rock_ridge::Read, Error> {
    let failed = |error| Error::Read {
        offset: root.offset,
        error,
    };
    let bytes = image
        .read_vec_at(root.offset, SECTOR.min(root.length))
        .map_err(failed)?;
    let mut read = rock_ridge::Read::default();
    if let Some(record) = Raw::parse(&bytes) {
        read.add(record.system_use);
    }
    Ok(read)
}

/// A directory that is still to be read.
struct Directory {
    offset: u64,
    length: u64,
    path: Vec<u8>,
    depth: usize,
}

struct Walker<'a> {
    image: &'a dyn ReadAt,
    skip: u8,
    /// Offsets of directories: each is read once, so that a loop ends.
    seen: HashSet<u64>,
    limits: Limits,
    notes: Notes,
    /// Records whose system use entries are cut short.
    torn: usize,
    walk: Walk,
}

impl Walker<'_> {
    /// The part of an extent that the image has.
    fn clip(&self, offset: u64, length: u64) -> Option<(u64, u64)> {
        let length = length.min(self.image.size().saturating_sub(offset));
        (length > 0).then_some((offset, length))
    }

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

fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        "/".into()
    } else {
        text::visible(path)
    }
}
