//! The Apple partition map, read: what Macintosh firmware looks for on discs and sticks (Inside Macintosh: Devices, 3-22 to 3-28).

use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::shift::Shift;

/// Blocks of a map that are read; an image has some ten.
const LONGEST: u64 = 64;
/// Bytes of an entry that say something here.
const ENTRY: u64 = 80;

/// Offsets in an entry: `pmPyPartStart`, `pmPartBlkCnt`, `pmDataCnt`.
const START: u64 = 8;
const LENGTH: u64 = 12;
const DATA_LENGTH: u64 = 84;

/// A map.
#[derive(Debug, PartialEq, Eq)]
pub struct Map {
    /// Bytes that its numbers count in.
    pub block: u64,
    /// In the order of the map, itself among them.
    pub partitions: Vec<Partition>,
    /// What is wrong with it, in words.
    pub fault: Option<String>,
}

/// An entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// First byte.
    pub start: u64,
    /// In bytes.
    pub length: u64,
    /// `pmPartName`
    pub name: String,
    /// `pmParType`, such as `Apple_HFS`.
    pub kind: String,
}

/// Reads the map of an image, if it has one. The driver descriptor in block 0 says how long a block is; where boot code stands
/// instead, the first entry tells it by its place.
pub fn read(image: &dyn ReadAt) -> Option<Map> {
    let start = image.read_vec_at(0, 4).ok()?;
    let announced = match start.as_slice() {
        [b'E', b'R', high, low] => Some(u64::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    };
    let lengths = announced.into_iter().chain([512, 1024, 2048, 4096]);
    let block = lengths
        .filter(|length| (512..=4096).contains(length) && length.is_power_of_two())
        .find(|&length| entry(image, length, 1).is_some())?;
    let (count, _) = entry(image, block, 1)?;
    let mut map = Map {
        block,
        partitions: Vec::new(),
        fault: None,
    };
    for number in 1..=u64::from(count) {
        if number > LONGEST {
            map.fault = Some(format!("it has {count} entries, of which {LONGEST} are read"));
            break;
        }
        let Some((_, partition)) = entry(image, block, number) else {
            map.fault = Some(format!("its entry {number} of {count} is none"));
            break;
        };
        map.partitions.push(partition);
    }
    Some(map)
}

/// The entry in a block, with the number of entries that it gives.
fn entry(image: &dyn ReadAt, block: u64, number: u64) -> Option<(u32, Partition)> {
    let bytes = image.read_vec_at(number * block, ENTRY).ok()?;
    if !bytes.starts_with(b"PM\0\0") {
        return None;
    }
    let word = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let text = |at: usize| {
        let field = bytes.get(at..at + 32)?;
        let end = field.iter().position(|&byte| byte == 0).unwrap_or(32);
        Some(String::from_utf8_lossy(&field[..end]).into_owned())
    };
    let partition = Partition {
        start: u64::from(word(8)?) * block,
        length: u64::from(word(12)?) * block,
        name: text(16)?,
        kind: text(48)?,
    };
    Some((word(4)?, partition))
}

/// Computes the fields that change after bytes have been put into the image, each with its byte offset: those of entries, and the number of
/// blocks in the driver descriptor. In `image` the bytes have moved already; `size` is the old size.
pub fn shift(image: &dyn ReadAt, size: u64, shift: &Shift) -> Vec<(u64, [u8; 4])> {
    let Some(map) = read(image) else {
        return Vec::new();
    };
    let mut written = Vec::new();
    let blocks = |bytes: u64| u32::try_from(bytes / map.block).unwrap_or(u32::MAX).to_be_bytes();
    for (number, partition) in (1..).zip(&map.partitions) {
        let old = Range {
            offset: partition.start,
            length: partition.length,
        };
        let new = shift.range(old);
        let entry = number * map.block;
        if new.offset != old.offset {
            written.push((entry + START, blocks(new.offset)));
        }
        if new.length != old.length {
            written.push((entry + LENGTH, blocks(new.length)));
            // The part of it that holds data is all of it, if it was.
            let data = image.read_vec_at(entry + DATA_LENGTH, 4);
            if data.is_ok_and(|data| data == blocks(old.length)) {
                written.push((entry + DATA_LENGTH, blocks(new.length)));
            }
        }
    }
    // Inside Macintosh: Devices, 3-12: `sbBlkSize` and `sbBlkCount`.
    let descriptor = image.read_vec_at(0, 8).unwrap_or_default();
    if let [b'E', b'R', high, low, count @ ..] = descriptor.as_slice()
        && let Some(&count) = count.first_chunk::<4>()
    {
        let block = u64::from(u16::from_be_bytes([*high, *low]));
        let old = u64::from(u32::from_be_bytes(count)).saturating_mul(block);
        if block > 0 && old == size {
            let count = u32::try_from(shift.end(old) / block).unwrap_or(u32::MAX);
            written.push((4, count.to_be_bytes()));
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(image: &mut [u8], at: usize, count: u32, numbers: (u32, u32), kind: &[u8]) {
        image[at..at + 2].copy_from_slice(b"PM");
        for (field, number) in [(4, count), (8, numbers.0), (12, numbers.1)] {
            image[at + field..at + field + 4].copy_from_slice(&number.to_be_bytes());
        }
        image[at + 16..at + 20].copy_from_slice(b"name");
        image[at + 48..at + 48 + kind.len()].copy_from_slice(kind);
    }

    #[test]
    fn maps_of_both_block_lengths() {
        for block in [512, 2048] {
            let mut image = vec![0; 16384];
            put(&mut image, block, 2, (1, 2), b"Apple_partition_map");
            put(&mut image, 2 * block, 2, (u32::MAX, u32::MAX), b"Apple_HFS");
            for announced in [&b"\xeb\x00"[..], &[b'E', b'R', (block >> 8) as u8, 0]] {
                image[..announced.len()].copy_from_slice(announced);
                let map = read(&image).unwrap();
                assert_eq!((map.block, map.fault.as_deref()), (block as u64, None));
                let [first, second] = map.partitions.as_slice() else {
                    panic!("{:?}", map.partitions)
                };
                assert_eq!((first.start, first.length), (block as u64, 2 * block as u64));
                assert_eq!(
                    (first.name.as_str(), first.kind.as_str()),
                    ("name", "Apple_partition_map")
                );
                assert_eq!(second.start, u64::from(u32::MAX) * block as u64);
            }
        }
    }

    #[test]
    fn a_map_that_lies_is_bounded() {
        let mut image = vec![0; 8192];
        assert_eq!(read(&image), None);
        put(&mut image, 512, u32::MAX, (1, 2), b"Apple_partition_map");
        let map = read(&image).unwrap();
        assert_eq!(map.fault.unwrap(), "its entry 2 of 4294967295 is none");
        image[..4].copy_from_slice(b"ER\0\0");
        assert!(read(&image).is_some());
        assert_eq!(read(&image[..580].to_vec()), None);
    }
}
