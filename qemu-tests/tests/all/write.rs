//! `devices` and `write` where nothing goes wrong: on loop devices, which are disks to the kernel, and on files.

use qemu_tests::loops::{self, Loop};
use qemu_tests::verbs::{Bench, MENU};
use qemu_tests::{suite, workspace};
use std::fs;
use std::process::Command;

const MIB: u64 = 1 << 20;
/// The disk, and what it holds before.
const DISK: u64 = 24 * MIB;
const STALE: u8 = 0xA5;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::loop_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    (
        "every byte is on the disk, and no more",
        &["losetup", "blkid"],
        every_byte,
    ),
    (
        "labels at the end are gone",
        &["losetup", "sgdisk", "wipefs", "mkfs.ext4"],
        labels,
    ),
    (
        "a compressed image is decompressed on the way",
        &["losetup", "gzip", "xz", "zstd", "bzip2"],
        compressed,
    ),
    (
        "a terminal shows what is being done",
        &["losetup", "strace", "script"],
        progress,
    ),
    ("a file is a disk too", &[], files),
    (
        "devices says what can be written to",
        &["losetup", "mount", "mkfs.ext4"],
        devices,
    ),
];

/// An image of 8 MiB with noise in it, as `image.iso`.
fn bench() -> (Bench, Vec<u8>) {
    let bench = Bench::with_noise(MENU, 6);
    let image = fs::read(bench.path("image.iso")).unwrap();
    assert!(image.len() as u64 > 6 * MIB && (image.len() as u64) < DISK - 2 * MIB);
    (bench, image)
}

/// A disk of stale bytes.
fn stale(bench: &Bench) -> Loop {
    fs::write(bench.path("disk"), vec![STALE; DISK as usize]).unwrap();
    Loop::new(&bench.path("disk"), DISK, 512)
}

fn every_byte() {
    let (bench, image) = bench();
    let size = image.len() as u64;
    for (flag, end) in [("", 0), ("--keep-end", STALE)] {
        let disk = stale(&bench);
        let said = bench.run(&format!("write image.iso {} --yes {flag}", disk.name()));
        assert_eq!(said.code, Some(0), "{said:?}");
        said.has(&["written and read back"]);
        assert!(disk.read(0, image.len()) == image, "{flag}");
        let between = disk.read(size, (DISK - MIB - size) as usize);
        assert!(
            between.iter().all(|&byte| byte == STALE),
            "what lies behind the image has been written to"
        );
        assert!(
            disk.read(DISK - MIB, MIB as usize).iter().all(|&byte| byte == end),
            "{flag}"
        );
        let blkid = loops::output("blkid", &["--probe", disk.name()]);
        assert!(
            blkid.contains("TYPE=\"iso9660\"") && blkid.contains("PTTYPE=\"gpt\""),
            "{blkid}"
        );
    }
}

fn labels() {
    let (bench, image) = bench();
    let disk = Loop::new(&bench.path("disk"), DISK, 512);
    assert!(loops::run("mkfs.ext4", &["-q", "-F", disk.name()]));
    assert!(loops::run("sgdisk", &["--new=1:2048:0", disk.name()]));
    let said = bench.run(&format!("write image.iso {} -y", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    let found = |path: &str| {
        let text = loops::output("wipefs", &["--noheadings", "--output=TYPE,OFFSET", path]);
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    // The image's own backup GPT is not where the disk ends, so that nobody looks for it there.
    let of_image = found(bench.path("image.iso").to_str().unwrap());
    let of_disk = found(disk.name());
    let last = format!("gpt {:#x}", image.len() - 512);
    let expected: Vec<_> = of_image.iter().filter(|line| **line != last).cloned().collect();
    assert_eq!(of_disk, expected);
    assert!(
        expected.len() >= 3 && expected.len() + 1 == of_image.len(),
        "{of_image:?}"
    );
}

fn compressed() {
    let (bench, image) = bench();
    for (program, suffix) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst"), ("bzip2", "bz2")] {
        let packed = bench.path("image.iso").with_extension(format!("iso.{suffix}"));
        let output = Command::new(program)
            .args(["--stdout", "-1"])
            .arg(bench.path("image.iso"))
            .output()
            .unwrap();
        fs::write(&packed, output.stdout).unwrap();
        let disk = stale(&bench);
        let said = bench.run(&format!("write image.iso.{suffix} {} -y", disk.name()));
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(disk.read(0, image.len()) == image, "{suffix}");
        // A disk that is too small is seen from what the image says of itself.
        drop(disk);
        let small = Loop::new(&bench.path("small"), 4 * MIB, 512);
        let said = bench.run(&format!("write image.iso.{suffix} {} -y", small.name()));
        assert_eq!(said.code, Some(4), "{said:?}");
        said.has(&["it is too small", &image.len().to_string()]);
    }
}

fn progress() {
    let (bench, _) = bench();
    let disk = stale(&bench);
    // A slow disk, at a terminal.
    let slow = "strace -f -o /dev/null -e trace=pread64,pwrite64 -e inject=pread64,pwrite64:delay_enter=300000";
    let isobuild = workspace::isobuild().unwrap();
    let write = format!("{slow} {} write image.iso {} --yes", isobuild.display(), disk.name());
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &write, "/dev/null"])
        .current_dir(bench.directory.path())
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    // A bar of each phase, with bytes, rate and time left.
    for phase in ["writing [", "checking ["] {
        let bar = shown.split(['\r', '\n']).rfind(|line| line.contains(phase));
        let bar = bar.unwrap_or_else(|| panic!("{phase} is not shown: {shown:?}"));
        let words: Vec<&str> = bar.split(']').next_back().unwrap().split_whitespace().collect();
        assert!(
            matches!(words[..], [_, of, "MiB", _, "MiB/s", left] if of.starts_with("MiB/9.") && left.ends_with('s')),
            "{bar}"
        );
    }
}

