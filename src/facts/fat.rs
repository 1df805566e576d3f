//! FAT volumes as facts.

use super::{EspFacts, Extent, LoaderFacts, What, esp_name};
use crate::formats::fat;
use crate::ground::text;

/// What a FAT volume at `offset` says of itself.
pub(crate) fn esp_facts(offset: u64, contents: &fat::Contents, loaders: Vec<LoaderFacts>) -> EspFacts {
    EspFacts {
        offset,
        length: contents.size,
        kind: contents.kind,
        sector_size: contents.sector_size,
        cluster_size: contents.cluster_size,
        label: contents.label.clone(),
        serial: contents.serial,
        loaders,
    }
}

/// What is wrong with the FAT volume that begins at `start`.
pub(crate) fn esp_faults(contents: &fat::Contents, start: u64) -> Vec<String> {
    let notes = contents.notes.iter();
    notes.map(|note| format!("ESP at {start}: {note}")).collect()
}

/// The extents of a FAT volume of this number that begins at `start`.
pub(crate) fn fat_extents(contents: &fat::Contents, start: u64, number: usize) -> Vec<Extent> {
    let mut extents = Vec::new();
    let name = esp_name(number);
    for region in &contents.regions {
        let (what, paths) = fat_what(&region.what, number);
        let offset = start + region.offset;
        extents.push(Extent {
            paths,
            ..Extent::new(offset, region.length, what)
        });
    }
    for entry in contents.entries.iter().filter(|entry| !entry.directory) {
        let path = format!("{name}{}", text::lossless(entry.path.as_bytes()));
        for &(offset, length) in &entry.extents {
            let paths = vec![path.clone()];
            extents.push(Extent {
                paths,
                ..Extent::new(start + offset, length, What::File)
            });
        }
    }
    extents
}

/// A FAT's own region in the words of the image, by the volume's number.
pub(crate) fn fat_what(what: &fat::What, number: usize) -> (What, Vec<String>) {
    let name = esp_name(number);
    let plain = |what| (what, Vec::new());
    match what {
        fat::What::BootSector => plain(What::FatBootSector),
        fat::What::FsInfo => plain(What::FatFsInfo),
        fat::What::BackupBootSector => plain(What::FatBackupBootSector),
        fat::What::Table(1) => plain(What::FatTable1),
        fat::What::Table(_) => plain(What::FatTable2),
        fat::What::RootDirectory => (What::FatRootDirectory, vec![format!("{name}/")]),
        fat::What::Directory(path) => (
            What::FatDirectory,
            vec![format!("{name}{}", text::lossless(path.as_bytes()))],
        ),
    }
}
