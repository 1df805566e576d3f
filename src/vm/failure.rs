//! Why a machine did not do what it should, with all that one needs to see it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What a firmware, a loader or a kernel says when it goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The text on the serial port or in the firmware's log.
    pub text: &'static str,
    /// What it means, in words.
    pub meaning: &'static str,
}

/// The marks that are known. What comes first says more than what it leads to.
pub const MARKS: [Mark; 11] = [
    Mark {
        text: "Security Violation",
        meaning: "Secure Boot has refused the loader: nobody whom this firmware knows has signed it",
    },
    Mark {
        text: "Access Denied",
        meaning: "Secure Boot has refused the loader: nobody whom this firmware knows has signed it",
    },
    Mark {
        text: "isolinux.bin missing or corrupt",
        meaning: "ISOLINUX does not find itself: the image has no boot information table in it, or is not a disc here",
    },
    Mark {
        text: "grub rescue>",
        meaning: "GRUB does not find its modules: its prefix or the search for it names what is not in the image",
    },
    Mark {
        text: "grub>",
        meaning: "GRUB does not find its configuration, and waits for commands",
    },
    Mark {
        text: "No bootable option or device",
        meaning: "the firmware finds nothing to start",
    },
    Mark {
        text: "BdsDxe: failed to load",
        meaning: "the firmware finds no loader on the medium: no \\EFI\\BOOT\\BOOT*.EFI of its kind on an ESP that it sees",
    },
    Mark {
        text: "UEFI Interactive Shell",
        meaning: "the firmware finds nothing to start, and has started its own shell",
    },
    Mark {
        text: "No bootable device",
        meaning: "the BIOS finds nothing to start",
    },
    Mark {
        text: "Boot failed: not a bootable",
        meaning: "the BIOS finds a medium without boot code: no El Torito entry for it, or no 55 AA at the end of the MBR",
    },
    Mark {
        text: "Kernel panic",
        meaning: "the kernel has started, and gives up",
    },
];

/// The first known mark in what the machine has said.
pub fn known<'a>(said: impl IntoIterator<Item = &'a str>) -> Option<Mark> {
    let said: Vec<&str> = said.into_iter().collect();
    let is_said = |mark: &Mark| said.iter().any(|text| text.contains(mark.text));
    MARKS.into_iter().find(is_said)
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
    /// Where its logs are.
    pub logs: PathBuf,
}

impl Failure {
    /// The last words of the firmware: in a log of its own, and what EDK2 says on the serial port of what it tries.
    pub fn firmware(&self, lines: usize) -> Vec<String> {
        let serial = plain(&read(&self.logs.join("serial.log")));
        let tried = serial
            .lines()
            .filter(|line| line.contains("BdsDxe:"))
            .map(|line| format!("{line}\n"));
        let said = read(&self.logs.join("firmware.log")) + "\n" + &tried.collect::<String>();
        tail(&said, lines)
    }

    /// The last words on the serial port.
    pub fn serial(&self, lines: usize) -> Vec<String> {
        tail(&read(&self.logs.join("serial.log")), lines)
    }

    /// The last words of QEMU itself.
    pub fn qemu(&self, lines: usize) -> Vec<String> {
        tail(&read(&self.logs.join("qemu.log")), lines)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}", self.reason, self.command)?;
        match &self.screen {
            Ok(png) => write!(out, "screen: {}", png.display())?,
            Err(why) => write!(out, "screen: {why}")?,
        }
        let logs = [
            ("QEMU", self.qemu(10)),
            ("firmware", self.firmware(10)),
            ("serial port", self.serial(30)),
        ];
        for (who, lines) in logs {
            for line in lines {
                write!(out, "\n{who}: {line}")?;
            }
        }
        Ok(())
    }
}

/// A log as text.
pub(super) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Longer lines are cut: a guest may well draw over one line for minutes.
const WIDTH: usize = 160;

/// The last lines that have something in them. A guest draws with escape sequences, which a terminal that shows a failure must not obey.
pub fn tail(text: &str, lines: usize) -> Vec<String> {
    let plain = plain(text);
    let all: Vec<&str> = plain
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let from = all.len().saturating_sub(lines);
    let printable = |line: &&str| {
        let shown = line.chars().take(WIDTH).map(|c| if c.is_control() { '.' } else { c });
        shown.chain((line.chars().count() > WIDTH).then_some('…')).collect()
    };
    all.get(from..).unwrap_or_default().iter().map(printable).collect()
}

/// What a terminal has been sent without its escape sequences (ECMA-48, 5.4: CSI, parameters, a final byte) and with plain line ends.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => match rest.next() {
                Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // A character set is chosen by two characters.
                Some('(' | ')') => drop(rest.next()),
                _ => {}
            },
            '\r' if rest.peek() == Some(&'\n') => {}
            // Rows that are drawn over each other were seen one after the other.
            '\r' => out.push('\n'),
            '\0' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_that_says_most_is_the_reason() {
        let shell = "BdsDxe: failed to load Boot0001 from PciRoot: Security Violation\r\nUEFI Interactive Shell v2.2";
        assert_eq!(known([shell, ""]).unwrap().text, "Security Violation");
        assert_eq!(known(["grub rescue> "]).unwrap().text, "grub rescue>");
        assert_eq!(known(["", "No bootable device.\n"]).unwrap().text, "No bootable device");
        assert_eq!(known(["all is well"]), None);
    }

    #[test]
    fn escape_sequences_are_not_part_of_what_is_said() {
        assert_eq!(
            plain("\x1b[2J\x1b[01;01Hone\r\n\x1b[0;37;40mtwo\x1b(B\rthree\0"),
            "one\ntwo\nthree"
        );
        assert_eq!(plain("cut \x1b["), "cut ");
        assert_eq!(plain("cut \x1b"), "cut ");
    }

    #[test]
    fn a_tail_is_harmless_and_short() {
        assert_eq!(tail("one\n\n  two  \n\x07three\n \n", 2), ["  two", ".three"]);
        assert_eq!(tail("", 3), Vec::<String>::new());
        let long = tail(&"ä".repeat(WIDTH + 1), 1).remove(0);
        assert_eq!(long, "ä".repeat(WIDTH) + "…");
    }
}
