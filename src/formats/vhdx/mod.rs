//! Disks of Hyper-V, second version.
//!
//! Source: Microsoft, [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File Format", whose names the fields have. Numbers are little-endian.

mod read;
mod write;

#[cfg(test)]
mod tests;

use uuid::{Uuid, uuid};

pub use read::open;
pub use write::Writer;

/// §2.1: every region and every block begins at a multiple of this.
const MIB: u64 = 1 << 20;

/// §2.2.1.
const SIGNATURE: &[u8; 8] = b"vhdxfile";
/// §2.2.2: two headers.
const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
const HEADER: usize = 4 << 10;
/// §2.2.3: two tables of regions.
const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
const REGION_TABLE: usize = 64 << 10;

/// §2.2.3.2.
const BAT: Uuid = uuid!("2DC27766-F623-4200-9D64-115E9BFD4A08");
const METADATA: Uuid = uuid!("8B7CA206-4790-4B9A-B8FE-575F050F886E");

/// §2.6.2.
const FILE_PARAMETERS: Uuid = uuid!("CAA16737-FA36-4D43-B3B6-33F0AA44E76B");
const VIRTUAL_DISK_SIZE: Uuid = uuid!("2FA54224-CD1B-4876-B211-5DBED83BF4B8");
const VIRTUAL_DISK_ID: Uuid = uuid!("BECA12AB-B2E6-4523-93EF-C309E000C746");
const LOGICAL_SECTOR_SIZE: Uuid = uuid!("8141BF1D-A96F-4709-BA47-F233A8FAAB5F");
const PHYSICAL_SECTOR_SIZE: Uuid = uuid!("CDA348C7-445D-4471-9CC9-E9885251C556");

/// §2.6.1: where the items of the metadata may begin.
const METADATA_ITEMS: u64 = 64 << 10;

/// §2.5.1.1: a block that is in the file.
const FULLY_PRESENT: u64 = 6;

/// §2.5: the table of blocks has an entry for a bitmap after so many entries for blocks.
const fn chunk_ratio(block: u64, logical_sector: u64) -> u64 {
    (1 << 23) * logical_sector / block
}

/// §2.2: CRC-32C (polynomial 1EDC6F41h, reflected). The field for it has to be zero.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| match sum & 1 {
            0 => sum >> 1,
            _ => sum >> 1 ^ 0x82f6_3b78,
        })
    })
}
