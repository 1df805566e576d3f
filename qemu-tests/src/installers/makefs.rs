//! An installer that makefs makes.

use super::{ARGUMENTS, Installer};
use crate::verbs::Bench;
use std::fs;

const LABEL: &str = "14_0_RELEASE_AMD64_BO";

/// Like FreeBSD's. The ESP is not in the tree. The GPT has room for four entries and no backup. GRUB replaces FreeBSD's loaders, because those
/// cannot start Linux.
pub fn freebsd(bench: &Bench) -> Result<(), String> {
    let installer = Installer::new(bench, "boot/kernel/kernel", "boot/initrd")?;
    installer.put("boot/loader.conf", b"kernels_autodetect=\"NO\"\n");
    let configuration = format!(
        "set timeout=1\nmenuentry FreeBSD {{\n  linux /boot/kernel/kernel vfs.root.mountfrom=cd9660:iso9660/{LABEL} {ARGUMENTS} quiet\n\
         \x20 initrd /boot/initrd\n}}\n"
    );
    installer.put("boot/grub/grub.cfg", configuration.as_bytes());
    let early = format!("search --no-floppy --label {LABEL} --set root\nconfigfile ($root)/boot/grub/grub.cfg\n");
    installer.grub_efi("/boot/grub", &early);
    installer.grub_pc("boot/cdboot", "/boot/grub");
    installer.esp(4096, &[("EFI/BOOT/BOOTX64.EFI", "bootx64.efi")]);
    // Debian's makefs lists the images in the opposite order.
    installer.run(&format!(
        "makefs -t cd9660 -o bootimage=i386;esp.img -o no-emul-boot -o bootimage=i386;tree/boot/cdboot -o no-emul-boot -o rockridge \
         -o label={LABEL} -o publisher=THE_FREEBSD_PROJECT base.iso tree"
    ));
    let mut image = fs::read(bench.path("base.iso")).map_err(|e| e.to_string())?;
    let u32_at = |image: &[u8], at: usize| {
        let bytes = image.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or("the image is cut short")
    };
    let catalog = u32_at(&image, 17 * 2048 + 0x47)? as usize * 2048;
    let bios = u32_at(&image, catalog + 40)?;
    let entries = (catalog + 64..catalog + 2048).step_by(32);
    let uefi = entries
        .into_iter()
        .find(|&at| image[at] == 0x88)
        .ok_or("one entry alone")?;
    if [0x90, 0x91].contains(&image[uefi - 32]) {
        image[uefi - 31] = 0xEF;
    }
    let esp = u64::from(u32_at(&image, uefi + 8)?) * 4;
    image[catalog + 38..catalog + 40].copy_from_slice(&4_u16.to_le_bytes());
    // The boot info table that GRUB's code for discs reads.
    let mut code = fs::read(bench.path("tree/boot/cdboot")).map_err(|e| e.to_string())?;
    let length = code.len() as u32;
    code.resize(code.len().next_multiple_of(4), 0);
    let words = code[64..].chunks_exact(4);
    let sum = words.fold(0_u32, |sum, word| {
        sum.wrapping_add(u32::from_le_bytes(word.try_into().unwrap_or_default()))
    });
    for (place, value) in [16, bios, length, sum].into_iter().enumerate() {
        let at = bios as usize * 2048 + 8 + 4 * place;
        image[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    image.resize(image.len().next_multiple_of(2048), 0);
    let length = fs::metadata(bench.path("esp.img")).map_err(|e| e.to_string())?.len();
    tables(&mut image, esp, length / 512);
    fs::write(bench.path("base.iso"), image).map_err(|e| e.to_string())
}

/// MBR and GPT, with the partition for FreeBSD's boot code and the ESP.
fn tables(image: &mut [u8], esp: u64, sectors: u64) {
    let last = image.len() as u64 / 512 - 1;
    // 83BD6B9D-7F41-11DC-BE0B-001560B84F0F and C12A7328-F81F-11D2-BA4B-00A0C93EC93B
    let boot = *b"\x9d\x6b\xbd\x83\x41\x7f\xdc\x11\xbe\x0b\x00\x15\x60\xb8\x4f\x0f";
    let efi = *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";
    let mut entries = vec![0; 512];
    for (number, (kind, first, count)) in [(boot, 3, 29), (efi, esp, sectors)].into_iter().enumerate() {
        let entry = &mut entries[128 * number..];
        entry[..16].copy_from_slice(&kind);
        entry[16..32].fill(number as u8 + 1);
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&(first + count - 1).to_le_bytes());
    }
    let mut header = [0; 92];
    header[..8].copy_from_slice(b"EFI PART");
    for (at, value) in [
        (8, 0x1_0000),
        (12, 92),
        (80, 4),
        (84, 128),
        (88, crate::broken::crc32(&entries)),
    ] {
        header[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    for (at, value) in [(24, 1), (32, last), (40, 3), (48, last - 2), (72, 2)] {
        header[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
    }
    header[56..72].fill(9);
    let sum = crate::broken::crc32(&header);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    image[..512].fill(0);
    image[446..462].copy_from_slice(&[0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0]);
    image[458..462].copy_from_slice(&(last as u32).to_le_bytes());
    image[510..512].copy_from_slice(&[0x55, 0xAA]);
    image[512..604].copy_from_slice(&header);
    image[1024..1536].copy_from_slice(&entries);
}
