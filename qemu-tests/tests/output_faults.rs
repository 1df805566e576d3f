//! What is at the output path when a build fails at any point: nothing, the old image, or the complete new one.
//!
//! The program runs under strace, which fails its system calls one by one, or kills it at them. It is taken from `ISOBUILD`,
//! else from the release directory of the workspace. A tool that is missing fails the test.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What is at the output path before some of the runs.
const OLD: &[u8] = b"the old image";

/// More than a build makes of any call.
const MANY: usize = 200;

/// How the output comes to be: the ways differ in their system calls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// `O_TMPFILE` and `copy_file_range`, where the file system has them.
    Best,
    /// Nothing but `read` and `write`.
    NoShare,
    /// A file with a hidden name. Only x86-64 has `open`, by which `O_TMPFILE` is asked for there.
    Named,
}

impl Way {
    const ALL: &[Self] = if cfg!(target_arch = "x86_64") {
        &[Self::Best, Self::NoShare, Self::Named]
    } else {
        &[Self::Best, Self::NoShare]
    };

    fn injection(self) -> &'static [&'static str] {
        match self {
            Self::Best => &[],
            Self::NoShare => &["-e", "inject=copy_file_range:error=EXDEV"],
            Self::Named => &["-e", "inject=open:error=EOPNOTSUPP"],
        }
    }
}

