//! Round trips, the bytes UEFI and fdisk expect, and boot code as packages have it.

use proptest::prelude::*;

use super::*;

const EMPTY: Mbr = Mbr {
    boot_code: [0; 440],
    disk_signature: 0,
    slots: [UNUSED; 4],
};

const UNUSED: Slot = Slot {
    active: false,
    kind: 0,
    start: 0,
    length: 0,
};

/// The sixteen bytes of slot 1.
fn record(slot: Slot) -> [u8; 16] {
    let sector = encode(&Mbr {
        slots: [slot, UNUSED, UNUSED, UNUSED],
        ..EMPTY
    })
    .unwrap();
    sector[446..462].try_into().unwrap()
}

#[test]
fn fields_lie_where_uefi_5_2_1_says() {
    let mut boot_code = [0; 440];
    boot_code[0] = 0xEB;
    boot_code[439] = 0x99;
    let slots = [1, 2, 3, 4].map(|kind| Slot {
        active: kind == 2,
        kind,
        start: 1,
        length: 1,
    });
    let sector = encode(&Mbr {
        boot_code,
        disk_signature: 0x1234_5678,
        slots,
    })
    .unwrap();
    assert_eq!((sector[0], sector[439]), (0xEB, 0x99));
    assert_eq!(sector[440..446], [0x78, 0x56, 0x34, 0x12, 0, 0]);
    assert_eq!([446, 462, 478, 494].map(|at| sector[at]), [0, 0x80, 0, 0]);
    assert_eq!([450, 466, 482, 498].map(|at| sector[at]), [1, 2, 3, 4]);
    assert_eq!(sector[510..], [0x55, 0xAA]);
}

#[test]
fn unused_slots_are_zero() {
    assert_eq!(record(UNUSED), [0; 16]);
}

#[test]
fn protective_slot_is_uefi_5_2_3() {
    // 1 MiB: the end is LBA 2047, cylinder 0, head 32, sector 32.
    let small = record(protective(2048));
    assert_eq!(small, [0, 0, 2, 0, 0xEE, 32, 32, 0, 1, 0, 0, 0, 0xFF, 7, 0, 0]);
    // 16 GiB is past the last cylinder.
    let large = record(protective(1 << 25));
    assert_eq!(large[1..8], [0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF]);
    assert_eq!(protective(1 << 32).length, u32::MAX);
    assert_eq!(protective(u64::MAX).length, u32::MAX);
    assert_eq!(protective(0).length, 0);
}

#[test]
fn other_slots_clamp_to_the_end_of_the_geometry() {
    let bytes = record(Slot {
        active: true,
        kind: 0xEF,
        start: 1 << 31,
        length: u32::MAX,
    });
    assert_eq!(bytes[..8], [0x80, 0xFE, 0xFF, 0xFF, 0xEF, 0xFE, 0xFF, 0xFF]);
    // The last address that fits, and the first that does not.
    let last = 1024 * 255 * 63 - 1;
    assert_eq!(
        record(Slot {
            active: false,
            kind: 1,
            start: last,
            length: 1
        })[1..4],
        [254, 0xFF, 0xFF]
    );
    assert_eq!(
        record(Slot {
            active: false,
            kind: 1,
            start: last - 63,
            length: 1
        })[1..4],
        [253, 0xFF, 0xFF]
    );
    assert_eq!(
        record(Slot {
            active: false,
            kind: 1,
            start: last + 1,
            length: 1
        })[1..4],
        [254, 0xFF, 0xFF]
    );
}

