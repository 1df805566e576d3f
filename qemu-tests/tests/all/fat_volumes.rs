//! fsck.vfat and mtools over FAT volumes of every kind and size, of which a manifest asks for only some: this one test and
//! `gpt_tables.rs` call the library itself.

use isobuild::inside::formats::fat::{self, Kind, Node, Plan, Size, Volume, What};
use isobuild::inside::ground::time::Timestamp;
use qemu_tests::listing::{Entry, Listing, of_directory, same};
use qemu_tests::{suite, tools};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn tests() -> suite::Tests {
    Ok(suite::program_tests(TESTS))
}

const TESTS: &[suite::ProgramTest] = &[
    ("fsck.vfat finds nothing", &["fsck.vfat"], fsck_vfat_finds_nothing),
    (
        "fsck.vfat is a judge that can say no",
        &["fsck.vfat"],
        fsck_vfat_can_say_no,
    ),
    (
        "mtools copies the same files",
        &["mcopy", "mdir"],
        mtools_copies_the_same_files,
    ),
];

const MIB: u64 = 1 << 20;

/// From the smallest that is asked for up to 4 GiB, around every change of kind.
const SIZES: [u64; 19] = [
    MIB,
    2 * MIB,
    4 * MIB,
    4_403_200,
    8 * MIB,
    16 * MIB,
    31 * MIB,
    32 * MIB,
    33 * MIB,
    64 * MIB,
    128 * MIB,
    256 * MIB,
    260 * MIB,
    511 * MIB,
    512 * MIB,
    513 * MIB,
    1024 * MIB,
    2048 * MIB,
    4096 * MIB,
];

/// Names of each sort in directories of different lengths; one file takes a quarter of the volume up to 3 MiB, nine in ten are
/// empty.
fn sample(count: usize, size: u64) -> Vec<(String, Vec<u8>)> {
    let file = |n: usize| {
        let directory = match n {
            0..20 => "",
            20..100 => "EFI/BOOT/",
            100..200 => "EFI/BOOT/level three/",
            _ => "a directory with many/",
        };
        let name = match n % 5 {
            0 => format!("BOOT{n}.EFI"),
            1 => format!("a long and clashing name {n}.conf"),
            2 => format!("Ünïcödé {n} 日本.txt"),
            3 => format!("lower{n}.cfg"),
            _ => format!("{}{n}", "very long ".repeat(20)),
        };
        let length = match n {
            0 => (size / 4).min(3 * MIB) + 1,
            n if n.is_multiple_of(10) => 100 * n as u64,
            _ => 0,
        };
        let content = (0..length).map(|at| (at / 251 + at + 31 * n as u64 + 1) as u8);
        (format!("{directory}{name}"), content.collect())
    };
    (0..count).map(file).collect()
}

/// The nodes of paths; the key of a file is its number.
fn nodes(files: &[(String, Vec<u8>)]) -> Vec<Node> {
    let mut root = Vec::new();
    for (key, (path, content)) in files.iter().enumerate() {
        let (directories, name) = path
            .rsplit_once('/')
            .map_or((None, path.as_str()), |(d, n)| (Some(d), n));
        let mut children = &mut root;
        for directory in directories.into_iter().flat_map(|path| path.split('/')) {
            children = descend(children, directory);
        }
        let length = content.len() as u64;
        children.push(Node {
            name: name.to_owned(),
            kind: Kind::File { length, key },
        });
    }
    root
}

fn descend<'n>(nodes: &'n mut Vec<Node>, name: &str) -> &'n mut Vec<Node> {
    let index = nodes.iter().position(|node| node.name == name).unwrap_or_else(|| {
        nodes.push(Node {
            name: name.to_owned(),
            kind: Kind::Directory(Vec::new()),
        });
        nodes.len() - 1
    });
    match &mut nodes[index].kind {
        Kind::Directory(children) => children,
        Kind::File { .. } => panic!("{name} is a file and a directory"),
    }
}

