//! The names of an index of the base, found by path and by content.

use std::collections::{HashMap, HashSet};

use crate::formats::iso9660::EntryKind;

/// Where data is: offset in the image, and length.
pub(super) type Place = (u64, u64);

/// A name of an index.
#[derive(Debug)]
pub(super) struct Listed {
    /// From the root, which is `/`.
    pub(super) path: Vec<u8>,
    pub(super) kind: EntryKind,
    /// Where its content is.
    pub(super) extents: Vec<Place>,
}

/// The names of an index.
#[derive(Debug)]
pub(super) struct Listing {
    /// Sorted by path.
    entries: Vec<Listed>,
    /// Numbers of entries that are taken away.
    gone: HashSet<usize>,
    /// Numbers of entries by the offset of their first byte in the image.
    by_place: HashMap<u64, Vec<usize>>,
}

impl Listing {
    /// Of entries that are sorted by path.
    pub(super) fn of(entries: Vec<Listed>) -> Self {
        let mut by_place: HashMap<u64, Vec<usize>> = HashMap::new();
        for (number, entry) in entries.iter().enumerate() {
            if let Some((offset, _)) = entry.extents.first() {
                by_place.entry(*offset).or_default().push(number);
            }
        }
        Self {
            entries,
            gone: HashSet::new(),
            by_place,
        }
    }

    /// All of them, those that are taken away too.
    pub(super) fn entries(&self) -> &[Listed] {
        &self.entries
    }

    pub(super) fn get(&self, entry: usize) -> Option<&Listed> {
        self.entries.get(entry)
    }

    /// The path of an entry.
    pub(super) fn path(&self, entry: usize) -> &[u8] {
        self.entries.get(entry).map_or(&[], |entry| &entry.path)
    }

    /// The entry of this very path.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let found = self.entries.binary_search_by(|entry| entry.path.as_slice().cmp(path));
        found.ok().filter(|entry| !self.gone.contains(entry))
    }

    /// The directory that an entry is in.
    pub(super) fn parent(&self, entry: usize) -> Option<usize> {
        let path = self.path(entry);
        match path.iter().rposition(|&byte| byte == b'/')? {
            0 => self.find(b"/"),
            end => self.find(&path[..end]),
        }
    }

    /// The entries whose first byte is at this offset of the image.
    pub(super) fn at_place(&self, offset: u64) -> impl Iterator<Item = usize> + '_ {
        let all = self.by_place.get(&offset).map_or(&[][..], Vec::as_slice);
        all.iter().copied().filter(|entry| !self.gone.contains(entry))
    }

    /// Where an entry's first byte is in the image.
    pub(super) fn place_of(&self, entry: usize) -> Option<u64> {
        let extents = &self.entries.get(entry)?.extents;
        extents.first().map(|&(offset, _)| offset)
    }

    /// Takes an entry away, and all below it. The result are their numbers, and the places that each had.
    pub(super) fn remove(&mut self, entry: usize) -> Vec<(usize, Vec<Place>)> {
        // What is below stands together: entries are in the order of their paths.
        let below = [self.path(entry), b"/"].concat();
        let from = self.entries.partition_point(|entry| entry.path < below);
        let inside = self.entries[from..]
            .iter()
            .take_while(|entry| entry.path.starts_with(&below));
        let inside = from..from + inside.count();
        let mut removed = Vec::new();
        for number in std::iter::once(entry).chain(inside) {
            if let Some(entry) = self.entries.get_mut(number)
                && self.gone.insert(number)
            {
                removed.push((number, std::mem::take(&mut entry.extents)));
            }
        }
        removed
    }

    /// An entry gets another content. The result are the places that it had.
    pub(super) fn forget(&mut self, entry: usize) -> Vec<Place> {
        let entry = self.entries.get_mut(entry);
        entry
            .map(|entry| std::mem::take(&mut entry.extents))
            .unwrap_or_default()
    }

    /// The places of all names that are left.
    pub(super) fn used(&self) -> impl Iterator<Item = Place> + '_ {
        self.used_without(None)
    }

    /// The places of all names that are left but one.
    pub(super) fn used_without(&self, entry: Option<usize>) -> impl Iterator<Item = Place> + '_ {
        let entries = (0..).zip(&self.entries);
        let others = entries.filter(move |(number, _)| Some(*number) != entry);
        others.flat_map(|(_, entry)| entry.extents.iter().copied())
    }
}
