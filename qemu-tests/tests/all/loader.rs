//! The built-in loader starts what it is told to, and its menu does what it shows.

use crate::other_loaders::{next_device, programs};
use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use qemu_tests::system::{self, CELLS, END, LoaderTest, System, one_file};
use qemu_tests::{hash, pins, suite};

const BIOS: &[Cell] = CELLS.split_at(2).0;
const UEFI: &[Cell] = CELLS.split_at(2).1;
/// One cell of each firmware, where the medium makes no difference.
const BOTH: &[Cell] = &[CELLS[0], CELLS[3]];
/// The firmware of other machines than 64-bit PCs.
const OTHER: &[Cell] = &[
    cell(Firmware::UefiIa32, Medium::Cd),
    cell(Firmware::UefiIa32, Medium::Usb),
    cell(Firmware::UefiAa64, Medium::Cd),
    cell(Firmware::UefiAa64, Medium::Usb),
];
const OTHER_CDS: &[Cell] = &[OTHER[0], OTHER[2]];

const fn cell(firmware: Firmware, medium: Medium) -> Cell {
    Cell { firmware, medium }
}

pub(crate) fn tests() -> suite::Tests {
    let tests: [LoaderTest; 18] = [
        ("linux", &CELLS, linux),
        ("linux", OTHER, linux),
        ("side by side", OTHER_CDS, side_by_side),
        ("debian-installer loader", &CELLS[3..], debian_installer),
        ("an ESP of 200 MiB", UEFI, large_esp),
        ("no time and no text", &CELLS, no_text),
        ("serial port or not", &[CELLS[0]], serial_or_not),
        ("countdown", BOTH, countdown),
        ("keys", BOTH, keys),
        ("terminal", BOTH, terminal),
        ("actions", BOTH, actions),
        ("firmware set-up", &[CELLS[3]], firmware_setup),
        ("machine page", BOTH, machine_page),
        ("progress", BOTH, progress),
        ("programs", BOTH, |system, cell| programs(system, cell, "builtin")),
        ("raw program", BIOS, raw_program),
        ("next device", BIOS, |system, cell| next_device(system, cell, "builtin")),
        ("next device", UEFI, |system, cell| next_device(system, cell, "builtin")),
    ];
    let long: [LoaderTest; 5] = [
        ("keys", OTHER_CDS, keys),
        ("actions", OTHER_CDS, actions),
        ("machine page", OTHER_CDS, machine_page),
        ("progress", OTHER_CDS, progress),
        (
            "debian-installer loader",
            &[CELLS[0], CELLS[1], CELLS[2]],
            debian_installer,
        ),
    ];
    let mut all = system::trials(&tests);
    all.extend(suite::long(system::trials(&long)));
    Ok(all)
}

fn error(reason: &str, serial: &str) -> Result<(), String> {
    let printable: String = serial
        .chars()
        .map(|c| if c.is_control() && c != '\n' { '.' } else { c })
        .collect();
    Err(format!("{reason}\n{printable}"))
}

/// Three initrds, the first of a length that the next needs padding after; a name that continuation areas hold; a command line
/// that is not ASCII and as long as the kernel takes.
fn linux(system: &System, cell: Cell) -> Result<(), String> {
    let first = one_file("first", b"first");
    let trimmed = first.strip_suffix(&[0; 3]).ok_or("an archive ends in its padding")?;
    system.put("first.img", trimmed)?;
    let long = format!("{}.img", "n".repeat(240));
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
    system.put(&long, &one_file("second", &content))?;
    let start = format!("console={} grüße=größer ", system.port);
    let command_line = format!("{start}{}", "x".repeat(2047 - start.len()));
    let manifest = format!(
        "[boot]\ntimeout = 0\n[[menu]]\nkernel = \"vmlinuz\"\ninitrd = [\"first.img\", \"{long}\", \"initrd.img\"]\n\
         cmdline = \"{command_line}\"\n"
    );
    let first = format!("file /first {}", hash::bytes(b"first"));
    let second = format!("file /second {}", hash::bytes(&content));
    // By its digest: a serial port may lose a character of a line that is this long.
    let command_line = format!(
        "file /proc/cmdline {}",
        hash::bytes(format!("{command_line}\n").as_bytes())
    );
    let mut expected = vec![first.as_str(), second.as_str(), command_line.as_str(), END];
    if cell.firmware != Firmware::Bios {
        expected.push("EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path");
    }
    system.boots(&manifest, cell, &expected).map(drop)
}

