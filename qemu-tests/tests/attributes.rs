//! Modes, owners, times and hard links of a tree that is preserved, as other readers give them back.

use qemu_tests::{suite, tools, workspace};
use std::collections::BTreeMap;
use std::fs::{self, FileTimes, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

fn main() -> ExitCode {
    suite::run(Ok(suite::program_tests(TESTS)))
}

const TESTS: &[suite::ProgramTest] = &[
    ("preserved attributes xorriso", &["xorriso"], xorriso),
    ("preserved attributes bsdtar", &["bsdtar"], bsdtar),
    ("preserved owners isoinfo", &["isoinfo"], isoinfo),
];

/// Files and directories by name: mode and time of the last change. Set-id bits and the sticky bit among them.
const FILES: [(&str, u32, u64); 6] = [
    ("plain", 0o644, 1_767_225_600),
    ("program", 0o755, 315_532_800),
    ("set-uid", 0o4711, 1_000_000_001),
    ("read-only", 0o400, 4_102_444_799),
    ("directory", 0o1777, 86_400),
    ("directory/secret", 0o600, 0),
];

/// The tree and its image.
fn place() -> TempDir {
    let place = tempfile::tempdir_in(workspace::target()).unwrap();
    let tree = place.path().join("tree");
    fs::create_dir_all(tree.join("directory")).unwrap();
    for (name, ..) in FILES {
        if name != "directory" {
            fs::write(tree.join(name), name).unwrap();
        }
    }
    fs::hard_link(tree.join("plain"), tree.join("second name")).unwrap();
    symlink("plain", tree.join("link")).unwrap();
    for (name, mode, seconds) in FILES.into_iter().rev() {
        let time = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(seconds));
        fs::File::open(tree.join(name)).unwrap().set_times(time).unwrap();
        // Only root can give a file away; others keep all of them.
        let _ = chown(tree.join(name), Some(1000 + mode), Some(2000 + mode));
        fs::set_permissions(tree.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let manifest = "[[files]]\nfrom = \"tree\"\nto = \"/\"\npreserve = [\"mode\", \"owner\", \"mtime\"]\n";
    fs::write(place.path().join("m.toml"), manifest).unwrap();
    let mut command = Command::new(workspace::isobuild().unwrap());
    run(command.args(["-q", "m.toml"]).current_dir(&place));
    place
}

fn run(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// By name: mode, time and how many names there are of a file.
fn attributes(directory: &Path) -> BTreeMap<&'static str, (u32, i64, u64)> {
    let of = |name| {
        let data = fs::symlink_metadata(directory.join(name)).unwrap();
        (data.mode() & 0o7777, data.mtime(), data.nlink())
    };
    FILES.iter().map(|&(name, ..)| (name, of(name))).collect()
}

/// What a reader has extracted is what there was.
fn same(place: &Path, extracted: &Path) {
    let wanted = attributes(&place.join("tree"));
    assert_eq!(wanted["set-uid"], (0o4711, 1_000_000_001, 1));
    assert_eq!(attributes(extracted), wanted);
    assert_eq!(fs::read_link(extracted.join("link")).unwrap(), Path::new("plain"));
    assert_eq!(fs::read(extracted.join("second name")).unwrap(), b"plain");
}

fn xorriso() {
    let place = place();
    let out = place.path().join("out");
    let mut xorriso = Command::new(tools::find("xorriso").unwrap());
    xorriso
        .args(["-osirrox", "on", "-hardlinks", "on", "-indev"])
        .arg(place.path().join("m.iso"));
    run(xorriso.args(["-extract", "/"]).arg(&out));
    same(place.path(), &out);
}

fn bsdtar() {
    let place = place();
    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut bsdtar = Command::new(tools::find("bsdtar").unwrap());
    run(bsdtar
        .args(["-xpf"])
        .arg(place.path().join("m.iso"))
        .arg("-C")
        .arg(&out));
    same(place.path(), &out);
}

/// It lists owners by number, and how many names a file has.
fn isoinfo() {
    let place = place();
    let mut isoinfo = Command::new(tools::find("isoinfo").unwrap());
    let listed = run(isoinfo.args(["-R", "-l", "-i"]).arg(place.path().join("m.iso")));
    for name in ["plain", "second name", "set-uid", "secret"] {
        let line = listed
            .lines()
            .find(|line| line.trim_end().ends_with(&format!("]  {name}")))
            .expect(&listed);
        let words: Vec<&str> = line.split_whitespace().collect();
        let path = if name == "secret" { "directory/secret" } else { name };
        let data = fs::metadata(place.path().join("tree").join(path)).unwrap();
        // In octal digits, owners too.
        let wanted = [data.nlink(), data.uid().into(), data.gid().into()].map(|number| format!("{number:o}"));
        assert_eq!(words[1..4], wanted, "{line}");
    }
}
