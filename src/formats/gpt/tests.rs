//! The bytes of a table, round trips, and what is refused.

use proptest::prelude::*;

use super::*;

mod hostile;

const MIB: u64 = 1 << 20;

pub(super) fn partition(name: &str, seed: u8, start: u64, length: u64) -> Partition {
    let guid = version_4([seed; 16]);
    Partition {
        kind: LINUX_DATA,
        guid,
        name: name.to_owned(),
        start,
        length,
        attributes: 0,
    }
}

/// An image as the planner lays it out: payload, then the ESP.
fn sample(sector_size: u64) -> Table {
    let payload = Partition {
        attributes: READ_ONLY | NO_AUTOMOUNT,
        ..partition("iso9660", 1, 2 * MIB, 4 * MIB)
    };
    let esp = Partition {
        kind: ESP,
        ..partition("esp", 2, 8 * MIB, 4 * MIB)
    };
    Table {
        disk_guid: version_4([7; 16]),
        partitions: vec![payload, esp],
        sector_size,
        disk_size: 16 * MIB,
        entries_offset: 2 * sector_size,
        backup_entries_offset: None,
        first_usable: 0,
        usable_end: u64::MAX,
    }
}

/// The four structures in order, with their offsets.
fn pieces(encoded: &Encoded) -> [(u64, &[u8]); 4] {
    let place = encoded.placement;
    [
        (place.header.0, &encoded.header),
        (place.entries.0, &encoded.entries),
        (place.backup_entries.0, &encoded.backup_entries),
        (place.backup_header.0, &encoded.backup_header),
    ]
}

