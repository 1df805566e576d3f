//! An image is changed where it is, in its file or on a stick, and changed back.
//!
//! The old bytes of everything that will be written go into a journal beside it first ([`journal`]), which is on the disk before the first
//! byte changes. So whatever ends the program, [`undo()`] gives back what was there. Writing is not atomic, and need not be.

mod journal;
mod place;
mod steps;
#[cfg(test)]
mod tests;
mod undo;

use std::path::{Path, PathBuf};

use super::DeviceError;
use super::host::Host;
use super::medium::Medium;
use super::target::{Kind, Target};
use crate::ground::range::Range;
use crate::ground::stamp::Stamp;
use crate::output::{BoxedError, Interrupt, Piece};
use journal::{Journal, State};
pub(super) use place::Place;
use steps::{Steps, apply};
pub use undo::undo;

/// Bytes that are moved at a time.
const PIECE: usize = 1 << 20;

/// An image that has to come to where an older one is.
pub struct Changed<'p, P> {
    /// The path that pieces of the older one have.
    pub base: &'p Path,
    /// What the file was when the older one was read.
    pub stamp: &'p Stamp,
    /// In bytes.
    pub size: u64,
    /// By offset; between them are zeros.
    pub pieces: P,
}

/// What an edit has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// Ranges of bytes.
    pub ranges: usize,
    /// Bytes in them.
    pub bytes: u64,
}

/// Where the journal of a target is by default: beside a file; for a disk in the working directory, by its model and serial number.
pub fn journal_path(target: &Target) -> PathBuf {
    match target.kind() {
        Kind::File { .. } => {
            let mut name = target.path().as_os_str().to_owned();
            name.push(".undo");
            name.into()
        }
        Kind::Disk { disk, .. } => {
            let serial = disk.serial.as_deref().unwrap_or(&disk.name);
            let name = format!("{}-{serial}.undo", disk.model);
            let letters = name.chars().map(|letter| match letter {
                letter if letter.is_ascii_alphanumeric() || "._-".contains(letter) => letter,
                _ => '_',
            });
            letters.collect::<String>().trim_start_matches(['-', '.']).into()
        }
    }
}

/// Refuses a file whose bytes a mounted loop device shows: the file system would change under it.
///
/// # Errors
/// [`DeviceError::Refused`].
pub fn check_unused(host: &Host, target: &Target) -> Result<(), DeviceError> {
    let Kind::File { .. } = target.kind() else {
        return Ok(());
    };
    match host.loops_of(target.path()).find(|disk| !disk.uses.is_empty()) {
        None => Ok(()),
        Some(disk) => {
            let reason = format!("the loop device {} shows it, and is in use", disk.path.display());
            Err(DeviceError::refused(target.path(), reason))
        }
    }
}

/// Writes what differs. A second edit of the same image appends to its journal.
///
/// # Errors
/// [`DeviceError::Refused`] before anything is changed: there is no room behind the image, or the journal is of another state of it. Others may
/// leave a part of the change; the journal takes it back.
pub fn edit<'p>(
    medium: &mut Medium,
    journal: &Path,
    changed: Changed<'p, impl Iterator<Item = Result<Piece<'p>, BoxedError>>>,
    progress: &mut dyn FnMut(u64, u64),
    interrupt: &Interrupt,
) -> Result<Edited, DeviceError> {
    let path = medium.path().to_owned();
    medium.lock()?;
    medium.is_still(changed.stamp)?;
    run(medium, &path, journal, changed, progress, interrupt)
}

fn run<'p>(
    place: &mut dyn Place,
    name: &Path,
    journal: &Path,
    changed: Changed<'p, impl Iterator<Item = Result<Piece<'p>, BoxedError>>>,
    progress: &mut dyn FnMut(u64, u64),
    interrupt: &Interrupt,
) -> Result<Edited, DeviceError> {
    let before = place.length();
    if !place.can_grow() && changed.size > before {
        let reason = format!(
            "there is no room behind the image: it would have {} bytes, and there are {before}",
            changed.size
        );
        return Err(DeviceError::refused(name, reason));
    }
    let mut journal = Journal::open(journal)?;
    match journal.state() {
        State::Empty => {}
        State::Unfinished => {
            let reason = format!(
                "an edit of it was interrupted: `isobuild undo` takes that back ({})",
                journal.path().display()
            );
            return Err(DeviceError::refused(name, reason));
        }
        State::Done(digest) => journal.check(place, name, digest)?,
    }
    let base = changed.base;
    let steps =
        Steps::of(changed.pieces, base, changed.size).map_err(|error| DeviceError::image(name, error.to_string()))?;
    if steps.is_empty() && changed.size == before {
        return Ok(Edited::default());
    }
    let after = if place.can_grow() { changed.size } else { before };
    let old: Vec<Range> = steps
        .ranges()
        .into_iter()
        .filter_map(|range| cut(range, before))
        .collect();
    journal.begin(place, name, (before, after), &old)?;
    // From here on the image may be changed in part.
    if interrupt.requested().is_some() {
        interrupted(interrupt)?;
    }
    if after > before {
        place
            .set_length(after)
            .map_err(DeviceError::io(name, "make room in", Some(after)))?;
    }
    let total = steps.bytes();
    let mut update = |done: u64| progress(done, total);
    apply(place, name, &steps, &mut update, interrupt)?;
    place
        .sync()
        .map_err(DeviceError::io(name, "flush the writes to", None))?;
    journal.finish(place, name)?;
    Ok(Edited {
        ranges: steps.ranges().len(),
        bytes: total,
    })
}

/// Whether an edit has begun that is not complete.
pub fn is_unfinished(journal: &Path) -> bool {
    Journal::open(journal).is_ok_and(|journal| journal.state() == State::Unfinished)
}

/// The part of a range before an end.
fn cut(range: Range, end: u64) -> Option<Range> {
    let stop = range.end().min(end);
    (stop > range.offset).then(|| Range {
        offset: range.offset,
        length: stop - range.offset,
    })
}

fn interrupted(interrupt: &Interrupt) -> Result<(), DeviceError> {
    interrupt
        .requested()
        .map_or(Ok(()), |signal| Err(DeviceError::Interrupted(signal)))
}
