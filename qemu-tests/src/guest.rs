//! A machine that runs: watched, answered, and ended.

use crate::{qmp, terminal};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a machine says when it will not get further. Each ends a run at once.
pub const FAILURE_MARKS: [&str; 9] = [
    "UEFI Interactive Shell",
    "grub>",
    "grub rescue>",
    "No bootable device",
    "BdsDxe: failed to load",
    "Kernel panic",
    "Boot failed",
    "Security Violation",
    "isolinux.bin missing or corrupt",
];

/// How long a guest may take before [`Guest::wait_for`] gives up: several times what the slowest takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

/// A machine that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Guest {
    pub(crate) child: Child,
    pub(crate) command: String,
    pub(crate) started: Instant,
    pub(crate) deadline: Duration,
    pub(crate) logs: PathBuf,
    // Holds the variables and the sockets; removed when the guest is gone.
    pub(crate) scratch: tempfile::TempDir,
    pub(crate) terminal: Option<terminal::Terminal>,
}

impl Guest {
    /// Waits until the serial port has shown all of `expected`. The error holds everything that one needs to see why not.
    pub fn wait_for(&mut self, expected: &[&str]) -> Result<(), String> {
        let missing = |serial: &str| -> Vec<String> {
            let missing = expected.iter().filter(|text| !serial.contains(**text));
            missing.map(|text| format!("{text:?}")).collect()
        };
        self.wait_until_none(missing)
    }

    /// Waits until the serial port has shown a text more often than `times`.
    pub fn wait_for_more(&mut self, text: &str, times: usize) -> Result<(), String> {
        self.wait_until_none(|serial| match serial.matches(text).count() > times {
            true => Vec::new(),
            false => vec![format!("{text:?} once more")],
        })
    }

    /// Waits until nothing is missing on the serial port.
    fn wait_until_none(&mut self, missing: impl Fn(&str) -> Vec<String>) -> Result<(), String> {
        loop {
            // Exit is asked before the log is read, so that the last words of a machine that ended count.
            let exited = self.child.try_wait().map_err(|e| format!("QEMU: {e}"))?;
            let serial = self.serial();
            let missing = missing(&serial);
            if missing.is_empty() {
                return Ok(());
            }
            let firmware = read_lossy(&self.logs.join("firmware.log"));
            let mark = FAILURE_MARKS
                .iter()
                .find(|m| serial.contains(**m) || firmware.contains(**m));
            let reason = if let Some(mark) = mark {
                // What it goes on to say is part of the error.
                sleep(Duration::from_millis(500));
                format!("the machine says {mark:?}")
            } else if let Some(status) = exited {
                format!("QEMU ended: {status}")
            } else if self.started.elapsed() > self.deadline {
                format!("no {} after {} s", missing.join(", "), self.deadline.as_secs())
            } else {
                sleep(Duration::from_millis(100));
                continue;
            };
            return Err(self.failure(&reason));
        }
    }

