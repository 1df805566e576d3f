//! `ext4`, "Super Block" and "Block Group Descriptors".

use super::{Ext4Error, Version};
use crate::ground::fields::{le_u16, le_u32};
use crate::ground::read_at::ReadAt;

/// The super block begins here, whatever the size of a block.
const OFFSET: u64 = 1024;
/// In bytes.
const LENGTH: u64 = 1024;
/// `s_magic`.
const MAGIC: u16 = 0xEF53;
/// The descriptors of a volume without the feature 64bit.
const SHORT_DESCRIPTOR: u64 = 32;
/// The inodes of revision 0.
const SHORT_INODE: u64 = 128;

/// Bits of `s_feature_compat`.
const HAS_JOURNAL: u32 = 0x4;
/// Bits of `s_feature_incompat`.
const RECOVER: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const META_BLOCK_GROUPS: u32 = 0x10;
const EXTENTS: u32 = 0x40;
const WIDE: u32 = 0x80;
/// What changes nothing here: compression, a type in directory entries, a journal to replay, multiple mount protection, flexible groups,
/// large attributes, data in directory entries, a seed for checksums, large directories, inline data, encryption, case folding. What is
/// different in a single file shows in its inode.
const READ: u32 = 0x1
    | 0x2
    | RECOVER
    | META_BLOCK_GROUPS
    | EXTENTS
    | WIDE
    | 0x100
    | 0x200
    | 0x400
    | 0x1000
    | 0x2000
    | 0x4000
    | 0x8000
    | 0x10000
    | 0x20000;
/// Bits that only ext4 has: in `s_feature_incompat` all but the first five, and in `s_feature_ro_compat` all but the first three.
const EXT4_INCOMPATIBLE: u32 = !0x1F;
const EXT4_READ_ONLY: u32 = !0x7;

/// What the super block says.
#[derive(Debug)]
pub(super) struct Superblock {
    pub(super) version: Version,
    pub(super) label: String,
    pub(super) uuid: [u8; 16],
    /// Bytes of a block.
    pub(super) block: u64,
    /// How many blocks there are.
    pub(super) blocks: u64,
    /// How many inodes there are. They are counted from 1.
    pub(super) inodes: u32,
    /// `s_inode_size`.
    pub(super) inode_size: u64,
    inodes_per_group: u32,
    /// The first block of each group's inode table.
    tables: Vec<u64>,
    /// The journal holds writes that are not replayed here.
    pub(super) needs_recovery: bool,
}

fn unreadable<T>(why: impl Into<String>) -> Result<T, Ext4Error> {
    Err(Ext4Error::Unreadable(why.into()))
}

/// Reads the super block and the descriptors of all groups.
pub(super) fn read(volume: &dyn ReadAt) -> Result<Superblock, Ext4Error> {
    if volume.size() < OFFSET + LENGTH {
        return unreadable("it is too short for a super block");
    }
    let bytes = volume.read_vec_at(OFFSET, LENGTH)?;
    let field = |at| le_u32(&bytes, at);
    if le_u16(&bytes, 0x38) != MAGIC {
        return unreadable("the magic number of the super block is wrong");
    }
    let (compatible, incompatible, read_only) = (field(0x5C), field(0x60), field(0x64));
    if incompatible & JOURNAL_DEVICE != 0 {
        return unreadable("it is the journal of a file system that is elsewhere");
    }
    match incompatible & !READ {
        0 => {}
        unknown => {
            return unreadable(format!(
                "it has incompatible features that are not known here: {unknown:#x}"
            ));
        }
    }
    let log = field(0x18);
    // Linux takes blocks of 1 KiB to 64 KiB.
    if log > 6 {
        return unreadable(format!("blocks of 2^{log} KiB are too large"));
    }
    let block = 1024u64 << log;
    let wide = incompatible & WIDE != 0;
    let high = if wide { u64::from(field(0x150)) << 32 } else { 0 };
    let blocks = high | u64::from(field(0x4));
    let (first, per_group) = (u64::from(field(0x14)), u64::from(field(0x20)));
    let inodes_per_group = field(0x28);
    let inode_size = match field(0x4C) {
        0 => SHORT_INODE,
        _ => u64::from(le_u16(&bytes, 0x58)),
    };
    if per_group == 0 || inodes_per_group == 0 || first >= blocks {
        return unreadable("the super block counts no blocks or inodes in a group");
    }
    if !(SHORT_INODE..=block).contains(&inode_size) || !inode_size.is_power_of_two() {
        return unreadable(format!("inodes of {inode_size} bytes are impossible"));
    }
    let descriptor = match wide {
        true => u64::from(le_u16(&bytes, 0xFE)).max(SHORT_DESCRIPTOR),
        false => SHORT_DESCRIPTOR,
    };
    if !descriptor.is_power_of_two() || descriptor > block {
        return unreadable(format!("group descriptors of {descriptor} bytes are impossible"));
    }
    let layout = Groups {
        count: (blocks - first).div_ceil(per_group),
        first,
        per_group,
        block,
        descriptor,
        meta: (incompatible & META_BLOCK_GROUPS != 0).then(|| u64::from(field(0x104))),
    };
    let tables = layout.tables(volume)?;
    let is_ext4 = incompatible & EXT4_INCOMPATIBLE != 0 || read_only & EXT4_READ_ONLY != 0;
    let name = bytes.get(0x78..0x88).unwrap_or_default();
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(Superblock {
        version: match (is_ext4, compatible & HAS_JOURNAL != 0) {
            (true, _) => Version::Ext4,
            (false, true) => Version::Ext3,
            (false, false) => Version::Ext2,
        },
        label: String::from_utf8_lossy(name).into_owned(),
        uuid: bytes
            .get(0x68..)
            .and_then(<[u8]>::first_chunk)
            .copied()
            .unwrap_or_default(),
        block,
        blocks,
        inodes: field(0),
        inode_size,
        inodes_per_group,
        tables,
        needs_recovery: incompatible & RECOVER != 0,
    })
}

