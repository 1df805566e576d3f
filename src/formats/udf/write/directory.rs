//! A directory: a file identifier descriptor for each name.

use super::super::descriptor::FILE_IDENTIFIER;
use super::super::directory::{FIXED, PARENT};
use super::{Fields, in_partition, names};
use crate::ground::block::{BLOCK, NotABlock};

/// ECMA-167 4/14.4.3: what is named is a directory.
const DIRECTORY: u8 = 0x02;

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Name<'n> {
    /// As [`assign`](super::assign) has made it.
    pub name: &'n str,
    /// Whether it names a directory.
    pub is_directory: bool,
    /// The byte that its file entry begins at.
    pub entry: u64,
    /// Of its file entry.
    pub unique_id: u32,
}

/// Bytes that a name takes in a directory: ECMA-167 4/14.4. The parent, which every directory begins with, has the empty name.
pub fn name_length(name: &str) -> u64 {
    (FIXED + names::encoded_length(name)).next_multiple_of(4) as u64
}

/// The content of a directory in the making.
#[derive(Debug)]
pub struct Directory {
    /// Its block in the partition.
    first: u32,
    bytes: Vec<u8>,
}

impl Directory {
    /// The directory that begins at byte `offset` of the image, with room for `length` bytes. Its parent comes first (ECMA-167 4/8.6).
    ///
    /// # Errors
    /// It does not begin with a block of the partition.
    pub fn new(offset: u64, length: u64) -> Result<Self, NotABlock> {
        Ok(Self {
            first: in_partition(offset)?,
            bytes: Vec::with_capacity(length as usize),
        })
    }

    /// Adds what the file entry of its parent is. It has no name.
    ///
    /// # Errors
    /// The file entry does not begin with a block of the partition.
    pub fn parent(&mut self, entry: u64, unique_id: u32) -> Result<(), NotABlock> {
        self.add("", DIRECTORY | PARENT, entry, unique_id)
    }

    /// Adds a name.
    ///
    /// # Errors
    /// Its file entry does not begin with a block of the partition.
    pub fn name(&mut self, name: Name<'_>) -> Result<(), NotABlock> {
        let characteristics = if name.is_directory { DIRECTORY } else { 0 };
        self.add(name.name, characteristics, name.entry, name.unique_id)
    }

    /// All of its bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// ECMA-167 4/14.4: the checksum covers the zeros that make a descriptor a multiple of four, which 7-Zip insists on.
    fn add(&mut self, name: &str, characteristics: u8, entry: u64, unique_id: u32) -> Result<(), NotABlock> {
        let location = self.first + (self.bytes.len() as u64 / BLOCK) as u32;
        let mut fields = Fields::behind(&mut self.bytes);
        // 4/14.4.2: the version of the file, always 1.
        fields.u16(1);
        fields.u8(characteristics);
        fields.u8(names::encoded_length(name) as u8);
        fields.long_allocation(BLOCK, entry, unique_id)?;
        // No implementation use.
        fields.u16(0);
        names::encode(name, fields.bytes);
        fields.zeros(fields.length().next_multiple_of(4) - fields.length());
        fields.tag(FILE_IDENTIFIER, location);
        Ok(())
    }
}
