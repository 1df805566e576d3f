//! Disks: what is in their partitions. A disk is an image too if it has neither ISO 9660 nor UDF.

use std::io;

use crate::facts::extents::settle;
use crate::facts::file_system;
use crate::facts::{BootSector, Common, Counts, Extent, Found, Partition, PartitionTable, VolumeFacts, What};
use crate::formats::apm;
use crate::formats::ext4::{self, Ext4Error, Kind};
use crate::formats::fat;
use crate::formats::gpt;
use crate::formats::mbr;
use crate::formats::recognise::Form;
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Window, nonzero_span};
use crate::ground::text;

use super::InspectError;

/// A file system in a partition, or on the whole disk.
pub(crate) struct Volume {
    /// `None` for the whole disk.
    pub(crate) partition: Option<u32>,
    pub(crate) range: Range,
    pub(crate) contents: Contents,
}

/// What is in a [`Volume`].
pub(crate) enum Contents {
    Fat(fat::Contents),
    Ext(ext4::Volume),
    /// It is recognised, and not read: what it is called, its label, and why it is not read.
    Other(&'static str, Option<String>, Option<String>),
}

/// Whether the bytes are a disk: they begin with a partition table, or with a file system that is read here.
pub(crate) fn is_disk(image: &dyn ReadAt) -> io::Result<bool> {
    let sector: [u8; 512] = first_sector(image)?;
    let has_gpt = || {
        let mut tables = [512, 4096].into_iter().filter_map(|size| gpt::decode(image, size));
        tables.any(|table| table.valid)
    };
    Ok(has_slots(&sector, image.size()) || has_gpt() || apm::read(image).is_some() || is_whole(image)?)
}

fn first_sector(image: &dyn ReadAt) -> io::Result<[u8; 512]> {
    let mut sector = [0; 512];
    let length = image.size().min(512);
    let bytes = image.read_vec_at(0, length)?;
    sector.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    Ok(sector)
}

/// Whether the first sector has the slot of a partition that begins on the disk.
fn has_slots(sector: &[u8; 512], size: u64) -> bool {
    let slots = mbr::decode(sector).map(|mbr| mbr.slots);
    let is_there = |slot: &mbr::Slot| {
        let start = u64::from(slot.start) * 512;
        slot.kind != 0 && slot.length > 0 && start > 0 && start < size
    };
    slots.is_some_and(|slots| slots.iter().any(is_there))
}

/// Whether a file system that is read here begins with the first byte, and no table does.
pub(super) fn is_whole(image: &dyn ReadAt) -> io::Result<bool> {
    let sector = first_sector(image)?;
    if has_slots(&sector, image.size()) {
        return Ok(false);
    }
    for form in [Form::Gpt(512), Form::Gpt(4096), Form::Iso9660, Form::Udf] {
        if form.is_of(image)? {
            return Ok(false);
        }
    }
    Ok(fat::read(image).is_ok() || Form::Ext.is_of(image)?)
}

/// What the boot sector of a FAT volume holds that is the whole disk.
pub(super) fn boot_sector(image: &dyn ReadAt) -> io::Result<Option<BootSector>> {
    let sector = first_sector(image)?;
    let is_fat = is_whole(image)? && !Form::Ext.is_of(image)?;
    Ok(is_fat.then(|| BootSector {
        boot_code: has_code(&sector),
    }))
}

/// Whether the code behind the fields starts something. `mkfs.fat` and Windows' `format` write code that only prints a message: the disk does
/// not boot.
fn has_code(sector: &[u8; 512]) -> bool {
    /// FAT32 has more fields than FAT12 and FAT16.
    const FIELDS: usize = 90;
    let says = |words: &str| sector.windows(words.len()).any(|at| at == words.as_bytes());
    let has_bytes = sector[FIELDS..510].iter().any(|&byte| byte != 0);
    has_bytes && !says("This is not a bootable disk") && !says("Non-System disk")
}

/// The file systems of the partitions, of the GPT where there is one, or of the whole disk. What is in ISO 9660's or UDF's own partition is
/// left out, and so is what is not recognised.
pub(crate) fn volumes(image: &dyn ReadAt, partitions: &[Partition]) -> Result<Vec<Volume>, InspectError> {
    let mut volumes: Vec<Volume> = Vec::new();
    if is_whole(image)? {
        volumes.extend(volume(
            image,
            None,
            Range {
                offset: 0,
                length: image.size(),
            },
        )?);
    }
    for partition in numbered(partitions) {
        let range = within(partition, image.size());
        // Damaged tables could have the same bytes read as often as they have entries.
        let is_read = |known: &&Volume| !matches!(known.contents, Contents::Other(..));
        let mut read = volumes.iter().filter(is_read);
        if read.any(|known| known.range.overlap(range).is_some()) {
            volumes.push(Volume {
                partition: Some(partition.number),
                range,
                contents: Contents::Other("unknown", None, Some("its partition overlaps another".into())),
            });
            continue;
        }
        volumes.extend(volume(image, Some(partition.number), range)?);
    }
    Ok(volumes)
}

/// The bytes of a partition that the image has.
pub(crate) fn within(partition: &Partition, size: u64) -> Range {
    let offset = partition.start.min(size);
    Range {
        offset,
        length: partition.length.min(size - offset),
    }
}

/// The partitions that numbers stand for.
pub(crate) fn numbered(partitions: &[Partition]) -> impl Iterator<Item = &Partition> {
    let gpt = partitions.iter().find(|p| p.table == PartitionTable::Gpt);
    let table = gpt.map_or(PartitionTable::Mbr, |partition| partition.table);
    let sector_size = gpt.map(|partition| partition.sector_size);
    partitions.iter().filter(move |p| {
        let is_of_table = p.table == table && sector_size.is_none_or(|size| p.sector_size == size);
        is_of_table && !p.kind.is_none() && p.length > 0
    })
}

fn volume(image: &dyn ReadAt, partition: Option<u32>, range: Range) -> Result<Option<Volume>, InspectError> {
    let window = Window::new(image, range.offset, range.length);
    let forms = Form::all(&window)?;
    let contents = if forms.contains(&Form::Ext) {
        match ext4::read(&window) {
            Ok(volume) => Contents::Ext(volume),
            Err(Ext4Error::Read(error)) => return Err(error.into()),
            Err(Ext4Error::Unreadable(why)) => Contents::Other("ext", None, Some(why)),
        }
    } else if let Ok(contents) = fat::read(&window) {
        Contents::Fat(contents)
    } else if let Some((word, label)) = file_system::recognise(&window)? {
        Contents::Other(word, label, None)
    } else {
        return Ok(None);
    };
    // The partition of the image's own volume.
    let is_own = range.offset == 0 && forms.iter().any(|form| matches!(form, Form::Iso9660 | Form::Udf));
    Ok((!is_own).then_some(Volume {
        partition,
        range,
        contents,
    }))
}

impl Volume {
    /// How its paths are asked for, without the path.
    pub(crate) fn place(&self) -> String {
        self.partition
            .map_or(String::new(), |number| format!("partition:{number}"))
    }

