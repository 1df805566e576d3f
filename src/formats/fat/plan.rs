//! The layout of a volume and the bytes of its metadata.

use std::collections::BTreeMap;

use super::boot_sector::{self, BACKUP_SECTOR, FSINFO_SECTOR};
use super::directory::{self, Stamp};
use super::geometry::{self, Geometry};
use super::names::{self, ShortName};
use super::table::Table;
use super::tree::{Target, Tree};
use super::{ALIGNMENT, FatError, FatKind, Region, Size, Volume, What};

/// A volume in which everything has its place.
#[derive(Debug)]
pub struct Plan {
    geometry: Geometry,
    tree: Tree,
    runs: Runs,
    label: Option<ShortName>,
    stamp: Stamp,
    regions: Vec<Region>,
    offsets: BTreeMap<usize, u64>,
}

/// Consecutive clusters; the first is 0 where there are none.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    first: u32,
    count: u32,
}

/// The clusters of each directory and file of a [`Tree`].
#[derive(Debug)]
struct Runs {
    directories: Vec<Run>,
    files: Vec<Run>,
    /// Clusters up to the end of the last file, and how many of them belong to something.
    end: u64,
    used: u64,
}

impl Runs {
    /// Directories first, packed; then the files, each on a multiple of [`ALIGNMENT`]. `None` when there are more clusters
    /// than any FAT has.
    fn new(tree: &Tree, cluster_size: u32, fixed_root: bool) -> Option<Self> {
        let cluster = u64::from(cluster_size);
        let step = (ALIGNMENT / cluster).max(1);
        let (mut end, mut used) = (0_u64, 0_u64);
        let mut place = |length: u64, step: u64| {
            let count = length.div_ceil(cluster);
            if count == 0 {
                return Some(Run::default());
            }
            let start = end.next_multiple_of(step);
            end = start + count;
            used += count;
            // The data area starts with cluster 2. No FAT has clusters for what does not fit here.
            Some(Run {
                first: u32::try_from(start + 2).ok()?,
                count: u32::try_from(count).ok()?,
            })
        };
        let mut directories = Vec::with_capacity(tree.directories.len());
        for (number, directory) in tree.directories.iter().enumerate() {
            let entries = if number == 0 && fixed_root {
                0
            } else {
                directory.entries.max(1)
            };
            directories.push(place(entries * directory::ENTRY as u64, 1)?);
        }
        let mut files = Vec::with_capacity(tree.files.len());
        for file in &tree.files {
            files.push(place(file.length.into(), step)?);
        }
        Some(Self {
            directories,
            files,
            end,
            used,
        })
    }

    /// In the order of the volume, without the empty ones.
    fn in_order(&self) -> impl Iterator<Item = Run> {
        self.directories
            .iter()
            .chain(&self.files)
            .copied()
            .filter(|run| run.count > 0)
    }

    /// The first free cluster of a volume of `clusters`.
    fn first_free(&self, clusters: u32) -> Option<u32> {
        let mut free = 2;
        for run in self.in_order() {
            if run.first > free {
                break;
            }
            free = run.first + run.count;
        }
        (free < clusters.saturating_add(2)).then_some(free)
    }
}

/// Chooses kind, cluster size and the place of everything.
pub fn plan(volume: &Volume) -> Result<Plan, FatError> {
    if !matches!(volume.sector_size, 512 | 4096) {
        return Err(FatError::SectorSize(volume.sector_size));
    }
    let label = names::label(&volume.label).map_err(|reason| FatError::Label {
        label: volume.label.clone(),
        reason,
    })?;
    let tree = Tree::new(&volume.root, label.is_some())?;
    let (geometry, runs) = match volume.size {
        Size::Fit { free } => fit(&tree, volume.sector_size, free)?,
        Size::Exact(size) => exact(&tree, volume.sector_size, size)?,
    };
    let mut plan = Plan {
        geometry,
        tree,
        runs,
        label,
        stamp: Stamp::new(volume.timestamp),
        regions: Vec::new(),
        offsets: BTreeMap::new(),
    };
    plan.regions = plan.place();
    plan.offsets = std::iter::zip(&plan.tree.files, &plan.runs.files)
        .filter(|(_, run)| run.count > 0)
        .map(|(file, run)| (file.key, plan.geometry.cluster_offset(run.first)))
        .collect();
    Ok(plan)
}

