//! Compressed files as the bytes in them: gzip, xz, zstd and bzip2, by what the file begins with.
//!
//! Files of several members are read to their last. Decoders take at most [`MEMORY`]; every check sum that a format has is
//! compared.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Bytes that a decoder may take: the window of `xz -9` and of `zstd --ultra` is 64 and 128 MiB.
pub const MEMORY: u64 = 128 << 20;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// The .xz file format 1.1.
    Xz,
    /// RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
}

impl Compression {
    /// What a file is that begins so; its first ten bytes tell. `None` if it is compressed in none of these ways.
    pub fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            // A skippable frame may come first (RFC 8878 §3.1.2).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            // The level, and the magic of the first block.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    /// The bytes in a compressed file. Wrong ones are an error of the kind `InvalidData`, missing ones `UnexpectedEof`.
    pub fn reader<'a>(self, source: impl BufRead + Send + 'a) -> Box<dyn Read + Send + 'a> {
        match self {
            Self::Gzip => Box::new(Checked(MultiGzDecoder::new(source))),
            Self::Xz => Box::new(Checked(XzReader::new_mem_limit(source, true, (MEMORY >> 10) as u32))),
            Self::Zstd => Box::new(Zstd::new(source)),
            Self::Bzip2 => Box::new(Checked(MultiBzDecoder::new(source))),
        }
    }
}

/// A decoder whose complaints are all of one kind.
struct Checked<R>(R);

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            // The system's own errors have a number.
            _ if error.raw_os_error().is_some() => error,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted => error,
            _ => io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }
}

/// Frame after frame.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    inside: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            inside: false,
        }
    }

    /// Goes to the next frame. False if there is none.
    fn next(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                    if skipped < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(wrong(error)),
            }
        }
        Ok(false)
    }

    /// Compares what has been read of a frame with its check sum, if it has one.
    fn compare(&self) -> io::Result<()> {
        match (
            self.decoder.get_checksum_from_data(),
            self.decoder.get_calculated_checksum(),
        ) {
            (Some(said), Some(is)) if said != is => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a frame's check sum is wrong",
            )),
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if !self.inside && !self.next()? {
                break;
            }
            self.inside = true;
            if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBytes(buffer.len());
                self.decoder.decode_blocks(&mut self.source, strategy).map_err(wrong)?;
            }
            let length = self.decoder.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            if self.decoder.is_finished() {
                self.compare()?;
                self.inside = false;
            }
        }
        Ok(0)
    }
}

/// What the decoder complains of: the end of the source, an error of its file, or wrong bytes.
fn wrong(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(one) = cause {
        if let Some(source) = one.downcast_ref::<io::Error>() {
            return match source.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(source.kind(), error.to_string()),
            };
        }
        cause = one.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

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
            Compression::Zstd => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
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
        compression.reader(file).read_to_end(&mut out)?;
        Ok(out)
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
}
