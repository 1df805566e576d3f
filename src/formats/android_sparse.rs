//! Android's sparse images. A file is a list of chunks: bytes, a word over and over, or nothing.
//!
//! Source: Android, libsparse, sparse_format.h, whose names the fields have. Numbers are little-endian.

use std::io;

use crate::ground::disk::{self, DiskError, Layout, Place};
use crate::ground::fields::{le_u16, le_u32};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};

/// sparse_header_t and chunk_header_t.
const HEADER: u64 = 28;
const CHUNK_HEADER: u64 = 12;

/// chunk_type.
const RAW: u16 = 0xcac1;
const FILL: u16 = 0xcac2;
const DONT_CARE: u16 = 0xcac3;
const CRC32: u16 = 0xcac4;

/// A chunk of the disk.
struct Chunk {
    /// The offset of its first byte on the disk.
    start: u64,
    place: Place,
}

/// The chunks in their order. They cover the disk.
struct Chunks(Vec<Chunk>);

/// Opens the disk in a file.
///
/// # Errors
/// The file is damaged.
pub fn open(file: Shared) -> Result<Shared, DiskError> {
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
        let place = match le_u16(&chunk, 0) {
            RAW if stored == disk_bytes => Place::File(data),
            FILL if stored == 4 => {
                let mut fill = [0; 4];
                file.read_exact_at(&mut fill, data).map_err(|_| short())?;
                if fill == [0; 4] {
                    Place::Zeros
                } else {
                    Place::Repeated(fill)
                }
            }
            DONT_CARE => Place::Zeros,
            CRC32 => {
                at += total;
                continue;
            }
            kind => {
                return Err(DiskError::refused(format!(
                    "chunk {number} of its sparse image has the type {kind:#x}, and a length that this type does not have"
                )));
            }
        };
        at += total;
        if at > file.size() {
            return Err(short());
        }
        chunks.push(Chunk { start, place });
        start += disk_bytes;
    }
    let wanted = u64::from(le_u32(&header, 16)) * u64::from(block);
    match wanted == start {
        true => disk::open(file, start, Chunks(chunks)),
        false => Err(DiskError::refused(format!(
            "its sparse image says that it has {wanted} bytes, and its chunks have {start}"
        ))),
    }
}

impl Layout for Chunks {
    fn place(&self, _file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        let next = self.0.partition_point(|chunk| chunk.start <= offset);
        let chunk = next.checked_sub(1).and_then(|number| self.0.get(number));
        let chunk = chunk.ok_or(io::ErrorKind::UnexpectedEof)?;
        let end = self.0.get(next).map_or(u64::MAX, |chunk| chunk.start);
        let place = match chunk.place {
            Place::File(at) => Place::File(at + (offset - chunk.start)),
            other => other,
        };
        Ok((place, end - offset))
    }
}