/// The smallest volume for `tree` and `free` more bytes: with a fixed root directory as long as the clusters are few enough
/// for FAT16.
fn fit(tree: &Tree, sector_size: u32, free: u64) -> Result<(Geometry, Runs), FatError> {
    let mut least = free;
    for (cluster_size, most) in geometry::cluster_sizes_by_volume() {
        for fixed_root in [true, false] {
            let Some(runs) = Runs::new(tree, cluster_size, fixed_root) else {
                continue;
            };
            let free_clusters = free.div_ceil(cluster_size.into());
            let clusters = runs.end.max(runs.used.saturating_add(free_clusters));
            least = least.max(clusters.saturating_mul(cluster_size.into()));
            let found = Geometry::smallest(clusters, sector_size, cluster_size, fixed_root);
            let Some(found) = found.filter(|found| found.size() <= most) else {
                continue;
            };
            check_root(tree, &found)?;
            return Ok((found, runs));
        }
    }
    Err(FatError::Size {
        size: least,
        sector_size,
        reason: "it would have too many clusters",
    })
}

/// The first volume of `size` bytes in which `tree` finds room.
fn exact(tree: &Tree, sector_size: u32, size: u64) -> Result<(Geometry, Runs), FatError> {
    geometry::check_size(size, sector_size)?;
    let mut possible = false;
    for cluster_size in geometry::cluster_sizes(size, sector_size) {
        let Some(found) = Geometry::exact(size, sector_size, cluster_size) else {
            continue;
        };
        possible = true;
        check_root(tree, &found)?;
        let runs = Runs::new(tree, cluster_size, found.kind != FatKind::Fat32);
        if let Some(runs) = runs.filter(|runs| runs.end <= found.clusters.into()) {
            return Ok((found, runs));
        }
    }
    if possible {
        let (smallest, _) = fit(tree, sector_size, 0)?;
        return Err(FatError::NoSpace {
            needed: smallest.size(),
            size,
        });
    }
    Err(FatError::Size {
        size,
        sector_size,
        reason: "no count of clusters is possible",
    })
}

fn check_root(tree: &Tree, geometry: &Geometry) -> Result<(), FatError> {
    let entries = tree.directories.first().map_or(0, |root| root.entries);
    let (kind, available) = (geometry.kind, u64::from(geometry.root_entries));
    match kind {
        FatKind::Fat12 | FatKind::Fat16 if entries > available => Err(FatError::RootFull {
            kind,
            entries,
            available,
        }),
        _ => Ok(()),
    }
}

impl Plan {
    /// The whole volume in bytes, a multiple of 4096.
    pub fn size(&self) -> u64 {
        self.geometry.size()
    }

    /// Which FAT the count of clusters makes it.
    pub fn kind(&self) -> FatKind {
        self.geometry.kind
    }

    /// In bytes.
    pub fn cluster_size(&self) -> u32 {
        self.geometry.cluster_size
    }

    /// Where the bytes of a file belong, from the volume's start. `None` for an empty file: it has no cluster.
    pub fn file_offset(&self, key: usize) -> Option<u64> {
        self.offsets.get(&key).copied()
    }

