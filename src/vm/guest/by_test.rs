//! What the tests of this repository wait for, beside what `test` does.

use std::thread::sleep;
use std::time::Duration;

use super::Guest;
use crate::vm::{MachineError, failure};

impl Guest {
    /// Waits until the serial port has shown all of `expected`. The error holds everything that one needs to see why not.
    pub fn wait_for(&mut self, expected: &[&str]) -> Result<(), MachineError> {
        let missing = |serial: &str| -> Vec<String> {
            let missing = expected.iter().filter(|text| !serial.contains(**text));
            missing.map(|text| format!("{text:?}")).collect()
        };
        self.wait_until_none(missing)
    }

    /// Waits until the serial port has shown a text more often than `times`.
    pub fn wait_for_more(&mut self, text: &str, times: usize) -> Result<(), MachineError> {
        self.wait_until_none(|serial| match serial.matches(text).count() > times {
            true => Vec::new(),
            false => vec![format!("{text:?} once more")],
        })
    }

    /// Waits until nothing is missing on the serial port.
    fn wait_until_none(&mut self, missing: impl Fn(&str) -> Vec<String>) -> Result<(), MachineError> {
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
    pub fn wait_for_screen(&mut self, expected: &[&str]) -> Result<(), MachineError> {
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

    /// Waits until a third of the screen has this colour, red, green and blue, or almost.
    pub fn wait_for_colour(&mut self, colour: [u8; 3]) -> Result<(), MachineError> {
        loop {
            let picture = self.screendump_as("screen.ppm").ok();
            let picture = picture.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
            // "P6", width and height, the greatest value: a line each. Then three bytes a pixel.
            let pixels = picture.splitn(4, |&byte| byte == b'\n').nth(3).unwrap_or_default();
            let is_it = |pixel: &&[u8]| pixel.iter().zip(colour).all(|(one, other)| one.abs_diff(other) < 10);
            let count = pixels.chunks_exact(3).filter(is_it).count();
            if count > 0 && count >= pixels.len() / 9 {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                return Err(self.failed(&format!("QEMU ended: {status}")));
            }
            if self.started.elapsed() > self.deadline {
                let of = pixels.len() / 3;
                return Err(self.failed(&format!("{count} of {of} pixels have the colour {colour:?}")));
            }
            sleep(Duration::from_millis(500));
        }
    }

    /// Waits until it is clear whether the firmware starts the first medium. A BIOS does if a loader shows `mark`, since what has no loader is
    /// started too. A firmware that says nothing has not.
    pub fn starts_medium(&mut self, uefi: bool, mark: &str) -> Result<bool, MachineError> {
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
    pub fn wait_for_end(&mut self) -> Result<(), MachineError> {
        loop {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&format!("QEMU ended: {status}"))),
                None if self.started.elapsed() > self.deadline => return Err(self.failed("it runs on")),
                None => sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The number of QEMU's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What the serial port has shown until now, as UTF-8. U+FFFD replaces bytes that are not UTF-8.
    pub fn serial(&self) -> String {
        let bytes = std::fs::read(self.logs.join("serial.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
