//! Members of every kind, damaged and whole.

use super::*;
use std::io::{BufReader, Write};
use structured_zstd::encoding::{CompressionLevel, FrameCompressor};

/// 3 MB in which something repeats, and something does not.
fn bytes() -> Vec<u8> {
    let mut state: u32 = 1;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let mut bytes: Vec<u8> = noise.take(1_000_000).collect();
    bytes.extend(vec![7; 1_000_000]);
    bytes.extend_from_within(500_000..1_500_000);
    bytes
}

fn compressed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => {
            let mut encoder: FrameCompressor = FrameCompressor::new(CompressionLevel::Fastest);
            encoder.set_content_checksum(true);
            encoder.compress_independent_frame(bytes)
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

const ALL: [Compression; 4] = [
    Compression::Gzip,
    Compression::Xz,
    Compression::Zstd,
    Compression::Bzip2,
];

fn read(compression: Compression, file: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    compression.reader(file, &Behind::default()).read_to_end(&mut out)?;
    Ok(out)
}

#[test]
fn zeros_behind_are_padding_and_all_else_is_counted() {
    for compression in ALL {
        let file = compressed(compression, b"text");
        for (more, text, left) in [
            (vec![0; 512], "text", 0),
            ([&[0; 8], &file[..]].concat(), "texttext", 0),
            (b"{ \"metadata\": 1 }".to_vec(), "text", 17),
            ([&[0; 8], &b"FWx0"[..]].concat(), "text", 4),
            (b"x".to_vec(), "text", 1),
        ] {
            let behind = Behind::default();
            let mut out = String::new();
            let whole = [&file[..], &more].concat();
            // A byte at a time, so that no member is seen at once.
            let slow = BufReader::with_capacity(1, &whole[..]);
            compression.reader(slow, &behind).read_to_string(&mut out).unwrap();
            assert_eq!((out.as_str(), behind.bytes()), (text, left), "{compression:?}");
        }
    }
}

#[test]
fn all_members_of_all_kinds() {
    let bytes = bytes();
    for compression in ALL {
        let mut file = compressed(compression, &bytes);
        assert_eq!(Compression::of(&file), Some(compression));
        assert!(read(compression, &file).unwrap() == bytes, "{compression:?}");
        file.extend(compressed(compression, b"and more"));
        let both = [&bytes[..], b"and more"].concat();
        assert!(read(compression, &file).unwrap() == both, "{compression:?}");
    }
    assert_eq!(Compression::of(b"BZh is a name"), None);
    assert_eq!(Compression::of(b""), None);
}

#[test]
fn what_is_cut_or_wrong_is_an_error() {
    let bytes = bytes();
    for compression in ALL {
        let file = compressed(compression, &bytes);
        for length in [11, 1000, file.len() / 2, file.len() - 1] {
            assert!(read(compression, &file[..length]).is_err(), "{compression:?} {length}");
        }
        for place in [file.len() / 3, file.len() / 2] {
            let mut file = file.clone();
            file[place] ^= 0x10;
            let error = read(compression, &file).expect_err("a bit is wrong");
            let kinds = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
            assert!(kinds.contains(&error.kind()), "{compression:?} {place}: {error:?}");
        }
    }
}

#[test]
fn frames_of_zstd_may_be_to_skip() {
    let mut file = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    assert_eq!(Compression::of(&file), Some(Compression::Zstd));
    file.extend(compressed(Compression::Zstd, b"text"));
    file.extend(b"\x5f\x2a\x4d\x18\0\0\0\0");
    assert_eq!(read(Compression::Zstd, &file).unwrap(), b"text");
    file.extend(b"\x5f\x2a\x4d\x18\x09\0\0\0cut");
    assert!(read(Compression::Zstd, &file).is_err());
}

#[test]
fn short_frames_of_zstd_are_decoded_in_their_order() {
    let bytes = bytes();
    let frame = |part: &[u8]| compressed(Compression::Zstd, part);
    // Zeros have blocks of one repeated byte, noise has blocks that are stored.
    let parts: Vec<&[u8]> = bytes.chunks(70_000).chain([&[][..], &[0; 300_000], &[5]]).collect();
    let file: Vec<u8> = parts.iter().flat_map(|part| frame(part)).collect();
    let wanted = parts.concat();
    assert!(read(Compression::Zstd, &file).unwrap() == wanted);
    // A long frame and one that is skipped stand between short ones.
    let long = vec![3; 9 << 20];
    let skipped = [0x51, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
    let mixed = [&file[..], &frame(&long), &skipped, &file, &[0; 100], b"behind"].concat();
    let behind = Behind::default();
    let mut out = Vec::new();
    Compression::Zstd
        .reader(&mixed[..], &behind)
        .read_to_end(&mut out)
        .unwrap();
    assert!(out == [&wanted[..], &long, &wanted].concat());
    assert_eq!(behind.bytes(), 6);
    // What is before the damage comes before the error.
    let last = frame(&[5]).len();
    // Of a frame with less than its magic number nobody knows that it is one.
    for cut in (1..last - 3).step_by(3) {
        let mut reader = Compression::Zstd.reader(&file[..file.len() - cut], &Behind::default());
        let mut out = vec![0; wanted.len() - 1];
        reader.read_exact(&mut out).unwrap();
        assert!(out == wanted[..wanted.len() - 1]);
        let error = reader.read(&mut [0; 9]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
    }
    for at in (0..file.len()).step_by(49_997) {
        let mut file = file.clone();
        file[at] ^= 0x10;
        // Another number in a header may stand for the same content.
        assert!(
            read(Compression::Zstd, &file).is_ok_and(|out| out == wanted) || read(Compression::Zstd, &file).is_err()
        );
    }
}

#[test]
fn a_frame_that_is_longer_than_it_says_is_an_error() {
    // A single segment of 1 byte (RFC 8878 §3.1.1.1), and a block of 2^17 repeated bytes, as often as one likes.
    let block = |last: u32| ((1 << 17) << 3 | 1 << 1 | last).to_le_bytes();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, 1];
    for last in [0, 1] {
        frame.extend(&block(last)[..3]);
        frame.push(7);
    }
    let error = read(Compression::Zstd, &frame).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    // Blocks without an end are not kept in memory for ever.
    let stored = [&((1u32 << 17) << 3).to_le_bytes()[..3], &[7; 1 << 17]].concat();
    let start = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 1][..], &stored.repeat(130)].concat();
    let error = read(Compression::Zstd, &start).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
