//! A stream of xz with a block for each of several parts ("The .xz File Format" 1.2.0).
//!
//! The encoder begins a new block only behind as many bytes as its dictionary has. So each part becomes a stream, and their blocks make a new one.

use std::io::{self, Write as _};

use lzma_rust2::{CheckType, XzOptions, XzWriter};

/// §2.1.1: magic bytes, flags, CRC-32.
const HEADER: usize = 12;
/// §2.1.2: CRC-32, backward size, flags, magic bytes.
const FOOTER: usize = 12;
/// §2.1.1.2: the sums are CRC-32. Linux knows no other.
const FLAGS: [u8; 2] = [0, 1];

/// The stream of a few parts.
///
/// # Errors
/// The encoder fails.
pub fn blocks(parts: &[&[u8]], preset: u32) -> io::Result<Vec<u8>> {
    let mut bytes = header();
    let mut index = Index::default();
    for part in parts {
        let block = Block::of(part, preset)?;
        index.add(&block);
        bytes.extend(block.bytes);
    }
    bytes.extend(index.end());
    Ok(bytes)
}

/// The size of the dictionary of a preset, in bytes.
pub fn dictionary(preset: u32) -> usize {
    XzOptions::with_preset(preset).lzma_options.dict_size as usize
}

/// §2.1.1: the header of a stream.
pub fn header() -> Vec<u8> {
    let sum = crc32fast::hash(&FLAGS).to_le_bytes();
    [&b"\xfd7zXZ\0"[..], &FLAGS, &sum].concat()
}

/// A block of a stream.
#[derive(Debug)]
pub struct Block {
    /// With its padding.
    pub bytes: Vec<u8>,
    /// §4.3: its record in the index.
    record: Vec<u8>,
}

impl Block {
    /// The block with these bytes in it.
    ///
    /// # Errors
    /// The encoder fails.
    pub fn of(part: &[u8], preset: u32) -> io::Result<Self> {
        let mut options = XzOptions::with_preset(preset);
        options.set_check_sum_type(CheckType::Crc32);
        let mut writer = XzWriter::new(Vec::new(), options)?;
        writer.write_all(part)?;
        let mut bytes = writer.finish()?;
        let footer = bytes.last_chunk::<FOOTER>();
        let index = footer.and_then(|footer| {
            let size = u32::from_le_bytes(*footer[4..].first_chunk()?);
            bytes.len().checked_sub(FOOTER + (size as usize + 1) * 4)
        });
        let Some(index) = index.filter(|&index| index > HEADER) else {
            return Err(io::Error::other("xz: the encoder made no index"));
        };
        // §4.3: two integers, the length of the block without its padding and that of the part. §1.2: the last byte of an integer is below 80h.
        let records = &bytes[index + 2..];
        let mut ends = (0..records.len()).filter(|&at| records[at] < 0x80);
        let record = records[..ends.nth(1).map_or(0, |last| last + 1)].to_vec();
        bytes.truncate(index);
        bytes.drain(..HEADER);
        Ok(Self { bytes, record })
    }
}

/// §4: the index behind the blocks of a stream.
#[derive(Debug, Default)]
pub struct Index {
    count: u64,
    records: Vec<u8>,
}

impl Index {
    /// The next block.
    pub fn add(&mut self, block: &Block) {
        self.count += 1;
        self.records.extend(&block.record);
    }

    /// The index and the footer (§2.1.2).
    pub fn end(self) -> Vec<u8> {
        // An indicator of zero, the number of records, the records, padding, CRC-32.
        let mut bytes = vec![0];
        bytes.extend(integer(self.count));
        bytes.extend(self.records);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        // §2.1.2.2: in units of four bytes, one less. The flags are those of the header, §2.1.2.3.
        let mut fields = (bytes.len() as u32 / 4 - 1).to_le_bytes().to_vec();
        fields.extend(FLAGS);
        bytes.extend(crc32fast::hash(&fields).to_le_bytes());
        bytes.extend(fields);
        bytes.extend(b"YZ");
        bytes
    }
}

/// §1.2: seven bits a byte, the lowest first; all but the last have the eighth bit set.
fn integer(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use lzma_rust2::XzReader;
    use std::io::Read as _;

    #[test]
    fn every_part_is_a_block() {
        let long = b"0123456789".repeat(40);
        let stream = blocks(&[&long, b"trailer"], 9).unwrap();
        let mut back = Vec::new();
        // The reader compares the index with the blocks, and every sum.
        XzReader::new(&stream[..], false).read_to_end(&mut back).unwrap();
        assert_eq!(back, [&long[..], b"trailer"].concat());
        // Two records, of which the first is about 400 bytes (190h: 90h 03h) and the second about 7.
        let backward = u32::from_le_bytes(stream[stream.len() - 8..][..4].try_into().unwrap());
        let index = &stream[stream.len() - 12 - (backward as usize + 1) * 4..];
        assert_eq!(index[..2], [0, 2]);
        assert_eq!((&index[3..5], index[6]), (&[0x90, 0x03][..], 7));
        // A stream may be empty (§2.1).
        assert_eq!(blocks(&[], 9).unwrap().len(), HEADER + 8 + FOOTER);
        let of_one = blocks(&[&long], 6).unwrap();
        let mut whole = XzWriter::new(Vec::new(), {
            let mut options = XzOptions::with_preset(6);
            options.set_check_sum_type(CheckType::Crc32);
            options
        })
        .unwrap();
        whole.write_all(&long).unwrap();
        assert_eq!(of_one, whole.finish().unwrap());
    }

    #[test]
    fn many_blocks_are_counted_in_two_bytes() {
        let parts: Vec<&[u8]> = vec![b"x"; 200];
        let stream = blocks(&parts, 0).unwrap();
        let mut back = Vec::new();
        XzReader::new(&stream[..], false).read_to_end(&mut back).unwrap();
        assert_eq!(back, vec![b'x'; 200]);
        // 200 is C8h: 48h and the bit of a byte that is not the last, then 1.
        assert_eq!(integer(200), [0xc8, 1]);
    }
}
