//! A process that ends with its value, whatever becomes of the program.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::programs;

/// The command that starts a program and ends it when the thread that started it is gone, even if that was killed. Without
/// setpriv, that is elsewhere than on Linux, it would go on then.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    match programs::find("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Child(std::process::Child);

impl Child {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Asks it to end by itself, so that it can leave a terminal as it was, and gives it a second.
    pub(super) fn ask_to_end(&mut self) {
        let Some(process) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) else {
            return;
        };
        let asked = Instant::now();
        // It fails when the process is gone already.
        let _ = kill_process(process, Signal::TERM);
        while asked.elapsed() < Duration::from_secs(1) && matches!(self.ended(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
