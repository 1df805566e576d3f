//! Writes a new file. One of fixed size is the disk and a footer. A dynamic one has the blocks that are not zero.

use super::{COOKIE, FOOTER, HEADER, HEADER_COOKIE, SECTOR, UNUSED, checksum};

/// "Block Size": the usual one.
const BLOCK: u64 = 2 << 20;
/// The bitmap of a block: a bit for each sector.
const BITMAP: u64 = BLOCK / SECTOR / 8;
/// The bytes of a block begin at a multiple of this, so that a host reads and writes whole pages.
const ALIGNMENT: u64 = 4096;
/// The offset of the block allocation table: behind the copy of the footer and the header.
const TABLE: u64 = (FOOTER + HEADER) as u64;
/// Hyper-V's limit: 2040 GiB.
const MOST: u64 = 2040 << 30;

/// "Disk Type".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Fixed hard disk: every byte is in the file.
    Fixed = 2,
    /// Dynamic hard disk: blocks of zeros are not in the file.
    Dynamic = 3,
}

/// The state of a file while its blocks are written.
#[derive(Debug)]
pub struct Writer {
    kind: Kind,
    size: u64,
    table: Vec<u32>,
    /// Where the next block may begin.
    next: u64,
}

impl Writer {
    /// So many bytes of the disk stand together in the file.
    pub const UNIT: u64 = BLOCK;

    /// For a disk of `size` bytes, a whole number of sectors. The error is the size of the longest disk.
    pub fn new(kind: Kind, size: u64) -> Result<Self, u64> {
        if size > MOST {
            return Err(MOST);
        }
        let table = match kind {
            Kind::Fixed => Vec::new(),
            Kind::Dynamic => vec![UNUSED; size.div_ceil(BLOCK) as usize],
        };
        let length = (table.len() as u64 * 4).next_multiple_of(SECTOR);
        Ok(Self {
            kind,
            size,
            table,
            next: TABLE + length,
        })
    }

    /// The offset in the file for the block of the disk with this number. The numbers ascend.
    pub fn place(&mut self, number: u64) -> u64 {
        if self.kind == Kind::Fixed {
            return number * BLOCK;
        }
        // Its bitmap stands directly in front of it.
        let offset = (self.next + BITMAP).next_multiple_of(ALIGNMENT);
        self.next = offset + BLOCK;
        if let Some(entry) = self.table.get_mut(number as usize) {
            // The table has 32 bits for the sector: 2 TiB, which the blocks of the longest disk do not reach.
            *entry = ((offset - BITMAP) / SECTOR) as u32;
        }
        offset
    }

    /// All other structures with their offsets, and the length of the file. `id` identifies the disk.
    pub fn finish(self, id: [u8; 16]) -> (Vec<(u64, Vec<u8>)>, u64) {
        let footer = footer(self.kind, self.size, id);
        if self.kind == Kind::Fixed {
            return (vec![(self.size, footer)], self.size + FOOTER as u64);
        }
        let mut table: Vec<u8> = self.table.iter().flat_map(|entry| entry.to_be_bytes()).collect();
        table.resize(table.len().next_multiple_of(SECTOR as usize), 0xff);
        let mut pieces = vec![
            (0, footer.clone()),
            (FOOTER as u64, header(self.table.len())),
            (TABLE, table),
        ];
        // Every sector of a block that is in the file counts.
        let bitmaps = self.table.iter().filter(|&&entry| entry != UNUSED);
        pieces.extend(bitmaps.map(|&entry| (u64::from(entry) * SECTOR, vec![0xff; BITMAP as usize])));
        pieces.push((self.next, footer));
        (pieces, self.next + FOOTER as u64)
    }
}

/// "Hard Disk Footer Format".
fn footer(kind: Kind, size: u64, id: [u8; 16]) -> Vec<u8> {
    let mut footer = Vec::with_capacity(FOOTER);
    footer.extend(COOKIE);
    // Features: the reserved bit, which is always set. File format version 1.0.
    footer.extend([0, 0, 0, 2, 0, 1, 0, 0]);
    footer.extend(match kind {
        Kind::Fixed => u64::MAX.to_be_bytes(),
        Kind::Dynamic => (FOOTER as u64).to_be_bytes(),
    });
    // Time stamp: the beginning of its count. Creator application, its version, and its host.
    footer.extend([0; 4]);
    footer.extend(b"isob\0\x01\0\0Wi2k");
    // Original size and current size.
    footer.extend(size.to_be_bytes());
    footer.extend(size.to_be_bytes());
    // Disk geometry. QEMU counts cylinders if it does not know the creator, and would cut the disk behind the last whole one. If the geometry is
    // the largest that there is, it takes the current size instead.
    footer.extend([0xff, 0xff, 16, 255]);
    footer.extend((kind as u32).to_be_bytes());
    // Checksum, unique id, saved state, reserved.
    footer.extend([0; 4]);
    footer.extend(id);
    footer.resize(FOOTER, 0);
    let sum = checksum(&footer);
    footer[64..68].copy_from_slice(&sum.to_be_bytes());
    footer
}

/// "Dynamic Disk Header Format".
fn header(blocks: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend(HEADER_COOKIE);
    header.extend(u64::MAX.to_be_bytes());
    header.extend(TABLE.to_be_bytes());
    // Header version 1.0.
    header.extend([0, 1, 0, 0]);
    header.extend((blocks as u32).to_be_bytes());
    header.extend((BLOCK as u32).to_be_bytes());
    // Checksum, and the fields of a parent, which this disk does not have.
    header.resize(HEADER, 0);
    let sum = checksum(&header);
    header[36..40].copy_from_slice(&sum.to_be_bytes());
    header
}
