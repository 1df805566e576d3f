//! The fields of a header in place, for tables of which the rest stays as it is.

use crate::ground::fields::put;

/// Fields of the header, as byte offsets (UEFI 5.3.2, Table 5.5).
pub(super) mod at {
    pub(in crate::formats::gpt) const HEADER_SIZE: usize = 12;
    pub(in crate::formats::gpt) const CRC: usize = 16;
    pub(in crate::formats::gpt) const MY_LBA: usize = 24;
    pub(in crate::formats::gpt) const ALTERNATE: usize = 32;
    pub(in crate::formats::gpt) const LAST_USABLE: usize = 48;
    pub(in crate::formats::gpt) const ENTRIES: usize = 72;
    pub(in crate::formats::gpt) const COUNT: usize = 80;
    pub(in crate::formats::gpt) const SIZE: usize = 84;
    pub(in crate::formats::gpt) const ENTRIES_CRC: usize = 88;
}

/// A little-endian number of at most eight bytes; 0 past the end.
pub(super) fn number(bytes: &[u8], offset: usize, length: usize) -> u64 {
    let bytes = bytes.get(offset..offset + length).unwrap_or_default();
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// The CRC of a header, in which its own field counts as zero.
fn crc(header: &[u8]) -> u32 {
    let size = (number(header, at::HEADER_SIZE, 4) as usize).min(header.len());
    let mut header = header.get(..size).unwrap_or_default().to_vec();
    put(&mut header, at::CRC, &[0; 4]);
    crc32fast::hash(&header)
}

pub(super) fn is_sealed(header: &[u8]) -> bool {
    u64::from(crc(header)) == number(header, at::CRC, 4)
}

pub(super) fn seal(header: &mut [u8]) {
    let crc = crc(header);
    put(header, at::CRC, &crc.to_le_bytes());
}
