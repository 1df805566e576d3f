//! `ext4`, "The Contents of inode.i_block": the extent tree, and direct and indirect blocks.

use std::io;

use super::inode::BLOCK_LENGTH;
use super::superblock::Superblock;
use crate::ground::fields::{le_u16, le_u32};
use crate::ground::read_at::ReadAt;

/// `eh_magic`.
const MAGIC: u16 = 0xF30A;
/// Headers and entries of an extent tree, in bytes.
const ENTRY: usize = 12;
/// Linux takes no deeper tree.
const DEPTH: u16 = 5;
/// An extent of more blocks is of as many blocks less, which are there and have not been written: they are read as zeros.
const WRITTEN: u16 = 32768;
/// Addresses in `i_block`: of blocks, and of a block of addresses, of such blocks, and so on.
const DIRECT: usize = 12;
const INDIRECT: usize = 3;

/// The blocks of a file, as `i_block` has them.
#[derive(Debug)]
pub(super) enum Blocks {
    /// The root of an extent tree.
    Extents([u8; BLOCK_LENGTH as usize]),
    /// Addresses of single blocks.
    Mapped([u8; BLOCK_LENGTH as usize]),
}

/// Where the content of a file is.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Byte offset in the volume, or `None` for zeros that are not stored, and length. Together they are as long as the content, unless there
    /// is a fault.
    pub(super) extents: Vec<(Option<u64>, u64)>,
    /// Why not all of it is there.
    pub(super) fault: Option<String>,
}

/// Finds the blocks of a content of this length.
pub(super) fn placed(
    volume: &dyn ReadAt,
    superblock: &Superblock,
    blocks: &Blocks,
    length: u64,
    may_read: &mut dyn FnMut(u64) -> bool,
) -> io::Result<Placed> {
    let mut map = Map {
        volume,
        superblock,
        may_read,
        length,
        placed: Placed::default(),
        done: 0,
    };
    match blocks {
        Blocks::Extents(root) => map.extents(root, None)?,
        Blocks::Mapped(addresses) => map.mapped(addresses)?,
    }
    if map.placed.fault.is_none() {
        map.hole(length);
    }
    Ok(map.placed)
}

struct Map<'a> {
    volume: &'a dyn ReadAt,
    superblock: &'a Superblock,
    may_read: &'a mut dyn FnMut(u64) -> bool,
    /// Of the content.
    length: u64,
    placed: Placed,
    /// How much of the content has its place.
    done: u64,
}

impl Map<'_> {
    /// Adds zeros to a place in the content.
    fn hole(&mut self, to: u64) {
        let length = to.min(self.length).saturating_sub(self.done);
        if length > 0 {
            self.push(None, length);
        }
    }

    /// Adds bytes that follow what is there.
    fn push(&mut self, offset: Option<u64>, length: u64) {
        match (self.placed.extents.last_mut(), offset) {
            (Some((Some(before), known)), Some(offset)) if *before + *known == offset => *known += length,
            (Some((None, known)), None) => *known += length,
            _ => self.placed.extents.push((offset, length)),
        }
        self.done += length;
    }

    /// Adds `count` blocks from the block `logical` of the content on; `start` is a block of the volume.
    fn run(&mut self, logical: u64, start: Option<u64>, count: u64) {
        let block = self.superblock.block;
        // Blocks behind the end are reserved, and no part of the content.
        let at = logical.saturating_mul(block);
        if at >= self.length {
            return;
        }
        if at < self.done {
            self.placed.fault = Some("its extents overlap".into());
            return;
        }
        self.hole(at);
        let length = count.saturating_mul(block).min(self.length - at);
        let offset = start.map(|start| start.saturating_mul(block));
        if offset.is_some_and(|offset| offset == 0 || offset.saturating_add(length) > self.volume.size()) {
            self.placed.fault = Some("a part of it is behind the end of the volume".into());
            return;
        }
        self.push(offset, length);
    }

    /// A block of the tree or of addresses.
    fn block(&mut self, number: u64) -> io::Result<Option<Vec<u8>>> {
        let block = self.superblock.block;
        let offset = number.checked_mul(block).filter(|&offset| offset > 0);
        let offset = offset.filter(|offset| offset.saturating_add(block) <= self.volume.size());
        let Some(offset) = offset else {
            self.placed.fault = Some(format!("block {number}, which says where it is, is not in the volume"));
            return Ok(None);
        };
        if !(self.may_read)(block) {
            self.placed.fault = Some("not all of its blocks are looked up".into());
            return Ok(None);
        }
        self.volume.read_vec_at(offset, block).map(Some)
    }

    /// Adds a node of an extent tree, whose depth is that of its parent less one.
    fn extents(&mut self, node: &[u8], above: Option<u16>) -> io::Result<()> {
        let (entries, depth) = (le_u16(node, 2), le_u16(node, 6));
        let is_expected = match above {
            Some(above) => depth + 1 == above,
            None => depth <= DEPTH,
        };
        if le_u16(node, 0) != MAGIC || !is_expected || (usize::from(entries) + 1) * ENTRY > node.len() {
            self.placed.fault = Some("its tree of extents is damaged".into());
            return Ok(());
        }
        for entry in node[ENTRY..].chunks_exact(ENTRY).take(entries.into()) {
            let logical = u64::from(le_u32(entry, 0));
            if depth == 0 {
                let start = u64::from(le_u16(entry, 6)) << 32 | u64::from(le_u32(entry, 8));
                match le_u16(entry, 4) {
                    count @ 0..=WRITTEN => self.run(logical, Some(start), count.into()),
                    more => self.run(logical, None, u64::from(more - WRITTEN)),
                }
            } else {
                let child = u64::from(le_u16(entry, 8)) << 32 | u64::from(le_u32(entry, 4));
                if let Some(node) = self.block(child)? {
                    self.extents(&node, Some(depth))?;
                }
            }
            if self.placed.fault.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Adds the addresses in `i_block`.
    fn mapped(&mut self, addresses: &[u8]) -> io::Result<()> {
        let in_block = self.superblock.block / 4;
        let mut logical = 0;
        for at in 0..DIRECT + INDIRECT {
            let depth = (at + 1).saturating_sub(DIRECT) as u32;
            let covers = in_block.saturating_pow(depth);
            self.address(le_u32(addresses, at * 4), logical, depth)?;
            logical += covers;
            if self.placed.fault.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Adds what a single address leads to.
    fn address(&mut self, address: u32, logical: u64, depth: u32) -> io::Result<()> {
        // No address stands for zeros.
        if address == 0 || logical.saturating_mul(self.superblock.block) >= self.length {
            return Ok(());
        }
        if depth == 0 {
            self.run(logical, Some(address.into()), 1);
            return Ok(());
        }
        let Some(block) = self.block(address.into())? else {
            return Ok(());
        };
        let covers = (self.superblock.block / 4).saturating_pow(depth - 1);
        for (number, address) in (0..).zip(block.chunks_exact(4)) {
            self.address(le_u32(address, 0), logical + number * covers, depth - 1)?;
            if self.placed.fault.is_some() {
                break;
            }
        }
        Ok(())
    }
}
