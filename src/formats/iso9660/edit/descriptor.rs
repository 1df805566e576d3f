//! Fields of an existing volume descriptor (§9.4, §9.5), each with its offset in the descriptor.

use super::super::record::both_u32;

/// §9.4.18: the root directory's record.
pub const ROOT: u64 = 156;
/// The length of that record.
pub const ROOT_LENGTH: u64 = 34;
/// §9.4.14, §9.4.15: the path table of type L, and its optional copy.
pub const PATH_TABLES_L: [u64; 2] = [140, 144];
/// §9.4.16, §9.4.17: the same of type M.
pub const PATH_TABLES_M: [u64; 2] = [148, 152];

/// §9.4.9: the number of logical blocks in the volume.
pub fn volume_space(blocks: u32) -> (u64, [u8; 8]) {
    (80, both_u32(blocks))
}

/// §9.4.13: the length of each path table, in bytes.
pub fn path_table_size(length: u32) -> (u64, [u8; 8]) {
    (132, both_u32(length))
}

/// The block that a field for a path table names; 0 if there is none.
pub fn path_table_block(field: [u8; 4], is_little: bool) -> u32 {
    match is_little {
        true => u32::from_le_bytes(field),
        false => u32::from_be_bytes(field),
    }
}

/// The field for a path table in this block.
pub fn path_table_field(block: u32, is_little: bool) -> [u8; 4] {
    match is_little {
        true => block.to_le_bytes(),
        false => block.to_be_bytes(),
    }
}
