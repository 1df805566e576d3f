//! A build that is told to stop: the output path is as it was, and the exit code names the signal.

use qemu_tests::place::{Place, Shows, Way, stderr};
use qemu_tests::suite;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    (
        "a signal leaves what was there",
        &["strace"],
        a_signal_leaves_what_was_there,
    ),
    (
        "an ignored hangup stays ignored",
        &["strace"],
        an_ignored_hangup_stays_ignored,
    ),
    (
        "a second signal ends a blocked build",
        &["strace"],
        a_second_signal_ends_a_blocked_build,
    ),
];

fn a_signal_leaves_what_was_there() {
    let place = Place::new();
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        for &way in Way::ALL {
            for call in ["ftruncate", "pwrite64"] {
                place.reset(true);
                let inject = format!("inject={call}:signal={signal}:when=1");
                let (output, log) = place.strace(way, &["-e", &inject]);
                assert_eq!(output.status.code(), Some(code), "{log}{}", stderr(&output));
                assert_eq!((place.shows(true), place.left()), (Shows::Before, 0), "{log}");
            }
        }
    }
    place.rebuilds();
}

fn an_ignored_hangup_stays_ignored() {
    let place = Place::new();
    place.reset(true);
    let strace = "strace -f -o /dev/null -e inject=pwrite64:signal=HUP:when=1";
    let script = format!("trap '' HUP; exec {strace} \"$@\"");
    let output = place.build(&["sh", "-c", &script, "sh"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(place.shows(true), Shows::Complete);
}

/// The copy is held up for as long as a network that does not answer: the first signal is noted, the second one ends the
/// program without waiting.
fn a_second_signal_ends_a_blocked_build() {
    let place = Place::new();
    place.reset(true);
    let minutes = "inject=pwrite64:delay_enter=600000000:when=1";
    let strace = ["strace", "-f", "-e", "trace=pwrite64,rt_sigreturn", "-e", minutes];
    let mut child = place.build(&strace).stderr(Stdio::piped()).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    // pwrite64 is 18 on x86-64 and 68 where the numbers are the generic ones.
    let number = if cfg!(target_arch = "x86_64") { "18 " } else { "68 " };
    let blocked = || -> Option<String> {
        let program = fs::read_to_string(&children)
            .ok()?
            .split_whitespace()
            .next()?
            .to_owned();
        let tasks = fs::read_dir(format!("/proc/{program}/task")).ok()?;
        let mut calls = tasks.map(|task| fs::read_to_string(task.ok()?.path().join("syscall")).ok());
        calls
            .any(|call| call.is_some_and(|call| call.starts_with(number)))
            .then_some(program)
    };
    let program = loop {
        assert!(child.try_wait().unwrap().is_none(), "the build is not held up");
        if let Some(program) = blocked() {
            break program;
        }
        std::thread::yield_now();
    };
    let interrupt = || Command::new("kill").args(["-INT", &program]).status().unwrap();
    assert!(interrupt().success());
    // Two signals at once are one: the second is sent when strace has shown the return from the first.
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("rt_sigreturn")));
    assert!(interrupt().success());
    // strace holds the writing thread, and with it the rest of the program, for its ten minutes.
    let status = loop {
        if let Some(status) = exit_status(&program) {
            break status;
        }
        std::thread::yield_now();
    };
    assert_eq!(status, 130 << 8);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((place.shows(true), place.left()), (Shows::Before, 0));
    place.rebuilds();
}

/// proc(5): state and exit status of a program that has ended and that its parent has not waited for.
fn exit_status(program: &str) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{program}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    (fields[0] == "Z").then(|| fields[49].parse().unwrap())
}
