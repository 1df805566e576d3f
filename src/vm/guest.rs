//! A machine that runs: watched, answered, and ended.

#[cfg(feature = "inside")]
mod by_test;

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::child::Child;
use super::failure::Failure;
use super::{MachineError, log, qmp, terminal};
use crate::facts::cell::Firmware;
use crate::output::Interrupt;

/// A machine that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Guest {
    pub(super) child: Child,
    pub(super) command: String,
    pub(super) firmware: Firmware,
    pub(super) started: Instant,
    #[cfg(feature = "inside")]
    pub(super) deadline: Duration,
    pub(super) logs: PathBuf,
    // Holds the sockets; removed when the guest is gone.
    pub(super) scratch: tempfile::TempDir,
    pub(super) terminal: Option<terminal::Terminal>,
    pub(super) interrupt: Interrupt,
}

impl Guest {
    /// How QEMU has ended, in words and with its last ones, if it has.
    fn exit(&mut self) -> Result<Option<String>, MachineError> {
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
    pub(super) fn runs(&mut self) -> Result<(), MachineError> {
        let end = self.exit()?;
        end.map_or(Ok(()), |end| Err(self.failed(&end)))
    }

    /// How the machine has ended, in words, if it has: by QEMU's end, or standing still where QEMU was told to pause then.
    pub fn end(&mut self) -> Result<Option<String>, MachineError> {
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
    pub fn text_screen(&self) -> Result<String, MachineError> {
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
    pub fn type_on_serial(&mut self, bytes: &[u8]) -> Result<(), MachineError> {
        match &mut self.terminal {
            Some(terminal) => terminal.send(bytes),
            None => Err(MachineError::Control(
                "the machine has no terminal (Machine::terminal)".to_owned(),
            )),
        }
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
    pub fn press(&self, keys: &[String]) -> Result<(), MachineError> {
        qmp::press(&self.scratch.path().join("qmp"), keys)
    }

    /// Writes what the machine shows to `screen.png` among the logs.
    pub fn screendump(&self) -> Result<PathBuf, MachineError> {
        self.screendump_as("screen.png")
    }

    /// The same under another name.
    pub fn screendump_as(&self, name: &str) -> Result<PathBuf, MachineError> {
        let png = self.logs.join(name);
        qmp::screendump(&self.scratch.path().join("qmp"), &png).map(|()| png)
    }

    /// How QEMU ended, if it has. A signal ends the wait.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, MachineError> {
        self.interrupt
            .requested()
            .map_or(Ok(()), |signal| Err(MachineError::Interrupted(signal)))?;
        self.child.ended().map_err(MachineError::io("QEMU"))
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

    fn failed(&self, reason: &str) -> MachineError {
        MachineError::Failed(Box::new(self.failure(reason)))
    }
}
