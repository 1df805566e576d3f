//! What the fatfs crate reads in our volumes, and we in those that it wrote.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::*;

/// `count` files in nested directories; one takes a quarter of the volume up to 3 MiB, nine in ten are empty.
fn sample(count: usize, size: u64) -> Vec<Node> {
    let length = |n: usize| match n {
        0 => (size / 4).min(3 * MIB) + 1,
        n if n.is_multiple_of(10) => 100 * n as u64,
        _ => 0,
    };
    let name = |n: usize| match n % 5 {
        0 => format!("BOOT{n}.EFI"),
        1 => format!("a long and clashing name {n}.conf"),
        2 => format!("Ünïcödé {n} 日本.txt"),
        3 => format!("lower{n}.cfg"),
        _ => format!("{}{n}", "very long ".repeat(20)),
    };
    let files = |from: usize, to: usize| (from.min(count)..to.min(count)).map(|n| file(name(n), length(n), n));
    if count == 0 {
        return Vec::new();
    }
    let deep = directory("level three", files(100, 200).collect());
    let boot = directory("BOOT", files(20, 100).chain([deep]).collect());
    let many = directory("a directory with many", files(200, count).collect());
    vec![directory("EFI", vec![boot, directory("empty", Vec::new())]), many]
        .into_iter()
        .chain(files(0, 20))
        .collect()
}

/// The volume in a file with holes.
fn image(volume: &Volume, directory: &Path) -> (std::path::PathBuf, Plan) {
    let plan = check_round_trip(volume);
    let path = directory.join("volume.img");
    let file = File::create(&path).unwrap();
    file.set_len(plan.size()).unwrap();
    for (offset, bytes) in sparse(volume, &plan).parts {
        file.write_all_at(&bytes, offset).unwrap();
    }
    (path, plan)
}

#[test]
fn fatfs_reads_the_same_files() {
    let scratch = tempfile::tempdir().unwrap();
    for sector_size in [512, 4096] {
        for size in [64 * KIB, MIB, 5 * MIB, 17 * MIB, 64 * MIB, 260 * MIB, 600 * MIB] {
            for count in [0, 1, 300] {
                if size == 64 * KIB && count > 0 {
                    continue;
                }
                let volume = volume(sample(count, size), Size::Exact(size), sector_size);
                let (path, plan) = image(&volume, scratch.path());
                check_by_fatfs(&volume, &plan, &path);
            }
        }
    }
}

fn check_by_fatfs(volume: &Volume, plan: &Plan, path: &Path) {
    let disk = File::options().read(true).write(true).open(path).unwrap();
    let system = ::fatfs::FileSystem::new(disk, ::fatfs::FsOptions::new()).unwrap();
    let kind = match system.fat_type() {
        ::fatfs::FatType::Fat12 => FatKind::Fat12,
        ::fatfs::FatType::Fat16 => FatKind::Fat16,
        ::fatfs::FatType::Fat32 => FatKind::Fat32,
    };
    assert_eq!(kind, plan.kind());
    assert_eq!(system.cluster_size(), plan.cluster_size());
    assert_eq!(system.volume_label(), volume.label);
    assert_eq!(system.volume_id(), 0x1234_5678);

    let mut wanted = paths(&volume.root);
    let mut waiting = vec![(String::new(), system.root_dir())];
    while let Some((parent, directory)) = waiting.pop() {
        for entry in directory.iter().map(Result::unwrap) {
            let name = entry.file_name();
            if name == "." || name == ".." {
                continue;
            }
            let path = format!("{parent}/{name}");
            match wanted.remove(&path).unwrap_or_else(|| panic!("{path} is new")) {
                Some((length, key)) => {
                    let mut bytes = Vec::new();
                    entry.to_file().read_to_end(&mut bytes).unwrap();
                    assert!(bytes == content(key, length), "{path}");
                }
                None => waiting.push((path, entry.to_dir())),
            }
        }
    }
    assert!(wanted.is_empty(), "lost: {wanted:?}");
}

/// A volume that another writer filled, in pieces: fatfs frees files and writes longer ones into the gaps.
#[test]
fn a_fragmented_volume_reads_as_fatfs_reads_it() {
    let scratch = tempfile::tempdir().unwrap();
    let empty = volume(Vec::new(), Size::Exact(2 * MIB), 512);
    let (path, _) = image(&empty, scratch.path());
    let disk = File::options().read(true).write(true).open(&path).unwrap();
    let system = ::fatfs::FileSystem::new(disk, ::fatfs::FsOptions::new()).unwrap();
    let root = system.root_dir();
    let directory = root.create_dir("a directory").unwrap();
    for n in 0..230 {
        root.create_file(&format!("f{n}"))
            .unwrap()
            .write_all(&[7; 5000])
            .unwrap();
        directory
            .create_file(&format!("a name that takes three entries {n}"))
            .unwrap();
    }
    for n in (0..230).step_by(2) {
        root.remove(&format!("f{n}")).unwrap();
    }
    let wanted = content(5, 300_000);
    root.create_file("in pieces").unwrap().write_all(&wanted).unwrap();
    drop((directory, root));
    system.unmount().unwrap();

    let bytes = std::fs::read(&path).unwrap();
    let contents = read(&bytes).unwrap();
    assert_eq!(contents.notes, Vec::<String>::new());
    let entry = contents
        .entries
        .iter()
        .find(|entry| entry.path == "/in pieces")
        .unwrap();
    assert!(entry.extents.len() > 10);
    let held: Vec<u8> = entry
        .extents
        .iter()
        .flat_map(|&(offset, length)| bytes.read_vec_at(offset, length).unwrap())
        .collect();
    assert!(held == wanted);
    assert_eq!(agrees(&bytes, &contents), Ok(()));
    let mut fewer = contents.clone();
    fewer.entries.retain(|entry| entry.path != "/in pieces");
    assert_eq!(agrees(&bytes, &fewer), Err("/in pieces is not the same".into()));
    let what = What::Directory("/a directory".into());
    assert!(contents.regions.iter().filter(|region| region.what == what).count() > 1);
    assert!(contents.regions.is_sorted_by_key(|region| region.offset));
}
