//! The built-in loader under Secure Boot: signed by the machine's owner, behind shim, it starts what shim trusts and nothing else.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use qemu_tests::secure::{Key, Owner};
use qemu_tests::suite::Test;
use qemu_tests::system::{self, END, System};
use qemu_tests::verbs::Bench;
use qemu_tests::{pins, suite, tools, workspace};
use std::fs;
use std::process::Command;

const CD: Cell = Cell {
    firmware: Firmware::SecureBoot,
    medium: Medium::Cd,
};
const USB: Cell = Cell {
    firmware: Firmware::SecureBoot,
    medium: Medium::Usb,
};

/// What a test changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changed {
    Nothing,
    /// One byte of the kernel.
    Kernel,
    /// The owner's key is not in the firmware's variables.
    Key,
    /// The loader is as it comes out of the program.
    Loader,
}

pub(crate) fn tests() -> suite::Tests {
    Ok(trials())
}

fn trials() -> Vec<Test> {
    let tests = [
        ("signed by the owner", CD, Changed::Nothing),
        ("signed by the owner", USB, Changed::Nothing),
        ("kernel changed", USB, Changed::Kernel),
        ("key not enrolled", CD, Changed::Key),
        ("loader not signed", CD, Changed::Loader),
    ];
    let trial = |(name, cell, changed): (&str, Cell, Changed)| {
        let mut missing = system::missing(cell.firmware);
        missing.extend(suite::missing(&["openssl", "sbsign"]));
        missing.extend(tools::from_pypi("virt-fw-vars").err());
        let name = format!("{name} {cell}");
        let logs = format!("secure-boot-{}", name.replace(' ', "-"));
        suite::trial(name, missing, move || {
            boots(&System::new(&logs, cell.firmware)?, cell, changed)
        })
    };
    let mut missing = system::missing(Firmware::SecureBoot);
    missing.extend(suite::missing(&["openssl"]));
    let signed = suite::trial("signed by the manifest".to_owned(), missing, signed_by_the_manifest);
    tests.into_iter().map(trial).chain([signed]).collect()
}

/// `[boot.sign]`: a machine that trusts the owner alone starts the loader, and one of each generation starts it behind shim.
fn signed_by_the_manifest() -> Result<(), String> {
    let bench = Bench::new("");
    Key::new(bench.directory.path(), "own", ("rsa:2048", "own", &[]), None)?;
    let shim = pins::load("debian-installer")?.file("shimx64.efi.signed")?;
    let menu = "[boot]\ntimeout = 0\nserial = 115200\nsign = { key = \"own.key\", cert = \"own.pem\" }\n\
                [[menu]]\naction = \"machine\"\n";
    let behind = format!("[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = {shim:?}\n");
    for (manifest, line) in [
        (menu.to_owned(), "--cell secure-boot-own-usb"),
        (menu.to_owned() + &behind, "--cell secure-boot-usb --trust own.pem"),
    ] {
        fs::write(bench.path("m.toml"), manifest).map_err(|e| e.to_string())?;
        let said = bench.run(&format!("test m.toml {line} --expect Free.memory"));
        if said.code != Some(0) {
            return Err(format!("{line}: {said:?}"));
        }
    }
    Ok(())
}

/// What `check` says of the image on a machine that trusts the owner, unless their key is missing.
fn judged(system: &System, owner: &Owner, cell: Cell, changed: Changed) -> Result<(), String> {
    let mut isobuild = Command::new(workspace::isobuild()?);
    let check = isobuild
        .arg("check")
        .arg(system.path("image.iso"))
        .args(["--require", &cell.to_string()]);
    if changed != Changed::Key {
        check.arg("--trust").arg(&owner.certificate);
    }
    let output = check.output().map_err(|e| format!("isobuild check: {e}"))?;
    let (code, words) = match changed {
        Changed::Nothing => (0, "signed under isobuild test owner, which its owner trusts"),
        Changed::Kernel => (5, "it was changed after it was signed"),
        Changed::Key => (5, "which starts only where the key is enrolled (MOK)"),
        Changed::Loader => (
            5,
            "a shim that does not start /EFI/BOOT/grubx64.efi, which is not signed",
        ),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() == Some(code) && said.contains(words) {
        true => Ok(()),
        false => Err(format!("check ends with {}:\n{said}", output.status)),
    }
}

fn boots(system: &System, cell: Cell, changed: Changed) -> Result<(), String> {
    let owner = Owner::new(&system.path(""))?;
    let mut isobuild = Command::new(workspace::isobuild()?);
    let said = isobuild.args(["loader", "-C"]).arg(system.path("loader")).output();
    let said = said.map_err(|e| format!("isobuild loader: {e}"))?;
    if !said.status.success() {
        return Err(String::from_utf8_lossy(&said.stderr).into_owned());
    }
    let program = system.path("loader").join("BOOTX64.EFI");
    match changed {
        Changed::Loader => fs::copy(&program, system.path("signed.efi"))
            .map(drop)
            .map_err(|e| e.to_string())?,
        _ => owner.sign(&program, &system.path("signed.efi"))?,
    }
    if changed == Changed::Kernel {
        let mut kernel = fs::read(system.path("vmlinuz")).map_err(|e| e.to_string())?;
        // In the compressed part, behind all that the loader or shim could take offence at.
        let middle = kernel.len() / 2;
        kernel[middle] ^= 1;
        system.put("vmlinuz", &kernel)?;
    }
    let shim = pins::load("debian-installer")?.file("shimx64.efi.signed")?;
    let manifest = format!(
        "[boot]\ntimeout = 0\nserial = 115200\n[boot.uefi.files]\n\"/EFI/BOOT/BOOTX64.EFI\" = {shim:?}\n\
         \"/EFI/BOOT/grubx64.efi\" = \"signed.efi\"\n\
         [[menu]]\nkernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\ncmdline = \"console=ttyS0\"\n"
    );
    let medium = system.medium(&manifest, cell)?;
    judged(system, &owner, cell, changed)?;
    let mut machine = system.machine(&medium, cell);
    if changed != Changed::Key {
        machine = machine.variables(&owner.variables);
    }
    let mut guest = machine.start(&system.logs)?;
    match changed {
        Changed::Nothing => {
            let serial = system.finish(guest, &["secureboot: Secure boot enabled", END])?;
            return match serial.contains("Kernel is locked down from EFI Secure Boot") {
                true => Ok(()),
                false => Err(format!("the kernel is not locked down:\n{serial}")),
            };
        }
        Changed::Kernel => {
            guest.wait_for(&["/boot/vmlinuz is refused by Secure Boot: this machine does not trust its signature."])?;
        }
        // In shim's own words.
        Changed::Key | Changed::Loader => guest.wait_for(&["Verification failed: (0x1A) Security Violation"])?,
    }
    guest.screendump_as("refused.png")?;
    match guest.serial().contains("Linux version") {
        true => Err(format!("the kernel runs:\n{}", guest.serial())),
        false => Ok(medium.check_unwritten()?),
    }
}