/// Where the descriptors of the groups are.
struct Groups {
    count: u64,
    /// `s_first_data_block`.
    first: u64,
    per_group: u64,
    block: u64,
    /// Bytes of a descriptor.
    descriptor: u64,
    /// `s_first_meta_bg`: from this block of descriptors on, each is in the first of the groups that it describes.
    meta: Option<u64>,
}

impl Groups {
    fn tables(&self, volume: &dyn ReadAt) -> Result<Vec<u64>, Ext4Error> {
        let in_block = self.block / self.descriptor;
        // The descriptors are in the volume, so that it cannot have more groups than this.
        if self.count > volume.size() / self.descriptor {
            return unreadable(format!("it is too short for its {} groups of blocks", self.count));
        }
        let mut tables = Vec::new();
        for number in 0..self.count.div_ceil(in_block) {
            let at = match self.meta {
                Some(meta) if number >= meta => {
                    let group = number * in_block;
                    // The descriptors follow a copy of the super block. A group without a copy begins with them.
                    let start = self.first + group * self.per_group;
                    start + u64::from(group == 0 || has_superblock(volume, start.saturating_mul(self.block)))
                }
                _ => self.first + 1 + number,
            };
            let bytes = match at.checked_mul(self.block) {
                Some(offset) => volume.read_vec_at(offset, self.block),
                None => Err(std::io::ErrorKind::UnexpectedEof.into()),
            };
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return unreadable(format!(
                        "the descriptors of its groups are in block {at}, behind its end"
                    ));
                }
                Err(error) => return Err(error.into()),
            };
            let left = (self.count - number * in_block).min(in_block) as usize;
            tables.extend(bytes.chunks_exact(self.descriptor as usize).take(left).map(|bytes| {
                let high = match self.descriptor {
                    SHORT_DESCRIPTOR => 0,
                    _ => le_u32(bytes, 0x28),
                };
                u64::from(high) << 32 | u64::from(le_u32(bytes, 0x8))
            }));
        }
        Ok(tables)
    }
}

/// Whether a copy of the super block begins here.
fn has_superblock(volume: &dyn ReadAt, offset: u64) -> bool {
    let magic = volume.read_vec_at(offset.saturating_add(0x38), 2);
    magic.is_ok_and(|magic| magic == MAGIC.to_le_bytes())
}

impl Superblock {
    /// The bytes of an inode: where they begin. `None` if there is no such inode.
    pub(super) fn inode_offset(&self, number: u32) -> Option<u64> {
        let index = number.checked_sub(1).filter(|_| number <= self.inodes)?;
        let table = *self.tables.get((index / self.inodes_per_group) as usize)?;
        let within = u64::from(index % self.inodes_per_group) * self.inode_size;
        table.checked_mul(self.block)?.checked_add(within)
    }

    /// All of its blocks, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.blocks.saturating_mul(self.block)
    }
}
