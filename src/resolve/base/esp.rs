//! What `[[files]]` put into a FAT volume of the base, and what `remove` takes out of it: `esp:/...`, `esp2:/...`.

use super::Edits;
use crate::formats::fat;
use crate::ground::read_at::ReadAt;
use crate::ground::text;
use crate::manifest::{At, Files, esp_path};
use crate::resolve::host::{Host, read_whole};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::base::{FatBecomes, FatEdit};
use crate::tree::{Kind, ROOT, Tree};

/// The FAT volumes of the base, in the order of their numbers, which begin with 1.
pub(super) struct Volumes<'i> {
    pub(super) image: &'i dyn ReadAt,
    /// The first byte of each, and what is in it.
    pub(super) all: Vec<(u64, fat::Contents)>,
}

impl Volumes<'_> {
    /// The numbers of the volumes that hold the same files as this one, which is among them.
    pub(super) fn copies(&self, number: usize) -> Vec<usize> {
        let own = number.checked_sub(1).and_then(|index| self.all.get(index));
        let numbered = self.all.iter().zip(1..);
        let same = numbered.filter(|(other, _)| own.is_some_and(|own| self.are_alike(own, other)));
        same.map(|(_, number)| number).collect()
    }

    fn are_alike(&self, one: &(u64, fat::Contents), other: &(u64, fat::Contents)) -> bool {
        if one.0 == other.0 {
            return true;
        }
        let (mine, others) = (&one.1.entries, &other.1.entries);
        let mut pairs = mine.iter().zip(others);
        mine.len() == others.len()
            && pairs.all(|(mine, its)| {
                (&mine.path, mine.directory) == (&its.path, its.directory)
                    && (mine.directory || self.bytes(one.0, mine) == self.bytes(other.0, its))
            })
    }

    /// The bytes of a file; none if they cannot be read.
    fn bytes(&self, start: u64, entry: &fat::FatEntry) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for &(offset, length) in &entry.extents {
            bytes.extend(self.image.read_vec_at(start + offset, length).ok()?);
        }
        Some(bytes)
    }
}

impl Resolution<'_> {
    /// Adds the edits of every volume.
    pub(super) fn fat_files(
        &mut self,
        remove: &[At<String>],
        volumes: &Volumes<'_>,
        edits: &mut Edits,
    ) -> Result<(), ResolveError> {
        let count = volumes.all.len();
        let named = self.document.manifest.files.iter().enumerate();
        let named: Vec<(u32, usize, &At<Files>, &str)> = named
            .filter_map(|(index, entry)| {
                let (number, path) = esp_path(entry.get_ref().to.get_ref())?;
                Some((index as u32, number, entry, path))
            })
            .collect();
        for (_, number, entry, _) in &named {
            self.has_volume(&entry.get_ref().to, *number, count);
        }
        for number in 1..=count {
            self.gone(remove, number, volumes, edits);
            let of_volume = named.iter().filter(|(_, other, ..)| *other == number);
            let of_volume: Vec<_> = of_volume.map(|&(index, _, entry, path)| (index, entry, path)).collect();
            if !of_volume.is_empty() {
                self.come(&of_volume, number, volumes, edits)?;
            }
        }
        let numbers = remove
            .iter()
            .filter_map(|pattern| Some((pattern, esp_path(pattern.get_ref())?.0)));
        for (pattern, number) in numbers {
            self.has_volume(pattern, number, count);
        }
        Ok(())
    }

    fn has_volume(&mut self, at: &At<String>, number: usize, count: usize) {
        if number > count {
            let message = format!(
                "the base has no FAT volume of this number: it has {}",
                match count {
                    0 => "none".to_owned(),
                    count => count.to_string(),
                }
            );
            self.error(at, message, "this volume");
        }
    }

    /// What goes.
    fn gone(&mut self, remove: &[At<String>], number: usize, volumes: &Volumes<'_>, edits: &mut Edits) {
        let Some((_, contents)) = volumes.all.get(number - 1) else {
            return;
        };
        let patterns: Vec<At<String>> = remove
            .iter()
            .filter_map(|pattern| {
                let (of, path) = esp_path(pattern.get_ref())?;
                (of == number).then(|| pattern.map(|_| path.to_owned()))
            })
            .collect();
        let mut items: Vec<(&[u8], bool)> = contents
            .entries
            .iter()
            .map(|entry| (entry.path.as_bytes(), entry.directory))
            .collect();
        items.sort_unstable();
        for path in self.matching(&patterns, &items) {
            let edit = FatEdit {
                path: String::from_utf8_lossy(&path).into_owned(),
                becomes: FatBecomes::Nothing,
                modified: self.timestamp,
            };
            edits.in_fat_and_copies(number, &edit, volumes);
        }
    }

    /// What comes: the entries make a tree of their own, as they would in the image.
    fn come(
        &mut self,
        entries: &[(u32, &At<Files>, &str)],
        number: usize,
        volumes: &Volumes<'_>,
        edits: &mut Edits,
    ) -> Result<(), ResolveError> {
        let image = std::mem::replace(&mut self.tree, Tree::new(self.implied));
        let host = std::mem::replace(&mut self.host, Host::new(false));
        for &(index, entry, path) in entries {
            let entry = entry.map(|entry| Files {
                to: entry.to.map(|_| path.to_owned()),
                ..Files::clone(entry)
            });
            self.add_files(index, &entry)?;
        }
        self.check_unreadable()?;
        let tree = std::mem::replace(&mut self.tree, image);
        self.host = host;
        for id in tree.in_order().into_iter().filter(|id| *id != ROOT) {
            let node = tree.node(id);
            let path = tree.path(id);
            let becomes = match &node.kind {
                Kind::Directory(_) => FatBecomes::Directory,
                Kind::File(payload) => FatBecomes::File(read_whole(tree.payload(*payload))?),
                _ => {
                    let message = format!(
                        "a FAT volume holds files and directories, and {} is neither",
                        text::visible(&path)
                    );
                    let entry = entries.iter().find(|(index, ..)| node.origin == Some(*index));
                    if let Some((_, entry, _)) = entry {
                        self.error(*entry, message, "into a FAT volume");
                    }
                    continue;
                }
            };
            let edit = FatEdit {
                path: String::from_utf8_lossy(&path).into_owned(),
                becomes,
                modified: node.attributes.mtime,
            };
            edits.in_fat_and_copies(number, &edit, volumes);
        }
        Ok(())
    }
}
