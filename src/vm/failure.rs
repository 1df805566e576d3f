//! Why a machine did not do what it should, with all that one needs to see it.

use std::fmt;
use std::path::PathBuf;

use super::log;
use crate::facts::cell::Firmware;

/// What a firmware, a loader or a kernel says when it goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The text on the serial port, on the screen or in the firmware's log.
    pub text: &'static str,
    /// What stands before it in its line, where others say the same.
    before: &'static str,
    /// What it means, in words, where `{machine}` stands for [`Firmware::machine`].
    meaning: &'static str,
    /// Whether the firmware says this when it finds nothing to start.
    finds_nothing: bool,
}

impl Mark {
    /// What it means for a machine with this firmware, in words. `started` says whether that has started something from the medium before.
    pub fn meaning(&self, firmware: Firmware, started: bool) -> String {
        match self.finds_nothing && started {
            true => "what the firmware has started has given up, and the firmware finds nothing else".into(),
            false => self.meaning.replace("{machine}", firmware.machine()),
        }
    }
}

/// The first words of EDK2's shell. They are a failure only if the firmware has started its own shell, not if the image has.
const SHELL: &str = "UEFI Interactive Shell";

/// What EDK2 calls its own shell in its messages.
const OWN_SHELL: &str = "Internal Shell";

/// The marks that are known. What comes first says more than what it leads to.
pub const MARKS: [Mark; 18] = [
    Mark {
        text: "Verification failed: (0x1A) Security Violation",
        before: "",
        meaning: "shim refuses what is behind it: nobody whom shim or this machine trusts has signed it, or it is too old",
        finds_nothing: false,
    },
    Mark {
        text: "SBAT self-check failed",
        before: "",
        meaning: "shim refuses itself: this machine asks for a newer one",
        finds_nothing: false,
    },
    Mark {
        text: "shim SBAT data failed",
        before: "",
        meaning: "shim refuses itself: this machine asks for a newer one",
        finds_nothing: false,
    },
    Mark {
        text: "Failed to load image",
        before: "",
        meaning: "shim does not find what it is to start",
        finds_nothing: false,
    },
    Mark {
        text: "Reset System",
        before: "",
        meaning: "shim has started fbx64.efi, which finds nothing to enter into the firmware's list, and resets the machine",
        finds_nothing: false,
    },
    Mark {
        text: "is refused by Secure Boot",
        before: "",
        meaning: "the loader has started, and nobody whom this machine or shim trusts has signed the kernel",
        finds_nothing: false,
    },
    Mark {
        text: "bad shim signature",
        before: "error: ",
        meaning: "GRUB has started, and nobody whom this machine or shim trusts has signed the kernel",
        finds_nothing: false,
    },
    Mark {
        text: "Security Violation",
        before: "BdsDxe: failed to",
        meaning: "Secure Boot has refused the loader: nobody whom {machine} trusts has signed it",
        finds_nothing: false,
    },
    Mark {
        text: "Access Denied",
        before: "BdsDxe: failed to",
        meaning: "Secure Boot has refused the loader: nobody whom {machine} trusts has signed it",
        finds_nothing: false,
    },
    Mark {
        text: "isolinux.bin missing or corrupt",
        before: "",
        meaning: "ISOLINUX does not find itself: the image has no boot information table in it, or is not a disc here",
        finds_nothing: false,
    },
    Mark {
        text: "grub rescue>",
        before: "",
        meaning: "GRUB does not find its modules: its prefix or the search for it names what is not in the image",
        finds_nothing: false,
    },
    Mark {
        text: "grub>",
        before: "",
        meaning: "GRUB does not find its configuration, and waits for commands",
        finds_nothing: false,
    },
    Mark {
        text: "No bootable option or device",
        before: "",
        meaning: "the firmware finds nothing to start",
        finds_nothing: true,
    },
    Mark {
        text: "BdsDxe: failed to load",
        before: "",
        meaning: "the firmware finds no loader on the medium: no \\EFI\\BOOT\\BOOT*.EFI of its kind on an ESP that it sees",
        finds_nothing: false,
    },
    Mark {
        text: SHELL,
        before: "",
        meaning: "the firmware finds nothing to start, and has started its own shell",
        finds_nothing: true,
    },
    Mark {
        text: "No bootable device",
        before: "",
        meaning: "the BIOS finds nothing to start",
        finds_nothing: true,
    },
    Mark {
        text: "Boot failed: not a bootable",
        before: "",
        meaning: "the BIOS finds a medium without boot code: no El Torito entry for it, or no 55 AA at the end of the MBR",
        finds_nothing: true,
    },
    Mark {
        text: "Kernel panic",
        before: "",
        meaning: "the kernel has started, and gives up",
        finds_nothing: false,
    },
];

/// The first known mark in what the machine has said.
pub fn known<'a>(said: impl IntoIterator<Item = &'a str>) -> Option<Mark> {
    let said: Vec<&str> = said.into_iter().collect();
    let has_own_shell = said.iter().any(|text| text.contains(OWN_SHELL));
    let is_said = |mark: &Mark| {
        if mark.text == SHELL && !has_own_shell {
            return false;
        }
        let lines = said.iter().flat_map(|text| text.lines());
        // That Secure Boot refuses the firmware's own shell says nothing about the medium.
        let mut lines = lines.filter(|line| !line.contains(OWN_SHELL));
        lines.any(|line| {
            line.split_once(mark.text)
                .is_some_and(|(before, _)| before.contains(mark.before))
        })
    };
    MARKS.into_iter().find(is_said)
}

