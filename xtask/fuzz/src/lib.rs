//! An image as the fuzzer holds it: its bytes that are not zero, so that an input of a few kilobytes is an image of megabytes, and
//! most changes hit a structure.
//!
//! An input is the image's length in units of [`UNIT`], little endian in three bytes, and then stretches: the unit where one begins (three
//! bytes), how many units it has (one byte, 0 is 256), and their bytes. Any bytes are an image: what lies behind its end is not there, and
//! a later stretch covers an earlier one.

use std::cell::Cell;
use std::io;

use isobuild::inside::ground::read_at::ReadAt;

/// What stretches are counted in.
const UNIT: usize = 32;
/// The longest image, in bytes.
const LONGEST: usize = 6 << 20;
/// How often all of an image may be read over, by one look at it.
const LOOKS: u64 = 64;

/// An image whose bytes are zero but for some.
#[derive(Debug)]
pub struct Sparse<'a> {
    size: usize,
    /// Where each stretch begins, and its bytes.
    stretches: Vec<(usize, &'a [u8])>,
    read: Cell<u64>,
}

impl<'a> Sparse<'a> {
    /// The image that the input stands for.
    pub fn new(input: &'a [u8]) -> Self {
        let (size, mut rest) = number(input);
        let size = (size * UNIT).min(LONGEST);
        let mut stretches = Vec::new();
        while let Some((&units, bytes)) = rest.get(3..).and_then(<[u8]>::split_first) {
            let (start, length) = (number(rest).0 * UNIT, (usize::from(units.wrapping_sub(1)) + 1) * UNIT);
            let (stretch, behind) = bytes.split_at(length.min(bytes.len()));
            rest = behind;
            if start < size {
                stretches.push((start, &stretch[..stretch.len().min(size - start)]));
            }
        }
        let read = Cell::new(0);
        Self { size, stretches, read }
    }

    /// All of its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size];
        for &(start, stretch) in &self.stretches {
            bytes[start..start + stretch.len()].copy_from_slice(stretch);
        }
        bytes
    }
}

/// The input with the checksums of UDF's descriptors made right (ECMA-167 3/7.2): no fuzzer hits them, and readers stop at wrong ones.
pub fn with_right_tags(input: &[u8]) -> Vec<u8> {
    let mut input = input.to_vec();
    let mut at = 3;
    while let Some(&[a, b, c, units]) = input.get(at..).and_then(<[u8]>::first_chunk) {
        let (start, length) = (
            number(&[a, b, c]).0 * UNIT,
            (usize::from(units.wrapping_sub(1)) + 1) * UNIT,
        );
        let end = (at + 4 + length).min(input.len());
        let stretch = &mut input[at + 4..end];
        for tag in (0..stretch.len()).filter(|tag| (start + tag).is_multiple_of(512)) {
            make_right(&mut stretch[tag..]);
        }
        at = end;
    }
    input
}

/// ECMA-167 3/7.2: the identifier, the checksum in byte 4, the CRC in bytes 8 and 9, how far it goes in the two behind.
fn make_right(descriptor: &mut [u8]) {
    let Some((tag, body)) = descriptor.split_first_chunk_mut::<16>() else {
        return;
    };
    if !matches!(u16::from_le_bytes([tag[0], tag[1]]), 1..=9 | 256..=266) {
        return;
    }
    let length = usize::from(u16::from_le_bytes([tag[10], tag[11]]));
    let bytes = body.iter().copied().chain(std::iter::repeat(0)).take(length);
    let crc = bytes.fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    });
    tag[8..10].copy_from_slice(&crc.to_le_bytes());
    tag[4] = 0;
    tag[4] = tag.iter().fold(0, |sum, byte| sum.wrapping_add(*byte));
}

