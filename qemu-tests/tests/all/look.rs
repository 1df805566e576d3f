//! `ls` and `cat` give every name and byte of an image back: of ours, and of those that other people built.

use qemu_tests::example::Example;
use qemu_tests::inside::{isobuild, ls, output, read};
use qemu_tests::listing::{of_directory, same};
use qemu_tests::preserved;
use qemu_tests::verbs::Bench;
use qemu_tests::{inside, odd, suite, tools, workspace};
use serde_json::Value;
use std::fs;
use std::process::Command;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = suite::program_tests(&[
        ("odd tree ls and cat", &[], odd_tree),
        ("preserved attributes ls", &[], attributes),
        ("what is not there is said", &[], what_is_not_there),
        ("a partition is given as it is", &[], a_partition),
        ("zisofs is decompressed", &["xorriso"], zisofs),
        ("levels 1 to 4 are read", &["genisoimage"], levels),
        ("what is not an image is not verified", &["gzip"], not_verified),
        (
            "a compressed image reads as itself",
            &["gzip", "xz", "zstd"],
            compressed,
        ),
    ]);
    trials.extend(inside::trials("ls and cat", read)?);
    Ok(trials)
}

/// Invalid names, and those with a colon, a newline or a backslash, among them.
fn odd_tree() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let (tree, image) = odd::image(dir.path(), &[], "").unwrap();
    let wanted = of_directory(&tree).unwrap();
    read(&image, "")
        .and_then(|found| same(&wanted, &found))
        .unwrap_or_else(|reason| panic!("{reason}"));
}

fn attributes() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    preserved::make(&dir.path().join("kept")).unwrap();
    let (_, image) = odd::image(dir.path(), &[], &preserved::manifest("kept", "/kept")).unwrap();
    let items = ls(&image, "/kept").unwrap();
    for (name, wanted) in preserved::attributes(&dir.path().join("kept")).unwrap() {
        let item = items
            .iter()
            .find(|item| item["path"] == format!("/kept/{name}"))
            .unwrap();
        let directory = item["mode"].as_str().unwrap().starts_with("0o4");
        assert_eq!(directory, name == "directory");
        let found = inside::attributes(item, wanted.mtime).unwrap();
        assert_eq!(found, wanted, "{name}");
    }
    let long = |path: &str| {
        let arguments = ["ls".as_ref(), "-l".as_ref(), image.as_os_str(), path.as_ref()];
        String::from_utf8(output(&arguments).unwrap()).unwrap()
    };
    let lines = long("/kept");
    let line = |start: &str, end: &str| lines.lines().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(line("-rws--x--x ", " 2001-09-09T01:46:41Z set-uid"), "{lines}");
    assert!(line("drwxrwxrwt ", " 1970-01-02T00:00:00Z directory"), "{lines}");
    assert!(line("lrwxrwxrwx ", " link -> plain"), "{lines}");
    assert!(line("-rw-r--r--   2 ", " second name"), "{lines}");
    // A link to a directory leads there, and a file is listed by its path.
    assert!(long("kept/link").contains(" /kept/plain"), "{}", long("kept/link"));
}

fn what_is_not_there() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let (_, image) = odd::image(dir.path(), &[], "").unwrap();
    let whole = fs::read(&image).unwrap();
    let cut = dir.path().join("cut.iso");
    fs::write(&cut, &whole[..whole.len() - (600 << 10)]).unwrap();
    for (verb, image, path, words) in [
        ("ls", &image, "/nothing", "/nothing: there is no such name in the image"),
        ("cat", &image, "/lengths", "/lengths: it is no file"),
        ("cat", &image, "esp:/x", "the image has no ESP"),
        ("cat", &image, "partition:1", "there is no partition 1"),
        ("cat", &image, "partition:one", "a partition is named by its number"),
        ("ls", &image, "/links/link 2", "there is no such name"),
        ("cat", &cut, "/lengths/1048577", "it is cut short"),
    ] {
        let output = isobuild(&[verb.as_ref(), image.as_os_str(), path.as_ref()]).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{path}: {said}");
        assert!(said.contains(words) && output.stdout.is_empty(), "{path}: {said}");
    }
}

fn a_partition() {
    let example = Example::load("hello").unwrap();
    let image = example.image().unwrap();
    let facts = output(&["inspect".as_ref(), "--json".as_ref(), image.as_os_str()]).unwrap();
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    let esp = facts["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["table"] == "gpt" && p["type"] == "esp")
        .unwrap();
    let number = |key: &str| esp[key].as_u64().unwrap() as usize;
    let bytes = output(&[
        "cat".as_ref(),
        image.as_os_str(),
        format!("partition:{}", number("number")).as_ref(),
    ])
    .unwrap();
    assert!(bytes == fs::read(image).unwrap()[number("start")..][..number("length")]);
}

/// By identifiers alone. Level 4 is the enhanced volume descriptor: long names in lower case, with many dots and any depth.
fn levels() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let make = |name: &str, paths: &[&str]| {
        let tree = dir.path().join(name);
        for path in paths {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, path.as_os_str().as_encoded_bytes()).unwrap();
        }
        tree
    };
    let short = make("short", &["READ.ME", "A/B/FILE", "A/12345678.ABC"]);
    let long = make(
        "long",
        &["LONG_NAME_OF_THIRTY_CHARAC.TXT", "DIRECTORY_OF_MANY_CHARACTERS/X"],
    );
    let free = make(
        "free",
        &[
            "lower.case.and dots",
            &"n".repeat(200),
            "1/2/3/4/5/6/7/8/9/10/deep",
            "..x",
        ],
    );
    for (level, tree, indexes) in [
        ("1", &short, "iso9660"),
        ("2", &long, "iso9660"),
        ("3", &long, "iso9660"),
        ("4", &free, "iso9660 iso9660-1999"),
    ] {
        let image = dir.path().join(format!("level{level}.iso"));
        let mut genisoimage = Command::new(tools::find("genisoimage").unwrap());
        genisoimage
            .args(["-quiet", "-iso-level", level, "-o"])
            .arg(&image)
            .arg(tree);
        assert!(genisoimage.output().unwrap().status.success(), "{genisoimage:?}");
        same(&of_directory(tree).unwrap(), &read(&image, "").unwrap()).unwrap_or_else(|e| panic!("level {level}: {e}"));
        let facts = output(&["inspect".as_ref(), "--json".as_ref(), image.as_os_str()]).unwrap();
        let facts: Value = serde_json::from_slice(&facts).unwrap();
        let found: Vec<_> = facts["filesystems"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(found.join(" "), indexes);
        assert!(
            facts["extents"]
                .as_array()
                .unwrap()
                .iter()
                .all(|extent| extent["what"] != "unknown")
        );
    }
}

