//! `[test]`: what `isobuild test` boots, what it does there, and what has to be seen.

use serde::Deserialize;

use super::At;
use super::pattern::{Pattern, expression};
use super::values::parse_size;

use super::Text;
use crate::facts::cell::Cell;
use crate::manifest::diagnostic::Diagnostic;

/// The `[test]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Test {
    /// What is booted. Default: every cell that boots by the rules of [`check`](crate::facts::verdicts).
    pub cells: Option<At<Vec<At<Cell>>>>,
    /// A regular expression for what the serial port has to show. Default: that the firmware starts the image.
    pub expect: Option<Text>,
    /// Regular expressions for what it must not show.
    pub fail: Vec<Text>,
    /// Seconds that a cell may take. Default 60.
    pub timeout: Option<At<u64>>,
    /// The machine's memory, such as `"512MiB"`, the default.
    pub memory: Option<Text>,
    /// Whether the machine has a network card. QEMU acts as its router. Default false.
    pub network: bool,
    /// Sizes of temporary empty disks, such as `"8GiB"`.
    pub disks: Vec<Text>,
    /// More arguments for QEMU, one word each.
    pub qemu: Vec<String>,
    /// What is typed, in order.
    pub send: Vec<At<Send>>,
}

/// `[[test.send]]`: what is typed when something has been shown. Exactly one of `text` and `keys` is given.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Send {
    /// A regular expression for what the serial port shows first, after the step before. Default: nothing is waited for.
    pub after: Option<Text>,
    /// Sent to the serial port.
    pub text: Option<Text>,
    /// Pressed on the keyboard, by QEMU's names for them: `a`, `down`, `ret`.
    pub keys: Vec<Text>,
}

/// `[test]` as it is meant.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// What is booted, if it is said.
    pub cells: Option<Vec<Cell>>,
    /// What the serial port has to show.
    pub expect: Option<Pattern>,
    /// What it must not show.
    pub fail: Vec<Pattern>,
    /// Seconds that a cell may take.
    pub timeout: u64,
    /// The machine that boots the image.
    pub hardware: Hardware,
    /// What is typed, in order.
    pub send: Vec<Step>,
}

/// What a machine has besides its firmware and the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Its memory in MiB.
    pub memory: u64,
    /// Whether it has a network card. QEMU acts as its router.
    pub network: bool,
    /// The sizes in bytes of its empty disks.
    pub disks: Vec<u64>,
    /// More arguments for QEMU, one word each.
    pub qemu: Vec<String>,
}

/// What is typed when something has been shown.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the serial port shows first.
    pub after: Option<Pattern>,
    /// What is typed then.
    pub what: Typed,
}

/// Where it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Sent to the serial port.
    Text(String),
    /// Pressed on the keyboard, by QEMU's names for them.
    Keys(Vec<String>),
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            cells: None,
            expect: None,
            fail: Vec::new(),
            timeout: 60,
            hardware: Hardware::default(),
            send: Vec::new(),
        }
    }
}

impl Default for Hardware {
    fn default() -> Self {
        Self {
            memory: 512,
            network: false,
            disks: Vec::new(),
            qemu: Vec::new(),
        }
    }
}

/// A machine's memory in MiB.
///
/// # Errors
/// What is wrong with it, in words.
pub fn memory(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        bytes if bytes % (1 << 20) != 0 => Err(format!("{text:?} is not a whole number of MiB")),
        bytes if bytes < 16 << 20 => Err("a machine has at least 16 MiB of memory".into()),
        bytes => Ok(bytes >> 20),
    }
}

/// The size of an empty disk in bytes.
///
/// # Errors
/// What is wrong with it, in words.
pub fn disk(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("a disk needs more than 0 bytes".into()),
        bytes if bytes % 4096 != 0 => Err(format!(
            "{text:?} is not a multiple of 4096 bytes, the size of a sector"
        )),
        bytes if i64::try_from(bytes).is_err() => Err(format!("{text:?} is more than QEMU can address")),
        bytes => Ok(bytes),
    }
}

impl Test {
    /// What it means, and what is wrong with it.
    pub(super) fn expectations(&self) -> (Expectations, Vec<Diagnostic>) {
        let mut faults = Vec::new();
        let default = Expectations::default();
        let meant = Expectations {
            cells: self
                .cells
                .as_ref()
                .map(|cells| cells.get_ref().iter().map(|cell| *cell.get_ref()).collect()),
            expect: self.expect.as_ref().and_then(|text| expressed(text, &mut faults)),
            fail: self
                .fail
                .iter()
                .filter_map(|text| expressed(text, &mut faults))
                .collect(),
            timeout: self
                .timeout
                .as_ref()
                .map_or(default.timeout, |timeout| *timeout.get_ref()),
            hardware: self.hardware(&mut faults),
            send: self
                .send
                .iter()
                .filter_map(|send| send.get_ref().step(send, &mut faults))
                .collect(),
        };
        if let Some(cells) = self.cells.as_ref().filter(|cells| cells.get_ref().is_empty()) {
            let message = "a test without cells would test nothing";
            let help = "without the key, every cell is booted that `isobuild check` says boots";
            faults.push(Diagnostic::error(message, cells.span(), "").with_help(help));
        }
        if let Some(timeout) = self.timeout.as_ref().filter(|timeout| *timeout.get_ref() == 0) {
            faults.push(Diagnostic::error(
                "no machine shows anything in 0 s",
                timeout.span(),
                "",
            ));
        }
        (meant, faults)
    }

    fn hardware(&self, faults: &mut Vec<Diagnostic>) -> Hardware {
        let mut read = |text: &Text, parse: fn(&str) -> Result<u64, String>| {
            let fault = |message| faults.push(Diagnostic::error(message, text.span(), ""));
            parse(text.get_ref()).map_err(fault).ok()
        };
        let memory = self.memory.as_ref().and_then(|text| read(text, memory));
        Hardware {
            memory: memory.unwrap_or(Hardware::default().memory),
            network: self.network,
            disks: self.disks.iter().filter_map(|text| read(text, disk)).collect(),
            qemu: self.qemu.clone(),
        }
    }
}

impl Send {
    fn step(&self, place: &At<Self>, faults: &mut Vec<Diagnostic>) -> Option<Step> {
        let after = self.after.as_ref().and_then(|text| expressed(text, faults));
        let what = match (&self.text, self.keys.is_empty()) {
            (Some(text), true) => Typed::Text(text.get_ref().clone()),
            (None, false) => {
                for key in self.keys.iter().filter(|key| !is_key(key.get_ref())) {
                    let message = format!("{:?} is not the name of a key", key.get_ref());
                    let help = "QEMU's names are a to z, 0 to 9, ret, esc, spc, tab, up, down, left, right, f1 to f12";
                    faults.push(Diagnostic::error(message, key.span(), "").with_help(help));
                }
                Typed::Keys(self.keys.iter().map(|key| key.get_ref().clone()).collect())
            }
            _ => {
                let message = "a step has either `text` for the serial port or `keys` for the keyboard";
                faults.push(Diagnostic::error(message, place.span(), "in this step"));
                return None;
            }
        };
        Some(Step { after, what })
    }
}

/// As QEMU's QKeyCode has them.
fn is_key(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

fn expressed(text: &Text, faults: &mut Vec<Diagnostic>) -> Option<Pattern> {
    let fault = |message| faults.push(Diagnostic::error(message, text.span(), "no regular expression"));
    expression(text.get_ref()).map_err(fault).ok()
}
