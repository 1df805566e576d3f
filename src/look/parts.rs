//! The files of an image whose bytes can be taken out of it, so that a skeleton is left that holds everything else.
//!
//! Which files these are depends on the skeleton alone: it is found again in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::What;
use crate::formats::iso9660::EntryKind;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::look::contents::{ContentsError, Tree};
use crate::look::inspect;

/// Components of host paths are not longer (NAME_MAX, PATH_MAX).
const LONGEST: usize = 255;
const LONGEST_PATH: usize = 3000;

/// A file, and where its bytes are in the image, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// From the root, with a leading `/`.
    pub path: Vec<u8>,
    /// None is empty, and none has a byte with another part or with a structure in common.
    pub ranges: Vec<Range>,
}

impl Part {
    /// In bytes, as they are stored.
    pub fn length(&self) -> u64 {
        self.ranges.iter().map(|range| range.length).sum()
    }
}

/// Every file of the richest index that is all there, has a path that a host can hold, and shares no byte with a structure or with a file
/// before it.
///
/// # Errors
/// When the image cannot be read.
pub fn parts(image: &dyn ReadAt) -> Result<Vec<Part>, ContentsError> {
    let tree = Tree::of_index(image)?;
    let described = inspect::inspect(image)?;
    let structures = described
        .facts
        .extents
        .iter()
        .filter(|extent| extent.what != What::File);
    let mut taken = Taken::default();
    for extent in structures {
        taken.add(extent.offset, extent.length);
    }
    let items = tree.items();
    let directories: BTreeSet<&[u8]> = items
        .iter()
        .flat_map(|item| {
            let ancestors = item.path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            let own = (item.kind == EntryKind::Directory).then_some(item.path.as_slice());
            ancestors.map(|(at, _)| &item.path[..at]).chain(own)
        })
        .collect();
    let mut parts: Vec<Part> = Vec::new();
    let mut paths: BTreeSet<&[u8]> = BTreeSet::new();
    for item in items
        .iter()
        .filter(|item| item.kind == EntryKind::File && item.is_whole)
    {
        let ranges: Option<Vec<Range>> = item
            .extents
            .iter()
            .filter(|(_, length)| *length > 0)
            .map(|&(offset, length)| {
                Some(Range {
                    offset: offset?,
                    length,
                })
            })
            .collect();
        let Some(ranges) = ranges.filter(|ranges| !ranges.is_empty()) else {
            continue;
        };
        let is_inside = |range: &Range| {
            range
                .offset
                .checked_add(range.length)
                .is_some_and(|end| end <= image.size())
        };
        if !is_plain(&item.path)
            || directories.contains(item.path.as_slice())
            || paths.contains(item.path.as_slice())
            || !ranges.iter().all(is_inside)
            || !taken.take(&ranges)
        {
            continue;
        }
        paths.insert(&item.path);
        parts.push(Part {
            path: item.path.clone(),
            ranges,
        });
    }
    Ok(parts)
}

/// Whether a host's file can have this path.
fn is_plain(path: &[u8]) -> bool {
    let mut components = path.split(|&byte| byte == b'/').skip(1);
    path.len() <= LONGEST_PATH
        && components.all(|name| !matches!(name, b"" | b"." | b"..") && name.len() <= LONGEST && !name.contains(&0))
}

/// Disjoint ranges, by their first bytes.
#[derive(Default)]
struct Taken {
    ends: BTreeMap<u64, u64>,
}

impl Taken {
    /// Adds a range that none has a byte with in common.
    fn add(&mut self, start: u64, length: u64) {
        if length > 0 {
            self.ends.insert(start, start.saturating_add(length));
        }
    }

    fn is_free(&self, range: &Range) -> bool {
        let before = self.ends.range(..range.end()).next_back();
        before.is_none_or(|(_, end)| *end <= range.offset)
    }

    /// Takes ranges that are all free, also of each other.
    fn take(&mut self, ranges: &[Range]) -> bool {
        let mut added = Vec::new();
        for range in ranges {
            if !self.is_free(range) {
                for start in added {
                    self.ends.remove(&start);
                }
                return false;
            }
            self.ends.insert(range.offset, range.end());
            added.push(range.offset);
        }
        true
    }
}

/// An image with zeros in place of some bytes.
pub struct Skeleton<'i> {
    image: &'i dyn ReadAt,
    /// By their first bytes, disjoint.
    ranges: Vec<Range>,
}

impl<'i> Skeleton<'i> {
    /// Without the bytes of these parts.
    pub fn of(image: &'i dyn ReadAt, parts: &[Part]) -> Self {
        let mut ranges: Vec<Range> = parts.iter().flat_map(|part| part.ranges.clone()).collect();
        ranges.sort_by_key(|range| range.offset);
        Self { image, ranges }
    }
}

impl ReadAt for Skeleton<'_> {
    fn size(&self) -> u64 {
        self.image.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        let end = offset + buffer.len() as u64;
        let first = self.ranges.partition_point(|range| range.end() <= offset);
        let covers = self.ranges.get(first);
        // Of a large file nothing is read.
        match covers.is_some_and(|range| range.offset <= offset && range.end() >= end) {
            true => buffer.fill(0),
            false => self.image.read_exact_at(buffer, offset)?,
        }
        for range in self.ranges.iter().skip(first).take_while(|range| range.offset < end) {
            let (start, stop) = (range.offset.max(offset), range.end().min(end));
            buffer[(start - offset) as usize..(stop - offset) as usize].fill(0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_taken_once() {
        let range = |offset: u64, length: u64| Range { offset, length };
        let mut taken = Taken::default();
        taken.add(0, 10);
        taken.add(30, 1);
        assert!(!taken.take(&[range(9, 2)]));
        assert!(taken.take(&[range(10, 20), range(31, 4)]));
        assert!(!taken.take(&[range(40, 5), range(20, 1)]));
        // What was refused is free again.
        assert!(taken.take(&[range(40, 5)]));
        assert!(!taken.take(&[range(100, 5), range(104, 5)]));
    }

    #[test]
    fn paths_that_a_host_cannot_hold_stay_inside() {
        assert!(is_plain(b"/a/b.c") && is_plain(b"/\xff"));
        let long = [b"/".as_slice(), &[b'a'; 256]].concat();
        for path in [b"/a/../b".as_slice(), b"//a", b"/a\0b", b"/.", &long] {
            assert!(!is_plain(path), "{path:?}");
        }
    }
}
