//! The parts of a machine as arguments for QEMU. There are no default devices. A network card is only there on request, and has no boot ROM,
//! which would hide that an image does not boot. A run leaves nothing behind in the firmware or on a medium.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::accelerator::Accelerator;
use super::firmware::Flash;
use super::words::{option, shell_word};
use crate::facts::cell::{Firmware, Medium};

/// One medium in its drive.
#[derive(Clone, Debug)]
pub(super) struct Drive {
    pub(super) file: PathBuf,
    /// `raw` or `qcow2`.
    pub(super) format: &'static str,
    pub(super) medium: Medium,
    /// Whether what is written disappears with the machine.
    pub(super) snapshot: bool,
}

/// QEMU's arguments, word by word.
#[derive(Debug, Default)]
pub(super) struct Arguments(pub(super) Vec<OsString>);

impl Arguments {
    pub(super) fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(OsString::from));
    }

    /// An option whose value ends with a path.
    pub(super) fn add_path(&mut self, name: &str, value: &str, path: &Path) {
        self.0.push(name.into());
        self.0.push(option(value, path));
    }

    /// The board, its processor, memory and screen.
    pub(super) fn board(&mut self, firmware: Firmware, accelerator: Accelerator, memory: u64, smm: bool) {
        self.add(["-accel", accelerator.name(), "-nodefaults", "-no-reboot"]);
        let memory = format!("{memory}M");
        self.add(["-m", &memory, "-cpu", accelerator.processor(firmware)]);
        match firmware {
            Firmware::UefiAa64 => {
                self.add(["-machine", "virt", "-device", "virtio-gpu-pci"]);
                self.add(["-device", "qemu-xhci,id=keys", "-device", "usb-kbd,bus=keys.0"]);
            }
            _ => self.add(["-machine", if smm { "q35,smm=on" } else { "q35" }, "-vga", "std"]),
        }
    }

    /// UEFI firmware, whose variables are the run's own. Without SMM the guest could write to the keys, and firmware that is
    /// built for Secure Boot does not start.
    pub(super) fn flash(&mut self, flash: &Flash) {
        if flash.smm {
            self.add(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        }
        let code = format!("if=pflash,format={},readonly=on,file=", flash.code.format);
        self.add_path("-drive", &code, &flash.code.filename);
        if let Some(variables) = &flash.variables {
            let value = format!("if=pflash,format={},snapshot=on,file=", variables.format);
            self.add_path("-drive", &value, &variables.filename);
        }
    }

    /// A medium, which firmware tries in its turn if it has one.
    pub(super) fn drive(&mut self, number: usize, drive: &Drive, firmware: Firmware, turn: Option<usize>) {
        let kind = match drive.medium {
            Medium::Cd => "media=cdrom,readonly=on",
            _ if drive.snapshot => "media=disk,snapshot=on",
            _ => "media=disk",
        };
        let value = format!("if=none,id=m{number},format={},{kind},file=", drive.format);
        self.add_path("-drive", &value, &drive.file);
        let (controller, device) = match (drive.medium, firmware) {
            (Medium::Cd, Firmware::UefiAa64) => (Some("virtio-scsi-pci,id=c?"), "scsi-cd,bus=c?.0"),
            (Medium::Cd, _) => (None, "ide-cd"),
            (Medium::Usb, _) => (Some("qemu-xhci,id=c?"), "usb-storage,bus=c?.0"),
            (Medium::Usb4kn, _) => (
                Some("qemu-xhci,id=c?"),
                "scsi-hd,bus=b?.0,logical_block_size=4096,physical_block_size=4096",
            ),
            (Medium::Disk, _) => (None, "virtio-blk-pci"),
            (Medium::Disk4kn, _) => (None, "virtio-blk-pci,logical_block_size=4096,physical_block_size=4096"),
        };
        let numbered = |text: &str| text.replace('?', &number.to_string());
        if let Some(controller) = controller {
            self.add(["-device", &numbered(controller)]);
        }
        if drive.medium == Medium::Usb4kn {
            self.add(["-device", &numbered("usb-bot,bus=c?.0,id=b?")]);
        }
        let turn = turn.map(|turn| format!(",bootindex={turn}")).unwrap_or_default();
        self.add(["-device", &format!("{},drive=m{number}{turn}", numbered(device))]);
    }

    /// An empty disk. Firmware tries it last. QEMU keeps what is written to it in a temporary file.
    pub(super) fn empty_disk(&mut self, number: usize, size: u64) {
        let empty = "format=raw,snapshot=on,file.driver=null-co,file.read-zeroes=on";
        self.add(["-drive", &format!("if=none,id=e{number},{empty},file.size={size}")]);
        self.add(["-device", &format!("virtio-blk-pci,drive=e{number}")]);
    }

    /// A network card without a boot ROM. QEMU acts as its router: DHCP gives 10.0.2.15, and the host is 10.0.2.2.
    pub(super) fn network(&mut self) {
        self.add(["-netdev", "user,id=n0"]);
        self.add(["-device", "virtio-net-pci,netdev=n0,romfile="]);
    }

    /// The line for a shell.
    pub(super) fn line(&self, program: &Path) -> String {
        let words = std::iter::once(program.as_os_str()).chain(self.0.iter().map(OsString::as_os_str));
        words.map(shell_word).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_by_a_shell_as_it_was_meant() {
        let mut arguments = Arguments::default();
        arguments.add(["%s\\n", "a b", "it's", "", "$HOME", "q35,smm=on"]);
        let line = arguments.line(Path::new("printf"));
        let out = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(out.stdout, b"a b\nit's\n\n$HOME\nq35,smm=on\n");
    }

    #[test]
    fn each_stick_has_a_controller_of_its_own() {
        let mut arguments = Arguments::default();
        for number in 0..2 {
            let drive = Drive {
                file: "s.img".into(),
                format: "raw",
                medium: Medium::Usb4kn,
                snapshot: true,
            };
            arguments.drive(number, &drive, Firmware::Uefi, Some(number));
        }
        let line = arguments.line(Path::new("qemu"));
        for number in 0..2 {
            let words = format!(
                "-device qemu-xhci,id=c{number} -device usb-bot,bus=c{number}.0,id=b{number} -device scsi-hd,bus=b{number}.0"
            );
            assert!(line.contains(&words), "{line}");
        }
        assert!(line.ends_with("drive=m1,bootindex=1"), "{line}");
    }
}
