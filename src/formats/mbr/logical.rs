//! Logical partitions: a chain of records in an extended partition, each with one partition and the place of the next.

use std::collections::HashSet;

use super::{Slot, decode};
use crate::ground::read_at::ReadAt;

/// Types of an extended partition: by CHS, by LBA, and Linux's own.
const EXTENDED: [u8; 3] = [0x05, 0x0F, 0x85];
/// Logical partitions that are followed; Linux stops before.
const LONGEST: usize = 128;

/// What an extended partition holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Logical {
    /// Byte offsets of the records.
    pub records: Vec<u64>,
    /// First byte, length in bytes and type of each partition.
    pub partitions: Vec<(u64, u64, u8)>,
    /// Where the chain is broken, in words.
    pub fault: Option<String>,
}

/// Follows the chain of the extended partition in `slot`, of 512-byte logical sectors. `None` if the slot is not an extended partition.
pub fn logical(image: &dyn ReadAt, slot: &Slot) -> Option<Logical> {
    if !EXTENDED.contains(&slot.kind) {
        return None;
    }
    let first = u64::from(slot.start) * 512;
    let mut found = Logical::default();
    let mut seen = HashSet::new();
    let mut at = first;
    let fault = loop {
        if !seen.insert(at) {
            break Some(format!(
                "the chain of logical partitions comes back to its record at {at}"
            ));
        }
        if seen.len() > LONGEST {
            break Some(format!("there are more than {LONGEST} logical partitions"));
        }
        let mut sector = [0; 512];
        let read = image.read_exact_at(&mut sector, at);
        let Some(record) = read.ok().and_then(|()| decode(&sector)) else {
            break Some(format!("there is no record of a logical partition at {at}"));
        };
        found.records.push(at);
        let [partition, next, ..] = record.slots;
        if partition.length > 0 {
            let start = at + u64::from(partition.start) * 512;
            found
                .partitions
                .push((start, u64::from(partition.length) * 512, partition.kind));
        }
        if next.length == 0 || !EXTENDED.contains(&next.kind) {
            break None;
        }
        // Counted from the extended partition, and the partition from its own record.
        at = first + u64::from(next.start) * 512;
    };
    found.fault = fault;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(image: &mut [u8], sector: usize, slots: &[(u8, u32, u32)]) {
        for (number, (kind, start, length)) in slots.iter().enumerate() {
            let at = sector * 512 + 446 + 16 * number;
            image[at + 4] = *kind;
            image[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
            image[at + 12..at + 16].copy_from_slice(&length.to_le_bytes());
        }
        image[sector * 512 + 510..sector * 512 + 512].copy_from_slice(&[0x55, 0xAA]);
    }

    fn slot(start: u32) -> Slot {
        Slot {
            active: false,
            kind: 0x05,
            start,
            length: 50,
        }
    }

    #[test]
    fn chains_are_followed_and_loops_end() {
        let mut image = vec![0; 64 * 512];
        record(&mut image, 10, &[(0x83, 2, 3), (0x05, 20, 9)]);
        record(&mut image, 30, &[(0x82, 4, 5)]);
        let found = logical(&image, &slot(10)).unwrap();
        let bytes = |start: u64, length: u64, kind| (start * 512, length * 512, kind);
        assert_eq!(found.partitions, [bytes(12, 3, 0x83), bytes(34, 5, 0x82)]);
        assert_eq!((found.records, found.fault), (vec![10 * 512, 30 * 512], None));

        record(&mut image, 30, &[(0x82, 4, 5), (0x0F, 0, 9)]);
        let found = logical(&image, &slot(10)).unwrap();
        assert_eq!(found.partitions.len(), 2);
        assert!(found.fault.unwrap().contains("comes back"));

        record(&mut image, 30, &[(0x82, u32::MAX, u32::MAX), (0x0F, u32::MAX, 9)]);
        let found = logical(&image, &slot(10)).unwrap();
        assert!(found.fault.unwrap().contains("no record of a logical partition"));
        assert_eq!(logical(&image, &slot(u32::MAX)).unwrap().partitions, Vec::new());
        assert_eq!(logical(&image, &Slot { kind: 0x83, ..slot(10) }), None);
    }
}
