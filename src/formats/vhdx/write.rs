//! Writes a new file: the header section, an empty log, the metadata, the table of blocks, and the blocks that are not zero in their order.

use super::*;

/// §2.6.2.1, BlockSize: the shortest.
const BLOCK: u64 = MIB;
/// §2.6.2.4, LogicalSectorSize.
const SECTOR: u64 = 512;
/// §2.6.2.5, PhysicalSectorSize: what most disks have.
const PHYSICAL_SECTOR: u64 = 4096;
/// §2.6.2.2: 64 TiB.
const MOST: u64 = 64 << 40;

const LOG: u64 = MIB;
const METADATA_OFFSET: u64 = 2 * MIB;
const BAT_OFFSET: u64 = 3 * MIB;

/// The state of a file while its blocks are written.
#[derive(Debug)]
pub struct Writer {
    size: u64,
    /// The blocks that are in the file, by number.
    blocks: Vec<u64>,
    /// Where the blocks begin.
    first: u64,
}

impl Writer {
    /// So many bytes of the disk stand together in the file.
    pub const UNIT: u64 = BLOCK;

    /// For a disk of `size` bytes, a whole number of sectors. The error is the size of the longest disk.
    pub fn new(size: u64) -> Result<Self, u64> {
        match size <= MOST {
            true => Ok(Self {
                size,
                blocks: Vec::new(),
                first: BAT_OFFSET + table_length(size),
            }),
            false => Err(MOST),
        }
    }

    /// The offset in the file for the block of the disk with this number. The numbers ascend.
    pub fn place(&mut self, number: u64) -> u64 {
        self.blocks.push(number);
        self.first + (self.blocks.len() as u64 - 1) * BLOCK
    }

    /// All other structures with their offsets, and the length of the file. `id` identifies the disk.
    pub fn finish(self, id: [u8; 16]) -> (Vec<(u64, Vec<u8>)>, u64) {
        let length = self.first + self.blocks.len() as u64 * BLOCK;
        let id = Uuid::from_bytes(id).to_bytes_le();
        let mut pieces = vec![(0, file_type())];
        // §2.2.2: the one with the greater sequence number counts.
        pieces.extend(
            HEADERS
                .iter()
                .zip(1..)
                .map(|(&at, sequence)| (at, header(sequence, id))),
        );
        let regions = region_table(table_length(self.size));
        pieces.extend(REGION_TABLES.iter().map(|&at| (at, regions.clone())));
        pieces.push((METADATA_OFFSET, metadata(self.size, id)));
        // §2.5.1: an entry of zero is a block that is not present, and reads as zeros.
        let ratio = chunk_ratio(BLOCK, SECTOR);
        for (&number, offset) in self.blocks.iter().zip((self.first..).step_by(BLOCK as usize)) {
            let at = BAT_OFFSET + (number + number / ratio) * 8;
            let entry = (offset | FULLY_PRESENT).to_le_bytes();
            match pieces.last_mut() {
                Some((start, table)) if *start >= BAT_OFFSET && *start + table.len() as u64 == at => {
                    table.extend(entry)
                }
                _ => pieces.push((at, entry.to_vec())),
            }
        }
        (pieces, length)
    }
}

/// The bytes of the table of blocks: an entry for each, and one for the bitmap of every chunk but the last (§2.5).
fn table_length(size: u64) -> u64 {
    let blocks = size.div_ceil(BLOCK).max(1);
    let entries = blocks + (blocks - 1) / chunk_ratio(BLOCK, SECTOR);
    (entries * 8).next_multiple_of(MIB)
}

/// §2.2.1.
fn file_type() -> Vec<u8> {
    let creator = "isobuild".encode_utf16().flat_map(u16::to_le_bytes);
    SIGNATURE.iter().copied().chain(creator).collect()
}

/// §2.2.2.
fn header(sequence: u64, id: [u8; 16]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend(b"head\0\0\0\0");
    header.extend(sequence.to_le_bytes());
    // FileWriteGuid and DataWriteGuid. LogGuid is zero: the log is empty.
    header.extend(id);
    header.extend(id);
    header.extend([0; 16]);
    // LogVersion, Version, LogLength, LogOffset.
    header.extend([0, 0, 1, 0]);
    header.extend((MIB as u32).to_le_bytes());
    header.extend(LOG.to_le_bytes());
    header.resize(HEADER, 0);
    summed(header)
}

/// §2.2.3.
fn region_table(bat_length: u64) -> Vec<u8> {
    let mut table = Vec::with_capacity(REGION_TABLE);
    table.extend(b"regi\0\0\0\0");
    table.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    for (region, offset, length) in [(BAT, BAT_OFFSET, bat_length), (METADATA, METADATA_OFFSET, MIB)] {
        table.extend(region.to_bytes_le());
        table.extend(offset.to_le_bytes());
        table.extend((length as u32).to_le_bytes());
        // Required.
        table.extend([1, 0, 0, 0]);
    }
    table.resize(REGION_TABLE, 0);
    summed(table)
}

fn summed(mut structure: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&structure);
    structure[4..8].copy_from_slice(&sum.to_le_bytes());
    structure
}

/// §2.6: the table, and the items behind it.
fn metadata(size: u64, id: [u8; 16]) -> Vec<u8> {
    // Flags: IsRequired, and IsVirtualDisk for items that describe the disk and not the file.
    let items: [(Uuid, u32, Vec<u8>); 5] = [
        (FILE_PARAMETERS, 4, BLOCK.to_le_bytes().to_vec()),
        (VIRTUAL_DISK_SIZE, 6, size.to_le_bytes().to_vec()),
        (VIRTUAL_DISK_ID, 6, id.to_vec()),
        (LOGICAL_SECTOR_SIZE, 6, (SECTOR as u32).to_le_bytes().to_vec()),
        (PHYSICAL_SECTOR_SIZE, 6, (PHYSICAL_SECTOR as u32).to_le_bytes().to_vec()),
    ];
    let mut table = b"metadata".to_vec();
    table.extend([0, 0, items.len() as u8, 0]);
    table.resize(32, 0);
    let mut values = Vec::new();
    for (item, flags, value) in items {
        table.extend(item.to_bytes_le());
        table.extend((METADATA_ITEMS as u32 + values.len() as u32).to_le_bytes());
        table.extend((value.len() as u32).to_le_bytes());
        table.extend(flags.to_le_bytes());
        table.extend([0; 4]);
        values.extend(value);
    }
    table.resize(METADATA_ITEMS as usize, 0);
    table.extend(values);
    table
}
