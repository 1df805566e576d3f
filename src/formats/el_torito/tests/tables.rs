//! Boot info tables and the addresses in an MBR.

use super::boot_info::{Table, checksum, patch_grub2, patch_isolinux, patch_mbr_grub2, patch_mbr_isolinux, read};
use super::*;

#[test]
fn isolinux_table_is_behind_the_first_8_bytes() {
    let mut image = vec![0x5A; 69];
    patch_isolinux(&mut image, 35 * 2048).unwrap();
    assert_eq!(image[..8], [0x5A; 8]);
    assert_eq!(image[8..20], [16, 0, 0, 0, 35, 0, 0, 0, 69, 0, 0, 0]);
    // One whole word and one byte of the next.
    assert_eq!(image[20..24], (0x5A5A_5A5A_u32 + 0x5A).to_le_bytes());
    assert_eq!(image[24..64], [0; 40]);
    assert_eq!(image[64..], [0x5A; 5]);
    let table = Table {
        pvd_block: 16,
        block: 35,
        length: 69,
        checksum: 0x5A5A_5AB4,
    };
    assert_eq!(read(&image, 35 * 2048), Some(table));
    assert_eq!(read(&image, 36 * 2048), None);
    assert_eq!(read(&image, 35 * 2048 + 1), None);
    assert_eq!(read(&image[..23].to_vec(), 35 * 2048), None);
    image[8] = 17;
    assert_eq!(read(&image, 35 * 2048), None);
}

#[test]
fn grub_table_counts_the_block_list_in() {
    let mut image = vec![1; 2556];
    patch_grub2(&mut image, 35 * 2048).unwrap();
    assert_eq!(image[2548..], (35_u64 * 4 + 5).to_le_bytes());
    assert_eq!(read(&image, 35 * 2048).unwrap().checksum, checksum(&image));
    let far = u64::from(u32::MAX) * 2048;
    patch_grub2(&mut image, far).unwrap();
    assert_eq!(image[2548..], 0x4_0000_0001_u64.to_le_bytes());
}

#[test]
fn images_too_short_or_out_of_place_are_refused_and_left_alone() {
    let mut image = vec![1; 2555];
    assert_eq!(
        patch_grub2(&mut image, 2048),
        Err(ElToritoError::Short {
            length: 2555,
            needed: 2556
        })
    );
    let place = |offset| ElToritoError::Place {
        what: "boot image",
        offset,
    };
    assert_eq!(patch_isolinux(&mut image, 2047), Err(place(2047)));
    assert_eq!(patch_grub2(&mut image, 1 << 43), Err(place(1 << 43)));
    assert_eq!(image, [1; 2555]);
    assert_eq!(
        patch_isolinux(&mut [1; 63], 0),
        Err(ElToritoError::Short { length: 63, needed: 64 })
    );
    assert_eq!(checksum(&[1; 63]), 0);
}

#[test]
fn the_mbr_gets_the_address_in_512_byte_sectors() {
    let mut mbr = [0xCC; 512];
    patch_mbr_isolinux(&mut mbr, 35 * 2048).unwrap();
    assert_eq!(
        mbr[428..440],
        [0xCC, 0xCC, 0xCC, 0xCC, 140, 0, 0, 0, 0xCC, 0xCC, 0xCC, 0xCC]
    );
    patch_mbr_grub2(&mut mbr, 35 * 2048).unwrap();
    assert_eq!(mbr[0x1B0..0x1B8], 144_u64.to_le_bytes());
    assert_eq!(mbr[0x1B8..], [0xCC; 72]);
    // 2 TiB: a u32 of 512-byte sectors ends, a u64 does not.
    assert!(patch_mbr_isolinux(&mut mbr, (1 << 41) - 2048).is_ok());
    assert!(matches!(
        patch_mbr_isolinux(&mut mbr, 1 << 41),
        Err(ElToritoError::Place { .. })
    ));
    assert!(patch_mbr_grub2(&mut mbr, 1 << 41).is_ok());
}

#[test]
fn a_table_is_compared_with_the_image_that_it_is_in() {
    let mut image = vec![7; 200_003];
    patch_isolinux(&mut image, 0x10000).unwrap();
    let table = boot_info::read(&image, 0x10000).unwrap();
    assert_eq!(boot_info::verify(&image, &table), Ok(()));
    let fault = |image: &Vec<u8>, table: &Table| boot_info::verify(image, table).unwrap_err();
    let mut changed = image.clone();
    changed[150_000] ^= 1;
    assert!(fault(&changed, &table).contains("it was changed after"));
    assert!(
        fault(
            &image,
            &Table {
                length: 200_004,
                ..table
            }
        )
        .contains("no boot image here can have")
    );
}
