//! The tree, with limits on what it may take: an honest volume has every directory and file entry once.

use std::collections::HashMap;

use super::descriptor::Allocation;
use super::directory::{self, Name};
use super::file_entry::{self, BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, FIFO, SOCKET, SYMLINK};
use super::text::compressed_unicode;
use super::volume::Opened;
use super::{Kind, Structure, UdfEntry, UdfError, Volume, What};
use crate::ground::limits::{Limits, Notes};
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::text;

/// How deep a tree may nest.
const DEPTH: usize = 1024;
/// What an entry takes beside its path.
const ENTRY: u64 = 256;
/// What an extent takes.
const EXTENT: u64 = 24;
/// The longest target of a link: UDF has no limit, Linux this.
const TARGET: u64 = 64 << 10;

struct Walker<'a> {
    image: &'a dyn ReadAt,
    opened: Opened,
    /// Entries by the place of their file entry: the names of one file share it, and a directory is read once, so that a loop ends.
    known: HashMap<u64, usize>,
    limits: Limits,
    notes: Notes,
    /// Names that lead nowhere, or are none.
    left_out: usize,
    entries: Vec<UdfEntry>,
}

/// A directory that is still to be read, by its entry.
struct Pending {
    entry: usize,
    depth: usize,
}

/// Follows the tree from its root.
pub(super) fn walk(image: &dyn ReadAt, mut opened: Opened) -> Result<Volume, UdfError> {
    let root = opened.root;
    let mut walker = Walker {
        image,
        limits: Limits::new(image.size()),
        notes: Notes::from(std::mem::take(&mut opened.notes)),
        opened,
        known: HashMap::new(),
        left_out: 0,
        entries: Vec::new(),
    };
    walker.add(b"/".to_vec(), root);
    if walker.entries.first().is_none_or(|root| root.kind != Kind::Directory) {
        let why = walker.notes.finish().pop();
        let why = why.unwrap_or_else(|| "the root is no directory".into());
        return Err(UdfError::Damaged(why));
    }
    let mut pending = vec![Pending { entry: 0, depth: 1 }];
    while let Some(next) = pending.pop()
        && !walker.limits.is_read_over()
    {
        // The last that was found is read next: deep before wide keeps the list short.
        let found = walker.directory(&next);
        pending.extend(found.into_iter().rev().map(|entry| Pending {
            entry,
            depth: next.depth + 1,
        }));
    }
    Ok(walker.finish())
}