fn files() {
    let (bench, image) = bench();
    // A new one, without a question.
    let said = bench.run("write image.iso new.img");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(fs::read(bench.path("new.img")).unwrap() == image);
    // One that is there is asked about, and keeps its length.
    fs::write(bench.path("large.img"), vec![STALE; DISK as usize]).unwrap();
    let said = bench.run("write image.iso large.img");
    assert_eq!(said.code, Some(4), "{said:?}");
    said.has(&["large.img: a file of 24 MiB", "--yes"]);
    assert!(
        fs::read(bench.path("large.img"))
            .unwrap()
            .iter()
            .all(|&byte| byte == STALE)
    );
    assert_eq!(bench.run("write image.iso large.img --yes").code, Some(0));
    let large = fs::read(bench.path("large.img")).unwrap();
    assert!(large.len() as u64 == DISK && large[..image.len()] == image);
    fs::write(bench.path("small.img"), b"text").unwrap();
    assert_eq!(bench.run("write image.iso small.img --yes").code, Some(4));
    assert_eq!(fs::read(bench.path("small.img")).unwrap(), b"text");
    // A shorter image than the head that comes last.
    fs::write(bench.path("tiny.bin"), b"t\0ny").unwrap();
    assert_eq!(bench.run("write tiny.bin out.bin").code, Some(0));
    assert_eq!(fs::read(bench.path("out.bin")).unwrap(), b"t\0ny");
    for (line, word) in [
        ("write image.iso /dev/no-such-disk", "isobuild devices lists them"),
        ("write image.iso . --yes", "neither a disk nor a regular file"),
        ("write image.iso /dev/null --yes", "neither a disk nor a regular file"),
    ] {
        let said = bench.run(line);
        assert_eq!(said.code, Some(4), "{said:?}");
        said.has(&[word]);
    }
    let said = bench.run("write none.iso new.img");
    assert_eq!(said.code, Some(1), "{said:?}");
}

fn devices() {
    let (bench, _) = bench();
    let disk = Loop::new(&bench.path("a disk"), DISK, 4096);
    assert!(loops::run("mkfs.ext4", &["-q", "-F", disk.name()]));
    let mine = || {
        let said = bench.run("devices --json");
        let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let devices = json["devices"].as_array().unwrap().clone();
        let mine = devices.into_iter().find(|device| device["device"] == disk.name());
        (said, mine.unwrap())
    };
    let (_, device) = mine();
    assert_eq!(device["accepted"], true, "{device}");
    assert_eq!((&device["bus"], &device["size"]), (&"loop".into(), &DISK.into()));
    assert_eq!(device["sector_size"], 4096);
    assert!(device["model"].as_str().unwrap().ends_with("/a disk"), "{device}");
    let at = bench.path("mount point");
    let mounted = loops::Mounted::new(&[disk.name()], &at);
    let (_, device) = mine();
    assert_eq!(
        (&device["accepted"], &device["refused"][0]["flag"]),
        (&false.into(), &"--unmount".into())
    );
    let text = bench.run("devices").out;
    assert!(text.contains(&format!("it is mounted at {}", at.display())), "{text}");
    drop(mounted);
    // The disk of the running system is never among those that can be written to.
    let root = bench.run("devices --json").out;
    let json: serde_json::Value = serde_json::from_str(&root).unwrap();
    let reasons = |device: &serde_json::Value| device["refused"].to_string();
    let system = json["devices"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| reasons(one).contains("running system"));
    assert!(system.clone().all(|device| device["accepted"] == false), "{root}");
}
