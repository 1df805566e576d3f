//! Boot catalogs with everything that El Torito has, tables at the limits of their formats, and an ESP that is there already.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::ground::text;

#[test]
fn every_emulation_and_platform_is_recorded_as_the_manifest_says() {
    let host = host();
    let mut disk = vec![0; 1 << 20];
    // One partition of type 0x0C from sector 63, in slot 1.
    disk[446..462].copy_from_slice(&[0x80, 1, 1, 0, 0x0c, 0, 0, 0, 63, 0, 0, 0, 0xc1, 7, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    host.put("disk.img", &disk);
    host.put("12.img", &vec![12; 1_228_800]);
    host.put("144.img", &vec![14; 1_474_560]);
    host.put("288.img", &vec![28; 2_949_120]);
    let (described, image) = host.build(
        "[boot.bios]\nimage = \"disk.img\"\nemulation = \"hard-disk\"\nload_sectors = 1\nload_segment = 0x07e0\n\
         [[boot.entry]]\nplatform = 0\nimage = \"12.img\"\nemulation = \"floppy-1.2\"\n\
         [[boot.entry]]\nplatform = 0\nimage = \"144.img\"\nemulation = \"floppy-1.44\"\n\
         [[boot.entry]]\nplatform = 1\nimage = \"288.img\"\nemulation = \"floppy-2.88\"\n\
         [[boot.entry]]\nplatform = 0x9a\nimage = \"loader\"\nload_sectors = 7\n\
         [[boot.entry]]\nplatform = 0xef\nimage = \"loader\"\n",
    );
    let entries: Vec<_> = described
        .facts
        .el_torito
        .iter()
        .map(|entry| {
            let head = image[entry.offset as usize];
            (
                entry.platform.to_string(),
                entry.emulation.to_string(),
                entry.load_sectors,
                entry.load_segment,
                head,
            )
        })
        .collect();
    let wanted = [
        ("bios", "hard-disk", 1, 0x07e0, 0),
        ("bios", "floppy-1.2", 4, 0, 12),
        ("bios", "floppy-1.44", 4, 0, 14),
        ("ppc", "floppy-2.88", 4, 0, 28),
        ("0x9A", "none", 7, 0, 2),
        ("uefi", "none", 18, 0, 2),
    ];
    let wanted = wanted.map(|(platform, emulation, sectors, segment, head)| {
        (platform.to_owned(), emulation.to_owned(), sectors, segment, head)
    });
    assert_eq!(entries, wanted);
    // El Torito §2.2: the default entry names the type of the disk's partition, in its fifth byte.
    let catalog = described.facts.boot_catalog.unwrap().offset as usize;
    assert_eq!(image[catalog + 32..][..5], [0x88, 4, 0xe0, 0x07, 0x0c]);
}

#[test]
fn grub_finds_its_image_from_the_boot_code_and_from_itself() {
    let host = host();
    host.put("grub.img", &[3; 5000]);
    host.put("boot_hybrid.img", &[0x90; 432]);
    let (described, image) =
        host.build("[boot.bios]\nimage = \"grub.img\"\ninfo_table = \"grub2\"\nmbr = \"boot_hybrid.img\"\n");
    let offset = described.facts.el_torito[0].offset;
    let number = |at: u64| u64::from_le_bytes(*image[at as usize..].first_chunk().unwrap());
    assert_eq!(number(0x1b0), offset / 512 + 4);
    assert_eq!(number(offset + 2548), offset / 512 + 5);
    let table = described.facts.el_torito[0].info_table.as_ref().unwrap();
    assert_eq!(table.length, 5000);
}

#[test]
fn an_input_of_another_digest_is_refused() {
    let host = host();
    let entry = |digest: &str| format!("[[files]]\nfrom = \"tree/a\"\nto = \"/\"\nsha256 = \"{digest}\"\n");
    // Of "a".
    let right = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    host.build(&entry(right));
    host.build(&entry(&right.to_uppercase()));
    let error = host.error(&entry(&right.replace("ca97", "ca98")));
    assert!(
        error.contains("tree/a") && error.contains(&format!("its SHA-256 is {right}")),
        "{error}"
    );
    let directory = host.error(&format!(
        "[[files]]\nfrom = \"tree\"\nto = \"/\"\nsha256 = \"{right}\"\n"
    ));
    assert!(directory.contains("`sha256` is for a single file"), "{directory}");
    // The right one changes no byte, though it is known of more than the ends of a large file.
    let bytes = vec![7; 3 << 20];
    host.put("large", &bytes);
    let boot = "[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = \"loader\"\n";
    let large = "[[files]]\nfrom = \"large\"\nto = \"/\"\n";
    let digest = text::hex(&Sha256::digest(&bytes));
    let (_, given) = host.build(&format!("{large}sha256 = \"{digest}\"\n{boot}"));
    assert!(given == host.build(&format!("{large}{boot}")).1);
}

#[test]
fn load_sizes_that_no_bios_could_count_are_refused() {
    let host = host();
    let size = |length: u64| {
        fs::File::create(host.at("bios.bin")).unwrap().set_len(length).unwrap();
    };
    size(65_535 * 512 + 1);
    let error = host.error("[boot.bios]\nimage = \"bios.bin\"\n");
    assert!(
        error.contains("33553921 bytes is too large") && error.contains("El Torito §2.2"),
        "{error}"
    );
    size(65_535 * 512);
    host.build("[boot.bios]\nimage = \"bios.bin\"\nload_sectors = 65535\n");
    let error = host.error("[boot.bios]\nimage = \"bios.bin\"\nload_sectors = 65536\n");
    assert!(error.contains("manifest.toml:3:16"), "{error}");
    let error = host.error("[boot.bios]\nimage = \"bios.bin\"\nload_sectors = 0\n");
    assert!(error.contains("manifest.toml:3:16"), "{error}");
}

#[test]
fn the_backup_gpt_ends_the_image_whatever_its_length() {
    let host = host();
    for length in [0, 1, 511, 512, 2047, 2049, 100_001] {
        fs::write(host.at("tree/a"), vec![7; length]).unwrap();
        let (described, bytes) = host.build(&format!("{BOOT}{TREE}"));
        assert!(described.facts.size.is_multiple_of(2048) && described.facts.size == bytes.len() as u64);
        assert!(bytes[bytes.len() - 512..].starts_with(b"EFI PART"));
        assert_eq!((described.facts.gpt.len(), described.facts.faults.len()), (1, 0));
    }
}

#[test]
fn a_ready_esp_goes_in_as_it_is_and_is_looked_into() {
    let host = host();
    let (described, image) = host.build(BOOT);
    let esp = &described.facts.esp[0];
    let mut volume = image[esp.offset as usize..][..esp.length as usize].to_vec();
    host.put("esp.img", &volume);
    let ready = "[boot.uefi]\nimage = \"esp.img\"\n";
    let (described, image) = host.build(ready);
    assert!(
        described.planned.warnings.is_empty(),
        "{:?}",
        described.planned.warnings
    );
    assert_eq!(extent(&described, "esp:/EFI/BOOT/BOOTX64.EFI").length, 9000);
    assert_eq!(described.facts.esp[0].loaders[0].path, "/EFI/BOOT/BOOTX64.EFI");
    assert!(image[described.facts.esp[0].offset as usize..].starts_with(&volume));
    // One entry of the second table differs from the first.
    let tables = described
        .facts
        .extents
        .iter()
        .find(|extent| extent.what == What::FatTable2);
    volume[(tables.unwrap().offset - described.facts.esp[0].offset) as usize + 5] ^= 1;
    host.put("esp.img", &volume);
    let (described, _) = host.build(ready);
    assert!(
        has(
            &described.planned.warnings,
            "the FAT volume is damaged: allocation table 2 differs"
        ),
        "{:?}",
        described.planned.warnings
    );
    volume.truncate(volume.len() / 2);
    host.put("esp.img", &volume);
    assert!(host.error(ready).contains("this image is cut short"));
    host.put("esp.img", &[0; 65536]);
    assert!(host.error(ready).contains("is not a FAT volume"));
}
