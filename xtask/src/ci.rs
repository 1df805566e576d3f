//! `cargo xtask ci`: everything a change has to pass, here and in continuous integration alike.
//!
//! Every step runs, whatever became of the one before, so that one run shows all there is to repair. The last line counts:
//! the tests of every test program by their own closing lines, and each other step as one.

use crate::{fuzz, inputs, licences, loader, names, setup, shell};
use qemu_tests::suite::FULL_VARIABLE;
use qemu_tests::workspace;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// How one step ended.
enum Outcome {
    Passed,
    /// With what was said of the tests that have failed.
    Counted(Totals, Vec<String>),
}

type Step = (&'static str, fn() -> Result<Outcome, String>);

const UNIT_TESTS: [&str; 3] = ["--workspace", "--exclude", "qemu-tests"];

/// The boot loader is a workspace of its own.
const LOADER: [&str; 4] = [
    "--manifest-path",
    "templates/loader/Cargo.toml",
    "--target-dir",
    "target/loader",
];

/// The fuzz targets are another. What is built for the program serves there.
const FUZZ: [&str; 4] = ["--manifest-path", "xtask/fuzz/Cargo.toml", "--target-dir", "target"];

/// What needs nothing but Rust.
const CHECK: [Step; 8] = [
    ("fmt", fmt),
    ("clippy", clippy),
    ("names", || names::check().map(|()| Outcome::Passed)),
    ("doc", doc),
    ("unit tests", || test(&UNIT_TESTS, &[])),
    ("loader tests", loader_tests),
    ("loader", || loader::check(false).map(|()| Outcome::Passed)),
    ("package", package),
];

/// What comes before the tests that boot.
const CI: [Step; 12] = [
    ("setup", || setup::run(false).map(|()| Outcome::Passed)),
    ("fmt", fmt),
    ("clippy", clippy),
    ("names", || names::check().map(|()| Outcome::Passed)),
    ("doc", doc),
    ("loader tests", loader_tests),
    ("loader", || loader::check(false).map(|()| Outcome::Passed)),
    ("package", package),
    ("licences", || licences::check().map(|()| Outcome::Passed)),
    ("build", || cargo(&["build", "--release", "--locked"])),
    ("inputs", || inputs::run(None).map(|()| Outcome::Passed)),
    ("unit tests", || test(&UNIT_TESTS, &[])),
];

/// For each target.
const FUZZ_SECONDS: u32 = 60;

/// The quick round: what every commit passes.
pub(crate) fn check() -> Result<(), String> {
    steps(&CHECK)
}

/// Everything; `full` with what takes longest too.
pub(crate) fn run(full: bool) -> Result<(), String> {
    let full_tests: [Step; 5] = [
        ("full setup", || setup::run(true).map(|()| Outcome::Passed)),
        ("loader rebuilt", || loader::check(true).map(|()| Outcome::Passed)),
        ("fuzz tests", fuzz_tests),
        ("fuzz", || fuzz::run(None, FUZZ_SECONDS).map(|()| Outcome::Passed)),
        ("qemu-tests", || qemu_tests(&[(FULL_VARIABLE, "1")])),
    ];
    let tests: [Step; 1] = [("qemu-tests", || qemu_tests(&[]))];
    match full {
        true => steps(&[&CI[..], &full_tests].concat()),
        false => steps(&[&CI[..], &tests].concat()),
    }
}

fn qemu_tests(variables: &[(&str, &str)]) -> Result<Outcome, String> {
    test(&["--package", "qemu-tests"], variables)
}

/// Runs every step. The error is the closing line's.
fn steps(steps: &[Step]) -> Result<(), String> {
    let mut totals = Totals::default();
    let (mut lines, mut failures) = (Vec::new(), Vec::new());
    for (name, step) in steps {
        println!("\n=== {name}");
        let started = Instant::now();
        let mut one = Totals::default();
        let remark = match step() {
            Ok(Outcome::Counted(counted, said)) => {
                one = counted;
                failures.extend(said);
                format!("{counted}")
            }
            Ok(Outcome::Passed) => {
                one.passed = 1;
                "ok".to_owned()
            }
            Err(reason) => {
                one.failed = 1;
                eprintln!("error: {reason}");
                "FAILED".to_owned()
            }
        };
        totals.add(one);
        lines.push(format!("{name:12} {:5.0} s  {remark}", started.elapsed().as_secs_f64()));
    }
    // Once more at the end, which is what remains to be seen of a long log.
    failures.iter().for_each(|line| println!("{line}"));
    println!("\n{}\n", lines.join("\n"));
    println!("{totals}");
    if totals.failed == 0 {
        Ok(())
    } else {
        Err(format!("{} failed", totals.failed))
    }
}

fn cargo_command() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace::root());
    cargo
}

fn cargo(arguments: &[&str]) -> Result<Outcome, String> {
    shell::run(cargo_command().args(arguments)).map(|()| Outcome::Passed)
}

fn fmt() -> Result<Outcome, String> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["fmt", "--manifest-path", LOADER[1], "--check"])?;
    cargo(&["fmt", "--manifest-path", FUZZ[1], "--check"])
}

