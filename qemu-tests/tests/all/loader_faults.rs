//! The built-in loader on media and machines that make trouble: it goes on where it can, and says why where it cannot.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use isobuild::inside::vm::Guest;
use qemu_tests::system::{self, CELLS, END, LoaderTest, System, one_file};
use qemu_tests::{hash, pins, suite};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

const BIOS_CD: Cell = CELLS[0];
const BIOS_USB: Cell = CELLS[1];
const UEFI_USB: Cell = CELLS[3];
const UEFI_DISK: Cell = Cell {
    firmware: Firmware::Uefi,
    medium: Medium::Disk,
};

pub(crate) fn tests() -> suite::Tests {
    let tests: [LoaderTest; 11] = [
        ("no INT 13h extensions", &[BIOS_USB], no_extensions),
        (
            "one read fails",
            &[BIOS_CD, BIOS_USB, UEFI_USB, UEFI_DISK],
            one_read_fails,
        ),
        ("a sector is lost", &[BIOS_CD, BIOS_USB, UEFI_DISK], a_sector_is_lost),
        ("too little memory", &[UEFI_USB], too_little_memory),
        ("no long mode", &[BIOS_CD, BIOS_USB], no_long_mode),
        ("beyond 4 GiB", &[BIOS_USB, UEFI_USB], beyond_4_gib),
        ("sectors of 2048 and 4096 bytes", &[UEFI_USB], sectors),
        (
            "another disk has the image",
            &[BIOS_CD, BIOS_USB, UEFI_USB],
            another_disk,
        ),
        ("another disk has another image", &[BIOS_USB, UEFI_USB], another_image),
        ("not the first disk", &[BIOS_USB, UEFI_USB], not_the_first_disk),
        ("a damaged kernel", &[BIOS_USB, UEFI_USB], damaged_kernel),
    ];
    let long: [LoaderTest; 3] = [
        ("a sector is lost", &[UEFI_USB], a_sector_is_lost),
        ("too little memory", &[BIOS_USB], too_little_memory),
        ("1 GiB", &[BIOS_USB, UEFI_USB], one_gib),
    ];
    let mut all = system::trials(&tests);
    all.extend(suite::long(system::trials(&long)));
    Ok(all)
}

/// An image that boots at once; `before` are lines of the manifest in front of the menu.
fn at_once(before: &str) -> String {
    format!(
        "{before}[boot]\ntimeout = 0\n[[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n"
    )
}

/// Waits for a sentence where the firmware shows it: under UEFI on the serial port too.
fn says(guest: &mut Guest, cell: Cell, words: &[&str]) -> Result<(), String> {
    let result = match cell.firmware {
        Firmware::Bios => guest.wait_for_screen(words),
        _ => guest.wait_for(words),
    };
    guest.screendump()?;
    Ok(result?)
}

/// Opens a file to change it.
fn open(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.map_err(|e| format!("{}: {e}", path.display()))
}

/// The offset of a file in an image, by its first bytes.
fn offset_of(image: &Path, file: &Path) -> Result<u64, String> {
    let read = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let (image, file) = (read(image)?, read(file)?);
    let start = file.get(..4096.min(file.len())).unwrap_or_default();
    let blocks = image.chunks(2048).enumerate();
    let found = blocks
        .filter(|(_, block)| start.starts_with(block))
        .map(|(number, _)| number as u64 * 2048)
        .next();
    found.ok_or_else(|| "the file is not in the image".to_owned())
}

