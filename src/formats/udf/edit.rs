//! A volume that somebody else made, changed descriptor by descriptor: what does not have to change stays as it stands, in the words of its
//! writer. This works where blocks are as long as those of ISO 9660, and where the partition has them ([`Volume::partition`]).

use std::collections::BTreeSet;
use std::io;

use super::descriptor::{ANCHOR, EXTENDED_FILE_ENTRY, FILE_ENTRY, INTEGRITY, PARTITION, TAG, Tag, crc};
use super::directory::{self, DELETED, FIXED, PARENT};
use super::file_entry::descriptors;
use super::text::compressed_unicode;
use super::write::{self, EXTENT, FileEntry, Name};
use super::{UdfError, Volume, What, u16_at, u32_at, u64_at};
use crate::ground::block::{BLOCK, Block, NotABlock};
use crate::ground::fields::put;
use crate::ground::read_at::ReadAt;

/// Where fields are: ECMA-167 4/14.9, and 4/14.17 where that differs.
const FLAGS: usize = 34;
const LINKS: usize = 48;
const LENGTH: usize = 56;
const BLOCKS: usize = 64;
const UNIQUE_ID: usize = 160;
const EXTENDED_BLOCKS: usize = 72;
const EXTENDED_UNIQUE_ID: usize = 200;
/// ECMA-167 4/14.6.8: the form of allocation descriptors, and that a directory is sorted.
const FORM: u16 = 7;
const SORTED: u16 = 8;

/// Gives a descriptor its place, and renews its checksums.
fn retag(bytes: &mut [u8], location: u32) {
    let covered = u16_at(bytes, 10).map_or(0, usize::from);
    let sum = bytes.get(TAG..TAG + covered).map(crc);
    let Some(tag) = bytes.first_chunk_mut::<TAG>() else {
        return;
    };
    if let Some(sum) = sum {
        tag[8..10].copy_from_slice(&sum.to_le_bytes());
    }
    tag[12..].copy_from_slice(&location.to_le_bytes());
    tag[4] = 0;
    tag[4] = tag.iter().fold(0, |sum: u8, &byte| sum.wrapping_add(byte));
}

/// The number of a block in the partition that begins at byte `partition`.
fn block(offset: u64, partition: u64) -> Result<u32, NotABlock> {
    let relative = offset.checked_sub(partition).ok_or(NotABlock(offset))?;
    Ok(Block::at(relative)?.number())
}

/// The byte that has the same place in the partition of [`mod@write`], which always begins at the same byte.
fn as_written(offset: u64, partition: u64) -> Result<u64, NotABlock> {
    let relative = offset.checked_sub(partition).ok_or(NotABlock(offset))?;
    Ok(write::PARTITION + relative)
}

/// A file entry with all of its bytes, one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry(Vec<u8>);

impl RawEntry {
    /// The one that begins at a byte of the image.
    ///
    /// # Errors
    /// The block cannot be read, or what it holds is not a file entry.
    pub fn read(image: &dyn ReadAt, offset: u64) -> Result<Self, UdfError> {
        let bytes = image.read_vec_at(offset, BLOCK)?;
        let tag = Tag::parse(&bytes).map(|tag| tag.identifier);
        match tag {
            Some(FILE_ENTRY | EXTENDED_FILE_ENTRY) => Ok(Self(bytes)),
            _ => Err(UdfError::Damaged(format!("there is no file entry at {offset}"))),
        }
    }

    /// A new one, for the byte `offset` of the image.
    ///
    /// # Errors
    /// It or the content does not begin with a block of the partition, which begins at byte `partition`.
    pub fn new(entry: &FileEntry, offset: u64, partition: u64) -> Result<Self, NotABlock> {
        let start = entry.start.map(|start| as_written(start, partition)).transpose()?;
        let mut bytes = Vec::new();
        write::file_entry(
            &FileEntry { start, ..*entry },
            as_written(offset, partition)?,
            &mut bytes,
        )?;
        Ok(Self(bytes))
    }

