//! Pieces, holes, digests and writers at the same time.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::ground::read_at::ReadAt as _;

mod changes;
mod target;

pub(super) const MIB: u64 = 1024 * 1024;

/// Bytes that repeat at no distance a buffer or a block could be wrong by.
pub(super) fn bytes(length: u64, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

/// A host file and what was planned with it.
struct Planned {
    path: PathBuf,
    stamp: Stamp,
    content: Vec<u8>,
}

impl Planned {
    fn new(path: PathBuf, content: Vec<u8>) -> Self {
        fs::write(&path, &content).unwrap();
        Self {
            stamp: Stamp::of(&fs::metadata(&path).unwrap()),
            path,
            content,
        }
    }

    /// Bytes of the file from `from` on, at `offset` of the image.
    fn piece(&self, offset: u64, from: u64, length: u64) -> Piece<'_> {
        let source = PieceSource::File {
            path: &self.path,
            stamp: &self.stamp,
            offset: from,
        };
        Piece { offset, length, source }
    }

    /// The whole file, at `offset` of the image.
    fn whole(&self, offset: u64) -> Piece<'_> {
        self.piece(offset, 0, self.content.len() as u64)
    }
}

fn memory(offset: u64, content: &[u8]) -> Piece<'_> {
    let source = PieceSource::Bytes(Cow::Borrowed(content));
    Piece {
        offset,
        length: content.len() as u64,
        source,
    }
}

