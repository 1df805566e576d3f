//! Images with the built-in loader.

use super::{Host, host};
use crate::boot::{self, NO_ID};

/// A file that says it is a Linux kernel for both, as far as a planner looks; `tail` makes it another.
fn kernel(tail: u8) -> Vec<u8> {
    let mut bytes = boot::EFI_X64.to_vec();
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
    bytes[0x211] = 1;
    bytes[0x238..0x23c].copy_from_slice(&100_u32.to_le_bytes());
    bytes.push(tail);
    bytes
}

/// An EFI program for x64 that 32-bit firmware can start too: `.reloc`, whose bytes nobody needs here, becomes `.compat`.
fn mixed() -> Vec<u8> {
    let mut program = boot::EFI_X64.to_vec();
    let header = places(&program, b".reloc\0\0")[0];
    program[header..header + 8].copy_from_slice(b".compat\0");
    let field = |at: usize| u32::from_le_bytes(program[header + at..header + at + 4].try_into().unwrap()) as usize;
    let at = field(20);
    program[at..at + 9].copy_from_slice(&[1, 8, 0x4C, 1, 0, 0x10, 0, 0, 0]);
    program
}

fn with_kernel() -> Host {
    let host = host();
    host.put("vmlinuz", &kernel(1));
    host.put("initrd.img", b"initrd");
    host
}

const MENU: &str = "[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"quiet\"\n";

/// Where `what` stands in `bytes`, each time.
fn places(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(what.len()).enumerate();
    windows
        .filter(|(_, window)| *window == what)
        .map(|(at, _)| at)
        .collect()
}

fn id_of(image: &[u8]) -> String {
    let at = places(image, b"\nid = ")[0] + 6;
    String::from_utf8(image[at..at + 32].to_vec()).unwrap()
}

#[test]
fn four_lines_boot_everywhere() {
    let (facts, image) = with_kernel().build(MENU);
    for cell in ["bios-cd", "bios-usb", "uefi-cd", "uefi-usb"] {
        let verdict = facts
            .cells
            .iter()
            .find(|verdict| verdict.cell.to_string() == cell)
            .unwrap();
        assert!(verdict.boots, "{cell}: {}", verdict.reason);
    }
    let menu = "\nentry = Boot\nkernel = /boot/vmlinuz\ninitrd = /boot/initrd.img\ncmdline = quiet\n";
    assert_eq!(places(&image, menu.as_bytes()).len(), 1);
}

#[test]
fn one_id_stands_in_the_menu_the_esp_and_the_bios_image() {
    let (_, image) = with_kernel().build(MENU);
    let id = id_of(&image);
    assert_ne!(id.as_bytes(), NO_ID);
    assert_eq!(places(&image, id.as_bytes()).len(), 3);
    // The programs for UEFI are as they were built: what is signed must not change.
    assert_eq!(places(&image, boot::EFI_X64).len(), 1);
}

#[test]
fn the_loaders_images_differ_from_those_built_in_their_fields_alone() {
    let (facts, image) = with_kernel().build(MENU);
    let offset = super::extent(&facts, "iso:/boot/isobuild/bios.img").offset as usize;
    let written = &image[offset..][..boot::BIOS_IMAGE.len()];
    let table = 8..64;
    let id = boot::ID_IN_BIOS_IMAGE..boot::ID_IN_BIOS_IMAGE + NO_ID.len();
    for (at, (byte, built)) in written.iter().zip(boot::BIOS_IMAGE).enumerate() {
        assert!(byte == built || table.contains(&at) || id.contains(&at), "byte {at}");
    }
    // The boot code ends where the address of the image stands, in sectors of 512 bytes.
    assert_eq!(&image[..boot::BOOT_CODE.len()], boot::BOOT_CODE);
    assert_eq!(image[432..436], ((offset / 512) as u32).to_le_bytes());
}

#[test]
fn another_content_has_another_id_and_the_same_has_the_same() {
    let id = |manifest: &str, tail| {
        let host = with_kernel();
        host.put("vmlinuz", &kernel(tail));
        id_of(&host.build(manifest).1)
    };
    assert_eq!(id(MENU, 1), id(MENU, 1));
    assert_ne!(id(MENU, 1), id(MENU, 2));
    assert_ne!(id(MENU, 1), id(&MENU.replace("quiet", "loud"), 1));
}

#[test]
fn files_of_one_name_are_numbered_and_one_file_is_stored_once() {
    let host = with_kernel();
    host.put("other/vmlinuz", &kernel(2));
    let more = "[[menu]]\nkernel = \"other/vmlinuz\"\n[[menu]]\nkernel = \"vmlinuz\"\n\
                [[files]]\nfrom = \"initrd.img\"\nto = \"/live/\"\n[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"iso:/live/initrd.img\"\n";
    let (_, image) = host.build(&format!("{MENU}{more}"));
    for (line, count) in [
        ("\nkernel = /boot/vmlinuz\n", 3),
        ("\nkernel = /boot/vmlinuz-2\n", 1),
        ("\ninitrd = /live/initrd.img\n", 1),
    ] {
        assert_eq!(places(&image, line.as_bytes()).len(), count, "{line}");
    }
    assert_eq!(places(&image, &kernel(1)).len(), 1);
}

