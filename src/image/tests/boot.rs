//! Boot catalogs with everything that El Torito has.

use super::*;

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
    let (facts, image) = host.build(
        "[boot.bios]\nimage = \"disk.img\"\nemulation = \"hard-disk\"\nload_sectors = 1\nload_segment = 0x07e0\n\
         [[boot.entry]]\nplatform = 0\nimage = \"12.img\"\nemulation = \"floppy-1.2\"\n\
         [[boot.entry]]\nplatform = 0\nimage = \"144.img\"\nemulation = \"floppy-1.44\"\n\
         [[boot.entry]]\nplatform = 1\nimage = \"288.img\"\nemulation = \"floppy-2.88\"\n\
         [[boot.entry]]\nplatform = 0x9a\nimage = \"loader\"\nload_sectors = 7\n\
         [[boot.entry]]\nplatform = 0xef\nimage = \"loader\"\n",
    );
    let entries: Vec<_> = facts
        .el_torito
        .iter()
        .map(|entry| {
            let head = image[entry.offset as usize];
            (
                entry.platform.as_str(),
                entry.emulation.as_str(),
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
    assert_eq!(entries, wanted);
    // El Torito §2.2: the default entry names the type of the disk's partition, in its fifth byte.
    let catalog = facts.boot_catalog.unwrap().offset as usize;
    assert_eq!(image[catalog + 32..][..5], [0x88, 4, 0xe0, 0x07, 0x0c]);
}

#[test]
fn grub_finds_its_image_from_the_boot_code_and_from_itself() {
    let host = host();
    host.put("grub.img", &[3; 5000]);
    host.put("boot_hybrid.img", &[0x90; 432]);
    let (facts, image) =
        host.build("[boot.bios]\nimage = \"grub.img\"\ninfo_table = \"grub2\"\nmbr = \"boot_hybrid.img\"\n");
    let offset = facts.el_torito[0].offset;
    let number = |at: u64| u64::from_le_bytes(*image[at as usize..].first_chunk().unwrap());
    assert_eq!(number(0x1b0), offset / 512 + 4);
    assert_eq!(number(offset + 2548), offset / 512 + 5);
    let table = facts.el_torito[0].info_table.as_ref().unwrap();
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
}