/// A floppy is the one drive of SeaBIOS that takes no packets: cylinders, heads and sectors.
fn no_extensions(system: &System, cell: Cell) -> Result<(), String> {
    let memtest = pins::load("qemu-tests")?.file("memtest.bin")?;
    let image = system.image(&format!(
        "[boot]\ntimeout = 0\nfirmware = [\"bios\"]\n[[menu]]\nbios = {memtest:?}\ncmdline = \"console=ttyS0\"\n"
    ))?;
    // The size by which the drive knows its geometry: 2.88 MB.
    open(&image)?.set_len(2880 * 1024).map_err(|e| e.to_string())?;
    let drive = format!("if=none,id=f,format=raw,file={}", image.display());
    let machine = system.bare(cell);
    let guest = machine
        .with(&[
            "-drive",
            &drive,
            "-device",
            "isa-fdc,id=fdc,bootindexA=0",
            "-device",
            "floppy,drive=f,unit=0",
        ])
        .start(&system.logs)?;
    system.finish(guest, &["Memtest86+"]).map(drop)
}

/// The medium of a cell behind QEMU's error injection, as arguments.
fn faulty(image: &Path, cell: Cell, rule: &str) -> Vec<String> {
    let (device, read_only) = match cell.medium {
        Medium::Cd => ("ide-cd", true),
        Medium::Usb | Medium::Usb4kn => ("usb-storage", false),
        _ => ("virtio-blk-pci", false),
    };
    let node = format!(
        "{{\"driver\":\"raw\",\"node-name\":\"m\",\"read-only\":{read_only},\"file\":{{\"driver\":\"blkdebug\",\
         \"image\":{{\"driver\":\"file\",\"filename\":{image:?},\"read-only\":{read_only}}},\"inject-error\":[{rule}]}}}}"
    );
    let words = [
        "-device",
        "qemu-xhci",
        "-blockdev",
        &node,
        "-device",
        &format!("{device},drive=m,bootindex=0"),
    ];
    words.map(str::to_owned).to_vec()
}

fn start_faulty(system: &System, image: &Path, cell: Cell, rule: &str) -> Result<Guest, String> {
    let words = faulty(image, cell, rule);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(system.bare(cell).with(&words).start(&system.logs)?)
}

/// A sector in the middle of the kernel that can be read the second time.
fn one_read_fails(system: &System, cell: Cell) -> Result<(), String> {
    system.image(&at_once(""))?;
    let sector = offset_of(&system.path("image.iso"), &system.path("vmlinuz"))? / 512 + 4000;
    let rule = format!("{{\"event\":\"read_aio\",\"errno\":5,\"once\":true,\"immediately\":true,\"sector\":{sector}}}");
    let guest = start_faulty(system, &system.path("image.iso"), cell, &rule)?;
    system.finish(guest, &[END]).map(drop)
}

/// A sector of the initrd that is gone: the sentence names its byte, then there is the menu again, and the entry beside it boots.
fn a_sector_is_lost(system: &System, cell: Cell) -> Result<(), String> {
    let mut other = fs::read(system.path("initrd.img")).map_err(|e| e.to_string())?;
    // Equal files are stored once, so this one must differ. Zeros may follow the end of an archive.
    other.extend([0; 512]);
    system.put("other.img", &other)?;
    let manifest = "[boot]\ntimeout = 1\n[[menu]]\ntitle = \"Lost\"\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\n\
        [[menu]]\ntitle = \"Good\"\nkernel = \"vmlinuz\"\ninitrd = \"other.img\"\ncmdline = \"console=ttyS0\"\n";
    system.image(manifest)?;
    let lost = offset_of(&system.path("image.iso"), &system.path("initrd.img"))? + 51_200;
    let rule = format!(
        "{{\"event\":\"read_aio\",\"errno\":5,\"immediately\":true,\"sector\":{}}}",
        lost / 512
    );
    let mut guest = start_faulty(system, &system.path("image.iso"), cell, &rule)?;
    // OVMF with QEMU's stick: after one error every read fails, of whatever sector.
    let wedged = cell == UEFI_USB;
    let sentence = match wedged {
        true => "The boot medium cannot be read at byte ".to_owned(),
        false => format!("The boot medium cannot be read at byte {lost}."),
    };
    says(&mut guest, cell, &[&sentence, "Enter goes back"])?;
    guest.press(&["ret".to_owned()])?;
    says(&mut guest, cell, &["Good"])?;
    guest.press(&["down".to_owned(), "ret".to_owned()])?;
    match wedged {
        true => says(&mut guest, cell, &["> Good", "Starting Good"]),
        false => system.finish(guest, &[END]).map(drop),
    }
}