    fn is_extended(&self) -> bool {
        u16_at(&self.0, 0) == Some(EXTENDED_FILE_ENTRY)
    }

    /// Sets the content: `length` bytes from byte `start` of the image on. A content inside of the entry goes.
    ///
    /// # Errors
    /// There are more extents than the entry has room for, or the content does not begin with a block of the partition.
    pub fn set_content(&mut self, start: u64, length: u64, partition: u64) -> Result<(), UdfError> {
        let is_extended = self.is_extended();
        let fault = |why: &str| UdfError::Damaged(why.into());
        let (list, _) = descriptors(&self.0, is_extended).ok_or_else(|| fault("a file entry is cut short"))?;
        let count = length.div_ceil(EXTENT) as usize;
        if list + 8 * count > self.0.len() {
            return Err(fault("a file entry has no room for the extents of so long a file"));
        }
        let mut first = match length {
            0 => 0,
            _ => block(start, partition).map_err(|error| fault(&error.to_string()))?,
        };
        let flags = u16_at(&self.0, FLAGS).unwrap_or(0) & !(FORM | SORTED);
        put(&mut self.0, FLAGS, &flags.to_le_bytes());
        put(&mut self.0, LENGTH, &length.to_le_bytes());
        let blocks = length.div_ceil(BLOCK).to_le_bytes();
        match is_extended {
            true => {
                // 4/14.17.11: the size of the object is that of all its streams. This one has its content alone.
                put(&mut self.0, BLOCKS, &length.to_le_bytes());
                put(&mut self.0, EXTENDED_BLOCKS, &blocks);
            }
            false => put(&mut self.0, BLOCKS, &blocks),
        }
        // 4/14.9.22 and 4/14.17.25: bytes of the descriptors.
        let lengths = if is_extended { 212 } else { 172 };
        put(&mut self.0, lengths, &(8 * count as u32).to_le_bytes());
        self.0[list..].fill(0);
        let mut left = length;
        for number in 0..count {
            let here = left.min(EXTENT);
            put(&mut self.0, list + 8 * number, &(here as u32).to_le_bytes());
            put(&mut self.0, list + 8 * number + 4, &first.to_le_bytes());
            first += here.div_ceil(BLOCK) as u32;
            left -= here;
        }
        put(&mut self.0, 10, &((list + 8 * count - TAG) as u16).to_le_bytes());
        Ok(())
    }

    /// More links to it, or fewer.
    pub fn add_links(&mut self, more: i32) {
        let links = u16_at(&self.0, LINKS).unwrap_or(0);
        let links = i32::from(links).saturating_add(more).clamp(0, u16::MAX.into()) as u16;
        put(&mut self.0, LINKS, &links.to_le_bytes());
    }

    /// UDF 2.3.4.3: the lower half of its unique id.
    pub fn unique_id(&self) -> u32 {
        u32_at(&self.0, self.unique_id_place()).unwrap_or(0)
    }

    fn unique_id_place(&self) -> usize {
        match self.is_extended() {
            true => EXTENDED_UNIQUE_ID,
            false => UNIQUE_ID,
        }
    }

    /// Makes it the entry of a file that has one name.
    pub fn become_another(&mut self, unique_id: u32) {
        put(&mut self.0, LINKS, &1u16.to_le_bytes());
        let at = self.unique_id_place();
        put(&mut self.0, at, &u64::from(unique_id).to_le_bytes());
    }

    /// All of its bytes, for the byte `offset` of the image.
    ///
    /// # Errors
    /// That is not the begin of a block of the partition.
    pub fn encode(&self, offset: u64, partition: u64) -> Result<Vec<u8>, NotABlock> {
        let mut bytes = self.0.clone();
        retag(&mut bytes, block(offset, partition)?);
        Ok(bytes)
    }
}

/// A file identifier descriptor with all of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawName(Vec<u8>);

