//! A file of somebody else's volume gets other bytes: in the clusters that it has, and in free ones.

use super::boot_sector;
use super::decode::read;
use super::directory::{self, Item};
use super::geometry::Geometry;
use super::table::{Link, Table};
use super::tree::join;
use super::{Contents, FatError, FatKind, What};
use crate::ground::read_at::ReadAt;

/// Offsets in a directory entry (`FAT: Directory Structure`): the two halves of the first cluster, and the length.
const FIRST_HIGH: u64 = 20;
const FIRST_LOW: u64 = 26;
const LENGTH: u64 = 28;
/// FSI_Free_Count in FSInfo.
const FREE_COUNT: u64 = 488;

/// Why a file does not get other bytes.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The volume cannot be read.
    #[error(transparent)]
    Fat(#[from] FatError),
    /// There is no such file.
    #[error("there is no file {0} in the FAT volume")]
    Missing(String),
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
    /// What they are; none for the content of the file.
    pub what: Option<What>,
}

/// Gives the file at `path` the `content`. Names, times and every cluster of another file stay.
///
/// # Errors
/// When the volume cannot be read, when there is no such file, and when the content does not fit.
pub fn set_content(volume: &dyn ReadAt, path: &str, content: &[u8]) -> Result<Vec<Piece>, EditError> {
    let contents = read(volume)?;
    let missing = || EditError::Missing(path.to_owned());
    let file = contents
        .entries
        .iter()
        .find(|entry| entry.path == path && !entry.directory);
    let file = file.ok_or_else(missing)?;
    let record = record(volume, &contents, path)?.ok_or_else(missing)?;
    let first = bytes_at(volume, "the boot sector", 0, boot_sector::LENGTH as u64)?;
    let boot = first.first_chunk().ok_or_else(missing)?;
    let boot = boot_sector::decode(boot)?;
    let geometry = boot.geometry;
    let active = boot.active_table.unwrap_or(0).min(geometry.tables - 1);
    let (offset, length) = (
        geometry.table_offset(active),
        geometry.kind.table_bytes(geometry.clusters.into()),
    );
    let mut table = Table::from_bytes(geometry.kind, bytes_at(volume, "the allocation table", offset, length)?);

    let cluster_size = u64::from(geometry.cluster_size);
    let mut clusters: Vec<u32> = Vec::new();
    for &(offset, length) in &file.extents {
        let first = geometry.cluster_at(offset);
        clusters.extend((0..length.div_ceil(cluster_size)).map(|number| first + number as u32));
    }
    let needed = (content.len() as u64).div_ceil(cluster_size) as usize;
    let is_free = |cluster: &u32| table.link(*cluster, geometry.clusters) == Link::Free;
    let before = clusters.len();
    if needed > before {
        let more = needed - before;
        let free: Vec<u32> = (2..2 + geometry.clusters).filter(is_free).collect();
        if free.len() < more {
            return Err(EditError::Full {
                path: path.to_owned(),
                needed: more as u64,
                free: free.len() as u64,
            });
        }
        clusters.extend(free.into_iter().take(more));
    }
    let (kept, gone) = clusters.split_at(needed);
    table.set_clusters(kept, gone);

    let mut written = Vec::new();
    let mut put = |offset: u64, bytes: Vec<u8>, what: Option<What>| written.push(Piece { offset, bytes, what });
    for (cluster, piece) in kept.iter().zip(content.chunks(cluster_size as usize)) {
        let mut piece = piece.to_vec();
        piece.resize(cluster_size as usize, 0);
        put(geometry.cluster_offset(*cluster), piece, None);
    }
    // BPB_ExtFlags: when one table is active, the others are left as they are.
    let copies = match boot.active_table {
        Some(_) => active..active + 1,
        None => 0..geometry.tables,
    };
    for copy in copies {
        let what = What::Table(copy.saturating_add(1));
        put(geometry.table_offset(copy), table.bytes().to_vec(), Some(what));
    }
    let first = kept.first().copied().unwrap_or(0).to_le_bytes();
    let length = (content.len() as u32).to_le_bytes();
    let (high, low) = ((FIRST_HIGH, &first[2..]), (FIRST_LOW, &first[..2]));
    let fields = [low, (LENGTH, &length[..])];
    let high = (geometry.kind == FatKind::Fat32).then_some(high);
    for (field, bytes) in fields.into_iter().chain(high) {
        put(record.0 + field, bytes.to_vec(), Some(record.1.clone()));
    }
    if let Some((offset, bytes)) = free_count(volume, &contents, before as i64 - needed as i64)? {
        put(offset, bytes, Some(What::FsInfo));
    }
    Ok(written)
}

/// FSInfo's number of free clusters, if it has one.
fn free_count(volume: &dyn ReadAt, contents: &Contents, more: i64) -> Result<Option<(u64, Vec<u8>)>, EditError> {
    let Some(fsinfo) = contents.regions.iter().find(|region| region.what == What::FsInfo) else {
        return Ok(None);
    };
    let bytes = bytes_at(volume, "FSInfo", fsinfo.offset, fsinfo.length)?;
    let count = boot_sector::decode_fsinfo(&bytes).filter(|&count| count != boot_sector::UNKNOWN);
    let new = count.and_then(|count| u32::try_from(i64::from(count) + more).ok());
    Ok(new.map(|count| (fsinfo.offset + FREE_COUNT, count.to_le_bytes().to_vec())))
}

/// Where in the volume the short entry of a file is, and in what.
fn record(volume: &dyn ReadAt, contents: &Contents, path: &str) -> Result<Option<(u64, What)>, EditError> {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let runs: Vec<(u64, u64)> = match parent {
        "" => {
            let root = contents
                .regions
                .iter()
                .filter(|region| region.what == What::RootDirectory);
            root.map(|region| (region.offset, region.length)).collect()
        }
        parent => {
            let directory = contents
                .entries
                .iter()
                .find(|entry| entry.directory && entry.path == parent);
            directory.map(|entry| entry.extents.clone()).unwrap_or_default()
        }
    };
    let mut bytes = Vec::new();
    for &(offset, length) in &runs {
        bytes.extend(bytes_at(volume, "a directory", offset, length)?);
    }
    let parent = if parent.is_empty() { "/" } else { parent };
    let found = directory::decode(&bytes);
    let found = found
        .iter()
        .find(|found| matches!(found.item, Item::File) && join(parent, &found.name) == path);
    let Some(mut at) = found.map(|found| found.at as u64) else {
        return Ok(None);
    };
    for (offset, length) in runs {
        if at < length {
            let what = match parent {
                "/" => What::RootDirectory,
                parent => What::Directory(parent.to_owned()),
            };
            return Ok(Some((offset + at, what)));
        }
        at -= length;
    }
    Ok(None)
}

fn bytes_at(volume: &dyn ReadAt, what: &'static str, offset: u64, length: u64) -> Result<Vec<u8>, FatError> {
    let read = volume.read_vec_at(offset, length);
    read.map_err(|source| FatError::Io { what, source })
}

impl Geometry {
    /// The cluster that begins at a byte of the volume.
    fn cluster_at(&self, offset: u64) -> u32 {
        let first = self.cluster_offset(2);
        2 + (offset.saturating_sub(first) / u64::from(self.cluster_size)) as u32
    }
}