#[test]
fn the_firmware_follows_from_the_kernels() {
    let host = with_kernel();
    let mut for_bios = kernel(1);
    for_bios[0] = 0;
    host.put("old", &for_bios);
    host.put("stub", boot::EFI_X64);
    host.put("arm", boot::EFI[2].2);
    host.put("mixed", &mixed());
    let (bios, uefi, ia32, aa64) = ("bios-cd", "uefi-usb", "uefi-ia32-usb", "uefi-aa64-cd");
    for (manifest, cells) in [
        (MENU, &[bios, uefi][..]),
        ("[[menu]]\nkernel = \"old\"\n", &[bios]),
        ("[[menu]]\nkernel = \"stub\"\n", &[uefi]),
        ("[[menu]]\nefi = \"stub\"\n", &[uefi]),
        ("[[menu]]\nkernel = \"mixed\"\n", &[uefi, ia32]),
        ("[[menu]]\nkernel = \"arm\"\n", &[aa64]),
        (&format!("{MENU}[[menu]]\nkernel = \"arm\"\n"), &[bios, uefi, aa64]),
        ("[[menu]]\naction = \"reboot\"\n", &[bios, uefi, ia32, aa64]),
        (
            "[boot]\nfirmware = [\"uefi\"]\n[[menu]]\nkernel = \"vmlinuz\"\n",
            &[uefi],
        ),
        (
            "[boot]\nfirmware = [\"uefi-ia32\"]\n[[menu]]\nkernel = \"mixed\"\n",
            &[ia32],
        ),
    ] {
        let (facts, _) = host.build(manifest);
        let boots = |cell: &str| {
            facts
                .cells
                .iter()
                .any(|verdict| verdict.cell.to_string() == cell && verdict.boots)
        };
        for cell in [bios, uefi, ia32, aa64] {
            assert_eq!(boots(cell), cells.contains(&cell), "{cell} of {manifest}");
        }
    }
}

#[test]
fn an_entry_says_which_firmware_shows_it_where_not_all_do() {
    let host = with_kernel();
    host.put("arm", boot::EFI[2].2);
    let arm = "[[menu]]\ntitle = \"ARM\"\nkernel = \"arm\"\n";
    let (_, image) = host.build(&format!("{MENU}{arm}[[menu]]\naction = \"reboot\"\n"));
    for lines in [
        "cmdline = quiet\nfirmware = bios uefi\n",
        "entry = ARM\nkernel = /boot/arm\nfirmware = uefi-aa64\n",
        "action = reboot\n",
    ] {
        assert_eq!(places(&image, lines.as_bytes()).len(), 1, "{lines}");
    }
    let (_, image) = host.build(MENU);
    assert_eq!(places(&image, b"firmware = "), Vec::<usize>::new());
}

#[test]
fn a_kernel_that_a_wanted_firmware_of_its_family_cannot_start_is_warned_of() {
    let host = with_kernel();
    host.put("arm", boot::EFI[2].2);
    let all = "[boot]\nfirmware = [\"bios\", \"uefi\", \"uefi-ia32\", \"uefi-aa64\"]\n";
    let (facts, _) = host.build(&format!("{all}{MENU}[[menu]]\nkernel = \"arm\"\n"));
    assert_eq!(facts.warnings, ["\"vmlinuz\" cannot be started under uefi-ia32"]);
}

#[test]
fn what_the_loader_could_not_start_is_refused() {
    let host = with_kernel();
    host.put("text", b"not a kernel");
    host.put("large", &vec![0; 100 << 10]);
    let mut arm = boot::EFI_X64.to_vec();
    arm[68..70].copy_from_slice(&0x01C2_u16.to_le_bytes());
    host.put("arm", &arm);
    let taken = format!("{MENU}[[files]]\ntext = \"x\"\nto = \"/boot/isobuild/menu.cfg\"\n");
    let file = format!("{MENU}[[files]]\ntext = \"x\"\nto = \"/boot\"\n");
    let long = MENU.replace("quiet", &"x".repeat(101));
    let huge = "[[menu]]\naction = \"reboot\"\n"
        .repeat(2)
        .replace("action", &format!("title = \"{}\"\naction", "x".repeat(40_000)));
    for (manifest, says) in [
        ("[[menu]]\nkernel = \"text\"\n", "is not a Linux kernel"),
        ("[[menu]]\nefi = \"text\"\n", "is not an EFI program"),
        (
            "[[menu]]\nkernel = \"arm\"\n",
            "is for arm, and the built-in loader is for x64, ia32 and aa64",
        ),
        (
            "[[menu]]\nbios = \"large\"\n",
            "has 102400 bytes and no Linux-style header",
        ),
        ("[[menu]]\nkernel = \"missing\"\n", "cannot use \"missing\""),
        ("[[menu]]\nkernel = \"iso:/missing\"\n", "/missing is not in the image"),
        (
            &taken,
            "/boot/isobuild/menu.cfg of [[files]] stands where the loader puts /boot/isobuild/menu.cfg",
        ),
        (&file, "/boot is a file of [[files]]"),
        (&long, "the command line has 101 bytes; \"vmlinuz\" takes 100"),
        (&huge, "the loader reads 65536 at most"),
    ] {
        let error = host.error(manifest);
        assert!(error.contains(says), "{says:?} is missing in\n{error}");
    }
}

#[test]
fn the_users_files_win_over_the_loaders_in_the_esp() {
    let host = with_kernel();
    host.put("shim", &kernel(7));
    let manifest = format!(
        "{MENU}[boot.uefi.files]\n\"/efi/boot/bootx64.efi\" = \"shim\"\n\"/efi/boot/grubx64.efi\" = \"vmlinuz\"\n"
    );
    let (facts, image) = host.build(&manifest);
    assert_eq!(places(&image, boot::EFI_X64), Vec::<usize>::new());
    let paths: Vec<_> = facts.extents.iter().flat_map(|extent| &extent.paths).collect();
    for path in [
        "esp:/efi/boot/bootx64.efi",
        "esp:/efi/boot/grubx64.efi",
        "esp:/efi/boot/isobuild.id",
    ] {
        assert!(
            paths.iter().any(|other| other.eq_ignore_ascii_case(path)),
            "{path} is not in {paths:?}"
        );
    }
}
