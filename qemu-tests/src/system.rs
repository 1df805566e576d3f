//! A small system for the built-in loader to start: Debian's kernel, and an initrd whose first program says what it sees.

use crate::cpio::Archive;
use crate::example::build;
use crate::initramfs::Initramfs;
use crate::pins::{self, Inputs};
use crate::suite::Test;
use crate::{suite, tools, workspace};
use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use isobuild::inside::vm::Guest;
use isobuild::inside::vm::Machine;
use isobuild::inside::vm::Scratch;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What the system says before it switches the machine off.
pub const END: &str = "isobuild-test: end";

/// What takes ten seconds on a free machine is over by then on a busy one; a loader that hangs costs no more.
const DEADLINE: Duration = Duration::from_secs(90);

/// The system's first program. The kernel is silent from then on: its messages would stand between the characters of a long line.
const INIT: &[u8] = b"#!/busybox sh
/busybox mkdir -p /proc
/busybox mount -t proc proc /proc
echo 1 > /proc/sys/kernel/printk
say() { echo \"isobuild-test: $*\" > /dev/console; }
say \"cmdline [$(/busybox cat /proc/cmdline)]\"
for f in /* /proc/cmdline; do [ -f \"$f\" ] && say \"file $f $(/busybox sha256sum < \"$f\" | /busybox cut -c1-64)\"; done
say end
/busybox poweroff -f
";

/// A directory with the system's files, in which a test writes its manifest.
#[derive(Debug)]
pub struct System {
    directory: tempfile::TempDir,
    /// Where the logs of its machines go.
    pub logs: PathBuf,
    /// The kernel's name of the machine's serial port.
    pub port: &'static str,
}

/// A test of the loader: its name, the cells in which it runs, and what it does in one of them.
pub type LoaderTest = (&'static str, &'static [Cell], fn(&System, Cell) -> Result<(), String>);

/// Tests of the loader, one for each cell. Each has a system of its own.
pub fn trials(tests: &[LoaderTest]) -> Vec<Test> {
    let mut trials = Vec::new();
    for &(name, cells, test) in tests {
        for &cell in cells {
            let name = format!("{name} {cell}");
            let logs = format!("loader-{}", name.replace(' ', "-"));
            trials.push(suite::trial(name, missing(cell.firmware), move || {
                test(&System::new(&logs, cell.firmware)?, cell)
            }));
        }
    }
    trials
}

/// What a test of the loader lacks here, as sentences.
pub fn missing(firmware: Firmware) -> Vec<String> {
    let mut missing = suite::missing(needs(firmware));
    missing.extend(workspace::isobuild().err());
    missing.extend(suite::missing_inputs().unwrap_or_else(|reason| vec![reason]));
    missing
}

/// What a machine with this firmware needs.
pub fn needs(firmware: Firmware) -> &'static [&'static str] {
    match firmware {
        Firmware::Bios => &["qemu-system-x86_64", "setpriv", "/usr/share/seabios/bios-256k.bin"],
        Firmware::Uefi => &["qemu-system-x86_64", "setpriv", tools::OVMF_CODE, tools::OVMF_VARS],
        Firmware::UefiIa32 => &["qemu-system-x86_64", "setpriv", tools::OVMF_IA32_CODE],
        Firmware::UefiAa64 => &["qemu-system-aarch64", "setpriv", "bsdtar", tools::AAVMF_CODE],
        _ => &[
            "qemu-system-x86_64",
            "setpriv",
            tools::OVMF_SECURE_CODE,
            tools::OVMF_VARS,
        ],
    }
}

impl System {
    /// The system's `vmlinuz` and `initrd.img` for the processor that has this firmware. The logs of its machines go to a
    /// directory of this name.
    pub fn new(name: &str, firmware: Firmware) -> Result<Self, String> {
        let directory = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
        let arm = firmware == Firmware::UefiAa64;
        let system = Self {
            directory,
            logs: workspace::target().join("qemu-tests/logs").join(name),
            port: if arm { "ttyAMA0" } else { "ttyS0" },
        };
        system.put_system(arm, "vmlinuz", "initrd.img")?;
        Ok(system)
    }

    /// Puts a kernel and an initrd under these names: those for `arm`, or those for PCs.
    pub fn put_system(&self, arm: bool, kernel: &str, initrd: &str) -> Result<(), String> {
        let inputs = pins::load("qemu-tests")?;
        let from = inputs.file(if arm { "aa64/vmlinuz" } else { "vmlinuz" })?;
        fs::copy(&from, self.path(kernel)).map_err(|e| format!("{}: {e}", from.display()))?;
        self.put(
            initrd,
            &if arm {
                aa64_initrd(&inputs)?
            } else {
                pc_initrd(&inputs)?
            },
        )
    }

    /// The path of a file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the directory.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.path(name);
        fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Builds the image of a manifest, in which the serial port is a PC's.
    pub fn image(&self, manifest: &str) -> Result<PathBuf, String> {
        self.put("manifest.toml", manifest.replace("ttyS0", self.port).as_bytes())?;
        let image = self.path("image.iso");
        build(
            &mut Command::new(workspace::isobuild()?),
            &self.path("manifest.toml"),
            &image,
        )?;
        Ok(image)
    }

    /// The image of a manifest as the medium of a cell.
    pub fn medium(&self, manifest: &str, cell: Cell) -> Result<Scratch, String> {
        Ok(Scratch::new(
            &self.image(manifest)?,
            cell.medium,
            self.directory.path(),
        )?)
    }

    /// A machine for a cell, without its medium.
    pub fn bare(&self, cell: Cell) -> Machine {
        Machine::new(cell.firmware).deadline(DEADLINE)
    }

    /// A machine of a cell with its medium.
    pub fn machine(&self, medium: &Scratch, cell: Cell) -> Machine {
        self.bare(cell).scratch(medium)
    }

    /// Boots the image of a manifest in a cell until all of `expected` has been said, and until the machine is off if that is
    /// [`END`]. Then nobody has written to the medium.
    pub fn boots(&self, manifest: &str, cell: Cell, expected: &[&str]) -> Result<String, String> {
        let medium = self.medium(manifest, cell)?;
        let guest = self.machine(&medium, cell).start(&self.logs)?;
        let serial = self.finish(guest, expected)?;
        medium.check_unwritten()?;
        Ok(serial)
    }

    /// Waits for what a started machine has to say, and gives all that it said.
    pub fn finish(&self, mut guest: Guest, expected: &[&str]) -> Result<String, String> {
        guest.wait_for(expected)?;
        if expected.contains(&END) {
            guest.wait_for_end()?;
        }
        Ok(guest.serial())
    }
}

/// The four cells in which the loader starts a system.
pub const CELLS: [Cell; 4] = [
    Cell {
        firmware: Firmware::Bios,
        medium: Medium::Cd,
    },
    Cell {
        firmware: Firmware::Bios,
        medium: Medium::Usb,
    },
    Cell {
        firmware: Firmware::Uefi,
        medium: Medium::Cd,
    },
    Cell {
        firmware: Firmware::Uefi,
        medium: Medium::Usb,
    },
];

fn pc_initrd(inputs: &Inputs) -> Result<Vec<u8>, String> {
    let busybox = inputs.file("busybox")?;
    let busybox = fs::read(&busybox).map_err(|e| format!("{}: {e}", busybox.display()))?;
    let mut archive = Archive::default();
    archive.file("busybox", &busybox);
    archive.file("init", INIT);
    Ok(archive.finish())
}

/// Of the installer's own first root file system, the shell and what it is linked with.
fn aa64_initrd(inputs: &Inputs) -> Result<Vec<u8>, String> {
    let installer = inputs.file("aa64/initrd.gz")?;
    let mut initramfs = Initramfs::default();
    let library = "lib/aarch64-linux-gnu";
    for (from, to) in [
        ("bin/busybox", "/busybox"),
        (
            &format!("{library}/ld-linux-aarch64.so.1"),
            "/lib/ld-linux-aarch64.so.1",
        ),
        (&format!("{library}/libc.so.6"), "/lib/libc.so.6"),
        (&format!("{library}/libresolv.so.2"), "/lib/libresolv.so.2"),
    ] {
        let mut bsdtar = Command::new(tools::find("bsdtar")?);
        let output = bsdtar.arg("-xOf").arg(&installer).arg(from).output();
        let output = output.map_err(|e| format!("bsdtar: {e}"))?;
        if !output.status.success() || output.stdout.is_empty() {
            return Err(format!("{} has no {from}", installer.display()));
        }
        initramfs.file(to, &output.stdout);
    }
    initramfs.file("/init", INIT);
    Ok(initramfs.finish())
}

/// An archive with one file.
pub fn one_file(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.file(name, bytes);
    archive.finish()
}
