//! Disks that lie: each field, each half of the table.

use super::*;
use crate::ground::read_at::ReadAt;

/// Every fault of a disk whose bytes at `at` in the primary header are replaced, the checksum made to fit.
fn faults_with(at: usize, value: &[u8]) -> Vec<String> {
    let mut disk = disk(&sample(512));
    disk[512 + at..][..value.len()].copy_from_slice(value);
    seal(&mut disk, 512);
    let decoded = decode(&disk, 512).unwrap();
    assert_eq!(decoded.table.partitions, sample(512).partitions, "the backup stands in");
    decoded.faults
}

#[test]
fn hostile_fields_are_named_and_the_backup_stands_in() {
    let says = |faults: Vec<String>, wanted: &str| {
        assert!(
            faults.iter().any(|fault| fault.contains(wanted)),
            "{faults:#?} without {wanted}"
        );
    };
    says(faults_with(80, &[0xFF; 4]), "NumberOfPartitionEntries 4294967295");
    for size in [0_u32, 127, 129, 384, u32::MAX] {
        says(
            faults_with(84, &size.to_le_bytes()),
            &format!("GPT: SizeOfPartitionEntry is {size};"),
        );
    }
    says(
        faults_with(84, &(1_u32 << 31).to_le_bytes()),
        "SizeOfPartitionEntry 2147483648 is an array",
    );
    says(
        faults_with(72, &[0xFF; 8]),
        "PartitionEntryLBA is 18446744073709551615;",
    );
    says(
        faults_with(72, &40_000_u64.to_le_bytes()),
        "not inside the disk of 16777216 bytes",
    );
    says(faults_with(24, &[5]), "GPT: MyLBA is 5, but the header is in LBA 1");
    says(faults_with(12, &[91]), "HeaderSize is 91;");
    says(faults_with(12, &[0xFF; 4]), "HeaderSize is 4294967295;");
    says(
        faults_with(88, &[1, 2, 3, 4]),
        "PartitionEntryArrayCRC32 is 04030201, but the array's",
    );
    says(faults_with(8, &[1]), "Revision is 1.1, not 1.0");
    says(faults_with(32, &[9, 0]), "GPT: AlternateLBA is 9, not 32767");
    says(
        faults_with(32, &[0xFF; 8]),
        "AlternateLBA is 18446744073709551615, not 32767",
    );
    says(
        faults_with(40, &[2]),
        "usable LBAs 2 to 32734 cover the array in LBAs 2 to 33",
    );
    says(
        faults_with(40, &[1]),
        "usable LBAs 1 to 32734 cover the header in LBA 1",
    );
    says(faults_with(48, &[0; 8]), "FirstUsableLBA 34 is behind LastUsableLBA 0");
    says(
        faults_with(48, &[0xFF; 8]),
        "LastUsableLBA is 32734; the primary's is 18446744073709551615",
    );
}

#[test]
fn bad_checksums_are_faults() {
    let mut bytes = disk(&sample(512));
    bytes[512 + 20 + 92] = 1;
    assert_eq!(
        decode(&bytes, 512).unwrap().faults,
        [""; 0],
        "what is behind HeaderSize does not count"
    );
    bytes[512 + 16] ^= 1;
    let decoded = decode(&bytes, 512).unwrap();
    assert!(
        decoded.faults[0].starts_with("GPT: HeaderCRC32 is "),
        "{:?}",
        decoded.faults
    );
    assert_eq!(decoded.faults.len(), 1);

    let mut bytes = disk(&sample(512));
    let end = bytes.len();
    bytes[end - 512 + 16] ^= 1;
    let decoded = decode(&bytes, 512).unwrap();
    assert!(
        decoded.faults[0].starts_with("backup GPT: HeaderCRC32 is "),
        "{:?}",
        decoded.faults
    );
}

#[test]
fn a_valid_backup_alone_is_a_table_and_a_broken_one_is_none() {
    let mut bytes = disk(&sample(512));
    bytes[512..1024].fill(0);
    let decoded = decode(&bytes, 512).unwrap();
    assert_eq!(decoded.faults, ["GPT: no header in LBA 1; the backup stands in"]);
    assert_eq!(
        decoded.table,
        Table {
            first_usable: 34 * 512,
            usable_end: 16 * MIB - 512 - 16384,
            ..sample(512)
        }
    );
    assert_eq!(decoded.regions[0], (0, 0));
    let end = bytes.len();
    bytes[end - 512 + 56] ^= 1;
    assert_eq!(decode(&bytes, 512), None);
}

