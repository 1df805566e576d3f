//! What runs the machine's instructions: the host's processor if that works, else QEMU's translator.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use super::{child, words};
use crate::facts::cell::Firmware;

/// What QEMU's `-accel` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// Translation: works everywhere, and does not depend on the host's processor.
    Tcg,
    /// Linux.
    Kvm,
    /// macOS.
    Hvf,
    /// Windows.
    Whpx,
}

/// What the probe has to show on its serial port.
const MARK: &str = "isobuild: this machine runs\n";

/// In how much time it has to: a processor that runs guests takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// A boot sector that sends what follows it to the first serial port: `cli; cld; finit; pushf; push cs; push 7C0Bh; iret; xor ax,ax;
/// mov ds,ax; mov si,7C20h; mov dx,3F8h; next: lodsb; test al,al; jz stop; out dx,al; jmp next; stop: hlt; jmp stop`.
///
/// `finit` and `iret` are what a KVM that had shown the rest could not run: ISOLINUX and EDK2 died of them, "internal-error".
const X64: [u8; 32] = [
    0xfa, 0xfc, 0x9b, 0xdb, 0xe3, 0x9c, 0x0e, 0x68, 0x0b, 0x7c, 0xcf, 0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x20, 0x7c, 0xba,
    0xf8, 0x03, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xf4, 0xeb, 0xfd,
];

/// The same as a kernel for the machine `virt`: `movz x1,#0900h,lsl #16; adr x0,text; next: ldrb w2,[x0],#1; cbz w2,stop;
/// str w2,[x1]; b next; stop: wfi; b stop`.
const AA64: [u32; 8] = [
    0xd2a1_2001,
    0x1000_00e0,
    0x3840_1402,
    0x3400_0062,
    0xb900_0022,
    0x17ff_fffd,
    0xd503_207f,
    0x17ff_ffff,
];

impl Accelerator {
    /// QEMU's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
            Self::Hvf => "hvf",
            Self::Whpx => "whpx",
        }
    }

    /// The host's, if its processor can run the machine's instructions.
    fn of_host(firmware: Firmware) -> Option<Self> {
        let processor = match firmware {
            Firmware::UefiAa64 => "aarch64",
            _ => "x86_64",
        };
        let host = match std::env::consts::OS {
            "linux" => Self::Kvm,
            "macos" => Self::Hvf,
            "windows" => Self::Whpx,
            _ => return None,
        };
        Some(host).filter(|_| std::env::consts::ARCH == processor)
    }

    /// The best one that works, with a sentence about it. The host's is trusted only after a machine of it has shown that it
    /// runs: `/dev/kvm` may be there and open, and every guest die.
    pub fn choose(qemu: &Path, firmware: Firmware) -> (Self, String) {
        let Some(host) = Self::of_host(firmware) else {
            let why = "the host's processor is of another kind";
            return (Self::Tcg, format!("QEMU translates (tcg), which is slow: {why}"));
        };
        match host.probe(qemu, firmware, PATIENCE) {
            Ok(()) => (host, format!("the host's processor runs the machine ({})", host.name())),
            Err(why) => (Self::Tcg, format!("QEMU translates (tcg), which is slow: {why}")),
        }
    }

    /// Starts a tiny machine and waits for its mark. The error says why there is none.
    pub fn probe(self, qemu: &Path, firmware: Firmware, patience: Duration) -> Result<(), String> {
        if self == Self::Kvm {
            let opened = fs::File::options().read(true).write(true).open("/dev/kvm");
            opened.map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => "/dev/kvm may not be opened (its group, mostly kvm, may)".to_owned(),
                _ => format!("/dev/kvm: {error}"),
            })?;
        }
        let directory = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
        let (image, serial) = (directory.path().join("image"), directory.path().join("serial"));
        let (mut bytes, medium) = match firmware {
            Firmware::UefiAa64 => (AA64.iter().flat_map(|word| word.to_le_bytes()).collect(), "-kernel"),
            _ => (X64.to_vec(), "-drive"),
        };
        bytes.extend(MARK.as_bytes());
        bytes.resize(510, 0);
        bytes.extend([0x55, 0xaa]);
        fs::write(&image, bytes).map_err(|error| format!("{}: {error}", image.display()))?;
        let image = match medium {
            "-drive" => words::option("format=raw,if=ide,readonly=off,snapshot=on,file=", &image),
            _ => image.clone().into(),
        };
        let machine = match firmware {
            Firmware::UefiAa64 => "virt",
            _ => "pc",
        };
        let mut command = child::command(qemu);
        command
            .args([
                "-accel",
                self.name(),
                "-machine",
                machine,
                "-cpu",
                self.processor(firmware),
            ])
            .args(["-m", "64", "-nodefaults", "-display", "none", "-no-reboot"])
            .arg(medium)
            .arg(image)
            .arg("-serial")
            .arg(words::option("file:", &serial))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut machine = child::Child::start(&mut command).map_err(|error| format!("{}: {error}", qemu.display()))?;
        let started = Instant::now();
        let name = self.name();
        loop {
            let ended = machine.ended().map_err(|error| format!("QEMU: {error}"))?;
            if fs::read(&serial).is_ok_and(|said| said == MARK.as_bytes()) {
                return Ok(());
            }
            if ended.is_some() {
                return Err(format!("a probe with {name} has failed at once"));
            }
            if started.elapsed() > patience {
                return Err(format!(
                    "a probe with {name} has shown nothing in {} s",
                    patience.as_secs()
                ));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The processor that the machine has: all that there is, but page tables of five levels, which firmware turns on and some
    /// loaders do not know.
    pub(super) fn processor(self, firmware: Firmware) -> &'static str {
        match (self, firmware) {
            // `max` takes a signature of every pointer, which translation is slow at.
            (Self::Tcg, Firmware::UefiAa64) => "cortex-a72",
            (Self::Tcg, _) => "max,la57=off",
            _ => "host",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_and_addresses_of_the_probe_meet() {
        // The text follows the code, at 7C00h and its length.
        let word = |at: usize| usize::from(u16::from_le_bytes([X64[at], X64[at + 1]]));
        assert_eq!(word(16), 0x7c00 + X64.len());
        assert_eq!((X64[10], word(8)), (0xcf, 0x7c00 + 11), "iret, and what is behind it");
        assert_eq!(X64[21], 0xac, "jmp next");
        assert_eq!(29 + i32::from(X64[28].cast_signed()), 21);
        assert_eq!(
            (AA64[1] >> 5) as usize & 0x7ffff,
            (AA64.len() - 1),
            "adr: words from here to the text"
        );
    }

    #[test]
    fn another_kind_of_processor_is_translated() {
        let other = match cfg!(target_arch = "aarch64") {
            true => Firmware::Bios,
            false => Firmware::UefiAa64,
        };
        let (accelerator, why) = Accelerator::choose(Path::new("/nonexistent"), other);
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(why.contains("of another kind"), "{why}");
    }
}