/// Writes without a digest and with nobody watching.
/// Pieces of someone who cannot fail.
pub(super) fn made<'a>(pieces: &'a [Piece<'a>]) -> impl Iterator<Item = Result<Piece<'a>, std::convert::Infallible>> {
    pieces.iter().cloned().map(Ok)
}

fn plain(target: &Path, size: u64, pieces: &[Piece<'_>]) -> Result<Written, OutputError> {
    write(target, size, made(pieces), false, &mut |_| {}, &Interrupt::default())
}

/// The names in a directory, hidden ones too.
fn names(directory: &Path) -> Vec<String> {
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(name).collect();
    names.sort();
    names
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    <sha2::Sha256 as sha2::Digest>::digest(bytes).into()
}

#[test]
fn pieces_and_the_zeros_between_them() {
    let host = TempDir::new().unwrap();
    let long = Planned::new(host.path().join("long"), bytes(5 * MIB + 777, 1));
    let short: Vec<_> = (0..300)
        .map(|i| Planned::new(host.path().join(format!("{i}")), bytes(i * 37 % 9000, i)))
        .collect();
    let metadata = bytes(3 * MIB + 1, 2);
    let given = Shared::new(bytes(MIB + 5, 3));

    let mut pieces = vec![memory(32 * 1024, &metadata[..4096]), memory(40 * 1024, &metadata[..1])];
    let mut at = 64 * 1024;
    for planned in &short {
        pieces.push(planned.whole(at));
        at += planned.stamp.size.next_multiple_of(2048);
    }
    // A hole, a file on a block and off it, parts of it as of an archive, and memory right behind.
    at = at.next_multiple_of(4096) + 3 * MIB;
    pieces.push(long.whole(at));
    at += (5 * MIB + 777).next_multiple_of(2048) + 2048;
    pieces.push(long.whole(at));
    at += 5 * MIB + 777;
    pieces.push(long.piece(at, 4096, 4 * MIB));
    at += 4 * MIB;
    pieces.push(long.piece(at, 1, 100_000));
    at += 100_000;
    pieces.push(memory(at, &metadata));
    at += 3 * MIB + 1;
    pieces.push(Piece {
        offset: at,
        length: MIB + 5,
        source: PieceSource::Given(&given),
    });
    let size = at + MIB + 5 + 5 * MIB;

    let mut expected = vec![0; size as usize];
    for piece in &pieces {
        let content = match &piece.source {
            PieceSource::Bytes(bytes) => bytes.to_vec(),
            PieceSource::Given(bytes) => bytes.read_vec_at(0, piece.length).unwrap(),
            PieceSource::File { path, offset, .. } => {
                fs::read(path).unwrap()[*offset as usize..][..piece.length as usize].to_vec()
            }
        };
        expected[piece.offset as usize..][..content.len()].copy_from_slice(&content);
    }
    let mut seen = Vec::with_capacity(expected.len());
    let mut take = |bytes: &[u8]| seen.extend_from_slice(bytes);
    let absent = host.path().join("nothing is written");
    let all = made(&pieces);
    digest(&absent, size, all, &mut take, &mut |_| {}, &Interrupt::default()).unwrap();
    assert!(seen == expected && !absent.exists());
    for hash in [false, true] {
        let target = host.path().join("image");
        let mut steps = Vec::new();
        let written = write(
            &target,
            size,
            made(&pieces),
            hash,
            &mut |n| steps.push(n),
            &Interrupt::default(),
        );
        let image = fs::read(&target).unwrap();
        assert!(image == expected);
        assert_eq!(written.unwrap().sha256, hash.then(|| sha256(&expected)));
        assert!(steps.is_sorted());
        assert_eq!((steps.first(), steps.last()), (Some(&0), Some(&size)));
        let allocated = fs::metadata(&target).unwrap().blocks() * 512;
        assert!(allocated < size - 7 * MIB, "{allocated} of {size} bytes are allocated");
    }
}

#[test]
fn an_image_of_nothing_and_one_of_zeros() {
    let host = TempDir::new().unwrap();
    let target = host.path().join("image");
    for size in [0, 1, 65_535, 65_536, 3 * MIB + 5] {
        let written = write(&target, size, made(&[]), true, &mut |_| {}, &Interrupt::default()).unwrap();
        let image = fs::read(&target).unwrap();
        assert!(image.len() as u64 == size && image.iter().all(|&byte| byte == 0));
        assert_eq!(written.sha256, Some(sha256(&image)));
    }
}

#[test]
fn pieces_that_make_no_image() {
    let host = TempDir::new().unwrap();
    let planned = Planned::new(host.path().join("file"), bytes(100, 1));
    let target = host.path().join("image");
    let wrong_length = Piece {
        offset: 0,
        length: 7,
        source: PieceSource::Bytes(Cow::Borrowed(b"8 bytes.")),
    };
    for pieces in [
        vec![memory(0, b"12345"), memory(4, b"5")],
        vec![memory(4, b"5"), memory(0, b"1234")],
        vec![memory(4090, b"1234567")],
        vec![memory(u64::MAX, b"1")],
        vec![wrong_length],
        vec![planned.piece(0, 1, 100)],
        vec![planned.piece(0, u64::MAX, 1)],
    ] {
        let error = plain(&target, 4096, &pieces).unwrap_err();
        assert!(matches!(error, OutputError::Io { action: "lay out", .. }), "{error}");
        assert_eq!(names(host.path()), ["file"]);
    }
    let error = plain(&target, u64::MAX, &[]).unwrap_err();
    assert!(matches!(error, OutputError::Io { .. }), "{error}");
}

#[test]
fn holes_of_a_source_stay_holes() {
    let host = TempDir::new().unwrap();
    let path = host.path().join("sparse");
    let file = fs::File::create_new(&path).unwrap();
    file.set_len(64 * MIB + 3).unwrap();
    file.write_all_at(&bytes(MIB, 1), 5 * MIB).unwrap();
    file.write_all_at(b"tail", 50 * MIB + 1).unwrap();
    let stamp = Stamp::of(&file.metadata().unwrap());
    let source = PieceSource::File {
        path: &path,
        stamp: &stamp,
        offset: 0,
    };
    let pieces = [Piece {
        offset: 2048,
        length: stamp.size,
        source,
    }];
    let target = host.path().join("image");
    for hash in [false, true] {
        let mut quiet = |_| {};
        let size = stamp.size + 2048;
        let written = write(&target, size, made(&pieces), hash, &mut quiet, &Interrupt::default());
        let image = fs::read(&target).unwrap();
        assert!(image[..2048] == [0; 2048] && image[2048..] == fs::read(&path).unwrap());
        assert_eq!(written.unwrap().sha256, hash.then(|| sha256(&image)));
        assert!(fs::metadata(&target).unwrap().blocks() * 512 < 2 * MIB);
    }
}

#[test]
fn a_signal_stops_the_write() {
    for (done, signal) in [(0, 2), (20 * MIB, 15), (64 * MIB, 1)] {
        let host = TempDir::new().unwrap();
        let planned = Planned::new(host.path().join("source"), bytes(40 * MIB, 1));
        let target = host.path().join("image");
        fs::write(&target, "old").unwrap();
        let interrupt = Interrupt::default();
        let mut progress = |now| {
            if now >= done {
                interrupt.request(signal);
            }
        };
        let pieces = [planned.whole(4096)];
        let error = write(&target, 64 * MIB, made(&pieces), false, &mut progress, &interrupt);
        assert!(matches!(error, Err(OutputError::Interrupted(got)) if got == signal));
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(host.path()), ["image", "source"]);
    }
}

#[test]
fn the_last_of_two_writers_wins_whole() {
    for round in 0..10 {
        let host = TempDir::new().unwrap();
        let target = host.path().join("image");
        let contents: Vec<_> = (0..4).map(|i| bytes(3 * MIB, round * 4 + i)).collect();
        thread::scope(|scope| {
            for content in &contents {
                scope.spawn(|| plain(&target, 3 * MIB, &[memory(0, content)]).unwrap());
            }
        });
        assert!(contents.contains(&fs::read(&target).unwrap()));
        assert_eq!(names(host.path()), ["image"]);
    }
}

#[test]
fn errors_escape_what_a_terminal_would_obey() {
    let error = io_error(Path::new("a\x1b[2J\u{202e}b"), "read", Some(5))(io::Error::other("why"));
    assert_eq!(error.to_string(), r#"cannot read "a\u{1b}[2J\u{202e}b" at byte 5: why"#);
}
