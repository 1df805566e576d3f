//! The disk in an existing file.

use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, PoisonError};

use base64ct::{Base64, Encoding as _};
use flate2::bufread::ZlibDecoder;

use super::{KOLY, MISH, SECTOR, TERMINATOR, TRAILER, ZEROS, ZLIB};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::disk::{self, DiskError, Place, Scattered, wrong};
use crate::ground::fields::{be_u32, be_u64};
use crate::ground::read_at::{ReadAt as _, Shared};

/// Further types of chunks.
const RAW: u32 = 1;
const IGNORED: u32 = 2;
const COMMENT: u32 = 0x7fff_fffe;
const ADC: u32 = 0x8000_0004;
const BZIP2: u32 = 0x8000_0006;
const LZFSE: u32 = 0x8000_0007;
const LZMA: u32 = 0x8000_0008;

/// A compressed chunk is decompressed whole: `hdiutil` makes them of a MiB at most.
const MOST_CHUNK: u64 = 16 << 20;
/// The longest property list: 2 TiB in chunks of 256 KiB take half of it.
const MOST_LIST: u64 = 1 << 30;
/// Chunks that are kept decompressed.
const KEPT: usize = 4;

/// A run of sectors of the disk.
#[derive(Clone, Copy, Debug)]
struct Run {
    kind: u32,
    /// Of the disk, in bytes.
    start: u64,
    length: u64,
    /// Of the file, in bytes.
    offset: u64,
    stored: u64,
}

/// Decompressed chunks, by the number of their run.
type Decoded = Vec<(usize, Arc<[u8]>)>;

/// A disk.
#[derive(Debug)]
pub struct Disk {
    file: Shared,
    size: u64,
    /// By their place on the disk. Between them are zeros.
    runs: Vec<Run>,
    /// The one that was used last is the last.
    decoded: Mutex<Decoded>,
}

impl Disk {
    /// Reads the trailer and the tables of chunks.
    ///
    /// # Errors
    /// The file is damaged, or one of several, or older than the property list.
    pub fn open(file: Shared) -> Result<Self, DiskError> {
        let at = file.size().checked_sub(TRAILER as u64);
        let trailer = at
            .map(|at| file.read_vec_at(at, TRAILER as u64))
            .transpose()?
            .unwrap_or_default();
        if !trailer.starts_with(KOLY) {
            return Err(DiskError::refused("its DMG has no trailer"));
        }
        let segments = be_u32(&trailer, 60);
        if segments > 1 {
            return Err(DiskError::refused(format!(
                "it is one of {segments} files of a DMG, which are not read"
            )));
        }
        let (list, length) = (be_u64(&trailer, 216), be_u64(&trailer, 224));
        if length == 0 {
            return Err(DiskError::refused(
                "its DMG has no property list; those of before Mac OS X 10.2 are not read",
            ));
        }
        if length > MOST_LIST {
            return Err(DiskError::refused(format!(
                "its DMG has a property list of {length} bytes"
            )));
        }
        let list = file.read_vec_at(list, length)?;
        let base = be_u64(&trailer, 24);
        let mut runs = Vec::new();
        for table in tables(&list) {
            self::runs(&table?, base, &mut runs)?;
        }
        runs.sort_by_key(|run: &Run| run.start);
        let overlap = runs
            .windows(2)
            .find(|pair| pair[0].start + pair[0].length > pair[1].start);
        if let Some(pair) = overlap {
            let at = pair[1].start;
            return Err(DiskError::refused(format!(
                "two chunks of its DMG are for the disk's byte {at}"
            )));
        }
        let end = runs.last().map_or(0, |run| run.start + run.length);
        let size = be_u64(&trailer, 492).checked_mul(SECTOR);
        let size =
            size.ok_or_else(|| DiskError::refused("its DMG says that it has more sectors than 64 bits count"))?;
        Ok(Self {
            file,
            size: size.max(end),
            runs,
            decoded: Mutex::default(),
        })
    }

    /// The number of the run that a byte of the disk is in, if it is in one.
    fn run(&self, offset: u64) -> Option<usize> {
        let number = self.runs.partition_point(|run| run.start <= offset).checked_sub(1)?;
        let run = self.runs[number];
        (offset < run.start + run.length).then_some(number)
    }

