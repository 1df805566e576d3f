//! What differs between two images: structure by structure, name by name, then byte by byte.

mod bytes;
mod names;
mod structures;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Description, FileSystem, VolumeFacts, esp_name};
use crate::ground::read_at::ReadAt;
use crate::look::contents::{ContentsError, Place, Tree};
use crate::look::inspect::{self, InspectError};

/// Everything that differs; nothing at all between images of the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Whether every byte is the same.
    pub identical: bool,
    /// Facts, by their place in the description of both.
    pub structures: Vec<Fact>,
    /// Names, by volume and path.
    pub names: Vec<Name>,
    /// How many bytes of the shorter image are others in the longer, and what the longer has beyond.
    pub different_bytes: u64,
    /// Where those are, by the extents of the first image.
    pub bytes: Vec<Run>,
    /// What is wrong with the names of each image, or not shown by them.
    #[serde(skip_serializing_if = "are_none")]
    pub notes: [Vec<String>; 2],
}

fn are_none(notes: &[Vec<String>; 2]) -> bool {
    notes.iter().all(Vec::is_empty)
}

/// A fact that is another in the second image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Keys of the description: `partitions 2 start`. What has a number counts from 1.
    pub at: String,
    /// In the first image; none where it has no such fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// In the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
}

/// A name that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Name {
    /// `iso:/...`, `udf:/...`, `esp:/...`, `partition:2/...`
    pub path: String,
    /// `only in a`, `only in b`, or what differs: `type`, `content`, `target`, `mode`, `owner`, `modified`, `device`.
    pub what: &'static str,
    /// In the first image, where that can be said in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// In the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
}

/// Bytes that differ in one extent of the first image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The first byte that differs.
    pub offset: u64,
    /// How many differ in the extent.
    pub bytes: u64,
    /// What the extent is, with its names.
    pub what: String,
}

/// Compares two images.
///
/// # Errors
/// When one of them is not an image, or cannot be read; the number says which.
pub fn diff(a: &dyn ReadAt, b: &dyn ReadAt) -> Result<Difference, (usize, ContentsError)> {
    let first = |error: InspectError| (0, error.into());
    let second = |error: InspectError| (1, error.into());
    let image_a = inspect::inspect(a).map_err(first)?;
    let (different_bytes, bytes) =
        bytes::compare(a, b, &image_a.facts.extents).map_err(|(number, error)| (number, error.into()))?;
    if different_bytes == 0 {
        return Ok(Difference {
            identical: true,
            ..Difference::default()
        });
    }
    let image_b = inspect::inspect(b).map_err(second)?;
    let (mut names, mut notes) = (Vec::new(), [Vec::new(), Vec::new()]);
    for volume in volumes(&image_a, &image_b) {
        let (tree_a, tree_b) = (tree(a, &image_a, &volume), tree(b, &image_b, &volume));
        let tree_a = tree_a.map_err(|error| (0, error))?;
        let tree_b = tree_b.map_err(|error| (1, error))?;
        for (notes, tree) in notes.iter_mut().zip([&tree_a, &tree_b]) {
            notes.extend(tree.iter().flat_map(|tree| &tree.notes).cloned());
        }
        names::compare((a, &tree_a), (b, &tree_b), &volume, &mut names)?;
    }
    Ok(Difference {
        identical: false,
        structures: structures::compare(&image_a, &image_b),
        names,
        different_bytes,
        bytes,
        notes,
    })
}

/// The volumes that one of the images has, as they are named before a path.
fn volumes(a: &Description, b: &Description) -> Vec<String> {
    let mut volumes = Vec::new();
    for (name, index) in [("iso:", FileSystem::Iso9660), ("udf:", FileSystem::Udf)] {
        if has(a, index) || has(b, index) {
            volumes.push(name.to_owned());
        }
    }
    for number in 1..=a.facts.esp.len().max(b.facts.esp.len()) {
        volumes.push(esp_name(number));
    }
    let others: BTreeSet<Option<u32>> = [a, b].into_iter().flat_map(others).collect();
    volumes.extend(others.into_iter().map(|partition| match partition {
        Some(number) => format!("partition:{number}"),
        // The disk's own.
        None => String::new(),
    }));
    volumes
}

fn has(image: &Description, index: FileSystem) -> bool {
    image.facts.filesystems.contains(&index)
}

/// The file systems beside FAT whose names are read.
fn others(image: &Description) -> impl Iterator<Item = Option<u32>> {
    let is_fat = |volume: &&VolumeFacts| image.facts.esp.iter().any(|esp| esp.offset == volume.offset);
    let read = image.found.volumes.iter().filter(|volume| volume.counts.is_some());
    read.filter(move |volume| !is_fat(volume))
        .map(|volume| volume.partition)
}

/// A volume of an image; `None` has no names.
fn tree(image: &dyn ReadAt, described: &Description, volume: &str) -> Result<Option<Tree>, ContentsError> {
    let place = Place::parse(format!("{volume}/").as_bytes()).map_err(ContentsError::Absent)?;
    let present = match &place {
        Place::Iso(_) => has(described, FileSystem::Iso9660),
        Place::Udf(_) => has(described, FileSystem::Udf),
        Place::Esp(number, _) => *number <= described.facts.esp.len(),
        Place::In(number, _) => others(described).any(|partition| partition == Some(*number)),
        Place::Tree(_) => others(described).any(|partition| partition.is_none()),
        _ => false,
    };
    match present {
        true => Tree::of(image, place).map(|(tree, _)| Some(tree)),
        false => Ok(None),
    }
}
