//! UDF 1.02 beside ISO 9660 (a bridge), written: structures to bytes, one at a time. Whoever lays the image out knows the addresses.
//!
//! | bytes, in logical blocks of 2048 | what |
//! |---|---|
//! | directly behind the descriptors of ISO 9660 | the volume recognition sequence; a gap before it would end the search |
//! | 32, 48 | the volume descriptor sequence, and its reserve copy: the same but for the places in the tags |
//! | 64 | the integrity descriptor |
//! | 256, and the last but 256 | the anchors; readers know either, and 256 is right on a medium that is larger than the image too |
//! | 257 | the partition: the file set descriptor, then file entries, directories and the content of files |
//! | directly before the last anchor | the root directory |
//!
//! 7-Zip looks for the last anchor behind the last block that belongs to a file or directory, over at most 2 MiB of zeros, and calls the
//! volume damaged if it comes upon anything else. An EFI system partition may end there, or a README that UDF does not have: so the
//! root directory is the last that UDF knows.
//!
//! ECMA-167 allows more than UDF, and UDF more than every reader takes. What is here was read by Linux 6.1, 7-Zip, GRUB,
//! libudfread, pycdlib and udfinfo: one partition behind the first anchor, a file entry in a block of its own, short allocation
//! descriptors, directories in extents of their own, no symbolic links (7-Zip refuses the whole volume).
//!
//! Linux 6.1 shows a name that begins with two dots and has an extension of at most four characters, such as `..a`, in a form of its own
//! (`.#C4A9.a`), whoever wrote it. It adds 1 to the links of a directory, as POSIX counts them.

mod directory;
mod file_entry;
mod names;
mod volume;

#[cfg(test)]
mod tests;

pub use directory::{Directory, Name, name_length};
pub(super) use file_entry::EXTENT;
pub use file_entry::{Content, FileEntry, UnrecordableFile, file_entry};
pub use names::{assign, assign_beside};
pub use volume::{VolumeDescription, anchor, recognition};

use super::descriptor::{TAG, crc};
use crate::ground::block::{BLOCK, Block, NotABlock};
use crate::ground::time::Timestamp;

/// Where the volume descriptor sequence and its copy begin: ECMA-167 3/8.4.2.2, UDF 2.2.3.
pub const SEQUENCES: [u64; 2] = [32 * BLOCK, 48 * BLOCK];
/// Descriptors in a sequence that are not zero.
pub const SEQUENCE_LENGTH: u64 = 6 * BLOCK;
/// UDF 2.2.3: the room of a sequence.
const SEQUENCE_ROOM: u64 = 16 * BLOCK;
/// Where the integrity descriptor and its terminator are.
pub const INTEGRITY: u64 = 64 * BLOCK;
/// Of an integrity descriptor, or a file set descriptor, and the terminator behind it.
pub const PAIR_LENGTH: u64 = 2 * BLOCK;
/// ECMA-167 3/8.4.2.1: the first anchor.
pub const FIRST_ANCHOR: u64 = 256 * BLOCK;
/// The second anchor is so far from the end of the image: its block is N - 256, and N is the last block.
pub const LAST_ANCHOR: u64 = 257 * BLOCK;
/// Where the partition begins.
pub const PARTITION: u64 = 257 * BLOCK;
/// Of the recognition sequence.
pub const RECOGNITION_LENGTH: u64 = 3 * BLOCK;
/// Of a file entry.
pub const FILE_ENTRY_LENGTH: u64 = BLOCK;

/// UDF 2.1.5.3: the revision, 1.02.
const REVISION: u16 = 0x0102;

/// ECMA-167 1/7.3.2: years from 1 to 9999.
const EARLIEST: Timestamp = Timestamp::from_unix(-62_135_596_800);
const LATEST: Timestamp = Timestamp::from_unix(253_402_300_799);

/// Whether a date stays as it is.
pub fn is_recordable(time: Timestamp) -> bool {
    (EARLIEST..=LATEST).contains(&time)
}

/// The number of a block in the partition.
fn in_partition(offset: u64) -> Result<u32, NotABlock> {
    let relative = offset.checked_sub(PARTITION).ok_or(NotABlock(offset))?;
    Ok(Block::at(relative)?.number())
}

