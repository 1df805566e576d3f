//! An edit that ends at any write leaves an image that undo makes the old one again.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::place::Place;
use super::*;
use crate::ground::stamp::Stamp;
use crate::output::PieceSource;

/// A file or a disk in memory, whose writes fail after so many.
#[derive(Clone)]
struct Memory {
    bytes: Vec<u8>,
    is_file: bool,
    writes: usize,
}

impl Memory {
    fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            is_file: true,
            writes: usize::MAX,
        }
    }

    fn spend(&mut self) -> io::Result<()> {
        self.writes = self.writes.checked_sub(1).ok_or(io::ErrorKind::Other)?;
        Ok(())
    }
}

impl Place for Memory {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn can_grow(&self) -> bool {
        self.is_file
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self
            .bytes
            .get(offset as usize..)
            .and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // Half of a write that fails is done.
        let is_last = self.writes == 0;
        let length = if is_last { bytes.len() / 2 } else { bytes.len() };
        let place = self
            .bytes
            .get_mut(offset as usize..)
            .and_then(|rest| rest.get_mut(..length));
        place
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(&bytes[..length]);
        self.spend()
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.spend()?;
        self.bytes.resize(length as usize, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.spend()
    }
}

const BASE: &str = "base.iso";

/// 6,000 bytes, of which the last 2,000 stand behind the data.
fn old() -> Vec<u8> {
    (0..6000_u32).map(|number| (number % 251) as u8).collect()
}

/// What `old` becomes: 500 new bytes, the tail behind them, some changed bytes in both parts, and zeros.
fn new(old: &[u8], mark: u8) -> Vec<u8> {
    let mut new = [&old[..4000], &[mark; 300], &[0; 400], &old[4000..]].concat();
    new[100..110].fill(mark);
    new[2000..2100].fill(0);
    new[5000..5004].fill(mark);
    new
}

/// As pieces of the base, bytes of its own, and gaps.
fn pieces<'p>(old: &'p [u8], mark: u8, stamp: &'p Stamp) -> Vec<Piece<'p>> {
    let base = |offset: u64, end: u64, from: u64| Piece {
        offset,
        length: end - offset,
        source: PieceSource::File {
            path: Path::new(BASE),
            stamp,
            offset: from,
        },
    };
    let own = |offset: u64, length: u64| Piece {
        offset,
        length,
        source: PieceSource::Bytes(Cow::Owned(vec![mark; length as usize])),
    };
    vec![
        base(0, 100, 0),
        own(100, 10),
        base(110, 2000, 110),
        base(2100, 4000, 2100),
        own(4000, 300),
        base(4700, 5000, 4000),
        own(5000, 4),
        base(5004, old.len() as u64 + 700, 4304),
    ]
}

fn stamp() -> Stamp {
    Stamp {
        dev: 0,
        ino: 0,
        size: 0,
        mtime: (0, 0),
        ctime: (0, 0),
    }
}

fn change(place: &mut Memory, journal: &Path, mark: u8) -> Result<Edited, DeviceError> {
    let (old, stamp) = (place.bytes.clone(), stamp());
    let size = if place.is_file { old.len() as u64 + 700 } else { 6700 };
    let changed = Changed {
        base: Path::new(BASE),
        stamp: &stamp,
        size,
        pieces: pieces(&old[..size as usize - 700], mark, &stamp).into_iter().map(Ok),
    };
    run(
        place,
        Path::new("image"),
        journal,
        changed,
        &mut |_, _| {},
        &Interrupt::default(),
    )
}

#[test]
fn an_edit_that_ends_at_any_write_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("image.undo");
    let old = old();
    let mut writes = 0;
    loop {
        let mut place = Memory::of(&old);
        place.writes = writes;
        let done = change(&mut place, &journal, 1);
        let is_done = done.is_ok();
        if is_done {
            assert_eq!(place.bytes, new(&old, 1));
        } else {
            let error = change(&mut place.clone(), &journal, 1).unwrap_err().to_string();
            assert!(error.contains("was interrupted"), "{error}");
        }
        // Undo ends at any write, too, and is repeated.
        for steps in 0.. {
            place.writes = steps;
            if undo::run(&mut place, Path::new("image"), &journal).is_ok() {
                break;
            }
        }
        assert!(place.bytes == old, "after {writes} writes");
        assert!(!journal.exists());
        if is_done {
            break;
        }
        writes += 1;
    }
    assert!(writes > 6, "{writes}");
}

