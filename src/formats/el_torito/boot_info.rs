//! What boot loaders want to know about their own place: the boot info table in a boot image, and the same address in
//! the MBR that finds the image on a stick.
//!
//! The table is no part of El Torito. mkisofs and xorriso call it `-boot-info-table`; isolinux does not start without it,
//! and GRUB's cdboot.img looks for the rest of the image with it.

use crate::ground::read_at::ReadAt;

use super::{ElToritoError, sector_number};

/// Bytes 8 to 63: PVD block, image block, length, checksum, then 40 zero bytes.
const TABLE: std::ops::Range<usize> = 8..64;
/// Logical block of the primary volume descriptor (ECMA-119 §7.7.2).
const PVD_BLOCK: u32 = 16;
/// GRUB's El Torito image is cdboot.img, 2048 bytes, then diskboot.img, 512 bytes, then the core. This is the block list at
/// the end of diskboot.img: where the core starts, as a u64.
const GRUB2_BLOCK_LIST: std::ops::Range<usize> = 2548..2556;
/// isolinux's and GRUB's MBR: the address of the boot image, in 512-byte sectors.
const MBR_ADDRESS: usize = 432;

/// A boot info table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// Byte 8: 16.
    pub pvd_block: u32,
    /// Byte 12: the logical block the boot image starts at.
    pub block: u32,
    /// Byte 16: the boot image's length in bytes.
    pub length: u32,
    /// Byte 20: the sum of the 32-bit words from byte 64 on.
    pub checksum: u32,
}

/// Writes the table into an image that will lie at `image_offset`.
pub fn patch_isolinux(image: &mut [u8], image_offset: u64) -> Result<(), ElToritoError> {
    let block = sector_number("boot image", image_offset)?;
    let length = image.len() as u64;
    let length_field = u32::try_from(length).map_err(|_| ElToritoError::Long(length))?;
    let sum = checksum(image);
    let short = ElToritoError::Short {
        length,
        needed: TABLE.end as u64,
    };
    let table = image.get_mut(TABLE).ok_or(short)?;
    let fields = [PVD_BLOCK, block, length_field, sum].map(u32::to_le_bytes);
    let values = fields.as_flattened().iter().copied().chain(std::iter::repeat(0));
    table.iter_mut().zip(values).for_each(|(byte, value)| *byte = value);
    Ok(())
}

/// Writes the table and GRUB's block list: the address of the image's fifth 512-byte sector, counted from 0.
///
/// The checksum is of the bytes as they end up.
pub fn patch_grub2(image: &mut [u8], image_offset: u64) -> Result<(), ElToritoError> {
    let block = sector_number("boot image", image_offset)?;
    let short = ElToritoError::Short {
        length: image.len() as u64,
        needed: GRUB2_BLOCK_LIST.end as u64,
    };
    let list = image.get_mut(GRUB2_BLOCK_LIST).ok_or(short)?;
    list.copy_from_slice(&(u64::from(block) * 4 + 5).to_le_bytes());
    patch_isolinux(image, image_offset)
}

/// Clears what [`patch_isolinux`] writes, and what [`patch_grub2`] does if `has_list`: an image that was patched is like one that never was.
pub fn clear(image: &mut [u8], has_list: bool) {
    for range in [Some(TABLE), has_list.then_some(GRUB2_BLOCK_LIST)]
        .into_iter()
        .flatten()
    {
        if let Some(place) = image.get_mut(range) {
            place.fill(0);
        }
    }
}

/// Clears the address of the boot image in the boot code of an MBR: 32 bits for isolinux, 64 for GRUB.
pub fn clear_mbr(code: &mut [u8], is_wide: bool) {
    let length = if is_wide { 8 } else { 4 };
    if let Some(place) = code.get_mut(MBR_ADDRESS..MBR_ADDRESS + length) {
        place.fill(0);
    }
}

