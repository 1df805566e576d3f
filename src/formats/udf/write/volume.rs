//! The descriptors of the volume and of its file set.

use super::super::descriptor::{
    ANCHOR, FILE_SET, IMPLEMENTATION_USE, INTEGRITY as INTEGRITY_TAG, LOGICAL_VOLUME, PARTITION as PARTITION_TAG,
    PRIMARY, TERMINATING, UNALLOCATED,
};
use super::names::fitting;
use super::{Fields, INTEGRITY, PAIR_LENGTH, PARTITION, REVISION, SEQUENCE_ROOM, SEQUENCES, in_partition};
use crate::ground::block::{BLOCK, Block, NotABlock};
use crate::ground::time::Timestamp;

/// Bytes of most descriptors.
const WHOLE: usize = 512;
/// Bytes of the fields for a label that are shorter than the others.
const SHORT_TEXT: usize = 32;

/// What the descriptors of a volume say.
#[derive(Clone, Debug)]
pub struct VolumeDescription {
    /// What readers show as its name.
    pub label: String,
    /// UDF 2.2.2.5: makes the volume set unique. Linux has the volume's UUID from it.
    pub unique: [u8; 8],
    /// When it was made.
    pub time: Timestamp,
    /// The first byte behind the partition.
    pub end: u64,
    /// The byte that the file entry of the root begins at.
    pub root: u64,
    /// File entries that are no directories.
    pub files: u32,
    /// File entries of directories.
    pub directories: u32,
    /// What the next file would get.
    pub next_unique_id: u64,
}

/// ECMA-167 2/9.1.2, 3/9.1 and 2/9.1.3: the descriptors that say that there is UDF, in three blocks.
pub fn recognition() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(super::RECOGNITION_LENGTH as usize);
    for identifier in [b"BEA01", b"NSR02", b"TEA01"] {
        let start = bytes.len();
        bytes.push(0);
        bytes.extend(identifier);
        bytes.push(1);
        bytes.resize(start + BLOCK as usize, 0);
    }
    bytes
}

/// ECMA-167 3/10.2: the anchor that begins at this byte.
///
/// # Errors
/// It does not begin with a block.
pub fn anchor(offset: u64) -> Result<Vec<u8>, NotABlock> {
    let mut bytes = Vec::new();
    let mut fields = Fields::behind(&mut bytes);
    for sequence in SEQUENCES {
        fields.extent(SEQUENCE_ROOM, sequence)?;
    }
    fields.fill();
    fields.tag_block(ANCHOR, Block::at(offset)?.number());
    Ok(bytes)
}

/// ECMA-167 3/10.9 and 4/14.2: the end of a sequence.
fn terminator(location: u32, bytes: &mut Vec<u8>) {
    let mut fields = Fields::behind(bytes);
    fields.fill();
    fields.tag_block(TERMINATING, location);
}

/// ECMA-167 3/8.4.3: a descriptor of the sequence; of two of a kind the one with the higher number would count.
fn numbered(bytes: &mut Vec<u8>, number: u32) -> Fields<'_> {
    let mut fields = Fields::behind(bytes);
    fields.u32(number);
    fields
}

impl Fields<'_> {
    /// The rest of a descriptor, which nothing is recorded in.
    fn fill(&mut self) {
        self.zeros(WHOLE - self.length());
    }
}

impl VolumeDescription {
    /// ECMA-167 3/8.4.2: the sequence that begins at this byte, without the zeros behind it.
    ///
    /// # Errors
    /// It does not begin with a block, or the partition does not end with one.
    pub fn sequence(&self, offset: u64) -> Result<Vec<u8>, NotABlock> {
        let first = Block::at(offset)?.number();
        let mut bytes = Vec::with_capacity(super::SEQUENCE_LENGTH as usize);
        let mut fields = numbered(&mut bytes, 0);
        self.primary(&mut fields);
        fields.tag_block(PRIMARY, first);
        let mut fields = numbered(&mut bytes, 1);
        self.implementation_use(&mut fields);
        fields.tag_block(IMPLEMENTATION_USE, first + 1);
        let mut fields = numbered(&mut bytes, 2);
        self.partition(&mut fields)?;
        fields.tag_block(PARTITION_TAG, first + 2);
        let mut fields = numbered(&mut bytes, 3);
        self.logical_volume(&mut fields)?;
        fields.tag_block(LOGICAL_VOLUME, first + 3);
        let mut fields = numbered(&mut bytes, 4);
        // No descriptor of free space.
        fields.u32(0);
        fields.tag_block(UNALLOCATED, first + 4);
        terminator(first + 5, &mut bytes);
        Ok(bytes)
    }