pub(super) fn disk(table: &Table) -> Vec<u8> {
    let mut disk = vec![0; table.disk_size as usize];
    for (offset, bytes) in pieces(&encode(table).unwrap()) {
        disk[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }
    disk
}

/// Gives a header that was changed a checksum that fits.
fn seal(disk: &mut [u8], offset: usize) {
    disk[offset + 16..offset + 20].fill(0);
    let crc = crc32fast::hash(&disk[offset..offset + 92]);
    disk[offset + 16..offset + 20].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn guids_are_mixed_endian_on_the_disk() {
    let text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
    assert_eq!(ESP.to_string(), text);
    assert_eq!(ESP.to_bytes_le()[..8], [0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11]);
    assert_eq!(Guid::from_bytes_le(ESP.to_bytes_le()), ESP);
    assert_eq!(BIOS_BOOT.to_bytes_le(), *b"Hah!IdontNeedEFI");
    // RFC 9562 §5.4: the digit of the version is the first of the third field, the variant's two bits begin the fourth.
    assert_eq!(
        version_4([0xFF; 16]).to_string(),
        "ffffffff-ffff-4fff-bfff-ffffffffffff"
    );
    assert_eq!(version_4([0; 16]).to_string(), "00000000-0000-4000-8000-000000000000");
}

#[test]
fn known_types_are_those_of_the_crate() {
    use ::gpt::partition_types::{BASIC, BIOS, EFI, LINUX_FS, LINUX_SWAP as SWAP};
    for (ours, theirs) in [
        (ESP, EFI),
        (LINUX_DATA, LINUX_FS),
        (LINUX_SWAP, SWAP),
        (BASIC_DATA, BASIC),
        (BIOS_BOOT, BIOS),
    ] {
        assert_eq!(ours.to_bytes_le(), theirs.guid.to_bytes_le());
    }
}

#[test]
fn structures_lie_where_uefi_5_3_1_says() {
    let place = placement(512, 16 * MIB, 1024, None).unwrap();
    assert_eq!(place.header, (512, 512));
    assert_eq!(place.entries, (1024, 16384));
    assert_eq!(place.backup_entries, (16 * MIB - 512 - 16384, 16384));
    assert_eq!(place.backup_header, (16 * MIB - 512, 512));
    assert_eq!(place.first_usable(), 34 * 512);
    let place = placement(4096, 16 * MIB, 8192, None).unwrap();
    assert_eq!(place.first_usable(), 6 * 4096);
    assert_eq!(place.usable_end(), 16 * MIB - 5 * 4096);
    // A moved array leaves LBA 2 to 33 free, but not to partitions.
    assert_eq!(
        placement(512, 16 * MIB, 32768, None).unwrap().first_usable(),
        32768 + 16384
    );

    let least = 34 * 512 + 33 * 512;
    assert!(placement(512, least, 1024, None).is_some());
    for (sector, size, array) in [
        (512, least - 512, 1024),
        (512, 0, 1024),
        (512, 16 * MIB + 1, 1024),
        (512, 16 * MIB, 512),
        (512, 16 * MIB, 1025),
        (512, 16 * MIB, u64::MAX - 511),
        (0, 16 * MIB, 1024),
        (7, 7 << 20, 14),
    ] {
        assert_eq!(placement(sector, size, array, None), None, "{sector} {size} {array}");
    }
}

#[test]
fn header_fields_are_uefi_5_3_2() {
    let encoded = encode(&sample(512)).unwrap();
    let u64_at = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (primary, backup) = (&encoded.header, &encoded.backup_header);
    assert_eq!(primary[..16], *b"EFI PART\0\0\x01\0\x5C\0\0\0");
    assert_eq!(
        [24, 32, 40, 48, 72].map(|at| u64_at(primary, at)),
        [1, 32767, 34, 32734, 2]
    );
    assert_eq!(
        [24, 32, 40, 48, 72].map(|at| u64_at(backup, at)),
        [32767, 1, 34, 32734, 32735]
    );
    assert_eq!(primary[80..88], [128, 0, 0, 0, 128, 0, 0, 0]);
    assert_eq!(primary[88..92], crc32fast::hash(&encoded.entries).to_le_bytes());
    assert!(primary[92..].iter().all(|&byte| byte == 0));
    assert_eq!((primary.len(), encoded.entries.len()), (512, 16384));
    assert_eq!(encoded.entries, encoded.backup_entries);
    // Partition 2: type, LBA 16384 to 24575, name in UTF-16.
    let entry = &encoded.entries[128..256];
    assert_eq!(entry[..16], ESP.to_bytes_le());
    assert_eq!((u64_at(entry, 32), u64_at(entry, 40)), (16384, 24575));
    assert_eq!(entry[56..64], *b"e\0s\0p\0\0\0");
    assert_eq!(u64_at(&encoded.entries, 48), 0x9000_0000_0000_0000);
}

#[test]
fn tables_read_back() {
    for sector_size in [512, 4096] {
        let table = sample(sector_size);
        let decoded = decode(&disk(&table), sector_size).unwrap();
        assert_eq!(decoded.faults, [""; 0]);
        let place = placement(sector_size, table.disk_size, table.entries_offset, None).unwrap();
        assert_eq!(
            decoded.table,
            Table {
                first_usable: place.first_usable(),
                usable_end: place.usable_end(),
                ..table
            }
        );
        assert_eq!(decoded.numbers, [1, 2]);
        assert_eq!((decoded.entry_size, decoded.entry_count), (128, 128));
        assert_eq!(
            decoded.regions,
            [place.header, place.entries, place.backup_header, place.backup_entries]
        );
    }
}

#[test]
fn one_disk_has_tables_for_both_sector_sizes() {
    // The array for 512 leaves LBA 2 to 33, where the header for 4096 lies, and its backup the place where the other's header
    // ends the disk; neither covers the other's arrays.
    let end = 16 * MIB - 4096 - 2 * 16384;
    let small = Table {
        entries_offset: 32768,
        backup_entries_offset: Some(end),
        ..sample(512)
    };
    let large = Table {
        first_usable: 49152,
        usable_end: end,
        ..sample(4096)
    };
    let mut disk = disk(&large);
    let encoded = encode(&small).unwrap();
    for (offset, bytes) in pieces(&encoded) {
        disk[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }
    for (table, sector_size) in [(small, 512), (large, 4096)] {
        let found = decode(&disk, sector_size).unwrap();
        assert_eq!(found.faults, [""; 0]);
        let read = Table {
            first_usable: 49152,
            usable_end: end,
            ..table
        };
        assert_eq!(found.table, read);
    }
    assert_eq!(placement(512, 16 * MIB, 32768, Some(16 * MIB - 16384)), None);
    assert_eq!(placement(512, 16 * MIB, 32768, Some(end + 1)), None);
}

#[test]
fn what_firmware_would_drop_is_refused() {
    let with = |change: &dyn Fn(&mut Table)| {
        let mut table = sample(512);
        change(&mut table);
        encode(&table).unwrap_err()
    };
    let overlap = with(&|table| table.partitions[0].length = 6 * MIB + 512);
    assert_eq!(
        overlap.to_string(),
        "partition \"iso9660\" ends at byte 8389120, but partition \"esp\" starts at byte 8388608"
    );
    let outside = |change: &dyn Fn(&mut Partition)| with(&|table| change(&mut table.partitions[1]));
    assert!(matches!(
        outside(&|p| p.length = 8 * MIB),
        GptError::Outside { last: 16_760_319, .. }
    ));
    assert!(matches!(outside(&|p| p.start = 16 * MIB), GptError::Outside { .. }));
    assert!(matches!(
        outside(&|p| p.length = u64::MAX - 511),
        GptError::Outside { .. }
    ));
    assert!(matches!(
        with(&|t| t.partitions[0].start = 33 * 512),
        GptError::Outside { first: 17408, .. }
    ));
    assert!(matches!(outside(&|p| p.start += 1), GptError::Unaligned { .. }));
    assert!(matches!(outside(&|p| p.length += 1), GptError::Unaligned { .. }));
    assert!(matches!(outside(&|p| p.length = 0), GptError::Unaligned { .. }));
    assert!(matches!(outside(&|p| p.kind = Guid::nil()), GptError::Unused(_)));
    assert!(matches!(
        outside(&|p| p.guid = version_4([1; 16])),
        GptError::SameGuid { .. }
    ));
    assert!(matches!(
        outside(&|p| p.name = "a\0b".to_owned()),
        GptError::NameHasNul(_)
    ));
    assert!(matches!(
        outside(&|p| p.name = "😀".repeat(19)),
        GptError::Name { units: 38, .. }
    ));
    assert_eq!(with(&|table| table.sector_size = 2048), GptError::SectorSize(2048));
    assert!(matches!(
        with(&|table| table.disk_size = 34 * 512 + 33 * 512),
        GptError::NoRoom { .. }
    ));
    assert!(matches!(
        with(&|table| table.first_usable = u64::MAX),
        GptError::NoRoom { .. }
    ));
    let many = with(&|table| {
        table.partitions = (0..129)
            .map(|n| partition("x", n, MIB + u64::from(n) * 512, 512))
            .collect();
    });
    assert_eq!(many, GptError::TooMany(129));
}

#[test]
fn first_usable_is_as_asked_but_never_less_than_uefi_allows() {
    for (asked, got) in [(0, 34 * 512), (35 * 512, 35 * 512), (35 * 512 + 1, 36 * 512)] {
        let table = Table {
            first_usable: asked,
            ..sample(512)
        };
        assert_eq!(decode(&disk(&table), 512).unwrap().table.first_usable, got);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_table_that_encodes_reads_back(
        lengths in proptest::collection::vec((0_u64..3, 1_u64..4, "\\PC{0,18}", any::<u64>()), 0..128),
        small: bool,
        array in 2_u64..40,
        disk_guid: [u8; 16],
    ) {
        let sector_size = if small { 512 } else { 4096 };
        let mut at = array * sector_size + 16384 + 64 * sector_size;
        let mut partitions = Vec::new();
        for (seed, (gap, length, name, attributes)) in (0..).zip(lengths) {
            at += gap * sector_size;
            partitions.push(Partition { attributes, ..partition(&name, seed, at, length * sector_size) });
            at += length * sector_size;
        }
        let disk_size = at + 16384 + 2 * sector_size;
        let entries_offset = array * sector_size;
        let disk_guid = Guid::from_bytes_le(disk_guid);
        let table =
            Table { disk_guid, partitions, disk_size, entries_offset, ..sample(sector_size) };
        let decoded = decode(&disk(&table), sector_size).unwrap();
        prop_assert_eq!(decoded.faults, Vec::<String>::new());
        let place = placement(sector_size, disk_size, entries_offset, None).unwrap();
        let (first_usable, usable_end) = (place.first_usable(), place.usable_end());
        prop_assert_eq!(decoded.table, Table { first_usable, usable_end, ..table });
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        edits in proptest::collection::vec((0_usize..92, any::<u8>()), 0..12),
        entry_edits in proptest::collection::vec((0_usize..512, any::<u8>()), 0..12),
        length in 0_usize..40_000,
        sealed: bool,
    ) {
        let table = Table { partitions: Vec::new(), disk_size: 100 * 512, ..sample(512) };
        let mut bytes = disk(&table);
        edits.into_iter().for_each(|(at, byte)| bytes[512 + at] = byte);
        entry_edits.into_iter().for_each(|(at, byte)| bytes[1024 + at] = byte);
        if sealed {
            let crc = crc32fast::hash(&bytes[1024..1024 + 16384]);
            bytes[600..604].copy_from_slice(&crc.to_le_bytes());
            seal(&mut bytes, 512);
        }
        for sector_size in [0, 1, 512, 513, 2048, 4096, 1 << 63] {
            let whole = decode(&bytes, sector_size);
            prop_assert!(whole.is_none() || sector_size.is_power_of_two());
        }
        decode(&bytes[..length].to_vec(), 512);
    }
}
