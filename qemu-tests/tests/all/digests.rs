//! What an image says of its own bytes: the implanted MD5 as checkisomd5 reads it, and the list of digests as sha256sum does.

use qemu_tests::inside::isobuild;
use qemu_tests::listing::extract_by_bsdtar;
use qemu_tests::{odd, suite, tools, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(&[
        (
            "checkisomd5 accepts the implanted MD5",
            &["checkisomd5", "implantisomd5"],
            implanted,
        ),
        (
            "what others implanted is verified",
            &["implantisomd5", "genisoimage"],
            implanted_by_others,
        ),
        ("sha256sum accepts the list", &["sha256sum", "bsdtar"], listed),
        ("files in UDF alone", &["checkisomd5"], udf),
        ("damage is found and placed", &[], damaged),
        ("a list finds its place or none", &[], misplaced),
        ("a list that lies", &[], lying),
    ]))
}

/// Both, in an image with a menu.
const BOTH: &str = "[iso]\nimplant_md5 = true\nsha256sums = \"/SHA256SUMS\"\n[[menu]]\naction = \"reboot\"\n";

fn build(dir: &Path, manifest: &str) -> Output {
    let path = dir.join("manifest.toml");
    fs::write(&path, manifest).unwrap();
    isobuild(&["-q".as_ref(), path.as_os_str()]).unwrap()
}

fn built(dir: &Path, manifest: &str) -> PathBuf {
    let output = build(dir, manifest);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir.join("manifest.iso")
}

fn accepts(tool: &str, arguments: &[&str], image: &Path) -> bool {
    let mut command = Command::new(tools::find(tool).unwrap());
    command.args(arguments).arg(image).output().unwrap().status.success()
}

/// `check --digests`: whether it passes, and what it says.
fn check(image: &Path) -> (bool, String) {
    let output = isobuild(&["check".as_ref(), "--digests".as_ref(), image.as_os_str()]).unwrap();
    assert!(matches!(output.status.code(), Some(0 | 5)), "{output:?}");
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Lengths from one piece of checkisomd5's to many, and an image with everything in it.
fn implanted() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let with = "[iso]\nimplant_md5 = true\n[[files]]\nfrom = \"file\"\nto = \"/\"\n";
    for length in [1, 100_000, 300_000, 600_000, 1_000_000, 5_000_000] {
        let bytes: Vec<u8> = (0..length).map(|number: u32| (number / 3) as u8).collect();
        fs::write(dir.path().join("file"), &bytes).unwrap();
        let image = built(dir.path(), with);
        assert!(accepts("checkisomd5", &[], &image), "{length}");
        let said = check(&image);
        assert!(
            said.0 && said.1.contains("the implanted MD5 is that of the image"),
            "{said:?}"
        );
        // What checkisomd5 accepts of its own twin is the same to the byte; it accepts none that is smaller.
        let twin = dir.path().join("twin.iso");
        fs::copy(&image, &twin).unwrap();
        assert!(accepts("implantisomd5", &["-f"], &twin));
        if length > 500_000 {
            assert!(fs::read(&twin).unwrap() == fs::read(&image).unwrap(), "{length}");
        }
    }
    let (_, image) = odd::image(dir.path(), &[], BOTH).unwrap();
    assert!(accepts("checkisomd5", &[], &image));
    let mut bytes = fs::read(&image).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&image, bytes).unwrap();
    assert!(!accepts("checkisomd5", &[], &image));
}

fn implanted_by_others() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let (_, image) = odd::bridge(dir.path()).unwrap();
    let (passes, said) = check(&image);
    assert!(
        !passes && said.contains("neither an implanted MD5 nor a list"),
        "{said}"
    );
    assert!(accepts("implantisomd5", &["-f"], &image));
    let (passes, said) = check(&image);
    assert!(
        passes && said.contains("the implanted MD5 is that of the image"),
        "{said}"
    );
}

/// Boot images with addresses in them, files with the image's id, names that have to be escaped, and empty files are in the list.
fn listed() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let (_, image) = odd::image(dir.path(), &[], BOTH).unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    extract_by_bsdtar(&image, &out).unwrap();
    let mut sha256sum = Command::new(tools::find("sha256sum").unwrap());
    sha256sum.args(["--check", "--strict", "SHA256SUMS"]).current_dir(&out);
    let output = sha256sum.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut find = Command::new("find");
    let files = find
        .args([".", "-type", "f", "-printf", "x"])
        .current_dir(&out)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said.lines().filter(|line| line.ends_with(": OK")).count(),
        files.stdout.len() - 1
    );
    let said = check(&image);
    assert!(
        said.0 && said.1.contains("files have the SHA-256 that /SHA256SUMS says"),
        "{said:?}"
    );
}