    /// ECMA-167 3/10.1, behind the number.
    fn primary(&self, fields: &mut Fields<'_>) {
        fields.u32(0);
        fields.text(&self.label, SHORT_TEXT);
        // One volume, of a set of one.
        fields.u16(1);
        fields.u16(1);
        // UDF 2.2.2.2: levels of interchange for a set of one volume.
        fields.u16(2);
        fields.u16(2);
        // UDF 2.2.2.4: character set 0 alone.
        fields.u32(1);
        fields.u32(1);
        let unique: String = self.unique.iter().map(|byte| format!("{byte:02X}")).collect();
        fields.text(&format!("{unique}{}", self.label), 128);
        fields.character_set();
        fields.character_set();
        // Neither an abstract nor a copyright notice.
        fields.zeros(16);
        fields.implementation();
        fields.time(self.time);
        fields.implementation();
        fields.fill();
    }

    /// UDF 2.2.7, behind the number.
    fn implementation_use(&self, fields: &mut Fields<'_>) {
        fields.entity(0, "*UDF LV Info", &REVISION.to_le_bytes());
        fields.character_set();
        fields.text(&self.label, 128);
        // Who owns it, in three texts.
        fields.zeros(3 * 36);
        fields.implementation();
        fields.fill();
    }

    /// ECMA-167 3/10.5, behind the number.
    fn partition(&self, fields: &mut Fields<'_>) -> Result<(), NotABlock> {
        // Its space is allocated, and it has the number 0.
        fields.u16(1);
        fields.u16(0);
        // ECMA-167 1/7.4.1: bit 1 says that it is the standard's own identifier.
        fields.entity(2, "+NSR02", &[]);
        fields.zeros(128);
        // 3/10.5.7: it is read only.
        fields.u32(1);
        fields.u32(Block::at(PARTITION)?.number());
        fields.u32(in_partition(self.end)?);
        fields.implementation();
        fields.fill();
        Ok(())
    }

    /// ECMA-167 3/10.6, behind the number.
    fn logical_volume(&self, fields: &mut Fields<'_>) -> Result<(), NotABlock> {
        fields.character_set();
        fields.text(&self.label, 128);
        fields.u32(BLOCK as u32);
        fields.domain();
        // UDF 2.2.4.4: where the file set descriptor is.
        fields.long_allocation(PAIR_LENGTH, PARTITION, 0)?;
        // One partition map of six bytes.
        fields.u32(6);
        fields.u32(1);
        fields.implementation();
        fields.zeros(128);
        fields.extent(PAIR_LENGTH, INTEGRITY)?;
        // 3/10.7.2: of type 1, for partition 0 of volume 1.
        fields.bytes(&[1, 6, 1, 0, 0, 0]);
        Ok(())
    }

    /// ECMA-167 3/10.10 and its terminator.
    ///
    /// # Errors
    /// The partition does not end with a block.
    pub fn integrity(&self) -> Result<Vec<u8>, NotABlock> {
        let mut bytes = Vec::with_capacity(PAIR_LENGTH as usize);
        let mut fields = Fields::behind(&mut bytes);
        fields.time(self.time);
        // It is closed: everything is as the descriptors say.
        fields.u32(1);
        fields.zeros(8);
        fields.u64(self.next_unique_id);
        fields.zeros(24);
        // One partition, 46 bytes of implementation use.
        fields.u32(1);
        fields.u32(46);
        // Free blocks, and all blocks.
        fields.u32(0);
        fields.u32(in_partition(self.end)?);
        // UDF 2.2.6.4: what must be known for reading and for writing, and what was known at most.
        fields.implementation();
        fields.u32(self.files);
        fields.u32(self.directories);
        for _ in 0..3 {
            fields.u16(REVISION);
        }
        let location = Block::at(INTEGRITY)?.number();
        fields.tag_block(INTEGRITY_TAG, location);
        terminator(location + 1, &mut bytes);
        Ok(bytes)
    }

    /// ECMA-167 4/14.1 and its terminator, at the begin of the partition.
    ///
    /// # Errors
    /// The file entry of the root does not begin with a block of the partition.
    pub fn file_set(&self) -> Result<Vec<u8>, NotABlock> {
        let mut bytes = Vec::with_capacity(PAIR_LENGTH as usize);
        let mut fields = Fields::behind(&mut bytes);
        fields.time(self.time);
        // UDF 2.3.2.1 and 2.3.2.2: levels of interchange.
        fields.u16(3);
        fields.u16(3);
        // Character set 0 alone.
        fields.u32(1);
        fields.u32(1);
        // The first file set, and its first descriptor.
        fields.zeros(8);
        fields.character_set();
        fields.text(&self.label, 128);
        fields.character_set();
        fields.text(&self.label, SHORT_TEXT);
        // Neither a copyright nor an abstract file.
        fields.zeros(64);
        fields.long_allocation(BLOCK, self.root, 0)?;
        fields.domain();
        fields.fill();
        fields.tag_block(FILE_SET, 0);
        terminator(1, &mut bytes);
        Ok(bytes)
    }

    /// The label as far as the two short fields of it hold it: 30 characters, or 15 if one is not of Latin-1.
    pub fn short_label(label: &str) -> &str {
        fitting(label, SHORT_TEXT - 1)
    }
}
