//! `ext4`, "Index Nodes" and "Inline Data".

use std::io;

use super::blocks::{self, Blocks, Placed};
use super::superblock::Superblock;
use crate::ground::fields::{le_u16, le_u32};
use crate::ground::read_at::ReadAt;
use crate::ground::time::Timestamp;

/// Bits of `i_mode`.
pub(super) const FORMAT: u32 = 0o170_000;
pub(super) const FIFO: u32 = 0o010_000;
pub(super) const CHARACTER_DEVICE: u32 = 0o020_000;
pub(super) const DIRECTORY: u32 = 0o040_000;
pub(super) const BLOCK_DEVICE: u32 = 0o060_000;
pub(super) const REGULAR: u32 = 0o100_000;
pub(super) const SYMLINK: u32 = 0o120_000;
pub(super) const SOCKET: u32 = 0o140_000;

/// Bits of `i_flags`.
const ENCRYPTED: u32 = 0x800;
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;
/// `i_block`, in an inode.
const BLOCK: u64 = 0x28;
/// In bytes.
pub(super) const BLOCK_LENGTH: u64 = 60;
/// The fields that every inode has. Attributes follow those that `i_extra_isize` counts.
const FIXED: usize = 128;
/// `h_magic` of attributes in an inode.
const ATTRIBUTES: u32 = 0xEA02_0000;
/// The attribute that holds the rest of inline data: `system.data`.
const SYSTEM: u8 = 7;
const DATA: &[u8] = b"data";

/// What an inode says.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) mode: u32,
    pub(super) links: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) modified: Timestamp,
    /// In bytes.
    pub(super) length: u64,
    /// `i_block`: addresses, or what is so short that it is here.
    pub(super) block: [u8; BLOCK_LENGTH as usize],
    pub(super) is_encrypted: bool,
    /// The content, in the volume.
    pub(super) content: Content,
}

/// Where the content of an inode is.
#[derive(Debug)]
pub(super) enum Content {
    /// In blocks.
    Blocks(Blocks),
    /// In the inode: its bytes in `i_block` and behind.
    Inline(Vec<(Option<u64>, u64)>),
    /// A device and a short link have no content in the volume.
    None,
}

/// Reads an inode. The error of a hostile one is a sentence.
pub(super) fn read(volume: &dyn ReadAt, superblock: &Superblock, number: u32) -> Result<Inode, Fault> {
    let offset = superblock
        .inode_offset(number)
        .ok_or_else(|| Fault::Wrong(format!("inode {number} is not in any group")))?;
    let bytes = volume
        .read_vec_at(offset, superblock.inode_size)
        .map_err(|error| Fault::of(error, format!("inode {number} is behind the end")))?;
    let wide = |low: usize, high: usize| u32::from(le_u16(&bytes, low)) | u32::from(le_u16(&bytes, high)) << 16;
    let mode = u32::from(le_u16(&bytes, 0));
    let length = u64::from(le_u32(&bytes, 0x6C)) << 32 | u64::from(le_u32(&bytes, 0x4));
    let flags = le_u32(&bytes, 0x20);
    let has_extra = bytes.len() > FIXED && le_u16(&bytes, 0x80) >= 0x8C - 0x80;
    let epoch = if has_extra {
        i64::from(le_u32(&bytes, 0x88) & 3)
    } else {
        0
    };
    let seconds = i64::from(le_u32(&bytes, 0x10).cast_signed()) + (epoch << 32);
    let block = bytes.get(BLOCK as usize..).and_then(<[u8]>::first_chunk).copied();
    let block = block.unwrap_or([0; BLOCK_LENGTH as usize]);
    let format = mode & FORMAT;
    // A link that fits is in the inode, and Linux keeps no flag for that.
    let is_short = format == SYMLINK && length < BLOCK_LENGTH && flags & (EXTENTS | INLINE_DATA) == 0;
    let content = if !matches!(format, REGULAR | DIRECTORY | SYMLINK) || is_short {
        Content::None
    } else if flags & INLINE_DATA != 0 {
        Content::Inline(inline(&bytes, offset, length))
    } else if flags & EXTENTS != 0 {
        Content::Blocks(Blocks::Extents(block))
    } else {
        Content::Blocks(Blocks::Mapped(block))
    };
    Ok(Inode {
        mode,
        links: u32::from(le_u16(&bytes, 0x1A)),
        uid: wide(0x2, 0x78),
        gid: wide(0x18, 0x7A),
        modified: Timestamp::from_unix(seconds),
        length,
        block,
        is_encrypted: flags & ENCRYPTED != 0,
        content,
    })
}

/// Where inline data is: in `i_block`, and what does not fit there is the value of an attribute behind the fields.
fn inline(bytes: &[u8], offset: u64, length: u64) -> Vec<(Option<u64>, u64)> {
    let mut pieces = vec![(Some(offset + BLOCK), length.min(BLOCK_LENGTH))];
    let left = length.saturating_sub(BLOCK_LENGTH);
    if left > 0
        && let Some((at, size)) = data_attribute(bytes)
    {
        pieces.push((Some(offset + at as u64), left.min(size)));
    }
    pieces
}

/// The value of the attribute with the rest of inline data: where it begins in the inode, and its length.
fn data_attribute(bytes: &[u8]) -> Option<(usize, u64)> {
    let header = FIXED + usize::from(le_u16(bytes, 0x80));
    let first = header + 4;
    let mut entry = first;
    if le_u32(bytes, header) != ATTRIBUTES {
        return None;
    }
    // A name of no length and an index of 0 end the list.
    while let Some([name_length, index, ..]) = bytes.get(entry..entry + 16)
        && (*name_length, *index) != (0, 0)
    {
        let name = bytes.get(entry + 16..)?.get(..usize::from(*name_length))?;
        if (*index, name) == (SYSTEM, DATA) {
            let at = first + usize::from(le_u16(bytes, entry + 2));
            let length = le_u32(bytes, entry + 8);
            let is_inside = at as u64 + u64::from(length) <= bytes.len() as u64;
            return is_inside.then_some((at, length.into()));
        }
        entry += (16 + usize::from(*name_length)).next_multiple_of(4);
    }
    None
}

impl Inode {
    /// A device by its numbers: the old form has 8 bits for each, the new one 12 and 20.
    pub(super) fn device(&self) -> (u32, u32) {
        match le_u32(&self.block, 0) {
            0 => {
                let new = le_u32(&self.block, 4);
                (new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00)
            }
            old => (old >> 8 & 0xFF, old & 0xFF),
        }
    }

    /// Where the content is. `may_read` is asked before each block that says more of it.
    pub(super) fn placed(
        &self,
        volume: &dyn ReadAt,
        superblock: &Superblock,
        may_read: &mut dyn FnMut(u64) -> bool,
    ) -> io::Result<Placed> {
        match &self.content {
            Content::None => Ok(Placed::default()),
            Content::Inline(pieces) => {
                let there = pieces.iter().map(|&(_, length)| length).sum::<u64>();
                let why = "not all of it is in its inode".to_owned();
                Ok(Placed {
                    extents: pieces.clone(),
                    fault: (there != self.length).then_some(why),
                })
            }
            Content::Blocks(map) => blocks::placed(volume, superblock, map, self.length, may_read),
        }
    }
}

/// Why an inode is not read.
pub(super) enum Fault {
    /// The volume cannot be read.
    Read(io::Error),
    /// What is wrong, in words.
    Wrong(String),
}

impl Fault {
    /// Of a failed read. Behind the end of the volume it is `wrong`.
    fn of(error: io::Error, wrong: String) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Wrong(wrong),
            _ => Self::Read(error),
        }
    }
}
