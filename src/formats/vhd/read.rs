//! Reads the disk in an existing file.

use std::io;
use std::ops::{Range, RangeInclusive};

use super::{COOKIE, FOOTER, HEADER, HEADER_COOKIE, SECTOR, UNUSED, checksum};
use crate::ground::disk::{self, DiskError, Layout, Place};
use crate::ground::fields::{be_u32, be_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};
use crate::ground::text::visible;

/// "Disk Type".
const FIXED: u32 = 2;
const DYNAMIC: u32 = 3;
const DIFFERENCING: u32 = 4;

/// "Block Size": the lengths that are read. Hyper-V makes blocks of 512 KiB and 2 MiB.
const BLOCKS: RangeInclusive<u32> = 4096..=256 << 20;

/// Opens the disk in a file.
///
/// # Errors
/// The file is damaged, or is a layer over another file.
pub fn open(file: Shared) -> Result<Shared, DiskError> {
    let footer = footer(&file)?;
    let size = be_u64(&footer, 48);
    match be_u32(&footer, 60) {
        FIXED if size.checked_add(FOOTER as u64).is_none_or(|end| end > file.size()) => Err(DiskError::refused(
            format!("it is cut short: its disk has {size} bytes"),
        )),
        FIXED => disk::open(file, size, Whole),
        DYNAMIC => {
            let blocks = dynamic(&file, be_u64(&footer, 16), size)?;
            disk::open(file, size, blocks)
        }
        DIFFERENCING => {
            let header = header(&file, be_u64(&footer, 16))?;
            let name = header[64..576].as_chunks::<2>().0.iter();
            let name: Vec<u16> = name.map(|&unit| u16::from_be_bytes(unit)).collect();
            let name = String::from_utf16_lossy(&name);
            let name = visible(name.trim_end_matches('\0').as_bytes());
            Err(DiskError::refused(format!(
                "it is a layer over another file, {name}, which is not read"
            )))
        }
        other => Err(DiskError::refused(format!(
            "it is a VHD of type {other}, which is not known"
        ))),
    }
}

/// A disk of fixed size: the file begins with its bytes.
struct Whole;

impl Layout for Whole {
    fn place(&self, file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        Ok((Place::File(offset), file.size()))
    }
}

/// The blocks of a dynamic disk.
struct Blocks {
    table: u64,
    /// The length of a block in bytes.
    length: u64,
}

/// The footer at the end of the file. If that is missing or damaged, its copy at the start of a dynamic disk.
fn footer(file: &Shared) -> Result<Vec<u8>, DiskError> {
    let at_end = file.size().checked_sub(FOOTER as u64);
    for place in [at_end, Some(0)].into_iter().flatten() {
        let footer = file.read_vec_at(place, FOOTER as u64)?;
        if footer.starts_with(COOKIE) && is_summed(&footer, 64) {
            return Ok(footer);
        }
    }
    Err(DiskError::refused("neither footer of its VHD has the right checksum"))
}

/// "Dynamic Disk Header Format".
fn header(file: &Shared, offset: u64) -> Result<Vec<u8>, DiskError> {
    let header = file.read_vec_at(offset, HEADER as u64);
    let header = header
        .ok()
        .filter(|header| header.starts_with(HEADER_COOKIE) && is_summed(header, 36));
    header.ok_or_else(|| DiskError::refused("the header of its VHD is damaged"))
}

fn is_summed(structure: &[u8], at: usize) -> bool {
    let mut unsummed = structure.to_vec();
    unsummed[at..at + 4].fill(0);
    be_u32(structure, at) == checksum(&unsummed)
}

fn dynamic(file: &Shared, offset: u64, size: u64) -> Result<Blocks, DiskError> {
    let header = header(file, offset)?;
    let (table, entries, block) = (be_u64(&header, 16), be_u32(&header, 28), be_u32(&header, 32));
    if !block.is_power_of_two() || !BLOCKS.contains(&block) {
        return Err(DiskError::refused(format!("its blocks have {block} bytes")));
    }
    if size.div_ceil(block.into()) > entries.into() {
        return Err(DiskError::refused(format!(
            "it says that its disk has {size} bytes, and its table has room for {entries} times {block}"
        )));
    }
    if table
        .checked_add(u64::from(entries) * 4)
        .is_none_or(|end| end > file.size())
    {
        return Err(DiskError::refused(
            "its table of blocks lies behind the end of the file",
        ));
    }
    Ok(Blocks {
        table,
        length: block.into(),
    })
}

impl Layout for Blocks {
    fn place(&self, file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        let (number, within) = (offset / self.length, offset % self.length);
        let entry = u32::from_be_bytes(file.array(self.table + number * 4)?);
        if entry == UNUSED {
            return Ok((Place::Zeros, self.length - within));
        }
        let bitmap = u64::from(entry) * SECTOR;
        let sectors = self.length / SECTOR;
        let (is_written, alike) = written(file, bitmap, within / SECTOR..sectors)?;
        let length = alike * SECTOR - within % SECTOR;
        match is_written {
            true => {
                let start = bitmap + (sectors / 8).next_multiple_of(SECTOR);
                Ok((Place::File(start + within), length))
            }
            false => Ok((Place::Zeros, length)),
        }
    }
}

/// Whether the bitmap of a block says that the first sector of a range was written, and for how many sectors from there on it says the same.
/// A sector that was not written reads as zeros.
fn written(file: &Pages, bitmap: u64, sectors: Range<u64>) -> io::Result<(bool, u64)> {
    let (start, most) = (bitmap + sectors.start / 8, sectors.end - sectors.start);
    let mut bytes = [0; 64];
    let length = (most / 8 + 1)
        .min(bytes.len() as u64)
        .min(file.size().saturating_sub(start));
    let bytes = &mut bytes[..length as usize];
    file.read_exact_at(bytes, start)?;
    let first = sectors.start % 8;
    let bit = |at: u64| bytes.get((at / 8) as usize).map(|byte| byte << (at % 8) & 0x80 != 0);
    let is_written = bit(first).ok_or(io::ErrorKind::UnexpectedEof)?;
    let alike = (first..).take_while(|&at| bit(at) == Some(is_written)).count() as u64;
    Ok((is_written, alike.min(most)))
}
