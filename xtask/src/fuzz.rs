//! `cargo xtask fuzz`: the readers against bytes that nobody would write, with libFuzzer.
//!
//! The targets are a workspace of their own, `xtask/fuzz/`, with a corpus for each. They are compiled by the stable compiler: coverage
//! counters are an LLVM pass, no sanitizer is needed where there is no unsafe code, and overflow checks and debug assertions are on.

use crate::shell;
use qemu_tests::workspace;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Each with the longest input that it is given.
const TARGETS: [(&str, u32); 9] = [
    ("image", 96 << 10),
    ("tables", 16 << 10),
    ("fat", 32 << 10),
    ("udf", 64 << 10),
    ("archives", 32 << 10),
    ("disks", 32 << 10),
    ("program", 16 << 10),
    ("manifest", 4 << 10),
    ("menu", 8 << 10),
];

/// The counters that libFuzzer reads, and the comparisons that it learns from.
const FLAGS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// A target of its own, so that build scripts and macros are built without counters.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The most memory of a process, and the longest time for one input: a reader of an image of 8 MiB needs a fraction of either.
const LIMITS: [&str; 2] = ["-rss_limit_mb=512", "-timeout=10"];

/// Runs all targets at once, or one, for so many seconds each. What they learn stays in the target directory, and the next run starts with it
/// too.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<(), String> {
    let targets: Vec<_> = TARGETS
        .into_iter()
        .filter(|(name, _)| target.is_none_or(|target| target == *name))
        .collect();
    if targets.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there are the fuzz targets {}", names.join(", ")));
    }
    build()?;
    let mut running = Vec::new();
    for (name, longest) in targets {
        let mut fuzzer = fuzzer(name, longest)?;
        fuzzer
            .arg(format!("-max_total_time={seconds}"))
            .args([learned(name), corpus(name)]);
        let log = directory().join(format!("{name}.log"));
        let file = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let child = fuzzer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        running.push((name, log, child.map_err(|e| format!("{name}: {e}"))?));
    }
    let mut fallen = Vec::new();
    for (name, log, mut child) in running {
        let status = child.wait().map_err(|e| format!("{name}: {e}"))?;
        let text = std::fs::read(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        // The name of the input that a target falls over is in the last lines.
        let lines: Vec<&str> = text.lines().collect();
        match status.success() {
            true => println!("{name}: {}", lines.last().unwrap_or(&"")),
            false => {
                println!("{}", lines[lines.len().saturating_sub(30)..].join("\n"));
                fallen.push(format!("{name} ({})", log.display()));
            }
        }
    }
    match fallen.is_empty() {
        true => Ok(()),
        false => Err(format!("fuzz targets fell: {}", fallen.join(", "))),
    }
}

fn build() -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace::root())
        .args([
            "build",
            "--profile",
            "fuzz",
            "--features",
            "run",
            "--locked",
            "--bins",
            "--target",
            PLATFORM,
        ])
        .args(["--manifest-path", "xtask/fuzz/Cargo.toml", "--target-dir"])
        .arg(directory())
        .env("RUSTFLAGS", FLAGS.join(" "));
    shell::run(&mut cargo)
}

fn fuzzer(name: &str, longest: u32) -> Result<Command, String> {
    let learned = learned(name);
    std::fs::create_dir_all(&learned).map_err(|e| format!("{}: {e}", learned.display()))?;
    let mut fuzzer = Command::new(directory().join(PLATFORM).join("fuzz").join(name));
    let found = format!("-artifact_prefix={}/{name}-", directory().display());
    fuzzer.args(LIMITS).arg(found).arg(format!("-max_len={longest}"));
    Ok(fuzzer)
}

fn directory() -> PathBuf {
    workspace::target().join("fuzz")
}

/// Inputs that reached something new on this machine.
fn learned(name: &str) -> PathBuf {
    directory().join("learned").join(name)
}

/// Inputs that everybody starts with.
fn corpus(name: &str) -> PathBuf {
    workspace::root().join("xtask/fuzz/corpus").join(name)
}
