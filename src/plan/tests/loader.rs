//! Images with the built-in loader.

use super::{Host, host};
use crate::resolve::loader::builtin::{self, NO_ID};

/// A file that says it is a Linux kernel for both, as far as a planner looks; `tail` makes it another.
pub(super) fn kernel(tail: u8) -> Vec<u8> {
    let mut bytes = builtin::EFI_X64.to_vec();
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
    bytes[0x211] = 1;
    bytes[0x1f1] = 1;
    bytes[0x22c..0x230].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    bytes[0x258..0x260].copy_from_slice(&0x100_0000_u64.to_le_bytes());
    bytes[0x260..0x264].copy_from_slice(&0x200_0000_u32.to_le_bytes());
    bytes[0x238..0x23c].copy_from_slice(&100_u32.to_le_bytes());
    bytes.push(tail);
    bytes
}

/// An EFI program for x64 that 32-bit firmware can start too: `.reloc`, whose bytes nobody needs here, becomes `.compat`.
fn mixed() -> Vec<u8> {
    let mut program = builtin::EFI_X64.to_vec();
    let header = places(&program, b".reloc\0\0")[0];
    program[header..header + 8].copy_from_slice(b".compat\0");
    let field = |at: usize| u32::from_le_bytes(program[header + at..header + at + 4].try_into().unwrap()) as usize;
    let at = field(20);
    program[at..at + 9].copy_from_slice(&[1, 8, 0x4C, 1, 0, 0x10, 0, 0, 0]);
    program
}

pub(super) fn with_kernel() -> Host {
    let host = host();
    host.put("vmlinuz", &kernel(1));
    host.put("initrd.img", b"070701");
    host
}

pub(super) const MENU: &str = "[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"quiet\"\n";

