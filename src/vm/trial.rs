//! One cell of a test: an image boots, is typed to, and shows what it has to or not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::accelerator::Accelerator;
use super::failure::Failure;
use super::machine::Machine;
use super::medium::Scratch;
use super::watch::Watch;
use super::words::shell_word;
use super::{LOGS, MachineError, Trusted};
use crate::facts::cell::Cell;
use crate::manifest::{Expectations, Hardware};
use crate::output::Interrupt;

/// How many lines of the firmware the report holds.
const FIRMWARE_LINES: usize = 50;

/// The name of the picture among the logs.
const SCREEN: &str = "screen.png";

/// All that a cell's test needs.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    /// The image, as QEMU opens it.
    pub image: &'a Path,
    /// What it is called.
    pub name: &'a Path,
    /// What it boots in.
    pub cell: Cell,
    /// What it has to show.
    pub expectations: &'a Expectations,
    /// What runs the machine.
    pub accelerator: Accelerator,
    /// Whom its firmware trusts besides Microsoft, if it asks for signatures.
    pub trusted: Vec<Trusted>,
    /// Where its logs and its picture go.
    pub directory: PathBuf,
    /// What ends it early.
    pub interrupt: &'a Interrupt,
}

/// What has come of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What was booted.
    pub cell: Cell,
    /// Whether it has shown what it had to.
    pub passed: bool,
    /// What was seen, in a line.
    pub reason: String,
    /// How long it took.
    pub seconds: f64,
    /// What the serial port has shown.
    pub log: Option<PathBuf>,
    /// The last picture of the screen.
    pub screenshot: Option<PathBuf>,
    /// The command line that started the machine.
    pub command: String,
    /// The last lines that the firmware printed.
    pub firmware: Vec<String>,
    /// How to mend a cell that does not boot by the rules of `check`.
    pub mend: Option<String>,
    /// The command that repeats it by hand.
    pub repeat: String,
    /// The ends of its logs.
    #[serde(skip)]
    pub failure: Option<Failure>,
}

impl Trial<'_> {
    /// Boots the image on each machine that the cell stands for, and waits for what it has to show. The outcome is of the first that fails,
    /// or of the last.
    ///
    /// # Errors
    /// Nothing has been tried: a program, a firmware or a file is missing or cannot be written, or a signal has asked to stop.
    pub fn run(&self) -> Result<Outcome, MachineError> {
        let mut seconds = 0.0;
        let mut last = None;
        for firmware in self.cell.firmware.generations() {
            let cell = Cell { firmware, ..self.cell };
            let mut outcome = match cell == self.cell {
                true => self.run_one()?,
                false => self.of_generation(cell).run_one()?,
            };
            seconds += outcome.seconds;
            if cell != self.cell && !outcome.passed {
                outcome.reason = format!("{}: {}", firmware.name(), outcome.reason);
            }
            let passed = outcome.passed;
            last = Some(Outcome {
                cell: self.cell,
                seconds,
                ..outcome
            });
            if !passed {
                break;
            }
        }
        last.ok_or_else(|| MachineError::Control(format!("{} stands for no machine", self.cell)))
    }

    /// The same on one kind of machine that the cell stands for, with logs of its own beside.
    fn of_generation(&self, cell: Cell) -> Self {
        Self {
            cell,
            directory: self.directory.with_file_name(cell.to_string()),
            ..self.clone()
        }
    }

    fn run_one(&self) -> Result<Outcome, MachineError> {
        let scratch = tempfile::tempdir().map_err(MachineError::io("temporary directory"))?;
        let medium = Scratch::new(self.image, self.cell.medium, scratch.path())?;
        let screen = self.directory.join(SCREEN);
        // A picture of an earlier run would be taken for this one's.
        if screen.exists() {
            std::fs::remove_file(&screen).map_err(MachineError::io(&screen))?;
        }
        let machine = Machine::new(self.cell.firmware)
            .scratch(&medium)
            .accelerator(self.accelerator)
            .hardware(&self.expectations.hardware)
            .trusting(&self.trusted)
            .interrupt(self.interrupt)
            // So that there is a picture of what ends by itself too.
            .with(&["-action", "shutdown=pause"])
            .terminal();
        let mut guest = match machine.start(&self.directory) {
            Ok(guest) => guest,
            Err(MachineError::Failed(failure)) => return Ok(self.outcome(false, Duration::ZERO, *failure)),
            Err(error) => return Err(error),
        };
        let verdict = match Watch::new(self.cell.firmware, self.expectations).verdict(&mut guest) {
            Ok(verdict) => verdict,
            // QEMU has not done what it was told, or is gone.
            Err(error @ MachineError::Control(_)) => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        let (age, seen) = (guest.age(), guest.failure(""));
        drop(guest);
        let verdict = verdict.and_then(|reason| match medium.check_unwritten() {
            Err(error) => Err(error.to_string()),
            Ok(()) => Ok(reason),
        });
        let passed = verdict.is_ok();
        let reason = verdict.unwrap_or_else(|reason| reason);
        Ok(self.outcome(passed, age, Failure { reason, ..seen }))
    }

    /// The command that starts the same machine for a person, who then types and watches what the test does.
    fn repeat(&self) -> String {
        let Cell { firmware, medium } = self.cell;
        let image = shell_word(self.name.as_os_str());
        let mut line = format!(
            "isobuild run {image} --firmware {} --as {}",
            firmware.name(),
            medium.name()
        );
        let Hardware {
            memory,
            network,
            disks,
            qemu,
        } = &self.expectations.hardware;
        if *memory != Hardware::default().memory {
            line += &format!(" --memory {memory}MiB");
        }
        if *network {
            line += " --network";
        }
        line.extend(disks.iter().map(|size| format!(" --disk {size}")));
        for Trusted { file, .. } in &self.trusted {
            line += &format!(" --trust {}", shell_word(file.as_os_str()));
        }
        for argument in qemu {
            line += &format!(" {}", shell_word(format!("--qemu={argument}").as_ref()));
        }
        line
    }

    fn outcome(&self, passed: bool, age: Duration, seen: Failure) -> Outcome {
        let [serial, ..] = LOGS;
        Outcome {
            cell: self.cell,
            passed,
            reason: seen.reason.clone(),
            seconds: age.as_secs_f64(),
            log: Some(self.directory.join(serial)),
            screenshot: seen.screen.clone().ok(),
            command: seen.command.clone(),
            firmware: seen.firmware(FIRMWARE_LINES),
            mend: None,
            repeat: self.repeat(),
            failure: Some(seen).filter(|_| !passed),
        }
    }
}
