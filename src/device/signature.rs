//! What is on a disk, for whoever is about to overwrite it: file systems and the like, by their magic numbers.

use std::path::PathBuf;

use super::target::{Kind, Target};
use crate::facts::file_system::recognise;
use crate::ground::read_at::{FileAt, ReadAt, Window};

/// Something that would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The disk or the partition.
    pub path: PathBuf,
    /// Bytes.
    pub length: u64,
    /// What it is: empty if that is not known.
    pub kind: &'static str,
    /// The name that it has been given.
    pub label: Option<String>,
}

/// What a target holds: what begins with the disk itself, then its partitions. Empty where nothing is recognised, or nothing may be read.
pub fn contents(target: &Target) -> Vec<Content> {
    let Ok(all) = std::fs::File::open(target.path()).and_then(FileAt::new) else {
        return Vec::new();
    };
    let content = |path: PathBuf, window: &Window<'_>| {
        let (kind, label) = recognise(window).ok().flatten().unwrap_or_default();
        let length = window.size();
        Content {
            path,
            length,
            kind,
            label,
        }
    };
    let whole = content(target.path().to_owned(), &Window::new(&all, 0, all.size()));
    let mut found = Vec::new();
    found.extend(Some(whole).filter(|whole| !whole.kind.is_empty()));
    if let Kind::Disk { disk, partition: None } = target.kind() {
        let parts = disk.partitions.iter();
        found.extend(parts.map(|part| content(part.path.clone(), &Window::new(&all, part.start, part.length))));
    }
    found
}