impl RawName {
    /// A new one.
    ///
    /// # Errors
    /// The file entry does not begin with a block of the partition, which begins at byte `partition`.
    pub fn new(name: Name<'_>, partition: u64) -> Result<Self, NotABlock> {
        let entry = as_written(name.entry, partition)?;
        let mut directory = write::Directory::new(write::PARTITION, 0)?;
        directory.name(Name { entry, ..name })?;
        Ok(Self(directory.finish()))
    }

    /// The first of a directory, which leads to the file entry of its parent.
    ///
    /// # Errors
    /// The file entry does not begin with a block of the partition.
    pub fn parent(entry: u64, unique_id: u32, partition: u64) -> Result<Self, NotABlock> {
        let mut directory = write::Directory::new(write::PARTITION, 0)?;
        directory.parent(as_written(entry, partition)?, unique_id)?;
        Ok(Self(directory.finish()))
    }

    /// The name, if it is one: neither deleted nor the parent.
    pub fn name(&self) -> Option<String> {
        if self.0.get(18)? & (DELETED | PARENT) != 0 {
            return None;
        }
        let start = FIXED + usize::from(u16_at(&self.0, 36)?);
        let identifier = self.0.get(start..start + usize::from(*self.0.get(19)?))?;
        Some(compressed_unicode(identifier))
    }

    /// The byte that its file entry begins at.
    pub fn entry(&self, partition: u64) -> Option<u64> {
        Some(partition + u64::from(u32_at(&self.0, 24)?) * BLOCK)
    }

    /// Names another file entry.
    ///
    /// # Errors
    /// It does not begin with a block of the partition.
    pub fn set_entry(&mut self, entry: u64, unique_id: u32, partition: u64) -> Result<(), NotABlock> {
        put(&mut self.0, 24, &block(entry, partition)?.to_le_bytes());
        put(&mut self.0, 32, &unique_id.to_le_bytes());
        Ok(())
    }
}

/// The descriptors in the content of a directory, deleted ones too.
///
/// # Errors
/// There is something else between them.
pub fn names(content: &[u8]) -> Result<Vec<RawName>, UdfError> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < content.len() {
        let rest = &content[at..];
        let whole = directory::length(rest).and_then(|length| rest.get(..length));
        let is_name = |bytes: &&[u8]| directory::tag_of(bytes).is_some();
        let Some(whole) = whole.filter(is_name) else {
            return Err(UdfError::Damaged(format!(
                "there is no file identifier descriptor at byte {at} of a directory"
            )));
        };
        names.push(RawName(whole.to_vec()));
        at += whole.len();
    }
    Ok(names)
}

/// The content of a directory, for the byte `offset` of the image.
///
/// # Errors
/// That is not the begin of a block of the partition.
pub fn directory(names: &[RawName], offset: u64, partition: u64) -> Result<Vec<u8>, NotABlock> {
    let first = block(offset, partition)?;
    let mut content = Vec::new();
    for RawName(bytes) in names {
        let start = content.len();
        content.extend(bytes);
        retag(&mut content[start..], first + (start as u64 / BLOCK) as u32);
    }
    Ok(content)
}

/// Bytes of the directory of these names.
pub fn directory_length(names: &[RawName]) -> u64 {
    names.iter().map(|RawName(bytes)| bytes.len() as u64).sum()
}

/// What the descriptors of a volume say of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The byte behind the partition.
    pub end: u64,
    /// Files more than before.
    pub files: i32,
    /// Directories more than before.
    pub directories: i32,
    /// UDF 2.2.6.1: what the next file would get.
    pub next_unique_id: u64,
}

