//! Compressed files as the bytes in them: gzip, xz, zstd and bzip2, by what the file begins with.
//!
//! Files of several members are read to their last. What is behind that is padding if it is zeros, and counted if not. A decoder takes at
//! most [`MEMORY`]; every check sum that a format has is compared.

mod frames;

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use structured_zstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use structured_zstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use frames::Frames;

/// Bytes that a decoder may take: the window of `xz -9` and of `zstd --ultra` is 64 and 128 MiB.
pub const MEMORY: u64 = 128 << 20;

/// What tells a member of any kind from something else: the level and the magic of bzip2 have ten bytes.
const MAGIC: usize = 10;

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

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
        }
    }

    /// The bytes in a compressed file. Wrong ones are an error of the kind `InvalidData`, missing ones `UnexpectedEof`. `behind` learns
    /// how many bytes are behind the last member that are neither zeros nor a member.
    pub fn reader<'a>(self, source: impl BufRead + Send + 'a, behind: &Behind) -> Box<dyn Read + Send + 'a> {
        Box::new(Members {
            compression: self,
            inside: Inside::Between(Ahead::new(source)),
            is_first: true,
            behind: behind.clone(),
        })
    }
}

/// How many bytes were found behind what is compressed. It is known when the last compressed byte has been read.
#[derive(Clone, Debug, Default)]
pub struct Behind(Arc<AtomicU64>);

impl Behind {
    /// In bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A source of which the next bytes can be seen before they are read.
struct Ahead<R> {
    source: R,
    seen: Vec<u8>,
}

impl<R: BufRead> Ahead<R> {
    fn new(source: R) -> Self {
        let seen = Vec::new();
        Self { source, seen }
    }

    /// The next bytes, as many as tell a member from something else; fewer at the end.
    fn look(&mut self) -> io::Result<&[u8]> {
        while self.seen.len() < MAGIC {
            let mut byte = [0];
            match self.source.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => self.seen.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.seen)
    }
}

impl<R: BufRead> Read for Ahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.seen.is_empty() {
            true => self.source.fill_buf(),
            false => Ok(&self.seen),
        }
    }

    fn consume(&mut self, length: usize) {
        match self.seen.is_empty() {
            true => self.source.consume(length),
            false => drop(self.seen.drain(..length)),
        }
    }
}

/// Member after member.
struct Members<R: BufRead> {
    compression: Compression,
    inside: Inside<R>,
    is_first: bool,
    behind: Behind,
}

/// What is read next.
enum Inside<R: BufRead> {
    Between(Ahead<R>),
    Gzip(Box<GzDecoder<Ahead<R>>>),
    Xz(Box<XzReader<Ahead<R>>>),
    Zstd(Box<Frame<Ahead<R>>>),
    ZstdFrames(Box<ShortFrames<R>>),
    Bzip2(Box<BzDecoder<Ahead<R>>>),
    End,
}

impl<R: BufRead> Inside<R> {
    /// A member of which every byte has been read: what comes behind it.
    fn into_source(self) -> Option<Ahead<R>> {
        match self {
            Self::Between(source) => Some(source),
            Self::Gzip(member) => Some(member.into_inner()),
            Self::Xz(member) => Some(member.into_inner()),
            Self::Zstd(member) => Some(member.source),
            Self::ZstdFrames(members) => Some(members.source),
            Self::Bzip2(member) => Some(member.into_inner()),
            Self::End => None,
        }
    }
}

