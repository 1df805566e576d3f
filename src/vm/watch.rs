//! Looking at a machine until it is clear whether it shows what it has to.

use std::time::Duration;

use super::failure::{self, Mark};
use super::guest::Guest;
use super::{MachineError, log};
use crate::facts::cell::Firmware;
use crate::manifest::{Expectations, Step, Typed};

/// How long a machine goes on after a known mark: what it says next may be what was expected, and is part of the failure else.
const GRACE: Duration = Duration::from_secs(3);

/// How long a started image is watched if nothing is expected of it.
const WATCH: Duration = Duration::from_secs(10);

/// What a machine has shown until now.
struct Shown {
    serial: String,
    /// The rows of a PC's text screen: a loader's last words are mostly there alone.
    screen: String,
    firmware: String,
}

/// How far a machine has come.
pub(super) struct Watch<'a> {
    firmware: Firmware,
    expectations: &'a Expectations,
    /// What is still to be typed.
    steps: &'a [Step],
    /// Where on the serial port what the next step waits for may begin.
    after: usize,
    marked: Option<(Mark, Duration)>,
    started: Option<Duration>,
}

impl Shown {
    fn by(guest: &Guest, firmware: Firmware) -> Self {
        Self {
            serial: guest.serial_text(),
            screen: match firmware {
                Firmware::Bios => guest.text_screen().unwrap_or_default(),
                _ => String::new(),
            },
            firmware: guest.firmware_log(),
        }
    }

    /// The last words, of whoever had them.
    fn last(&self) -> String {
        let said = [
            ("on the serial port", &self.serial),
            ("on the screen", &self.screen),
            ("of the firmware", &self.firmware),
        ];
        let mut last = said
            .into_iter()
            .filter_map(|(whose, said)| Some((whose, log::tail(said, 1).pop()?)));
        match last.next() {
            Some((whose, line)) => format!("the last line {whose} is {:?}", line.trim()),
            None => "nothing was said".to_owned(),
        }
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(firmware: Firmware, expectations: &'a Expectations) -> Self {
        Self {
            firmware,
            expectations,
            steps: &expectations.send,
            after: 0,
            marked: None,
            started: None,
        }
    }

    /// Watches until it is clear. The reason follows the cell's name in both cases.
    pub(super) fn verdict(mut self, guest: &mut Guest) -> Result<Result<String, String>, MachineError> {
        loop {
            // The end is asked for before the log is read, so that the last words of a machine that ended count.
            let end = guest.end()?;
            let shown = Shown::by(guest, self.firmware);
            if end.is_none() {
                self.type_on(guest, &shown)?;
            }
            let age = guest.age();
            self.started = self
                .started
                .or_else(|| failure::is_started(self.firmware, &shown.serial, &shown.firmware).then_some(age));
            let known = failure::known([shown.serial.as_str(), &shown.screen, &shown.firmware]);
            self.marked = self.marked.or(known.map(|mark| (mark, age)));
            if let Some(reason) = self.passes(&shown, age) {
                return Ok(Ok(reason));
            }
            if let Some(reason) = self.fails(&shown, age, end) {
                return Ok(Err(reason));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Types all whose time has come.
    fn type_on(&mut self, guest: &mut Guest, shown: &Shown) -> Result<(), MachineError> {
        while let [step, rest @ ..] = self.steps {
            let new = shown.serial.get(self.after..).unwrap_or_default();
            let found = match &step.after {
                Some(expression) => expression.find(new).map(|found| found.end()),
                None => Some(0),
            };
            let Some(found) = found else { break };
            match &step.what {
                Typed::Text(text) => guest.type_on_serial(text.as_bytes())?,
                Typed::Keys(keys) => guest.press(keys)?,
            }
            self.after += found;
            self.steps = rest;
        }
        Ok(())
    }

    fn passes(&self, shown: &Shown, age: Duration) -> Option<String> {
        if !self.steps.is_empty() {
            return None;
        }
        match &self.expectations.expect {
            Some(expression) => {
                let found = expression.find(&shown.serial)?;
                Some(format!("shows {}", quoted(found.as_str())))
            }
            None => {
                let watched = self.marked.is_none() && self.started.is_some_and(|at| age > at + WATCH);
                watched.then(|| "the firmware starts it; nothing says what it has to show (`expect`)".to_owned())
            }
        }
    }

    fn fails(&self, shown: &Shown, age: Duration, end: Option<String>) -> Option<String> {
        let mut refused = self.expectations.fail.iter();
        if let Some(found) = refused.find_map(|expression| expression.find(&shown.serial)) {
            return Some(format!("shows {}, which `fail` is about", quoted(found.as_str())));
        }
        if let Some((mark, at)) = self.marked.filter(|(_, at)| end.is_some() || age > *at + GRACE) {
            let seconds = at.as_secs_f64();
            let meaning = mark.meaning(self.firmware, self.started.is_some());
            return Some(format!("says {:?} after {seconds:.1} s: {meaning}", mark.text));
        }
        let seconds = self.expectations.timeout;
        match end {
            Some(end) => Some(format!("{end} before it has shown {}", self.missing())),
            None if age > Duration::from_secs(seconds) => Some(format!(
                "has not shown {} in {seconds} s; {}",
                self.missing(),
                shown.last()
            )),
            None => None,
        }
    }

    /// What is waited for.
    fn missing(&self) -> String {
        match (self.steps, &self.expectations.expect) {
            ([step, ..], _) => match &step.after {
                Some(after) => format!("/{after}/, after which it is typed to"),
                None => "anything to type to".to_owned(),
            },
            ([], Some(expect)) => format!("/{expect}/"),
            ([], None) => "that the firmware starts it".to_owned(),
        }
    }
}

/// The last line of what an expression has found.
fn quoted(found: &str) -> String {
    format!("{:?}", log::tail(found, 1).concat().trim())
}