/// A data manifest, its payload and the directory of its output.
struct Place {
    directory: TempDir,
    /// The image that a build makes if nothing fails.
    complete: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let payload: Vec<u8> = (0..600_001_u32).flat_map(|i| i.to_le_bytes()).collect();
        fs::write(directory.path().join("payload.bin"), payload).unwrap();
        let manifest = "output = \"out/image.iso\"\n[[files]]\nfrom = \"payload.bin\"\nto = \"/\"\n";
        fs::write(directory.path().join("data.toml"), manifest).unwrap();
        let mut place = Self {
            directory,
            complete: Vec::new(),
        };
        let output = place.build(&[]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        place.complete = fs::read(place.image()).unwrap();
        assert!(place.complete.len() > 2_400_004);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn image(&self) -> PathBuf {
        self.at("out/image.iso")
    }

    /// `wrapper isobuild data.toml`.
    fn build(&self, wrapper: &[&str]) -> Command {
        let program = program();
        let mut words = wrapper.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(self.at("data.toml")).stdin(Stdio::null());
        command
    }

    /// The same under strace; with what it logged.
    fn strace(&self, way: Way, arguments: &[&str]) -> (Output, String) {
        let log = self.at("strace.log");
        let mut wrapper = vec!["strace", "-f", "-y", "-o", log.to_str().unwrap()];
        wrapper.extend(way.injection());
        wrapper.extend(arguments);
        let output = self.build(&wrapper).output().unwrap();
        (output, fs::read_to_string(log).unwrap())
    }

    /// Puts the old image in place, or nothing.
    fn reset(&self, old: bool) {
        fs::remove_dir_all(self.at("out")).unwrap();
        fs::create_dir(self.at("out")).unwrap();
        if old {
            fs::write(self.image(), OLD).unwrap();
        }
    }

    /// What the output path shows.
    fn shows(&self, old: bool) -> Shows {
        match fs::read(self.image()) {
            Ok(image) if image == self.complete => Shows::Complete,
            Ok(image) if old && image == OLD => Shows::Before,
            Err(error) if !old && error.kind() == std::io::ErrorKind::NotFound => Shows::Before,
            other => panic!("neither old nor complete: {:?}", other.map(|image| image.len())),
        }
    }

    /// How many files besides the image are in its directory.
    fn left(&self) -> usize {
        let names = fs::read_dir(self.at("out"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names.filter(|name| name != "image.iso").count()
    }

    /// A run that nothing hinders is as good as ever.
    fn rebuilds(&self) {
        let output = self.build(&[]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(self.shows(false), Shows::Complete);
    }
}

#[derive(Debug, PartialEq)]
enum Shows {
    Before,
    Complete,
}

fn program() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map(|target| workspace.join(target));
    let program = std::env::var_os("ISOBUILD").map_or_else(
        || {
            target
                .unwrap_or_else(|| workspace.join("target"))
                .join("release/isobuild")
        },
        PathBuf::from,
    );
    assert!(program.is_file(), "{program:?} is missing: cargo build --release");
    program
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// A command that a test needs has to work here.
fn require(command: &[&str]) {
    let works = Command::new(command[0]).args(&command[1..]).output();
    assert!(
        works.is_ok_and(|output| output.status.success()),
        "{command:?} does not work (cargo xtask setup)"
    );
}

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

#[test]
fn every_call_fails_once() {
    require(&["strace", "-V"]);
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

#[test]
fn killed_at_every_call() {
    require(&["strace", "-V"]);
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

#[test]
fn the_bytes_are_on_the_disk_before_their_name() {
    require(&["strace", "-V"]);
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

#[test]
fn a_signal_leaves_what_was_there() {
    require(&["strace", "-V"]);
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

#[test]
fn an_ignored_hangup_stays_ignored() {
    require(&["strace", "-V"]);
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
#[test]
fn a_second_signal_ends_a_blocked_build() {
    require(&["strace", "-V"]);
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

#[test]
fn a_limit_on_the_length_of_files() {
    let place = Place::new();
    for old in [false, true] {
        place.reset(old);
        let script = "ulimit -f 100; exec \"$@\"";
        let output = place.build(&["sh", "-c", script, "sh"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains("image.iso"), "{}", stderr(&output));
        assert_eq!((place.shows(old), place.left()), (Shows::Before, 0));
    }
}

#[test]
fn a_full_disk() {
    let namespace = ["unshare", "--map-root-user", "--mount"];
    require(&[&namespace[..], &["mount", "-t", "tmpfs", "none", "/mnt"]].concat());
    let place = Place::new();
    // The file system is gone with the namespace, so the script itself says what is left.
    let script = "mount -t tmpfs -o size=1m none \"$0\" || exit 99
        echo old > \"$0/image.iso\"; \"$@\"; code=$?; ls -A \"$0\"; cat \"$0/image.iso\"; exit $code";
    let out = place.at("out");
    let wrapper = [&namespace[..], &["sh", "-c", script, out.to_str().unwrap()]].concat();
    let output = place.build(&wrapper).output().unwrap();
    let (text, left) = (stderr(&output), String::from_utf8_lossy(&output.stdout).into_owned());
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        left.ends_with("image.iso\nold\n") && !left.contains(".isobuild"),
        "{left}"
    );
    // The image is 2.4 MB and more, the file system 1 MiB but for a page of the old image.
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let numbers = numbers(text.split_once("no space").expect(&text).1);
    assert!(
        numbers
            .iter()
            .any(|n| (2_400_004..=place.complete.len() as u64).contains(n)),
        "{text}"
    );
    assert!(numbers.iter().any(|n| (900_000..1_048_576).contains(n)), "{text}");
}

#[test]
fn the_mode_is_what_the_umask_says() {
    let place = Place::new();
    let ways = [None, Some("strace -f -o /dev/null -e inject=open:error=EOPNOTSUPP")];
    let strace = cfg!(target_arch = "x86_64");
    for way in ways.into_iter().filter(|way| way.is_none() || strace) {
        for (umask, mode) in [("022", 0o644), ("077", 0o600), ("002", 0o664), ("000", 0o666)] {
            for old in [false, true] {
                place.reset(old);
                let script = format!("umask {umask}; exec {} \"$@\"", way.unwrap_or_default());
                let output = place.build(&["sh", "-c", &script, "sh"]).output().unwrap();
                assert!(output.status.success(), "{}", stderr(&output));
                assert_eq!(fs::metadata(place.image()).unwrap().mode() & 0o7777, mode, "{umask}");
                assert_eq!(place.shows(old), Shows::Complete);
            }
        }
    }
}

#[test]
fn runs_at_the_same_time() {
    let place = Place::new();
    for round in 0..10 {
        place.reset(round % 2 == 0);
        let quiet = || place.build(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let children: Vec<_> = (0..4).map(|_| quiet().unwrap()).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!((place.shows(false), place.left()), (Shows::Complete, 0));
    }
}

#[test]
fn a_target_that_is_no_regular_file() {
    let place = Place::new();
    let build = |target: &Path| place.build(&[]).arg("-o").arg(target).output().unwrap();
    fs::create_dir(place.at("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(place.at("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(place.at("socket")).unwrap();
    for target in ["directory", "fifo", "socket", "/dev/null"] {
        let output = build(&place.at(target));
        assert_eq!(output.status.code(), Some(4), "{target}: {}", stderr(&output));
        assert!(stderr(&output).contains(target), "{}", stderr(&output));
        assert!(!fs::metadata(place.at(target)).unwrap().is_file());
    }
    fs::create_dir(place.at("store")).unwrap();
    fs::write(place.at("store/old"), OLD).unwrap();
    for (link, file) in [("link", "store/old"), ("dangling", "store/new")] {
        symlink(file, place.at(link)).unwrap();
        let output = build(&place.at(link));
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(fs::symlink_metadata(place.at(link)).unwrap().is_symlink());
        assert!(fs::read(place.at(file)).unwrap().len() == place.complete.len());
    }
    assert_eq!(fs::read_dir(place.at("store")).unwrap().count(), 2);
}
