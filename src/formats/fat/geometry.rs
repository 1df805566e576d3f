//! Which kind of FAT a volume is, how large its clusters are, and where its areas begin.

use super::{ALIGNMENT, FatError, FatKind};

/// `FAT: FAT Type Determination`: the first counts of clusters that are no longer FAT12 and FAT16.
const FAT16_FROM: u32 = 4085;
const FAT32_FROM: u32 = 65525;

/// The same section advises to stay away from these counts, since many drivers are off by one, two, or up to 16.
const MARGIN: u32 = 16;

/// Cluster numbers of FAT32 have 28 bits; 0, 1 and those from 0FFF_FFF7h on are taken.
const MAX_CLUSTERS: u32 = 0x0FFF_FFF5;

/// The cluster sizes that Windows takes for FAT32, with the largest volume for each. Smaller volumes keep 4096: a file takes
/// that much anyway ([`ALIGNMENT`]), and no cluster of it is lost then.
const CLUSTER_SIZES: [(u32, u64); 4] = [(4096, 8 << 30), (8192, 16 << 30), (16384, 32 << 30), (32768, u64::MAX)];

/// Smaller is possible but pointless; it would be a volume of tables.
const MIN_SIZE: u64 = 64 << 10;

/// `FAT: Boot Sector and BPB`: 512 is what FAT16 should have for compatibility.
const ROOT_ENTRIES: u32 = 512;

impl FatKind {
    /// `FAT: FAT Type Determination`.
    pub(super) fn from_clusters(clusters: u32) -> Self {
        match clusters {
            0..FAT16_FROM => Self::Fat12,
            FAT16_FROM..FAT32_FROM => Self::Fat16,
            FAT32_FROM.. => Self::Fat32,
        }
    }

    /// Bits of a table entry.
    pub(super) fn bits(self) -> u64 {
        match self {
            Self::Fat12 => 12,
            Self::Fat16 => 16,
            Self::Fat32 => 32,
        }
    }

    /// The counts of clusters that every driver takes for this kind.
    pub(super) fn safe_clusters(self) -> (u32, u32) {
        match self {
            Self::Fat12 => (1, FAT16_FROM - MARGIN - 1),
            Self::Fat16 => (FAT16_FROM + MARGIN + 1, FAT32_FROM - MARGIN - 1),
            Self::Fat32 => (FAT32_FROM + MARGIN + 1, MAX_CLUSTERS),
        }
    }

    /// Logical sectors before the first table: one for the boot sector; on FAT32 the customary 32, of which
    /// [`super::boot_sector`] uses four.
    fn min_reserved(self) -> u64 {
        if self == Self::Fat32 { 32 } else { 1 }
    }

    fn root_entries(self) -> u32 {
        if self == Self::Fat32 { 0 } else { ROOT_ENTRIES }
    }

    /// Bytes of the entries for `clusters` clusters and the two before them.
    pub(super) fn table_bytes(self, clusters: u64) -> u64 {
        ((clusters + 2) * self.bits()).div_ceil(8)
    }
}

/// The areas of a volume, as its boot sector counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) kind: FatKind,
    pub(super) sector_size: u32,
    pub(super) cluster_size: u32,
    /// Logical sectors before the first table.
    pub(super) reserved: u32,
    pub(super) tables: u8,
    /// Logical sectors of one table.
    pub(super) table_sectors: u32,
    pub(super) root_entries: u32,
    pub(super) total_sectors: u32,
    pub(super) clusters: u32,
}

impl Geometry {
    pub(super) fn size(&self) -> u64 {
        u64::from(self.total_sectors) * u64::from(self.sector_size)
    }

    pub(super) fn reserved_length(&self) -> u64 {
        u64::from(self.reserved) * u64::from(self.sector_size)
    }

    pub(super) fn table_length(&self) -> u64 {
        u64::from(self.table_sectors) * u64::from(self.sector_size)
    }

    /// The offset of a table, counted from 0; that of the number of tables is the end of the last.
    pub(super) fn table_offset(&self, number: u8) -> u64 {
        self.reserved_length() + u64::from(number) * self.table_length()
    }

    pub(super) fn root_offset(&self) -> u64 {
        self.table_offset(self.tables)
    }

    /// The fixed root directory of FAT12 and FAT16, in whole logical sectors.
    pub(super) fn root_length(&self) -> u64 {
        (u64::from(self.root_entries) * 32).next_multiple_of(u64::from(self.sector_size))
    }

    pub(super) fn data_offset(&self) -> u64 {
        self.root_offset() + self.root_length()
    }

    /// `FAT: FAT Data Structure`: the data area starts with cluster 2.
    pub(super) fn cluster_offset(&self, cluster: u32) -> u64 {
        self.data_offset() + u64::from(cluster.saturating_sub(2)) * u64::from(self.cluster_size)
    }

