//! An `edit` that fails, is told to stop, or whose image is somebody else's: `undo` gives back the image, or there is nothing to take back.

use super::edit::{KEYS, OPTIONS, bench, image};
use qemu_tests::loops::Loop;
use qemu_tests::suite;
use qemu_tests::verbs::{Bench, Said, said};
use qemu_tests::workspace;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> suite::Tests {
    let mut tests = suite::program_tests(&[
        ("a disk that is full at any write", &["strace"], full_disk),
        ("a signal at any write", &["strace"], signals),
        ("an image that may not be written to", &["setpriv"], forbidden),
        ("a base that changes while it is read", &["strace"], moving_base),
        ("a base of a base of a base", &["bsdtar"], bases),
    ]);
    tests.extend(suite::loop_tests(&[(
        "a stick that is read-only",
        &["losetup"],
        locked,
    )]));
    Ok(tests)
}

/// The edit under strace, which makes a call fail or sends a signal with it.
fn injected(bench: &Bench, inject: &str) -> Said {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-o", "strace.log", "-e", inject])
        .arg(workspace::isobuild().unwrap())
        .args(format!("edit image.iso {OPTIONS} -q").split_whitespace())
        .current_dir(bench.directory.path());
    said(strace)
}

/// How often the edit calls each of these.
fn counts<const N: usize>(bench: &Bench, calls: [&str; N]) -> [usize; N] {
    assert_eq!(injected(bench, "trace=all").code, Some(0));
    bench.ends("undo image.iso -q", 0);
    let log = bench.text("strace.log");
    calls.map(|call| log.matches(&format!(" {call}(")).count())
}

/// Takes the edit back, if it has begun. The image has to be the base then.
fn taken_back(bench: &Bench, base: &[u8], what: &str, failed: &Said) -> bool {
    let has_journal = bench.path("image.iso.undo").exists();
    let said = bench.run("undo image.iso");
    let begun = match (has_journal, said.code) {
        (true, Some(0)) => true,
        (false, Some(1)) => false,
        other => panic!("{what}: {other:?}: {failed:?}: {said:?}"),
    };
    assert!(image(bench) == base, "{what}: {failed:?}");
    assert!(!bench.path("image.iso.undo").exists(), "{what}");
    begun
}

fn full_disk() {
    let (bench, base) = bench("");
    let calls = ["pwrite64", "fsync", "fdatasync", "ftruncate"];
    let mut ends = [0; 2];
    for (call, count) in calls.into_iter().zip(counts(&bench, calls)) {
        assert!(count > 0, "{call}");
        for number in 1..=count {
            let failed = injected(&bench, &format!("inject={call}:error=ENOSPC:when={number}+"));
            let what = format!("{call} {number} of {count}");
            assert_eq!(failed.code, Some(3), "{what}: {failed:?}");
            failed.has(&["No space left"]);
            let has_changed = image(&bench) != base;
            let begun = taken_back(&bench, &base, &what, &failed);
            assert!(begun || !has_changed, "{what}: {failed:?}");
            assert_eq!(failed.error.contains("isobuild undo"), begun, "{what}: {failed:?}");
            ends[usize::from(begun)] += 1;
        }
    }
    assert!(ends.iter().all(|&count| count > 3), "{ends:?}");
}

fn signals() {
    let (bench, base) = bench("");
    let [count] = counts(&bench, ["pwrite64"]);
    for number in 1..=count {
        let (signal, code) = [("INT", 130), ("TERM", 143), ("HUP", 129)][number % 3];
        let failed = injected(&bench, &format!("inject=pwrite64:signal={signal}:when={number}"));
        let what = format!("{signal} at {number} of {count}");
        // With the last write to the image, before that of the journal's end, the edit is complete.
        match failed.code {
            Some(0) if number + 1 >= count => {}
            Some(other) if other == code => failed.has(&["isobuild undo"]),
            _ => panic!("{what}: {failed:?}"),
        }
        assert!(taken_back(&bench, &base, &what, &failed), "{what}: {failed:?}");
    }
}

/// As nobody: a file without permission, and a directory in which no journal may be made.
fn forbidden() {
    let (bench, base) = bench("");
    fs::copy(workspace::isobuild().unwrap(), bench.path("isobuild")).unwrap();
    let as_nobody = |line: &str| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "./isobuild"])
            .args(line.split_whitespace())
            .current_dir(bench.directory.path());
        said(command)
    };
    let mode = |name: &str, mode: u32| fs::set_permissions(bench.path(name), Permissions::from_mode(mode)).unwrap();
    for (directory, file, wanted) in [
        (0o777, 0o444, "image.iso: Permission denied"),
        (0o755, 0o666, "image.iso.undo: Permission denied"),
    ] {
        mode("", directory);
        mode("image.iso", file);
        let failed = as_nobody("edit image.iso --kernel-arg x");
        assert!(failed.code != Some(0), "{failed:?}");
        failed.has(&[wanted]);
        assert!(image(&bench) == base && !bench.path("image.iso.undo").exists());
    }
}

