//! The built-in loader's own terminal under UEFI, on a serial port that the firmware's console is not on.
//!
//! EDK2 puts its console on every port that it finds, so its shell takes it away from there before it starts the loader.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use isobuild::inside::vm::{Guest, Scratch};
use qemu_tests::suite::Test;
use qemu_tests::system::{self, System};
use qemu_tests::{fat_stick, suite};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

const STICK: Cell = Cell {
    firmware: Firmware::Uefi,
    medium: Medium::Usb,
};

pub(crate) fn tests() -> suite::Tests {
    Ok(trials())
}

fn trials() -> Vec<Test> {
    let mut missing = system::missing(STICK.firmware);
    missing.extend(suite::missing(&fat_stick::TOOLS));
    let test = || keys(&System::new("serial-io", STICK.firmware)?);
    vec![suite::trial("terminal by Serial I/O".to_owned(), missing, test)]
}

/// Started with a handle that has Serial I/O: the console is then the screen at PCI device 1 alone, by its device path, and no
/// driver uses the port.
const SCRIPT: &str = "@echo -off\r\n\
    setvar ConOut -guid 8BE4DF61-93CA-11D2-AA0D-00E098032B8C -bs -rt -nv =02010C00D041030A00000000010106000001020308000001018\
    07FFF0400\r\n\
    echo The port is free.\r\n\
    disconnect %1\r\n\
    \\EFI\\BOOT\\loader.efi\r\n";

/// What a terminal sends moves the choice, edits the command line and starts the entry; and what it shows, the loader has written:
/// EDK2 knows no colours by number and no `ö`.
fn keys(system: &System) -> Result<(), String> {
    let entry = "kernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0 abc\"\n";
    let image = system.image(&format!(
        "[boot]\ntimeout = -1\nserial = 115200\n[[menu]]\ntitle = \"First\"\n{entry}[[menu]]\ntitle = \"Größer\"\n{entry}"
    ))?;
    let files = fat_stick::copies(system, &image)?;
    // Without a loader in its usual place, the firmware starts its shell.
    let loaders = files.join("EFI/BOOT");
    let script = files.join("free.nsh");
    fs::rename(loaders.join("BOOTX64.EFI"), loaders.join("loader.efi"))
        .and_then(|()| fs::write(script, SCRIPT))
        .map_err(|e| e.to_string())?;
    let stick = fat_stick::made(system, &files)?;
    let medium = Scratch::new(&stick, STICK.medium, &system.path(""))?;

    let mut guest = system.machine(&medium, STICK).terminal().start(&system.logs)?;
    let handle = in_shell(&mut guest)?;
    guest.type_on_serial(format!("free.nsh {handle}\r").as_bytes())?;
    for text in ["The port is free.", "> First", "Größer"] {
        wait_for(&guest, text)?;
    }
    for keys in [&b"\x1b[B"[..], b"e", b"\x08", b"X", b"\r"] {
        sleep(Duration::from_millis(500));
        guest.type_on_serial(keys)?;
    }
    guest.wait_for_end()?;
    let serial = guest.serial();
    match serial.contains("cmdline [console=ttyS0 abX]") {
        true => Ok(()),
        false => Err(format!("the edited command line is another\n{serial}")),
    }
}

/// Waits for a text. What [`Guest::wait_for`] takes for a failure, the start of the firmware's shell, is wanted here.
fn wait_for(guest: &Guest, text: &str) -> Result<(), String> {
    const DEADLINE: Duration = Duration::from_secs(60);
    while !guest.serial().contains(text) {
        if guest.age() > DEADLINE {
            return Err(guest.failure(&format!("no {text:?}")).to_string());
        }
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Waits for the shell and asks it which handle has Serial I/O.
fn in_shell(guest: &mut Guest) -> Result<String, String> {
    wait_for(guest, "any other key to continue")?;
    guest.type_on_serial(b"\x1b")?;
    wait_for(guest, "Shell> ")?;
    guest.type_on_serial(b"fs0:\r")?;
    wait_for(guest, "FS0:\\> ")?;
    guest.type_on_serial(b"dh -p SerialIo\r")?;
    wait_for(guest, "(..rial(0x0)")?;
    let serial = guest.serial_text();
    let (before, _) = serial.split_once(": SerialIO").unwrap_or_default();
    let digits = before
        .rsplit(|c: char| !c.is_ascii_hexdigit())
        .next()
        .unwrap_or_default();
    match digits {
        "" => Err(format!("the shell names no handle\n{serial}")),
        digits => Ok(digits.to_owned()),
    }
}