/// The volume in a file with holes, called `volume.img`.
fn image(files: &[(String, Vec<u8>)], size: Size, sector_size: u32, directory: &Path) -> (PathBuf, Plan) {
    let volume = Volume {
        root: nodes(files),
        label: if files.len() == 1 { String::new() } else { "ESP".into() },
        timestamp: Timestamp::from_unix(1_767_268_800),
        size,
        sector_size,
    };
    let plan = fat::plan(&volume).unwrap();
    let path = directory.join("volume.img");
    let file = File::create(&path).unwrap();
    file.set_len(plan.size()).unwrap();
    for (number, region) in plan.regions().iter().enumerate() {
        let bytes = plan.encode(number, MIB, 0x1234_5678);
        file.write_all_at(&bytes, region.offset).unwrap();
    }
    for (key, (_, content)) in files.iter().enumerate().filter(|(_, (_, content))| !content.is_empty()) {
        file.write_all_at(content, plan.file_offset(key).unwrap()).unwrap();
    }
    (path, plan)
}

fn run(tool: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(tools::find(tool).unwrap());
    command
        .args(arguments)
        .env("MTOOLSRC", "/dev/null")
        .env("LC_ALL", "C.UTF-8");
    command.output().unwrap()
}

fn assert_clean(output: &Output, about: &str) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{about}: {text}");
}

fn fsck_vfat_finds_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    for sector_size in [512, 4096] {
        for size in SIZES.map(Size::Exact).into_iter().chain([Size::Fit { free: 0 }]) {
            for count in [0, 1, 300] {
                let bytes = if let Size::Exact(size) = size { size } else { 4 * MIB };
                let (path, plan) = image(&sample(count, bytes), size, sector_size, scratch.path());
                let output = run("fsck.vfat", &["-n", path.to_str().unwrap()]);
                let about = format!("{size:?}, {sector_size}, {count} files, {}", plan.kind());
                assert_clean(&output, &about);
                // It says how many clusters are in use of how many; a complaint would be another line.
                let text = String::from_utf8_lossy(&output.stdout);
                assert_eq!(text.lines().count(), 2, "{about}: {text}");
            }
        }
    }
}

fn fsck_vfat_can_say_no() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, plan) = image(&sample(1, MIB), Size::Exact(MIB), 512, scratch.path());
    let table = plan
        .regions()
        .iter()
        .find(|region| region.what == What::Table(2))
        .unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0x12, 0x34], table.offset + 3).unwrap();
    assert!(!run("fsck.vfat", &["-n", path.to_str().unwrap()]).status.success());
}

fn mtools_copies_the_same_files() {
    for (size, sector_size) in [(MIB, 512), (33 * MIB, 512), (300 * MIB, 512), (64 * MIB, 4096)] {
        let scratch = tempfile::tempdir().unwrap();
        let files = sample(300, size);
        let (path, plan) = image(&files, Size::Exact(size), sector_size, scratch.path());
        let (path, target) = (path.to_str().unwrap(), scratch.path().join("out"));
        fs::create_dir(&target).unwrap();
        let about = format!("{size} bytes, {}", plan.kind());
        assert_clean(
            &run("mcopy", &["-i", path, "-s", "-n", "::/", target.to_str().unwrap()]),
            &about,
        );
        let wanted = files
            .iter()
            .map(|(path, content)| (format!("/{path}"), Entry::file(content)));
        same(&wanted.collect::<Listing>(), &of_directory(&target).unwrap()).unwrap();
        let listing = run("mdir", &["-i", path, "-b", "-/", "::/"]);
        assert_clean(&listing, &about);
        let listing = String::from_utf8(listing.stdout).unwrap();
        let mut lines: Vec<&str> = listing.lines().collect();
        lines.sort_unstable();
        let directories = ["EFI/", "EFI/BOOT/", "EFI/BOOT/level three/", "a directory with many/"];
        let paths = files.iter().map(|(path, _)| path.as_str()).chain(directories);
        let mut wanted: Vec<String> = paths.map(|path| format!("::/{path}")).collect();
        wanted.sort_unstable();
        assert_eq!(lines, wanted, "{about}");
    }
}
