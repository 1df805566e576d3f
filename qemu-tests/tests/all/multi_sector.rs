//! `layout = "multi-sector"`: one image for media with logical sectors of 512, 2048 and 4096 bytes.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use qemu_tests::initramfs::Initramfs;
use qemu_tests::linux::{self, MARK};
use qemu_tests::loops::{self, Loop};
use qemu_tests::suite::Test;
use qemu_tests::system::{self, END, LoaderTest, System};
use qemu_tests::verbs::{Bench, MENU};
use qemu_tests::{pins, suite};
use serde_json::Value;
use std::fs;

const LAYOUT: &str = "[disk]\nlayout = \"multi-sector\"\n";
/// The first table has its array elsewhere then.
const UDF: &str = "[iso]\nudf = true\n";
const MIB: u64 = 1 << 20;
const DISK: u64 = 24 * MIB;
const ESP: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

const fn cell(firmware: Firmware, medium: Medium) -> Cell {
    Cell { firmware, medium }
}

const STICK: Cell = cell(Firmware::Uefi, Medium::Usb4kn);
const CELLS: &[Cell] = &[
    cell(Firmware::Bios, Medium::Cd),
    cell(Firmware::Uefi, Medium::Usb),
    STICK,
    cell(Firmware::Uefi, Medium::Disk4kn),
];

pub(crate) fn tests() -> suite::Tests {
    Ok(trials())
}

fn trials() -> Vec<Test> {
    let boots: [LoaderTest; 3] = [
        ("multi-sector", CELLS, |system, cell| boots(system, cell, "")),
        ("multi-sector with UDF", CELLS, |system, cell| boots(system, cell, UDF)),
        ("Linux reads a native stick", &[STICK], linux_reads),
    ];
    const FDISKS: &[&str] = &["losetup", "sgdisk", "sfdisk", "fsck.vfat", "blkid"];
    let loops: [suite::ProgramTest; 3] = [
        ("each table is whole by itself", FDISKS, || tables("", "iso9660")),
        ("each table is whole beside UDF", FDISKS, || tables(UDF, "udf")),
        (
            "it is written, expanded and verified on disks of both",
            &["losetup", "sgdisk"],
            written,
        ),
    ];
    let mut trials = suite::loop_tests(&loops);
    trials.extend(system::trials(&boots));
    trials
}

fn boots(system: &System, cell: Cell, iso: &str) -> Result<(), String> {
    let manifest = format!(
        "{iso}{LAYOUT}[boot]\ntimeout = 0\n[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n"
    );
    system.boots(&manifest, cell, &["file /init", END]).map(drop)
}

/// In the order in which they need each other, behind those of [`linux`].
const MODULES: [&str; 8] = [
    "scsi_common",
    "scsi_mod",
    "usb-storage",
    "sd_mod",
    "fat",
    "vfat",
    "nls_cp437",
    "nls_ascii",
];

/// A system that was started from a stick mounts the ESP of that stick, which only a FAT of its sectors allows.
fn linux_reads(system: &System, cell: Cell) -> Result<(), String> {
    let inputs = pins::load("qemu-tests")?;
    let modules = [&linux::USB_MODULES[..], &linux::CHECKSUM_MODULES, &MODULES].concat();
    let script = format!(
        "{}{}say sector $(cat /sys/block/sda/queue/logical_block_size)\n\
         mount -t vfat -o ro /dev/sda3 /mnt || say failed\n{}umount /mnt\n\
         mount -t vfat -o ro /dev/sda2 /mnt && say failed\n{}",
        linux::preamble(&modules),
        linux::wait_for("/dev/sda3"),
        linux::describe("esp", false),
        linux::end()
    );
    let initrd = Initramfs::new(&inputs, "pc/", &modules, &script)?.finish();
    system.put("initrd.img", &initrd)?;
    let kernel = inputs.file("pc/vmlinuz")?;
    let manifest = format!(
        "{LAYOUT}[boot]\ntimeout = 0\n[[menu]]\nkernel = {kernel:?}\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0 quiet\"\n"
    );
    let serial = system.boots(&manifest, cell, &[&format!("{MARK} end")])?;
    let said = linux::said(&serial)?;
    let (listing, _) = linux::found(&said, "esp")?;
    let names: Vec<&str> = listing.keys().map(String::as_str).collect();
    let expected = [
        "/EFI/BOOT/BOOTIA32.EFI",
        "/EFI/BOOT/BOOTX64.EFI",
        "/EFI/BOOT/isobuild.id",
    ];
    match said.contains(&"sector 4096") && names == expected {
        true => Ok(()),
        false => Err(format!("another ESP:\n{serial}")),
    }
}

fn bench(iso: &str) -> Bench {
    Bench::with_noise(&format!("{iso}{LAYOUT}{MENU}"), 3)
}

/// What other programs find with each size of sectors. None of them sees more than one table.
fn tables(iso: &str, file_system: &str) {
    let bench = bench(iso);
    let image = bench.path("image.iso");
    let size = fs::metadata(&image).unwrap().len();
    for (sector_size, number) in [(512_u32, 2), (4096, 3)] {
        let disk = Loop::new(&image, size, sector_size);
        let text = loops::output("sgdisk", &["-v", disk.name()]);
        assert!(text.contains("No problems found"), "{sector_size}: {text}");
        let found: Value = serde_json::from_str(&loops::output("sfdisk", &["-J", disk.name()])).unwrap();
        let table = &found["partitiontable"];
        assert_eq!(table["sectorsize"], sector_size, "{table}");
        let partitions = table["partitions"].as_array().unwrap();
        assert_eq!(partitions.len(), 3);
        let esps: Vec<usize> = (1..=3).filter(|number| partitions[number - 1]["type"] == ESP).collect();
        assert_eq!(esps, [number], "{table}");
        let field = |name: &str| partitions[number - 1][name].as_u64().unwrap() * u64::from(sector_size);
        let volume = disk.read(field("start"), usize::try_from(field("size")).unwrap());
        assert_eq!(u32::from(u16::from_le_bytes([volume[11], volume[12]])), sector_size);
        let file = bench.path("volume");
        fs::write(&file, volume).unwrap();
        assert!(
            loops::run("fsck.vfat", &["-n", file.to_str().unwrap()]),
            "{sector_size}"
        );
        let labels = loops::output("blkid", &["-p", disk.name()]);
        assert!(
            labels.contains("PTTYPE=\"gpt\"") && labels.contains(&format!("TYPE=\"{file_system}\"")),
            "{labels}"
        );
    }
}

/// The backup of the disk's own table moves, and the other one stays as it is.
fn written() {
    let bench = bench("");
    for sector_size in [512, 4096] {
        let disk = Loop::new(&bench.path(&format!("disk-{sector_size}")), DISK, sector_size);
        for (flag, says) in [("", "every byte of image.iso"), ("--expand", "but for that")] {
            let said = bench.run(&format!("write image.iso {} --yes {flag}", disk.name()));
            assert_eq!(said.code, Some(0), "{sector_size} {flag}: {said:?}");
            let said = bench.run(&format!("verify image.iso {}", disk.name()));
            assert_eq!(said.code, Some(0), "{sector_size} {flag}: {said:?}");
            said.has(&[says]);
        }
        let text = loops::output("sgdisk", &["-v", disk.name()]);
        assert!(text.contains("No problems found"), "{sector_size}: {text}");
    }
}