impl<R: BufRead> Members<R> {
    /// Begins the next member, or finds out what is there instead.
    fn begin(&mut self, mut source: Ahead<R>) -> io::Result<Inside<R>> {
        if !self.is_first {
            // xz pads with zeros (its format, 2.2), tapes and disks do so too.
            loop {
                let bytes = source.fill_buf()?;
                let (zeros, all) = (bytes.iter().take_while(|&&byte| byte == 0).count(), bytes.len());
                source.consume(zeros);
                if zeros < all || all == 0 {
                    break;
                }
            }
        }
        if Compression::of(source.look()?) != Some(self.compression) {
            if self.is_first {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let left = io::copy(&mut source, &mut io::sink())?;
            self.behind.0.store(left, Ordering::Relaxed);
            return Ok(Inside::End);
        }
        self.is_first = false;
        Ok(match self.compression {
            Compression::Gzip => Inside::Gzip(Box::new(GzDecoder::new(source))),
            Compression::Xz => {
                let memory = (MEMORY >> 10) as u32;
                Inside::Xz(Box::new(XzReader::new_mem_limit(source, false, memory)))
            }
            Compression::Zstd
                if frames::is_short(source.look()?)
                    && let Some(frames) = Frames::start() =>
            {
                Inside::ZstdFrames(Box::new(ShortFrames { source, frames }))
            }
            Compression::Zstd => Inside::Zstd(Box::new(Frame::begin(source)?)),
            Compression::Bzip2 => Inside::Bzip2(Box::new(BzDecoder::new(source))),
        })
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let length = match &mut self.inside {
                Inside::Between(_) => 0,
                Inside::Gzip(member) => member.read(buffer).map_err(of_one_kind)?,
                Inside::Xz(member) => member.read(buffer).map_err(of_one_kind)?,
                Inside::Zstd(member) => member.read(buffer)?,
                Inside::ZstdFrames(members) => members.read(buffer)?,
                Inside::Bzip2(member) => member.read(buffer).map_err(of_one_kind)?,
                Inside::End => return Ok(0),
            };
            if length > 0 {
                return Ok(length);
            }
            let done = std::mem::replace(&mut self.inside, Inside::End);
            if let Some(source) = done.into_source() {
                self.inside = self.begin(source)?;
            }
        }
        Ok(0)
    }
}

/// The complaints of all decoders are of one kind.
fn of_one_kind(error: io::Error) -> io::Error {
    match error.kind() {
        // The system's own errors have a number.
        _ if error.raw_os_error().is_some() => error,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// Short frames of zstd that follow each other. Several are decoded at once.
struct ShortFrames<R: BufRead> {
    source: Ahead<R>,
    frames: Frames,
}

impl<R: BufRead> Read for ShortFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frames.has_room() && frames::is_short(self.source.look()?) {
            let frame = frames::whole(&mut self.source);
            self.frames.give(frame);
        }
        self.frames.read(buffer)
    }
}

/// A frame of zstd; one that is to be skipped has no bytes.
struct Frame<R> {
    source: R,
    decoder: Option<FrameDecoder>,
}

impl<R: BufRead> Frame<R> {
    fn begin(mut source: R) -> io::Result<Self> {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MEMORY).map_err(wrong)?;
        match decoder.reset(&mut source) {
            Ok(()) => Ok(Self {
                source,
                decoder: Some(decoder),
            }),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let skipped = io::copy(&mut (&mut source).take(length.into()), &mut io::sink())?;
                match skipped < length.into() {
                    true => Err(io::ErrorKind::UnexpectedEof.into()),
                    false => Ok(Self { source, decoder: None }),
                }
            }
            Err(error) => Err(wrong(error)),
        }
    }
}

impl<R: BufRead> Read for Frame<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(0);
        };
        loop {
            if decoder.can_collect() == 0 && !decoder.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBytes(buffer.len());
                decoder.decode_blocks(&mut self.source, strategy).map_err(wrong)?;
            }
            let length = decoder.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            if !decoder.is_finished() {
                continue;
            }
            return check_sum(decoder).map(|()| 0);
        }
    }
}

/// Compares the check sum of a frame that has been read.
fn check_sum(decoder: &FrameDecoder) -> io::Result<()> {
    match (decoder.get_checksum_from_data(), decoder.get_calculated_checksum()) {
        (Some(said), Some(is)) if said != is => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame's check sum is wrong",
        )),
        _ => Ok(()),
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
mod tests;