/// Contents that xorriso has compressed, in both versions of the format.
fn zisofs() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let numbers: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    for (name, content) in [("numbers", numbers), ("zeros", vec![0; 300_000]), ("short", vec![7; 9])] {
        fs::write(tree.join(name), content).unwrap();
    }
    for (version, magic) in [
        ("version_2=off", [0x37, 0xE4, 0x53, 0x96]),
        ("version_2=on:block_size_v2=1m", [0xEF, 0x22, 0x55, 0xA1]),
    ] {
        let image = dir.path().join(format!("{version}.iso"));
        let mut xorriso = Command::new(tools::find("xorriso").unwrap());
        xorriso
            .arg("-outdev")
            .arg(&image)
            .args(["-zisofs", version, "-map"])
            .arg(&tree);
        xorriso.args(["/", "-set_filter_r", "--zisofs", "/", "--"]);
        assert!(xorriso.output().unwrap().status.success(), "{xorriso:?}");
        let written = fs::read(&image).unwrap();
        assert!(written.windows(4).any(|bytes| bytes == magic), "{version} is not used");
        same(&of_directory(&tree).unwrap(), &read(&image, "").unwrap()).unwrap();
    }
}

/// Every verb that reads an image says of a compressed one what it says of the image.
fn compressed() {
    let dir = tempfile::tempdir_in(workspace::target()).unwrap();
    let example = Example::load("hello").unwrap();
    let image = dir.path().join("hello.iso");
    fs::copy(example.image().unwrap(), &image).unwrap();
    let verbs: [&[&str]; 7] = [
        &["inspect", "--json", "IMAGE"],
        &["check", "--json", "IMAGE"],
        &["ls", "-lR", "IMAGE"],
        &["cat", "IMAGE", "partition:1"],
        &["extract", "--quiet", "IMAGE", "-C", "DIR"],
        &["diff", "--json", "IMAGE", "PLAIN"],
        &["verify", "--json", "IMAGE", "PLAIN"],
    ];
    let said = |verb: &[&str], of: &std::path::Path| {
        let directory = dir.path().join("extracted");
        let word = |word: &&str| match *word {
            "IMAGE" => of.as_os_str().to_owned(),
            "PLAIN" => image.as_os_str().to_owned(),
            "DIR" => directory.as_os_str().to_owned(),
            word => word.into(),
        };
        let words: Vec<_> = verb.iter().map(word).collect();
        let output = isobuild(&words.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap();
        let extracted = directory.exists().then(|| of_directory(&directory).unwrap());
        let _ = fs::remove_dir_all(&directory);
        (output.status.code(), output.stdout, extracted)
    };
    for (program, end) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")] {
        let packed = dir.path().join(format!("hello.iso.{end}"));
        let status = Command::new(program).args(["-k", "-q"]).arg(&image).status().unwrap();
        assert!(status.success() && packed.exists());
        for verb in verbs {
            let (wanted, found) = (said(verb, &image), said(verb, &packed));
            assert_eq!(wanted.0, Some(0), "{verb:?}");
            assert_eq!(found, wanted, "{verb:?} of {end}");
        }
        let print = isobuild(&[
            "run".as_ref(),
            "--print".as_ref(),
            "--firmware".as_ref(),
            "bios".as_ref(),
            packed.as_os_str(),
        ]);
        let print = print.unwrap();
        let error = String::from_utf8(print.stderr).unwrap();
        assert!(
            print.status.code() == Some(1) && error.contains("decompress it first"),
            "{error}"
        );
    }
}

/// A medium has every byte of nothing, and of a file that only says that it is another form of a disk.
fn not_verified() {
    let bench = Bench::new("");
    let put = |name: &str, bytes: &[u8]| fs::write(bench.path(name), bytes).unwrap();
    put("disk", &[0; 8192]);
    put("empty", b"");
    put("disk.qcow2", b"QFI\xfb\0\0\0\x03");
    put("zeros", &[0; 4096]);
    assert!(
        Command::new("gzip")
            .arg("-kf")
            .arg(bench.path("zeros"))
            .status()
            .unwrap()
            .success()
    );
    let whole = fs::read(bench.path("zeros.gz")).unwrap();
    put("cut.gz", &whole[..whole.len() - 9]);
    for (name, words) in [
        ("empty", "there is nothing in it"),
        ("disk.qcow2", "qcow2 header is cut short"),
        ("cut.gz", "cut short"),
        (".", "is a directory"),
        ("missing", "No such file"),
    ] {
        let said = bench.ends(&format!("verify {name} disk"), 1);
        assert!(said.error.contains(words) && said.out.is_empty(), "{name}: {said:?}");
    }
    bench.ends("verify zeros.gz disk", 0);
}
