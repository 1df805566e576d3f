//! What every loader starts: programs, the next device, and the entries that its menu has.

use super::{KERNEL, boot};
use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use qemu_tests::pins;
use qemu_tests::system::{self, END, System};
use qemu_tests::verbs::Bench;
use serde_json::Value;
use std::path::PathBuf;

/// Starts memtest86+ and iPXE, each from the file that is made for the firmware. Debian has no iPXE for 32-bit UEFI.
pub(crate) fn programs(system: &System, cell: Cell, loader: &str) -> Result<(), String> {
    let inputs = pins::load("qemu-tests")?;
    // One entry has a program for each processor.
    let efi = |program: &str| -> Result<Vec<PathBuf>, String> {
        let mut files = vec![inputs.file(&format!("{program}.efi"))?];
        if program == "memtest" {
            files.push(inputs.file("memtest32.efi")?);
        }
        Ok(files)
    };
    for (program, suffix, shows) in [("memtest", "bin", "Memtest86+"), ("ipxe", "lkrn", "iPXE")] {
        if (cell.firmware, program) == (Firmware::UefiIa32, "ipxe") {
            continue;
        }
        let manifest = format!(
            "{}[[menu]]\ntitle = \"Program\"\nbios = {:?}\nefi = {:?}\ncmdline = \"console=ttyS0\"\n",
            boot(loader, cell)?,
            inputs.file(&format!("{program}.{suffix}"))?,
            efi(program)?
        );
        let medium = system.medium(&manifest, cell)?;
        let mut guest = system.machine(&medium, cell).start(&system.logs)?;
        match (cell.firmware, program) {
            (Firmware::Bios, "ipxe") => guest.wait_for_screen(&[shows])?,
            _ => guest.wait_for(&[shows])?,
        }
        guest.screendump_as(&format!("{program}.png"))?;
    }
    Ok(())
}

/// The firmware goes on to the second medium, another image.
pub(crate) fn next_device(system: &System, cell: Cell, loader: &str) -> Result<(), String> {
    let first = system.medium(
        &format!("{}[[menu]]\naction = \"next-device\"\n", boot(loader, cell)?),
        cell,
    )?;
    let other = System::new("other-loaders-next-device", cell.firmware)?;
    other.put("first.img", &system::one_file("first", b"first"))?;
    let image = other.image(&format!(
        "[boot]\ntimeout = 0\n[[menu]]\n{KERNEL}cmdline = \"console=ttyS0 other\"\n"
    ))?;
    let machine = system.machine(&first, cell).medium(&image, Medium::Disk);
    let serial = system.finish(machine.start(&system.logs)?, &[END])?;
    match serial.contains("cmdline [console=ttyS0 other]") {
        true => Ok(first.check_unwritten()?),
        false => Err(format!("another image has started\n{serial}")),
    }
}

/// A program that writes a text to the serial port, as the firmware loads it to 0x7c00.
pub(super) fn raw_program(text: &[u8], length: usize) -> Vec<u8> {
    // mov dx, 0x3f8; mov si, 0x7c11; 1: lodsb; test al, al; jz 2f; out dx, al; jmp 1b; 2: hlt; jmp 2b
    let mut program = vec![
        0xba, 0xf8, 0x03, 0xbe, 0x11, 0x7c, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xf4, 0xeb, 0xfd,
    ];
    program.extend_from_slice(text);
    program.resize(510, 0x90);
    program.extend_from_slice(&[0x55, 0xAA]);
    program.resize(length, 0x90);
    program
}

/// What each menu shows, as the readers of the loaders' languages find it: the manifest's entries, whoever shows them.
pub(super) fn same_entries() {
    let inputs = pins::load("qemu-tests").unwrap();
    let file = |name: &str| inputs.file(name).unwrap();
    let entries = |loader: &str, firmware: &str| {
        let bench = Bench::new(&format!(
            "[boot]\nloader = {loader:?}\nfirmware = [{firmware:?}]\n[[menu]]\ntitle = \"Linux, or \\\"Tux\\\"\"\nkernel = {0:?}\n\
             initrd = [{1:?}, {2:?}]\ncmdline = 'quiet a=\"b c\" d'\n[[menu]]\ntitle = \"Memory\"\nbios = {3:?}\nefi = {4:?}\n\
             [[menu]]\ntitle = \"Again\"\nkernel = {0:?}\n[[menu]]\ntitle = \"Network\"\nbios = {5:?}\nefi = {6:?}\n\
             [[menu]]\ntitle = \"Unified\"\nkernel = {0:?}\ninitrd = {1:?}\ncmdline = 'x=\"y z\"'\nuki = true\n",
            file("vmlinuz"),
            file("busybox"),
            file("fbx64.efi.signed"),
            file("memtest.bin"),
            file("memtest.efi"),
            file("ipxe.lkrn"),
            file("ipxe.efi"),
        ));
        bench.ends("m.toml", 0);
        let menu = bench.ends("menu m.iso --json", 0);
        let menu: Value = serde_json::from_str(&menu.out).unwrap();
        let all = menu["entries"].as_array().unwrap().iter();
        let own = all.filter(|entry| entry["loopback"].is_null() && entry["firmware"] == firmware);
        // systemd-boot's are in the tree, too, for those who copy files.
        let own = own.filter(|entry| !entry["config"].as_str().unwrap().starts_with("iso:/loader/"));
        own.map(|entry| {
            let starts = if entry["kernel"].is_null() {
                &entry["program"]
            } else {
                &entry["kernel"]
            };
            // GRUB puts quotes around all of an argument.
            let line = entry["cmdline"].as_str().unwrap().replace('"', "");
            (entry["title"].clone(), starts.clone(), entry["initrd"].clone(), line)
        })
        .collect::<Vec<_>>()
    };
    for firmware in ["bios", "uefi"] {
        let wanted = entries("builtin", firmware);
        let titles: Vec<&str> = wanted.iter().map(|(title, ..)| title.as_str().unwrap()).collect();
        assert_eq!(titles, ["Linux, or \"Tux\"", "Memory", "Again", "Network", "Unified"]);
        let others: &[&str] = match firmware {
            "bios" => &["grub", "isolinux", "isolinux+grub"],
            _ => &["grub", "isolinux+grub", "systemd-boot"],
        };
        for loader in others {
            assert_eq!(entries(loader, firmware), wanted, "{loader} {firmware}");
        }
    }
}
