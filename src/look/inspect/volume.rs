//! The ISO 9660 volume and its boot catalog as facts.

use crate::facts::{BootCatalog, BootEntry, Common, Counts, Extent, FileSystem, Found, Identifiers, InfoTable, What};
use crate::formats::el_torito::{self, Emulation, boot_info};
use crate::formats::iso9660::{
    self, Descriptor, EntryKind, Flavour, MediaMd5, SECTOR, Session, VolumeDescriptor, VolumeKind, Walk,
};
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::text;

use super::InspectError;
use super::indexes::{Index, Indexes};
use super::names::Names;
use crate::facts::boot_images::{boot_length, hard_disk_length};

/// Adds what the ISO 9660 volumes say: everything of the session that is read, and of the others what is their own.
pub(super) fn read(
    image: &dyn ReadAt,
    indexes: &Indexes,
    names: &Names,
    facts: &mut Common,
    found: &mut Found,
    claims: &mut Vec<Extent>,
) -> Result<(), InspectError> {
    for (number, session) in indexes.sessions.iter().enumerate() {
        descriptors(image, session, facts, claims)?;
        if number != indexes.session {
            for kind in [VolumeKind::Primary, VolumeKind::Joliet, VolumeKind::Enhanced] {
                if let Some(volume) = session.volume(kind) {
                    let walk = iso9660::walk(image, volume)?;
                    structures(volume, &walk, claims);
                }
            }
        }
    }
    let Some(session) = indexes.sessions.get(indexes.session) else {
        return Ok(());
    };
    let Some(primary) = session.volume(VolumeKind::Primary) else {
        return Ok(());
    };
    describe(primary, facts);
    facts.filesystems.push(FileSystem::Iso9660);
    let walks = || {
        indexes.all.iter().filter_map(|index| match index {
            Index::Iso(walk) => Some(walk),
            Index::Udf(_) => None,
        })
    };
    let richest = walks().map(|walk| walk.flavour).max();
    for walk in walks() {
        let (kind, name) = match walk.flavour {
            Flavour::Plain => (VolumeKind::Primary, None),
            Flavour::RockRidge => (VolumeKind::Primary, Some(FileSystem::RockRidge)),
            Flavour::Joliet => (VolumeKind::Joliet, Some(FileSystem::Joliet)),
            Flavour::Enhanced => (VolumeKind::Enhanced, Some(FileSystem::Iso9660Version2)),
        };
        facts.filesystems.extend(name);
        let Some(volume) = session.volume(kind) else {
            continue;
        };
        structures(volume, walk, claims);
        for fault in iso9660::path_tables(image, volume).err().iter().chain(&walk.notes) {
            if !facts.faults.contains(fault) {
                facts.faults.push(fault.clone());
            }
        }
        found.remarks.extend(walk.remarks.iter().cloned());
        let is_richest = Some(walk.flavour) == richest;
        if is_richest {
            facts.counts = counts(walk);
        }
        for entry in walk.entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            let is_named = is_richest && names.by_iso9660(entry.extents.first().map(|&(offset, _)| offset));
            claim_extents(entry, is_named, What::File, claims);
        }
    }
    Ok(())
}

/// The descriptors of a session: what is wrong with them, and where they are.
fn descriptors(
    image: &dyn ReadAt,
    session: &Session,
    facts: &mut Common,
    claims: &mut Vec<Extent>,
) -> Result<(), InspectError> {
    let faults = iso9660::descriptor_faults(image, &session.descriptors)?;
    facts.faults.extend(faults);
    for (offset, descriptor) in &session.descriptors {
        let what = match descriptor {
            Descriptor::Boot(_) => What::BootRecord,
            Descriptor::Volume(volume) => match volume.kind {
                VolumeKind::Primary => What::PrimaryDescriptor,
                VolumeKind::Joliet => What::JolietDescriptor,
                VolumeKind::Enhanced => What::EnhancedDescriptor,
            },
            Descriptor::Terminator => What::Terminator,
            Descriptor::Other => What::OtherDescriptor,
        };
        claims.push(Extent::new(*offset, SECTOR, what));
    }
    Ok(())
}

/// Adds the boot catalog that the descriptors in logical sector 16 and behind lead to, where firmware looks. The result are the boot
/// images that may have no other name.
pub(super) fn boot_catalogs(
    image: &dyn ReadAt,
    sessions: &[Session],
    facts: &mut Common,
    claims: &mut Vec<Extent>,
) -> Vec<Extent> {
    let mut boot_images = Vec::new();
    // The primary descriptor is the first of all.
    let mut space = u64::MAX;
    let first = sessions.iter().find(|session| session.start == 0);
    for (_, descriptor) in first.iter().flat_map(|session| &session.descriptors) {
        match descriptor {
            Descriptor::Volume(volume) if volume.kind == VolumeKind::Primary => space = space.min(volume.space),
            Descriptor::Boot(record) => {
                if let Some(catalog) = el_torito::parse_boot_record(record) {
                    boot_images = boot_catalog(image, catalog, space, facts, claims);
                }
            }
            _ => {}
        }
    }
    boot_images
}

fn describe(primary: &VolumeDescriptor, facts: &mut Common) {
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

/// Claims the path tables, directories and continuation areas of one hierarchy.
fn structures(volume: &VolumeDescriptor, walk: &Walk, claims: &mut Vec<Extent>) {
    let (path_l, path_m, directory) = match volume.kind {
        // An enhanced hierarchy often is the primary one over again.
        VolumeKind::Primary | VolumeKind::Enhanced => (What::PathTableL, What::PathTableM, What::Directory),
        VolumeKind::Joliet => (What::JolietPathTableL, What::JolietPathTableM, What::JolietDirectory),
    };
    let length = volume.path_table_length;
    for (offset, what) in [(volume.path_table_l, path_l), (volume.path_table_m, path_m)] {
        if offset != 0 {
            claims.push(Extent::new(offset, length, what));
        }
    }
    let entries = walk.entries.iter().chain(&walk.emptied);
    for entry in entries.filter(|entry| entry.kind == EntryKind::Directory) {
        claim_extents(entry, true, directory, claims);
    }
    continuations(walk, claims);
}

fn claim_extents(entry: &iso9660::IsoEntry, named: bool, what: What, claims: &mut Vec<Extent>) {
    let paths = match named {
        true => vec![format!("iso:{}", text::lossless(&entry.path))],
        false => Vec::new(),
    };
    for &(offset, length) in &merged(&entry.extents) {
        claims.push(Extent {
            paths: paths.clone(),
            ..Extent::new(offset, length, what)
        });
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
        claims.push(Extent::new(offset, length, What::ContinuationArea));
    }
}

fn boot_catalog(
    image: &dyn ReadAt,
    offset: u64,
    space: u64,
    facts: &mut Common,
    claims: &mut Vec<Extent>,
) -> Vec<Extent> {
    let decoded = match el_torito::decode(image, offset) {
        Ok(decoded) => decoded,
        Err(error) => {
            facts.faults.push(error.to_string());
            return Vec::new();
        }
    };
    claims.push(Extent::new(offset, decoded.length, What::BootCatalog));
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
            images.push(Extent::new(entry.offset, told, What::BootImage));
            facts.el_torito.push(BootEntry {
                platform: section.platform,
                emulation: entry.emulation,
                bootable: entry.bootable,
                load_sectors: entry.sectors,
                load_segment: entry.load_segment,
                offset: entry.offset,
                length,
                info_table: table.map(|table| InfoTable {
                    length: table.length,
                    checksum: table.checksum,
                }),
                inside: Vec::new(),
            });
        }
    }
    images
}
