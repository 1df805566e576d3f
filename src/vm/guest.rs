//! A machine that runs: watched, answered, and ended.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::child::Child;
use super::failure::{self, Failure};
use super::{Error, log, qmp, terminal};
use crate::facts::cell::Firmware;
use crate::output::Interrupt;

/// A machine that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Guest {
    pub(super) child: Child,
    pub(super) command: String,
    pub(super) firmware: Firmware,
    pub(super) started: Instant,
    pub(super) deadline: Duration,
    pub(super) logs: PathBuf,
    // Holds the sockets; removed when the guest is gone.
    pub(super) scratch: tempfile::TempDir,
    pub(super) terminal: Option<terminal::Terminal>,
    pub(super) interrupt: Interrupt,
}

impl Guest {
    /// Waits until the serial port has shown all of `expected`. The error holds everything that one needs to see why not.
    pub fn wait_for(&mut self, expected: &[&str]) -> Result<(), Error> {
        let missing = |serial: &str| -> Vec<String> {
            let missing = expected.iter().filter(|text| !serial.contains(**text));
            missing.map(|text| format!("{text:?}")).collect()
        };
        self.wait_until_none(missing)
    }

    /// Waits until the serial port has shown a text more often than `times`.
    pub fn wait_for_more(&mut self, text: &str, times: usize) -> Result<(), Error> {
        self.wait_until_none(|serial| match serial.matches(text).count() > times {
            true => Vec::new(),
            false => vec![format!("{text:?} once more")],
        })
    }

    /// Waits until nothing is missing on the serial port.
    fn wait_until_none(&mut self, missing: impl Fn(&str) -> Vec<String>) -> Result<(), Error> {
        loop {
            // Exit is asked before the log is read, so that the last words of a machine that ended count.
            let exited = self.ended()?;
            let serial = self.serial();
            let missing = missing(&serial);
            if missing.is_empty() {
                return Ok(());
            }
            let firmware = self.firmware_log();
            let mark = failure::known([serial.as_str(), firmware.as_str()]);
            let reason = if let Some(mark) = mark {
                // What it goes on to say is part of the error.
                sleep(Duration::from_millis(500));
                let started = failure::is_started(self.firmware, &serial, &firmware);
                format!(
                    "the machine says {:?}: {}",
                    mark.text,
                    mark.meaning(self.firmware, started)
                )
            } else if let Some(status) = exited {
                format!("QEMU ended: {status}")
            } else if self.started.elapsed() > self.deadline {
                format!("no {} after {} s", missing.join(", "), self.deadline.as_secs())
            } else {
                sleep(Duration::from_millis(100));
                continue;
            };
            return Err(self.failed(&reason));
        }
    }

    /// Waits until the text screen of a PC shows all of `expected`.
    pub fn wait_for_screen(&mut self, expected: &[&str]) -> Result<(), Error> {
        loop {
            // The control socket is not there at once.
            let screen = self.text_screen().unwrap_or_default();
            if expected.iter().all(|text| screen.contains(text)) {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                return Err(self.failed(&format!("QEMU ended: {status}")));
            }
            if self.started.elapsed() > self.deadline {
                return Err(self.failed(&format!("no {expected:?} on the screen:\n{screen}")));
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// Waits until it is clear whether the firmware starts the first medium. A BIOS does if a loader shows `mark`, since what has no loader is
    /// started too. A firmware that says nothing has not.
    pub fn starts_medium(&mut self, uefi: bool, mark: &str) -> Result<bool, Error> {
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
                    let log = self.firmware_log();
                    let gave_up = log.contains("No bootable device");
                    (screen.contains(mark) || self.serial().contains(mark), gave_up)
                }
            };
            if yes || no || self.started.elapsed() > self.deadline {
                return Ok(yes);
            }
            if let Some(status) = self.ended()? {
                return Err(self.failed(&format!("QEMU ended: {status}")));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the machine has been switched off or has reset.
    pub fn wait_for_end(&mut self) -> Result<(), Error> {
        loop {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&format!("QEMU ended: {status}"))),
                None if self.started.elapsed() > self.deadline => return Err(self.failed("it runs on")),
                None => sleep(Duration::from_millis(5)),
            }
        }
    }

