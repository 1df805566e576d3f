//! `extract` gives every name, byte and attribute back, and nothing that an image says gets out of the directory.

use qemu_tests::example::Example;
use qemu_tests::inside::{self, isobuild};
use qemu_tests::listing::{Listing, of_directory, same};
use qemu_tests::preserved;
use qemu_tests::{odd, suite, workspace};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(&[
        ("odd tree", &[], odd_tree),
        ("preserved attributes", &[], attributes),
        ("a part, and a partition", &[], parts),
        ("udf", &["genisoimage"], udf),
        ("names that lead out", &[], names_that_lead_out),
        ("a limit on files is an error", &[], file_limit),
    ]);
    trials.extend(inside::trials("extract", extracted)?);
    Ok(trials)
}

/// What `extract` makes of a volume, without a fault.
fn extracted(image: &Path, volume: &str) -> Result<Listing, String> {
    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    run(image, &[&format!("{volume}/")], &dir.path().join("made"), 0)?;
    of_directory(&dir.path().join("made"))
}

/// Extracts, which ends with this code. The result is stderr.
fn run(image: &Path, words: &[&str], to: &Path, code: i32) -> Result<String, String> {
    let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    let arguments = [
        &["extract".as_ref(), image.as_os_str(), "-C".as_ref(), to.as_os_str()],
        &words[..],
    ]
    .concat();
    let done = isobuild(&arguments)?;
    let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
    match done.status.code() == Some(code) && done.stdout.is_empty() {
        true => Ok(stderr),
        false => Err(format!("{arguments:?}: {}\n{stderr}", done.status)),
    }
}

/// Invalid names, long ones, links to nowhere, and directories that are empty.
fn odd_tree() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let (tree, image) = odd::image(dir.path(), &[], "").unwrap();
    let made = dir.path().join("made");
    run(&image, &[], &made, 0).unwrap();
    same(&of_directory(&tree).unwrap(), &of_directory(&made).unwrap()).unwrap_or_else(|reason| panic!("{reason}"));
    assert!(made.join("empty directory").is_dir());
    // Nothing that is there is touched.
    let again = run(&image, &["/lengths"], &made, 1).unwrap();
    assert!(
        again.contains("something is there already") && again.contains("names could not be extracted"),
        "{again}"
    );
}

fn attributes() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let kept = dir.path().join("kept");
    preserved::make(&kept).unwrap();
    let (_, image) = odd::image(dir.path(), &[], &preserved::manifest("kept", "/kept")).unwrap();
    let made = dir.path().join("made");
    run(&image, &["/kept"], &made, 0).unwrap();
    let wanted = preserved::attributes(&kept).unwrap();
    for (name, found) in preserved::attributes(&made.join("kept")).unwrap() {
        let of = &wanted[&name];
        assert_eq!(
            (found.mode, found.mtime, found.links),
            (of.mode & 0o777, of.mtime, of.links),
            "{name}"
        );
    }
    let inode = |name: &str| fs::metadata(made.join("kept").join(name)).unwrap().ino();
    assert_eq!(inode("plain"), inode("second name"));
    // Owners and set-id bits are for root, who has to ask for them.
    let all = dir.path().join("all");
    let root = rustix::process::geteuid().is_root();
    run(&image, &["--privileged", "/kept"], &all, if root { 0 } else { 1 }).unwrap();
    if root {
        assert_eq!(preserved::attributes(&all.join("kept")).unwrap(), wanted);
    }
}

fn parts() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let example = Example::load("hello").unwrap();
    let image = example.image().unwrap();
    let made = dir.path().join("made");
    let said = run(image, &["esp:/EFI/BOOT/BOOTX64.EFI", "partition:1"], &made, 0).unwrap();
    assert!(said.contains("2 files"), "{said}");
    let esp = fs::read(made.join("partition-1.img")).unwrap();
    let whole = fs::read(image).unwrap();
    assert!(!esp.is_empty() && whole.windows(esp.len()).any(|bytes| bytes == esp));
    assert!(fs::read(made.join("EFI/BOOT/BOOTX64.EFI")).unwrap().starts_with(b"MZ"));
    for (path, why) in [("/nothing", "no such name"), ("partition:77", "no partition 77")] {
        let unmade = dir.path().join("unmade");
        let said = run(image, &[path], &unmade, 1).unwrap();
        assert!(said.contains(why) && !unmade.exists(), "{said}");
    }
    run(image, &[], &dir.path().join("made/partition-1.img"), 3).unwrap();
}

fn udf() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let (tree, image) = odd::bridge(dir.path()).unwrap();
    same(&of_directory(&tree).unwrap(), &extracted(&image, "udf:").unwrap()).unwrap();
}

/// Rock Ridge names as no writer writes them.
fn names_that_lead_out() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir_all(tree.join("inner/to-escape")).unwrap();
    for name in ["inner/to-escape/file", "inner/xx", "inner/good", "inner/0123456789"] {
        fs::write(tree.join(name), name).unwrap();
    }
    let manifest = dir.path().join("manifest.toml");
    fs::write(&manifest, "[[files]]\nfrom = \"tree\"\nto = \"/\"\n").unwrap();
    let image = dir.path().join("image.iso");
    let arguments = [manifest.as_os_str(), "-o".as_ref(), image.as_os_str()];
    assert!(isobuild(&arguments).unwrap().status.success());
    let mut bytes = fs::read(&image).unwrap();
    // An NM entry is its signature, its length, 1, its flags and the name.
    for (name, other) in [("to-escape", "../escape"), ("xx", ".."), ("0123456789", "/absolute/")] {
        let entry = |name: &str| [b"NM", &[5 + name.len() as u8, 1, 0][..], name.as_bytes()].concat();
        let (from, to) = (entry(name), entry(other));
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(&to);
    }
    fs::write(&image, bytes).unwrap();
    let nest = dir.path().join("nest");
    let said = run(&image, &[], &nest.join("made"), 1).unwrap();
    assert!(said.contains("3 names could not be extracted"), "{said}");
    assert!(said.contains("../escape in /inner cannot be part of a path"), "{said}");
    assert_eq!(fs::read(nest.join("made/inner/good")).unwrap(), b"inner/good");
    let names = |dir: &Path| fs::read_dir(dir).unwrap().count();
    assert_eq!(
        (names(&nest), names(&nest.join("made")), names(&nest.join("made/inner"))),
        (1, 1, 1)
    );
}

/// What a full disk is to a program, a limit on the length of files is too.
fn file_limit() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    fs::write(dir.path().join("large"), vec![7; 3 << 20]).unwrap();
    let (_, image) = odd::image(dir.path(), &[], "[[files]]\nto = \"/large\"\nfrom = \"large\"\n").unwrap();
    let made = dir.path().join("made");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1024; exec \"$0\" extract \"$1\" /large -C \"$2\""]);
    shell.arg(workspace::isobuild().unwrap()).arg(&image).arg(&made);
    let done = shell.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("made/large: writing: File too large"), "{said}");
    assert!(!made.join("large").exists());
}