/// The fields of a descriptor, one behind the other, little-endian, and the tag before them.
struct Fields<'b> {
    bytes: &'b mut Vec<u8>,
    /// Where the tag is.
    start: usize,
}

impl<'b> Fields<'b> {
    /// A descriptor behind what is in `bytes`.
    fn behind(bytes: &'b mut Vec<u8>) -> Self {
        let start = bytes.len();
        bytes.resize(start + TAG, 0);
        Self { bytes, start }
    }

    /// Bytes of the descriptor, those of its tag included.
    fn length(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Fills in the tag, which holds a checksum of the fields and the block of the descriptor: of the volume (ECMA-167 3/7.2), or of the
    /// partition (4/7.2).
    fn tag(self, identifier: u16, location: u32) {
        let (tag, fields) = self.bytes[self.start..].split_at_mut(TAG);
        tag[..2].copy_from_slice(&identifier.to_le_bytes());
        // The version of NSR02.
        tag[2] = 2;
        tag[8..10].copy_from_slice(&crc(fields).to_le_bytes());
        tag[10..12].copy_from_slice(&(fields.len() as u16).to_le_bytes());
        tag[12..].copy_from_slice(&location.to_le_bytes());
        tag[4] = tag.iter().fold(0, |sum: u8, &byte| sum.wrapping_add(byte));
    }

    /// The same, and zeros up to the end of the block.
    fn tag_block(self, identifier: u16, location: u32) {
        let Self { bytes, start } = self;
        let fields = Fields {
            bytes: &mut *bytes,
            start,
        };
        fields.tag(identifier, location);
        bytes.resize(start + BLOCK as usize, 0);
    }

    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    /// ECMA-167 1/7.4 and UDF 2.1.5: who means what by the field.
    fn entity(&mut self, flags: u8, identifier: &str, suffix: &[u8]) {
        self.u8(flags);
        self.padded(identifier.as_bytes(), 23);
        self.padded(suffix, 8);
    }

    /// UDF 2.1.5.3: the structure is as UDF wants it.
    fn domain(&mut self) {
        let [low, high] = REVISION.to_le_bytes();
        // The volume and the file set are protected against writing: a bridge cannot be written by a UDF driver.
        self.entity(0, "*OSTA UDF Compliant", &[low, high, 3]);
    }

    /// Who wrote it.
    fn implementation(&mut self) {
        self.entity(0, "*isobuild", &[]);
    }

    /// UDF 2.1.2: the one character set of UDF.
    fn character_set(&mut self) {
        self.u8(0);
        self.padded(b"OSTA Compressed Unicode", 63);
    }

    /// ECMA-167 1/7.3, in UTC. A date that cannot be recorded is moved to the nearest that can; [`is_recordable`] tells.
    fn time(&mut self, time: Timestamp) {
        let civil = time.clamp(EARLIEST, LATEST).civil();
        // Type 1, which says that there is a time zone, and 0 minutes.
        self.u16(1 << 12);
        self.u16(civil.year as u16);
        self.bytes(&[civil.month, civil.day, civil.hour, civil.minute, civil.second, 0, 0, 0]);
    }

    /// ECMA-167 3/7.1: a length in bytes and a block of the volume.
    fn extent(&mut self, length: u64, offset: u64) -> Result<(), NotABlock> {
        self.u32(length as u32);
        self.u32(Block::at(offset)?.number());
        Ok(())
    }

    /// ECMA-167 4/14.14.2: a length in bytes, a block of the partition, and UDF 2.3.10.1: the unique id of what is there.
    fn long_allocation(&mut self, length: u64, offset: u64, unique_id: u32) -> Result<(), NotABlock> {
        self.u32(length as u32);
        self.u32(in_partition(offset)?);
        self.u16(0);
        self.u16(0);
        self.u32(unique_id);
        Ok(())
    }

    /// ECMA-167 1/7.2.12: as much of a text as the field holds, whose last byte says how much that is.
    fn text(&mut self, text: &str, length: usize) {
        let start = self.bytes.len();
        names::encode(names::fitting(text, length - 1), self.bytes);
        let used = self.bytes.len() - start;
        self.zeros(length - 1 - used);
        self.u8(used as u8);
    }

    fn padded(&mut self, bytes: &[u8], length: usize) {
        let taken = bytes.len().min(length);
        self.bytes(&bytes[..taken]);
        self.zeros(length - taken);
    }
}
