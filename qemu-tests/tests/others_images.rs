//! Images that genisoimage and xorriso write and that hold more than one tree's worth of oddities: what comes out is what went in.

use qemu_tests::listing::{of_directory, same};
use qemu_tests::{inside, suite, tools, workspace};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, ExitCode};
use tempfile::TempDir;

fn main() -> ExitCode {
    suite::run(Ok(suite::program_tests(TESTS)))
}

const TESTS: &[suite::ProgramTest] = &[
    ("deep directories of genisoimage", &["genisoimage"], deep_genisoimage),
    ("deep directories of xorriso", &["xorriso"], deep_xorriso),
    ("sessions of genisoimage", &["genisoimage"], sessions_of_genisoimage),
    ("sessions of xorriso", &["xorriso"], sessions_of_xorriso),
    ("a partition offset is no session", &["xorriso"], partition_offset),
    (
        "a GPT with an entry for basic data",
        &["xorriso", "mformat"],
        basic_data,
    ),
    (
        "a file of more than 4 GiB by UDF and by sections",
        &["genisoimage"],
        large,
    ),
];

/// Twelve levels deep, four more than ECMA-119 §7.8.2.2 allows, with files and a link on the way.
fn deep_tree() -> TempDir {
    let place = tempfile::tempdir_in(workspace::target()).unwrap();
    let mut path = place.path().join("tree");
    for level in 1..=12 {
        path.push(format!("level {level}"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("file"), format!("of level {level}")).unwrap();
        symlink("../../usr//lib", path.join("link")).unwrap();
    }
    place
}

fn run(program: &str, arguments: &[&str], place: &Path) {
    let program = tools::find(program).unwrap();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(place)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

/// What isobuild says on standard output and on standard error, which ends with this code.
fn isobuild(place: &Path, line: &[&str], code: i32) -> (String, String) {
    let program = workspace::isobuild().unwrap();
    let done = Command::new(program).args(line).current_dir(place).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(code), "{line:?}: {said:?}");
    said
}

/// What was extracted is the tree, nothing else is there, and the emptied directory that held the deep ones is not shown.
fn is_whole(place: &Path, image: &str) {
    isobuild(place, &["extract", image, "-C", "out"], 0);
    let (wanted, found) = (of_directory(&place.join("tree")), of_directory(&place.join("out")));
    same(&wanted.unwrap(), &found.unwrap()).unwrap_or_else(|reason| panic!("{reason}"));
    let listed = inside::isobuild(&[OsStr::new("ls"), place.join(image).as_os_str()]).unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(!listed.to_lowercase().contains("rr_moved"), "{listed}");
}

fn deep_genisoimage() {
    let place = deep_tree();
    run("genisoimage", &["-quiet", "-R", "-o", "deep.iso", "tree"], place.path());
    is_whole(place.path(), "deep.iso");
}

fn deep_xorriso() {
    let place = deep_tree();
    let line = [
        "-outdev",
        "deep.iso",
        "-compliance",
        "deep_paths_off:rec_mtime",
        "-map",
        "tree",
        "/",
    ];
    run("xorriso", &line, place.path());
    is_whole(place.path(), "deep.iso");
}

/// The first session has `one`, the second `one` with other bytes and `two`.
fn are_sessions(place: &Path, image: &str) {
    let (listed, said) = isobuild(place, &["ls", image], 0);
    assert!(listed.contains("one") && listed.contains("two"), "{listed}");
    assert!(said.contains("--session"), "{said}");
    assert_eq!(isobuild(place, &["cat", image, "/one"], 0).0, "second");
    assert_eq!(isobuild(place, &["cat", image, "/one", "--session", "1"], 0).0, "first");
    let (listed, _) = isobuild(place, &["ls", image, "--session", "1"], 0);
    assert!(listed.contains("one") && !listed.contains("two"), "{listed}");
    // What every reader accepts is no fault.
    isobuild(place, &["check", image], 0);
}

fn two_trees() -> TempDir {
    let place = tempfile::tempdir_in(workspace::target()).unwrap();
    for (tree, file, text) in [("a", "one", "first"), ("b", "one", "second"), ("b", "two", "2")] {
        fs::create_dir_all(place.path().join(tree)).unwrap();
        fs::write(place.path().join(tree).join(file), text).unwrap();
    }
    place
}

/// Its second session is a file of its own, which a burner writes behind the first, at the block that it was told.
fn sessions_of_genisoimage() {
    let place = two_trees();
    run("genisoimage", &["-quiet", "-R", "-o", "disc.iso", "a"], place.path());
    let disc = place.path().join("disc.iso");
    let blocks = fs::metadata(&disc).unwrap().len().div_ceil(2048).next_multiple_of(16);
    let next = format!("0,{blocks}");
    let line = ["-quiet", "-R", "-M", "disc.iso", "-C", &next, "-o", "more.iso", "b"];
    run("genisoimage", &line, place.path());
    let more = fs::read(place.path().join("more.iso")).unwrap();
    let mut both = fs::read(&disc).unwrap();
    both.resize(blocks as usize * 2048, 0);
    both.extend(&more);
    fs::write(&disc, both).unwrap();
    are_sessions(place.path(), "disc.iso");
    // Alone it is addressed from the start of a disc that is not there.
    let done = inside::isobuild(&[OsStr::new("ls"), place.path().join("more.iso").as_os_str()]).unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("session"), "{said}");
}

