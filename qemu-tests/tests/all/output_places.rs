//! Places that an image is written to: too small, no regular file, taken by others, on another file system than its source.

use qemu_tests::place::{NAMESPACE, OLD, Place, Shows, stderr};
use qemu_tests::suite;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("a limit on the length of files", &[], a_limit_on_the_length_of_files),
    ("a full disk", &["unshare"], a_full_disk),
    (
        "a source on another file system",
        &["unshare"],
        a_source_on_another_file_system,
    ),
    (
        "the mode is what the umask says",
        &["strace"],
        the_mode_is_what_the_umask_says,
    ),
    ("runs at the same time", &[], runs_at_the_same_time),
    (
        "a target that is no regular file",
        &[],
        a_target_that_is_no_regular_file,
    ),
];

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

fn a_full_disk() {
    let place = Place::new();
    // The file system is gone with the namespace, so the script itself says what is left.
    let script = "mount -t tmpfs -o size=1m none \"$0\" || exit 99
        echo old > \"$0/image.iso\"; \"$@\"; code=$?; ls -A \"$0\"; cat \"$0/image.iso\"; exit $code";
    let out = place.at("out");
    let wrapper = [&NAMESPACE[..], &["sh", "-c", script, out.to_str().unwrap()]].concat();
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

/// The kernel then neither shares nor copies blocks by itself on every pair of file systems.
fn a_source_on_another_file_system() {
    let place = Place::new();
    place.reset(false);
    let script = "mount -t tmpfs -o size=8m none \"$0\" || exit 99
        cp \"$1\" \"$0/payload.bin\" && mount --bind \"$0/payload.bin\" \"$1\" || exit 99
        shift; \"$@\"";
    let elsewhere = place.at("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let (elsewhere, payload) = (
        elsewhere.display().to_string(),
        place.at("payload.bin").display().to_string(),
    );
    let wrapper = [&NAMESPACE[..], &["sh", "-c", script, &elsewhere, &payload]].concat();
    let output = place.build(&wrapper).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!((place.shows(false), place.left()), (Shows::Complete, 0));
}
