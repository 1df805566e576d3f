//! Everything that edits have changed becomes as it was before the first of them.

use std::path::Path;

use super::super::DeviceError;
use super::journal::{Journal, State};
use super::place::Place;
use crate::device::medium::Medium;

/// What has been given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Edits.
    pub edits: usize,
    /// Bytes that were written.
    pub bytes: u64,
}

/// Takes all edits back, the last one first, and removes the journal. A run that ends early can be repeated.
///
/// # Errors
/// [`DeviceError::Image`] if there is no journal; [`DeviceError::Refused`] if the image is not as the last edit left it.
pub fn undo(medium: &mut Medium, journal: &Path) -> Result<Undone, DeviceError> {
    let path = medium.path().to_owned();
    medium.lock()?;
    run(medium, &path, journal)
}

pub(super) fn run(place: &mut dyn Place, name: &Path, path: &Path) -> Result<Undone, DeviceError> {
    let mut journal = Journal::open(path)?;
    let lengths = journal.sections().iter().map(|section| section.lengths);
    let lengths: Vec<u64> = lengths.flat_map(|(before, after)| [before, after]).collect();
    let Some(&first) = lengths.first() else {
        return Err(DeviceError::image(path, "there is no edit to take back"));
    };
    match journal.state() {
        State::Done(digest) => journal.check(place, name, digest)?,
        State::Unfinished if !lengths.contains(&place.length()) => {
            let reason = format!("it has {} bytes, and never had while it was edited", place.length());
            return Err(DeviceError::refused(name, reason));
        }
        _ => {}
    }
    journal.begin_undo()?;
    let mut undone = Undone::default();
    for section in journal.sections().iter().rev() {
        // An edit that ended early may have left the file as short as it was.
        if place.can_grow() && place.length() < section.lengths.0 {
            place.set_length(section.lengths.0).map_err(DeviceError::io(
                name,
                "make room in",
                Some(section.lengths.0),
            ))?;
        }
        journal.old(section, &mut |offset, bytes| {
            undone.bytes += bytes.len() as u64;
            place
                .write(bytes, offset)
                .map_err(DeviceError::io(name, "write", Some(offset)))
        })?;
        undone.edits += 1;
    }
    if place.can_grow() {
        place
            .set_length(first)
            .map_err(DeviceError::io(name, "shorten", Some(first)))?;
    }
    place
        .sync()
        .map_err(DeviceError::io(name, "flush the writes to", None))?;
    journal.remove()?;
    Ok(undone)
}
