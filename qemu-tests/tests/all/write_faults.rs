//! What is on a disk after a write that failed: no table, so that nothing boots half of an image.

use qemu_tests::loops::{Loop, Mounted};
use qemu_tests::suite;
use qemu_tests::verbs::{Bench, MENU, Said, said};
use qemu_tests::workspace;
use std::fs;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

const MIB: u64 = 1 << 20;
const DISK: u64 = 24 * MIB;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::loop_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("a disk that fails", &["losetup", "mount"], dying),
    ("a disk that loses what is written", &["losetup", "strace"], lying),
    ("a disk that is pulled out", &["losetup", "strace"], pulled_out),
    ("killed and interrupted at every write", &["losetup", "strace"], stopped),
    ("an image that is broken, or grows", &["losetup", "xz"], broken_image),
];

fn bench() -> Bench {
    Bench::with_noise(MENU, 6)
}

/// That no table is left, at the start or where the image's backup was.
fn no_table(disk: &Loop, bench: &Bench) {
    let head = disk.read(0, MIB as usize);
    assert!(head.iter().all(|&byte| byte == 0), "the head is there");
    let end = fs::metadata(bench.path("image.iso")).unwrap().len();
    assert_eq!(disk.read(end - 512, 8), [0; 8], "the backup GPT is there");
}

/// Runs `isobuild write image.iso DISK --yes` behind other programs.
fn write_behind(bench: &Bench, wrapper: &[&str], disk: &Loop) -> Said {
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(workspace::isobuild().unwrap());
    command.args(["write", "image.iso", disk.name(), "--yes"]);
    command.current_dir(bench.directory.path()).stdin(Stdio::null());
    said(command)
}

/// The same, while the kernel tampers with the writes to the disk: with all from the given one on, or with every so many.
fn tampered(bench: &Bench, tamper: &str, when: &str, disk: &Loop) -> (Said, bool) {
    let inject = format!("inject=pwrite64:{tamper}:when={when}");
    let log = bench.path("strace.log");
    let log = log.to_str().unwrap();
    let said = write_behind(
        bench,
        &["strace", "-f", "-y", "-o", log, "-e", "trace=pwrite64", "-e", &inject],
        disk,
    );
    let log = fs::read_to_string(log).unwrap();
    (
        said,
        log.contains("(INJECTED)") || log.contains("--- SIG") || log.contains("killed by"),
    )
}

fn dying() {
    // A loop over a sparse file in a file system that is too small.
    let bench = bench();
    let _mounted = Mounted::new(&["-t", "tmpfs", "-o", "size=4m", "none"], &bench.path("small"));
    let disk = Loop::new(&bench.path("small/disk"), DISK, 512);
    let said = bench.run(&format!("write image.iso {} --yes", disk.name()));
    assert_eq!(said.code, Some(3), "{said:?}");
    said.has(&[disk.name(), "cannot"]);
    no_table(&disk, &bench);
    // fsync alone fails, when all that was written has been accepted.
    let disk = Loop::with_image(&bench, DISK);
    let inject = "inject=fdatasync:error=EIO:when=2+";
    let said = write_behind(&bench, &["strace", "-f", "-o", "/dev/null", "-e", inject], &disk);
    assert_eq!(said.code, Some(3), "{said:?}");
    said.has(&["cannot flush the writes", "Input/output error"]);
    no_table(&disk, &bench);
}

fn lying() {
    let bench = bench();
    let image = fs::read(bench.path("image.iso")).unwrap();
    // The first two writes wipe. A write that is said to have been done, and has not.
    for (when, offset) in [("3", MIB), ("5", 3 * MIB)] {
        let disk = Loop::with_image(&bench, DISK);
        // What was there is the image itself; other bytes have to be, for what is lost to be missed.
        disk.write(&vec![0xFF; image.len()], 0);
        let (said, done) = tampered(&bench, "retval=1048576", when, &disk);
        assert!(done);
        assert_eq!(said.code, Some(5), "{said:?}");
        let lba = offset / 512;
        said.has(&["does not keep what is written", &format!("LBA {lba}, at byte {offset}")]);
        no_table(&disk, &bench);
    }
}

fn pulled_out() {
    let bench = bench();
    let disk = Loop::with_image(&bench, DISK);
    let (said, _) = tampered(&bench, "error=ENODEV", "4+", &disk);
    assert_eq!(said.code, Some(3), "{said:?}");
    said.has(&["cannot write", "No such device"]);
    assert!(said.error.lines().count() == 1, "{said:?}");
    // The writes that wipe it once more fail too, but the first of all have wiped it.
    assert!(disk.read(0, MIB as usize).iter().all(|&byte| byte == 0));
}

fn stopped() {
    let bench = bench();
    let image = fs::read(bench.path("image.iso")).unwrap();
    for (signal, code) in [("KILL", None), ("INT", Some(130)), ("TERM", Some(143))] {
        let mut ended = 0;
        for number in 1.. {
            let disk = Loop::with_image(&bench, DISK);
            let (said, done) = tampered(&bench, &format!("signal={signal}"), &number.to_string(), &disk);
            if !done {
                assert_eq!(said.code, Some(0), "{said:?}");
                break;
            }
            let head = disk.read(0, MIB as usize);
            // Before the very first write nothing has been done; after the last one, all.
            let whole = head == image[..MIB as usize];
            let gone = head.iter().all(|&byte| byte == 0);
            assert!(whole || gone, "{signal} at write {number}: half of a head is there");
            if said.code == code || (signal == "KILL" && said.code.is_none()) {
                ended += 1;
            } else {
                assert!(said.code == Some(0) && whole, "{signal} at write {number}: {said:?}");
            }
        }
        assert!(ended > 5, "{signal}: {ended}");
    }
}

fn broken_image() {
    let bench = bench();
    let output = Command::new("xz")
        .args(["--stdout", "-1"])
        .arg(bench.path("image.iso"))
        .output()
        .unwrap();
    let packed = output.stdout;
    let mut wrong = packed.clone();
    wrong[packed.len() / 2] ^= 1;
    for (name, bytes, word) in [
        ("cut.xz", &packed[..packed.len() / 2], "it ends too early"),
        ("wrong.xz", &wrong[..], "it cannot be decompressed"),
    ] {
        fs::write(bench.path(name), bytes).unwrap();
        let disk = Loop::with_image(&bench, DISK);
        let said = bench.run(&format!("write {name} {} --yes", disk.name()));
        assert_eq!(said.code, Some(1), "{said:?}");
        said.has(&[name, word]);
        no_table(&disk, &bench);
        let said = bench.run(&format!("write {name} new.img"));
        assert_eq!(
            (said.code, bench.path("new.img").exists()),
            (Some(1), false),
            "{said:?}"
        );
    }
    // One that is written to meanwhile.
    let disk = Loop::with_image(&bench, DISK);
    let image = fs::OpenOptions::new()
        .write(true)
        .open(bench.path("image.iso"))
        .unwrap();
    let write = bench.command(&format!("write image.iso {} --yes", disk.name()));
    let strace = ["-f", "-o", "/dev/null", "-e", "inject=pwrite64:delay_enter=400000"];
    let mut slow = Command::new("strace");
    slow.args(strace).arg(write.get_program()).args(write.get_args());
    slow.current_dir(bench.directory.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let slow = slow.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    image.write_all_at(b"!", 5 * MIB).unwrap();
    let output = slow.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("image.iso changed while it was written"), "{text}");
    no_table(&disk, &bench);
}
