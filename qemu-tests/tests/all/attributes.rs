//! Modes, owners, times and hard links of a tree that is preserved, as other readers give them back.

use qemu_tests::{preserved, suite, tools, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("preserved attributes xorriso", &["xorriso"], xorriso),
    ("preserved attributes bsdtar", &["bsdtar"], bsdtar),
    ("preserved owners isoinfo", &["isoinfo"], isoinfo),
];

/// The tree and its image.
fn place() -> TempDir {
    let place = tempfile::tempdir_in(workspace::target()).unwrap();
    preserved::make(&place.path().join("tree")).unwrap();
    fs::write(place.path().join("m.toml"), preserved::manifest("tree", "/")).unwrap();
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

/// What a reader has extracted is what there was. Not every reader gives files away, so owners are looked at elsewhere.
fn same(place: &Path, extracted: &Path) {
    let attributes = |tree: &Path| {
        let found = preserved::attributes(tree).unwrap().into_iter();
        let found = found.map(|(name, of)| (name, (of.mode, of.mtime, of.links)));
        found.collect::<BTreeMap<_, _>>()
    };
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
