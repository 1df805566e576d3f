//! The whole story of an installer: built from its manifest, written to a disk with `write`, verified, booted from that very disk; it
//! installs a system onto another, and that one boots by itself.

use isobuild::inside::facts::cell::{Firmware, Medium};
use isobuild::inside::vm::Machine;
use qemu_tests::example::Example;
use qemu_tests::loops::{self, Loop};
use qemu_tests::system::needs;
use qemu_tests::verbs::{Bench, Said};
use qemu_tests::{suite, workspace};
use std::fs;
use std::path::Path;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        let example = Example::load("appliance-installer")?;
        let mut missing = example.missing();
        missing.extend(suite::missing(needs(firmware)));
        missing.extend(suite::missing(&["losetup"]));
        missing.extend(loops::missing());
        let name = format!("an appliance is installed under {}", firmware.name());
        trials.push(suite::trial(name, missing, move || story(&example, firmware)));
    }
    Ok(trials)
}

/// Of the medium, and of the disk that is installed to.
const SIZE: u64 = 64 << 20;

fn story(example: &Example, firmware: Firmware) -> Result<(), String> {
    let bench = Bench::new("");
    let medium = Loop::new(&bench.path("medium"), SIZE, 512);
    let image = bench.path("image.iso");
    fs::copy(example.image()?, &image).map_err(|e| e.to_string())?;
    let write = format!("write image.iso {} --yes --expand", medium.name());
    let verify = format!("verify image.iso {}", medium.name());
    done(&bench.run(&write))?;
    done(&bench.run(&verify))?;

    let target = bench.path("target");
    let file = fs::File::create(&target).and_then(|file| file.set_len(SIZE));
    file.map_err(|e| e.to_string())?;
    let logs = |what: &str| workspace::target().join(format!("qemu-tests/logs/story-{}-{what}", firmware.name()));
    let mut guest = Machine::new(firmware)
        .terminal()
        .medium(&medium.path, Medium::Disk)
        .medium(&target, Medium::Disk)
        .start(&logs("installer"))?;
    guest.wait_for(&[
        "This is the installer of the appliance",
        "/dev/vdb",
        "Type yes to go on:",
    ])?;
    guest.type_on_serial(b"yes\n")?;
    guest.wait_for(&["The appliance is installed."])?;
    guest.wait_for_end()?;
    drop(guest);
    // The medium is what it was, and the disk holds the appliance.
    done(&bench.run(&verify))?;
    let appliance = example.dir.join("inputs/appliance.img");
    done(&bench.run(&format!("verify {} target", appliance.display())))?;
    boots_by_itself(firmware, &target, &logs("appliance"))
}

/// The disk alone, in a machine that has nothing else.
fn boots_by_itself(firmware: Firmware, disk: &Path, logs: &Path) -> Result<(), String> {
    let mut guest = Machine::new(firmware).medium(disk, Medium::Disk).start(logs)?;
    guest.wait_for(&[
        "This is the appliance.",
        "It runs from the disk that it was installed to.",
    ])?;
    guest.screendump()?;
    Ok(())
}

fn done(said: &Said) -> Result<(), String> {
    match said.code {
        Some(0) => Ok(()),
        _ => Err(format!("{said:?}")),
    }
}
