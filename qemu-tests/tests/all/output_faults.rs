//! What is at the output path when a build fails at any point: nothing, the old image, or the complete new one.
//!
//! The program runs under strace, which fails its system calls one by one, or kills it at them.

use qemu_tests::place::{NAMESPACE, Place, Shows, Way, stderr};
use qemu_tests::suite;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// More than a build makes of any call.
const MANY: usize = 200;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    (
        "what the kernel does not copy is read and written",
        &["strace", "unshare"],
        what_the_kernel_does_not_copy,
    ),
    (
        "what does not go past the cache goes through it",
        &["strace"],
        what_does_not_go_past_the_cache,
    ),
    ("every call fails once", &["strace"], every_call_fails_once),
    ("killed at every call", &["strace"], killed_at_every_call),
    (
        "the bytes are on the disk before their name",
        &["strace"],
        the_bytes_are_on_the_disk_before_their_name,
    ),
];

/// The calls of a build that can fail. Of those that the C library makes too when it starts the program, only the ones for
/// these paths are meant.
fn calls(place: &Place) -> Vec<(&'static str, Vec<String>)> {
    let path = |name| place.at(name).to_str().unwrap().to_owned();
    let named: Vec<_> = ["payload.bin", "data.toml", "out"].into_iter().map(path).collect();
    let mut calls: Vec<_> = ["openat", "read", "pread64", "mkdir"]
        .into_iter()
        .map(|call| {
            (
                call,
                named.iter().flat_map(|path| ["-P".into(), path.clone()]).collect(),
            )
        })
        .collect();
    let rest = [
        "write",
        "pwrite64",
        "copy_file_range",
        "ftruncate",
        "fsync",
        "linkat",
        "rename",
        "close",
    ];
    calls.extend(rest.map(|call| (call, Vec::new())));
    calls.extend(["unlink", "unlinkat", "renameat", "renameat2"].map(|call| (call, Vec::new())));
    calls
}

/// Runs builds in which the first call of its name is tampered with, then the second, and so on until there is none left.
/// Returns how many there were.
fn sweep(
    place: &Place,
    way: Way,
    call: &str,
    tamper: &str,
    paths: &[String],
    judge: impl Fn(&Output, bool, &str),
) -> usize {
    for (number, old) in (1..MANY).flat_map(|number| [(number, false), (number, true)]) {
        place.reset(old);
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:{tamper}:when={number}");
        let mut arguments = vec!["-e", trace.as_str(), "-e", inject.as_str()];
        arguments.extend(paths.iter().map(String::as_str));
        let (output, log) = place.strace(way, &arguments);
        let killed = output.status.signal().is_some();
        // An odd number was tried without an old image, and both find no such call.
        if !killed && !log.contains("(INJECTED)") && old {
            return number - 1;
        }
        judge(&output, old, &format!("{way:?}, {inject}, old: {old}\n{log}"));
    }
    panic!("{call} is called over {MANY} times");
}

fn every_call_fails_once() {
    let place = Place::new();
    let mut tampered = 0;
    for &way in Way::ALL {
        for (call, paths) in calls(&place) {
            for error in ["EIO", "ENOSPC", "EINTR", "EDQUOT", "EROFS"] {
                let judge = |output: &Output, old: bool, what: &str| {
                    let code = output.status.code();
                    let what = format!("{what}{}", stderr(output));
                    let shows = place.shows(old);
                    match code {
                        Some(0) => assert_eq!(shows, Shows::Complete, "{what}"),
                        // The one call after the image is in place is the directory's fsync.
                        Some(3) if call == "fsync" || call == "write" => {}
                        Some(3) => assert_eq!(shows, Shows::Before, "{what}"),
                        // What cannot be read before the build begins is a fault of the input.
                        Some(1) if ["openat", "read", "pread64"].contains(&call) => {
                            assert_eq!(shows, Shows::Before, "{what}");
                        }
                        // The dynamic linker, before the program has begun.
                        Some(127) if call == "close" => {
                            assert_eq!((shows, place.left()), (Shows::Before, 0), "{what}");
                            return;
                        }
                        _ => panic!("{code:?}: {what}"),
                    }
                    assert!(error != "EINTR" || code == Some(0), "{what}");
                    assert!(code == Some(0) || !stderr(output).is_empty(), "{what}");
                    assert!(call.starts_with("unlink") || place.left() == 0, "{what}");
                };
                tampered += sweep(&place, way, call, &format!("error={error}"), &paths, judge);
            }
            place.rebuilds();
        }
    }
    assert!(tampered > 100, "only {tampered} calls were failed");
}

