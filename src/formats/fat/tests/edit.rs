//! Files get other bytes, come and go, and the fatfs crate reads them; every other file stays.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::*;
use crate::ground::range::Range;
use crate::ground::read_at::{FileAt, ReadAt};

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

/// 2024-02-29T12:34:56Z.
const AT: Timestamp = Timestamp::from_unix(1_709_210_096);

/// Gives one file its content.
fn set(volume: &dyn ReadAt, path: &str, content: &[u8]) -> Result<Vec<Piece>, EditError> {
    let edits = [Edit {
        path,
        becomes: Becomes::File(content),
        modified: AT,
    }];
    edit(volume, &edits, &[])
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
            for piece in set(&volume, name, &new).unwrap() {
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
    let said = |name: &str, length| set(&volume, name, &vec![1; length]).unwrap_err().to_string();
    assert!(said("/EFI/BOOT/grub.cfg", 2 << 20).contains("clusters more"));
    assert!(said("/EFI/BOOT", 1).contains("/EFI/BOOT is a directory"));
    assert!(said("/efi/boot/GRUB.CFG/x", 1).contains("/EFI/BOOT/grub.cfg is a file"));
    assert!(said("/a:b", 1).contains("cannot contain any of"));
    let gone = Edit {
        path: "/none",
        becomes: Becomes::Nothing,
        modified: AT,
    };
    let error = edit(&volume, &[gone], &[]).unwrap_err();
    assert!(error.to_string().contains("there is no file /none"), "{error}");
    assert!(set(&vec![0u8; 4096], "/x", b"").is_err());
}

/// Bytes of a volume, with pieces written over them.
fn written(mut bytes: Vec<u8>, pieces: Vec<Piece>) -> Vec<u8> {
    for piece in pieces {
        let start = piece.offset as usize;
        bytes[start..start + piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    bytes
}

#[test]
fn files_come_and_go_in_every_kind_of_volume() {
    let scratch = tempfile::tempdir().unwrap();
    for size in [MIB, 17 * MIB, 40 * MIB] {
        let path = scratch.path().join("volume.img");
        fragmented(&path, size);
        let mut wanted = contents(&path);
        let old = std::fs::read(&path).unwrap();
        let (large, small) = (content(50, 40_000), content(51, 10));
        let many: Vec<String> = (0..40)
            .map(|number| format!("/EFI/BOOT/one of many files, number {number}"))
            .collect();
        let mut edits = vec![
            ("/new/deep/Mixed Case.Txt", Some(&large)),
            ("/EFI/BOOT/SHORT.CFG", Some(&small)),
            ("/efi/boot/another long name.conf", Some(&small)),
            ("/file 2.bin", None),
            ("/EFI/BOOT/A LONG NAME.CONF", None),
            ("/file 2.bin", Some(&small)),
            ("/once", Some(&small)),
            ("/once", None),
        ];
        edits.extend(many.iter().map(|path| (path.as_str(), Some(&small))));
        let edits: Vec<Edit<'_>> = edits
            .into_iter()
            .map(|(path, content)| Edit {
                path,
                becomes: content.map_or(Becomes::Nothing, |content| Becomes::File(content)),
                modified: AT,
            })
            .collect();
        let new = written(old.clone(), edit(&old, &edits, &[]).unwrap());
        std::fs::write(&path, &new).unwrap();
        wanted.remove("/EFI/BOOT/a long name.conf");
        wanted.insert("/new/deep/Mixed Case.Txt".into(), large);
        for name in ["/EFI/BOOT/SHORT.CFG", "/EFI/BOOT/another long name.conf", "/file 2.bin"] {
            wanted.insert(name.into(), small.clone());
        }
        wanted.extend(many.iter().map(|path| (path.clone(), small.clone())));
        assert_eq!(contents(&path), wanted);
        let read = read(&new).unwrap();
        assert_eq!(read.notes, [""; 0], "{:?}", read.kind);
        let dates = |path: &str| read.entries.iter().find(|entry| entry.path == path).unwrap().modified;
        assert_eq!((dates("/new"), dates("/new/deep/Mixed Case.Txt")), (AT, AT));

        // A directory goes with all that is in it, and its bytes are zeros.
        let gone = Edit {
            path: "/NEW",
            becomes: Becomes::Nothing,
            modified: AT,
        };
        let pieces = edit(&new, &[gone], &[]).unwrap();
        let all_zero = pieces.iter().filter(|piece| piece.path.starts_with("/new"));
        assert!(all_zero.clone().count() > 2 && all_zero.flat_map(|piece| &piece.bytes).all(|byte| *byte == 0));
        let without = written(new, pieces);
        std::fs::write(&path, &without).unwrap();
        wanted.remove("/new/deep/Mixed Case.Txt");
        assert_eq!(contents(&path), wanted);
    }
}

#[test]
fn bytes_that_another_file_has_too_stay() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("volume.img");
    fragmented(&path, MIB);
    let old = std::fs::read(&path).unwrap();
    let found = read(&old).unwrap();
    let entry = found.entries.iter().find(|entry| entry.path == "/file 2.bin").unwrap();
    let foreign: Vec<Range> = entry
        .extents
        .iter()
        .map(|&(offset, length)| Range { offset, length })
        .collect();
    let new = content(60, 5000);
    for content in [Some(new.as_slice()), None] {
        let edits = [
            Edit {
                path: "/file 2.bin",
                becomes: content.map_or(Becomes::Nothing, Becomes::File),
                modified: AT,
            },
            // It would take the clusters that are free now.
            Edit {
                path: "/large.bin",
                becomes: Becomes::File(&[7; 100_000]),
                modified: AT,
            },
        ];
        let bytes = written(old.clone(), edit(&old, &edits, &foreign).unwrap());
        for range in &foreign {
            let range = range.offset as usize..range.end() as usize;
            assert_eq!(bytes[range.clone()], old[range]);
        }
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(contents(&path).get("/file 2.bin").map(Vec::as_slice), content);
        assert_eq!(read(&bytes).unwrap().notes, [""; 0]);
    }
}

#[test]
fn a_root_directory_of_fixed_length_fills_up() {
    let empty = volume(Vec::new(), Size::Exact(MIB), 512);
    let plan = plan(&empty).unwrap();
    let mut bytes = vec![0; MIB as usize];
    for (offset, part) in sparse(&empty, &plan).parts {
        bytes[offset as usize..offset as usize + part.len()].copy_from_slice(&part);
    }
    let names: Vec<String> = (0..600).map(|number| format!("/F{number}")).collect();
    let edits: Vec<Edit<'_>> = names
        .iter()
        .map(|path| Edit {
            path,
            becomes: Becomes::File(b""),
            modified: AT,
        })
        .collect();
    // 512 entries by the boot sector; the label may have one of them.
    assert!(edit(&bytes, &edits[..510], &[]).is_ok());
    let error = edit(&bytes, &edits, &[]).unwrap_err().to_string();
    assert!(error.contains("FAT12 has 512"), "{error}");
}

/// The size of a volume, by bytes of content that is new, the kind of the larger volume, and whether a file has to be freed first.
#[test]
fn a_full_volume_is_made_anew_and_every_cluster_keeps_its_number() {
    let scratch = tempfile::tempdir().unwrap();
    for (size, length, kind) in [
        (MIB, 500_000, FatKind::Fat12),
        (MIB, 1 << 20, FatKind::Fat12),
        // 4096 bytes a cluster, and FAT12 has 4084 at most.
        (MIB, 17 << 20, FatKind::Fat16),
        (17 * MIB, 20 << 20, FatKind::Fat16),
        (600 * MIB, 601 << 20, FatKind::Fat32),
    ] {
        let path = scratch.path().join("volume.img");
        fragmented(&path, size);
        let mut wanted = contents(&path);
        let before = FileAt::new(File::open(&path).unwrap()).unwrap();
        let old = read(&before).unwrap();
        let new = vec![7; length];
        let edits = [
            Edit {
                path: "/EFI/BOOT/large file.bin",
                becomes: Becomes::File(&new),
                modified: AT,
            },
            Edit {
                path: "/FILE 2.BIN",
                becomes: Becomes::Nothing,
                modified: AT,
            },
        ];
        if length > 600_000 {
            assert!(
                matches!(edit(&before, &edits, &[]), Err(EditError::Full { .. })),
                "{size}"
            );
        }
        let (enlarged, pieces) = enlarge(&before, &edits).unwrap();
        assert_eq!(enlarged.size() % 4096, 0, "{size}");
        // Little more than what is new, its directory, and longer tables.
        let most = size + length as u64 + length as u64 / 50 + 10 * 4096;
        let is_small = kind != old.kind || enlarged.size() <= most;
        assert!(is_small, "{size}: {} bytes, {most} at most", enlarged.size());
        let larger = scratch.path().join("larger.img");
        let file = File::create(&larger).unwrap();
        file.set_len(enlarged.size()).unwrap();
        file.write_all_at(&enlarged.head, 0).unwrap();
        let data = before.read_vec_at(enlarged.data.offset, enlarged.data.length).unwrap();
        file.write_all_at(&data, enlarged.head.len() as u64).unwrap();
        // The same bytes as it reads them itself.
        let written = FileAt::new(File::open(&larger).unwrap()).unwrap();
        for at in (0..enlarged.size()).step_by(1 << 20) {
            let here = (enlarged.size() - at).min(1 << 20);
            assert!(written.read_vec_at(at, here).unwrap() == enlarged.read_vec_at(at, here).unwrap());
        }
        for piece in pieces {
            file.write_all_at(&piece.bytes, piece.offset).unwrap();
        }
        let found = read(&written).unwrap();
        assert_eq!((found.notes.as_slice(), found.kind), (&[][..], kind), "{size}");
        assert_eq!((found.serial, &found.label), (old.serial, &old.label), "{size}");
        agrees(&written, &found).unwrap();
        wanted.insert("/EFI/BOOT/large file.bin".into(), new);
        wanted.remove("/file 2.bin").unwrap();
        assert!(contents(&larger) == wanted, "{size}");
        // Clusters keep their numbers: what is not edited has the same distance from the begin of the data area.
        let distance = |contents: &Contents, head: u64| -> BTreeMap<String, Vec<(u64, u64)>> {
            let files = contents.entries.iter().filter(|entry| entry.path.starts_with("/file"));
            let from = |extents: &[(u64, u64)]| extents.iter().map(|&(at, length)| (at - head, length)).collect();
            files.map(|entry| (entry.path.clone(), from(&entry.extents))).collect()
        };
        let mut of_old = distance(&old, enlarged.data.offset);
        of_old.remove("/file 2.bin");
        assert_eq!(distance(&found, enlarged.head.len() as u64), of_old, "{size}");
    }
    // FAT16 ends at 65,524 clusters, here of 4096 bytes.
    let path = scratch.path().join("volume.img");
    fragmented(&path, 17 * MIB);
    let volume = FileAt::new(File::open(&path).unwrap()).unwrap();
    let Err(error) = Enlarged::of(&volume, 62_000) else {
        panic!("a FAT16 of too many clusters");
    };
    assert!(error.to_string().contains("FAT16 has not so many"), "{error}");
}
