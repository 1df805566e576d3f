//! The ISO 9660 volume and its boot catalog as facts.

use crate::el_torito::{self, Emulation, Platform, boot_info};
use crate::facts::{BootCatalog, BootEntry, Counts, Description, Extent, Identifiers, InfoTable, What};
use crate::iso9660::{self, Descriptor, EntryKind, Flavour, MediaMd5, SECTOR, VolumeDescriptor, VolumeKind, Walk};
use crate::read_at::{ReadAt, Window};
use crate::text;

use super::{InspectError, claim};

/// Adds what the volume says. The result are the boot images that may have no other name.
pub(super) fn read(
    image: &dyn ReadAt,
    facts: &mut Description,
    claims: &mut Vec<Extent>,
) -> Result<Vec<Extent>, InspectError> {
    let descriptors = iso9660::read_descriptors(image)?;
    facts.faults.extend(iso9660::descriptor_faults(image, &descriptors)?);
    let mut boot_images = Vec::new();
    let mut volumes: Vec<&VolumeDescriptor> = Vec::new();
    let is_primary = |volume: &&VolumeDescriptor| volume.kind == VolumeKind::Primary;
    for (offset, descriptor) in &descriptors {
        let what = match descriptor {
            Descriptor::Boot(record) => {
                if let Some(catalog) = el_torito::parse_boot_record(record) {
                    // The primary descriptor is the first of all.
                    let space = volumes.iter().copied().find(is_primary);
                    let space = space.map_or(u64::MAX, |volume| volume.space);
                    boot_images = boot_catalog(image, catalog, space, facts, claims);
                }
                What::BootRecord
            }
            Descriptor::Volume(volume) => {
                // A second one of a kind says the same again (ECMA-119 §7.7.2).
                if volumes.iter().all(|known| known.kind != volume.kind) {
                    volumes.push(volume);
                }
                match volume.kind {
                    VolumeKind::Primary => What::PrimaryDescriptor,
                    VolumeKind::Joliet => What::JolietDescriptor,
                    VolumeKind::Enhanced => What::EnhancedDescriptor,
                }
            }
            Descriptor::Terminator => What::Terminator,
            Descriptor::Other(_) => What::OtherDescriptor,
        };
        claims.push(claim(*offset, SECTOR, what));
    }
    let primary = volumes.iter().position(is_primary);
    let Some(primary) = primary.map(|at| volumes.remove(at)) else {
        let message = "there is no primary volume descriptor in logical sector 16 or behind it";
        return Err(InspectError::NotAnImage(message.into()));
    };
    describe(primary, facts);
    let mut walks = vec![(primary, iso9660::walk(image, primary)?)];
    for volume in volumes {
        walks.push((volume, iso9660::walk(image, volume)?));
    }
    facts.filesystems.push("iso9660".into());
    for (_, walk) in &walks {
        facts.filesystems.extend(match walk.flavour {
            Flavour::Plain => None,
            Flavour::RockRidge => Some("rock-ridge".into()),
            Flavour::Joliet => Some("joliet".into()),
            Flavour::Enhanced => Some("iso9660-1999".into()),
        });
    }
    let flavour = walks.iter().map(|(_, walk)| walk.flavour).max();
    for (volume, walk) in &walks {
        let richest = Some(walk.flavour) == flavour;
        if richest {
            facts.counts = counts(walk);
        }
        index(image, volume, walk, richest, facts, claims);
        continuations(walk, claims);
    }
    Ok(boot_images)
}

fn describe(primary: &VolumeDescriptor, facts: &mut Description) {
    let ids = &primary.identifiers;
    facts.volume_id = ids.volume.clone();
    facts.media_md5 = MediaMd5::decode(&primary.application_use).map(|implanted| implanted.md5);
    facts.identifiers = Identifiers {
        system_id: ids.system.clone(),
        volume_set_id: ids.volume_set.clone(),
        publisher_id: ids.publisher.clone(),
        preparer_id: ids.preparer.clone(),
        application_id: ids.application.clone(),
        created: primary.created.to_string(),
    };
}

fn counts(walk: &Walk) -> Counts {
    let mut counts = Counts::default();
    for entry in &walk.entries {
        match entry.kind {
            EntryKind::Directory => counts.directories += 1,
            EntryKind::File => counts.files += 1,
            EntryKind::Symlink(_) => counts.symlinks += 1,
            _ => counts.others += 1,
        }
    }
    counts
}

