//! All cells of a test, several at a time.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use super::accelerator::Accelerator;
use super::trial::{Outcome, Trial};
use super::{Machine, MachineError, Trusted};
use crate::facts::cell::{Cell, Firmware};
use crate::manifest::Expectations;
use crate::output::Interrupt;

/// What QEMU itself takes besides the machine's memory, in MiB: firmware, video memory, caches of translated code.
const OVERHEAD: u64 = 300;

/// A test: an image, its cells, and what is expected of it.
#[derive(Clone, Debug)]
pub struct Round<'a> {
    /// The image, as QEMU opens it.
    pub image: &'a Path,
    /// What it is called.
    pub name: &'a Path,
    /// What it boots in, in the order of the report.
    pub cells: &'a [Cell],
    /// What it has to show in each.
    pub expectations: &'a Expectations,
    /// Whom machines with Secure Boot trust besides Microsoft.
    pub trusted: &'a [Trusted],
    /// Whom those of [`Firmware::SecureBootOwn`] trust besides these.
    pub owner: Option<&'a Trusted>,
    /// Each cell's logs and picture go to a directory of its name in this one.
    pub directory: &'a Path,
    /// How many machines run at a time.
    pub jobs: NonZeroUsize,
    /// What ends it early.
    pub interrupt: &'a Interrupt,
}

impl Round<'_> {
    /// Boots every cell. `accelerated` hears what runs each kind of machine, `done` of each outcome, in the order of the cells.
    ///
    /// # Errors
    /// When a cell needs a program or a firmware that is not installed; then no cell is tried. Otherwise the first error of [`Trial::run`].
    pub fn run(
        &self,
        accelerated: &mut dyn FnMut(&str),
        done: &mut dyn FnMut(&Outcome),
    ) -> Result<Vec<Outcome>, MachineError> {
        let mut trials = Vec::new();
        let mut chosen: BTreeMap<&str, Accelerator> = BTreeMap::new();
        for &cell in self.cells {
            let qemu = Machine::installed(cell.firmware)?;
            let kind = match cell.firmware {
                Firmware::UefiAa64 => "aarch64",
                _ => "x86-64",
            };
            let accelerator = *chosen.entry(kind).or_insert_with(|| {
                let (accelerator, sentence) = Accelerator::choose(&qemu, cell.firmware);
                accelerated(&format!("{kind}: {sentence}"));
                accelerator
            });
            trials.push(Trial {
                image: self.image,
                name: self.name,
                cell,
                expectations: self.expectations,
                accelerator,
                trusted: self.trusted_in(cell),
                directory: self.directory.join(cell.to_string()),
                interrupt: self.interrupt,
            });
        }
        self.run_all(trials, done)
    }

    fn trusted_in(&self, cell: Cell) -> Vec<Trusted> {
        let owner = self.owner.filter(|_| cell.firmware == Firmware::SecureBootOwn);
        self.trusted.iter().chain(owner).cloned().collect()
    }

    fn run_all(&self, trials: Vec<Trial<'_>>, done: &mut dyn FnMut(&Outcome)) -> Result<Vec<Outcome>, MachineError> {
        let queue = Mutex::new(trials.into_iter().enumerate());
        let (finished, outcomes) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.jobs.get() {
                let (queue, finished) = (&queue, finished.clone());
                scope.spawn(move || {
                    loop {
                        let next = queue.lock().ok().and_then(|mut queue| queue.next());
                        let Some((number, trial)) = next else { break };
                        let outcome = trial.run();
                        let failed = outcome.is_err();
                        // When nobody listens any more, another one has failed.
                        if finished.send((number, outcome)).is_err() || failed {
                            break;
                        }
                    }
                });
            }
            drop(finished);
            let mut waiting = BTreeMap::new();
            let mut in_order = Vec::new();
            for (number, outcome) in outcomes {
                waiting.insert(number, outcome?);
                while let Some(outcome) = waiting.remove(&in_order.len()) {
                    done(&outcome);
                    in_order.push(outcome);
                }
            }
            Ok(in_order)
        })
    }
}

/// How many machines of so much memory run at a time without waiting for each other: one a processor, as far as memory goes.
pub fn jobs(memory: u64) -> NonZeroUsize {
    let processors = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let free = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available(&text));
    together(processors.get(), free, memory)
}

/// The number of machines for which there are processors, and memory if `free`, in MiB, is known.
fn together(processors: usize, free: Option<u64>, memory: u64) -> NonZeroUsize {
    let fit = free.map_or(usize::MAX, |free| {
        usize::try_from(free / (memory + OVERHEAD)).unwrap_or(usize::MAX)
    });
    NonZeroUsize::new(fit.min(processors)).unwrap_or(NonZeroUsize::MIN)
}

/// Linux's estimate of what can be used without swapping, in MiB.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_linux_writes_it() {
        assert_eq!(
            available("MemTotal:  8000000 kB\nMemAvailable:    2097152 kB\n"),
            Some(2048)
        );
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        // No host has memory for two of these.
        if cfg!(target_os = "linux") {
            assert_eq!(jobs(u64::MAX / 2).get(), 1);
        }
        assert_eq!(together(4, Some(3 * (512 + OVERHEAD)), 512).get(), 3);
        assert_eq!(together(2, Some(3 * (512 + OVERHEAD)), 512).get(), 2);
        assert_eq!(together(4, Some(0), 512).get(), 1);
        assert_eq!(together(4, None, 512).get(), 4);
    }
}