/// The descriptors that say so: for each its byte in the image, what it is, and all of its bytes.
///
/// # Errors
/// One cannot be read, or the partition does not end with a block.
pub fn descriptors_with(
    image: &dyn ReadAt,
    volume: &Volume,
    totals: &Totals,
) -> Result<Vec<(u64, What, Vec<u8>)>, UdfError> {
    let mut found = Vec::new();
    let Some(partition) = volume.partition else {
        return Ok(found);
    };
    let blocks = block(totals.end, partition.offset).map_err(|error| UdfError::Damaged(error.to_string()))?;
    for structure in &volume.structures {
        let sectors = (0..structure.length / BLOCK).map(|number| structure.offset + number * BLOCK);
        let wanted = match structure.what {
            What::VolumeDescriptors => PARTITION,
            What::Integrity => INTEGRITY,
            _ => continue,
        };
        for offset in sectors {
            let mut bytes = image.read_vec_at(offset, BLOCK)?;
            let Some(tag) = Tag::parse(&bytes).filter(|tag| tag.identifier == wanted) else {
                continue;
            };
            match wanted {
                // 3/10.5.9
                PARTITION => put(&mut bytes, 192, &blocks.to_le_bytes()),
                _ => integrity(&mut bytes, blocks, totals),
            }
            retag(&mut bytes, tag.location);
            found.push((offset, structure.what.clone(), bytes));
        }
    }
    Ok(found)
}

/// ECMA-167 3/10.10 and UDF 2.2.6.
fn integrity(bytes: &mut [u8], blocks: u32, totals: &Totals) {
    put(bytes, 40, &totals.next_unique_id.to_le_bytes());
    let partitions = u32_at(bytes, 72).unwrap_or(0) as usize;
    // Of a volume with one partition, as all that are changed here.
    if partitions != 1 {
        return;
    }
    put(bytes, 84, &blocks.to_le_bytes());
    for (at, more) in [(120, totals.files), (124, totals.directories)] {
        let count = u32_at(bytes, at).unwrap_or(0).saturating_add_signed(more);
        put(bytes, at, &count.to_le_bytes());
    }
}

/// What the next file would get: UDF 2.2.6.1; 16 if the volume does not say.
///
/// # Errors
/// The integrity descriptor cannot be read.
pub fn next_unique_id(image: &dyn ReadAt, volume: &Volume) -> io::Result<u64> {
    let integrity = volume
        .structures
        .iter()
        .find(|structure| structure.what == What::Integrity);
    let Some(integrity) = integrity else {
        return Ok(16);
    };
    let bytes = image.read_vec_at(integrity.offset, BLOCK)?;
    Ok(u64_at(&bytes, 40).unwrap_or(0).max(16))
}

/// Whether the partition has a table or map of its free blocks (ECMA-167 4/14.3), in which new bytes would have to be recorded.
///
/// # Errors
/// A descriptor cannot be read.
pub fn has_space_map(image: &dyn ReadAt, volume: &Volume) -> io::Result<bool> {
    for structure in &volume.structures {
        if structure.what != What::VolumeDescriptors {
            continue;
        }
        for number in 0..structure.length / BLOCK {
            let bytes = image.read_vec_at(structure.offset + number * BLOCK, BLOCK)?;
            let is_partition = Tag::parse(&bytes).is_some_and(|tag| tag.identifier == PARTITION);
            let has = |at: usize| u32_at(&bytes, at).is_some_and(|length| length & 0x3fff_ffff > 0);
            if is_partition && [56, 64, 80, 88].into_iter().any(has) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// These anchors and those that stand directly before one of them, behind byte `end`: genisoimage fills its padding with anchors.
///
/// # Errors
/// One cannot be read.
pub fn anchors_before(image: &dyn ReadAt, anchors: &[u64], end: u64) -> io::Result<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    for &anchor in anchors {
        let mut at = Some(anchor);
        while let Some(offset) = at.filter(|&offset| offset >= end && !found.contains(&offset)) {
            let bytes = image.read_vec_at(offset, TAG as u64)?;
            let is_anchor = bytes.starts_with(&ANCHOR.to_le_bytes());
            if !is_anchor || u32_at(&bytes, 12).map(u64::from) != Some(offset / BLOCK) {
                break;
            }
            found.insert(offset);
            at = offset.checked_sub(BLOCK);
        }
    }
    Ok(found)
}

/// An anchor as it is at another byte.
///
/// # Errors
/// That is not the begin of a block.
pub fn moved_anchor(mut bytes: Vec<u8>, offset: u64) -> Result<Vec<u8>, NotABlock> {
    retag(&mut bytes, Block::at(offset)?.number());
    Ok(bytes)
}