fn debian_installer(system: &System, cell: Cell) -> Result<(), String> {
    let inputs = pins::load("debian-installer")?;
    let manifest = format!(
        "[boot]\ntimeout = 0\n[[menu]]\nkernel = {:?}\ninitrd = {:?}\ncmdline = \"console=ttyS0\"\n",
        inputs.file("linux")?,
        inputs.file("initrd.gz")?
    );
    let expected = [
        "Linux version 6.1",
        "Choose the language to be used for the installation process",
    ];
    system.boots(&manifest, cell, &expected).map(drop)
}

/// Larger than El Torito's count of sectors: recorded as reaching to the end of the volume, and full to 190 MiB.
fn large_esp(system: &System, cell: Cell) -> Result<(), String> {
    system.put("filler", &vec![0x5a; 190 << 20])?;
    let manifest = format!(
        "[boot]\ntimeout = 0\n[[menu]]\n{KERNEL}cmdline = \"console=ttyS0\"\n\
         [boot.uefi]\nsize = \"200MiB\"\n[boot.uefi.files]\n\"/filler\" = \"filler\"\n"
    );
    system.boots(&manifest, cell, &["file /init", END]).map(drop)
}

const KERNEL: &str = "kernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\n";

/// The first thing on the serial port that is not the firmware's is the kernel's; and what is on the screen is not the loader's.
fn no_text(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = format!(
        "[boot]\ntimeout = 0\nserial = 115200\n[[menu]]\ntitle = \"Quick\"\n{KERNEL}cmdline = \"console=ttyS0\"\n"
    );
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    guest.wait_for(&["Linux version"])?;
    // Under UEFI the screen has no text mode, and its console is on the serial port.
    let screen = match cell.firmware {
        Firmware::Bios => guest.text_screen()?,
        _ => String::new(),
    };
    let serial = system.finish(guest, &[END])?;
    let before = serial.split("Linux version").next().unwrap_or_default();
    match [before, &screen]
        .iter()
        .any(|text| ["Quick", "Starting", "MiB"].iter().any(|word| text.contains(word)))
    {
        true => error("the loader has written something", &format!("{screen}\n{serial}")),
        false => Ok(()),
    }
}

/// Without `serial` nothing of the loader's is on the port; with it the same menu is on both.
fn serial_or_not(system: &System, cell: Cell) -> Result<(), String> {
    let entries = "[[menu]]\ntitle = \"Only\"\naction = \"poweroff\"\n";
    for (serial, speed) in [("", false), ("serial = 9600\n", true)] {
        let medium = system.medium(&format!("[boot]\ntimeout = -1\n{serial}{entries}"), cell)?;
        let mut guest = system.machine(&medium, cell).start(&system.logs)?;
        guest.wait_for_screen(&["> Only", "Enter starts"])?;
        if speed {
            guest.wait_for(&["> Only", "Enter starts"])?;
        } else if !guest.serial().is_empty() {
            return error("the loader has written to the port", &guest.serial());
        }
        guest.press(&["ret".to_owned()])?;
        guest.wait_for_end()?;
    }
    Ok(())
}

/// Two seconds pass, and the default entry starts, which is not the first.
fn countdown(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = format!(
        "volume_id = \"ACME_1\"\n[boot]\ntimeout = 2\nserial = 115200\ndefault = \"Second — größer\"\n\
         [[menu]]\ntitle = \"First\"\n{KERNEL}cmdline = \"console=ttyS0 first\"\n\
         [[menu]]\ntitle = \"Second — größer\"\n{KERNEL}cmdline = \"console=ttyS0 second\"\n"
    );
    let serial = system.boots(
        &manifest,
        cell,
        &["ACME_1", "   First", "starts in 2 s", "starts in 1 s", END],
    )?;
    if !serial.contains("cmdline [console=ttyS0 second]") {
        return error("another entry has started", &serial);
    }
    // A terminal shows UTF-8; OVMF's shows what it has pictures of.
    let shown = match cell.firmware {
        Firmware::Bios => " > Second — größer",
        _ => " > Second",
    };
    match serial.contains(shown) {
        true => Ok(()),
        false => error("the title is not shown", &serial),
    }
}

