//! The entries of somebody else's boot catalog, after bytes have been put into the image.

use super::catalog::RECORD;
use super::{SECTOR, uefi_sectors};
use crate::ground::shift::Shift;

/// The most records of a catalog that are looked at: a sector's.
const RECORDS: usize = SECTOR as usize / RECORD;
/// El Torito §2.3: where an entry has the image's logical block.
const BLOCK: usize = 8;
/// The same: how many virtual sectors are loaded.
const COUNT: usize = 6;

/// Gives each entry of a catalog the new place of its image. All other bytes stay. The first record validates; headers and extensions have
/// no place.
pub fn shift(catalog: &mut [u8], shift: &Shift) {
    for record in catalog.chunks_exact_mut(RECORD).take(RECORDS).skip(1) {
        if !matches!(record.first(), Some(0x88 | 0x00)) {
            continue;
        }
        let Some(place) = record.get_mut(BLOCK..BLOCK + 4) else {
            continue;
        };
        let block = place.first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes));
        let offset = u64::from(block) * SECTOR;
        let moved = u32::try_from(shift.start(offset) / SECTOR).unwrap_or(u32::MAX);
        // A record of zeros names nothing.
        if block > 0 && moved != block {
            place.copy_from_slice(&moved.to_le_bytes());
        }
        if let Some((before, now)) = shift.known(offset).filter(|_| block > 0)
            && let Some(count) = record.get_mut(COUNT..COUNT + 2)
            && count == uefi_sectors(before.length).to_le_bytes()
        {
            count.copy_from_slice(&uefi_sectors(now.length).to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_follow_their_images() {
        let put = Shift {
            cut: 200 * 2048,
            by: 7 * 2048,
            filled: 0,
            volumes: Vec::new(),
            known: Vec::new(),
        };
        let mut catalog = vec![0; 2048];
        catalog[0] = 1;
        // What looks like a place in the validation entry is text.
        catalog[8] = 250;
        for (record, kind, block) in [
            (1, 0x88, 199u32),
            (2, 0x91, 300),
            (3, 0x88, 200),
            (4, 0x44, 400),
            (5, 0x00, 65536),
        ] {
            catalog[32 * record] = kind;
            catalog[32 * record + 8..][..4].copy_from_slice(&block.to_le_bytes());
        }
        let before = catalog.clone();
        shift(&mut catalog, &put);
        let block = |record: usize| u32::from_le_bytes(*catalog[32 * record + 8..].first_chunk().unwrap());
        assert_eq!(
            [block(1), block(2), block(3), block(4), block(5)],
            [199, 300, 207, 400, 65543]
        );
        assert_eq!((catalog[8], &catalog[192..]), (250, &before[192..]));
    }
}