#[test]
fn undo_gives_the_first_state_back() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("image.undo");
    let old = old();
    let mut place = Memory::of(&old);
    let edited = change(&mut place, &journal, 1).unwrap();
    // 10, 100 and 2,700 bytes that touch.
    assert_eq!((edited.ranges, edited.bytes), (3, 2810));
    let between = place.bytes.clone();
    change(&mut place, &journal, 2).unwrap();
    assert_ne!(place.bytes, between);
    let undone = undo::run(&mut place, Path::new("image"), &journal).unwrap();
    assert_eq!(undone.edits, 2);
    assert_eq!(place.bytes, old);
    let error = undo::run(&mut place, Path::new("image"), &journal)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no edit to take back"), "{error}");
}

#[test]
fn an_image_that_changed_since_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("image.undo");
    let mut place = Memory::of(&old());
    change(&mut place, &journal, 1).unwrap();
    let edited = place.bytes.clone();
    // In what was written, in what it grew by, and longer.
    let mut others = vec![edited.clone(), edited.clone(), [edited.as_slice(), &[0]].concat()];
    others[0][105] ^= 1;
    others[1][6500] ^= 1;
    for other in others {
        let mut place = Memory::of(&other);
        let error = undo::run(&mut place, Path::new("image"), &journal).unwrap_err();
        assert!(matches!(error, DeviceError::Refused { .. }));
        assert_eq!(error.to_string().matches("SHA-256").count(), 1, "{error}");
        assert!(change(&mut place, &journal, 2).is_err());
        assert_eq!(place.bytes, other);
    }
    let mut place = Memory::of(&edited);
    undo::run(&mut place, Path::new("image"), &journal).unwrap();
}

#[test]
fn a_journal_that_is_cut_anywhere_is_of_an_edit_that_was_not_begun() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("image.undo");
    let old = old();
    let mut place = Memory::of(&old);
    // It ends before the first write.
    place.writes = 0;
    assert!(change(&mut place, &journal, 1).is_err());
    let whole = std::fs::read(&journal).unwrap();
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&journal, &whole[..length]).unwrap();
        let mut place = Memory::of(&old);
        let undone = undo::run(&mut place, Path::new("image"), &journal).unwrap_err();
        assert!(matches!(undone, DeviceError::Image { .. }), "{length}: {undone}");
        change(&mut place, &journal, 3).unwrap();
        undo::run(&mut place, Path::new("image"), &journal).unwrap();
        assert_eq!(place.bytes, old, "{length}");
    }
    std::fs::write(&journal, b"something else of the user's").unwrap();
    let error = change(&mut Memory::of(&old), &journal, 1).unwrap_err().to_string();
    assert!(error.contains("not an undo file"), "{error}");
    assert_eq!(std::fs::read(&journal).unwrap(), b"something else of the user's");
}

#[test]
fn a_disk_needs_room_and_keeps_what_is_behind_the_image() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("disk.undo");
    let disk = [old(), vec![9; 5000]].concat();
    let mut place = Memory::of(&disk);
    place.is_file = false;
    change(&mut place, &journal, 1).unwrap();
    assert_eq!(place.bytes[..6700], new(&old(), 1));
    assert_eq!(place.bytes[6700..], [9; 4300]);
    undo::run(&mut place, Path::new("disk"), &journal).unwrap();
    assert!(place.bytes == disk);
    let mut small = Memory::of(&[old(), vec![9; 699]].concat());
    small.is_file = false;
    let before = small.bytes.clone();
    let error = change(&mut small, &journal, 1).unwrap_err();
    assert!(error.to_string().contains("no room behind the image"), "{error}");
    assert_eq!(small.bytes, before);
    assert!(!journal.exists());
}

#[test]
fn a_signal_before_the_first_write_leaves_the_image() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("image.undo");
    let (old, stamp) = (old(), stamp());
    let interrupt = Interrupt::default();
    interrupt.request(2);
    let mut place = Memory::of(&old);
    let changed = Changed {
        base: Path::new(BASE),
        stamp: &stamp,
        size: 6700,
        pieces: pieces(&old, 1, &stamp).into_iter().map(Ok),
    };
    let error = run(
        &mut place,
        Path::new("image"),
        &journal,
        changed,
        &mut |_, _| {},
        &interrupt,
    )
    .unwrap_err();
    assert!(matches!(error, DeviceError::Interrupted(2)));
    assert_eq!(place.bytes, old);
    undo::run(&mut place, Path::new("image"), &journal).unwrap();
    assert_eq!(place.bytes, old);
}
