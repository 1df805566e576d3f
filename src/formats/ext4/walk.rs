//! The tree, with limits on what it may take: an honest volume has every directory once.

use std::collections::HashSet;
use std::io;

use super::blocks::Placed;
use super::directory;
use super::inode::{self, Content, Fault, Inode};
use super::superblock::Superblock;
use super::{Entry, Ext4Error, Kind, Volume};
use crate::ground::limits::{Limits, Notes};
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::text;

/// `EXT4_ROOT_INO`.
const ROOT: u32 = 2;
/// How deep a tree may nest.
const DEPTH: usize = 1024;
/// What an entry takes beside its path.
const ENTRY: u64 = 256;
/// What an extent takes.
const EXTENT: u64 = 24;
/// The longest target of a link, with the zero behind it: Linux takes a page.
const TARGET: u64 = 4096;

struct Walker<'a> {
    volume: &'a dyn ReadAt,
    superblock: Superblock,
    /// Directories that have been found. One that is found again would be a loop.
    directories: HashSet<u32>,
    limits: Limits,
    notes: Notes,
    left_out: usize,
    encrypted: usize,
    entries: Vec<Entry>,
}

/// A directory that is still to be read.
struct Pending {
    /// Its number in the entries.
    entry: usize,
    depth: usize,
    inode: Inode,
}

/// Follows the tree from its root.
pub(super) fn walk(volume: &dyn ReadAt, superblock: Superblock) -> Result<Volume, Ext4Error> {
    let mut walker = Walker {
        volume,
        limits: Limits::new(volume.size()),
        notes: Notes::default(),
        superblock,
        directories: HashSet::new(),
        left_out: 0,
        encrypted: 0,
        entries: Vec::new(),
    };
    if walker.superblock.size() > volume.size() {
        walker.notes.add(format!(
            "the super block counts {} bytes, there are {}",
            walker.superblock.size(),
            volume.size()
        ));
    }
    let Some(root) = walker.add(b"/".to_vec(), ROOT)? else {
        let why = walker.notes.finish().pop();
        let why = why.unwrap_or_else(|| "the root is not a directory".into());
        return Err(Ext4Error::Unreadable(why));
    };
    let mut pending = vec![Pending {
        entry: 0,
        depth: 1,
        inode: root,
    }];
    while let Some(next) = pending.pop()
        && !walker.limits.is_read_over()
    {
        // The last that was found is read next: deep before wide keeps the list short.
        let found = walker.directory(&next)?;
        pending.extend(found.into_iter().rev());
    }
    Ok(walker.finish())
}