    /// What [`Plan::encode`] makes, and where it belongs, by offset.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    fn place(&self) -> Vec<Region> {
        let geometry = &self.geometry;
        let sector = u64::from(geometry.sector_size);
        let mut regions = vec![Region {
            offset: 0,
            length: sector,
            what: What::BootSector,
        }];
        let mut add = |offset, length, what| regions.push(Region { offset, length, what });
        if geometry.kind == FatKind::Fat32 {
            add(u64::from(FSINFO_SECTOR) * sector, sector, What::FsInfo);
            add(u64::from(BACKUP_SECTOR) * sector, 2 * sector, What::BackupBootSector);
        }
        for number in 0..geometry.tables {
            let what = What::Table(number + 1);
            add(geometry.table_offset(number), geometry.table_length(), what);
        }
        if geometry.root_length() > 0 {
            add(geometry.root_offset(), geometry.root_length(), What::RootDirectory);
        }
        for (number, directory) in self.tree.directories.iter().enumerate() {
            let run = self.directory_run(number);
            if run.count > 0 {
                let length = u64::from(run.count) * u64::from(geometry.cluster_size);
                let what = match number {
                    0 => What::RootDirectory,
                    _ => What::Directory(directory.path.clone()),
                };
                add(geometry.cluster_offset(run.first), length, what);
            }
        }
        regions
    }

    /// The bytes of the region with this number. A number without a region gives no bytes. `start` is the byte of the disk that the volume
    /// begins at. BPB_HiddSec is made of it: only a BIOS reads that field, and it is zero if 32 bits cannot hold the number.
    pub fn encode(&self, number: usize, start: u64, serial: u32) -> Vec<u8> {
        let Some(region) = self.regions.get(number) else {
            return Vec::new();
        };
        let geometry = &self.geometry;
        let hidden = u32::try_from(start / u64::from(geometry.sector_size)).unwrap_or(0);
        let label = self.label.as_ref().unwrap_or(boot_sector::NO_NAME);
        let boot = || boot_sector::encode(geometry, label, serial, hidden);
        let fsinfo = || {
            let free = u64::from(geometry.clusters).saturating_sub(self.runs.used);
            let next = self.runs.first_free(geometry.clusters);
            boot_sector::encode_fsinfo(
                geometry.sector_size,
                u32::try_from(free).unwrap_or(boot_sector::UNKNOWN),
                next.unwrap_or(boot_sector::UNKNOWN),
            )
        };
        let mut bytes = match &region.what {
            What::BootSector => boot(),
            What::FsInfo => fsinfo(),
            What::BackupBootSector => [boot(), fsinfo()].concat(),
            What::Table(_) => self.encode_table(region.length),
            What::RootDirectory => self.encode_directory(0),
            What::Directory(_) => {
                // Directories have their regions in the order of their numbers; the root is 0, and each of the others has one.
                let mut regions = self.regions.iter();
                let first = regions.position(|region| matches!(region.what, What::Directory(_)));
                self.encode_directory(number - first.unwrap_or(number) + 1)
            }
        };
        debug_assert!(bytes.len() as u64 <= region.length);
        bytes.resize(usize::try_from(region.length).unwrap_or(bytes.len()), 0);
        bytes
    }

    fn encode_table(&self, length: u64) -> Vec<u8> {
        let length = usize::try_from(length).unwrap_or(0);
        let mut table = Table::new(self.geometry.kind, length, boot_sector::MEDIA);
        for run in self.runs.in_order() {
            table.set_chain(run.first, run.count);
        }
        table.into_bytes()
    }

    fn encode_directory(&self, number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(directory) = self.tree.directories.get(number) else {
            return bytes;
        };
        if number > 0 {
            // `FAT: FAT Directory Structure`: `..` has cluster 0 when the parent is the root, on FAT32 too.
            let parent = match directory.parent {
                0 => Run::default(),
                parent => self.directory_run(parent),
            };
            for (name, run) in [(b".          ", self.directory_run(number)), (b"..         ", parent)] {
                let place = (run.first, 0);
                directory::push(&mut bytes, directory::Item::Directory, (&[], name), place, self.stamp);
            }
        } else if let Some(label) = &self.label {
            directory::push(&mut bytes, directory::Item::Label, (&[], label), (0, 0), self.stamp);
        }
        for item in &directory.items {
            let (kind, first, length) = match item.target {
                Target::Directory(number) => (directory::Item::Directory, self.directory_run(number).first, 0),
                Target::File(number) => {
                    let run = self.runs.files.get(number).copied().unwrap_or_default();
                    let length = self.tree.files.get(number).map_or(0, |file| file.length);
                    (directory::Item::File, run.first, length)
                }
            };
            let name = (item.long.as_slice(), &item.short);
            directory::push(&mut bytes, kind, name, (first, length), self.stamp);
        }
        bytes
    }

    fn directory_run(&self, number: usize) -> Run {
        self.runs.directories.get(number).copied().unwrap_or_default()
    }
}
