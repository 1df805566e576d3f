//! Other people's loaders show the menu of the manifest, and start what the built-in loader starts.

mod entries;
mod grub;
mod isolinux;
mod loopback;
mod parts;
mod systemd_boot;
mod uki;

use entries::same_entries;
pub(crate) use entries::{next_device, programs};
use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use loopback::loopback;
use qemu_tests::system::{self, CELLS, LoaderTest};
use qemu_tests::{pins, suite, tools};

/// The firmware of other machines than 64-bit PCs.
const OTHER: [Cell; 6] = [
    cell(Firmware::UefiIa32, Medium::Cd),
    cell(Firmware::UefiIa32, Medium::Usb),
    cell(Firmware::UefiAa64, Medium::Cd),
    cell(Firmware::UefiAa64, Medium::Usb),
    cell(Firmware::UefiIa32, Medium::Disk),
    cell(Firmware::UefiAa64, Medium::Disk),
];

const fn cell(firmware: Firmware, medium: Medium) -> Cell {
    Cell { firmware, medium }
}

pub(crate) fn tests() -> suite::Tests {
    let tests: [LoaderTest; 17] = [
        ("grub linux", &[CELLS[0], CELLS[3], OTHER[1], OTHER[2]], grub::linux),
        ("grub programs", &[CELLS[0]], |system, cell| {
            programs(system, cell, "grub")
        }),
        ("grub boot sector", &[CELLS[0], CELLS[1]], grub::boot_sector),
        ("grub machine page", &[CELLS[0], CELLS[3]], grub::machine_page),
        ("grub theme", &[CELLS[0]], grub::theme),
        ("grub next device", &[CELLS[1], CELLS[3]], |system, cell| {
            next_device(system, cell, "grub")
        }),
        ("isolinux linux", &[CELLS[0], CELLS[1]], isolinux::linux),
        ("isolinux raw program", &[CELLS[0], CELLS[1]], isolinux::raw),
        ("isolinux machine page", &[CELLS[0]], isolinux::machine_page),
        // From a stick SeaBIOS does not go on to a hard disk.
        ("isolinux next device", &[CELLS[0]], |system, cell| {
            next_device(system, cell, "isolinux")
        }),
        ("isolinux actions", &[CELLS[1]], isolinux::actions),
        ("systemd-boot linux", &[CELLS[2], OTHER[3]], systemd_boot::linux),
        ("uki alone", &[CELLS[2], OTHER[2]], uki::alone),
        ("uki of builtin", &[CELLS[0], CELLS[3]], uki::for_both),
        ("uki of systemd-boot", &[CELLS[2]], |system, cell| {
            uki::in_menu(system, cell, "systemd-boot")
        }),
        ("loopback of builtin", &[CELLS[3]], |system, cell| {
            loopback(system, cell, "builtin")
        }),
        ("loopback of grub", &[CELLS[0]], |system, cell| {
            loopback(system, cell, "grub")
        }),
    ];
    let long: [LoaderTest; 13] = [
        (
            "grub linux",
            &[CELLS[1], CELLS[2], OTHER[0], OTHER[3], OTHER[4], OTHER[5]],
            grub::linux,
        ),
        ("builtin programs", &[OTHER[1]], |system, cell| {
            programs(system, cell, "builtin")
        }),
        ("grub programs", &[CELLS[3], OTHER[0]], |system, cell| {
            programs(system, cell, "grub")
        }),
        ("grub theme", &[CELLS[3]], grub::theme),
        ("grub next device", &[CELLS[0], CELLS[2]], |system, cell| {
            next_device(system, cell, "grub")
        }),
        ("isolinux programs", &[CELLS[0]], |system, cell| {
            programs(system, cell, "isolinux")
        }),
        ("isolinux and grub", &[CELLS[0], CELLS[3]], isolinux::and_grub),
        (
            "systemd-boot linux",
            &[CELLS[3], OTHER[2], OTHER[5]],
            systemd_boot::linux,
        ),
        ("uki alone", &[CELLS[3], OTHER[3]], uki::alone),
        ("uki of builtin", &[CELLS[1], CELLS[2], OTHER[1]], uki::for_both),
        ("uki of grub", &[CELLS[2], CELLS[3]], |system, cell| {
            uki::in_menu(system, cell, "grub")
        }),
        ("systemd-boot programs", &[CELLS[2]], |system, cell| {
            programs(system, cell, "systemd-boot")
        }),
        ("loopback of builtin", &[CELLS[0]], |system, cell| {
            loopback(system, cell, "builtin")
        }),
    ];
    let mut all = system::trials(&tests);
    all.extend(suite::long(system::trials(&long)));
    all.extend(suite::program_tests(PROGRAM_TESTS));
    all.extend(suite::long(suite::program_tests(LONG_PROGRAM_TESTS)));
    Ok(all)
}

const PROGRAM_TESTS: &[suite::ProgramTest] = &[
    (
        "the same entries by each loader",
        &[tools::GRUB_PC, tools::GRUB_EFI, tools::ISOLINUX, tools::SYSTEMD_BOOT],
        same_entries,
    ),
    (
        "kernels of a menu under secure boot",
        &[tools::SYSTEMD_BOOT],
        grub::kernels_of_menu,
    ),
    ("parts from packages alone", &["unshare"], parts::from_packages),
    ("uki sections", &["objcopy", "file", tools::SYSTEMD_BOOT], uki::sections),
    (
        "uki signed by its owner",
        &[
            "openssl",
            "sbverify",
            "qemu-system-x86_64",
            tools::SYSTEMD_BOOT,
            tools::OVMF_SECURE_CODE,
        ],
        uki::signed_alone,
    ),
    (
        "grub signed by its owner",
        &[
            "openssl",
            "qemu-system-x86_64",
            tools::GRUB_EFI,
            tools::OVMF_SECURE_CODE,
        ],
        grub::signed_by_owner,
    ),
];

const LONG_PROGRAM_TESTS: &[suite::ProgramTest] = &[
    (
        "systemd-boot signed by its owner",
        &[
            "openssl",
            "qemu-system-x86_64",
            tools::SYSTEMD_BOOT,
            tools::OVMF_SECURE_CODE,
        ],
        systemd_boot::signed_by_owner,
    ),
    (
        "systemd-boot behind a shim",
        &[
            "openssl",
            "qemu-system-x86_64",
            tools::SYSTEMD_BOOT,
            tools::OVMF_SECURE_CODE,
        ],
        systemd_boot::behind_shim,
    ),
    (
        "ukis of menus signed by their owner",
        &[
            "openssl",
            "qemu-system-x86_64",
            tools::GRUB_EFI,
            tools::SYSTEMD_BOOT,
            tools::OVMF_SECURE_CODE,
        ],
        uki::signed_in_menus,
    ),
];

/// The beginning of every manifest here. Packages for other processors are named, because the host does not have them installed.
fn boot(loader: &str, cell: Cell) -> Result<String, String> {
    let assets = match cell.firmware {
        Firmware::UefiAa64 if loader == "grub" => Some("aa64/grub-efi-arm64-bin.deb"),
        Firmware::UefiAa64 if loader == "systemd-boot" => Some("aa64/systemd-boot-efi.deb"),
        _ => None,
    };
    let assets = match assets {
        Some(name) => format!("assets = [{:?}]\n", pins::load("qemu-tests")?.file(name)?),
        None => String::new(),
    };
    Ok(format!("[boot]\nloader = {loader:?}\ntimeout = 0\n{assets}"))
}

const KERNEL: &str = "kernel = \"vmlinuz\"\ninitrd = [\"first.img\", \"initrd.img\"]\n";