    /// The whole volume of `size` bytes in clusters of `cluster_size`. A count too near to a boundary is avoided by a longer
    /// reserved area.
    pub(super) fn exact(size: u64, sector_size: u32, cluster_size: u32) -> Option<Self> {
        let kinds = [FatKind::Fat12, FatKind::Fat16, FatKind::Fat32];
        let natural = kinds.iter().find_map(|&kind| {
            let all = Self::fill(kind, size, sector_size, cluster_size, u32::MAX)?;
            let (least, most) = kind.safe_clusters();
            (least..=most).contains(&all.clusters).then_some(all)
        });
        // The largest kind that is safe loses the fewest clusters.
        natural.or_else(|| {
            kinds.iter().rev().find_map(|&kind| {
                let (least, most) = kind.safe_clusters();
                Self::fill(kind, size, sector_size, cluster_size, most).filter(|some| some.clusters >= least)
            })
        })
    }

    /// As many clusters as fit, but at most `most`; the shortest tables for them.
    fn fill(kind: FatKind, size: u64, sector: u32, cluster: u32, most: u32) -> Option<Self> {
        let (sector_bytes, cluster_bytes) = (u64::from(sector), u64::from(cluster));
        let root = u64::from(kind.root_entries()) * 32;
        let clusters_behind = |table_sectors: u64| {
            let metadata = (kind.min_reserved() + 2 * table_sectors) * sector_bytes + root;
            let start = metadata
                .max(size.saturating_sub(u64::from(most) * cluster_bytes))
                .next_multiple_of(ALIGNMENT.max(cluster_bytes));
            (start, size.saturating_sub(start) / cluster_bytes)
        };
        let enough = |table_sectors: u64| {
            let (_, clusters) = clusters_behind(table_sectors);
            kind.table_bytes(clusters) <= table_sectors * sector_bytes
        };
        // Longer tables leave fewer clusters, so the lengths that are enough are all above the shortest one.
        let (mut low, mut high) = (1, kind.table_bytes(size / cluster_bytes).div_ceil(sector_bytes));
        while low < high {
            let middle = low.midpoint(high);
            if enough(middle) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        let (start, clusters) = clusters_behind(low);
        let reserved = (start.checked_sub(root)? / sector_bytes).checked_sub(2 * low)?;
        Some(Self {
            kind,
            sector_size: sector,
            cluster_size: cluster,
            reserved: u32::from(u16::try_from(reserved).ok()?),
            tables: 2,
            table_sectors: u32::try_from(low).ok()?,
            root_entries: kind.root_entries(),
            total_sectors: u32::try_from(size / sector_bytes).ok()?,
            clusters: u32::try_from(clusters).ok()?,
        })
    }

    /// The smallest volume with `clusters` clusters or more, with or without a root directory outside of them.
    pub(super) fn smallest(clusters: u64, sector_size: u32, cluster_size: u32, fixed_root: bool) -> Option<Self> {
        let kinds: &[FatKind] = if fixed_root {
            &[FatKind::Fat12, FatKind::Fat16]
        } else {
            &[FatKind::Fat32]
        };
        let (kind, clusters) = kinds.iter().find_map(|&kind| {
            let (least, most) = kind.safe_clusters();
            let clusters = clusters.max(u64::from(least));
            (clusters <= u64::from(most)).then_some((kind, clusters))
        })?;
        let (sector, cluster) = (u64::from(sector_size), u64::from(cluster_size));
        let tables = 2 * kind.table_bytes(clusters).next_multiple_of(sector);
        let root = u64::from(kind.root_entries()) * 32;
        let start = (kind.min_reserved() * sector + tables + root).next_multiple_of(ALIGNMENT.max(cluster));
        let size = (start + clusters * cluster).max(MIN_SIZE);
        Self::exact(size, sector_size, cluster_size).filter(|found| found.kind == kind)
    }
}

/// The cluster sizes to try for a volume of exactly `size` bytes: the customary one, then smaller ones, in which more
/// directories find room.
pub(super) fn cluster_sizes(size: u64, sector_size: u32) -> impl Iterator<Item = u32> {
    let customary = CLUSTER_SIZES
        .iter()
        .find(|(_, most)| size <= *most)
        .map_or(32768, |(cluster, _)| *cluster);
    std::iter::successors(Some(customary), |cluster| Some(cluster / 2))
        .take_while(move |&cluster| cluster >= sector_size)
}

/// The cluster sizes to try for a volume of any size, with the largest volume for each.
pub(super) fn cluster_sizes_by_volume() -> impl Iterator<Item = (u32, u64)> {
    CLUSTER_SIZES.into_iter()
}

/// Refuses the sizes that no geometry can mend.
pub(super) fn check_size(size: u64, sector_size: u32) -> Result<(), FatError> {
    let reason = if size < MIN_SIZE {
        "it has at least 65536"
    } else if !size.is_multiple_of(ALIGNMENT) {
        "it has a multiple of 4096"
    } else if size / u64::from(sector_size) > u64::from(u32::MAX) {
        "it has at most 4294967295 logical sectors"
    } else {
        return Ok(());
    };
    Err(FatError::Size {
        size,
        sector_size,
        reason,
    })
}
