//! Following the chains of a volume from its root directory. Each cluster is taken once, so that no chain is endless and no
//! work is more than the volume has clusters.

use super::directory::{self, Found, Item, MAX_ENTRIES};
use super::geometry::Geometry;
use super::table::{Link, Table};
use super::tree::{MAX_PATH, join};
use super::{FatEntry, FatKind, Region, What};
use crate::ground::limits::Notes;
use crate::ground::read_at::ReadAt;

/// What paths may take in all, besides four times the volume: short entries deep down can name far more than they are.
const MAX_PATHS: u64 = 16 << 20;

/// Offset and length of contiguous clusters.
type Runs = Vec<(u64, u64)>;

/// The state of a walk.
pub(super) struct Walk<'a> {
    volume: &'a dyn ReadAt,
    geometry: Geometry,
    table: &'a Table,
    /// A bit for each cluster that a chain has taken.
    taken: Vec<u64>,
    /// Directories whose entries were not read yet.
    waiting: Vec<(String, Runs)>,
    regions: Vec<Region>,
    entries: Vec<FatEntry>,
    label: Option<String>,
    notes: Notes,
    /// Bytes that the paths may still take.
    paths: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        volume: &'a dyn ReadAt,
        geometry: Geometry,
        table: &'a Table,
        regions: Vec<Region>,
        notes: Notes,
    ) -> Self {
        Self {
            volume,
            geometry,
            table,
            taken: vec![0; geometry.clusters.div_ceil(64) as usize],
            waiting: Vec::new(),
            regions,
            entries: Vec::new(),
            label: None,
            notes,
            paths: volume.size().saturating_mul(4).saturating_add(MAX_PATHS),
        }
    }

    /// Regions, entries, the label in the root directory, and notes.
    pub(super) fn finish(self) -> (Vec<Region>, Vec<FatEntry>, Option<String>, Notes) {
        (self.regions, self.entries, self.label, self.notes)
    }

    /// Walks all. `first` is the root directory's cluster where it has one.
    pub(super) fn root(&mut self, first: u32) {
        let (offset, length) = (self.geometry.root_offset(), self.geometry.root_length());
        let runs = if length > 0 {
            vec![(offset, length)]
        } else {
            self.directory_runs("/", first)
        };
        for &(offset, length) in &runs {
            self.regions.push(Region {
                offset,
                length,
                what: What::RootDirectory,
            });
        }
        self.waiting.push(("/".to_owned(), runs));
        while let Some((path, runs)) = self.waiting.pop() {
            let found = self.directory(&path, &runs);
            let before = self.waiting.len();
            for entry in found {
                if !self.entry(&path, entry) {
                    return;
                }
            }
            // The first directory is the next one.
            if let Some(new) = self.waiting.get_mut(before..) {
                new.reverse();
            }
        }
    }

    fn directory(&mut self, path: &str, runs: &[(u64, u64)]) -> Vec<Found> {
        let mut bytes = Vec::new();
        for &(offset, length) in runs {
            match self.volume.read_vec_at(offset, length) {
                Ok(run) => bytes.extend(run),
                Err(error) => {
                    self.notes.add(format!("the directory {path} cannot be read: {error}"));
                    break;
                }
            }
        }
        directory::decode(&bytes)
    }

    /// Takes in one entry; `false` when there is no more room for paths.
    fn entry(&mut self, parent: &str, found: Found) -> bool {
        let path = join(parent, &found.name);
        // DIR_FstClusHI is no part of the number on FAT12 and FAT16; some writers keep other things there.
        let first = match self.geometry.kind {
            FatKind::Fat32 => found.first,
            _ => found.first & 0xFFFF,
        };
        if path.len() > MAX_PATH {
            self.notes
                .add(format!("paths in {parent} are longer than {MAX_PATH} bytes"));
            return true;
        }
        let (directory, extents, length) = match found.item {
            Item::Label => {
                if parent == "/" {
                    self.label.get_or_insert(found.name);
                }
                return true;
            }
            Item::Directory => {
                let runs = self.directory_runs(&path, first);
                let length = runs.iter().map(|(_, length)| length).sum();
                (true, runs, length)
            }
            Item::File => (
                false,
                self.file_runs(&path, first, found.length.into()),
                found.length.into(),
            ),
        };
        let regions = if directory { extents.len() as u64 } else { 0 };
        // The path itself, once more among the waiting, and in each region.
        let Some(paths) = self.paths.checked_sub((2 + regions) * path.len() as u64) else {
            self.notes
                .add("the paths are longer than the volume; the rest is left out".to_owned());
            return false;
        };
        self.paths = paths;
        if directory {
            for &(offset, length) in &extents {
                let what = What::Directory(path.clone());
                self.regions.push(Region { offset, length, what });
            }
            self.waiting.push((path.clone(), extents.clone()));
        }
        self.entries.push(FatEntry {
            path,
            directory,
            length,
            extents,
            modified: found.modified,
        });
        true
    }

    fn directory_runs(&mut self, path: &str, first: u32) -> Runs {
        let most = MAX_ENTRIES * directory::ENTRY as u64 / u64::from(self.geometry.cluster_size);
        let (runs, ended) = self.chain(path, first, most.max(1));
        if !ended {
            self.notes
                .add(format!("the directory {path} is longer than 65536 entries"));
        }
        runs
    }

    /// The runs of a file, cut where its length ends.
    fn file_runs(&mut self, path: &str, first: u32, length: u64) -> Runs {
        if length == 0 {
            if first != 0 {
                self.notes.add(format!("{path} is empty, but has cluster {first}"));
            }
            return Runs::new();
        }
        let clusters = length.div_ceil(self.geometry.cluster_size.into());
        let (mut runs, ended) = self.chain(path, first, clusters);
        if !ended {
            self.notes
                .add(format!("{path} has more clusters than its {length} bytes need"));
        }
        let held: u64 = runs.iter().map(|(_, length)| length).sum();
        match held.checked_sub(length) {
            Some(over) => {
                if let Some((_, last)) = runs.last_mut() {
                    *last = last.saturating_sub(over);
                }
            }
            None => self
                .notes
                .add(format!("{path} has {length} bytes, but clusters for {held}")),
        }
        runs
    }

    /// At most `most` clusters from `first`, and whether the chain ends there. What stops it before is noted.
    fn chain(&mut self, path: &str, first: u32, most: u64) -> (Runs, bool) {
        let cluster_size = u64::from(self.geometry.cluster_size);
        let mut runs = Runs::new();
        let mut link = match first {
            2.. if first - 2 < self.geometry.clusters => Link::Next(first),
            _ => Link::Invalid(first),
        };
        let mut left = most;
        let fault = loop {
            let cluster = match link {
                Link::Next(_) if left == 0 => return (runs, false),
                Link::Next(cluster) => cluster,
                Link::End => return (runs, true),
                Link::Free => break "runs into a free cluster".to_owned(),
                Link::Bad => break "runs into a bad cluster".to_owned(),
                Link::Invalid(number) => break format!("runs into {number}, which is no cluster"),
            };
            if !self.take(cluster) {
                break format!("runs into cluster {cluster}, which another or itself has already");
            }
            left -= 1;
            let offset = self.geometry.cluster_offset(cluster);
            match runs.last_mut() {
                Some((start, length)) if *start + *length == offset => *length += cluster_size,
                _ => runs.push((offset, cluster_size)),
            }
            link = self.table.link(cluster, self.geometry.clusters);
        };
        self.notes.add(format!("the chain of {path} {fault}"));
        (runs, true)
    }

    /// Marks a cluster; `false` if it was marked before.
    fn take(&mut self, cluster: u32) -> bool {
        let Some(index) = cluster.checked_sub(2) else {
            return false;
        };
        let Some(bits) = self.taken.get_mut(index as usize / 64) else {
            return false;
        };
        let bit = 1_u64 << (index % 64);
        let new = *bits & bit == 0;
        *bits |= bit;
        new
    }
}
