//! VirtualBox's disks.
//!
//! Source: VirtualBox, VDICore.h, whose names the fields have. Numbers are little-endian.

use std::io;

use crate::ground::disk::{self, DiskError, Place, Scattered};
use crate::ground::fields::{le_u32, le_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};

/// VDIPREHEADER and VDIHEADER1 up to what is used of them.
const HEADER: u64 = 400;
/// uVersion: 1.1.
const VERSION: u32 = 0x0001_0001;
/// u32Type.
const NORMAL: u32 = 1;
const FIXED: u32 = 2;
/// Entries of the table from here on are no blocks: one that reads as zeros, and one that is not there.
const NO_BLOCK: u32 = 0xffff_fffe;
/// cbBlock: VirtualBox makes blocks of 1 MiB.
const BLOCKS: std::ops::RangeInclusive<u32> = 4096..=256 << 20;

/// A disk.
#[derive(Debug)]
pub struct Disk {
    file: Shared,
    tables: Pages,
    size: u64,
    block: u64,
    /// Bytes in front of each block that are not the disk's.
    extra: u64,
    table: u64,
    data: u64,
}

impl Disk {
    /// Reads the header.
    ///
    /// # Errors
    /// The file is damaged, or a layer over another one.
    pub fn open(file: Shared) -> Result<Self, DiskError> {
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
        Ok(Self {
            tables: Pages::new(file.clone()),
            file,
            size,
            block: block.into(),
            extra: extra.into(),
            table: table.into(),
            data: data.into(),
        })
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
        let (number, within) = (offset / self.block, offset % self.block);
        let mut entry = [0; 4];
        self.tables.read_exact_at(&mut entry, self.table + number * 4)?;
        let entry = u32::from_le_bytes(entry);
        let place = match entry {
            NO_BLOCK.. => Place::Zeros,
            entry => {
                let start = self.data + u64::from(entry) * (self.block + self.extra) + self.extra;
                Place::File(start + within)
            }
        };
        Ok((place, self.block - within))
    }
}

disk::read_at!(Disk);
