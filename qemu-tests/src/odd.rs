//! A tree of some hundred files that no installer would have: every name, length and link that a format or a reader trips over.

use crate::example::build;
use crate::{tools, workspace};
use std::ffi::OsStr;
use std::fs;
use std::io::Result;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names that mean something to a shell, a file system or a reader; each is a file.
const NAMES: [&[u8]; 40] = [
    b" leading space",
    b"trailing space ",
    b"trailing.dot.",
    b"two..dots",
    b".hidden",
    b"..hidden",
    b"...",
    b"-dash",
    b"version;1",
    b"semi;colon.txt",
    b"back\\slash",
    b"quote'\"",
    b"new\nline",
    b"tab\t",
    b"bell\x07",
    b"star*?",
    b"a:b",
    b"<a|b>",
    b"CON",
    b"aux.txt",
    b"%41&amp;",
    b"~",
    b"#",
    b"$HOME",
    b"UPPER.TXT",
    b"upper.txt",
    b"Upper.Txt",
    b"no.extension.is.the.last",
    b"A_B.C",
    b"a+b.c",
    b"EXACTLY_30_CHARACTERS_LONG_.AB",
    b"31_CHARACTERS_AS_A_DIRECTORY_HAS",
    "ünïcödé".as_bytes(),
    "decomposed u\u{308}".as_bytes(),
    "日本語.txt".as_bytes(),
    "\u{1f600} outside of the basic plane".as_bytes(),
    "right to left \u{202e}txt.exe".as_bytes(),
    b"invalid \xfc",
    b"invalid \xff\xfe\x80",
    b"invalid half a character \xe2\x82",
];

/// Around logical sectors, blocks of the host and the length from which on files are aligned.
const LENGTHS: [usize; 10] = [0, 1, 2047, 2048, 2049, 4096, 65_535, 65_536, 65_537, 1_048_577];

/// Makes the tree in `dir`, which is there.
pub fn make(dir: &Path) -> Result<()> {
    let put = |path: &Path| fs::write(path, path.as_os_str().as_bytes());
    let names = dir.join("names");
    fs::create_dir(&names)?;
    for name in NAMES {
        put(&names.join(OsStr::from_bytes(name)))?;
    }
    for length in [200, 222, 249, 250, 251, 253] {
        put(&names.join("n".repeat(length)))?;
    }
    let lengths = dir.join("lengths");
    fs::create_dir(&lengths)?;
    for length in LENGTHS {
        fs::write(
            lengths.join(length.to_string()),
            "0123456789abcde".repeat(length / 15 + 1).split_at(length).0,
        )?;
    }
    let twins = dir.join("twins of thirty characters and more");
    fs::create_dir(&twins)?;
    for number in 0..300 {
        put(&twins.join(format!("a common beginning of many characters {number}.text")))?;
    }
    let mut deep = dir.to_path_buf();
    for level in 1..=20 {
        deep.push(format!("level {level}"));
        fs::create_dir(&deep)?;
        put(&deep.join("file"))?;
    }
    fs::create_dir(dir.join("empty directory"))?;
    fs::create_dir(dir.join(OsStr::from_bytes(b"invalid \xfc.d")))?;
    put(&dir.join(OsStr::from_bytes(b"invalid \xfc.d/file")))?;
    fs::hard_link(lengths.join("2049"), dir.join("hard link"))?;
    links(dir)
}

fn links(dir: &Path) -> Result<()> {
    let links = dir.join("links");
    fs::create_dir(&links)?;
    let long = "component/".repeat(99);
    let targets = [
        "../names/.hidden",
        "/",
        "/absolute/and dangling",
        ".",
        "..",
        "./a/..//b/",
        "a",
        &long,
    ];
    for (number, target) in targets.into_iter().enumerate() {
        symlink(target, links.join(format!("link {number}")))?;
    }
    symlink("n".repeat(4000), links.join("longest"))?;
    symlink(OsStr::from_bytes(b"\xfc/\xff"), links.join("invalid"))
}

/// Makes the tree in `dir`, which is there, without the names that begin with one of `without`.
pub fn make_without(dir: &Path, without: &[&str]) -> Result<()> {
    make(dir).and_then(|()| remove(dir, without))
}

/// Makes the tree and its image in `dir`, without the names that begin with one of `without`, and with what `more` adds to the
/// manifest. Returns the tree and the image.
pub fn image(dir: &Path, without: &[&str], more: &str) -> std::result::Result<(PathBuf, PathBuf), String> {
    let (tree, image) = (dir.join("tree"), dir.join("odd.iso"));
    let fail = |e: std::io::Error| format!("{}: {e}", tree.display());
    fs::create_dir(&tree).map_err(fail)?;
    make_without(&tree, without).map_err(fail)?;
    let manifest = dir.join("odd.toml");
    let files = format!("[[files]]\nfrom = \"tree\"\nto = \"/\"\n{more}");
    fs::write(&manifest, files).map_err(fail)?;
    build(&mut Command::new(workspace::isobuild()?), &manifest, &image)?;
    Ok((tree, image))
}

/// Makes what of the tree genisoimage can hold in UDF, and its bridge of plain ISO 9660 and UDF. Returns the tree and the image.
pub fn bridge(dir: &Path) -> std::result::Result<(PathBuf, PathBuf), String> {
    let (tree, image) = (dir.join("tree"), dir.join("bridge.iso"));
    let fail = |e: std::io::Error| format!("{}: {e}", tree.display());
    fs::create_dir(&tree).and_then(|()| make(&tree)).map_err(fail)?;
    // It has no links there, and stops at names that are no text or longer than 127 characters.
    remove(&tree, &["links", "names", "invalid"]).map_err(fail)?;
    let mut genisoimage = Command::new(tools::find("genisoimage")?);
    genisoimage.args(["-quiet", "-D", "-udf", "-V", "BRIDGE", "-o"]);
    let status = genisoimage.arg(&image).arg(&tree).status();
    match status.map_err(|e| e.to_string())?.success() {
        true => Ok((tree, image)),
        false => Err(format!("{genisoimage:?} failed")),
    }
}

fn remove(dir: &Path, names: &[&str]) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let directory = entry.file_type()?.is_dir();
        let unwanted = names
            .iter()
            .any(|name| entry.file_name().as_bytes().starts_with(name.as_bytes()));
        match (unwanted, directory) {
            (true, true) => fs::remove_dir_all(entry.path())?,
            (true, false) => fs::remove_file(entry.path())?,
            (false, true) => remove(&entry.path(), names)?,
            (false, false) => {}
        }
    }
    Ok(())
}