/// Whether an image that lies at `image_offset` has GRUB's block list, too.
pub fn has_block_list(image: &dyn ReadAt, image_offset: u64) -> bool {
    let mut list = [0; 8];
    let read = image.read_exact_at(&mut list, GRUB2_BLOCK_LIST.start as u64);
    let block = sector_number("boot image", image_offset);
    read.is_ok() && block.is_ok_and(|block| u64::from_le_bytes(list) == u64::from(block) * 4 + 5)
}

/// The checksum of a whole boot image: the 32-bit words from byte 64 on, summed modulo 2^32. A last word that is cut
/// counts as if zeros followed.
pub fn checksum(image: &[u8]) -> u32 {
    words(image.get(TABLE.end..).unwrap_or_default())
}

/// The sum of 32-bit words modulo 2^32.
fn words(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0, |sum: u32, bytes| {
        let mut word = [0; 4];
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        sum.wrapping_add(u32::from_le_bytes(word))
    })
}

/// The table of the boot image that starts at `image_offset`.
///
/// It has no signature: it is one if it names the right block for itself and for the primary volume descriptor.
pub fn read(image: &dyn ReadAt, image_offset: u64) -> Option<Table> {
    let mut bytes = [0; 16];
    image.read_exact_at(&mut bytes, TABLE.start as u64).ok()?;
    let (fields, _) = bytes.as_chunks::<4>();
    let &[pvd_block, block, length, checksum] = fields.first_chunk()?;
    let table = Table {
        pvd_block: u32::from_le_bytes(pvd_block),
        block: u32::from_le_bytes(block),
        length: u32::from_le_bytes(length),
        checksum: u32::from_le_bytes(checksum),
    };
    let place = sector_number("boot image", image_offset).ok()?;
    (table.pvd_block == PVD_BLOCK && table.block == place).then_some(table)
}

/// The longest boot image whose checksum [`verify`] computes: what BIOS loaders use is below one MiB.
const LONGEST: u64 = 64 << 20;

/// Compares a table with the boot image that it is in.
///
/// # Errors
/// What is wrong with it, in words.
pub fn verify(image: &dyn ReadAt, table: &Table) -> Result<(), String> {
    let length = u64::from(table.length);
    if length > image.size() || length > LONGEST {
        return Err(format!(
            "its boot info table says that it has {length} bytes, which no boot image here can have"
        ));
    }
    let mut sum: u32 = 0;
    let mut at = TABLE.end as u64;
    while at < length {
        let piece = (64 << 10).min(length - at);
        let bytes = image
            .read_vec_at(at, piece)
            .map_err(|error| format!("it cannot be read: {error}"))?;
        sum = sum.wrapping_add(words(&bytes));
        at += piece;
    }
    match sum == table.checksum {
        true => Ok(()),
        false => Err(format!(
            "the checksum in its boot info table is {:08x}, that of its {length} bytes is {sum:08x}: it was changed after the \
             table was written",
            table.checksum
        )),
    }
}

/// isohdpfx.bin: byte 432 is the address of isolinux.bin in 512-byte sectors, as a u32.
pub fn patch_mbr_isolinux(mbr: &mut [u8; 512], image_offset: u64) -> Result<(), ElToritoError> {
    let what = "boot image, seen from an isolinux MBR,";
    let block = sector_number(what, image_offset)?;
    let address = block.checked_mul(4).ok_or(ElToritoError::Place {
        what,
        offset: image_offset,
    })?;
    mbr[MBR_ADDRESS..][..4].copy_from_slice(&address.to_le_bytes());
    Ok(())
}

/// boot_hybrid.img: byte 1B0 (hexadecimal) is the address of diskboot.img in 512-byte sectors, as a u64. It skips
/// cdboot.img, which is of use on a CD only.
pub fn patch_mbr_grub2(mbr: &mut [u8; 512], image_offset: u64) -> Result<(), ElToritoError> {
    let block = sector_number("boot image", image_offset)?;
    let address = u64::from(block) * 4 + 4;
    mbr[MBR_ADDRESS..][..8].copy_from_slice(&address.to_le_bytes());
    Ok(())
}
