//! The slots of somebody else's master boot record, after bytes have been put into the image.

use super::{HEADS, SECTORS};
use crate::ground::range::Range;
use crate::ground::shift::Shift;

/// Bytes of a logical sector that slots count in.
const SECTOR: u64 = 512;
/// Where the slots begin, and how long each is.
const SLOTS: usize = 446;
const SLOT: usize = 16;
/// Heads and sectors of a track that writers count with: isohybrid's, and those of large disks.
const GEOMETRIES: [(u64, u64); 2] = [(64, 32), (HEADS, SECTORS)];

/// Gives every slot its new place. All other bytes stay.
pub fn shift(sector: &mut [u8; 512], shift: &Shift) {
    for slot in sector[SLOTS..SLOTS + 4 * SLOT].chunks_exact_mut(SLOT) {
        let number = |slot: &[u8], at: usize| {
            slot.get(at..)
                .and_then(<[u8]>::first_chunk)
                .map_or(0, |&bytes| u32::from_le_bytes(bytes))
        };
        let (start, length) = (u64::from(number(slot, 8)), u64::from(number(slot, 12)));
        if length == 0 {
            continue;
        }
        let old = Range {
            offset: start * SECTOR,
            length: length * SECTOR,
        };
        let new = shift.range(old);
        if new == old {
            continue;
        }
        let narrow = |sectors: u64| u32::try_from(sectors).unwrap_or(u32::MAX);
        let (first, last) = (new.offset / SECTOR, new.end() / SECTOR - 1);
        // The same way of counting cylinders as before, if it is one that is known.
        for (at, before, now) in [(1, start, first), (5, start + length - 1, last)] {
            let stored: [u8; 3] = [slot[at], slot[at + 1], slot[at + 2]];
            let known = GEOMETRIES
                .iter()
                .find(|&&geometry| chs(before, geometry) == Some(stored));
            match known.map(|&geometry| chs(now, geometry)) {
                Some(Some(bytes)) => slot[at..at + 3].copy_from_slice(&bytes),
                Some(None) => slot[at..at + 3].copy_from_slice(&[0xFE, 0xFF, 0xFF]),
                None => {}
            }
        }
        slot[8..12].copy_from_slice(&narrow(first).to_le_bytes());
        slot[12..16].copy_from_slice(&narrow(new.length / SECTOR).to_le_bytes());
    }
}

/// Head, sector and cylinder of a logical sector; none beyond the last cylinder.
fn chs(lba: u64, (heads, sectors): (u64, u64)) -> Option<[u8; 3]> {
    let (track, sector) = (lba / sectors, lba % sectors + 1);
    let (cylinder, head) = (track / heads, track % heads);
    let cylinder = u16::try_from(cylinder)
        .ok()
        .filter(|&cylinder| cylinder <= super::LAST_CYLINDER)?;
    Some([head as u8, sector as u8 | (cylinder >> 2) as u8 & 0xC0, cylinder as u8])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots as isohybrid, xorriso and mkmedia write them, of an image of 4 MiB into which 2 MiB are put at 3 MiB.
    #[test]
    fn slots_go_where_their_bytes_go() {
        let put = Shift {
            cut: 3 << 20,
            by: 2 << 20,
            filled: 5 << 20,
            volumes: vec![(0, 1 << 20), (32768, 1 << 20)],
            known: Vec::new(),
        };
        let slot = |start: u32, length: u32, first: [u8; 3], last: [u8; 3]| {
            let mut slot = [0; 16];
            slot[1..4].copy_from_slice(&first);
            slot[5..8].copy_from_slice(&last);
            slot[8..12].copy_from_slice(&start.to_le_bytes());
            slot[12..].copy_from_slice(&length.to_le_bytes());
            slot
        };
        let clipped = [0xFE, 0xFF, 0xFF];
        let slots = [
            // All of it, in cylinders of 1 MiB: the last is number 3, and 5 afterwards.
            (
                slot(0, 8192, [0, 1, 0], [63, 32, 3]),
                slot(0, 12288, [0, 1, 0], [63, 32, 5]),
            ),
            // The volume's partition ends at the place.
            (slot(64, 6080, clipped, clipped), slot(64, 10176, clipped, clipped)),
            // What stands behind it, by 255 heads and 63 sectors: sector 6144 is cylinder 0, head 97, sector 34; 10240 is 162, 35.
            (
                slot(6144, 2048, [97, 34, 0], clipped),
                slot(10240, 2048, [162, 35, 0], clipped),
            ),
            // A dummy.
            (slot(0, 1, [0, 2, 0], [0, 2, 0]), slot(0, 1, [0, 2, 0], [0, 2, 0])),
        ];
        let mut sector = [0xAB; 512];
        for (number, (before, _)) in slots.iter().enumerate() {
            sector[446 + 16 * number..][..16].copy_from_slice(before);
        }
        let before = sector;
        shift(&mut sector, &put);
        for (number, (_, wanted)) in slots.iter().enumerate() {
            assert_eq!(sector[446 + 16 * number..][..16], *wanted, "slot {number}");
        }
        assert_eq!((&sector[..446], &sector[510..]), (&before[..446], &before[510..]));
    }
}
