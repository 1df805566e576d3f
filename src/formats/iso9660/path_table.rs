//! Path tables (§7.9, §10.4): every directory of a hierarchy in the order in which parents are numbered.

use std::collections::HashMap;
use std::ops::Deref;

use super::hierarchy::{Hierarchy, Locate, SELF};
use super::{IsoNode, SECTOR, Tree, VolumeDescriptor, VolumeKind};
use crate::ground::read_at::ReadAt;

/// Byte order of a path table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Type L.
    Little,
    /// Type M.
    Big,
}

impl<T: Deref<Target = Tree>> Hierarchy<T> {
    /// The length of each path table.
    pub fn path_table_length(&self) -> u64 {
        self.directories()
            .iter()
            .map(|&id| (8 + self.directory_identifier(id).len().next_multiple_of(2)) as u64)
            .sum()
    }

    /// §10.4.6: the root's identifier is one zero byte.
    fn directory_identifier(&self, node: IsoNode) -> Vec<u8> {
        if node == IsoNode::ROOT {
            SELF.to_vec()
        } else {
            self.identifier(node)
        }
    }

    /// A path table, §10.4.
    pub fn path_table<L: Locate>(&self, endian: Endian, locate: &L) -> Result<Vec<u8>, L::Error> {
        let mut numbers = HashMap::with_capacity(self.directories().len());
        let mut bytes = Vec::new();
        for (index, &id) in self.directories().iter().enumerate() {
            // Directories beyond the 16 bits are no parents: `order_directories` has seen to it.
            numbers.insert(id, u16::try_from(index + 1).unwrap_or(0));
            let parent = numbers[&self.parent(id)];
            let block = locate.directory(id)?.number();
            let identifier = self.directory_identifier(id);
            bytes.extend([identifier.len() as u8, 0]);
            match endian {
                Endian::Little => {
                    bytes.extend(block.to_le_bytes());
                    bytes.extend(parent.to_le_bytes());
                }
                Endian::Big => {
                    bytes.extend(block.to_be_bytes());
                    bytes.extend(parent.to_be_bytes());
                }
            }
            bytes.extend(&identifier);
            if identifier.len() % 2 == 1 {
                bytes.push(0);
            }
        }
        Ok(bytes)
    }
}

/// Compares both path tables of a volume with each other and with its root.
///
/// # Errors
/// The first contradiction, in words.
pub fn path_tables(image: &dyn ReadAt, volume: &VolumeDescriptor) -> Result<(), String> {
    let (name, length) = match volume.kind {
        VolumeKind::Primary => ("path table", volume.path_table_length),
        VolumeKind::Joliet => ("Joliet path table", volume.path_table_length),
        VolumeKind::Enhanced => ("enhanced path table", volume.path_table_length),
    };
    let read = |offset: u64, little: bool| {
        let end = offset.checked_add(length).filter(|&end| end <= image.size());
        Ok::<_, String>(PathTable {
            image,
            next: offset,
            end: end.ok_or_else(|| format!("the {name} at {offset} is not in the image"))?,
            buffer: Vec::new(),
            at: 0,
            little,
        })
    };
    let little = read(volume.path_table_l, true)?;
    let mut big = match volume.path_table_m {
        // §9.4.17 asks for both, and some writers make one.
        0 => return Err(format!("there is no {name} of type M")),
        offset => read(offset, false)?,
    };
    for (index, entry) in little.enumerate() {
        if index == 0 && u64::from(entry.block) * SECTOR != volume.root.offset {
            return Err(format!("the {name} does not begin with the root directory"));
        }
        if usize::from(entry.parent) > index.max(1) || entry.parent == 0 {
            return Err(format!("entry {} of the {name} has no parent before it", index + 1));
        }
        if big.next().as_ref() != Some(&entry) {
            return Err(format!("the type L and type M {name}s differ from entry {}", index + 1));
        }
    }
    match big.next() {
        Some(_) => Err(format!("the type L and type M {name}s have different lengths")),
        None => Ok(()),
    }
}

/// The entries of a path table, §10.4, read a piece at a time: its length is what the volume says.
struct PathTable<'a> {
    image: &'a dyn ReadAt,
    /// What is read next, and the end of the table.
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    /// In the buffer, the next entry.
    at: usize,
    little: bool,
}

impl PathTable<'_> {
    /// Bytes that are read at once.
    const PIECE: u64 = 64 << 10;
    /// The longest entry.
    const LONGEST: usize = 8 + 256;

    /// Makes sure that the next entry is in the buffer as a whole.
    fn fill(&mut self) -> Option<()> {
        if self.buffer.len() - self.at < Self::LONGEST && self.next < self.end {
            let length = Self::PIECE.min(self.end - self.next);
            self.buffer.drain(..self.at);
            self.at = 0;
            self.buffer.extend(self.image.read_vec_at(self.next, length).ok()?);
            self.next += length;
        }
        Some(())
    }
}

#[derive(PartialEq, Eq)]
struct PathTableEntry {
    block: u32,
    parent: u16,
    identifier: Vec<u8>,
}

impl Iterator for PathTable<'_> {
    type Item = PathTableEntry;

    fn next(&mut self) -> Option<PathTableEntry> {
        self.fill()?;
        let entry = self.buffer.get(self.at..)?;
        let length = usize::from(*entry.first().filter(|&&length| length > 0)?);
        let (block, parent) = (*entry.get(2..)?.first_chunk()?, *entry.get(6..)?.first_chunk()?);
        let identifier = entry.get(8..8 + length)?.to_vec();
        self.at += 8 + length.next_multiple_of(2);
        let (block, parent) = match self.little {
            true => (u32::from_le_bytes(block), u16::from_le_bytes(parent)),
            false => (u32::from_be_bytes(block), u16::from_be_bytes(parent)),
        };
        Some(PathTableEntry {
            block,
            parent,
            identifier,
        })
    }
}
