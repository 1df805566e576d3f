//! Boots every cell of every example until the serial port shows what the system itself shows.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use isobuild::inside::vm::Machine;
use isobuild::inside::vm::Scratch;
use qemu_tests::example::Example;
use qemu_tests::system::needs;
use qemu_tests::{suite, workspace};
use std::path::Path;
use std::sync::Arc;

/// Cells in which examples that boot in many are booted without `--full`.
const SHORT: [(&str, &[&str]); 5] = [
    ("debian-installer", &["bios-cd", "secure-boot-usb"]),
    ("grub", &["bios-usb", "secure-boot-usb"]),
    ("isolinux", &["bios-cd", "uefi-usb"]),
    ("systemd-boot", &["uefi-usb"]),
    ("uki", &["bios-cd", "uefi-usb"]),
];

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    for example in Example::all()?.into_iter().map(Arc::new) {
        for cell in example.cells.clone() {
            let mut missing = example.missing();
            missing.extend(suite::missing(needs(cell.firmware)));
            let name = format!("{} {cell}", example.name);
            let example = Arc::clone(&example);
            let short = SHORT.iter().find(|(name, _)| *name == example.name);
            let is_long = short.is_some_and(|(_, cells)| !cells.contains(&cell.to_string().as_str()));
            trials.push(suite::trial(name, missing, move || boot(&example, cell)).long_if(is_long));
        }
        if example.cells.is_empty() {
            let mut missing = example.missing();
            missing.extend(suite::missing(needs(Firmware::Bios)));
            let name = format!("{} does not boot, and says so", example.name);
            trials.push(suite::trial(name, missing, move || no_boot(&example)));
        }
    }
    Ok(trials)
}

/// A test that waits for a boot can fail: with what the firmware said, the command line to repeat it, and without a machine left.
fn no_boot(example: &Example) -> Result<(), String> {
    let logs = workspace::target().join(format!("qemu-tests/logs/{}-no-boot", example.name));
    let mut guest = Machine::new(Firmware::Bios)
        .medium(example.image()?, Medium::Cd)
        .start(&logs)?;
    let process = guest.process();
    let Err(error) = guest.wait_for(&["login:"]) else {
        return Err("it booted".to_owned());
    };
    let reason = error.to_string();
    for part in ["No bootable device", "qemu-system-x86_64 -accel tcg", "picture: "] {
        if !reason.contains(part) {
            return Err(format!("{part:?} is not in\n{reason}"));
        }
    }
    drop(guest);
    match Path::new(&format!("/proc/{process}")).exists() {
        true => Err(format!("QEMU runs on as process {process}")),
        false => Ok(()),
    }
}

fn boot(example: &Example, cell: Cell) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let medium = Scratch::new(example.image()?, cell.medium, scratch.path())?;
    let logs = workspace::target().join(format!("qemu-tests/logs/{}-{cell}", example.name));
    let mut expected: Vec<&str> = example.expect.under(cell.firmware).iter().map(String::as_str).collect();
    let answer = match cell.firmware {
        Firmware::Bios => &example.answers.bios,
        _ => &example.answers.uefi,
    };
    // The kernel's own word for it: firmware without keys would start the same loaders.
    if cell.firmware == Firmware::SecureBoot {
        expected.push("secureboot: Secure boot enabled");
    }
    // The installer's own words say nothing of where it came from, the firmware's log does.
    let mut guest = Machine::new(cell.firmware).scratch(&medium).start(&logs)?;
    if let Some(answer) = answer {
        guest.wait_for(&[answer.after.as_str()])?;
        guest.press(&answer.keys)?;
    }
    guest.wait_for(&expected)?;
    guest.screendump()?;
    drop(guest);
    Ok(medium.check_unwritten()?)
}
