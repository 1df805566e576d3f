//! The bytes of the figures, round trips, other writers' catalogs and hostile ones.

use proptest::prelude::*;

use super::decode::Decoded;
use super::*;

mod tables;

fn entry(emulation: Emulation, sectors: u16, offset: u64) -> CatalogEntry {
    CatalogEntry {
        bootable: true,
        emulation,
        load_segment: 0,
        system_type: 0,
        sectors,
        offset,
    }
}

fn section(platform: Platform, entries: Vec<CatalogEntry>) -> Section {
    Section {
        platform,
        id: String::new(),
        entries,
    }
}

/// isolinux for a BIOS and an ESP, as most images have it.
fn sample() -> Catalog {
    Catalog {
        sections: vec![
            section(Platform::Bios, vec![entry(Emulation::None, 4, 71680)]),
            section(Platform::Uefi, vec![entry(Emulation::None, 0, 1 << 20)]),
        ],
    }
}

/// An image whose catalog is in sector 20.
fn image(catalog: &[u8]) -> Vec<u8> {
    let mut image = vec![0xEE; 20 * 2048];
    image.extend_from_slice(catalog);
    image
}

fn read(catalog: &[u8]) -> Result<Decoded, ElToritoError> {
    decode(&image(catalog), 20 * 2048)
}

/// The sample with the start of one record replaced; a validation entry's checksum stays as it was.
fn with_record(number: usize, record: &[u8]) -> Vec<u8> {
    let mut bytes = encode(&sample()).unwrap();
    bytes[number * 32..][..record.len()].copy_from_slice(record);
    bytes
}

#[test]
fn boot_record_is_figure_7() {
    let record = boot_record(20 * 2048).unwrap();
    assert_eq!(record[..7], *b"\0CD001\x01");
    assert_eq!(record[7..39], *b"EL TORITO SPECIFICATION\0\0\0\0\0\0\0\0\0");
    assert_eq!(record[0x47..0x4B], [20, 0, 0, 0]);
    assert_eq!(record.iter().filter(|&&byte| byte != 0).count(), 6 + 23 + 1);
    assert_eq!(parse_boot_record(&record), Some(20 * 2048));
    let mut other = record;
    other[7] = b'e';
    assert_eq!(parse_boot_record(&other), None);
    assert_eq!(parse_boot_record(&[0; 2048]), None);
    for offset in [2047, 2049, 2048 << 32, u64::MAX] {
        assert_eq!(
            boot_record(offset),
            Err(ElToritoError::Place {
                what: "boot catalog",
                offset
            })
        );
    }
    assert_eq!(
        parse_boot_record(&boot_record((1 << 43) - 2048).unwrap()),
        Some((1 << 43) - 2048)
    );
}

#[test]
fn catalog_is_figures_2_to_5() {
    let mut catalog = sample();
    catalog.sections[0].id = "isobuild".to_owned();
    catalog.sections[1].id = "x".repeat(28);
    catalog.sections[1].entries[0].bootable = false;
    catalog.sections.push(section(
        Platform::Other(0x9A),
        vec![CatalogEntry {
            load_segment: 0x07C0,
            system_type: 0x0C,
            ..entry(Emulation::HardDisk, 0xFFFF, 0x1234_5678 * 2048)
        }],
    ));
    let bytes = encode(&catalog).unwrap();
    assert_eq!(bytes.len(), 2048);
    assert_eq!(bytes[..12], *b"\x01\0\0\0isobuild");
    assert_eq!(bytes[30..32], [0x55, 0xAA]);
    let words = bytes[..32]
        .chunks(2)
        .map(|word| u32::from(word[0]) | u32::from(word[1]) << 8);
    assert_eq!(words.sum::<u32>() % 0x1_0000, 0);
    assert_eq!(bytes[32..44], [0x88, 0, 0, 0, 0, 0, 4, 0, 35, 0, 0, 0]);
    assert_eq!(bytes[64..68], [0x90, 0xEF, 1, 0]);
    assert_eq!(bytes[68..96], [b'x'; 28]);
    assert_eq!(bytes[96..108], [0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0]);
    assert_eq!(bytes[128..132], [0x91, 0x9A, 1, 0]);
    let last = [0x88, 4, 0xC0, 7, 0x0C, 0, 0xFF, 0xFF, 0x78, 0x56, 0x34, 0x12];
    assert_eq!(bytes[160..172], last);
    assert!(bytes[172..].iter().all(|&byte| byte == 0));
    let decoded = read(&bytes).unwrap();
    assert_eq!((decoded.faults, decoded.length), (vec![], 2048));
    assert_eq!(decoded.catalog, catalog);
    assert_eq!(decoded.checksum.to_le_bytes(), bytes[28..30]);
}

