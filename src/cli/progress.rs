//! What a person at a terminal sees of a long run.

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redraws per second at most: more is flicker, and costs a slow serial console its bandwidth.
const RATE: u8 = 10;
/// What ends sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// While inputs are looked at there is no telling how many there are.
const WAITING: &str = "{spinner} {msg} {elapsed}";
const WRITING: &str = "{msg}[{wide_bar:.}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";

/// A line on stderr: first what the program is at, then a bar with bytes, rate and time left. It comes after a second and
/// disappears when it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// The line, with what is being done; nothing at all if `quiet`, or if stderr is no terminal.
    pub(super) fn new(doing: &'static str, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(WAITING) {
            bar.set_style(style);
        }
        bar.set_message(doing);
        if !quiet && std::io::stderr().is_terminal() {
            let later = bar.downgrade();
            let show = move || {
                thread::sleep(PATIENCE);
                if let Some(bar) = later.upgrade() {
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(RATE));
                    bar.enable_steady_tick(Duration::from_secs(1) / RATE.into());
                }
            };
            // Without a thread there is no line, and nothing else is missing.
            let _ = thread::Builder::new().name("progress".into()).spawn(show);
        }
        Self { bar }
    }

    /// From now on `total` bytes are written.
    pub(super) fn begin(&self, total: u64) {
        self.phase("", Some(total));
    }

    /// From now on so many bytes, if that is known, pass through this phase.
    pub(super) fn phase(&self, name: &'static str, total: Option<u64>) {
        self.bar.set_message(match name {
            "" => String::new(),
            name => format!("{name} "),
        });
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
        if let Ok(style) = ProgressStyle::with_template(WRITING) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.reset();
    }

    /// `done` bytes of the total are written.
    pub(super) fn update(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Does what writes to the terminal, without the line in its way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_some() {
        // One that does not parse would leave indicatif's own, which counts steps and not bytes.
        assert!(ProgressStyle::with_template(WAITING).is_ok() && ProgressStyle::with_template(WRITING).is_ok());
        let bar = Progress::new("waiting", true);
        assert_eq!(bar.bar.length(), None);
        bar.begin(10);
        bar.update(4);
        assert_eq!((bar.bar.position(), bar.bar.length()), (4, Some(10)));
        assert!(bar.bar.is_hidden());
    }
}
