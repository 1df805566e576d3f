//! Reads the disk in an existing file.

use std::io::{self, Read as _};

use base64ct::{Base64, Encoding as _};
use flate2::bufread::ZlibDecoder;

use super::{KOLY, MISH, SECTOR, TERMINATOR, TRAILER, ZEROS, ZLIB};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::disk::{self, DiskError, Layout, Place, wrong};
use crate::ground::fields::{be_u32, be_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};

/// Further types of chunks.
const RAW: u32 = 1;
const IGNORED: u32 = 2;
const COMMENT: u32 = 0x7fff_fffe;
const ADC: u32 = 0x8000_0004;
const BZIP2: u32 = 0x8000_0006;
const LZFSE: u32 = 0x8000_0007;
const LZMA: u32 = 0x8000_0008;

/// The longest compressed chunk that is read. A reader decompresses a whole chunk for one byte of it; `hdiutil` makes them of a MiB at most.
const MOST_CHUNK: u64 = 16 << 20;
/// The longest property list that is read. A disk of 2 TiB in chunks of 256 KiB needs half as much.
const MOST_LIST: u64 = 1 << 30;

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

/// The runs by their place on the disk. Between them are zeros.
struct Runs(Vec<Run>);

/// Opens the disk in a file.
///
/// # Errors
/// The file is damaged, or is one of several, or is older than the property list.
pub fn open(file: Shared) -> Result<Shared, DiskError> {
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
    let size = size.ok_or_else(|| DiskError::refused("its DMG says that it has more sectors than 64 bits count"))?;
    disk::open(file, size.max(end), Runs(runs))
}

/// The tables of chunks in a property list. They are the `<data>` elements below the key `blkx`.
fn tables(list: &[u8]) -> impl Iterator<Item = Result<Vec<u8>, DiskError>> {
    let list = std::str::from_utf8(list).unwrap_or_default();
    let below = list.split_once("<key>blkx</key>").map_or("", |(_, below)| below);
    let below = below.split_once("</array>").map_or(below, |(array, _)| array);
    below.split("<data>").skip(1).map(|data| {
        let coded = data.split_once("</data>").map_or(data, |(data, _)| data);
        let coded: String = coded.split_ascii_whitespace().collect();
        Base64::decode_vec(&coded).map_err(|_| DiskError::refused("a table of chunks of its DMG is not base64"))
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

impl Layout for Runs {
    fn place(&self, _file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        let next = self.0.partition_point(|run| run.start <= offset);
        let number = next.checked_sub(1);
        let here = number.and_then(|number| Some((number, self.0.get(number)?)));
        let Some((number, run)) = here.filter(|(_, run)| offset < run.start + run.length) else {
            let end = self.0.get(next).map_or(u64::MAX, |run| run.start);
            return Ok((Place::Zeros, end - offset));
        };
        let within = offset - run.start;
        let place = match run.kind {
            RAW => Place::File(run.offset.saturating_add(within)),
            _ => Place::Unit {
                number: number as u64,
                offset: within,
            },
        };
        Ok((place, run.length - within))
    }

    fn decode(&self, file: &Shared, number: u64) -> io::Result<Vec<u8>> {
        let run = self.0.get(number as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
        // No compression makes bytes twice as long.
        if run.stored > 2 * run.length + 4096 {
            return Err(wrong(format!(
                "the chunk at byte {} is longer than its contents",
                run.offset
            )));
        }
        let stored = file.read_vec_at(run.offset, run.stored)?;
        let mut reader = match run.kind {
            BZIP2 => Compression::Bzip2.reader(&stored[..], &Behind::default()),
            LZMA => Compression::Xz.reader(&stored[..], &Behind::default()),
            _ => Box::new(ZlibDecoder::new(&stored[..])),
        };
        let mut bytes = Vec::new();
        (&mut reader).take(run.length + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 == run.length {
            true => Ok(bytes),
            false => Err(wrong(format!(
                "the chunk at byte {} does not have the {} bytes that it should have",
                run.offset, run.length
            ))),
        }
    }
}