#[test]
fn names_are_those_of_the_manifest() {
    let platforms = [0, 1, 2, 0xEF, 0x0A, 0x9A].map(|code| Platform::from_code(code).to_string());
    assert_eq!(platforms, ["bios", "ppc", "mac", "uefi", "0x0A", "0x9A"]);
    use Emulation::*;
    let all = [None, Floppy12, Floppy144, Floppy288, HardDisk];
    assert_eq!(
        all.map(|kind| kind.to_string()),
        ["none", "floppy-1.2", "floppy-1.44", "floppy-2.88", "hard-disk"]
    );
    assert_eq!(
        all.map(Emulation::exact_length),
        [
            Option::None,
            Some(1_228_800),
            Some(1_474_560),
            Some(2_949_120),
            Option::None
        ]
    );
}

#[test]
fn what_the_catalog_cannot_hold_is_refused() {
    let refused = |change: &dyn Fn(&mut Catalog)| {
        let mut catalog = sample();
        change(&mut catalog);
        encode(&catalog).unwrap_err()
    };
    assert_eq!(refused(&|catalog| catalog.sections.clear()), ElToritoError::Default(0));
    assert_eq!(
        refused(&|catalog| catalog.sections[0].entries.clear()),
        ElToritoError::Default(0)
    );
    let one = entry(Emulation::None, 4, 2048);
    assert_eq!(
        refused(&|catalog| catalog.sections[0].entries.push(one)),
        ElToritoError::Default(2)
    );
    assert_eq!(
        refused(&|catalog| catalog.sections[1].entries[0].offset = 2050),
        ElToritoError::Place {
            what: "boot image",
            offset: 2050
        }
    );
    assert!(matches!(
        refused(&|catalog| catalog.sections[0].id = "x".repeat(25)),
        ElToritoError::Id {
            length: 25,
            room: 24,
            ..
        }
    ));
    assert!(matches!(
        refused(&|catalog| catalog.sections[1].id = "ä".repeat(15)),
        ElToritoError::Id {
            length: 30,
            room: 28,
            ..
        }
    ));
}

#[test]
fn the_catalog_is_one_sector() {
    let one = entry(Emulation::None, 4, 2048);
    let full = Catalog {
        sections: vec![
            section(Platform::Bios, vec![one]),
            section(Platform::Uefi, vec![one; 61]),
        ],
    };
    assert_eq!(read(&encode(&full).unwrap()).unwrap().catalog, full);
    let mut over = full.clone();
    over.sections[1].entries.push(one);
    assert_eq!(
        encode(&over),
        Err(ElToritoError::TooManyEntries {
            sections: 2,
            entries: 63,
            records: 65
        })
    );
    let sections = vec![section(Platform::Bios, vec![one]); 64];
    assert_eq!(
        encode(&Catalog { sections }),
        Err(ElToritoError::TooManyEntries {
            sections: 64,
            entries: 64,
            records: 128
        })
    );
}

#[test]
fn a_uefi_image_over_65535_virtual_sectors_reaches_to_the_end() {
    for (length, count) in [
        (0, 2),
        (1, 2),
        (512, 2),
        (1024, 2),
        (1025, 3),
        (16 << 20, 32768),
        (65535 * 512, 65535),
        (65535 * 512 + 1, 1),
        (u64::MAX, 1),
    ] {
        assert_eq!(uefi_sectors(length), count, "{length}");
    }
}