fn locked() {
    let (bench, base) = bench("");
    let disk = Loop::read_only(&bench.path("image.iso"));
    let failed = bench.run(&format!("edit {} --kernel-arg x --undo kept", disk.name()));
    assert_eq!(failed.code, Some(4), "{failed:?}");
    failed.has(&["read-only"]);
    assert!(image(&bench) == base && !bench.path("kept").exists());
}

/// Runs a line under strace, which holds up the read of that number of a file. Meanwhile the file gets another byte at its end.
fn moved(bench: &Bench, line: &str, file: &str, number: usize) -> Said {
    fs::write(bench.path("strace.log"), "").unwrap();
    let path = bench.path(file);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-o", "strace.log", "-P"])
        .arg(&path)
        .args(["-e", &format!("inject=pread64:delay_enter=1s:when={number}")])
        .arg(workspace::isobuild().unwrap())
        .args(line.split_whitespace())
        .current_dir(bench.directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let run = strace.spawn().unwrap();
    let start = Instant::now();
    while bench.text("strace.log").matches("pread64(").count() < number {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{}",
            bench.text("strace.log")
        );
        sleep(Duration::from_millis(5));
    }
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"x").unwrap();
    let output = run.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        out: String::new(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

fn moving_base() {
    let (bench, base) = bench("");
    fs::write(bench.path("change.toml"), KEYS).unwrap();
    // The first three reads of `edit` see which form the file has. The base is opened after them.
    for (number, of_edit) in [(1, 4), (8, 8), (20, 20)] {
        let failed = moved(&bench, "change.toml -o built.iso", "base.iso", number);
        assert_eq!(failed.code, Some(3), "{number}: {failed:?}");
        failed.has(&["base.iso", "changed"]);
        assert!(!bench.path("built.iso").exists());
        fs::write(bench.path("base.iso"), &base).unwrap();
        let failed = moved(&bench, "edit image.iso --kernel-arg x", "image.iso", of_edit);
        assert!(failed.code != Some(0), "{of_edit}: {failed:?}");
        failed.has(&["image.iso", "changed"]);
        assert!(image(&bench) == [&base[..], b"x"].concat(), "{of_edit}: {failed:?}");
        assert!(!bench.path("image.iso.undo").exists(), "{of_edit}: {failed:?}");
        fs::write(bench.path("image.iso"), &base).unwrap();
    }
}

/// What is changed in place is a base again, with what each of the others has changed.
fn bases() {
    let (bench, _) = bench("");
    let cells = |image: &str| {
        let check = bench.ends(&format!("check {image} --json"), 0).out;
        let check: Value = serde_json::from_str(&check).unwrap();
        assert_eq!(check["faults"], Value::Array(Vec::new()), "{image}");
        check["cells"].clone()
    };
    let mut wanted = vec!["k".to_owned(), "i".to_owned()];
    for number in 1..=3 {
        let before = match number {
            1 => "base.iso".to_owned(),
            number => format!("{}.iso", number - 1),
        };
        let mut manifest = format!(
            "[base]\nimage = \"{before}\"\nremove = [\"/gone\", \"/dir/{number}-1\"]\n\
             [base.kernel_args]\nappend = [\"number={number}\"]\n[[files]]\ntext = \"{number}\"\nto = \"esp:/{number}\"\n"
        );
        for name in 0..40 {
            manifest += &format!("[[files]]\ntext = \"{number}\"\nto = \"/dir/{}-{name}\"\n", number + 1);
            wanted.push(format!("dir/{}-{name}", number + 1));
        }
        fs::write(bench.path("next.toml"), manifest).unwrap();
        bench.ends(&format!("next.toml -o {number}.iso -q"), 0);
        assert_eq!(cells(&format!("{number}.iso")), cells(&before));
    }
    // Each but the first takes a name away that the one before has added.
    wanted.retain(|name| !["dir/2-1", "dir/3-1"].contains(&name.as_str()));
    let listed = bench.program("bsdtar -tf 3.iso").1;
    let mut listed: Vec<&str> = listed.lines().filter(|name| !name.ends_with(['.', '/'])).collect();
    listed.retain(|name| name.starts_with("dir/") || name.len() == 1);
    wanted.sort();
    listed.sort_unstable();
    assert_eq!(listed, wanted);
    let config = bench.ends("cat 3.iso /boot/grub/grub.cfg", 0).out;
    assert!(
        config.contains("linux /k quiet number=1 number=2 number=3 ---\n"),
        "{config}"
    );
    for number in 1..=3 {
        assert_eq!(
            bench.ends(&format!("cat 3.iso esp:/{number}"), 0).out,
            number.to_string()
        );
    }
}
