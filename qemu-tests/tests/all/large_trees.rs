//! Trees and files as large as anybody has them: built in little memory, and read back by others.

use qemu_tests::{suite, workspace};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("a kibibyte of memory an entry", &["bsdtar"], a_kibibyte_an_entry),
    ("a thousand directories deep", &["bsdtar"], a_thousand_directories_deep),
    (
        "a file of several records",
        &["bsdtar", "cmp"],
        a_file_of_several_records,
    ),
];

/// Beside what the entries take.
const PROGRAM: usize = 8 << 10;

/// A directory with a tree, and a manifest that puts it at the root.
fn place() -> TempDir {
    let place = tempfile::tempdir_in(workspace::target()).unwrap();
    fs::create_dir(place.path().join("tree")).unwrap();
    fs::write(place.path().join("m.toml"), "[[files]]\nfrom = \"tree\"\nto = \"/\"\n").unwrap();
    place
}

/// Builds the image with so many KiB of data in memory.
fn build(place: &Path, kibibytes: usize) {
    let script = format!("ulimit -d {kibibytes}; exec \"$0\" -q m.toml");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]).arg(workspace::isobuild().unwrap());
    let output = command.current_dir(place).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How many names bsdtar finds, and the longest.
fn names(image: &Path) -> (usize, String) {
    let output = Command::new("bsdtar").arg("-tf").arg(image).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let longest = names.lines().max_by_key(|name| name.len()).unwrap_or_default();
    (names.lines().count(), longest.to_owned())
}

/// 200,000 names in one directory, and more directories than the path table has numbers for parents.
fn a_kibibyte_an_entry() {
    const FILES: usize = 200_000;
    const DIRECTORIES: usize = 70_000;
    let place = place();
    let tree = place.path().join("tree");
    fs::create_dir(tree.join("files")).unwrap();
    for number in 0..FILES {
        fs::File::create(tree.join(format!("files/file {number}"))).unwrap();
    }
    for number in 0..DIRECTORIES {
        fs::create_dir(tree.join(format!("d{number}"))).unwrap();
    }
    build(place.path(), PROGRAM + FILES + DIRECTORIES);
    // The root and `files` are names too.
    let (count, _) = names(&place.path().join("m.iso"));
    assert_eq!(count, FILES + DIRECTORIES + 2);
}

fn a_thousand_directories_deep() {
    let place = place();
    let script = "cd tree; for i in $(seq 1000); do mkdir d; cd d; done; echo deep > file";
    let made = Command::new("/bin/sh")
        .args(["-c", script])
        .current_dir(&place)
        .status();
    assert!(made.unwrap().success());
    build(place.path(), 64 << 10);
    let (count, longest) = names(&place.path().join("m.iso"));
    assert_eq!(count, 1002);
    assert_eq!(longest, "d/".repeat(1000) + "file");
}

/// 5 GiB with marks at both ends and around the end of the first record.
fn a_file_of_several_records() {
    const SECTION: u64 = 0xFFFF_F800;
    let place = place();
    let path = place.path().join("tree/big");
    let mut file = fs::File::create(&path).unwrap();
    for offset in [0, SECTION - 7, (5 << 30) - 11] {
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(b"isobuild-test").unwrap();
    }
    build(place.path(), 64 << 10);
    let image = place.path().join("m.iso");
    let mut reader = Command::new("bsdtar");
    reader.arg("-xOf").arg(&image).arg("big").stdout(Stdio::piped());
    let mut reader = reader.spawn().unwrap();
    let mut compare = Command::new("cmp");
    compare.arg("-").arg(&path).stdin(reader.stdout.take().unwrap());
    let compared = compare.output().unwrap();
    assert!(
        compared.status.success(),
        "{}",
        String::from_utf8_lossy(&compared.stdout)
    );
    assert!(reader.wait().unwrap().success());
}
