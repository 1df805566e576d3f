//! Directories that were moved away from their place, so that none is more than eight levels deep: RRIP 4.1.5.
//!
//! Where such a directory belongs stands a record with a CL entry that names its logical block. Where it is kept, most often in
//! `rr_moved`, its record has an RE entry.

use std::collections::HashSet;

use super::super::SECTOR;
use super::raw::Raw;
use super::{Directory, EntryKind, IsoEntry, Walker, shown};
use crate::formats::iso9660::rock_ridge;

/// What has been met of them.
#[derive(Default)]
pub(super) struct Relocated {
    /// Where they are kept, each with the depth of the directory that keeps it.
    pub(super) records: Vec<(IsoEntry, usize)>,
    /// Paths of directories in the root that keep nothing else.
    pub(super) emptied: HashSet<Vec<u8>>,
}

impl Walker<'_> {
    /// The length of the directory that a CL entry names. Its first record has that, and its attributes.
    pub(super) fn moved_here(&mut self, offset: u64, entry: &mut IsoEntry) -> u64 {
        let read = self.image.size().saturating_sub(offset).min(SECTOR);
        let bytes = match self.limits.may_read(read) {
            true => self.image.read_vec_at(offset, read).unwrap_or_default(),
            false => Vec::new(),
        };
        let Some(record) = Raw::parse(&bytes).filter(|record| record.identifier == [0]) else {
            self.notes.add(format!(
                "{} was moved to {offset}, but no directory is there: its contents are lost",
                shown(&entry.path)
            ));
            self.walk.left_out += 1;
            return 0;
        };
        let mut read = rock_ridge::Read::default();
        read.add(record.system_use.get(self.skip..).unwrap_or_default());
        if let Some(posix) = read.posix {
            entry.describe(Some(posix), read.modified.unwrap_or(record.recorded));
        }
        record.data_length.into()
    }

    /// A directory that was moved and that no CL entry has led to: it stays where it is kept.
    pub(super) fn orphan(&mut self) -> Option<Directory> {
        while let Some((entry, depth)) = self.relocated.records.pop() {
            let offset = entry.extents.first().map_or(0, |&(offset, _)| offset);
            if self.seen.contains(&offset) {
                continue;
            }
            self.notes.add(format!(
                "{} was moved there and nothing says from where",
                shown(&entry.path)
            ));
            let parent = entry.path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            self.relocated.emptied.remove(&entry.path[..parent]);
            let next = match entry.kind {
                EntryKind::Directory => self.descend(&entry, offset, depth),
                _ => None,
            };
            self.walk.entries.push(entry);
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// Takes away the directories that were made to keep moved ones alone.
    pub(super) fn hide_emptied(&mut self) {
        if self.relocated.emptied.is_empty() {
            return;
        }
        let (emptied, entries) = (&self.relocated.emptied, &mut self.walk.entries);
        let is_emptied = |entry: &mut IsoEntry| emptied.contains(&entry.path);
        self.walk.emptied = entries.extract_if(.., is_emptied).collect();
    }
}
