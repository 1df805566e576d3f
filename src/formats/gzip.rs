//! A gzip file of parts (RFC 1952). Several threads can compress them, each part by itself.
//!
//! The parts make one member, because some readers stop behind the first. A part ends with an empty stored block (RFC 1951 §3.2.4), so that the
//! next part begins at a whole byte.

use std::io;

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress};

/// §2.3: the magic number, the method, no flags, no time, no extra flags, and an unknown system.
pub const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A part as it stands in the file.
#[derive(Debug)]
pub struct Part {
    /// Compressed: RFC 1951.
    pub bytes: Vec<u8>,
    /// CRC-32 of the bytes before compression.
    sum: u32,
    length: u64,
}

impl Part {
    /// The part with these bytes in it, at a level from 1 to 9.
    ///
    /// # Errors
    /// The encoder fails.
    pub fn of(bytes: &[u8], level: u32) -> io::Result<Self> {
        let mut encoder = Compress::new(Compression::new(level), false);
        let mut out = Vec::with_capacity(bytes.len() / 2 + 64);
        loop {
            let rest = &bytes[encoder.total_in() as usize..];
            encoder
                .compress_vec(rest, &mut out, FlushCompress::Sync)
                .map_err(io::Error::other)?;
            // If room is left over, the encoder has flushed everything.
            if encoder.total_in() == bytes.len() as u64 && out.len() < out.capacity() {
                break;
            }
            out.reserve(out.len() / 2 + 64);
        }
        Ok(Self {
            bytes: out,
            sum: crc32fast::hash(bytes),
            length: bytes.len() as u64,
        })
    }
}

/// The end of a member: its last block, and the sum and the length of its parts.
#[derive(Debug, Default)]
pub struct Trailer {
    sum: Hasher,
    length: u64,
}

impl Trailer {
    /// The next part.
    pub fn add(&mut self, part: &Part) {
        self.sum.combine(&Hasher::new_with_initial_len(part.sum, part.length));
        self.length += part.length;
    }

    /// The last block, which is empty (RFC 1951 §3.2.6: the final bit, type 1, the end of the block), CRC-32 and ISIZE.
    pub fn end(self) -> Vec<u8> {
        let mut bytes = vec![3, 0];
        bytes.extend(self.sum.finalize().to_le_bytes());
        // §2.3.1: modulo 2^32.
        bytes.extend((self.length as u32).to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn file(parts: &[&[u8]], level: u32) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        let mut trailer = Trailer::default();
        for part in parts {
            let part = Part::of(part, level).unwrap();
            trailer.add(&part);
            bytes.extend(part.bytes);
        }
        bytes.extend(trailer.end());
        bytes
    }

    #[test]
    fn parts_are_one_member() {
        let noise: Vec<u8> = (0..300_000u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let parts: [&[u8]; 4] = [b"first", &noise, &[], &[0; 100_000]];
        for level in [1, 6, 9] {
            let bytes = file(&parts, level);
            let mut back = Vec::new();
            flate2::bufread::GzDecoder::new(&bytes[..])
                .read_to_end(&mut back)
                .unwrap();
            assert!(back == parts.concat());
        }
        assert_eq!(file(&[], 6)[10..], [3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
