//! A volume's hierarchies back from bytes that may be hostile: no loop, no unbounded memory, every oddity a note.

mod directory;
mod entry;
mod raw;
mod relocated;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::descriptor::VolumeDescriptor;
use super::rock_ridge;
use super::{Flavour, Iso9660Error, SECTOR, VolumeKind};
use crate::ground::limits::{Limits, Notes};
use crate::ground::read_at::ReadAt;
use crate::ground::text;
use raw::Raw;
use relocated::Relocated;

pub use entry::{EntryKind, IsoEntry};
pub use sessions::{Session, sessions};

/// What an entry takes beside its path.
const ENTRY: u64 = 256;

/// All that one hierarchy says.
#[derive(Debug)]
pub struct Walk {
    /// Parents before children.
    pub entries: Vec<IsoEntry>,
    /// How many names have no entry; the notes say why.
    pub left_out: usize,
    /// Whose names the paths are made of.
    pub flavour: Flavour,
    /// Bytes of each record's system use that belong to somebody else (SUSP 5.3).
    pub skip: usize,
    /// Byte offset and length of the continuation pieces that records point at.
    pub continuations: Vec<(u64, u64)>,
    /// Directories that hold nothing but directories which belong elsewhere (`rr_moved`): they are in no path.
    pub emptied: Vec<IsoEntry>,
    /// What contradicts the standard.
    pub notes: Vec<String>,
    /// What the standard allows and the entries do not show.
    pub remarks: Vec<String>,
}

/// Whether a README is all that a hierarchy names, as in an image that leaves its files to UDF.
pub fn is_stub(entries: &[IsoEntry]) -> bool {
    let is_readme = |path: &[u8]| {
        let name = path.strip_prefix(b"/").unwrap_or(path).to_ascii_lowercase();
        name.starts_with(b"readme") && !name.contains(&b'/')
    };
    let mut names = entries.iter().filter(|entry| entry.path != b"/");
    let only = names.next();
    only.is_some_and(|only| only.kind == EntryKind::File && is_readme(&only.path)) && names.next().is_none()
}

impl Walk {
    /// A walk that found these entries and nothing else.
    pub fn new(flavour: Flavour, entries: Vec<IsoEntry>) -> Self {
        Self {
            entries,
            left_out: 0,
            flavour,
            skip: 0,
            continuations: Vec::new(),
            emptied: Vec::new(),
            notes: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

/// Follows a hierarchy from its root. A primary one is read by Rock Ridge if it has that, else by identifier.
///
/// # Errors
/// When the image cannot be read. What is cut off or damaged is a note.
pub fn walk(image: &dyn ReadAt, volume: &VolumeDescriptor) -> Result<Walk, Iso9660Error> {
    let root = Directory {
        offset: volume.root.offset,
        length: volume.root.length,
        path: Vec::new(),
        depth: 1,
    };
    let (attributes, announced_at) = announced(image, &root)?;
    let flavour = match volume.kind {
        VolumeKind::Joliet => Flavour::Joliet,
        VolumeKind::Enhanced => Flavour::Enhanced,
        VolumeKind::Primary if attributes.skip.is_some() => Flavour::RockRidge,
        VolumeKind::Primary => Flavour::Plain,
    };
    let skip = attributes.skip.unwrap_or(0).into();
    let mut walker = Walker {
        image,
        skip,
        announced_at,
        seen: HashSet::new(),
        relocated: Relocated::default(),
        associated: 0,
        limits: Limits::new(image.size()),
        notes: Notes::default(),
        torn: 0,
        walk: Walk::new(flavour, Vec::new()),
    };
    if root.length == 0 {
        walker
            .notes
            .add("the root directory has a length of 0: it holds nothing".into());
    }
    let mut entry = IsoEntry::new(b"/".to_vec(), EntryKind::Directory);
    entry.extents.extend(walker.clip(root.offset, root.length));
    entry.length = root.length;
    entry.describe(attributes.posix, attributes.modified.unwrap_or(volume.root.recorded));
    walker.walk.entries.push(entry);
    walker.seen.insert(root.offset);
    walker.below(root)?;
    while let Some(orphan) = walker.orphan() {
        walker.below(orphan)?;
    }
    walker.hide_emptied();
    let structures = "the directories and continuation areas";
    walker.walk.left_out += walker.limits.finish(structures, &mut walker.notes);
    if walker.torn > 0 {
        walker.notes.add(format!(
            "{} records have system use entries that are cut short or have no length; what follows them is not read",
            walker.torn
        ));
    }
    if walker.associated > 0 {
        walker.walk.remarks.push(format!(
            "{} associated files (ECMA-119 §7.5.4; a Macintosh's resource forks) are left out",
            walker.associated
        ));
    }
    walker.walk.skip = skip;
    walker.walk.notes = walker.notes.finish();
    Ok(walker.walk)
}

/// SUSP 5.3: the SP entry in the root's first record announces all others. The root's attributes are beside it. The number is how many
/// bytes of that record's system use stand before SP.
fn announced(image: &dyn ReadAt, root: &Directory) -> Result<(rock_ridge::Read, usize), Iso9660Error> {
    let failed = |error| Iso9660Error::Read {
        offset: root.offset,
        error,
    };
    // What is cut off is a note of the walk.
    let length = image.size().saturating_sub(root.offset).min(SECTOR).min(root.length);
    let bytes = match length {
        0 => Vec::new(),
        _ => image.read_vec_at(root.offset, length).map_err(failed)?,
    };
    let mut read = rock_ridge::Read::default();
    let record = Raw::parse(&bytes);
    let system_use = record.map_or(&[][..], |record| record.system_use);
    let at = rock_ridge::announcement(system_use);
    if let Some(at) = at {
        read.add(&system_use[at..]);
    }
    Ok((read, at.unwrap_or(0)))
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
    /// Bytes of each record's system use that belong to somebody else; of the root's first record, [`Self::announced_at`].
    skip: usize,
    announced_at: usize,
    /// Offsets of directories: each is read once, so that a loop ends.
    seen: HashSet<u64>,
    relocated: Relocated,
    /// Associated files.
    associated: usize,
    limits: Limits,
    notes: Notes,
    /// Records whose system use entries are cut short.
    torn: usize,
    walk: Walk,
}

impl Walker<'_> {
    /// Reads a directory and all below it.
    fn below(&mut self, directory: Directory) -> Result<(), Iso9660Error> {
        let mut pending = vec![directory];
        while let Some(directory) = pending.pop()
            && !self.limits.is_read_over()
        {
            // The last that was found is read next: deep before wide keeps the list short.
            pending.extend(self.directory(&directory)?.into_iter().rev());
        }
        Ok(())
    }

    /// The part of an extent that the image has.
    fn clip(&self, offset: u64, length: u64) -> Option<(u64, u64)> {
        let length = length.min(self.image.size().saturating_sub(offset));
        (length > 0).then_some((offset, length))
    }
}

fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        "/".into()
    } else {
        text::visible(path)
    }
}