/// Whether the firmware says on the serial port or in its log that it has started something from the medium.
pub(super) fn is_started(firmware: Firmware, serial: &str, log: &str) -> bool {
    match firmware {
        // The address that it jumps to.
        Firmware::Bios => {
            let mut said = log.lines().filter_map(|line| line.strip_prefix("Booting from "));
            said.any(|place| place.starts_with(|c: char| c.is_ascii_hexdigit()) && place.contains(':'))
        }
        _ => {
            let mut started = serial.lines().filter(|line| line.contains("BdsDxe: starting Boot"));
            started.any(|line| !line.contains(OWN_SHELL))
        }
    }
}

/// A machine that did not do what it should.
#[derive(Clone, Debug)]
pub struct Failure {
    /// In one line.
    pub reason: String,
    /// The command line that started it.
    pub command: String,
    /// The picture of its screen, or why there is none.
    pub screen: Result<PathBuf, String>,
    /// The rows of its text screen, of a PC with a BIOS.
    pub rows: Vec<String>,
    /// Where its logs are.
    pub logs: PathBuf,
}

impl Failure {
    /// The last words of the firmware: in a log of its own, and what EDK2 says on the serial port of what it tries.
    pub fn firmware(&self, lines: usize) -> Vec<String> {
        let serial = log::plain(&log::read(&self.logs.join("serial.log")));
        let tried = serial
            .lines()
            .filter(|line| line.contains("BdsDxe:") && !line.contains(OWN_SHELL))
            .map(|line| format!("{line}\n"));
        let said = log::read(&self.logs.join("firmware.log")) + "\n" + &tried.collect::<String>();
        log::tail(&said, lines)
    }

    /// The last words on the serial port.
    pub fn serial(&self, lines: usize) -> Vec<String> {
        log::tail(&log::read(&self.logs.join("serial.log")), lines)
    }

    /// The last words of QEMU itself.
    pub fn qemu(&self, lines: usize) -> Vec<String> {
        log::qemu(&self.logs, lines)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}", self.reason, self.command)?;
        match &self.screen {
            Ok(png) => write!(out, "picture: {}", png.display())?,
            Err(why) => write!(out, "no picture: {why}")?,
        }
        let logs = [
            ("QEMU", self.qemu(10)),
            ("firmware", self.firmware(10)),
            ("serial port", self.serial(30)),
            ("screen", self.rows.clone()),
        ];
        for (who, lines) in logs {
            for line in lines {
                write!(out, "\n{who}: {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A BIOS that has jumped to a loader has found something.
    #[test]
    fn a_loader_that_gave_up_is_not_nothing() {
        let nothing = known(["", "No bootable device.\n"]).unwrap();
        assert!(
            nothing
                .meaning(Firmware::Bios, false)
                .contains("finds nothing to start")
        );
        assert!(nothing.meaning(Firmware::Bios, true).contains("has given up"));
        let jumped = "Booting from DVD/CD...\nBooting from 0000:7c00\n";
        assert!(is_started(Firmware::Bios, "", jumped));
        assert!(!is_started(
            Firmware::Bios,
            "",
            "Booting from Hard Disk...\nBoot failed: not a bootable disk\n"
        ));
        let panic = known(["Kernel panic - not syncing"]).unwrap();
        assert_eq!(
            panic.meaning(Firmware::Uefi, true),
            panic.meaning(Firmware::Uefi, false)
        );
    }

    #[test]
    fn the_mark_that_says_most_is_the_reason() {
        let shell = "BdsDxe: failed to load Boot0001 from PciRoot: Security Violation\r\nUEFI Interactive Shell v2.2";
        assert_eq!(known([shell, ""]).unwrap().text, "Security Violation");
        assert_eq!(known(["grub rescue> "]).unwrap().text, "grub rescue>");
        assert_eq!(known(["", "No bootable device.\n"]).unwrap().text, "No bootable device");
        assert_eq!(known(["all is well", "cat: Access Denied"]), None);
        // First a shell that the image starts, then the firmware's own.
        let shell = "UEFI Interactive Shell v2.2\r\nEDK II\r\n";
        assert_eq!(known([shell]), None);
        let own = format!("BdsDxe: starting Boot0002 \"EFI Internal Shell\" from Fv(7CB8BDC9)\r\n{shell}");
        assert_eq!(known([own.as_str()]).unwrap().text, SHELL);
        let denied = "BdsDxe: failed to load Boot0001 \"QEMU\" from PciRoot(0x0): Access Denied";
        let denied = known([denied]).unwrap();
        assert_eq!(
            denied.meaning(Firmware::SecureBoot2023, false),
            "Secure Boot has refused the loader: nobody whom a PC with the certificates of 2023 alone trusts has signed it"
        );
        // A shim without a second stage, as it is seen on the serial port.
        let shim = "Failed to open \\EFI\\BOOT\\grubx64.efi - Not Found\r\nFailed to load image \\EFI\\BOOT\\grubx64.efi: Not Found\r\n\
                    BdsDxe: failed to start Boot0002 \"EFI Internal Shell\" from Fv(7CB8BDC9): Security Violation";
        assert_eq!(known([shim]).unwrap().text, "Failed to load image");
        let (_, shell) = shim.rsplit_once("\r\n").unwrap();
        assert_eq!(known([shell]), None);
    }
}
