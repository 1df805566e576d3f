//! zisofs: contents in blocks that are compressed one by one, as mkzftree and xorriso write them and Linux reads them.
//!
//! The ZF entry of the directory record says what the content is; the content says it again in its first bytes. Then come pointers,
//! one more than there are blocks, each the place of a block from the start of the content; two that are equal stand for zeros.

use std::io::{self, Read as _};

use flate2::read::ZlibDecoder;

use crate::ground::read_at::ReadAt;

/// The first bytes of a content of version 1.
const MAGIC_1: [u8; 8] = [0x37, 0xE4, 0x53, 0x96, 0xC9, 0xDB, 0xD6, 0x07];
/// The same for version 2, which has 64 bits for sizes and places.
const MAGIC_2: [u8; 8] = [0xEF, 0x22, 0x55, 0xA1, 0xBC, 0x1B, 0x95, 0xA0];
/// Powers of two that a block can be long, by version. Linux takes no others.
const BLOCKS: [std::ops::RangeInclusive<u8>; 2] = [15..=17, 15..=20];

/// What a ZF entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zisofs {
    /// 1 or 2.
    version: u8,
    /// In bytes, before the pointers.
    header: u64,
    /// A block is two to this power long.
    block_power: u8,
    /// Of the content when it is decompressed, in bytes.
    pub length: u64,
}

impl Zisofs {
    /// The payload of a ZF entry; none for an algorithm that is not known.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let &[a, b, quarter, block_power, ref length @ ..] = payload else {
            return None;
        };
        let length = length.first_chunk::<8>()?;
        let (version, length) = match &[a, b] {
            // In both byte orders.
            b"pz" => (1, u64::from(u32::from_le_bytes(*length.first_chunk()?))),
            b"PZ" => (2, u64::from_le_bytes(*length)),
            _ => return None,
        };
        Some(Self {
            version,
            header: u64::from(quarter) * 4,
            block_power,
            length,
        })
    }

    /// Decompresses `stored`, block by block. What cannot be right is `InvalidData`, in words; an error of `write` is given back.
    pub fn copy(&self, stored: &dyn ReadAt, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.verify(stored)?;
        let block = 1u64 << self.block_power;
        let mut content = Vec::new();
        let mut left = self.length;
        let mut number = 0;
        while left > 0 {
            let (start, end) = self.pointers(stored, number)?;
            let length = block.min(left);
            content.clear();
            if start < end {
                let compressed = stored.read_vec_at(start, end - start)?;
                // One byte more shows a block that is longer than it may be.
                ZlibDecoder::new(compressed.as_slice())
                    .take(length + 1)
                    .read_to_end(&mut content)
                    .map_err(|error| damaged(format!("block {number} of its zisofs content: {error}")))?;
                if content.len() as u64 != length {
                    return Err(damaged(format!(
                        "block {number} of its zisofs content does not have {length} bytes"
                    )));
                }
            } else {
                content.resize(length as usize, 0);
            }
            write(&content)?;
            left -= length;
            number += 1;
        }
        Ok(())
    }

    /// The header of the content repeats what the entry says.
    fn verify(&self, stored: &dyn ReadAt) -> io::Result<()> {
        if !BLOCKS[usize::from(self.version) - 1].contains(&self.block_power) {
            return Err(damaged(format!(
                "its ZF entry asks for zisofs blocks of 2^{} bytes",
                self.block_power
            )));
        }
        let header = stored
            .read_vec_at(0, 24.min(stored.size()))
            .ok()
            .filter(|header| header.len() >= 16)
            .ok_or_else(|| damaged("its zisofs header is cut short".into()))?;
        let (magic, rest) = header.split_at(8);
        let said = match (self.version, rest) {
            (1, &[a, b, c, d, quarter, power, ..]) if magic == MAGIC_1 => {
                Some((u64::from(u32::from_le_bytes([a, b, c, d])), quarter, power))
            }
            // A version, which is 0, and the algorithm: 1 is zlib.
            (2, &[0, quarter, 1, power, ref length @ ..]) if magic == MAGIC_2 => length
                .first_chunk()
                .map(|&length| (u64::from_le_bytes(length), quarter, power)),
            _ => None,
        };
        match said {
            Some((length, quarter, power))
                if (length, u64::from(quarter) * 4, power) == (self.length, self.header, self.block_power) =>
            {
                Ok(())
            }
            _ => Err(damaged("its zisofs header is not what its ZF entry says".into())),
        }
    }

    /// Where a block begins and ends in the stored content.
    fn pointers(&self, stored: &dyn ReadAt, number: u64) -> io::Result<(u64, u64)> {
        let width = if self.version == 1 { 4 } else { 8 };
        let table = || damaged("its zisofs pointers are cut short".into());
        let at = number.checked_mul(width).and_then(|at| at.checked_add(self.header));
        let bytes = at
            .and_then(|at| stored.read_vec_at(at, 2 * width).ok())
            .ok_or_else(table)?;
        let number_at = |bytes: &[u8]| {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(whole)
        };
        let (start, end) = bytes.split_at(width as usize);
        let (start, end) = (number_at(start), number_at(end));
        // zlib makes hardly more of what it cannot compress.
        let longest = (1u64 << self.block_power) * 2;
        if start > end || end > stored.size() || end - start > longest {
            return Err(damaged(format!("block {number} of its zisofs content is nowhere")));
        }
        Ok((start, end))
    }
}

