//! `isobuild run`

use std::env;
use std::path::Path;

use crate::facts::Description;
use crate::facts::cell::{Cell, Firmware, Medium};
use crate::ground::text::visible_path;
use crate::vm::accelerator::Accelerator;
use crate::vm::{self, Machine, Scratch, Seat};

use super::inspect::described;
use super::subject::{Subject, subject};
use super::{Failure, Run, interrupt, print, show};

/// What is tried first where nobody says: what most machines have, and how most virtual machines take an image.
const FIRMWARE: [Firmware; 8] = [
    Firmware::Uefi,
    Firmware::Bios,
    Firmware::UefiAa64,
    Firmware::UefiIa32,
    Firmware::SecureBoot,
    Firmware::SecureBoot2011,
    Firmware::SecureBoot2023,
    Firmware::SecureBootOwn,
];

pub(super) fn run(arguments: &Run) -> Result<(), Failure> {
    let interrupt = interrupt()?;
    // What is missing is said before anything is built.
    if let Some(firmware) = arguments.firmware {
        Machine::installed(firmware)?;
    }
    let Subject {
        name,
        image,
        expectations,
        owner,
    } = subject(&arguments.image, &interrupt)?;
    let mut described = described(&name, &image, None)?;
    described.planned.owner = owner.as_ref().map(|owner| owner.certificate.clone());
    let asked = arguments.firmware.map(|firmware| {
        let medium = arguments.medium.unwrap_or(Medium::Cd);
        Cell { firmware, medium }
    });
    let mut trusted = arguments.trust.judge(&mut described, asked.as_slice())?;
    let cell = cell(arguments, &described);
    trusted.extend(owner.filter(|_| cell.firmware == Firmware::SecureBootOwn));
    let qemu = Machine::installed(cell.firmware)?;
    let (accelerator, sentence) = Accelerator::choose(&qemu, cell.firmware);
    let machine = Machine::new(cell.firmware)
        .accelerator(accelerator)
        .hardware(&arguments.hardware.over(expectations.hardware))
        .trusting(&trusted)
        .interrupt(&interrupt);
    let seat = match (arguments.gui, arguments.serial) {
        (true, _) => Seat::Window,
        (_, true) => Seat::Serial,
        _ if has_screen() => Seat::Window,
        _ => Seat::Serial,
    };
    announce(&name, &described, cell);
    show::tell(&sentence);
    if arguments.print {
        if image.path() != name {
            let message = "is not a raw image, and the command would name a temporary file that is gone by then; decompress it first, or \
                           make a raw image of it with `isobuild convert`";
            return Err(Failure::input(&name, message));
        }
        return print(&(machine.snapshot(image.path(), cell.medium).line(seat)? + "\n"));
    }
    if seat == Seat::Serial {
        show::tell("this terminal is the machine's serial port: Ctrl-A X ends it, Ctrl-A H shows more");
    }
    let directory = tempfile::tempdir().map_err(|source| Failure::io("temporary directory", "creating", source))?;
    let medium = Scratch::new(image.path(), cell.medium, directory.path())?;
    let status = machine.scratch(&medium).run(seat)?;
    match status.success() {
        true => Ok(()),
        false => Err(vm::MachineError::Control(format!("it has ended with {status}")).into()),
    }
}

/// The one that is asked for; of what is not said, the first that the image boots in.
fn cell(arguments: &Run, image: &Description) -> Cell {
    let media = Medium::ALL;
    let all = FIRMWARE
        .into_iter()
        .flat_map(|firmware| media.map(|medium| Cell { firmware, medium }));
    let asked = |cell: &Cell| {
        arguments.firmware.is_none_or(|firmware| firmware == cell.firmware)
            && arguments.medium.is_none_or(|medium| medium == cell.medium)
    };
    let boots = |cell: &Cell| image.cells.iter().any(|verdict| verdict.cell == *cell && verdict.boots);
    let mut all: Vec<Cell> = all.filter(asked).collect();
    // What is there is better than what is first.
    all.sort_by_key(|cell| (!boots(cell), Machine::installed(cell.firmware).is_err()));
    all.first().copied().unwrap_or(Cell {
        firmware: Firmware::Uefi,
        medium: Medium::Cd,
    })
}

/// What is going to be seen, if that is nothing.
fn announce(name: &Path, image: &Description, cell: Cell) {
    show::tell(&format!("{}: {cell}", visible_path(name)));
    let verdict = image.cells.iter().find(|verdict| verdict.cell == cell);
    if let Some(verdict) = verdict.filter(|verdict| !verdict.boots) {
        show::notes(&[format!("{cell} will not boot: {}", verdict.reason)]);
    }
}

/// Whether QEMU can open a window.
fn has_screen() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}
