//! The volumes of the base: that of the medium, and those of partitions that can be mounted by themselves (xorriso's `-partition_offset`).

use std::collections::BTreeMap;

use super::GrowError;
use super::base_index::BaseIndex;
use super::hierarchy::Hierarchy;
use super::sessions::{Sessions, add_copies};
use super::udf::UdfVolume;
use crate::formats::iso9660::{self, Descriptor, SECTOR, VolumeDescriptor, VolumeKind};
use crate::formats::{apm, gpt, mbr, udf};
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::shift::Shift;

/// Bytes in a logical sector of the tables that images have.
pub(super) const SECTOR_SIZES: [u64; 2] = [512, 4096];

/// What is known of the base.
#[derive(Debug)]
pub(super) struct Volumes {
    /// What the primary volume descriptor of the medium says.
    pub(super) primary: VolumeDescriptor,
    /// Its hierarchy is the first; UDF is the last, where there is any.
    pub(super) indexes: Vec<BaseIndex>,
    /// Where each volume begins, and the end of its last file.
    pub(super) ends: Vec<(u64, u64)>,
    /// Where new bytes go: in front of what stands behind the data.
    pub(super) cut: u64,
    /// Bytes that a GPT keeps behind what can be in partitions, where new bytes go.
    pub(super) behind: u64,
    /// By what multiple the image grows.
    pub(super) unit: u64,
    /// Volume descriptors, and what is before them; path tables.
    pub(super) structures: Vec<Range>,
    /// What the older sessions have, all of which stays.
    pub(super) older: Vec<Range>,
    pub(super) older_count: usize,
    /// Where HFS and HFS+ volumes begin, which stay as they are.
    pub(super) hfs: Vec<u64>,
}

impl Volumes {
    pub(super) fn read(base: &dyn ReadAt) -> Result<Self, GrowError> {
        let sessions = Sessions::read(base)?;
        let partitions = partitions(base);
        let begins = partitions.iter().map(|range| range.offset);
        let mut origins: Vec<u64> = begins.filter(|&origin| has_volume(base, origin)).chain([0]).collect();
        origins.sort_unstable();
        origins.dedup();
        let mut hierarchies = Vec::new();
        for &origin in &origins {
            of_volume(base, origin, &mut hierarchies)?;
        }
        add_copies(&sessions.copies, &mut hierarchies);
        let primary = match hierarchies.first() {
            Some(first) if first.volume.kind == VolumeKind::Primary => first.volume.clone(),
            _ => return Err(GrowError::Unsupported("the image has no ISO 9660 volume".into())),
        };
        let udf = match udf::is_announced(base)? {
            true => Some(UdfVolume::read(base, primary.space)?),
            false => None,
        };
        let of_udf = udf.iter().map(|volume| (0, volume.end));
        let of_hierarchies = hierarchies.iter().flat_map(|hierarchy| {
            hierarchy
                .listing
                .used()
                .map(|(at, length)| (hierarchy.origin, at + length))
        });
        let mut ends: BTreeMap<u64, u64> = origins.iter().map(|&origin| (origin, 0)).collect();
        let of_older = sessions.older.iter().map(|range| (0, range.end()));
        for (origin, end) in of_hierarchies.chain(of_udf).chain(of_older) {
            let known = ends.entry(origin).or_insert(0);
            *known = end.max(*known);
        }
        let ends: Vec<(u64, u64)> = ends.into_iter().collect();
        let anchors = udf.iter().flat_map(|volume| volume.anchors.iter().copied());
        let cut = anchors
            .chain([cut(base, &partitions, &ends)])
            .min()
            .unwrap_or(base.size());
        if ends.iter().any(|&(_, end)| end > cut) {
            return Err(GrowError::Unsupported(format!(
                "files stand behind byte {cut}, where what is appended to the volume begins; such an image is not changed in place"
            )));
        }
        Ok(Self {
            cut,
            behind: behind(base, cut),
            unit: unit(base, &partitions),
            hfs: hfs(base, &partitions),
            structures: structures(base, &hierarchies)?,
            older: sessions.older,
            older_count: sessions.older_count,
            ends,
            primary,
            indexes: hierarchies
                .into_iter()
                .map(|hierarchy| BaseIndex::Iso(Box::new(hierarchy)))
                .chain(udf.map(|volume| BaseIndex::Udf(Box::new(volume))))
                .collect(),
        })
    }

    /// The shift that makes room for new bytes up to `end`, of which those up to `filled` are in the volumes.
    pub(super) fn shift(&self, filled: u64, end: u64) -> Shift {
        let by = (end - self.cut).next_multiple_of(self.unit);
        Shift {
            cut: self.cut,
            by: if end > self.cut.next_multiple_of(SECTOR) { by } else { 0 },
            filled,
            volumes: self.ends.clone(),
            known: Vec::new(),
        }
    }
}