#[test]
fn active_slot_without_a_partition_covers_sector_0() {
    let bytes = record(Slot {
        active: true,
        kind: 0,
        start: 0,
        length: 1,
    });
    assert_eq!(bytes, [0x80, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn slots_past_2_to_the_32_sectors_are_refused() {
    let tib = 1 << 40;
    assert_eq!(slot(0, 2 * tib - 512, 512), Ok((0, u32::MAX)));
    assert_eq!(slot(512, 2 * tib - 512, 512), Ok((1, u32::MAX)));
    for (start, length) in [
        (0, 2 * tib),
        (1024, 2 * tib - 512),
        (2 * tib, 512),
        (u64::MAX - 511, 512),
    ] {
        assert_eq!(
            slot(start, length, 512),
            Err(MbrError::TooFar {
                start,
                length,
                sector: 512
            })
        );
    }
    assert_eq!(slot(4096, 16 * tib - 8192, 4096), Ok((1, u32::MAX - 1)));
    assert_eq!(
        slot(512, 512, 4096),
        Err(MbrError::Unaligned {
            bytes: 512,
            sector: 4096
        })
    );
    assert_eq!(slot(512, 512, 0), Err(MbrError::Unaligned { bytes: 512, sector: 0 }));
}

#[test]
fn boot_code_is_code_alone_or_a_sector_without_a_table() {
    for length in [1, 432, 439, 440] {
        let code = boot_code(&vec![0x90; length]).unwrap();
        assert!(code[..length].iter().all(|&byte| byte == 0x90));
        assert!(code[length..].iter().all(|&byte| byte == 0));
    }
    for length in [0, 441, 446, 511, 513, 2048] {
        assert_eq!(boot_code(&vec![0; length]), Err(MbrError::CodeLength(length as u64)));
    }
    let mut sector = [0x90; 512];
    sector[446..510].fill(0);
    assert_eq!(boot_code(&sector), Err(MbrError::CodeSignature(0x90, 0x90)));
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    assert_eq!(boot_code(&sector), Ok([0x90; 440]));
    for offset in [446, 509] {
        let mut own = sector;
        own[offset] = 7;
        assert_eq!(boot_code(&own), Err(MbrError::CodeHasTable { offset, value: 7 }));
    }
}

#[test]
fn boot_sectors_of_file_systems_are_no_mbr() {
    let mut sector = encode(&EMPTY).unwrap();
    assert!(decode(&sector).is_some());
    sector[446] = b'N';
    assert_eq!(decode(&sector), None, "a boot flag of 4E");
    sector[446] = 0;
    sector[511] = 0;
    assert_eq!(decode(&sector), None, "no 55 AA");
}

fn any_slot() -> impl Strategy<Value = Slot> {
    (any::<bool>(), any::<u8>(), any::<u32>(), any::<u32>()).prop_map(|(active, kind, start, length)| Slot {
        active,
        kind,
        start,
        length,
    })
}

proptest! {
    #[test]
    fn every_record_reads_back(
        code in proptest::collection::vec(any::<u8>(), 440),
        disk_signature: u32,
        slots in proptest::array::uniform4(any_slot()),
    ) {
        let mbr = Mbr { boot_code: code.try_into().unwrap(), disk_signature, slots };
        prop_assert_eq!(decode(&encode(&mbr).unwrap()), Some(mbr));
    }

    #[test]
    fn addresses_within_the_geometry_are_exact(lba in 0..1024_u32 * 255 * 63) {
        let bytes = record(Slot { active: false, kind: 0x0C, start: lba, length: 1 });
        prop_assert_eq!(&bytes[1..4], &bytes[5..8]);
        let (head, sector) = (u32::from(bytes[1]), u32::from(bytes[2] & 0x3F));
        let cylinder = u32::from(bytes[2] & 0xC0) << 2 | u32::from(bytes[3]);
        prop_assert_eq!((cylinder * 255 + head) * 63 + sector - 1, lba);
    }

    #[test]
    fn any_sector_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 512), legal: bool) {
        let mut sector: [u8; 512] = bytes.try_into().unwrap();
        if legal {
            sector[510..].copy_from_slice(&[0x55, 0xAA]);
            [446, 462, 478, 494].into_iter().for_each(|at| sector[at] &= 0x80);
        }
        let decoded = decode(&sector);
        prop_assert!(decoded.is_some() || !legal);
        if let Some(mbr) = decoded {
            prop_assert_eq!(decode(&encode(&mbr).unwrap()), Some(mbr));
        }
    }
}