#[test]
fn a_hard_disk_image_has_one_partition_in_slot_1() {
    let mut image = vec![0; 1024];
    let error = |image: &[u8]| hard_disk_system_type(image).unwrap_err().to_string();
    assert!(error(&image).ends_with("no 55 aa at byte 510"));
    assert!(error(&image[..511]).ends_with("this has 511 bytes"));
    image[510..512].copy_from_slice(&[0x55, 0xAA]);
    assert!(error(&image).ends_with("this has none"));
    image[450] = 0x0E;
    assert_eq!(hard_disk_system_type(&image), Ok(0x0E));
    image[498] = 0x83;
    assert!(error(&image).ends_with("type 0e in slot 1, type 83 in slot 4"));
    image[450] = 0;
    assert!(error(&image).ends_with("type 83 in slot 4"));
}

#[test]
fn what_is_wrong_is_a_fault_and_the_rest_is_read() {
    let faults = |number, record: &[u8]| {
        let decoded = read(&with_record(number, record)).unwrap();
        assert!(decoded.catalog.sections.len() >= 2);
        decoded.faults.join("; ")
    };
    assert!(faults(0, &[1, 5]).contains("boot catalog: its checksum is "));
    let keyless: Vec<u8> = encode(&sample()).unwrap()[..30].iter().copied().chain([0, 0]).collect();
    assert!(faults(0, &keyless).contains("its key bytes are 00 00, not 55 aa"));
    assert_eq!(
        faults(1, &[0x77]),
        "boot catalog: record 2 has boot indicator 77, not 88 or 00"
    );
    assert_eq!(
        faults(1, &[0x88, 5]),
        "boot catalog: record 2 has the reserved media type 05"
    );
    assert_eq!(
        faults(2, &[0x90]),
        "boot catalog: the last section header is 90, more headers follow, not 91"
    );
    let decoded = read(&with_record(2, &[0x91, 0xEF, 2, 0])).unwrap();
    assert_eq!(
        decoded.catalog.sections[1].entries.len(),
        2,
        "zeros are an entry not bootable"
    );
}

#[test]
fn an_announced_entry_that_a_header_replaces_is_not_there() {
    let mut bytes = with_record(2, &[0x90, 0xEF, 9, 0]);
    bytes[128..132].copy_from_slice(&[0x91, 0, 0, 0]);
    let decoded = read(&bytes).unwrap();
    assert_eq!(decoded.catalog.sections[1].entries, sample().sections[1].entries);
    assert_eq!(decoded.catalog.sections.len(), 3);
    assert_eq!(
        decoded.faults,
        ["boot catalog: section 1 announces 9 entries; 1 were read"]
    );
}

#[test]
fn extensions_belong_to_the_entry_in_front() {
    let mut bytes = with_record(2, &[0x91, 0xEF, 2, 0]);
    bytes[97] |= 0x20;
    bytes[128..130].copy_from_slice(&[0x44, 0x20]);
    bytes[160] = 0x44;
    bytes[192..204].copy_from_slice(&[0x88, 0, 0, 0, 0, 0, 8, 0, 99, 0, 0, 0]);
    let decoded = read(&bytes).unwrap();
    let wanted = [sample().sections[1].entries[0], entry(Emulation::None, 8, 99 * 2048)];
    assert_eq!(decoded.catalog.sections[1].entries, wanted);
    assert_eq!(decoded.faults, [""; 0]);
}

