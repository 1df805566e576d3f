//! Entries of directories are found, changed, added and deleted.

use super::{EditError, Editor, Node, Piece, bytes_at};
use crate::formats::fat::directory::{self, ENTRY, Found, Item, MAX_ENTRIES, Stamp};
use crate::formats::fat::names::{self, ShortName, fold};
use crate::formats::fat::tree::{MAX_PATH, join};
use crate::formats::fat::{FatError, FatKind, What};

/// Offsets in a directory entry (`FAT: Directory Structure`): the two halves of the first cluster, and the length.
const FIRST_HIGH: usize = 20;
const FIRST_LOW: usize = 26;
const LENGTH: usize = 28;

/// The first byte of a deleted entry.
const DELETED: u8 = 0xE5;

impl Editor<'_> {
    /// Writes first cluster and length into the short entry of a file.
    pub(super) fn set_record(&mut self, path: &str, first: u32, length: u32) -> Result<(), EditError> {
        let kind = self.geometry.kind;
        let (found, bytes) = self.record(path)?;
        let entry = bytes.get_mut(found.at..found.at + ENTRY).unwrap_or_default();
        let first = first.to_le_bytes();
        let high = (kind == FatKind::Fat32).then_some((FIRST_HIGH, &first[2..]));
        let fields = [(FIRST_LOW, &first[..2]), (LENGTH, &length.to_le_bytes()[..])];
        for (at, value) in fields.into_iter().chain(high) {
            if let Some(field) = entry.get_mut(at..at + value.len()) {
                field.copy_from_slice(value);
            }
        }
        Ok(())
    }

    /// Deletes the entries of a name, those of its long form too.
    pub(super) fn remove_record(&mut self, path: &str) -> Result<(), EditError> {
        let (found, bytes) = self.record(path)?;
        let mut at = found.at;
        loop {
            if let Some(first) = bytes.get_mut(at) {
                *first = DELETED;
            }
            let before = at
                .checked_sub(ENTRY)
                .filter(|&before| directory::is_long(&bytes[before..]));
            let Some(before) = before else {
                return Ok(());
            };
            at = before;
        }
    }

    /// Adds a name to its directory, which is made if it is not there.
    pub(super) fn add_record(
        &mut self,
        path: &str,
        is_directory: bool,
        place: (u32, u32),
        stamp: Stamp,
    ) -> Result<(), EditError> {
        let (parent, name) = split(path);
        let refuse = |reason| FatError::Name {
            path: path.to_owned(),
            reason,
        };
        let long = names::long_units(name).map_err(refuse)?;
        if path.len() > MAX_PATH {
            return Err(refuse("has at most 4096 bytes with its path").into());
        }
        let parent = self.make_directory(parent, stamp)?;
        let bytes = self.directory(&parent)?;
        let taken = directory::short_names(bytes);
        let short = names::free_short(name, &taken);
        let long = if names::exact_short(name).is_some_and(|exact| exact == short) {
            Vec::new()
        } else {
            long
        };
        let item = if is_directory { Item::Directory } else { Item::File };
        self.insert(&parent, item, (&long, &short), place, stamp)
    }

    /// Makes a directory and those that lead to it, unless they are there. The result is its node.
    pub(super) fn make_directory(&mut self, path: &str, stamp: Stamp) -> Result<Node, EditError> {
        let key = fold(path);
        if let Some(node) = self.nodes.get(&key) {
            return match node.is_directory {
                true => Ok(node.clone()),
                false => Err(EditError::Kind {
                    path: node.path.clone(),
                    is: "file",
                }),
            };
        }
        let clusters = self.take(path, 1)?;
        self.table.set_clusters(&clusters, &[]);
        let own = clusters.first().copied().unwrap_or(0);
        self.add_record(path, true, (own, 0), stamp)?;
        // The root counts as 0 here, on FAT32 too.
        let (parent, _) = split(path);
        let above = self.nodes.get(&fold(parent)).filter(|_| !parent.is_empty());
        let above = above.and_then(|node| node.clusters.first().copied()).unwrap_or(0);
        let mut bytes = Vec::new();
        for (name, first) in [(b".          ", own), (b"..         ", above)] {
            directory::push(&mut bytes, Item::Directory, (&[], name), (first, 0), stamp);
        }
        bytes.resize(self.geometry.cluster_size as usize, 0);
        let node = Node {
            path: path.to_owned(),
            is_directory: true,
            clusters,
        };
        self.directories.insert(key.clone(), bytes);
        self.nodes.insert(key, node.clone());
        Ok(node)
    }

    /// Puts entries into the first gap of a directory that is long enough. Without such a gap the directory gets more clusters.
    fn insert(
        &mut self,
        parent: &Node,
        item: Item,
        name: (&[u16], &ShortName),
        place: (u32, u32),
        stamp: Stamp,
    ) -> Result<(), EditError> {
        let mut entries = Vec::new();
        directory::push(&mut entries, item, name, place, stamp);
        let mut bytes = self.directory(parent)?.clone();
        let at = directory::room(&mut bytes, entries.len() / ENTRY);
        let end = at + entries.len();
        if end > bytes.len() {
            let count = (end / ENTRY) as u64;
            if count > MAX_ENTRIES {
                let path = parent.path.clone();
                return Err(FatError::DirectoryFull { path, entries: count }.into());
            }
            self.lengthen(parent, &mut bytes, end)?;
        }
        if let Some(room) = bytes.get_mut(at..end) {
            room.copy_from_slice(&entries);
        }
        self.directories.insert(fold(&parent.path), bytes);
        Ok(())
    }

    /// Gives a directory clusters, so that it has this many bytes.
    fn lengthen(&mut self, directory: &Node, bytes: &mut Vec<u8>, length: usize) -> Result<(), EditError> {
        let mut clusters = directory.clusters.clone();
        if clusters.is_empty() {
            return Err(FatError::RootFull {
                kind: self.geometry.kind,
                entries: (length / ENTRY) as u64,
                available: (bytes.len() / ENTRY) as u64,
            }
            .into());
        }
        let size = self.geometry.cluster_size as usize;
        let more = (length - bytes.len()).div_ceil(size);
        clusters.extend(self.take(&directory.path, more)?);
        self.table.set_clusters(&clusters, &[]);
        bytes.resize(clusters.len() * size, 0);
        if let Some(node) = self.nodes.get_mut(&fold(&directory.path)) {
            node.clusters = clusters;
        }
        Ok(())
    }

    /// The short entry of a name, and the bytes of its directory.
    fn record(&mut self, path: &str) -> Result<(Found, &mut Vec<u8>), EditError> {
        let (parent, _) = split(path);
        let missing = || EditError::Missing(path.to_owned());
        let directory = self.nodes.get(&fold(parent)).cloned().ok_or_else(missing)?;
        let bytes = self.directory(&directory)?;
        let is_it = |found: &Found| {
            !matches!(found.item, Item::Label) && fold(&join(&directory.path, &found.name)) == fold(path)
        };
        let found = directory::decode(bytes).into_iter().find(is_it);
        Ok((found.ok_or_else(missing)?, bytes))
    }

    /// The bytes of a directory as they are now.
    fn directory(&mut self, node: &Node) -> Result<&mut Vec<u8>, EditError> {
        let key = fold(&node.path);
        if !self.directories.contains_key(&key) {
            let mut bytes = Vec::new();
            for (offset, length) in self.runs(node) {
                bytes.extend(bytes_at(self.volume, "a directory", offset, length)?);
            }
            self.directories.insert(key.clone(), bytes);
        }
        self.directories
            .get_mut(&key)
            .ok_or_else(|| EditError::Missing(node.path.clone()))
    }

    /// Where the bytes of a directory are.
    fn runs(&self, node: &Node) -> Vec<(u64, u64)> {
        if node.clusters.is_empty() {
            return vec![(self.geometry.root_offset(), self.geometry.root_length())];
        }
        let clusters = node.clusters.iter();
        let size = u64::from(self.geometry.cluster_size);
        clusters
            .map(|&cluster| (self.geometry.cluster_offset(cluster), size))
            .collect()
    }

    pub(super) fn write_directory(&mut self, node: &Node, bytes: Vec<u8>) {
        let what = match node.path.as_str() {
            "" => What::RootDirectory,
            path => What::Directory(path.to_owned()),
        };
        let mut rest = bytes.as_slice();
        for (offset, length) in self.runs(node) {
            let (here, behind) = rest.split_at(rest.len().min(length as usize));
            self.pieces.push(Piece {
                offset,
                bytes: here.to_vec(),
                what: Some(what.clone()),
                path: node.path.clone(),
            });
            rest = behind;
        }
    }
}

/// The directory of a path, empty for the root, and the name in it.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