fn sessions_of_xorriso() {
    let place = two_trees();
    run("xorriso", &["-outdev", "disc.iso", "-map", "a", "/"], place.path());
    let line = ["-dev", "disc.iso", "-overwrite", "on", "-map", "b", "/", "-commit"];
    run("xorriso", &line, place.path());
    are_sessions(place.path(), "disc.iso");
}

/// xorriso writes a second set of descriptors for the partition that begins at byte 64 KiB: it is of the same tree.
fn partition_offset() {
    let place = two_trees();
    let line = [
        "-as",
        "mkisofs",
        "-quiet",
        "-R",
        "-partition_offset",
        "16",
        "-o",
        "offset.iso",
        "b",
    ];
    run("xorriso", &line, place.path());
    let (listed, said) = isobuild(place.path(), &["ls", "offset.iso"], 0);
    assert!(listed.contains("one") && listed.contains("two"), "{listed}");
    assert!(!said.contains("session"), "{said}");
    assert_eq!(isobuild(place.path(), &["cat", "offset.iso", "/one"], 0).0, "second");
}

/// isohybrid's GPT has two overlapping entries for basic data. Its MBR has no slot of type EE, so that nobody reads that GPT (UEFI 5.2.3):
/// `check` warns of it, and finds no fault.
fn basic_data() {
    let place = two_trees();
    run("mformat", &["-C", "-f", "2880", "-i", "b/efi.img", "::"], place.path());
    fs::write(place.path().join("b/bios.img"), [0xEB; 4096]).unwrap();
    fs::write(place.path().join("mbr"), [0xEB; 432]).unwrap();
    let line = [
        "-as",
        "mkisofs",
        "-quiet",
        "-R",
        "-isohybrid-mbr",
        "mbr",
        "-b",
        "bios.img",
        "-c",
        "boot.cat",
        "-no-emul-boot",
        "-boot-load-size",
        "4",
        "-boot-info-table",
        "-eltorito-alt-boot",
        "-e",
        "efi.img",
        "-no-emul-boot",
        "-isohybrid-gpt-basdat",
        "-o",
        "basdat.iso",
        "b",
    ];
    run("xorriso", &line, place.path());
    let (_, said) = isobuild(place.path(), &["check", "basdat.iso"], 0);
    assert!(said.contains("nobody reads this GPT"), "{said}");
    let (facts, _) = isobuild(place.path(), &["inspect", "--json", "basdat.iso"], 0);
    assert_eq!(facts.matches("\"type\": \"basic-data\"").count(), 2, "{facts}");
}

/// ISO 9660 of level 3 holds it in two sections (ECMA-119 §6.5.1), UDF in several allocations. A hole costs nothing to write.
fn large() {
    let place = tempfile::tempdir_in(workspace::target()).unwrap();
    fs::create_dir(place.path().join("tree")).unwrap();
    let large = fs::File::create(place.path().join("tree/large")).unwrap();
    large.set_len((4 << 30) + 5).unwrap();
    drop(large);
    fs::write(place.path().join("tree/small"), "small").unwrap();
    let line = [
        "-quiet",
        "-R",
        "-udf",
        "-allow-limited-size",
        "-iso-level",
        "3",
        "-o",
        "large.iso",
        "tree",
    ];
    run("genisoimage", &line, place.path());
    let (listed, _) = isobuild(place.path(), &["ls", "-l", "large.iso"], 0);
    assert!(listed.contains("4294967301"), "{listed}");
    let part = isobuild(place.path(), &["cat", "large.iso", "/small"], 0);
    assert_eq!(part.0, "small");
    fs::remove_file(place.path().join("large.iso")).unwrap();
}