/// The bytes with the sums of tar's headers made right (POSIX ustar: the header's bytes, its sum as blanks).
pub fn with_right_sums(mut bytes: Vec<u8>) -> Vec<u8> {
    const SUM: std::ops::Range<usize> = 148..156;
    let headers = bytes.chunks_exact_mut(512);
    for header in headers.filter(|header| header[257..].starts_with(b"ustar")) {
        header[SUM].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

/// The bytes with the checksums of VHD and VHDX made right: readers stop at wrong ones.
pub fn with_right_disks(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len().saturating_sub(512);
    for (at, length, cookie, sum) in [
        (0, 512, &b"conectix"[..], 64),
        (end, 512, b"conectix", 64),
        (512, 1024, b"cxsparse", 36),
    ] {
        let Some(structure) = bytes.get_mut(at..at + length).filter(|there| there.starts_with(cookie)) else {
            continue;
        };
        structure[sum..sum + 4].fill(0);
        let added = structure.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte.into()));
        structure[sum..sum + 4].copy_from_slice(&(!added).to_be_bytes());
    }
    if bytes.starts_with(b"vhdxfile") {
        for (at, length) in [(64, 4), (128, 4), (192, 64), (256, 64)] {
            if let Some(structure) = bytes.get_mut(at << 10..(at + length) << 10) {
                structure[4..8].fill(0);
                let sum = crc_32c(structure).to_le_bytes();
                structure[4..8].copy_from_slice(&sum);
            }
        }
    }
    bytes
}

/// RFC 3720 §B.4.
fn crc_32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            sum >> 1 ^ if sum & 1 == 0 { 0 } else { 0x82f6_3b78 }
        })
    })
}

/// Three bytes, little endian, and what is behind them.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    match bytes.split_first_chunk::<3>() {
        Some((&[a, b, c], rest)) => (usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16, rest),
        None => (0, &[]),
    }
}

/// The input for an image. Bytes that lie in one of `left_out` are taken for zeros.
pub fn input(image: &[u8], left_out: &[std::ops::Range<u64>]) -> Vec<u8> {
    let mut image = image.to_vec();
    for range in left_out {
        image[range.start as usize..range.end as usize].fill(0);
    }
    let three = |number: usize| number.to_le_bytes()[..3].to_vec();
    let mut input = three(image.len().div_ceil(UNIT));
    image.resize(image.len().next_multiple_of(UNIT), 0);
    let units: Vec<&[u8]> = image.chunks(UNIT).collect();
    let mut at = 0;
    while at < units.len() {
        let length = units[at..]
            .iter()
            .take(256)
            .take_while(|unit| unit.iter().any(|&byte| byte != 0));
        let length = length.count();
        if length > 0 {
            input.extend(three(at));
            input.push(length as u8);
            input.extend(units[at..at + length].concat());
        }
        at += length.max(1);
    }
    input
}

impl ReadAt for Sparse<'_> {
    fn size(&self) -> u64 {
        self.size as u64
    }

    /// # Panics
    /// If more is read than an honest look at the image would take.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.set(self.read.get() + buffer.len() as u64);
        let most = LOOKS * (self.size as u64 + (1 << 20));
        assert!(self.read.get() <= most, "read over and over");
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).filter(|&end| end <= self.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.fill(0);
        for &(at, stretch) in &self.stretches {
            let (from, to) = (at.max(start), (at + stretch.len()).min(end));
            if from < to {
                buffer[from - start..to - start].copy_from_slice(&stretch[from - at..to - at]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_comes_back_from_its_input() {
        let mut image = vec![0; 100_000];
        image[0] = 1;
        image[40_000..60_000].fill(2);
        image[99_999] = 3;
        let packed = input(&image, &[41_000..41_050, 41_050..41_100]);
        image[41_000..41_100].fill(0);
        let sparse = Sparse::new(&packed);
        assert!(packed.len() < 21_000);
        assert_eq!(sparse.bytes(), image);
        assert_eq!(sparse.read_vec_at(39_990, 30_000).unwrap(), image[39_990..69_990]);
        assert!(sparse.read_vec_at(99_999, 2).is_err());
    }

    #[test]
    fn any_bytes_are_an_image() {
        for input in [&[][..], &[1], &[1, 0, 0, 0, 0, 0, 9, 7], &[255; 300]] {
            let sparse = Sparse::new(input);
            assert_eq!(sparse.bytes(), sparse.read_vec_at(0, sparse.size()).unwrap());
        }
    }
}
