//! Files get other bytes, and the fatfs crate reads them; every other file stays.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::*;
use crate::ground::read_at::FileAt;

/// The content of every file, as fatfs reads it.
fn contents(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let disk = File::options().read(true).write(true).open(path).unwrap();
    let system = ::fatfs::FileSystem::new(disk, ::fatfs::FsOptions::new()).unwrap();
    let mut found = BTreeMap::new();
    let mut waiting = vec![(String::new(), system.root_dir())];
    while let Some((parent, directory)) = waiting.pop() {
        for entry in directory.iter().map(Result::unwrap) {
            let path = format!("{parent}/{}", entry.file_name());
            if entry.is_file() {
                let mut bytes = Vec::new();
                entry.to_file().read_to_end(&mut bytes).unwrap();
                found.insert(path, bytes);
            } else if !path.ends_with("/.") && !path.ends_with("/..") {
                waiting.push((path, entry.to_dir()));
            }
        }
    }
    found
}

/// A volume that fatfs has written and freed files in, so that its free clusters are in pieces.
fn fragmented(path: &Path, size: u64) {
    let empty = volume(Vec::new(), Size::Exact(size), 512);
    let plan = plan(&empty).unwrap();
    let file = File::create(path).unwrap();
    file.set_len(plan.size()).unwrap();
    for (offset, bytes) in sparse(&empty, &plan).parts {
        file.write_all_at(&bytes, offset).unwrap();
    }
    let disk = File::options().read(true).write(true).open(path).unwrap();
    let system = ::fatfs::FileSystem::new(disk, ::fatfs::FsOptions::new()).unwrap();
    let root = system.root_dir();
    let boot = root.create_dir("EFI").unwrap().create_dir("BOOT").unwrap();
    for number in 0..12 {
        let mut file = root.create_file(&format!("file {number}.bin")).unwrap();
        file.write_all(&content(number, 9000 + 1000 * number as u64)).unwrap();
    }
    for number in [1, 3, 5, 7] {
        root.remove(&format!("file {number}.bin")).unwrap();
    }
    boot.create_file("grub.cfg").unwrap().write_all(b"menu").unwrap();
    boot.create_file("a long name.conf")
        .unwrap()
        .write_all(&content(20, 30_000))
        .unwrap();
    boot.create_file("empty").unwrap();
}

#[test]
fn every_kind_of_volume_takes_other_contents() {
    let scratch = tempfile::tempdir().unwrap();
    for size in [MIB, 17 * MIB, 64 * MIB, 600 * MIB] {
        let path = scratch.path().join("volume.img");
        fragmented(&path, size);
        let mut wanted = contents(&path);
        let kind = read(&FileAt::new(File::open(&path).unwrap()).unwrap()).unwrap().kind;
        for (name, length) in [
            ("/EFI/BOOT/grub.cfg", 5000),
            ("/EFI/BOOT/grub.cfg", 70_000),
            ("/EFI/BOOT/grub.cfg", 3),
            ("/EFI/BOOT/a long name.conf", 45_000),
            ("/EFI/BOOT/empty", 12_345),
            ("/file 2.bin", 0),
            ("/file 2.bin", 100),
        ] {
            let new = content(40, length);
            let volume = FileAt::new(File::open(&path).unwrap()).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            for piece in set_content(&volume, name, &new).unwrap() {
                file.write_all_at(&piece.bytes, piece.offset).unwrap();
            }
            wanted.insert(name.into(), new);
            let found = contents(&path);
            let differs: Vec<&String> = wanted
                .keys()
                .filter(|path| found.get(*path) != wanted.get(*path))
                .collect();
            assert!(
                differs.is_empty() && found.len() == wanted.len(),
                "{kind:?} {name} {length}: {differs:?}"
            );
            // FSInfo's count, both tables and every chain.
            assert_eq!(read(&volume).unwrap().notes, [""; 0], "{kind:?} {name} {length}");
        }
    }
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("volume.img");
    fragmented(&path, MIB);
    let volume = FileAt::new(File::open(&path).unwrap()).unwrap();
    let said = |name: &str, length| set_content(&volume, name, &vec![1; length]).unwrap_err().to_string();
    assert!(said("/EFI/BOOT/grub.cfg", 2 << 20).contains("clusters more"));
    assert!(said("/EFI/BOOT/none", 1).contains("there is no file"));
    assert!(said("/EFI/BOOT", 1).contains("there is no file"));
    assert!(set_content(&vec![0u8; 4096], "/x", b"").is_err());
}
