use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use super::super::tests::{MIB, bytes, made};
use super::super::{Interrupt, Piece, PieceSource, Target, Wanted, write_all};
use super::*;
use crate::ground::decompress::{Behind, Compression};

/// A disk of two MiB and two sectors: noise, zeros, text, and noise in the last sector.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; 2 * MIB as usize + 1024];
    disk[..70_000].copy_from_slice(&bytes(70_000, 1));
    disk[1_000_000..1_300_000].fill(b'x');
    let last = disk.len() - 512;
    disk[last..].copy_from_slice(&bytes(512, 2));
    disk
}

/// The pieces of the disk.
fn pieces(disk: &[u8]) -> Vec<Piece<'_>> {
    [(0, 70_000), (1_000_000, 300_000), (disk.len() - 512, 512)]
        .map(|(offset, length)| Piece {
            offset: offset as u64,
            length: length as u64,
            source: PieceSource::Bytes(disk[offset..offset + length].into()),
        })
        .to_vec()
}

fn target(directory: &Path, name: &str) -> Target {
    let path = directory.join(name);
    let format = FileFormat::of_path(&path).unwrap();
    Target::of_image(path, format)
}

fn written(targets: &[Target], disk: &[u8], wanted: Wanted<'_>) -> super::super::Written {
    let size = disk.len() as u64;
    let mut quiet = |_| {};
    write_all(
        targets,
        size,
        made(&pieces(disk)),
        wanted,
        &mut quiet,
        &Interrupt::default(),
    )
    .unwrap()
}

fn decompressed(path: &Path, compression: Compression) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    let mut all = Vec::new();
    compression
        .reader(&file[..], &Behind::default())
        .read_to_end(&mut all)
        .unwrap();
    all
}

#[test]
fn one_pass_writes_every_form() {
    let directory = tempfile::tempdir().unwrap();
    let names = [
        "a.iso",
        "a.img",
        "a.iso.gz",
        "a.iso.xz",
        "a.iso.zst",
        "a.qcow2",
        "a.vmdk",
        "a.dmg",
        "a.vhdx.gz",
        "a.vhd",
    ];
    let targets = names.map(|name| target(directory.path(), name));
    let disk = disk();
    let wanted = Wanted {
        image: true,
        files: true,
        ..Wanted::default()
    };
    let report = written(&targets, &disk, wanted);
    let read = |name: &str| fs::read(directory.path().join(name)).unwrap();
    assert!(read("a.iso") == disk);
    let mut whole = disk.clone();
    whole.resize(3 * MIB as usize, 0);
    assert!(read("a.img") == whole);
    for (name, compression) in [
        ("a.iso.gz", Compression::Gzip),
        ("a.iso.xz", Compression::Xz),
        ("a.iso.zst", Compression::Zstd),
    ] {
        assert!(
            decompressed(&directory.path().join(name), compression) == disk,
            "{name}"
        );
    }
    // Of the image and of each file, by another pass.
    let sha256 = |bytes: &[u8]| <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(bytes));
    assert_eq!(report.sha256, Some(sha256(&disk)));
    for (name, file) in names.iter().zip(&report.files) {
        let bytes = read(name);
        assert_eq!(
            (file.size, file.sha256),
            (bytes.len() as u64, Some(sha256(&bytes))),
            "{name}"
        );
    }
    // Nothing else is there.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), names.len());

    // Alone, each has the same bytes: neither other files nor their threads change any.
    let alone = tempfile::tempdir().unwrap();
    for name in names {
        written(&[target(alone.path(), name)], &disk, Wanted::default());
        assert!(fs::read(alone.path().join(name)).unwrap() == read(name), "{name}");
    }
}

#[test]
fn a_file_with_the_same_bytes_is_left_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let targets = ["b.iso", "b.qcow2", "b.img.zst"].map(|name| target(directory.path(), name));
    let wanted = Wanted {
        lists: true,
        ..Wanted::default()
    };
    let disk = disk();
    written(&targets, &disk, wanted);
    let mut names: Vec<PathBuf> = targets.iter().map(|target| target.path.clone()).collect();
    names.extend(targets.iter().map(|target| target.path.with_added_extension("sha256")));
    let inodes = || {
        names
            .iter()
            .map(|name| name.metadata().unwrap().ino())
            .collect::<Vec<_>>()
    };
    let before = inodes();
    let list = fs::read_to_string(&names[3]).unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&disk);
    assert_eq!(list, format!("{}  b.iso\n", crate::ground::text::hex(&digest)));
    written(&targets, &disk, wanted);
    assert_eq!(inodes(), before);
    let mut other = disk;
    other[3] ^= 1;
    written(&targets, &other, wanted);
    assert!(inodes().iter().zip(&before).all(|(now, before)| now != before));
}

#[test]
fn no_file_has_its_name_before_all_are_complete() {
    let directory = tempfile::tempdir().unwrap();
    let size = 4 * MIB;
    let targets = ["c.iso", "c.qcow2", "c.iso.gz"].map(|name| target(directory.path(), name));
    let failing = (0..2).map(|number| match number {
        0 => Ok(Piece {
            offset: 0,
            length: MIB,
            source: PieceSource::Bytes(bytes(MIB, 3).into()),
        }),
        _ => Err(super::super::BoxedError::from("no more")),
    });
    let mut quiet = |_| {};
    let error = write_all(
        &targets,
        size,
        failing,
        Wanted::default(),
        &mut quiet,
        &Interrupt::default(),
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "no more");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);

    let twice = [target(directory.path(), "d.img"), target(directory.path(), "./d.img")];
    let disk = disk();
    let error = write_all(
        &twice,
        disk.len() as u64,
        made(&pieces(&disk)),
        Wanted::default(),
        &mut quiet,
        &Interrupt::default(),
    );
    assert!(error.unwrap_err().to_string().contains("another output"));
    let long = [target(directory.path(), "e.vhd")];
    let error = write_all(
        &long,
        3 << 40,
        made(&[]),
        Wanted::default(),
        &mut quiet,
        &Interrupt::default(),
    )
    .unwrap_err();
    assert!(
        matches!(error, OutputError::TooLong { most, .. } if most == 2040 << 30),
        "{error}"
    );
}

#[test]
fn long_holes_take_no_time_and_no_room() {
    let directory = tempfile::tempdir().unwrap();
    // Half a TiB of zeros: in each form a hole, or a unit of zeros many times over.
    let targets = ["f.img", "f.qcow2", "f.vhdx", "f.vmdk", "f.dmg"].map(|name| target(directory.path(), name));
    let mut quiet = |_| {};
    let piece = Piece {
        offset: (1 << 39) - 512,
        length: 512,
        source: PieceSource::Bytes(bytes(512, 4).into()),
    };
    write_all(
        &targets,
        1 << 39,
        made(&[piece]),
        Wanted::default(),
        &mut quiet,
        &Interrupt::default(),
    )
    .unwrap();
    for target in &targets {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = target.path.metadata().unwrap();
        assert!(
            metadata.blocks() * 512 < 8 * MIB,
            "{:?} takes {} blocks",
            target.path,
            metadata.blocks()
        );
    }
}
