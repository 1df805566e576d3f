//! Android's sparse images: chunks of blocks, one behind the other.
//!
//! Source: Android, libsparse, sparse_format.h, whose names the fields have. Numbers are little-endian.

use std::io;

use crate::ground::disk::{self, DiskError, Place, Scattered};
use crate::ground::fields::{le_u16, le_u32};
use crate::ground::read_at::{ReadAt as _, Shared};

/// sparse_header_t and chunk_header_t.
const HEADER: u64 = 28;
const CHUNK_HEADER: u64 = 12;

/// chunk_type.
const RAW: u16 = 0xcac1;
const FILL: u16 = 0xcac2;
const DONT_CARE: u16 = 0xcac3;
const CRC32: u16 = 0xcac4;

/// Blocks of one kind.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// Of the disk, in bytes.
    start: u64,
    content: Content,
}

#[derive(Clone, Copy, Debug)]
enum Content {
    /// The bytes from here on.
    File(u64),
    /// Four bytes over and over.
    Fill([u8; 4]),
    /// Nothing.
    Zeros,
}

/// A disk.
#[derive(Debug)]
pub struct Disk {
    file: Shared,
    size: u64,
    chunks: Vec<Chunk>,
}

impl Disk {
    /// Reads the header of every chunk.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn open(file: Shared) -> Result<Self, DiskError> {
        let header = file.read_vec_at(0, file.size().min(HEADER))?;
        let (major, length, chunk_length) = (le_u16(&header, 4), le_u16(&header, 8), le_u16(&header, 10));
        let block = le_u32(&header, 12);
        if header.len() < HEADER as usize
            || major != 1
            || u64::from(length) < HEADER
            || u64::from(chunk_length) < CHUNK_HEADER
        {
            return Err(DiskError::refused(
                "its sparse image is cut short, or of another version than 1",
            ));
        }
        if block == 0 || !block.is_multiple_of(4) {
            return Err(DiskError::refused(format!("its blocks have {block} bytes")));
        }
        let mut chunks = Vec::new();
        let (mut at, mut start) = (u64::from(length), 0u64);
        for number in 0..le_u32(&header, 20) {
            let short = || DiskError::refused(format!("its sparse image ends in chunk {number}"));
            let chunk = file.read_vec_at(at, CHUNK_HEADER).map_err(|_| short())?;
            let data = at + u64::from(chunk_length);
            let (blocks, total) = (u64::from(le_u32(&chunk, 4)), u64::from(le_u32(&chunk, 8)));
            let disk_bytes = blocks * u64::from(block);
            let stored = total.checked_sub(chunk_length.into()).ok_or_else(short)?;
            let content = match le_u16(&chunk, 0) {
                RAW if stored == disk_bytes => Content::File(data),
                FILL if stored == 4 => {
                    let mut fill = [0; 4];
                    file.read_exact_at(&mut fill, data).map_err(|_| short())?;
                    if fill == [0; 4] {
                        Content::Zeros
                    } else {
                        Content::Fill(fill)
                    }
                }
                DONT_CARE => Content::Zeros,
                CRC32 => {
                    at += total;
                    continue;
                }
                kind => {
                    return Err(DiskError::refused(format!(
                        "chunk {number} of its sparse image is of type {kind:#x}, and not as long as that is"
                    )));
                }
            };
            at += total;
            if at > file.size() {
                return Err(short());
            }
            chunks.push(Chunk { start, content });
            start += disk_bytes;
        }
        let wanted = u64::from(le_u32(&header, 16)) * u64::from(block);
        match wanted == start {
            true => Ok(Self {
                file,
                size: start,
                chunks,
            }),
            false => Err(DiskError::refused(format!(
                "its sparse image says that it has {wanted} bytes, and its chunks have {start}"
            ))),
        }
    }

    /// The chunk of a byte of the disk, and how many bytes from there on are in it.
    fn chunk(&self, offset: u64) -> io::Result<(Chunk, u64)> {
        let next = self.chunks.partition_point(|chunk| chunk.start <= offset);
        let chunk = next.checked_sub(1).and_then(|number| self.chunks.get(number));
        let end = self.chunks.get(next).map_or(self.size, |chunk| chunk.start);
        let chunk = chunk.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((*chunk, end.saturating_sub(offset)))
    }
}

impl Scattered for Disk {
    fn disk_size(&self) -> u64 {
        self.size
    }

    fn file(&self) -> &Shared {
        &self.file
    }

    fn place(&self, offset: u64) -> io::Result<(Place, u64)> {
        let (chunk, length) = self.chunk(offset)?;
        let place = match chunk.content {
            Content::File(at) => Place::File(at + (offset - chunk.start)),
            Content::Fill(_) => Place::Coded,
            Content::Zeros => Place::Zeros,
        };
        Ok((place, length))
    }

    fn decode(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (chunk, _) = self.chunk(offset)?;
        let Content::Fill(fill) = chunk.content else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        // A chunk begins at a multiple of four bytes.
        for (byte, at) in buffer.iter_mut().zip(offset..) {
            *byte = fill[(at % 4) as usize];
        }
        Ok(())
    }
}

disk::read_at!(Disk);