/// A menu that waits, with a serial console.
fn waiting(entries: &str) -> String {
    format!("volume_id = \"ACME_1\"\n[boot]\ntimeout = -1\nserial = 115200\n{entries}")
}

/// On a keyboard: down to the second entry, its command line edited at both ends.
fn keys(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = waiting(&format!(
        "[[menu]]\ntitle = \"First\"\n{KERNEL}[[menu]]\ntitle = \"Second\"\n{KERNEL}cmdline = \"console=ttyS0 abc\"\n"
    ));
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    let press = |guest: &isobuild::inside::vm::Guest, keys: &[&str]| {
        guest.press(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())
    };
    guest.wait_for(&["ACME_1", "Second"])?;
    guest.screendump_as("menu.png")?;
    press(&guest, &["down", "e"])?;
    guest.wait_for(&["Esc goes back"])?;
    // Into "b": "abc" to "axc", then "y" in front of all, "z" at the end.
    press(&guest, &["left", "backspace", "x", "home", "y", "spc", "end", "z"])?;
    guest.screendump_as("editor.png")?;
    press(&guest, &["ret"])?;
    let serial = system.finish(guest, &[END])?;
    match serial.contains(&format!("cmdline [y console={} axcz]", system.port)) {
        true => Ok(()),
        false => error("the edited command line is another", &serial),
    }
}

/// The same on a terminal, with its escape sequences; Escape first leads back to the menu.
fn terminal(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = waiting(&format!(
        "[[menu]]\ntitle = \"First\"\n{KERNEL}[[menu]]\ntitle = \"Second\"\n{KERNEL}cmdline = \"console=ttyS0 abc\"\n"
    ));
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).terminal().start(&system.logs)?;
    guest.wait_for(&["ACME_1", "Second"])?;
    for keys in [&b"\x1b[B"[..], b"e"] {
        guest.type_on_serial(keys)?;
    }
    guest.wait_for(&["Esc goes back"])?;
    guest.type_on_serial(b"\x1b")?;
    // The menu is there again, with its first entry chosen.
    std::thread::sleep(std::time::Duration::from_secs(3));
    for keys in [&b"\x1b[B"[..], b"e"] {
        guest.type_on_serial(keys)?;
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    for keys in [&b"\x1b[D"[..], b"\x08", b"X", b"\x1b[C", b"d", b"\r"] {
        guest.type_on_serial(keys)?;
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let serial = system.finish(guest, &[END])?;
    match serial.contains("cmdline [console=ttyS0 aXcd]") {
        true => Ok(()),
        false => error("the edited command line is another", &serial),
    }
}

/// The machine may reset here: a restart shows the menu again, and only switching off ends it.
fn actions(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = waiting("[[menu]]\naction = \"reboot\"\n[[menu]]\naction = \"poweroff\"\n");
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).with(RESETS).start(&system.logs)?;
    guest.wait_for(&["> Restart", "Power off"])?;
    let shown = guest.serial().matches("> Restart").count();
    guest.press(&["ret".to_owned()])?;
    guest.wait_for_more("> Restart", shown)?;
    guest.press(&["down".to_owned(), "ret".to_owned()])?;
    guest.wait_for_end()?;
    Ok(medium.check_unwritten()?)
}

/// A reset of the machine is one, and no end of QEMU.
const RESETS: &[&str] = &["-action", "reboot=reset"];

fn firmware_setup(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = waiting("[[menu]]\naction = \"firmware-setup\"\n");
    let medium = system.medium(&manifest, cell)?;
    // The machine resets and comes up again in OVMF's set-up.
    let mut guest = system.machine(&medium, cell).with(RESETS).start(&system.logs)?;
    guest.wait_for(&["Firmware set-up"])?;
    guest.press(&["ret".to_owned()])?;
    Ok(guest.wait_for(&["Boot Manager", "Boot Maintenance Manager"])?)
}

