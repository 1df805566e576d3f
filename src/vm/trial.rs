//! One cell of a test: an image boots, is typed to, and shows what it has to or not.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use serde::Serialize;

use super::accelerator::Accelerator;
use super::failure::{self, Failure, Mark};
use super::guest::Guest;
use super::machine::Machine;
use super::medium::Scratch;
use super::{Error, LOGS, log};
use crate::cell::{Cell, Firmware};
use crate::manifest::{Expectations, Typed};
use crate::write::Interrupt;

/// How long a machine goes on after a known mark: what it says next may be what was expected, and is part of the failure else.
const GRACE: Duration = Duration::from_secs(3);

/// How long a started image is watched if nothing is expected of it.
const WATCH: Duration = Duration::from_secs(10);

/// The name of the picture among the logs.
const SCREEN: &str = "screen.png";

/// All that a cell's test needs.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    /// The image.
    pub image: &'a Path,
    /// What it boots in.
    pub cell: Cell,
    /// What it has to show.
    pub expectations: &'a Expectations,
    /// What runs the machine.
    pub accelerator: Accelerator,
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
    /// The machine's command line and the ends of its logs.
    #[serde(skip)]
    pub failure: Option<Failure>,
}

impl Outcome {
    /// A cell that could not be tried, though it was asked for.
    pub fn untried(cell: Cell, reason: String) -> Self {
        Self {
            cell,
            passed: false,
            reason,
            seconds: 0.0,
            log: None,
            screenshot: None,
            failure: None,
        }
    }

    /// The command that repeats it by hand.
    pub fn repeat(&self, image: &Path) -> String {
        let Cell { firmware, medium } = self.cell;
        let image = super::hardware::shell_word(image.as_os_str());
        format!(
            "isobuild run {image} --firmware {} --as {}",
            firmware.name(),
            medium.name()
        )
    }
}