    /// Waits until the text screen of a PC shows all of `expected`.
    pub fn wait_for_screen(&mut self, expected: &[&str]) -> Result<(), String> {
        loop {
            // The control socket is not there at once.
            let screen = self.text_screen().unwrap_or_default();
            if expected.iter().all(|text| screen.contains(text)) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().map_err(|e| format!("QEMU: {e}"))? {
                return Err(self.failure(&format!("QEMU ended: {status}")));
            }
            if self.started.elapsed() > self.deadline {
                return Err(self.failure(&format!("no {expected:?} on the screen:\n{screen}")));
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// Waits until it is clear whether the firmware starts the first medium. A BIOS does if a loader shows `mark`, since what has no loader is
    /// started too. A firmware that says nothing has not.
    pub fn starts_medium(&mut self, uefi: bool, mark: &str) -> Result<bool, String> {
        loop {
            let (yes, no) = match uefi {
                true => {
                    let serial = self.serial();
                    let started = |line: &&str| line.contains("BdsDxe: starting Boot");
                    let first = serial
                        .lines()
                        .find(started)
                        .map(|line| !line.contains("EFI Internal Shell"));
                    let gave_up = serial.contains("No bootable option or device") || first == Some(false);
                    (first == Some(true), gave_up)
                }
                false => {
                    let screen = self.text_screen().unwrap_or_default();
                    let log = read_lossy(&self.logs.join("firmware.log"));
                    let gave_up = log.contains("No bootable device");
                    (screen.contains(mark) || self.serial().contains(mark), gave_up)
                }
            };
            if yes || no || self.started.elapsed() > self.deadline {
                return Ok(yes);
            }
            if let Some(status) = self.child.try_wait().map_err(|e| format!("QEMU: {e}"))? {
                return Err(self.failure(&format!("QEMU ended: {status}")));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the machine has been switched off or has reset.
    pub fn wait_for_end(&mut self) -> Result<(), String> {
        loop {
            match self.child.try_wait().map_err(|e| format!("QEMU: {e}"))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failure(&format!("QEMU ended: {status}"))),
                None if self.started.elapsed() > self.deadline => return Err(self.failure("it runs on")),
                None => sleep(Duration::from_millis(5)),
            }
        }
    }

    /// How long the machine has run.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the text screen of a PC shows, row by row: code page 437 as far as it is ASCII, `?` else.
    pub fn text_screen(&self) -> Result<String, String> {
        const ADDRESS: u64 = 0xb_8000;
        const COLUMNS: usize = 80;
        let file = self.scratch.path().join("screen");
        let cells = qmp::memory(&self.scratch.path().join("qmp"), ADDRESS, 2 * 25 * COLUMNS, &file)?;
        let characters: Vec<char> = cells
            .chunks(2)
            .map(|cell| match cell.first() {
                Some(&byte) if (b' '..=b'~').contains(&byte) => char::from(byte),
                Some(0) => ' ',
                _ => '?',
            })
            .collect();
        let rows = characters.chunks(COLUMNS).map(|row| row.iter().collect::<String>());
        Ok(rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n"))
    }

    /// Types on the terminal of the serial port. All of `bytes` are sent at once, as a key's escape sequence is.
    pub fn type_on_serial(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &mut self.terminal {
            Some(terminal) => terminal.send(bytes),
            None => Err("the machine has no terminal (Machine::terminal)".to_owned()),
        }
    }

    /// The number of QEMU's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What the serial port has shown until now.
    pub fn serial(&self) -> String {
        read_lossy(&self.logs.join("serial.log"))
    }

    /// Presses keys, by QEMU's names for them.
    pub fn press(&self, keys: &[String]) -> Result<(), String> {
        qmp::press(&self.scratch.path().join("qmp"), keys).map_err(|reason| self.failure(&reason))
    }

    /// Writes what the machine shows to `screen.png` among the logs.
    pub fn screendump(&self) -> Result<PathBuf, String> {
        self.screendump_as("screen.png")
    }

    /// The same under another name.
    pub fn screendump_as(&self, name: &str) -> Result<PathBuf, String> {
        let png = self.logs.join(name);
        qmp::screendump(&self.scratch.path().join("qmp"), &png).map(|()| png)
    }

    fn failure(&self, reason: &str) -> String {
        let screen = match self.screendump() {
            Ok(png) => png.display().to_string(),
            Err(reason) => reason,
        };
        let tail = |name: &str, lines: usize| {
            let text = read_lossy(&self.logs.join(name));
            let from = text.lines().count().saturating_sub(lines);
            text.lines().skip(from).map(printable).collect::<Vec<_>>().join("\n  ")
        };
        format!(
            "{reason}\n{}\nscreen: {screen}\nQEMU:\n  {}\nfirmware:\n  {}\nserial ({}):\n  {}",
            self.command,
            tail("qemu.log", 10),
            tail("firmware.log", 10),
            self.logs.join("serial.log").display(),
            tail("serial.log", 30),
        )
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// A guest draws with escape sequences, which a terminal that shows a test's failure must not obey.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '.' } else { c }).collect()
}
