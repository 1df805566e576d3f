//! Reads the disk in an existing file.

use std::io;

use uuid::Uuid;

use super::*;
use crate::ground::disk::{self, DiskError, Layout, Place, wrong};
use crate::ground::fields::{le_u16, le_u32, le_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};

/// §2.5.1.1: a state of a block. A block in any other state, but for [`FULLY_PRESENT`], reads as zeros.
const PARTIALLY_PRESENT: u64 = 7;
/// §2.6.2.1: the lengths that a block can have.
const BLOCKS: std::ops::RangeInclusive<u32> = 1 << 20..=256 << 20;
/// §2.2.3.1, §2.6.1.1: the most entries of a region table and of the metadata table.
const MOST_ENTRIES: u32 = 2047;

/// Where the blocks are.
struct Blocks {
    /// The offset of their table.
    table: u64,
    /// The length of a block in bytes.
    length: u64,
    /// After so many entries for blocks the table has one for a bitmap.
    ratio: u64,
}

/// Opens the disk in a file.
///
/// # Errors
/// The file is damaged, or was not closed, or is a layer over another file.
pub fn open(file: Shared) -> Result<Shared, DiskError> {
    let headers = HEADERS.iter().filter_map(|&at| structure(&file, at, HEADER, b"head"));
    let Some(header) = headers.max_by_key(|header| le_u64(header, 8)) else {
        return Err(DiskError::refused("neither header of its VHDX has the right checksum"));
    };
    if le_u16(&header, 66) != 1 {
        return Err(DiskError::refused(format!(
            "it is a VHDX of version {}; version 1 is read",
            le_u16(&header, 66)
        )));
    }
    // §2.3: changes in the log have not reached the rest of the file.
    if header[48..64].iter().any(|&byte| byte != 0) {
        return Err(DiskError::refused(
            "its VHDX was not closed: its log has to be written into it first, as `qemu-img check -r all` does",
        ));
    }
    let (table, table_length) = region(&file, BAT)?;
    let (metadata, metadata_length) = region(&file, METADATA)?;
    let metadata = file.read_vec_at(metadata, metadata_length.min(MIB))?;
    let parameters = item(&metadata, FILE_PARAMETERS)?;
    let (block, flags) = (le_u32(parameters, 0), le_u32(parameters, 4));
    if flags & 2 != 0 {
        return Err(DiskError::refused("it is a layer over another file, which is not read"));
    }
    if !block.is_power_of_two() || !BLOCKS.contains(&block) {
        return Err(DiskError::refused(format!("its blocks have {block} bytes")));
    }
    let size = le_u64(item(&metadata, VIRTUAL_DISK_SIZE)?, 0);
    let sector = le_u32(item(&metadata, LOGICAL_SECTOR_SIZE)?, 0);
    if sector != 512 && sector != 4096 {
        return Err(DiskError::refused(format!("its logical sectors have {sector} bytes")));
    }
    let block = u64::from(block);
    let ratio = chunk_ratio(block, sector.into());
    let blocks = size.div_ceil(block);
    let entries = blocks + blocks.saturating_sub(1) / ratio;
    if entries.saturating_mul(8) > table_length || table.saturating_add(entries * 8) > file.size() {
        return Err(DiskError::refused(format!(
            "it says that its disk has {size} bytes, and its table of blocks has no room for that"
        )));
    }
    let blocks = Blocks {
        table,
        length: block,
        ratio,
    };
    disk::open(file, size, blocks)
}

/// A structure with its signature and checksum.
fn structure(file: &Shared, at: u64, length: usize, signature: &[u8; 4]) -> Option<Vec<u8>> {
    let bytes = file.read_vec_at(at, length as u64).ok()?;
    let mut unsummed = bytes.clone();
    unsummed[4..8].fill(0);
    (bytes.starts_with(signature) && le_u32(&bytes, 4) == checksum(&unsummed)).then_some(bytes)
}

/// §2.2.3: where a region is, and how long.
fn region(file: &Shared, wanted: Uuid) -> Result<(u64, u64), DiskError> {
    let mut tables = REGION_TABLES
        .iter()
        .filter_map(|&at| structure(file, at, REGION_TABLE, b"regi"));
    let Some(table) = tables.next() else {
        return Err(DiskError::refused(
            "neither table of regions of its VHDX has the right checksum",
        ));
    };
    let count = le_u32(&table, 8).min(MOST_ENTRIES) as usize;
    let entries = table[16..].chunks_exact(32).take(count);
    for entry in entries {
        let id = Uuid::from_bytes_le(entry[..16].try_into().unwrap_or_default());
        if id == wanted {
            return Ok((le_u64(entry, 16), le_u32(entry, 24).into()));
        }
        if ![BAT, METADATA].contains(&id) && le_u32(entry, 28) & 1 != 0 {
            return Err(DiskError::refused(format!(
                "its VHDX has a region that is not known, {id}"
            )));
        }
    }
    Err(DiskError::refused("a region of its VHDX is missing"))
}

/// §2.6: an item of the metadata.
fn item(metadata: &[u8], wanted: Uuid) -> Result<&[u8], DiskError> {
    let count = u32::from(le_u16(metadata, 10)).min(MOST_ENTRIES) as usize;
    let mut entries = metadata.get(32..).unwrap_or_default().chunks_exact(32).take(count);
    let entry = entries.find(|entry| entry[..16] == wanted.to_bytes_le());
    let found = entry.and_then(|entry| {
        let (offset, length) = (le_u32(entry, 16) as usize, le_u32(entry, 20) as usize);
        metadata.get(offset..)?.get(..length)
    });
    found.ok_or_else(|| DiskError::refused(format!("the metadata of its VHDX has no {wanted}")))
}

impl Layout for Blocks {
    fn place(&self, file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        let (number, within) = (offset / self.length, offset % self.length);
        let entry = file.array(self.table + (number + number / self.ratio) * 8)?;
        let entry = u64::from_le_bytes(entry);
        let place = match entry & 7 {
            FULLY_PRESENT => Place::File((entry & !(MIB - 1)) + within),
            PARTIALLY_PRESENT => return Err(wrong(format!("a part of block {number} is in another file"))),
            _ => Place::Zeros,
        };
        Ok((place, self.length - within))
    }
}
