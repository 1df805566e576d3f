//! The disk in an existing file.

use std::io;

use super::{COOKIE, FOOTER, HEADER, HEADER_COOKIE, SECTOR, UNUSED, checksum};
use crate::ground::disk::{self, DiskError, Place, Scattered};
use crate::ground::fields::{be_u32, be_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};
use crate::ground::text::visible;

/// "Disk Type".
const FIXED: u32 = 2;
const DYNAMIC: u32 = 3;
const DIFFERENCING: u32 = 4;

/// "Block Size": what a block may have. Hyper-V makes 512 KiB and 2 MiB.
const BLOCKS: std::ops::RangeInclusive<u32> = 4096..=256 << 20;

/// A disk of fixed size, or a dynamic one.
#[derive(Debug)]
pub struct Disk {
    file: Shared,
    tables: Pages,
    size: u64,
    /// Of a dynamic disk: its table, how many entries that has, and the length of a block.
    dynamic: Option<(u64, u64, u64)>,
}

impl Disk {
    /// Reads footer and header.
    ///
    /// # Errors
    /// The file is damaged, or a layer over another one.
    pub fn open(file: Shared) -> Result<Self, DiskError> {
        let footer = footer(&file)?;
        let size = be_u64(&footer, 48);
        let mut disk = Self {
            tables: Pages::new(file.clone()),
            file,
            size,
            dynamic: None,
        };
        match be_u32(&footer, 60) {
            FIXED if size.checked_add(FOOTER as u64).is_none_or(|end| end > disk.file.size()) => Err(
                DiskError::refused(format!("it is cut short: its disk has {size} bytes")),
            ),
            FIXED => Ok(disk),
            DYNAMIC => {
                disk.dynamic = Some(dynamic(&disk.file, be_u64(&footer, 16), size)?);
                Ok(disk)
            }
            DIFFERENCING => {
                let header = header(&disk.file, be_u64(&footer, 16))?;
                let name: Vec<u16> = header[64..576]
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|&unit| u16::from_be_bytes(unit))
                    .collect();
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

    /// Whether the bitmap of a block says that a sector was written, and how many sectors from there on are alike, at most `most`. What was
    /// not written reads as zeros.
    fn written(&self, bitmap: u64, sector: u64, most: u64) -> io::Result<(bool, u64)> {
        let mut bytes = [0; 64];
        let length = (most.div_ceil(8) + 1)
            .min(bytes.len() as u64)
            .min(self.tables.size().saturating_sub(bitmap + sector / 8));
        let bytes = &mut bytes[..length as usize];
        self.tables.read_exact_at(bytes, bitmap + sector / 8)?;
        let first = sector % 8;
        let bit = |at: u64| bytes.get((at / 8) as usize).map(|byte| byte << (at % 8) & 0x80 != 0);
        let written = bit(first).ok_or(io::ErrorKind::UnexpectedEof)?;
        let alike = (first..).take_while(|&at| bit(at) == Some(written)).count() as u64;
        Ok((written, alike.min(most)))
    }
}

/// The footer: at the end, or where a dynamic disk was cut, its copy at the start.
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

fn dynamic(file: &Shared, offset: u64, size: u64) -> Result<(u64, u64, u64), DiskError> {
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
    Ok((table, entries.into(), block.into()))
}

impl Scattered for Disk {
    fn disk_size(&self) -> u64 {
        self.size
    }

    fn file(&self) -> &Shared {
        &self.file
    }

    fn place(&self, offset: u64) -> io::Result<(Place, u64)> {
        let Some((table, entries, block)) = self.dynamic else {
            return Ok((Place::File(offset), self.size.saturating_sub(offset)));
        };
        let (number, within) = (offset / block, offset % block);
        if number >= entries {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut entry = [0; 4];
        self.tables.read_exact_at(&mut entry, table + number * 4)?;
        let entry = u32::from_be_bytes(entry);
        if entry == UNUSED {
            return Ok((Place::Zeros, block - within));
        }
        let bitmap = u64::from(entry) * SECTOR;
        let sectors = block / SECTOR;
        let sector = within / SECTOR;
        let (written, alike) = self.written(bitmap, sector, sectors - sector)?;
        let length = alike * SECTOR - within % SECTOR;
        match written {
            true => {
                let start = bitmap + (sectors / 8).next_multiple_of(SECTOR);
                Ok((Place::File(start + within), length))
            }
            false => Ok((Place::Zeros, length)),
        }
    }
}

disk::read_at!(Disk);