/// Apple's Technical Note TN1150, "Volume Header": the signature is 1024 bytes into the volume.
fn hfs(base: &dyn ReadAt, partitions: &[Range]) -> Vec<u64> {
    let of_map = apm::read(base).map(|map| map.partitions).unwrap_or_default();
    let starts = partitions
        .iter()
        .map(|range| range.offset)
        .chain(of_map.iter().map(|partition| partition.start));
    let is_one = |start: &u64| {
        let signature = start.checked_add(1024).and_then(|at| base.read_vec_at(at, 2).ok());
        signature.is_some_and(|signature| matches!(signature.as_slice(), b"H+" | b"HX" | b"BD"))
    };
    let mut found: Vec<u64> = starts.filter(is_one).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// What every volume has beside directories and files.
fn structures(base: &dyn ReadAt, hierarchies: &[Hierarchy]) -> Result<Vec<Range>, GrowError> {
    let mut found = Vec::new();
    for hierarchy in hierarchies {
        let origin = hierarchy.origin;
        let window = Window::new(base, origin, base.size().saturating_sub(origin));
        let descriptors = iso9660::read_descriptors(&window)?;
        let last = descriptors.iter().map(|(offset, _)| offset + SECTOR).max().unwrap_or(0);
        found.push(Range {
            offset: origin,
            length: last,
        });
        found.push(Range {
            offset: origin + hierarchy.volume.path_table_l,
            length: hierarchy.volume.path_table_length,
        });
    }
    Ok(found)
}

fn has_volume(base: &dyn ReadAt, origin: u64) -> bool {
    let at = origin.checked_add(16 * SECTOR);
    let start = at.and_then(|at| base.read_vec_at(at, 6).ok());
    origin.is_multiple_of(SECTOR) && start.is_some_and(|start| start == b"\x01CD001")
}

/// Adds the hierarchies of a volume, each once.
fn of_volume(base: &dyn ReadAt, origin: u64, hierarchies: &mut Vec<Hierarchy>) -> Result<(), GrowError> {
    let window = Window::new(base, origin, base.size().saturating_sub(origin));
    let descriptors = iso9660::read_descriptors(&window)?;
    for kind in [VolumeKind::Primary, VolumeKind::Joliet, VolumeKind::Enhanced] {
        let found = descriptors.iter().find_map(|(offset, descriptor)| match descriptor {
            Descriptor::Volume(volume) if volume.kind == kind => Some((*offset, volume)),
            _ => None,
        });
        let Some((offset, volume)) = found else {
            continue;
        };
        if !hierarchies
            .iter_mut()
            .any(|known| known.is_also_of(origin, offset, volume))
        {
            hierarchies.push(Hierarchy::read(base, origin, offset, volume)?);
        }
    }
    Ok(())
}

/// The partitions of every table.
fn partitions(base: &dyn ReadAt) -> Vec<Range> {
    let mut found: Vec<Range> = Vec::new();
    let mut sector = [0; 512];
    let read = base.read_exact_at(&mut sector, 0).is_ok() && sector.ends_with(&[0x55, 0xAA]);
    if let Some(mbr) = mbr::decode(&sector).filter(|_| read) {
        let used = mbr.slots.iter().filter(|slot| slot.length > 0);
        found.extend(used.map(|slot| Range {
            offset: u64::from(slot.start) * 512,
            length: u64::from(slot.length) * 512,
        }));
    }
    for size in SECTOR_SIZES {
        if let Some(decoded) = gpt::decode(base, size) {
            let all = decoded.table.partitions.iter();
            let all = all.filter(|partition| partition.start.checked_add(partition.length).is_some());
            found.extend(all.map(|partition| Range {
                offset: partition.start,
                length: partition.length,
            }));
        }
    }
    found
}

/// The first byte that moves: of what is appended behind the partition of a volume, else of the backup tables, else the end.
fn cut(base: &dyn ReadAt, partitions: &[Range], ends: &[(u64, u64)]) -> u64 {
    let arrays = SECTOR_SIZES.into_iter().filter_map(|size| {
        let [_, _, (header, header_length), (array, array_length)] = gpt::decode(base, size)?.regions;
        let header = (header_length > 0).then_some(header);
        let array = (array_length > 0).then_some(array);
        // A table whose backup is at its head has none at the end.
        header.into_iter().chain(array).filter(|&place| place > 4096).min()
    });
    let last = arrays.min().unwrap_or(base.size());
    let of_volumes = ends.iter().filter(|(origin, _)| *origin > 0);
    let appended = of_volumes.filter_map(|&(origin, end)| {
        let own = partitions
            .iter()
            .filter(|range| range.offset == origin && range.end() >= end);
        let end = own.map(Range::end).max()?;
        partitions.iter().any(|range| range.offset >= end).then_some(end)
    });
    appended.chain([last]).min().unwrap_or(last)
}

/// Bytes before the cut that no partition of a GPT may have; a longer stretch is no table's.
fn behind(base: &dyn ReadAt, cut: u64) -> u64 {
    const LONGEST: u64 = 1 << 20;
    let ends = SECTOR_SIZES
        .into_iter()
        .filter_map(|size| Some(gpt::decode(base, size)?.table.usable_end));
    let behind = ends.map(|end| cut.saturating_sub(end));
    behind.filter(|&length| length <= LONGEST).max().unwrap_or(0)
}

/// A partition of the MBR that ends with the image, and an image of whole MiB: its cylinders are of that size, as isohybrid makes them.
fn unit(base: &dyn ReadAt, partitions: &[Range]) -> u64 {
    const MIB: u64 = 1 << 20;
    let size = base.size();
    let is_whole = partitions
        .iter()
        .any(|range| range.offset != 512 && range.end() == size);
    let is_4kn = gpt::decode(base, 4096).is_some();
    match (is_whole && size.is_multiple_of(MIB), is_4kn) {
        (true, _) => MIB,
        (false, true) => 4096,
        (false, false) => SECTOR,
    }
}