/// The files are in UDF alone. That nothing boots such an image is no fault of its digests.
fn udf() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    fs::write(dir.path().join("file"), vec![7; 10_000]).unwrap();
    let keys = "[iso]\niso9660 = \"stub\"\nimplant_md5 = true\nsha256sums = \"/SHA256SUMS\"\n";
    let image = built(
        dir.path(),
        &format!("{keys}[[files]]\nfrom = \"file\"\nto = \"/sub/\"\n"),
    );
    assert!(accepts("checkisomd5", &[], &image));
    let (_, said) = check(&image);
    for words in [
        "the implanted MD5 is that of the image",
        "1 file has the SHA-256 that /SHA256SUMS says",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let mut bytes = fs::read(&image).unwrap();
    let at = bytes.windows(9).position(|bytes| bytes == [7; 9]).unwrap();
    bytes[at] = 8;
    fs::write(&image, &bytes).unwrap();
    let (_, said) = check(&image);
    assert!(said.contains("fault: /sub/file is not what /SHA256SUMS says"), "{said}");
}

fn damaged() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    fs::write(dir.path().join("large"), vec![7; 3_000_000]).unwrap();
    let image = built(dir.path(), &format!("{BOTH}[[files]]\nfrom = \"large\"\nto = \"/\"\n"));
    let whole = fs::read(&image).unwrap();
    let middle = whole
        .windows(4096)
        .position(|bytes| bytes.iter().all(|&byte| byte == 7))
        .unwrap()
        + 1_000_000;
    let mut bytes = whole.clone();
    bytes[middle] ^= 1;
    fs::write(&image, &bytes).unwrap();
    let (passes, said) = check(&image);
    assert!(
        !passes && said.contains("fault: /large is not what /SHA256SUMS says"),
        "{said}"
    );
    let range = said
        .split("begins between byte ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let (from, to) = range.split_once(" and byte ").unwrap();
    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    assert!(
        (from..to).contains(&middle) && to - from < whole.len() / 4,
        "{middle}: {range}"
    );
    // The list alone; it is the MD5's too.
    let mut bytes = whole.clone();
    let line = bytes.windows(8).position(|bytes| bytes == b"  ./boot").unwrap();
    bytes[line - 1] = if bytes[line - 1] == b'0' { b'1' } else { b'0' };
    bytes[line + 4] = b'x';
    fs::write(&image, &bytes).unwrap();
    let (passes, said) = check(&image);
    assert!(
        !passes && said.contains("fault: /xoot") && said.contains("fault: the implanted MD5 is"),
        "{said}"
    );
    fs::write(&image, &whole[..whole.len() - 2_000_000]).unwrap();
    let (passes, said) = check(&image);
    assert!(!passes && said.contains("fault: the implanted MD5 is of "), "{said}");
}

fn misplaced() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let file = "[[files]]\ntext = \"x\"\nto = \"/taken/file\"\n";
    for (path, words) in [
        ("/taken/file", "/taken/file is in the image already"),
        ("/taken/file/list", "/taken/file is in the image already"),
        ("/list/", "the list of digests needs a name"),
        ("/../list", "cannot go up"),
        ("", "cannot be empty"),
    ] {
        let output = build(dir.path(), &format!("[iso]\nsha256sums = \"{path}\"\n{file}"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{path}: {said}");
        assert!(said.contains(words) && said.contains(" --> "), "{path}: {said}");
    }
    let image = built(
        dir.path(),
        &format!("[iso]\nsha256sums = \"new/sha256sum.txt\"\n{file}"),
    );
    let list = isobuild(&["cat".as_ref(), image.as_os_str(), "/new/sha256sum.txt".as_ref()]).unwrap();
    let digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert_eq!(
        String::from_utf8(list.stdout).unwrap(),
        format!("{digest}  ./taken/file\n")
    );
}

/// Lists that somebody else made, by names that others use.
fn lying() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let digest = "2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881";
    let says = |name: &str, list: &str| {
        fs::write(dir.path().join("list"), list).unwrap();
        let file = "[[files]]\ntext = \"x\"\nto = \"/file\"\n";
        let image = built(
            dir.path(),
            &format!("{file}[[files]]\nfrom = \"list\"\nto = \"/{name}\"\n"),
        );
        check(&image)
    };
    let (passes, said) = says("sha256sum.txt", &format!("{digest} *file\n\n{digest}  ./file"));
    assert!(
        passes && said.contains("2 files have the SHA-256 that /sha256sum.txt says"),
        "{said}"
    );
    let missing = format!("{digest}  gone\n").repeat(30);
    let list = format!(
        "{digest}  file\n# a comment\n{}  file\n{missing}",
        digest.replace('2', "3")
    );
    let (passes, said) = says("SHA256SUMS.txt", &list);
    for words in [
        "fault: line 2 of /SHA256SUMS.txt is no digest and path",
        "fault: /file is not what /SHA256SUMS.txt says",
        "fault: /gone is in /SHA256SUMS.txt and not in the image",
        "fault: and 12 more of /SHA256SUMS.txt",
    ] {
        assert!(!passes && said.contains(words), "{words}: {said}");
    }
    // With and without an end within what is read at once.
    for list in ["x".repeat(3_000_000), format!("{}\n", "x".repeat(100_000))] {
        let (passes, said) = says("SHA256SUMS", &list);
        assert!(
            !passes && said.contains("has a line of more than 65536 bytes"),
            "{said}"
        );
    }
    let (passes, said) = says("SHA256SUMS/directory", "x");
    assert!(
        !passes && said.contains("neither an implanted MD5 nor a list"),
        "{said}"
    );
}
