//! VirtualBox's disks.
//!
//! Source: VirtualBox, VDICore.h, whose names the fields have. Numbers are little-endian.

use std::io;

use crate::ground::disk::{self, DiskError, Layout, Place};
use crate::ground::fields::{le_u32, le_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};

/// VDIPREHEADER and VDIHEADER1, as far as they are used.
const HEADER: u64 = 400;
/// uVersion: 1.1.
const VERSION: u32 = 0x0001_0001;
/// u32Type.
const NORMAL: u32 = 1;
const FIXED: u32 = 2;
/// A table entry from here on has no block in the file: FFFFFFFEh is a block of zeros, and FFFFFFFFh one that was never written.
const NO_BLOCK: u32 = 0xffff_fffe;
/// cbBlock: VirtualBox makes blocks of 1 MiB.
const BLOCKS: std::ops::RangeInclusive<u32> = 4096..=256 << 20;

/// Where the blocks are.
struct Blocks {
    /// The offset of their table.
    table: u64,
    /// The offset of the first block in the file.
    data: u64,
    /// The length of a block in bytes.
    length: u64,
    /// The file has so many bytes in front of each block that do not belong to the disk.
    extra: u64,
}

/// Opens the disk in a file.
///
/// # Errors
/// The file is damaged, or is a layer over another file.
pub fn open(file: Shared) -> Result<Shared, DiskError> {
    let header = file.read_vec_at(0, file.size().min(HEADER))?;
    if header.len() < HEADER as usize || le_u32(&header, 68) != VERSION {
        return Err(DiskError::refused(
            "its VDI is cut short, or of another version than 1.1",
        ));
    }
    match le_u32(&header, 76) {
        NORMAL | FIXED => {}
        other => {
            return Err(DiskError::refused(format!(
                "it is a VDI of type {other}: a layer over another file, which is not read"
            )));
        }
    }
    let (table, data) = (le_u32(&header, 340), le_u32(&header, 344));
    let (size, block, extra) = (le_u64(&header, 368), le_u32(&header, 376), le_u32(&header, 380));
    let blocks = u64::from(le_u32(&header, 384));
    if !block.is_power_of_two() || !BLOCKS.contains(&block) {
        return Err(DiskError::refused(format!("its blocks have {block} bytes")));
    }
    if size.div_ceil(block.into()) > blocks || u64::from(table) + blocks * 4 > file.size() {
        return Err(DiskError::refused(format!(
            "it says that its disk has {size} bytes, and its table of blocks has no room for that"
        )));
    }
    let blocks = Blocks {
        table: table.into(),
        data: data.into(),
        length: block.into(),
        extra: extra.into(),
    };
    disk::open(file, size, blocks)
}

impl Layout for Blocks {
    fn place(&self, file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        let (number, within) = (offset / self.length, offset % self.length);
        let entry = u32::from_le_bytes(file.array(self.table + number * 4)?);
        let place = match entry {
            NO_BLOCK.. => Place::Zeros,
            entry => {
                let start = self.data + u64::from(entry) * (self.length + self.extra) + self.extra;
                Place::File(start + within)
            }
        };
        Ok((place, self.length - within))
    }
}
