//! `read`: the image on a disk again, with what cannot be read on a map.

use qemu_tests::loops::Loop;
use qemu_tests::suite;
use qemu_tests::verbs::{Bench, MENU, Said, said};
use qemu_tests::{hash, workspace};
use std::fs;
use std::process::{Command, Stdio};

const DISK: u64 = 24 << 20;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::loop_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("an image comes back as long as it is", &["losetup"], whole),
    ("a sector that is read at last is no loss", &["losetup", "strace"], once),
    ("what cannot be read is on a map", &["losetup", "strace"], lost),
];

fn written() -> (Bench, Loop, Vec<u8>) {
    let bench = Bench::with_noise(MENU, 6);
    let image = fs::read(bench.path("image.iso")).unwrap();
    let disk = Loop::new(&bench.path("disk"), DISK, 512);
    disk.write(&image, 0);
    (bench, disk, image)
}

fn whole() {
    let (bench, disk, image) = written();
    let said = bench.run(&format!("read {} -o back.iso", disk.name()));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(fs::read(bench.path("back.iso")).unwrap() == image);
    assert_eq!(said.out, format!("{}  back.iso\n", hash::bytes(&image)));
    assert_eq!(
        bench.run(&format!("read {} -o all.img --all", disk.name())).code,
        Some(0)
    );
    assert_eq!(fs::metadata(bench.path("all.img")).unwrap().len(), DISK);
    // A disk of nothing that is known is read whole.
    disk.write(&[1; 64 * 1024], 0);
    assert_eq!(bench.run(&format!("read {} -o other.img", disk.name())).code, Some(0));
    assert_eq!(fs::metadata(bench.path("other.img")).unwrap().len(), DISK);
    for (line, code) in [("read none -o x", 3), ("read . -o x", 4)] {
        assert_eq!(bench.run(line).code, Some(code), "{line}");
    }
    let said = bench.run(&format!("read {} -o .", disk.name()));
    assert_eq!(said.code, Some(4), "{said:?}");
}

/// Reads the disk while some of the kernel's reads of it fail.
fn failing(bench: &Bench, disk: &Loop, when: &str) -> Said {
    let inject = format!("inject=pread64:error=EIO:when={when}");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-o",
        "/dev/null",
        "-P",
        disk.name(),
        "-e",
        "trace=pread64",
        "-e",
        &inject,
    ]);
    command
        .arg(workspace::isobuild().unwrap())
        .args(["read", disk.name(), "-o", "back.iso"]);
    command.current_dir(bench.directory.path()).stdin(Stdio::null());
    said(command)
}

fn once() {
    let (bench, disk, image) = written();
    // The first read is of the head that says how long the image is.
    for when in ["2", "3..5", "7"] {
        let said = failing(&bench, &disk, when);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(fs::read(bench.path("back.iso")).unwrap() == image, "{when}");
        assert!(!bench.path("back.iso.map").exists());
    }
}

fn lost() {
    let (bench, disk, image) = written();
    // The head, two pieces of a MiB; the third fails, and all tries of its first three sectors.
    let said = failing(&bench, &disk, "4..16");
    assert_eq!(said.code, Some(3), "{said:?}");
    said.has(&["unreadable: 1.5 KiB at byte 2097152", "back.iso.map", "ddrescue"]);
    let back = fs::read(bench.path("back.iso")).unwrap();
    assert_eq!(back.len(), image.len());
    let hole = 2 << 20..(2 << 20) + 3 * 512;
    assert!(back[..hole.start] == image[..hole.start] && back[hole.end..] == image[hole.end..]);
    assert!(back[hole].iter().all(|&byte| byte == 0));
    let map = fs::read_to_string(bench.path("back.iso.map")).unwrap();
    let rest = image.len() as u64 - (2 << 20) - 1536;
    let lines = [
        "0x00000000  0x00200000  +".to_owned(),
        "0x00200000  0x00000600  -".to_owned(),
        format!("0x00200600  0x{rest:08X}  +"),
    ];
    assert!(lines.iter().all(|line| map.contains(line)), "{map}");
    // A disk of which nothing more comes is given up piece by piece, and soon.
    let said = failing(&bench, &disk, "4+");
    assert_eq!(said.code, Some(3), "{said:?}");
    let back = fs::read(bench.path("back.iso")).unwrap();
    assert!(back[..2 << 20] == image[..2 << 20] && back[2 << 20..].iter().all(|&byte| byte == 0));
    // Not even the head.
    assert_eq!(failing(&bench, &disk, "1+").code, Some(3));
}
