//! Tests that are made from the examples. A test whose tool is not there is a failure in continuous integration, and is named
//! and counted as ignored elsewhere; it never passes.

use crate::pins::{self, State};
use crate::{loops, tools, workspace};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A test that takes longer is named with its time.
const LONG: Duration = Duration::from_secs(5);

/// What takes longest and has a shorter sibling: `cargo xtask ci --full` runs it, and whoever asks for it by name.
const FULL: [&str; 43] = [
    "a file of more than 4 GiB by UDF and by sections",
    "Bochs bios-cd",
    "Bochs bios-disk",
    "copied to FAT uefi-aa64-usb",
    "keys uefi-ia32-cd",
    "keys uefi-aa64-cd",
    "actions uefi-ia32-cd",
    "actions uefi-aa64-cd",
    "machine page uefi-ia32-cd",
    "machine page uefi-aa64-cd",
    "progress uefi-ia32-cd",
    "progress uefi-aa64-cd",
    "debian-installer bios-usb",
    "debian-installer uefi-cd",
    "debian-installer uefi-usb",
    "debian-installer secure-boot-cd",
    "h17 damaged UDF bridge",
    "h17 damaged grub-rescue.iso",
    "h17 damaged debian-installer",
    "too little memory bios-usb",
    "1 GiB bios-usb",
    "1 GiB uefi-usb",
    "a sector is lost uefi-usb",
    "debian-installer loader bios-cd",
    "debian-installer loader uefi-cd",
    "debian-installer loader bios-usb",
    "memtest86+: no loader",
    "debian-installer",
    "hello: boot catalog's checksum wrong",
    "hello: BIOS entry not bootable",
    "hello: UEFI entry not bootable",
    "hello: UEFI entry counts 1",
    "hello: MBR without boot code",
    "hello: MBR without 55 AA",
    "hello: primary GPT damaged",
    "hello: both GPTs damaged",
    "hello: ESP of another type",
    "hello: GPT entry behind the last usable",
    "hello: MBR alone, with an ESP",
    "hello: MBR alone, with FAT",
    "hello: MBR alone, entries overlap",
    "hello: MBR alone, an empty type overlaps",
    "hello: loader of another machine",
];

/// Set for `cargo xtask ci --full`.
pub const FULL_VARIABLE: &str = "ISOBUILD_FULL";

/// A test. `missing` are the sentences that say what it lacks here.
pub fn trial(name: String, missing: Vec<String>, test: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    if missing.is_empty() {
        return Trial::test(name.clone(), move || timed(&name, test).map_err(Into::into));
    }
    let missing = missing.join("; ");
    if !tools::required() {
        eprintln!("skipped: {name}: {missing}");
    }
    Trial::test(name, move || Err(missing.into())).with_ignored_flag(!tools::required())
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
pub fn program_tests(tests: &[ProgramTest]) -> Vec<Trial> {
    with_program(tests, None)
}

/// Tests that run the program on loop devices.
pub fn loop_tests(tests: &[ProgramTest]) -> Vec<Trial> {
    with_program(tests, loops::missing())
}

fn with_program(tests: &[ProgramTest], lacking: Option<String>) -> Vec<Trial> {
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
pub fn ignored(name: String, reason: &str) -> Trial {
    eprintln!("skipped: {name}: {reason}");
    let reason = reason.to_owned();
    Trial::test(name, move || Err(reason.into())).with_ignored_flag(true)
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

/// Runs the tests, at most two at a time: a guest takes a core.
pub fn run(trials: Result<Vec<Trial>, String>) -> ExitCode {
    run_at_once(2, &|_| false, trials)
}

/// The same; those whose names are `long` run with `--full` too, and are counted as skipped without it.
pub fn run_without(long: fn(&str) -> bool, trials: Result<Vec<Trial>, String>) -> ExitCode {
    run_at_once(2, &long, trials)
}

/// Runs the tests one after the other.
pub fn run_in_turn(trials: Result<Vec<Trial>, String>) -> ExitCode {
    run_at_once(1, &|_| false, trials)
}

fn run_at_once(threads: usize, long: &dyn Fn(&str) -> bool, trials: Result<Vec<Trial>, String>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(threads));
    match trials {
        Ok(trials) if trials.is_empty() => {
            eprintln!("error: this program has no tests");
            ExitCode::FAILURE
        }
        Ok(trials) => {
            let full = arguments.filter.is_some() || std::env::var_os(FULL_VARIABLE).is_some();
            let trials =
                trials.into_iter().map(
                    |trial| match full || !(FULL.contains(&trial.name()) || long(trial.name())) {
                        true => trial,
                        false => {
                            eprintln!(
                                "skipped: {}: it is long, and `cargo xtask ci --full` runs it",
                                trial.name()
                            );
                            trial.with_ignored_flag(true)
                        }
                    },
                );
            libtest_mimic::run(&arguments, trials.collect()).exit_code()
        }
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn every_test_program_is_one_of_the_package() {
        let package = workspace::root().join("qemu-tests");
        let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let programs = manifest["test"].as_array().unwrap().iter();
        let named: BTreeSet<String> = programs
            .map(|program| {
                assert_eq!(program["harness"].as_bool(), Some(false), "{program}");
                program["name"].as_str().unwrap().to_owned()
            })
            .collect();
        let files = fs::read_dir(package.join("tests"))
            .unwrap()
            .map(|file| file.unwrap().path());
        let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let there: BTreeSet<String> = sources
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(named, there);
    }
}
