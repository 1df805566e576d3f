//! Inputs that fail or move while they are read: the error names them, and nothing stands at the output path.

use qemu_tests::place::{Place, Shows, Way, stderr};
use qemu_tests::{suite, workspace};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("inputs without permission", &["setpriv"], inputs_without_permission),
    ("a read error in the middle", &["strace"], a_read_error_in_the_middle),
    ("a directory that changes", &["strace"], a_directory_that_changes),
    (
        "a signal while an input hangs",
        &["strace"],
        a_signal_while_an_input_hangs,
    ),
];

/// All of them at once, as far as anybody reads. Root may read everything, so the program runs as nobody.
fn inputs_without_permission() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir_all(at("tree/closed")).unwrap();
    for number in 10..35 {
        fs::write(at(&format!("tree/f{number}")), "x").unwrap();
        fs::set_permissions(at(&format!("tree/f{number}")), Permissions::from_mode(0o000)).unwrap();
    }
    fs::set_permissions(at("tree/closed"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
    fs::write(at("m.toml"), "[[files]]\nfrom = \"tree\"\nto = \"/\"\n").unwrap();
    fs::copy(workspace::isobuild().unwrap(), at("isobuild")).unwrap();
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let nobody: &[&str] = if root {
        &["--reuid=65534", "--regid=65534", "--clear-groups"]
    } else {
        &["--no-new-privs"]
    };
    let mut command = Command::new("setpriv");
    command
        .args(nobody)
        .arg(at("isobuild"))
        .arg("m.toml")
        .current_dir(&place);
    let output = command.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("Permission denied").count(), 20, "{said}");
    assert!(
        said.contains("and 6 more") && said.contains("tree/f10") && said.contains("tree/f28"),
        "{said}"
    );
    assert!(!at("m.iso").exists());
    fs::set_permissions(at("tree/closed"), Permissions::from_mode(0o700)).unwrap();
}

/// A sector of the payload is lost, whichever of the calls reads it: what one cannot read the other is asked for.
fn a_read_error_in_the_middle() {
    let place = Place::new();
    let payload = place.at("payload.bin");
    for old in [false, true] {
        for (way, call, when) in [
            (Way::Best, "copy_file_range,pread64", "1+"),
            (Way::Best, "pread64", "2"),
        ] {
            place.reset(old);
            let inject = format!("inject={call}:error=EIO:when={when}");
            let (output, log) = place.strace(way, &["-P", payload.to_str().unwrap(), "-e", &inject]);
            assert!(log.contains("(INJECTED)"), "{log}");
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{said}");
            assert!(
                said.contains("payload.bin") && said.contains("at byte") && said.contains("Input/output error"),
                "{said}"
            );
            assert_eq!((place.shows(old), place.left()), (Shows::Before, 0));
        }
    }
    place.rebuilds();
}

/// Runs the build under strace, which holds it up for some seconds; `meanwhile` is called when the log shows `sign`.
fn held_up(place: &Place, arguments: &[&str], sign: &str, meanwhile: impl FnOnce(u32)) -> std::process::Output {
    let log = place.at("strace.log");
    fs::write(&log, "").unwrap();
    let mut wrapper = vec!["strace", "-f", "-y", "-o", log.to_str().unwrap()];
    wrapper.extend(arguments);
    let mut command = place.build(&wrapper);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let pid = loop {
        let text = fs::read_to_string(&log).unwrap();
        if let Some(line) = text.lines().find(|line| line.contains(sign)) {
            break line.split_whitespace().next().unwrap().parse().unwrap();
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{sign} is never called:\n{text}"
        );
        std::thread::sleep(Duration::from_millis(5));
    };
    meanwhile(pid);
    run.wait_with_output().unwrap()
}

/// A name comes or goes between the two looks at a directory: not a tree that ever was.
fn a_directory_that_changes() {
    let place = Place::new();
    let tree = place.at("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("a"), "a").unwrap();
    fs::write(
        place.at("data.toml"),
        "output = \"out/image.iso\"\n[[files]]\nfrom = \"tree\"\nto = \"/\"\n",
    )
    .unwrap();
    let arguments = [
        "-P",
        tree.to_str().unwrap(),
        "-e",
        "inject=getdents64:delay_exit=3s:when=2",
    ];
    let changes: [(&dyn Fn(), &str); 2] = [
        (&|| fs::write(tree.join("b"), "b").unwrap(), "its entries changed"),
        (&|| fs::remove_file(tree.join("a")).unwrap(), "it vanished"),
    ];
    for (change, words) in changes {
        place.reset(true);
        let output = held_up(&place, &arguments, "getdents64(", |_| change());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("tree") && said.contains(words), "{said}");
        assert_eq!((place.shows(true), place.left()), (Shows::Before, 0));
    }
}

/// A network that stalls: the first read takes ten seconds, and Ctrl-C is not to wait for the whole file.
fn a_signal_while_an_input_hangs() {
    let place = Place::new();
    place.reset(true);
    let payload = place.at("payload.bin");
    let hang = ["-P", payload.to_str().unwrap(), "-e", "inject=pread64:delay_enter=10s"];
    let start = Instant::now();
    let output = held_up(&place, &hang, "openat(", |pid| {
        std::thread::sleep(Duration::from_secs(1));
        let killed = Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
    });
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(start.elapsed() < Duration::from_secs(19), "{:?}", start.elapsed());
    assert_eq!((place.shows(true), place.left()), (Shows::Before, 0));
}
