//! The built-in loader under a second BIOS, which is not SeaBIOS, on a second emulated PC, which is not QEMU.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use qemu_tests::bochs;
use qemu_tests::linux::MARK;
use qemu_tests::suite::Test;
use qemu_tests::system::System;
use qemu_tests::{suite, workspace};

pub(crate) fn tests() -> suite::Tests {
    Ok([Medium::Cd, Medium::Disk].map(trial).into())
}

fn trial(medium: Medium) -> Test {
    let cell = Cell {
        firmware: Firmware::Bios,
        medium,
    };
    let mut missing = suite::missing(&bochs::NEEDS);
    missing.extend(suite::missing_inputs().unwrap_or_else(|reason| vec![reason]));
    missing.extend(workspace::isobuild().err());
    suite::trial(format!("Bochs {cell}"), missing, move || boots(cell)).long()
}

/// The menu is on the serial port, and what it starts says what it sees.
fn boots(cell: Cell) -> Result<(), String> {
    let system = System::new(&format!("bochs-{cell}"), cell.firmware)?;
    let image = system.image(
        "volume_id = \"BOCHS\"\n[boot]\ntimeout = 1\nserial = 115200\n[[menu]]\ntitle = \"Second BIOS\"\nkernel = \"vmlinuz\"\n\
         initrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n",
    )?;
    // The port is as slow as a real one: what is said right before the machine is switched off does not get out.
    let first = format!("{MARK} cmdline [console=ttyS0]");
    let expected = ["BOCHS", "> Second BIOS", "Linux version", &first];
    bochs::boots(&image, cell.medium, &system.logs, &expected).map(drop)
}