fn damaged(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write as _;

    /// A content of version 1 with its ZF payload: a block of sevens, one of zeros, and a short one.
    fn example() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let compressed = |bytes: &[u8]| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let content = [vec![7; 1 << 15], vec![0; 1 << 15], b"end".to_vec()].concat();
        let (first, last) = (compressed(&content[..1 << 15]), compressed(b"end"));
        let mut stored = MAGIC_1.to_vec();
        stored.extend((content.len() as u32).to_le_bytes());
        stored.extend([4, 15, 0, 0]);
        let mut at = 16 + 4 * 4;
        for length in [0, first.len() as u32, 0, last.len() as u32] {
            at += length;
            stored.extend(at.to_le_bytes());
        }
        stored.extend(first);
        stored.extend(last);
        let mut payload = b"pz\x04\x0f".to_vec();
        payload.extend((content.len() as u32).to_le_bytes());
        payload.extend((content.len() as u32).to_be_bytes());
        (content, stored, payload)
    }

    fn decompressed(payload: &[u8], stored: &[u8]) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        let zisofs = Zisofs::parse(payload).ok_or("no ZF")?;
        let mut write = |bytes: &[u8]| content.write_all(bytes);
        zisofs
            .copy(&stored.to_vec(), &mut write)
            .map_err(|error| error.to_string())?;
        Ok(content)
    }

    #[test]
    fn blocks_and_zeros_come_back() {
        let (content, stored, payload) = example();
        assert_eq!(decompressed(&payload, &stored).unwrap(), content);
    }

    #[test]
    fn what_lies_is_an_error_and_takes_no_memory() {
        let (_, stored, payload) = example();
        let with = |bytes: &[u8], at: usize, value: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes[at..at + value.len()].copy_from_slice(value);
            bytes
        };
        for (payload, stored, why) in [
            (with(&payload, 3, &[31]), stored.clone(), "2^31"),
            (with(&payload, 3, &[255]), stored.clone(), "2^255"),
            (
                with(&payload, 4, &[0xff; 4]),
                stored.clone(),
                "not what its ZF entry says",
            ),
            (payload.clone(), with(&stored, 0, &[0]), "not what its ZF entry says"),
            (payload.clone(), stored[..20].to_vec(), "pointers are cut short"),
            (payload.clone(), stored[..12].to_vec(), "header is cut short"),
            (payload.clone(), with(&stored, 16, &[0xff; 4]), "nowhere"),
            (payload.clone(), with(&stored, 20, &[0xff; 4]), "nowhere"),
            (payload.clone(), with(&stored, 33, &[0xff; 4]), "block 0"),
            (
                with(&payload, 4, &[payload[4] + 1]),
                with(&stored, 8, &[stored[8] + 1]),
                "block 2 of its zisofs content does not have 4 bytes",
            ),
        ] {
            let error = decompressed(&payload, &stored).map(drop).unwrap_err();
            assert!(error.contains(why), "{error}, not {why}");
        }
        assert_eq!(Zisofs::parse(b"xx\x04\x0f12345678"), None);
        assert_eq!(Zisofs::parse(b"pz\x04\x0f1234567"), None);
    }
}