/// A large initrd on a small machine: the sentence and the menu again.
fn too_little_memory(system: &System, cell: Cell) -> Result<(), String> {
    let file = File::create(system.path("large.img")).map_err(|e| e.to_string())?;
    file.set_len(300 << 20).map_err(|e| e.to_string())?;
    let manifest = "[boot]\ntimeout = 0\n[[menu]]\ntitle = \"Large\"\nkernel = \"vmlinuz\"\ninitrd = \"large.img\"\n";
    let medium = system.medium(manifest, cell)?;
    let mut guest = system.machine(&medium, cell).memory(160).start(&system.logs)?;
    says(&mut guest, cell, &["too little memory"]).or_else(|_| says(&mut guest, cell, &["Too little memory"]))?;
    guest.press(&["ret".to_owned()])?;
    says(&mut guest, cell, &["> Large"])
}

fn no_long_mode(system: &System, cell: Cell) -> Result<(), String> {
    let medium = system.medium(&at_once(""), cell)?;
    let mut guest = system
        .machine(&medium, cell)
        .with(&["-cpu", "pentium3"])
        .start(&system.logs)?;
    says(
        &mut guest,
        cell,
        &["isobuild: this processor has no 64-bit mode, which the boot loader needs"],
    )
}

/// The kernel passes over the zeros between archives. The last one shows that all of it has come.
fn one_gib(system: &System, cell: Cell) -> Result<(), String> {
    let file = File::create(system.path("zeros.img")).map_err(|e| e.to_string())?;
    file.set_len(1 << 30).map_err(|e| e.to_string())?;
    system.put("last.img", &one_file("last", b"last"))?;
    let manifest = at_once("").replace("\"initrd.img\"", "[\"initrd.img\", \"zeros.img\", \"last.img\"]");
    let medium = system.medium(&manifest, cell)?;
    let guest = system.machine(&medium, cell).memory(3072).start(&system.logs)?;
    let last = format!("file /last {}", hash::bytes(b"last"));
    system.finish(guest, &[&last, END]).map(drop)
}

/// Two files of 2.5 GiB stand in front of the kernel.
fn beyond_4_gib(system: &System, cell: Cell) -> Result<(), String> {
    for name in ["one", "two"] {
        let file = File::create(system.path(name)).map_err(|e| e.to_string())?;
        file.set_len(5 << 29).map_err(|e| e.to_string())?;
        file.write_all_at(name.as_bytes(), 0).map_err(|e| e.to_string())?;
    }
    let files = "[[files]]\nfrom = \"one\"\nto = \"/a/\"\n[[files]]\nfrom = \"two\"\nto = \"/a/\"\n";
    let image = system.image(&at_once(files))?;
    let kernel = File::open(system.path("vmlinuz")).map_err(|e| e.to_string())?;
    let (mut wanted, mut found) = ([0; 4096], [0; 4096]);
    kernel.read_exact_at(&mut wanted, 0).map_err(|e| e.to_string())?;
    let file = File::open(&image).map_err(|e| e.to_string())?;
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    // Where the kernel is in the image: on 4 KiB, and it has to be beyond 4 GiB.
    let beyond =
        (1 << 20..length / 4096).any(|block| file.read_exact_at(&mut found, block * 4096).is_ok() && found == wanted);
    if !beyond {
        return Err("the kernel is not beyond 4 GiB".to_owned());
    }
    let guest = system.bare(cell).medium(&image, cell.medium).start(&system.logs)?;
    system.finish(guest, &[END]).map(drop)
}