fn clippy() -> Result<Outcome, String> {
    let deny = ["--locked", "--", "--deny", "warnings"];
    let loader: Vec<&str> = [&["clippy"], &LOADER[..], &["--lib", "--bins", "--all-features"], &deny].concat();
    cargo(&loader)?;
    // The tests alone: a program without a standard library has no test harness.
    let loader: Vec<&str> = [&["clippy"], &LOADER[..], &["--lib", "--tests"], &deny].concat();
    cargo(&loader)?;
    cargo(&[&["clippy"], &FUZZ[..], &["--all-targets"], &deny].concat())?;
    // As it is installed: what only tests use is dead there. Then as a library.
    cargo(&[&["clippy", "--package", "isobuild"], &deny[..]].concat())?;
    let library = ["clippy", "--package", "isobuild", "--no-default-features"];
    cargo(&[&library[..], &deny[..]].concat())?;
    cargo(&[&library[..], &["--features", "vm"], &deny[..]].concat())?;
    without_the_command_line()?;
    cargo(&[&["clippy", "--workspace", "--all-targets"], &deny[..]].concat())
}

/// The library alone brings no crate that is for the command line or for machines.
fn without_the_command_line() -> Result<(), String> {
    const NOT_THERE: [&str; 5] = ["annotate-snippets", "clap", "indicatif", "regex", "signal-hook"];
    let mut cargo = cargo_command();
    cargo.args([
        "tree",
        "--package",
        "isobuild",
        "--no-default-features",
        "--edges",
        "normal",
    ]);
    let tree = shell::output(cargo.args(["--prefix", "none", "--locked"]))?;
    let tree = String::from_utf8_lossy(&tree);
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    match NOT_THERE.iter().find(|name| names.contains(name)) {
        Some(name) => Err(format!("isobuild without its default features depends on {name}")),
        None if !names.contains(&"sha2") => Err("cargo tree does not list what it should".into()),
        None => Ok(()),
    }
}

fn doc() -> Result<Outcome, String> {
    let mut cargo = cargo_command();
    cargo
        .args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--locked",
        ])
        .env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut cargo)?;
    let mut cargo = cargo_command();
    cargo
        .arg("doc")
        .args(LOADER)
        .args(["--lib", "--no-deps", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut cargo).map(|()| Outcome::Passed)
}

/// The published crate holds the images that it embeds: cargo leaves out what stands in another workspace.
fn package() -> Result<Outcome, String> {
    let mut cargo = cargo_command();
    cargo.args(["package", "--list", "--allow-dirty", "--locked", "--offline"]);
    let list = shell::output(&mut cargo)?;
    let list = String::from_utf8_lossy(&list);
    for image in loader::files() {
        if !list.lines().any(|line| line == image) {
            return Err(format!("{image} is not in the package"));
        }
    }
    Ok(Outcome::Passed)
}

fn loader_tests() -> Result<Outcome, String> {
    test(&[&LOADER[..], &["--lib"]].concat(), &[])
}

fn fuzz_tests() -> Result<Outcome, String> {
    test(&[&FUZZ[..], &["--lib"]].concat(), &[])
}

/// Runs tests. With `CI` set one that lacks a tool fails.
fn test(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Outcome, String> {
    let mut cargo = cargo_command();
    cargo
        .args(["test", "--release", "--locked", "--no-fail-fast"])
        .args(arguments);
    cargo.env("CI", "true").env_remove("ISOBUILD").stdout(Stdio::piped());
    cargo.env_remove(FULL_VARIABLE).envs(variables.iter().copied());
    let mut child = cargo.spawn().map_err(|e| format!("{}: {e}", shell::line(&cargo)))?;
    let stdout = child.stdout.take().ok_or("cargo test: no stdout")?;
    let (mut totals, mut failures) = (Totals::default(), Failures::default());
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|e| format!("cargo test: {e}"))?;
        let mut out = std::io::stdout().lock();
        out.write_all(&line)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|e| e.to_string())?;
        let line = String::from_utf8_lossy(&line);
        failures.read(&line);
        if let Some(counted) = closing_line(&line) {
            totals.add(counted);
        }
    }
    let status = child.wait().map_err(|e| format!("cargo test: {e}"))?;
    if !status.success() && totals.failed == 0 {
        // Something that was not a test: it did not compile, or a test program died.
        totals.failed = 1;
    }
    if status.success() && totals.passed == 0 {
        return Err(format!("{}: no test has run", shell::line(&cargo)));
    }
    Ok(Outcome::Counted(totals, failures.lines))
}

/// What a test program says of the tests that have failed, between a line `failures:` and another that begins the list of their names.
#[derive(Default)]
struct Failures {
    inside: bool,
    lines: Vec<String>,
}

impl Failures {
    fn read(&mut self, line: &str) {
        match line {
            "failures:" => self.inside = !self.inside,
            _ if self.inside => self.lines.push(line.to_owned()),
            _ => {}
        }
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn closing_line(line: &str) -> Option<Totals> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut totals = Totals::default();
    for count in counts.split("; ") {
        let mut words = count.split(' ');
        let (number, what) = (words.next()?, words.next()?);
        match what {
            "passed" => totals.passed = number.parse().ok()?,
            "failed" => totals.failed = number.parse().ok()?,
            "ignored" => totals.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(totals)
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_remembered() {
        let mut failures = Failures::default();
        let log =
            "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\nwhy\n\nfailures:\n    a\n\ntest result: FAILED.";
        log.lines().for_each(|line| failures.read(line));
        assert_eq!(failures.lines, ["", "---- a stdout ----", "why", ""]);
    }

    #[test]
    fn the_closing_line_of_a_test_program_is_counted() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out; \
                    finished in 0.52s";
        assert_eq!(
            closing_line(line),
            Some(Totals {
                passed: 3,
                failed: 2,
                skipped: 1
            })
        );
        assert_eq!(closing_line("test a ... ok"), None);
        assert_eq!(closing_line("test result: ok. x passed; 0 failed"), None);
    }
}
