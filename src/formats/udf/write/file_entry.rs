//! A file entry: what a file is, and where its bytes are.

use super::super::descriptor::FILE_ENTRY;
use super::super::file_entry::DIRECTORY;
use super::{Fields, in_partition};
use crate::ground::block::{BLOCK, NotABlock};
use crate::ground::time::Timestamp;

/// ECMA-167 4/14.6.6: a file with bytes that nothing else is known of.
const REGULAR: u8 = 5;
/// Bytes before the allocation descriptors, ECMA-167 4/14.9.
const FIXED: u64 = 176;
/// ECMA-167 4/14.14.1.1: the longest extent of whole blocks.
pub(in crate::formats::udf) const EXTENT: u64 = (1 << 30) - BLOCK;
/// Short allocation descriptors that a block holds.
const EXTENTS: u64 = (BLOCK - FIXED) / 8;
/// Bytes of the longest file.
const LONGEST: u64 = EXTENTS * EXTENT;

/// What a file is, and where.
#[derive(Clone, Copy, Debug)]
pub struct FileEntry {
    /// What is in it.
    pub content: Content,
    /// In bytes.
    pub length: u64,
    /// Where the content begins; nothing is stored of an empty one.
    pub start: Option<u64>,
    /// The twelve permission bits of POSIX.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names that lead to it; of a directory, its own and the parent entries of those in it.
    pub links: u16,
    /// Of the last change of the content.
    pub modified: Timestamp,
    /// UDF 3.2.1.1: unlike any other of the volume.
    pub unique_id: u64,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Names.
    Directory,
    /// Bytes.
    File,
}

/// What no file entry of one block can record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnrecordableFile {
    /// More names than the field counts.
    #[error("it has {0} links, and a file entry of UDF counts to 65535 (ECMA-167 4/14.9.6)")]
    Links(u32),
    /// More bytes than the allocation descriptors describe.
    #[error("it has {0} bytes, and a file entry of UDF in one block describes {LONGEST} at most (ECMA-167 4/14.14.1)")]
    Length(u64),
}

impl UnrecordableFile {
    /// Refuses what cannot be recorded. The result is the number of links as a file entry has it.
    ///
    /// # Errors
    /// What is too much.
    pub fn refuse(links: u32, length: u64) -> Result<u16, Self> {
        if length > LONGEST {
            return Err(Self::Length(length));
        }
        u16::try_from(links).map_err(|_| Self::Links(links))
    }
}

/// ECMA-167 4/14.9: the file entry that begins at byte `offset` of the image, one block, behind what is in `bytes`.
///
/// # Errors
/// It, or the content, does not begin with a block of the partition.
pub fn file_entry(entry: &FileEntry, offset: u64, bytes: &mut Vec<u8>) -> Result<(), NotABlock> {
    let location = in_partition(offset)?;
    let mut fields = Fields::behind(bytes);
    // 4/14.6, the ICB tag: the one entry (strategy 4) of a file.
    fields.u32(0);
    fields.u16(4);
    fields.u16(0);
    fields.u16(1);
    fields.u8(0);
    fields.u8(match entry.content {
        Content::Directory => DIRECTORY,
        Content::File => REGULAR,
    });
    // 4/14.6.7: no parent is recorded.
    fields.zeros(6);
    // 4/14.6.8: short allocation descriptors; the file is not moved and was not cut, and it is contiguous.
    let special = [(0o4000, 0x40), (0o2000, 0x80), (0o1000, 0x100)];
    let special = special.iter().filter(|(bit, _)| entry.mode & bit != 0);
    fields.u16(special.fold(0x10 | 0x20 | 0x200, |flags, (_, flag)| flags | flag));
    fields.u32(entry.uid);
    fields.u32(entry.gid);
    // 4/14.9.5: five bits each for others, the group and the owner, of which the lowest are x, w and r.
    let three = |shift: u32| entry.mode >> shift & 7;
    fields.u32(three(6) << 10 | three(3) << 5 | three(0));
    fields.u16(entry.links);
    // 4/14.9.7 to 14.9.9: no records.
    fields.zeros(6);
    fields.u64(entry.length);
    fields.u64(entry.length.div_ceil(BLOCK));
    // Of the last access, the last change, and the last change of these fields.
    for _ in 0..3 {
        fields.time(entry.modified);
    }
    // 4/14.9.15: the checkpoint.
    fields.u32(1);
    // No extended attributes.
    fields.zeros(16);
    fields.implementation();
    fields.u64(entry.unique_id);
    fields.u32(0);
    let mut start = match entry.start.filter(|_| entry.length > 0) {
        Some(start) => in_partition(start)?,
        None => 0,
    };
    let mut left = entry.length;
    fields.u32((8 * left.div_ceil(EXTENT)) as u32);
    while left > 0 {
        let length = left.min(EXTENT);
        fields.u32(length as u32);
        fields.u32(start);
        start += length.div_ceil(BLOCK) as u32;
        left -= length;
    }
    fields.tag_block(FILE_ENTRY, location);
    Ok(())
}
