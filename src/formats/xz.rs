//! A stream of xz with a block for each of several parts ("The .xz File Format" 1.2.0).
//!
//! The encoder begins a new block only behind as many bytes as its dictionary has. So each part becomes a stream, and their blocks make a new one.

use std::io::{self, Write as _};

use lzma_rust2::{CheckType, XzOptions, XzWriter};

/// §2.1.1: magic bytes, flags, CRC-32.
const HEADER: usize = 12;
/// §2.1.2: CRC-32, backward size, flags, magic bytes.
const FOOTER: usize = 12;

/// The stream. Its sums are CRC-32: Linux knows no other.
///
/// # Errors
/// The encoder fails, or there are no parts or more than 127.
pub fn blocks(parts: &[&[u8]], preset: u32) -> io::Result<Vec<u8>> {
    let streams: Vec<Stream> = parts
        .iter()
        .map(|part| Stream::of(part, preset))
        .collect::<Result<_, _>>()?;
    // §4: an indicator of zero, the number of records, the records, padding, CRC-32.
    let mut index = vec![0, streams.len() as u8];
    index.extend(streams.iter().flat_map(Stream::record));
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend(crc32fast::hash(&index).to_le_bytes());
    // §1.2: a count of more than 127 would take two bytes.
    let Some(first) = streams.first().filter(|_| streams.len() < 0x80) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut bytes = first.bytes[..HEADER].to_vec();
    bytes.extend(streams.iter().flat_map(Stream::block));
    // §2.1.2.2: in units of four bytes, one less. The flags are those of the header, §2.1.2.3.
    let mut fields = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    fields.extend(&first.bytes[6..8]);
    bytes.extend(index);
    bytes.extend(crc32fast::hash(&fields).to_le_bytes());
    bytes.extend(fields);
    bytes.extend(b"YZ");
    Ok(bytes)
}

/// A stream of one block.
struct Stream {
    bytes: Vec<u8>,
    /// Where its index begins.
    index: usize,
}

impl Stream {
    fn of(part: &[u8], preset: u32) -> io::Result<Self> {
        let mut options = XzOptions::with_preset(preset);
        options.set_check_sum_type(CheckType::Crc32);
        let mut writer = XzWriter::new(Vec::new(), options)?;
        writer.write_all(part)?;
        let bytes = writer.finish()?;
        let footer = bytes.last_chunk::<FOOTER>();
        let index = footer.and_then(|footer| {
            let size = u32::from_le_bytes(*footer[4..].first_chunk()?);
            bytes.len().checked_sub(FOOTER + (size as usize + 1) * 4)
        });
        match index.filter(|&index| index > HEADER) {
            Some(index) => Ok(Self { bytes, index }),
            None => Err(io::Error::other("xz: the encoder made no index")),
        }
    }

    fn block(&self) -> &[u8] {
        &self.bytes[HEADER..self.index]
    }

    /// §4.3: two integers, the length of the block without its padding and that of the part. §1.2: the last byte of an integer is below 80h.
    fn record(&self) -> &[u8] {
        let record = &self.bytes[self.index + 2..];
        let mut ends = (0..record.len()).filter(|&at| record[at] < 0x80);
        &record[..ends.nth(1).map_or(0, |last| last + 1)]
    }
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
        assert!(blocks(&[], 9).is_err());
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
}
