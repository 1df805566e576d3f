//! Tests that are made from the examples. A test whose tool is not there is a failure in continuous integration, and is named
//! and counted as ignored elsewhere; it never passes.

use crate::pins::{self, State};
use crate::{loops, tools, workspace};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A test that takes longer is named with its time.
const LONG: Duration = Duration::from_secs(5);

/// Set for `cargo xtask ci --full`.
pub const FULL_VARIABLE: &str = "ISOBUILD_FULL";

/// A test.
pub struct Test {
    name: String,
    runs: Box<dyn FnOnce() -> Result<(), String> + Send>,
    /// Why it is not run here, and counted as skipped.
    skipped: Option<String>,
    is_long: bool,
}

/// The tests of a group, or why they cannot be found.
pub type Tests = Result<Vec<Test>, String>;

impl Test {
    /// The same, if it takes long and has a shorter sibling: `cargo xtask ci --full` runs it, and whoever asks for it by name.
    #[must_use]
    pub fn long_if(self, is_long: bool) -> Self {
        Self { is_long, ..self }
    }

    /// See [`long_if`](Self::long_if).
    #[must_use]
    pub fn long(self) -> Self {
        self.long_if(true)
    }
}

/// Tests that all take long.
pub fn long(tests: Vec<Test>) -> impl Iterator<Item = Test> {
    tests.into_iter().map(Test::long)
}

/// A test. `missing` are the sentences that say what it lacks here.
pub fn trial(name: String, missing: Vec<String>, test: impl FnOnce() -> Result<(), String> + Send + 'static) -> Test {
    let missing = missing.join("; ");
    let is_there = missing.is_empty();
    Test {
        name,
        skipped: Some(missing.clone()).filter(|_| !is_there && !tools::required()),
        runs: match is_there {
            true => Box::new(test),
            false => Box::new(move || Err(missing)),
        },
        is_long: false,
    }
}

/// Says which tests take long, since the library that runs them does not.
fn timed(name: &str, test: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let started = Instant::now();
    let result = test();
    if started.elapsed() > LONG {
        eprintln!("{name}: {} s", started.elapsed().as_secs());
    }
    result
}

/// A test of the program: its name, the tools that it needs, and what it does. A failed assertion fails it.
pub type ProgramTest = (&'static str, &'static [&'static str], fn());

/// Tests that run the program and judge what it leaves.
pub fn program_tests(tests: &[ProgramTest]) -> Vec<Test> {
    with_program(tests, None)
}

/// Tests that run the program on loop devices.
pub fn loop_tests(tests: &[ProgramTest]) -> Vec<Test> {
    with_program(tests, loops::missing())
}

fn with_program(tests: &[ProgramTest], lacking: Option<String>) -> Vec<Test> {
    let trial_of = |&(name, needs, test): &ProgramTest| {
        let mut missing = missing(needs);
        missing.extend(lacking.clone());
        missing.extend(workspace::isobuild().err());
        trial(name.to_owned(), missing, move || {
            test();
            Ok(())
        })
    };
    tests.iter().map(trial_of).collect()
}

/// A test that has nothing to compare here, for this reason: named and counted as ignored, in continuous integration too.
pub fn ignored(name: String, reason: &str) -> Test {
    Test {
        name,
        runs: Box::new(|| Err("there is nothing to compare".to_owned())),
        skipped: Some(reason.to_owned()),
        is_long: false,
    }
}

/// The sentences for those of these programs and files that are not there.
pub fn missing(names: &[&str]) -> Vec<String> {
    names.iter().filter_map(|name| tools::find(name).err()).collect()
}

/// The sentence for the tests' own inputs, if they are not there: kernels, and images that other people built.
pub fn missing_inputs() -> Result<Vec<String>, String> {
    Ok(match pins::load("qemu-tests")?.state()? {
        State::Missing(_) => vec!["its inputs are missing (cargo xtask inputs qemu-tests)".to_owned()],
        State::Pinned | State::Differ(_) => Vec::new(),
    })
}

/// Tests of one kind: those of a file.
pub struct Group {
    name: &'static str,
    tests: fn() -> Tests,
    /// How many run at a time.
    at_once: usize,
    /// Runs after the tests and prints a summary.
    after: fn(),
}

impl Group {
    /// Tests that run two at a time: a guest takes a core.
    pub const fn new(name: &'static str, tests: fn() -> Tests) -> Self {
        Self {
            name,
            tests,
            at_once: 2,
            after: || {},
        }
    }

    /// The same, one after the other.
    #[must_use]
    pub const fn in_turn(self) -> Self {
        Self { at_once: 1, ..self }
    }

    /// The same, with something to say behind them.
    #[must_use]
    pub const fn and_then(self, after: fn()) -> Self {
        Self { after, ..self }
    }

    /// Runs those that are asked for. False if one of them has failed.
    fn run(&self, asked: &Arguments) -> Result<bool, String> {
        let tests = (self.tests)()?;
        if tests.is_empty() {
            return Err("there are no tests".to_owned());
        }
        let is_asked = |name: &str| match &asked.filter {
            Some(filter) if asked.exact => name == filter,
            Some(filter) => name.contains(filter),
            None => true,
        };
        let full = asked.filter.is_some() || std::env::var_os(FULL_VARIABLE).is_some();
        let tests: Vec<Trial> = tests
            .into_iter()
            .map(|test| (format!("{}: {}", self.name, test.name), test))
            .filter(|(name, _)| is_asked(name))
            .map(|(name, test)| test.trial(name, full))
            .collect();
        if tests.is_empty() {
            return Ok(true);
        }
        println!("\n--- {}", self.name);
        let mut arguments = asked.clone();
        arguments.test_threads = arguments.test_threads.or(Some(self.at_once));
        let conclusion = libtest_mimic::run(&arguments, tests);
        (self.after)();
        Ok(!conclusion.has_failed())
    }
}

impl Test {
    /// As the library runs it; without `full` a long one is skipped.
    fn trial(self, name: String, full: bool) -> Trial {
        let Self {
            runs, skipped, is_long, ..
        } = self;
        let too_long = (is_long && !full).then(|| "it is long, and `cargo xtask ci --full` runs it".to_owned());
        let skipped = skipped.or(too_long);
        if let Some(reason) = &skipped {
            eprintln!("skipped: {name}: {reason}");
        }
        let timed_name = name.clone();
        let run = move || timed(&timed_name, runs).map_err(Into::into);
        Trial::test(name, run).with_ignored_flag(skipped.is_some())
    }
}

/// Runs the groups one after the other.
pub fn run(groups: &[Group]) -> ExitCode {
    let arguments = Arguments::from_args();
    let mut is_good = true;
    for group in groups {
        is_good &= group.run(&arguments).unwrap_or_else(|reason| {
            eprintln!("error: {}: {reason}", group.name);
            false
        });
    }
    match is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A file that the binary does not name would be content without a test having run.
    #[test]
    fn every_file_of_tests_is_a_group() {
        let directory = workspace::root().join("qemu-tests/tests/all");
        let main = fs::read_to_string(directory.join("main.rs")).unwrap();
        let mut files = 0;
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if path.extension().is_some_and(|extension| extension == "rs") && name != "main" {
                files += 1;
                assert!(main.contains(&format!("\nmod {name};\n")), "{name} is not a module");
                let group = format!("Group::new(\"{name}\", {name}::tests)");
                assert!(main.contains(&group), "{name} is not a group");
            }
        }
        assert_eq!(files, main.matches("Group::new(").count());
    }
}