#[test]
fn places_without_a_catalog_are_errors() {
    assert!(matches!(
        read(&[0; 2048]),
        Err(ElToritoError::NoValidation {
            offset: 40960,
            found: 0
        })
    ));
    let bytes = image(&encode(&sample()).unwrap());
    for offset in [bytes.len() as u64, u64::MAX, u64::MAX - 2047, 1 << 43] {
        assert!(matches!(decode(&bytes, offset), Err(ElToritoError::Unreadable(at, _)) if at == offset));
    }
    assert!(matches!(
        read(&encode(&sample()).unwrap()[..40]),
        Err(ElToritoError::Unreadable(..))
    ));
    assert_eq!(
        read(&encode(&sample()).unwrap()[..64]).unwrap().catalog.sections.len(),
        1
    );
}

#[test]
fn endless_catalogs_end() {
    let start = &encode(&sample()).unwrap()[..64];
    let endless = |record: &[u8; 4]| {
        let mut bytes = start.to_vec();
        for _ in 0..100_000 {
            bytes.extend_from_slice(record);
            bytes.extend_from_slice(&[0; 28]);
        }
        read(&bytes).unwrap()
    };
    // Headers without end, one header with entries without end, an entry with extensions without end.
    assert_eq!(endless(&[0x90, 0, 0, 0]).catalog.sections.len(), 511);
    let decoded = endless(&[0x90, 0, 0xFF, 0xFF]);
    assert_eq!(decoded.length, 8 * 2048);
    let mut bytes = [start, &[0x91, 0xEF, 0xFF, 0xFF], &[0; 28]].concat();
    bytes.extend_from_slice(&[0x88; 32 * 70_000]);
    let decoded = read(&bytes).unwrap();
    assert_eq!(decoded.catalog.sections[1].entries.len(), 63);
    assert!(
        decoded
            .faults
            .iter()
            .any(|fault| fault.contains("65535 entries; 63 were read"))
    );
    bytes.truncate(96);
    bytes.extend_from_slice(&[0x88; 32]);
    bytes.extend_from_slice(&[0x44; 32 * 70_000]);
    let decoded = read(&bytes).unwrap();
    assert_eq!(
        (decoded.catalog.sections[1].entries.len(), decoded.length),
        (1, 8 * 2048)
    );
}

fn any_entry() -> impl Strategy<Value = CatalogEntry> {
    use Emulation::*;
    let media = [None, Floppy12, Floppy144, Floppy288, HardDisk];
    (
        any::<bool>(),
        0..5_usize,
        any::<u16>(),
        any::<u8>(),
        any::<u16>(),
        any::<u32>(),
    )
        .prop_map(
            move |(bootable, media_type, load_segment, system_type, sectors, sector)| CatalogEntry {
                bootable,
                emulation: media[media_type],
                load_segment,
                system_type,
                sectors,
                offset: u64::from(sector) * SECTOR,
            },
        )
}

proptest! {
    #[test]
    fn every_catalog_reads_back(
        first in (any::<u8>(), "\\PC{0,6}", any_entry()),
        rest in proptest::collection::vec(
            (any::<u8>(), "\\PC{0,7}", proptest::collection::vec(any_entry(), 0..8)),
            0..7,
        ),
    ) {
        let (code, id, default) = first;
        let platform = Platform::from_code(code);
        let mut sections = vec![Section { platform, id, entries: vec![default] }];
        for (code, id, entries) in rest {
            sections.push(Section { platform: Platform::from_code(code), id, entries });
        }
        let catalog = Catalog { sections };
        let decoded = read(&encode(&catalog).unwrap()).unwrap();
        prop_assert_eq!(decoded.catalog, catalog);
        prop_assert_eq!(decoded.faults, Vec::<String>::new());
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        edits in proptest::collection::vec((0_usize..2048, any::<u8>()), 0..64),
        length in 0_usize..2048,
    ) {
        let mut bytes = encode(&sample()).unwrap();
        edits.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        bytes[0] = 1;
        let decoded = read(&bytes).unwrap();
        let entries: usize = decoded.catalog.sections.iter().map(|s| s.entries.len()).sum();
        prop_assert!(entries <= 64 && decoded.length <= 8 * 2048);
        prop_assert!(read(&bytes[..length]).is_ok() || length < 64);
    }
}
