//! Changes inside of somebody else's volume: files get other bytes, come and go, and every cluster of another file stays.

mod clusters;
mod directories;
mod enlarged;

pub use enlarged::{Enlarged, enlarge};

use std::collections::BTreeMap;

use super::boot_sector;
use super::decode::read;
use super::directory::Stamp;
use super::geometry::Geometry;
use super::names::fold;
use super::table::{Link, Table};
use super::{Contents, FatError, FatKind, What};
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::time::Timestamp;

/// FSI_Free_Count in FSInfo.
const FREE_COUNT: u64 = 488;

/// A change of one file or directory.
#[derive(Clone, Debug)]
pub struct Edit<'e> {
    /// From the root of the volume, with a leading `/`. Letters of any case name the same file.
    pub path: &'e str,
    /// What is there then.
    pub becomes: Becomes<'e>,
    /// The date of a file or directory that is new. One that is there keeps its dates.
    pub modified: Timestamp,
}

/// What a path of a volume becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes<'e> {
    /// A file with these bytes.
    File(&'e [u8]),
    /// A directory, unless it is one.
    Directory,
    /// Nothing. A directory goes with all that is in it.
    Nothing,
}

/// Why a volume does not take a change.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The volume cannot be read, or a name cannot be in it.
    #[error(transparent)]
    Fat(#[from] FatError),
    /// There is no such file.
    #[error("there is no file {0} in the FAT volume")]
    Missing(String),
    /// A directory is where a file has to be, or a file where a directory has to be.
    #[error("{path} is a {is}")]
    Kind {
        /// What is there.
        path: String,
        /// `file` or `directory`.
        is: &'static str,
    },
    /// A larger volume would be of another kind.
    #[error("the FAT volume would need {wanted} clusters to hold what is new, and a {kind} has not so many")]
    Clusters {
        /// What the volume is.
        kind: FatKind,
        /// Clusters.
        wanted: u64,
    },
    /// The content does not fit.
    #[error("{path} needs {needed} clusters more, and the FAT volume has {free} free ones")]
    Full {
        /// The file.
        path: String,
        /// Clusters.
        needed: u64,
        /// Clusters.
        free: u64,
    },
}

/// Bytes that have to be written into a volume.
#[derive(Debug)]
pub struct Piece {
    /// In the volume.
    pub offset: u64,
    /// All of them.
    pub bytes: Vec<u8>,
    /// What they are; none for the content of a file.
    pub what: Option<What>,
    /// The path of the file or directory; empty where the bytes are of none.
    pub path: String,
}

/// Makes the changes one after the other. Bytes of the volume that are `foreign` have another owner too, such as a file of ISO 9660: they
/// stay as they are, and no other file gets them.
///
/// # Errors
/// When the volume cannot be read, when there is no such file, and when it does not hold what is new. Nothing is changed then.
pub fn edit(volume: &dyn ReadAt, edits: &[Edit<'_>], foreign: &[Range]) -> Result<Vec<Piece>, EditError> {
    let mut editor = Editor::open(volume, foreign)?;
    for edit in edits {
        let stamp = Stamp::new(edit.modified);
        match edit.becomes {
            Becomes::File(content) => editor.set(edit.path, content, stamp)?,
            Becomes::Directory => drop(editor.make_directory(edit.path, stamp)?),
            Becomes::Nothing => editor.remove(edit.path)?,
        }
    }
    editor.finish()
}

/// A file or a directory.
#[derive(Clone, Debug)]
struct Node {
    /// As it is written in the volume.
    path: String,
    is_directory: bool,
    /// In the order of the file. The root directory of FAT12 and FAT16 has none.
    clusters: Vec<u32>,
}

/// A volume while it changes.
struct Editor<'v> {
    volume: &'v dyn ReadAt,
    contents: Contents,
    geometry: Geometry,
    table: Table,
    /// The tables that are written, from 0.
    copies: std::ops::Range<u8>,
    foreign: Vec<Range>,
    /// By folded path; the root's is empty.
    nodes: BTreeMap<String, Node>,
    /// The bytes of directories that have been opened, by folded path.
    directories: BTreeMap<String, Vec<u8>>,
    /// No cluster below this one is free.
    next: u32,
    /// Clusters that have become free, less those that have been taken.
    freed: i64,
    pieces: Vec<Piece>,
}

impl<'v> Editor<'v> {
    fn open(volume: &'v dyn ReadAt, foreign: &[Range]) -> Result<Self, EditError> {
        let contents = read(volume)?;
        let first = bytes_at(volume, "the boot sector", 0, boot_sector::LENGTH as u64)?;
        let boot = first.first_chunk().map(boot_sector::decode).transpose()?;
        let Some(boot) = boot else {
            return Err(EditError::Missing("/".into()));
        };
        let geometry = boot.geometry;
        let active = boot.active_table.unwrap_or(0).min(geometry.tables - 1);
        let (offset, length) = (
            geometry.table_offset(active),
            geometry.kind.table_bytes(geometry.clusters.into()),
        );
        let table = bytes_at(volume, "the allocation table", offset, length)?;
        let mut editor = Self {
            volume,
            table: Table::from_bytes(geometry.kind, table),
            // BPB_ExtFlags: when one table is active, the others are left as they are.
            copies: match boot.active_table {
                Some(_) => active..active + 1,
                None => 0..geometry.tables,
            },
            foreign: foreign.to_vec(),
            nodes: BTreeMap::new(),
            directories: BTreeMap::new(),
            next: 2,
            freed: 0,
            pieces: Vec::new(),
            contents,
            geometry,
        };
        editor.read_nodes();
        Ok(editor)
    }