fn machine_page(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = waiting("[[menu]]\naction = \"machine\"\n[[menu]]\naction = \"poweroff\"\n");
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    guest.wait_for(&["About this machine", "Power off"])?;
    guest.press(&["ret".to_owned()])?;
    let (firmware, secure_boot) = match cell.firmware {
        Firmware::Bios => ("Firmware      BIOS", "BIOS has none"),
        _ => ("Firmware      UEFI 2.", "Secure Boot   off"),
    };
    let sector = match cell.medium {
        Medium::Cd => "2048 bytes a sector",
        _ => "512 bytes a sector",
    };
    // Where the memory of QEMU's machines begins, or goes on above the first MiB.
    let memory = match cell.firmware {
        Firmware::UefiAa64 => "000040000000 - ",
        _ => "000000100000 - ",
    };
    guest.wait_for(&[firmware, secure_boot, sector, memory, "free", "Free memory", "Any key"])?;
    guest.screendump_as("machine.png")?;
    let shown = guest.serial_text();
    let free = shown
        .split_once("Free memory")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    // The machine has 1024 MiB, of which the firmware keeps some.
    if !free
        .and_then(|free| free.parse().ok())
        .is_some_and(|free| (960..1024).contains(&free))
    {
        return Err(format!("{free:?} MiB are said to be free, of 1024"));
    }
    guest.press(&["esc".to_owned(), "end".to_owned(), "ret".to_owned()])?;
    Ok(guest.wait_for_end()?)
}

/// A bar while a large initrd is read. The system after it shows that all of it came.
fn progress(system: &System, cell: Cell) -> Result<(), String> {
    let content: Vec<u8> = (0..70_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    system.put("large.img", &one_file("large", &content))?;
    let manifest = "[boot]\ntimeout = 1\nserial = 115200\n[[menu]]\nkernel = \"vmlinuz\"\n\
                    initrd = [\"large.img\", \"initrd.img\"]\ncmdline = \"console=ttyS0\"\n";
    let medium = system.medium(manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    guest.wait_for(&["Starting Boot", " MiB of "])?;
    guest.screendump_as("progress.png")?;
    let large = format!("file /large {}", hash::bytes(&content));
    system.finish(guest, &[&large, END])?;
    Ok(medium.check_unwritten()?)
}

/// One image for PCs of 32 and 64 bits and for ARM, whose menus show what the machine can start.
fn side_by_side(system: &System, cell: Cell) -> Result<(), String> {
    let arm = cell.firmware == Firmware::UefiAa64;
    for (arm, name) in [(false, "pc"), (true, "arm")] {
        system.put_system(arm, &format!("{name}-vmlinuz"), &format!("{name}-initrd.img"))?;
    }
    let manifest = waiting(
        "[[menu]]\ntitle = \"For PCs\"\nkernel = \"pc-vmlinuz\"\ninitrd = \"pc-initrd.img\"\ncmdline = \"console=ttyS0\"\n\
         [[menu]]\ntitle = \"For ARM\"\nkernel = \"arm-vmlinuz\"\ninitrd = \"arm-initrd.img\"\ncmdline = \"console=ttyAMA0\"\n\
         [[menu]]\naction = \"poweroff\"\n",
    );
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    guest.wait_for(&["ACME_1", "Power off"])?;
    let (shown, hidden) = if arm {
        ("> For ARM", "For PCs")
    } else {
        ("> For PCs", "For ARM")
    };
    if !guest.serial().contains(shown) || guest.serial().contains(hidden) {
        return error("the menu shows what another machine starts", &guest.serial());
    }
    guest.press(&["ret".to_owned()])?;
    system.finish(guest, &[END]).map(drop)
}

/// A boot sector that writes a text to the serial port. It has to be at 0x7c00, and to know its drive.
fn raw_program(system: &System, cell: Cell) -> Result<(), String> {
    // mov bl, dl; mov dx, 0x3f8; mov si, 0x7c13; 1: lodsb; test al, al; jz 2f; out dx, al; jmp 1b; 2: hlt; jmp 2b
    let mut program = vec![
        0x88, 0xd3, 0xba, 0xf8, 0x03, 0xbe, 0x13, 0x7c, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xf4, 0xeb,
        0xfd,
    ];
    program.extend_from_slice(b"raw program\0");
    program.resize(90_000, 0x90);
    system.put("raw.bin", &program)?;
    let manifest = "[boot]\ntimeout = 0\n[[menu]]\nbios = \"raw.bin\"\n";
    system.boots(manifest, cell, &["raw program"]).map(drop)
}