impl Walker<'_> {
    fn finish(mut self) -> Volume {
        let too_many = self.limits.finish("its structures", &mut self.notes);
        Volume {
            label: self.opened.label,
            block: self.opened.partitions.block,
            partition: self.opened.partitions.only(),
            entries: self.entries,
            left_out: self.left_out + too_many,
            structures: self.opened.structures,
            notes: self.notes.finish(),
            remarks: self.opened.remarks,
        }
    }

    /// The entries of a directory. The result are the directories among them.
    fn directory(&mut self, pending: &Pending) -> Vec<usize> {
        let parent = &self.entries[pending.entry];
        let mut found = Vec::new();
        let path = if parent.path == b"/" {
            Vec::new()
        } else {
            parent.path.clone()
        };
        if pending.depth >= DEPTH {
            self.notes.add(format!(
                "{} is nested more than {DEPTH} deep and not read",
                text::visible(&path)
            ));
            return found;
        }
        let (extents, length) = (parent.extents.clone(), parent.length);
        if !self.limits.may_read(length) {
            return found;
        }
        let content = Pieces::new(self.image, extents);
        let faults = directory::names(&content, |Name { name, icb }| {
            let child = [path.as_slice(), b"/", &name].concat();
            if text::is_component(&name) {
                found.extend(self.add(child, icb));
            } else {
                self.left_out += 1;
                let shown = text::visible(&child);
                self.notes
                    .add(format!("{shown} cannot be part of a path; it is left out"));
            }
        });
        for fault in faults {
            let shown = if path.is_empty() {
                "/".into()
            } else {
                text::visible(&path)
            };
            self.notes.add(format!("the directory {shown}: {fault}"));
        }
        found
    }

    /// Adds a name. The result is its number if it is a directory that has not been read.
    fn add(&mut self, path: Vec<u8>, icb: Allocation) -> Option<usize> {
        let Some(offset) = self.opened.partitions.place(icb.partition, icb.block) else {
            self.notes
                .add(format!("{} leads to no partition", text::visible(&path)));
            self.left_out += 1;
            return None;
        };
        let number = self.entries.len();
        if let Some(&known) = self.known.get(&offset) {
            let known = self.entries[known].clone();
            if self
                .limits
                .may_hold(path.len() as u64 + ENTRY + EXTENT * known.extents.len() as u64)
            {
                let directory = known.kind == Kind::Directory;
                if directory {
                    self.notes.add(format!(
                        "the directory {} has the same place as another directory",
                        text::visible(&path)
                    ));
                }
                self.entries.push(UdfEntry { path, ..known });
            }
            return None;
        }
        let block = self.opened.partitions.block;
        if !self.limits.may_read(block) {
            return None;
        }
        let read = match file_entry::read(self.image, &self.opened.partitions, offset, icb.partition) {
            Ok(read) => read,
            Err(fault) => {
                self.notes.add(format!("{}: {fault}", text::visible(&path)));
                self.left_out += 1;
                return None;
            }
        };
        // What is behind the continuations was read too, and each piece was looked up.
        let pieces = read
            .extents
            .iter()
            .map(|&(_, length)| length / block + 1)
            .fold(0, u64::saturating_add);
        let work = block * read.continued.len() as u64 + pieces;
        if !self.limits.may_read(work)
            || !self
                .limits
                .may_hold(path.len() as u64 + ENTRY + EXTENT * read.extents.len() as u64)
        {
            return None;
        }
        for note in read.notes {
            self.notes.add(format!("{}: {note}", text::visible(&path)));
        }
        let structure = |offset, length, what| Structure { offset, length, what };
        self.opened.structures.push(structure(offset, block, What::FileEntry));
        for (offset, length) in read.continued {
            self.opened.structures.push(structure(offset, length, What::Allocation));
        }
        let extents = self.clipped(&path, read.extents);
        if read.file_type == DIRECTORY {
            for &(offset, length) in &extents {
                if let Some(offset) = offset {
                    self.opened
                        .structures
                        .push(structure(offset, length, What::Directory(path.clone())));
                }
            }
        }
        let kind = match read.file_type {
            DIRECTORY => Kind::Directory,
            SYMLINK => Kind::Symlink(self.target(&extents, read.length)),
            BLOCK_DEVICE | CHARACTER_DEVICE => Kind::Other(read.device),
            FIFO | SOCKET => Kind::Other(None),
            _ => Kind::File,
        };
        let directory = kind == Kind::Directory;
        self.entries.push(UdfEntry {
            path,
            kind,
            length: read.length,
            extents,
            attributes: read.attributes,
            entry: offset,
        });
        self.known.insert(offset, number);
        directory.then_some(number)
    }

    /// The extents as far as the image has them.
    fn clipped(&mut self, path: &[u8], extents: Vec<(Option<u64>, u64)>) -> Vec<(Option<u64>, u64)> {
        let size = self.image.size();
        let mut whole = true;
        let mut clip = |(offset, length): (Option<u64>, u64)| {
            let left = offset.map_or(length, |offset| length.min(size.saturating_sub(offset)));
            whole &= left == length;
            (left > 0).then_some((offset, left))
        };
        let clipped = extents.into_iter().filter_map(&mut clip).collect();
        if !whole {
            self.notes.add(format!("{} ends behind the image", text::visible(path)));
        }
        clipped
    }

    /// ECMA-167 4/14.16: a path in components.
    fn target(&mut self, extents: &[(Option<u64>, u64)], length: u64) -> Vec<u8> {
        let content = Pieces::new(self.image, extents.iter().copied());
        let length = length.min(content.size()).min(TARGET);
        if !self.limits.may_read(length) {
            return Vec::new();
        }
        let bytes = content.read_vec_at(0, length).unwrap_or_default();
        let mut target: Vec<u8> = Vec::new();
        let mut rest = bytes.as_slice();
        while let [kind, length, _, _, behind @ ..] = rest {
            let Some((identifier, behind)) = behind.split_at_checked(usize::from(*length)) else {
                break;
            };
            rest = behind;
            if matches!(kind, 1 | 2) {
                target = b"/".to_vec();
                continue;
            }
            if !target.is_empty() && target != b"/" {
                target.push(b'/');
            }
            match kind {
                3 => target.extend(b".."),
                4 => target.push(b'.'),
                _ => target.extend(compressed_unicode(identifier).bytes()),
            }
        }
        target
    }
}