/// Takes the volume away that the loader's own medium holds: it has to look elsewhere.
fn without_volume(system: &System, image: &Path) -> Result<std::path::PathBuf, String> {
    let copy = system.path("no-volume.img");
    fs::copy(image, &copy).map_err(|e| e.to_string())?;
    open(&copy)?
        .write_all_at(&[0; 6], 16 * 2048)
        .map_err(|e| e.to_string())?;
    Ok(copy)
}

/// The firmware starts the loader from an ordinary stick, and the image is on a disk of other sectors.
fn sectors(system: &System, cell: Cell) -> Result<(), String> {
    let image = system.image(&at_once(""))?;
    let own = without_volume(system, &image)?;
    for size in ["2048", "4096"] {
        let drive = format!("if=none,id=d,format=raw,readonly=on,file={}", image.display());
        let device = format!("scsi-hd,drive=d,logical_block_size={size},physical_block_size={size}");
        let guest = system
            .bare(cell)
            .medium(&own, cell.medium)
            .with(&["-device", "virtio-scsi-pci", "-drive", &drive, "-device", &device])
            .start(&system.logs)?;
        system.finish(guest, &[END])?;
    }
    Ok(())
}

/// The loader's own medium has lost its volume; a disk with the same image is found by the id.
fn another_disk(system: &System, cell: Cell) -> Result<(), String> {
    let image = system.image(&at_once(""))?;
    let own = without_volume(system, &image)?;
    let guest = system
        .bare(cell)
        .medium(&own, cell.medium)
        .medium(&image, Medium::Disk)
        .start(&system.logs)?;
    system.finish(guest, &[END]).map(drop)
}

/// Another image's disk is left alone.
fn another_image(system: &System, cell: Cell) -> Result<(), String> {
    let own = without_volume(system, &system.image(&at_once(""))?)?;
    let other = system.image(&at_once("volume_id = \"OTHER\"\n"))?;
    let mut guest = system
        .bare(cell)
        .medium(&own, cell.medium)
        .medium(&other, Medium::Disk)
        .start(&system.logs)?;
    says(&mut guest, cell, &["The boot medium holds no ISO 9660 volume."])
}

/// The same image on a disk that the firmware numbers before the stick: the stick that was started is used.
fn not_the_first_disk(system: &System, cell: Cell) -> Result<(), String> {
    let other = system.path("other.iso");
    fs::rename(system.image(&at_once("volume_id = \"OTHER\"\n"))?, &other).map_err(|e| e.to_string())?;
    let image = system.image(&at_once("").replace("console=ttyS0", "console=ttyS0 mine"))?;
    let drive = format!("if=none,id=d,format=raw,readonly=on,file={}", other.display());
    let guest = system
        .bare(cell)
        .with(&["-drive", &drive, "-device", "virtio-blk-pci,drive=d"])
        .medium(&image, cell.medium)
        .start(&system.logs)?;
    let serial = system.finish(guest, &[END])?;
    match serial.contains("cmdline [console=ttyS0 mine]") {
        true => Ok(()),
        false => Err(format!("another image has started\n{serial}")),
    }
}

/// A kernel whose header is gone, on the medium alone: a sentence and the menu.
fn damaged_kernel(system: &System, cell: Cell) -> Result<(), String> {
    let medium = system.medium(&at_once(""), cell)?;
    let offset = offset_of(&system.path("image.iso"), &system.path("vmlinuz"))?;
    open(&system.path("image.iso"))?
        .write_all_at(&[0; 1024], offset)
        .map_err(|e| e.to_string())?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    let sentence = match cell.firmware {
        Firmware::Bios => "/boot/vmlinuz is not a Linux kernel that BIOS can start.",
        _ => "/boot/vmlinuz is not a program for this machine's UEFI.",
    };
    says(&mut guest, cell, &[sentence])?;
    guest.press(&["ret".to_owned()])?;
    says(&mut guest, cell, &["> Boot"])
}