    fn facts(&self) -> VolumeFacts {
        let facts = VolumeFacts {
            partition: self.partition,
            offset: self.range.offset,
            length: self.range.length,
            ..VolumeFacts::default()
        };
        let label = |label: &str| Some(label.to_owned()).filter(|label| !label.is_empty());
        match &self.contents {
            Contents::Fat(fat) => VolumeFacts {
                filesystem: fat.kind.to_string(),
                label: label(&fat.label),
                counts: Some(fat_counts(fat)),
                ..facts
            },
            Contents::Ext(ext) => VolumeFacts {
                filesystem: ext.version.to_string(),
                label: label(&ext.label),
                uuid: Some(ext.uuid()),
                counts: Some(ext_counts(ext)),
                ..facts
            },
            Contents::Other(word, label, why) => VolumeFacts {
                filesystem: (*word).to_owned(),
                label: label.clone(),
                unread: why.clone(),
                ..facts
            },
        }
    }
}

fn fat_counts(fat: &fat::Contents) -> Counts {
    let directories = fat.entries.iter().filter(|entry| entry.directory).count() as u64;
    Counts {
        // The root has no entry.
        directories: 1 + directories,
        files: fat.entries.len() as u64 - directories,
        ..Counts::default()
    }
}

fn ext_counts(ext: &ext4::Volume) -> Counts {
    let mut counts = Counts::default();
    for entry in &ext.entries {
        match entry.kind {
            Kind::Directory => counts.directories += 1,
            Kind::File => counts.files += 1,
            Kind::Symlink(_) => counts.symlinks += 1,
            Kind::Other(_) => counts.others += 1,
        }
    }
    counts
}

/// Adds what is in the partitions. On a disk, which has no volume of its own, that is all that there is.
pub(super) fn read(
    image: &dyn ReadAt,
    is_disk: bool,
    facts: &mut Common,
    found: &mut Found,
    claims: &mut Vec<Extent>,
) -> Result<(), InspectError> {
    let volumes = volumes(image, &facts.partitions)?;
    // Beside ISO 9660 the FAT volumes are for firmware, and are described as such.
    let is_shown = |volume: &&Volume| is_disk || !matches!(volume.contents, Contents::Fat(_));
    found.volumes = volumes.iter().filter(is_shown).map(Volume::facts).collect();
    for volume in &volumes {
        let place = volume.place();
        if let Contents::Ext(ext) = &volume.contents {
            let shown = match volume.partition {
                Some(number) => format!("partition {number} ({})", ext.version),
                None => ext.version.to_string(),
            };
            facts
                .faults
                .extend(ext.notes.iter().map(|note| format!("{shown}: {note}")));
            found
                .remarks
                .extend(ext.remarks.iter().map(|remark| format!("{shown}: {remark}")));
            if is_disk {
                claims.extend(files(ext, volume.range.offset, &place));
            }
        }
    }
    if is_disk {
        let cut =
            numbered(&facts.partitions).filter(|partition| within(partition, image.size()).length < partition.length);
        let cut: Vec<String> = cut
            .map(|partition| {
                let end = partition.start.saturating_add(partition.length);
                format!(
                    "partition {} ends at byte {end}, and the image has {}",
                    partition.number,
                    image.size()
                )
            })
            .collect();
        facts.faults.extend(cut);
        // Nobody would read all of a file system that is not described.
        let others = volumes
            .iter()
            .filter(|volume| matches!(volume.contents, Contents::Other(..)));
        claims.extend(others.map(|volume| Extent {
            paths: volume.partition.map(|_| volume.place()).into_iter().collect(),
            ..Extent::new(volume.range.offset, volume.range.length, What::FileSystem)
        }));
        for counts in found.volumes.iter().filter_map(|volume| volume.counts) {
            facts.counts.directories += counts.directories;
            facts.counts.files += counts.files;
            facts.counts.symlinks += counts.symlinks;
            facts.counts.others += counts.others;
        }
    }
    Ok(())
}

/// On a disk bytes that nothing points at are those of the partition that they are in: free blocks, and the structures of ext4. Each stretch is
/// cut where partitions begin and end.
pub(super) fn named(
    extents: Vec<Extent>,
    image: &dyn ReadAt,
    partitions: &[Partition],
    volumes: &[VolumeFacts],
) -> io::Result<Vec<Extent>> {
    let whole = volumes.iter().filter(|volume| volume.partition.is_none());
    let whole = whole.map(|volume| Extent::new(volume.offset, volume.length, What::FileSystem));
    let places: Vec<Extent> = numbered(partitions)
        .map(|partition| {
            let is_known = volumes.iter().any(|volume| volume.partition == Some(partition.number));
            let what = if is_known { What::FileSystem } else { What::Partition };
            let range = within(partition, image.size());
            Extent {
                paths: vec![format!("partition:{}", partition.number)],
                ..Extent::new(range.offset, range.length, what)
            }
        })
        .chain(whole)
        .collect();
    let mut named = Vec::with_capacity(extents.len());
    for extent in extents {
        if extent.what != What::Unknown {
            named.push(extent);
            continue;
        }
        let whole = Range {
            offset: extent.offset,
            length: extent.length,
        };
        let parts = || {
            places.iter().filter_map(|place| {
                let range = Range {
                    offset: place.offset,
                    length: place.length,
                };
                Some((whole.overlap(range)?, place))
            })
        };
        let between = whole.without(parts().map(|(range, _)| range)).into_iter();
        let mut pieces: Vec<Extent> = between
            .map(|range| Extent::new(range.offset, range.length, What::Unknown))
            .collect();
        pieces.extend(parts().map(|(range, place)| Extent {
            offset: range.offset,
            length: range.length,
            ..place.clone()
        }));
        // Partitions of damaged tables overlap.
        for piece in settle(pieces) {
            if let Some((start, end)) = nonzero_span(image, piece.offset, piece.offset + piece.length)? {
                named.push(Extent {
                    offset: start,
                    length: end - start,
                    ..piece
                });
            }
        }
    }
    Ok(named)
}

/// The contents of the files of a volume that begins at `start`.
fn files(ext: &ext4::Volume, start: u64, place: &str) -> Vec<Extent> {
    let mut claims = Vec::new();
    for entry in ext.entries.iter().filter(|entry| entry.kind == Kind::File) {
        let path = format!("{place}{}", text::lossless(&entry.path));
        for &(offset, length) in &entry.extents {
            let claim = offset.map(|offset| Extent {
                paths: vec![path.clone()],
                ..Extent::new(start + offset, length, What::File)
            });
            claims.extend(claim);
        }
    }
    claims
}