impl Trial<'_> {
    /// Boots the image, and waits for what it has to show.
    ///
    /// # Errors
    /// Nothing has been tried: a program, a firmware or a file is missing or cannot be written, or a signal has asked to stop.
    pub fn run(&self) -> Result<Outcome, Error> {
        let scratch = tempfile::tempdir().map_err(Error::io("temporary directory"))?;
        let medium = Scratch::new(self.image, self.cell.medium, scratch.path())?;
        let screen = self.directory.join(SCREEN);
        // A picture of an earlier run would be taken for this one's.
        if screen.exists() {
            std::fs::remove_file(&screen).map_err(Error::io(&screen))?;
        }
        let mut guest = Machine::new(self.cell.firmware)
            .scratch(&medium)
            .accelerator(self.accelerator)
            .memory(self.expectations.memory)
            .deadline(Duration::from_secs(self.expectations.timeout))
            .interrupt(self.interrupt)
            // So that there is a picture of what ends by itself too.
            .with(&["-action", "shutdown=pause"])
            .terminal()
            .start(&self.directory)?;
        let seen = self.watch(&mut guest);
        let seconds = guest.age().as_secs_f64();
        let said = guest.failure("");
        let screenshot = said.screen.clone().ok();
        drop(guest);
        let (passed, reason) = match seen {
            Ok(reason) => (true, reason),
            Err(Error::Failed(failure)) => (false, failure.reason),
            Err(error) => return Err(error),
        };
        let (passed, reason) = match medium.check_unwritten() {
            Err(error @ Error::Written { .. }) if passed => (false, error.to_string()),
            Err(error @ Error::Io { .. }) => return Err(error),
            _ => (passed, reason),
        };
        let [serial, ..] = LOGS;
        Ok(Outcome {
            cell: self.cell,
            passed,
            seconds,
            log: Some(self.directory.join(serial)),
            screenshot,
            failure: (!passed).then(|| Failure {
                reason: reason.clone(),
                ..said
            }),
            reason,
        })
    }

    /// What was seen that was expected.
    fn watch(&self, guest: &mut Guest) -> Result<String, Error> {
        let mut steps = self.expectations.send.iter();
        let mut step = steps.next();
        // Where what the step waits for may begin.
        let mut after = 0;
        let mut marked: Option<(Mark, Duration)> = None;
        let mut started: Option<Duration> = None;
        loop {
            // The end is asked for before the log is read, so that the last words of a machine that ended count.
            let end = guest.end()?;
            let serial = log::plain(&guest.serial());
            let firmware = guest.firmware_log();
            // A loader's last words are mostly there alone.
            let screen = match self.cell.firmware {
                Firmware::Bios => guest.text_screen().unwrap_or_default(),
                _ => String::new(),
            };
            while let Some(next) = step {
                let shown = serial.get(after..).unwrap_or_default();
                let found = match &next.after {
                    Some(expression) => expression.find(shown).map(|found| found.end()),
                    None => Some(0),
                };
                let Some(found) = found.filter(|_| end.is_none()) else {
                    break;
                };
                after += found;
                match &next.what {
                    Typed::Text(text) => guest.type_on_serial(text.as_bytes())?,
                    Typed::Keys(keys) => guest.press(keys)?,
                }
                step = steps.next();
            }
            let age = guest.age();
            if started.is_none() && starts(self.cell.firmware, &serial, &firmware) {
                started = Some(age);
            }
            let known = failure::known([serial.as_str(), &firmware, &screen]);
            marked = marked.or(known.map(|mark| (mark, age)));
            match (&self.expectations.expect, step) {
                (Some(expression), None) => {
                    if let Some(found) = expression.find(&serial) {
                        return Ok(format!("shows {}", quoted(found.as_str())));
                    }
                }
                (None, None) if marked.is_none() && started.is_some_and(|at| age > at + WATCH) => {
                    return Ok("the firmware starts it; nothing says what it has to show (`expect`)".to_owned());
                }
                _ => {}
            }
            if let Some(found) = self
                .expectations
                .fail
                .iter()
                .find_map(|expression| expression.find(&serial))
            {
                return Err(failed(
                    guest,
                    &format!("shows {}, which `fail` is about", quoted(found.as_str())),
                ));
            }
            let waits = match (step, &self.expectations.expect) {
                (Some(step), _) => match &step.after {
                    Some(after) => format!("/{after}/, after which it is typed to"),
                    None => "anything to type to".to_owned(),
                },
                (None, Some(expect)) => format!("/{expect}/"),
                (None, None) => "that the firmware starts it".to_owned(),
            };
            let reason = match (&marked, end) {
                (Some((mark, at)), end) if age > *at + GRACE || end.is_some() => {
                    format!("the machine says {:?}: {}", mark.text, mark.meaning)
                }
                (_, Some(end)) => format!("{end} before it has shown {waits}"),
                _ if age > Duration::from_secs(self.expectations.timeout) => {
                    let seconds = self.expectations.timeout;
                    format!(
                        "has not shown {waits} in {seconds} s; {}",
                        last(&serial, &screen, &firmware)
                    )
                }
                _ => {
                    sleep(Duration::from_millis(100));
                    continue;
                }
            };
            return Err(failed(guest, &reason));
        }
    }
}

/// The last line of what an expression has found.
fn quoted(found: &str) -> String {
    format!("{:?}", log::tail(found, 1).concat().trim())
}

fn failed(guest: &Guest, reason: &str) -> Error {
    Error::Failed(Box::new(guest.failure(reason)))
}

/// Whether the firmware has started something of the medium's, by its own words.
fn starts(firmware: Firmware, serial: &str, log: &str) -> bool {
    match firmware {
        // The address that it jumps to.
        Firmware::Bios => {
            let addresses = log.lines().filter_map(|line| line.strip_prefix("Booting from "));
            addresses
                .into_iter()
                .any(|address| address.starts_with(|c: char| c.is_ascii_hexdigit()) && address.contains(':'))
        }
        _ => {
            let shell = |line: &&str| line.contains("EFI Internal Shell");
            serial
                .lines()
                .filter(|line| line.contains("BdsDxe: starting Boot"))
                .any(|line| !shell(&line))
        }
    }
}

/// The last words, of whoever had them.
fn last(serial: &str, screen: &str, firmware: &str) -> String {
    let said = [
        ("on the serial port", serial),
        ("on the screen", screen),
        ("of the firmware", firmware),
    ];
    let mut last = said
        .into_iter()
        .filter_map(|(whose, said)| Some((whose, log::tail(said, 1).pop()?)));
    match last.next() {
        Some((whose, line)) => format!("the last line {whose} is {:?}", line.trim()),
        None => "nothing was said".to_owned(),
    }
}