    /// How QEMU has ended, in words and with its last ones, if it has.
    fn exit(&mut self) -> Result<Option<String>, Error> {
        let Some(status) = self.ended()? else {
            return Ok(None);
        };
        let said = log::qemu(&self.logs, 1).into_iter().map(|line| format!(" ({line})"));
        Ok(Some(format!(
            "QEMU has ended with {status}{}",
            said.collect::<String>()
        )))
    }

    /// An error if QEMU has ended.
    pub(super) fn runs(&mut self) -> Result<(), Error> {
        let end = self.exit()?;
        end.map_or(Ok(()), |end| Err(self.failed(&end)))
    }

    /// How the machine has ended, in words, if it has: by QEMU's end, or standing still where QEMU was told to pause then.
    pub fn end(&mut self) -> Result<Option<String>, Error> {
        let status = qmp::status(&self.scratch.path().join("qmp"));
        if let Some(end) = self.exit()? {
            return Ok(Some(end));
        }
        Ok(match status?.as_str() {
            "shutdown" => Some("the machine has switched itself off or reset".to_owned()),
            status @ ("guest-panicked" | "internal-error" | "io-error") => {
                Some(format!("QEMU has stopped the machine ({status})"))
            }
            _ => None,
        })
    }

    /// How long the machine has run.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the text screen of a PC shows, row by row. In a graphics mode it is what was there before.
    pub fn text_screen(&self) -> Result<String, Error> {
        const ADDRESS: u64 = 0xb_8000;
        const COLUMNS: usize = 80;
        let file = self.scratch.path().join("screen");
        let cells = qmp::memory(&self.scratch.path().join("qmp"), ADDRESS, 2 * 25 * COLUMNS, &file)?;
        let characters: Vec<char> = cells
            .chunks(2)
            .map(|cell| match cell.first() {
                Some(0) | None => ' ',
                Some(&byte) => log::code_page_437(byte),
            })
            .collect();
        let rows = characters.chunks(COLUMNS).map(|row| row.iter().collect::<String>());
        Ok(rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n"))
    }

    /// Types on the terminal of the serial port. All of `bytes` are sent at once, as a key's escape sequence is.
    pub fn type_on_serial(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.terminal {
            Some(terminal) => terminal.send(bytes),
            None => Err(Error::Control(
                "the machine has no terminal (Machine::terminal)".to_owned(),
            )),
        }
    }

    /// The number of QEMU's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What the serial port has shown until now, as UTF-8; what is none is U+FFFD.
    pub fn serial(&self) -> String {
        let bytes = std::fs::read(self.logs.join("serial.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The same without a terminal's escape sequences, as a person reads it.
    pub fn serial_text(&self) -> String {
        log::plain(&log::read(&self.logs.join("serial.log")))
    }

    /// What the firmware has written to its own log until now.
    pub fn firmware_log(&self) -> String {
        log::read(&self.logs.join("firmware.log"))
    }

    /// Presses keys, by QEMU's names for them.
    pub fn press(&self, keys: &[String]) -> Result<(), Error> {
        qmp::press(&self.scratch.path().join("qmp"), keys)
    }

    /// Writes what the machine shows to `screen.png` among the logs.
    pub fn screendump(&self) -> Result<PathBuf, Error> {
        self.screendump_as("screen.png")
    }

    /// The same under another name.
    pub fn screendump_as(&self, name: &str) -> Result<PathBuf, Error> {
        let png = self.logs.join(name);
        qmp::screendump(&self.scratch.path().join("qmp"), &png).map(|()| png)
    }

    /// How QEMU ended, if it has. A signal ends the wait.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.interrupt
            .requested()
            .map_or(Ok(()), |signal| Err(Error::Interrupted(signal)))?;
        self.child.ended().map_err(Error::io("QEMU"))
    }

    /// What is said when it has not done what it should.
    pub fn failure(&self, reason: &str) -> Failure {
        Failure {
            reason: reason.to_owned(),
            command: self.command.clone(),
            screen: self.screendump().map_err(|error| error.to_string()),
            rows: match self.firmware {
                Firmware::Bios => log::tail(&self.text_screen().unwrap_or_default(), 25),
                _ => Vec::new(),
            },
            logs: self.logs.clone(),
        }
    }

    fn failed(&self, reason: &str) -> Error {
        Error::Failed(Box::new(self.failure(reason)))
    }
}