/// copy_file_range(2): between these files, at these places, or at all. The file system of the tests may be one that shares
/// nothing, where it is not asked for; overlayfs leaves it to the one below.
fn what_the_kernel_does_not_copy() {
    let place = Place::new();
    let script =
        "mount -t overlay -o lowerdir=\"$0/low\",upperdir=\"$0/up\",workdir=\"$0/work\" none \"$0/out\" && exec \"$@\"";
    let root = place.at("").to_str().unwrap().to_owned();
    for tamper in ["", "EXDEV", "EOPNOTSUPP", "EINVAL", "ENOSYS", "EPERM"] {
        for directory in ["low", "up", "work"] {
            let _ = fs::remove_dir_all(place.at(directory));
            fs::create_dir(place.at(directory)).unwrap();
        }
        let log = place.at("strace.log");
        let inject = format!("inject=copy_file_range:error={tamper}");
        let mut strace = vec![
            "strace",
            "-f",
            "-o",
            log.to_str().unwrap(),
            "-e",
            "trace=copy_file_range",
        ];
        if !tamper.is_empty() {
            strace.extend(["-e", &inject]);
        }
        let wrapper = [&NAMESPACE[..], &["sh", "-c", script, &root], &strace].concat();
        let output = place.build(&wrapper).output().unwrap();
        let log = fs::read_to_string(&log).unwrap_or_default();
        assert!(output.status.success(), "{log}{}", stderr(&output));
        assert!(
            log.contains("copy_file_range(") && log.contains("(INJECTED)") != tamper.is_empty(),
            "{log}"
        );
        assert!(
            fs::read(place.at("up/image.iso")).unwrap() == place.complete,
            "{tamper}"
        );
    }
}

/// The file system takes the file, but not that it is written past the page cache.
fn what_does_not_go_past_the_cache() {
    let place = Place::new();
    for error in ["EINVAL", "EOPNOTSUPP"] {
        place.reset(true);
        let inject = format!("inject=pwrite64:error={error}:when=1");
        let (output, log) = place.strace(Way::Best, &["-e", "trace=pwrite64", "-e", &inject]);
        assert!(output.status.success(), "{log}{}", stderr(&output));
        assert!(log.contains("(INJECTED)"), "{log}");
        assert_eq!((place.shows(true), place.left()), (Shows::Complete, 0), "{log}");
    }
}

fn killed_at_every_call() {
    let place = Place::new();
    let mut killed = 0;
    for &way in Way::ALL {
        for (call, paths) in calls(&place) {
            let judge = |_: &Output, old: bool, what: &str| {
                place.shows(old);
                // Without a name from the start, it has one only to replace an old image.
                let most = usize::from(way == Way::Named || (old && call.starts_with("rename")));
                assert!(place.left() <= most, "{what}");
            };
            killed += sweep(&place, way, call, "signal=KILL", &paths, judge);
            place.rebuilds();
        }
    }
    assert!(killed > 20, "killed at {killed} calls only");
}

fn the_bytes_are_on_the_disk_before_their_name() {
    let place = Place::new();
    for (&way, old) in Way::ALL.iter().flat_map(|way| [(way, false), (way, true)]) {
        place.reset(old);
        let (output, log) = place.strace(way, &["-e", "trace=fsync,linkat,rename,renameat,renameat2"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let out = format!("{}>)", place.at("out").display());
        let find = |what: &dyn Fn(&str) -> bool| {
            log.lines()
                .position(what)
                .unwrap_or_else(|| panic!("{way:?}, old: {old}\n{log}"))
        };
        let file = find(&|line| line.contains("fsync(") && line.contains("/out/"));
        let place_taken = find(&|line| {
            let call = ["linkat(", "rename(", "renameat(", "renameat2("];
            call.iter().any(|call| line.contains(call)) && line.contains("image.iso\"") && { line.ends_with("= 0") }
        });
        let directory = find(&|line| line.contains("fsync(") && line.contains(&out));
        assert!(
            file < place_taken && place_taken < directory,
            "{way:?}, old: {old}\n{log}"
        );
        assert!(
            log.lines().skip(file).take(1).all(|line| line.ends_with("= 0")),
            "{log}"
        );
    }
}