#[test]
fn a_missing_backup_is_a_fault() {
    let mut bytes = disk(&sample(512));
    bytes.truncate(bytes.len() - 512);
    let decoded = decode(&bytes, 512).unwrap();
    assert_eq!(decoded.table.partitions, sample(512).partitions);
    assert!(
        decoded
            .faults
            .iter()
            .any(|fault| fault.starts_with("backup GPT: no header in LBA"))
    );
    assert_eq!(&decoded.regions[2..], [(0, 0); 2]);
}

#[test]
fn larger_entries_are_read() {
    for entry_size in [256_usize, 512, 4096] {
        let table = Table {
            entries_offset: MIB,
            first_usable: 2 * MIB,
            ..sample(512)
        };
        let mut bytes = disk(&table);
        let array: Vec<u8> = encode(&table)
            .unwrap()
            .entries
            .chunks(128)
            .take(8)
            .flat_map(|entry| entry.iter().copied().chain(std::iter::repeat_n(0xA5, entry_size - 128)))
            .collect();
        bytes[MIB as usize..][..array.len()].copy_from_slice(&array);
        bytes[512 + 80] = 8;
        bytes[512 + 84..512 + 88].copy_from_slice(&(entry_size as u32).to_le_bytes());
        bytes[512 + 88..512 + 92].copy_from_slice(&crc32fast::hash(&array).to_le_bytes());
        seal(&mut bytes, 512);
        let decoded = decode(&bytes, 512).unwrap();
        assert_eq!(decoded.table.partitions, table.partitions, "{:?}", decoded.faults);
        assert_eq!((decoded.entry_size as usize, decoded.entry_count), (entry_size, 8));
        assert!(decoded.faults.iter().all(|fault| fault.starts_with("backup GPT: ")));
    }
}

#[test]
fn entries_that_firmware_drops_are_faults() {
    let mut bytes = disk(&sample(512));
    for half in [1024, 16 * MIB as usize - 512 - 16384] {
        let array = &mut bytes[half..half + 16384];
        // Partition 2 moves into a slot of its own, further on; two more appear.
        array.copy_within(128..256, 640);
        array[128 + 32..128 + 48].fill(0xFF);
        array.copy_within(0..128, 256);
        array[256 + 40..256 + 48].fill(0);
    }
    for (header, array) in [(512, 1024), (16 * MIB as usize - 512, 16 * MIB as usize - 512 - 16384)] {
        let crc = crc32fast::hash(&bytes[array..array + 16384]);
        bytes[header + 88..header + 92].copy_from_slice(&crc.to_le_bytes());
        seal(&mut bytes, header);
    }
    let decoded = decode(&bytes, 512).unwrap();
    assert_eq!(decoded.numbers, [1, 2, 3, 6]);
    assert_eq!(
        decoded.faults,
        [
            "GPT: partition 2 is bytes 18446744073709551615 to 18446744073709551614; bytes 17408 to 16760319 are usable",
            "GPT: partition 3 ends before it starts",
        ]
    );
}

/// A disk that counts what is read of it.
struct Counting(Vec<u8>, std::sync::atomic::AtomicU64);

impl ReadAt for Counting {
    fn size(&self) -> u64 {
        1 << 50
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.1
            .fetch_add(buffer.len() as u64, std::sync::atomic::Ordering::Relaxed);
        let tail = usize::try_from(offset)
            .ok()
            .and_then(|at| self.0.get(at..))
            .unwrap_or_default();
        buffer.fill(0);
        buffer.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

#[test]
fn what_is_read_is_bounded_by_the_limits_not_by_the_fields() {
    for (count, size) in [
        (u32::MAX, 128_u32),
        (8192, 128),
        (1, 1 << 20),
        (1, 1 << 31),
        (u32::MAX, 1 << 31),
    ] {
        let mut bytes = disk(&sample(512));
        bytes[512 + 80..512 + 84].copy_from_slice(&count.to_le_bytes());
        bytes[512 + 84..512 + 88].copy_from_slice(&size.to_le_bytes());
        let disk = Counting(bytes, Default::default());
        assert!(decode(&disk, 512).is_some());
        assert!(disk.1.into_inner() <= 2 * ((1 << 20) + 512));
    }
}