    /// Names with one folded path are a fault of the volume; the first counts, as drivers find it.
    fn read_nodes(&mut self) {
        let root = self.contents.regions.iter();
        let root = root.filter(|region| region.what == What::RootDirectory);
        let extents: Vec<(u64, u64)> = root.map(|region| (region.offset, region.length)).collect();
        let clusters = match self.geometry.root_length() {
            0 => self.clusters_of(&extents),
            _ => Vec::new(),
        };
        let root = Node {
            path: String::new(),
            is_directory: true,
            clusters,
        };
        self.nodes.insert(String::new(), root);
        for entry in &self.contents.entries {
            let node = Node {
                path: entry.path.clone(),
                is_directory: entry.directory,
                clusters: self.clusters_of(&entry.extents),
            };
            self.nodes.entry(fold(&entry.path)).or_insert(node);
        }
    }

    /// Gives a file its content, and makes it if it is not there.
    fn set(&mut self, path: &str, content: &[u8], stamp: Stamp) -> Result<(), EditError> {
        let length = u32::try_from(content.len()).map_err(|_| FatError::FileTooLong {
            path: path.to_owned(),
            length: content.len() as u64,
        })?;
        let key = fold(path);
        let known = self.nodes.get(&key).cloned();
        if let Some(node) = known.as_ref().filter(|node| node.is_directory) {
            return Err(EditError::Kind {
                path: node.path.clone(),
                is: "directory",
            });
        }
        let before = known.as_ref().map(|node| node.clusters.clone()).unwrap_or_default();
        let clusters = self.put(path, before, content)?;
        let first = clusters.first().copied().unwrap_or(0);
        match known {
            Some(node) => {
                self.set_record(&node.path, first, length)?;
                self.nodes.insert(key, Node { clusters, ..node });
            }
            None => {
                self.add_record(path, false, (first, length), stamp)?;
                let node = Node {
                    path: path.to_owned(),
                    is_directory: false,
                    clusters,
                };
                self.nodes.insert(key, node);
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), EditError> {
        let key = fold(path);
        if key.is_empty() || key == "/" || !self.nodes.contains_key(&key) {
            return Err(EditError::Missing(path.to_owned()));
        }
        self.remove_record(path)?;
        let below = format!("{key}/");
        let gone: Vec<String> = self
            .nodes
            .keys()
            .filter(|other| **other == key || other.starts_with(&below))
            .cloned()
            .collect();
        for key in gone {
            self.directories.remove(&key);
            if let Some(node) = self.nodes.remove(&key) {
                self.erase(&node);
            }
        }
        Ok(())
    }

    /// What has to be written.
    fn finish(mut self) -> Result<Vec<Piece>, EditError> {
        for (key, bytes) in std::mem::take(&mut self.directories) {
            let Some(node) = self.nodes.get(&key).cloned() else {
                continue;
            };
            self.write_directory(&node, bytes);
        }
        for copy in self.copies.clone() {
            self.pieces.push(Piece {
                offset: self.geometry.table_offset(copy),
                bytes: self.table.bytes().to_vec(),
                what: Some(What::Table(copy.saturating_add(1))),
                path: String::new(),
            });
        }
        if let Some((offset, bytes)) = self.free_count()? {
            self.pieces.push(Piece {
                offset,
                bytes,
                what: Some(What::FsInfo),
                path: String::new(),
            });
        }
        Ok(self.pieces)
    }

    /// FSInfo's number of free clusters, if it has one.
    fn free_count(&self) -> Result<Option<(u64, Vec<u8>)>, EditError> {
        let regions = &self.contents.regions;
        let Some(fsinfo) = regions.iter().find(|region| region.what == What::FsInfo) else {
            return Ok(None);
        };
        let bytes = bytes_at(self.volume, "FSInfo", fsinfo.offset, fsinfo.length)?;
        let count = boot_sector::decode_fsinfo(&bytes).filter(|&count| count != boot_sector::UNKNOWN);
        let new = count.and_then(|count| u32::try_from(i64::from(count) + self.freed).ok());
        Ok(new.map(|count| (fsinfo.offset + FREE_COUNT, count.to_le_bytes().to_vec())))
    }

    fn is_free(&self, cluster: u32) -> bool {
        self.table.link(cluster, self.geometry.clusters) == Link::Free && !self.is_foreign(cluster)
    }
}

fn bytes_at(volume: &dyn ReadAt, what: &'static str, offset: u64, length: u64) -> Result<Vec<u8>, FatError> {
    let read = volume.read_vec_at(offset, length);
    read.map_err(|source| FatError::Io { what, source })
}
