//! What a person at a terminal sees of a long write.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redraws per second at most: more is flicker, and costs a slow serial console its bandwidth.
const RATE: u8 = 10;

/// A bar on stderr with bytes, rate and time left. It disappears when it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar up to `total` bytes; nothing at all if `quiet`, or if stderr is no terminal.
    pub fn new(total: u64, quiet: bool) -> Self {
        let target = if quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(RATE)
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = "[{wide_bar:.}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// `done` bytes of the total are written.
    pub fn update(&self, done: u64) {
        self.bar.set_position(done);
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
    fn the_template_is_one() {
        // A template that does not parse would leave indicatif's own, which counts steps and not bytes.
        let bar = Progress::new(10, true);
        bar.update(4);
        assert_eq!((bar.bar.position(), bar.bar.length()), (4, Some(10)));
        assert!(bar.bar.is_hidden());
    }
}