impl Walker<'_> {
    fn finish(mut self) -> Volume {
        let too_many = self.limits.finish("its directories", &mut self.notes);
        let mut remarks = Vec::new();
        if self.superblock.needs_recovery {
            remarks.push("its journal holds writes that are not replayed here: it was not unmounted".to_owned());
        }
        if self.encrypted > 0 {
            remarks.push(format!(
                "{} of its names are encrypted, and their contents cannot be read",
                self.encrypted
            ));
        }
        Volume {
            version: self.superblock.version,
            label: self.superblock.label,
            uuid: self.superblock.uuid,
            entries: self.entries,
            left_out: self.left_out + too_many,
            notes: self.notes.finish(),
            remarks,
        }
    }

    /// The entries of a directory. The result are the directories among them.
    fn directory(&mut self, pending: &Pending) -> Result<Vec<Pending>, Ext4Error> {
        let Some(parent) = self.entries.get(pending.entry) else {
            return Ok(Vec::new());
        };
        let path = match parent.path.as_slice() {
            b"/" => Vec::new(),
            path => path.to_vec(),
        };
        let shown = text::visible(&parent.path);
        if pending.depth >= DEPTH {
            self.notes
                .add(format!("{shown} is nested more than {DEPTH} deep and not read"));
            return Ok(Vec::new());
        }
        let content = Pieces::new(self.volume, parent.extents.iter().copied());
        let mut found = Vec::new();
        for (start, length) in self.pieces(&pending.inode, content.size()) {
            if !self.limits.may_read(length) {
                break;
            }
            let block = content.read_vec_at(start, length)?;
            let (names, fault) = directory::names(&block);
            for (number, name) in names {
                let child = [path.as_slice(), b"/", name].concat();
                if !text::is_component(name) {
                    self.left_out += 1;
                    let shown = text::visible(&child);
                    self.notes
                        .add(format!("{shown} cannot be part of a path; it is left out"));
                    continue;
                }
                let entry = self.entries.len();
                if let Some(inode) = self.add(child, number)? {
                    found.push(Pending {
                        entry,
                        depth: pending.depth + 1,
                        inode,
                    });
                }
            }
            if let Some(fault) = fault {
                self.notes.add(format!("the directory {shown}: {fault}"));
            }
        }
        Ok(found)
    }

    /// The content of a directory in pieces, offset and length: no entry leads from one to the next.
    fn pieces(&self, inode: &Inode, size: u64) -> impl Iterator<Item = (u64, u64)> + use<> {
        let block = self.superblock.block;
        let is_inline = matches!(inode.content, Content::Inline(_));
        let count = if is_inline { 2 } else { size.div_ceil(block) };
        let pieces = (0..count).map(move |number| match (is_inline, number) {
            // In the inode the number of the parent stands before the entries. What does not fit is in an attribute.
            (true, 0) => (4, inode::BLOCK_LENGTH),
            (true, _) => (inode::BLOCK_LENGTH, size),
            (false, _) => (number * block, (number + 1) * block),
        });
        pieces.filter_map(move |(start, end)| {
            let end = end.min(size);
            (start < end).then(|| (start, end - start))
        })
    }

    /// Adds a name. The result is the inode of a directory that has not been read.
    fn add(&mut self, path: Vec<u8>, number: u32) -> Result<Option<Inode>, Ext4Error> {
        if !self.limits.may_read(self.superblock.inode_size) {
            return Ok(None);
        }
        let inode = match inode::read(self.volume, &self.superblock, number) {
            Ok(inode) => inode,
            Err(Fault::Read(error)) => return Err(error.into()),
            Err(Fault::Wrong(why)) => {
                self.left_out += 1;
                self.notes.add(format!("{}: {why}", text::visible(&path)));
                return Ok(None);
            }
        };
        let Self { volume, limits, .. } = self;
        let Placed { extents, fault } =
            inode.placed(*volume, &self.superblock, &mut |length| limits.may_read(length))?;
        let held = path.len() as u64 + ENTRY + EXTENT * extents.len() as u64;
        if !self.limits.may_hold(held) {
            return Ok(None);
        }
        if let Some(fault) = &fault {
            self.notes.add(format!("{}: {fault}", text::visible(&path)));
        }
        self.encrypted += usize::from(inode.is_encrypted);
        let kind = match inode.mode & inode::FORMAT {
            inode::REGULAR => Kind::File,
            inode::DIRECTORY => Kind::Directory,
            inode::SYMLINK => Kind::Symlink(self.target(&inode, &extents)?),
            inode::BLOCK_DEVICE | inode::CHARACTER_DEVICE => Kind::Other(Some(inode.device())),
            inode::FIFO | inode::SOCKET => Kind::Other(None),
            format => {
                self.left_out += 1;
                let shown = text::visible(&path);
                self.notes
                    .add(format!("{shown}: inode {number} has the unknown type {format:#o}"));
                return Ok(None);
            }
        };
        let is_new = kind == Kind::Directory && self.directories.insert(number);
        if kind == Kind::Directory && !is_new {
            self.notes.add(format!(
                "the directory {} is the same as another directory",
                text::visible(&path)
            ));
        }
        self.entries.push(Entry {
            path,
            length: match kind {
                Kind::File | Kind::Directory => inode.length,
                Kind::Symlink(_) | Kind::Other(_) => 0,
            },
            extents: match kind {
                Kind::Symlink(_) => Vec::new(),
                _ => extents,
            },
            kind,
            is_whole: fault.is_none() && !inode.is_encrypted,
            mode: inode.mode,
            links: inode.links,
            uid: inode.uid,
            gid: inode.gid,
            inode: number,
            modified: inode.modified,
        });
        Ok(is_new.then_some(inode))
    }

    /// The target of a symbolic link. That of an encrypted one stays encrypted.
    fn target(&mut self, inode: &Inode, extents: &[(Option<u64>, u64)]) -> io::Result<Vec<u8>> {
        if let Content::None = inode.content {
            let length = usize::try_from(inode.length).unwrap_or(usize::MAX);
            return Ok(inode.block.get(..length).unwrap_or_default().to_vec());
        }
        let content = Pieces::new(self.volume, extents.iter().copied());
        let length = content.size().min(TARGET);
        match self.limits.may_read(length) {
            true => content.read_vec_at(0, length),
            false => Ok(Vec::new()),
        }
    }
}
