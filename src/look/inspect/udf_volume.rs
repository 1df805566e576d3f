//! The UDF volume as facts.

use std::collections::BTreeMap;

use crate::facts::{Common, Counts, Extent, FileSystem, Found, What};
use crate::formats::udf::{self, Kind, Volume};
use crate::ground::read_at::ReadAt;
use crate::ground::text;

use super::InspectError;
use super::indexes::{Index, Indexes};
use super::names::Names;

/// Adds what the UDF volume says, if there is one.
pub(super) fn read(
    image: &dyn ReadAt,
    indexes: &Indexes,
    names: &Names,
    facts: &mut Common,
    found: &mut Found,
    claims: &mut Vec<Extent>,
) -> Result<(), InspectError> {
    if let Some((offset, length)) = udf::recognition_sequence(image)? {
        claims.push(Extent::new(offset, length, What::UdfRecognition));
    }
    let volumes = indexes.all.iter().filter_map(|index| match index {
        Index::Udf(volume) => Some(volume),
        Index::Iso(_) => None,
    });
    for volume in volumes {
        describe(volume, names, facts, claims);
        let remarks = volume.remarks.iter().map(|remark| format!("UDF: {remark}"));
        found.remarks.extend(remarks);
    }
    Ok(())
}

fn describe(volume: &Volume, names: &Names, facts: &mut Common, claims: &mut Vec<Extent>) {
    if facts.filesystems.is_empty() {
        facts.volume_id = volume.label.clone();
    }
    if names.udf_is_best {
        facts.counts = Counts::default();
        for entry in &volume.entries {
            match entry.kind {
                Kind::Directory => facts.counts.directories += 1,
                Kind::File => facts.counts.files += 1,
                Kind::Symlink(_) => facts.counts.symlinks += 1,
                Kind::Other(_) => facts.counts.others += 1,
            }
        }
    }
    facts.filesystems.push(FileSystem::Udf);
    facts
        .faults
        .extend(volume.notes.iter().map(|note| format!("UDF: {note}")));
    structures(volume, claims);
    files(volume, names, claims);
}

/// Claims the volume's own structures; what follows without a gap is one extent.
fn structures(volume: &Volume, claims: &mut Vec<Extent>) {
    let mut runs: BTreeMap<u64, Extent> = BTreeMap::new();
    let mut pieces = volume.structures.clone();
    pieces.sort_by_key(|piece| piece.offset);
    for piece in pieces {
        let (what, paths) = match piece.what {
            udf::What::Anchor => (What::UdfAnchor, Vec::new()),
            udf::What::VolumeDescriptors => (What::UdfVolumeDescriptors, Vec::new()),
            udf::What::Integrity => (What::UdfIntegrity, Vec::new()),
            udf::What::FileSet => (What::UdfFileSet, Vec::new()),
            udf::What::FileEntry => (What::UdfFileEntry, Vec::new()),
            udf::What::Allocation => (What::UdfAllocation, Vec::new()),
            udf::What::PartitionTable => (What::UdfPartitionTable, Vec::new()),
            udf::What::Directory(path) => (What::UdfDirectory, vec![format!("udf:{}", text::lossless(&path))]),
        };
        let next = Extent {
            paths,
            ..Extent::new(piece.offset, piece.length, what)
        };
        if let Some((_, last)) = runs.last_key_value()
            && last.what == next.what
            && last.paths == next.paths
            && last.offset.checked_add(last.length) == Some(next.offset)
        {
            let (offset, length) = (last.offset, last.length);
            runs.insert(
                offset,
                Extent {
                    length: length + next.length,
                    offset,
                    ..next
                },
            );
        } else {
            runs.entry(next.offset).or_insert(next);
        }
    }
    claims.extend(runs.into_values());
}

/// Claims the contents of files; what is embedded in a file entry is claimed with it.
fn files(volume: &Volume, names: &Names, claims: &mut Vec<Extent>) {
    let entries = volume.entries.iter().filter(|entry| entry.kind == Kind::File);
    for entry in entries {
        let first = entry.extents.first().and_then(|&(offset, _)| offset);
        let paths = match names.by_udf(first) {
            true => vec![format!("udf:{}", text::lossless(&entry.path))],
            false => Vec::new(),
        };
        for &(offset, length) in &entry.extents {
            if let Some(offset) = offset.filter(|offset| offset.is_multiple_of(volume.block)) {
                claims.push(Extent {
                    paths: paths.clone(),
                    ..Extent::new(offset, length, What::File)
                });
            }
        }
    }
}