    fn decompressed(&self, run: Run) -> io::Result<Arc<[u8]>> {
        // No form makes bytes much longer.
        if run.stored > 2 * run.length + 4096 {
            return Err(wrong(format!(
                "the chunk at byte {} is longer than what is in it",
                run.offset
            )));
        }
        let stored = self.file.read_vec_at(run.offset, run.stored)?;
        let mut reader = match run.kind {
            BZIP2 => Compression::Bzip2.reader(&stored[..], &Behind::default()),
            LZMA => Compression::Xz.reader(&stored[..], &Behind::default()),
            _ => Box::new(ZlibDecoder::new(&stored[..])),
        };
        let mut bytes = Vec::new();
        (&mut reader).take(run.length + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 == run.length {
            true => Ok(bytes.into()),
            false => Err(wrong(format!(
                "the chunk at byte {} has not the {} bytes that it says",
                run.offset, run.length
            ))),
        }
    }
}

/// The tables in a property list: what stands in `<data>` below the key `blkx`.
fn tables(list: &[u8]) -> impl Iterator<Item = Result<Vec<u8>, DiskError>> {
    let list = std::str::from_utf8(list).unwrap_or_default();
    let below = list.split_once("<key>blkx</key>").map_or("", |(_, below)| below);
    let below = below.split_once("</array>").map_or(below, |(array, _)| array);
    below.split("<data>").skip(1).map(|data| {
        let coded = data.split_once("</data>").map_or(data, |(data, _)| data);
        let coded: String = coded.split_ascii_whitespace().collect();
        Base64::decode_vec(&coded).map_err(|_| DiskError::refused("a table of chunks of its DMG is no base64"))
    })
}

/// The runs of a table. Offsets in the file count from `base`.
fn runs(table: &[u8], base: u64, runs: &mut Vec<Run>) -> Result<(), DiskError> {
    if !table.starts_with(MISH) {
        return Err(DiskError::refused("a table of chunks of its DMG is damaged"));
    }
    let (first, base) = (be_u64(table, 8), base.saturating_add(be_u64(table, 24)));
    let entries = table.get(204..).unwrap_or_default().chunks_exact(40);
    for entry in entries.take(be_u32(table, 200) as usize) {
        let kind = be_u32(entry, 0);
        match kind {
            TERMINATOR => break,
            COMMENT => continue,
            ZEROS | RAW | IGNORED | ZLIB | BZIP2 | LZMA => {}
            ADC | LZFSE => {
                let name = if kind == ADC { "ADC" } else { "LZFSE" };
                return Err(DiskError::refused(format!(
                    "its DMG is compressed with {name}, which is not read; `hdiutil convert -format UDZO` makes one that is"
                )));
            }
            other => {
                return Err(DiskError::refused(format!(
                    "a chunk of its DMG has the type {other:#x}, which is not known"
                )));
            }
        }
        let sector = first.checked_add(be_u64(entry, 8));
        let start = sector.and_then(|sector| sector.checked_mul(SECTOR));
        let length = be_u64(entry, 16).checked_mul(SECTOR);
        let end = start.zip(length).and_then(|(start, length)| start.checked_add(length));
        let (Some(start), Some(length), Some(_)) = (start, length, end) else {
            return Err(DiskError::refused(
                "a chunk of its DMG is for sectors that 64 bits do not count",
            ));
        };
        if length == 0 || matches!(kind, ZEROS | IGNORED) {
            continue;
        }
        if kind != RAW && length > MOST_CHUNK {
            return Err(DiskError::refused(format!(
                "a compressed chunk of its DMG has {length} bytes; {MOST_CHUNK} are read"
            )));
        }
        runs.push(Run {
            kind,
            start,
            length,
            offset: base.saturating_add(be_u64(entry, 24)),
            stored: be_u64(entry, 32),
        });
    }
    Ok(())
}

impl Scattered for Disk {
    fn disk_size(&self) -> u64 {
        self.size
    }

    fn file(&self) -> &Shared {
        &self.file
    }

    fn place(&self, offset: u64) -> io::Result<(Place, u64)> {
        let Some(number) = self.run(offset) else {
            let next = self.runs.partition_point(|run| run.start <= offset);
            let end = self.runs.get(next).map_or(self.size, |run| run.start);
            return Ok((Place::Zeros, end.saturating_sub(offset)));
        };
        let run = self.runs[number];
        let within = offset - run.start;
        let place = match run.kind {
            RAW => Place::File(run.offset.saturating_add(within)),
            _ => Place::Coded,
        };
        Ok((place, run.length - within))
    }

    fn decode(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let number = self.run(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        let run = self.runs[number];
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = match decoded.iter().position(|chunk| chunk.0 == number) {
            Some(place) => decoded.remove(place).1,
            None => self.decompressed(run)?,
        };
        let start = (offset - run.start) as usize;
        let bytes = chunk.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        if decoded.len() == KEPT {
            decoded.remove(0);
        }
        decoded.push((number, chunk));
        Ok(())
    }
}

disk::read_at!(Disk);