/// Claims what one hierarchy points at. Files get their names from the richest one.
fn index(
    image: &dyn ReadAt,
    volume: &VolumeDescriptor,
    walk: &Walk,
    named: bool,
    facts: &mut Description,
    claims: &mut Vec<Extent>,
) {
    let (path_l, path_m, directory) = match volume.kind {
        // An enhanced hierarchy often is the primary one over again.
        VolumeKind::Primary | VolumeKind::Enhanced => (What::PathTableL, What::PathTableM, What::Directory),
        VolumeKind::Joliet => (What::JolietPathTableL, What::JolietPathTableM, What::JolietDirectory),
    };
    let length = volume.path_table_length;
    for (offset, what) in [(volume.path_table_l, path_l), (volume.path_table_m, path_m)] {
        if offset != 0 {
            claims.push(claim(offset, length, what));
        }
    }
    for fault in iso9660::path_tables(image, volume).err().iter().chain(&walk.notes) {
        if !facts.faults.contains(fault) {
            facts.faults.push(fault.clone());
        }
    }
    facts.warnings.extend(walk.remarks.iter().cloned());
    for entry in walk.entries.iter().chain(&walk.emptied) {
        let what = match entry.kind {
            EntryKind::Directory => directory,
            EntryKind::File => What::File,
            _ => continue,
        };
        let paths = match named || what == directory {
            true => vec![format!("iso:{}", text::lossless(&entry.path))],
            false => Vec::new(),
        };
        for &(offset, length) in &merged(&entry.extents) {
            claims.push(Extent {
                paths: paths.clone(),
                ..claim(offset, length, what)
            });
        }
    }
}

/// Records of one large file follow each other: one run of bytes, one extent.
fn merged(extents: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::with_capacity(extents.len());
    for &(offset, length) in extents {
        match runs.last_mut() {
            Some((start, known)) if start.checked_add(*known) == Some(offset) => {
                *known = known.saturating_add(length);
            }
            _ => runs.push((offset, length)),
        }
    }
    runs
}

/// Continuation areas by logical block: several records share one.
fn continuations(walk: &Walk, claims: &mut Vec<Extent>) {
    let blocks = walk.continuations.iter().map(|&(offset, length)| {
        let start = offset - offset % SECTOR;
        (start, offset.saturating_add(length).next_multiple_of(SECTOR) - start)
    });
    let mut blocks: Vec<(u64, u64)> = blocks.collect();
    blocks.sort_unstable();
    blocks.dedup();
    for (offset, length) in merged(&blocks) {
        claims.push(claim(offset, length, What::ContinuationArea));
    }
}

fn boot_catalog(
    image: &dyn ReadAt,
    offset: u64,
    space: u64,
    facts: &mut Description,
    claims: &mut Vec<Extent>,
) -> Vec<Extent> {
    let decoded = match el_torito::decode(image, offset) {
        Ok(decoded) => decoded,
        Err(error) => {
            facts.faults.push(error.to_string());
            return Vec::new();
        }
    };
    claims.push(claim(offset, decoded.length, What::BootCatalog));
    facts.boot_catalog = Some(BootCatalog {
        offset,
        length: decoded.length,
        checksum: decoded.checksum,
        refused: (!decoded.valid).then(|| "its checksum is wrong".into()),
    });
    facts.faults.extend(decoded.faults.iter().cloned());
    let mut images = Vec::new();
    for section in &decoded.catalog.sections {
        for entry in &section.entries {
            let rest = image.size().saturating_sub(entry.offset);
            let window = Window::new(image, entry.offset, rest);
            let disk = match entry.emulation {
                Emulation::HardDisk => hard_disk_length(&window),
                _ => None,
            };
            let table = boot_info::read(&window, entry.offset);
            if let Some(Err(fault)) = table.map(|table| boot_info::verify(&window, &table)) {
                facts
                    .faults
                    .push(format!("the boot image at {}: {fault}", entry.offset));
            }
            // "To the end of the volume" is what the primary descriptor says, ECMA-119 §9.4.9.
            let to_end = image.size().min(space).saturating_sub(entry.offset);
            let length = boot_length(section.platform, entry.emulation, entry.sectors, disk, to_end);
            let told = boot_length(section.platform, entry.emulation, entry.sectors, disk, 0).max(512);
            let told = told.max(table.as_ref().map_or(0, |table| u64::from(table.length)));
            images.push(claim(entry.offset, told, What::BootImage));
            facts.el_torito.push(BootEntry {
                platform: section.platform.to_string(),
                emulation: entry.emulation.to_string(),
                bootable: entry.bootable,
                load_sectors: entry.sectors,
                load_segment: entry.load_segment,
                offset: entry.offset,
                length,
                info_table: table.map(|table| InfoTable {
                    length: table.length,
                    checksum: table.checksum,
                }),
            });
        }
    }
    images
}

/// How much of a boot image the firmware can read: the emulated medium, or the sectors that the entry counts. A count of 0, for UEFI
/// one of 1 too, is "to the end of the volume" (UEFI 13.3.2.1), which is `rest` bytes away.
pub(crate) fn boot_length(platform: Platform, emulation: Emulation, sectors: u16, disk: Option<u64>, rest: u64) -> u64 {
    match (emulation.exact_length(), disk, sectors) {
        (Some(exact), _, _) => exact,
        (None, Some(disk), _) => disk,
        (None, None, 0) => rest,
        (None, None, 1) if platform == Platform::Uefi => rest,
        (None, None, sectors) => u64::from(sectors) * 512,
    }
}

/// The length of a hard-disk image by the one partition in its MBR, El Torito §2.2.
pub(crate) fn hard_disk_length(image: &dyn ReadAt) -> Option<u64> {
    let mut sector = [0; 512];
    image.read_exact_at(&mut sector, 0).ok()?;
    let slot = crate::mbr::decode(&sector)?.slots[0];
    Some((u64::from(slot.start) + u64::from(slot.length)) * 512)
}