/// Where `what` stands in `bytes`, each time.
pub(super) fn places(bytes: &[u8], what: &[u8]) -> Vec<usize> {
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
    let (described, image) = with_kernel().build(MENU);
    for cell in ["bios-cd", "bios-usb", "uefi-cd", "uefi-usb"] {
        let verdict = described
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
    assert_eq!(places(&image, builtin::EFI_X64).len(), 1);
}

#[test]
fn the_loaders_images_differ_from_those_built_in_their_fields_alone() {
    let (described, image) = with_kernel().build(MENU);
    let offset = super::extent(&described, "iso:/boot/isobuild/bios.img").offset as usize;
    let written = &image[offset..][..builtin::BIOS_IMAGE.len()];
    let table = 8..64;
    let id = builtin::ID_IN_BIOS_IMAGE..builtin::ID_IN_BIOS_IMAGE + NO_ID.len();
    for (at, (byte, built)) in written.iter().zip(builtin::BIOS_IMAGE).enumerate() {
        assert!(byte == built || table.contains(&at) || id.contains(&at), "byte {at}");
    }
    // The boot code ends where the address of the image stands, in sectors of 512 bytes.
    assert_eq!(&image[..builtin::BOOT_CODE.len()], builtin::BOOT_CODE);
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
    host.put("stub", builtin::EFI_X64);
    host.put("arm", builtin::EFI[2].2);
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
        let (described, _) = host.build(manifest);
        let boots = |cell: &str| {
            described
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
    host.put("arm", builtin::EFI[2].2);
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
    host.put("arm", builtin::EFI[2].2);
    host.put("mixed", &mixed());
    let all = "[boot]\nfirmware = [\"bios\", \"uefi\", \"uefi-ia32\", \"uefi-aa64\"]\n";
    let others = "[[menu]]\ntitle = \"ARM\"\nkernel = \"arm\"\n[[menu]]\ntitle = \"Mixed\"\nkernel = \"mixed\"\n";
    let (described, _) = host.build(&format!("{all}{MENU}{others}"));
    let missed = |name: &str, firmware: &str| format!("{name:?} cannot be started under {firmware}");
    assert_eq!(
        described.planned.warnings,
        [missed("vmlinuz", "uefi-ia32"), missed("mixed", "bios")]
    );
    let shown: Vec<_> = described
        .planned
        .menu
        .iter()
        .map(|menu| (menu.firmware.name(), menu.entries.join(" ")))
        .collect();
    assert_eq!(
        shown,
        [
            ("bios", "Boot".to_owned()),
            ("uefi", "Boot Mixed".into()),
            ("uefi-ia32", "Mixed".into()),
            ("uefi-aa64", "ARM".into()),
        ]
    );
    // One that would start nothing but what the loader does itself is an error.
    let error = host.error(&format!("{all}{MENU}[[menu]]\naction = \"reboot\"\n"));
    for firmware in ["uefi-ia32", "uefi-aa64"] {
        let words = format!("no [[menu]] entry can be started under {firmware}");
        assert!(error.contains(&words), "{error}");
    }
}

#[test]
fn a_kernel_that_is_compressed_goes_into_the_image_as_it_starts() {
    let host = with_kernel();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    host.put("arm.gz", &gzip(builtin::EFI[2].2));
    host.put("text.gz", &gzip(b"not a kernel"));
    let (described, image) = host.build("[[menu]]\nkernel = \"arm.gz\"\n");
    let placed = super::extent(&described, "iso:/boot/arm.gz");
    assert!(image[placed.offset as usize..].starts_with(builtin::EFI[2].2));
    assert_eq!(described.planned.menu[0].firmware.name(), "uefi-aa64");
    let error = host.error("[[menu]]\nkernel = \"text.gz\"\n");
    assert!(
        error.contains("compressed with gzip, and what is in it is not a Linux kernel"),
        "{error}"
    );
    let inside = "[[files]]\nfrom = \"arm.gz\"\nto = \"/\"\n[[menu]]\nkernel = \"iso:/arm.gz\"\n";
    assert!(host.error(inside).contains("no firmware starts it so"));
}

/// Linux, drivers/firmware/efi/libstub/zboot-header.S: the EFI program unpacks the kernel itself. It has no header of a boot protocol.
#[test]
fn an_arm64_kernel_in_an_efi_program_goes_in_as_it_is() {
    let host = with_kernel();
    let mut zboot = crate::formats::pe::tests::program(0x20B, 0xAA64, b".text\0\0\0", b"");
    zboot[4..8].copy_from_slice(b"zimg");
    zboot[24..28].copy_from_slice(b"gzip");
    host.put("zboot", &zboot);
    let (described, image) = host.build("[[menu]]\nkernel = \"zboot\"\n");
    let placed = super::extent(&described, "iso:/boot/zboot");
    assert!(image[placed.offset as usize..].starts_with(&zboot));
    let entries: Vec<_> = described
        .planned
        .menu
        .iter()
        .map(|menu| (menu.firmware.name(), menu.entries.len()))
        .collect();
    assert_eq!(entries, [("uefi-aa64", 1)]);
}

#[test]
fn links_of_the_image_are_followed_to_what_is_started() {
    let host = with_kernel();
    let files = "[[files]]\nfrom = \"vmlinuz\"\nto = \"/boot/vmlinuz-6\"\n\
                 [[files]]\nlink = \"../boot/vmlinuz-6\"\nto = \"/links/k\"\n[[files]]\nlink = \"/links/k\"\nto = \"/vmlinuz\"\n\
                 [[files]]\nlink = \"/nowhere\"\nto = \"/lost\"\n[[files]]\nlink = \"loop\"\nto = \"/loop\"\n";
    let (_, image) = host.build(&format!("{files}[[menu]]\nkernel = \"iso:/vmlinuz\"\n"));
    assert_eq!(places(&image, b"kernel = /boot/vmlinuz-6\n").len(), 1);
    for path in ["lost", "loop"] {
        let error = host.error(&format!("{files}[[menu]]\nkernel = \"iso:/{path}\"\n"));
        assert!(error.contains(&format!("the link /{path} leads nowhere")), "{error}");
    }
}

#[test]
fn programs_for_uefi_are_one_for_each_processor() {
    let host = with_kernel();
    host.put("mixed", &mixed());
    for (name, (_, _, program)) in ["x64.efi", "ia32.efi", "aa64.efi"].into_iter().zip(builtin::EFI) {
        host.put(name, program);
    }
    let (described, image) = host.build("[[menu]]\nefi = [\"x64.efi\", \"ia32.efi\"]\nbios = \"vmlinuz\"\n");
    let lines = b"bios = /boot/vmlinuz\nefi-x64 = /boot/x64.efi\nefi-ia32 = /boot/ia32.efi\n";
    assert_eq!(places(&image, lines).len(), 1);
    assert_eq!(described.planned.menu.len(), 3);
    let error = host.error("[[menu]]\nefi = [\"x64.efi\", \"mixed\"]\n");
    assert!(error.contains("for the same processor as another"), "{error}");
}

#[test]
fn the_users_files_win_over_the_loaders_in_the_esp() {
    let host = with_kernel();
    host.put("shim", &kernel(7));
    let manifest = format!(
        "{MENU}[boot.uefi.files]\n\"/efi/boot/bootx64.efi\" = \"shim\"\n\"/efi/boot/grubx64.efi\" = \"vmlinuz\"\n"
    );
    let (described, image) = host.build(&manifest);
    assert_eq!(places(&image, builtin::EFI_X64), Vec::<usize>::new());
    let paths: Vec<_> = described
        .facts
        .extents
        .iter()
        .flat_map(|extent| &extent.paths)
        .collect();
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
