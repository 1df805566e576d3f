//! The journal of an image: the old bytes of every range that edits write.
//!
//! A file of sections behind [`MAGIC`]. Numbers are little-endian and have eight bytes.
//!
//! | section | holds |
//! |---|---|
//! | `EDIT` | the image's length before and after, how many ranges, offset and length of each, their old bytes, SHA-256 of all of the section so far |
//! | `DONE` | the edit is complete: SHA-256 of what [`Journal::digest`] reads |
//! | `UNDO` | from here on the image may have old bytes again |
//!
//! A section without its sum at the end of the file was being written when the program ended: nothing of that edit has been done.

mod read;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::super::DeviceError;
use super::place::Place;
use super::steps::joined;
use super::{PIECE, cut};
use crate::ground::range::Range;
use crate::ground::text;

const MAGIC: &[u8; 16] = b"isobuild undo 1\n";
const EDIT: [u8; 4] = *b"EDIT";
const DONE: [u8; 4] = *b"DONE";
const UNDO: [u8; 4] = *b"UNDO";
const SUM: u64 = 32;

/// Takes bytes, and where in the image they are.
type Give<'g> = dyn FnMut(u64, &[u8]) -> Result<(), DeviceError> + 'g;

/// What one edit overwrites.
#[derive(Debug)]
pub(super) struct Section {
    /// The image's length before and after.
    pub(super) lengths: (u64, u64),
    /// In the image, sorted.
    pub(super) ranges: Vec<Range>,
    /// Where in the journal the old bytes begin.
    pub(super) data: u64,
}

/// How the last edit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The journal has no edit.
    Empty,
    /// It may be done in part.
    Unfinished,
    /// It is done, and the bytes have this digest.
    Done([u8; 32]),
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// None while there is no such file.
    file: Option<File>,
    sections: Vec<Section>,
    state: State,
    /// The end of the sections that are whole.
    end: u64,
}

impl Journal {
    /// Reads the journal at `path`, if there is one.
    pub(super) fn open(path: &Path) -> Result<Self, DeviceError> {
        let mut journal = Self {
            path: path.to_owned(),
            file: None,
            sections: Vec::new(),
            state: State::Empty,
            end: 0,
        };
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => {
                journal.read(&file)?;
                journal.file = Some(file);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DeviceError::io(path, "open", None)(error)),
        }
        Ok(journal)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The edits, the first one first.
    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Writes the old bytes of the ranges. They are on the disk when this returns.
    pub(super) fn begin(
        &mut self,
        place: &dyn Place,
        name: &Path,
        lengths: (u64, u64),
        ranges: &[Range],
    ) -> Result<(), DeviceError> {
        let is_new = self.file.is_none();
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                let options = options.read(true).write(true).create_new(true).mode(0o600);
                options.open(&self.path).map_err(self.failed("make"))?
            }
        };
        let written = self.write_section(&file, place, name, lengths, ranges);
        if written.is_err() {
            // Nothing is changed so far, and nothing is left behind.
            match is_new {
                true => drop(std::fs::remove_file(&self.path)),
                false => drop(file.set_len(self.end)),
            }
        }
        let end = written?;
        self.sync_directory(is_new)?;
        let count = ranges.len() as u64;
        let start = self.end.max(16);
        self.sections.push(Section {
            lengths,
            ranges: ranges.to_vec(),
            data: start + 28 + count * 16,
        });
        self.end = end;
        self.state = State::Unfinished;
        self.file = Some(file);
        Ok(())
    }

    /// The end of the section.
    fn write_section(
        &self,
        file: &File,
        place: &dyn Place,
        name: &Path,
        (before, after): (u64, u64),
        ranges: &[Range],
    ) -> Result<u64, DeviceError> {
        file.set_len(self.end).map_err(self.failed("shorten"))?;
        if self.end == 0 {
            file.write_all_at(MAGIC, 0).map_err(self.failed("write"))?;
        }
        let mut head = EDIT.to_vec();
        let places = ranges.iter().flat_map(|range| [range.offset, range.length]);
        for number in [before, after, ranges.len() as u64].into_iter().chain(places) {
            head.extend(number.to_le_bytes());
        }
        let mut at = self.end.max(16);
        let mut sum = Sha256::new();
        let mut put = |_, bytes: &[u8]| -> Result<(), DeviceError> {
            sum.update(bytes);
            file.write_all_at(bytes, at).map_err(self.failed("write"))?;
            at += bytes.len() as u64;
            Ok(())
        };
        put(0, &head)?;
        each(place, name, ranges, &mut put)?;
        let sum: [u8; 32] = sum.finalize().into();
        file.write_all_at(&sum, at).map_err(self.failed("write"))?;
        file.sync_all().map_err(self.failed("flush the writes to"))?;
        Ok(at + SUM)
    }

    /// The name of a new file is on the disk when its directory is.
    fn sync_directory(&self, is_new: bool) -> Result<(), DeviceError> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        if is_new {
            let directory = File::open(parent).map_err(DeviceError::io(parent, "open", None))?;
            directory
                .sync_all()
                .map_err(DeviceError::io(parent, "flush the writes to", None))?;
        }
        Ok(())
    }

    /// The edit is done.
    pub(super) fn finish(&mut self, place: &dyn Place, name: &Path) -> Result<(), DeviceError> {
        let digest = self.digest(place, name)?;
        self.append(&[&DONE[..], &digest].concat())?;
        self.state = State::Done(digest);
        Ok(())
    }

    /// From now on the image may have old bytes.
    pub(super) fn begin_undo(&mut self) -> Result<(), DeviceError> {
        self.append(&UNDO)?;
        self.state = State::Unfinished;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        file.set_len(self.end).map_err(self.failed("shorten"))?;
        let written = file.write_all_at(bytes, self.end).map_err(self.failed("write"));
        let written = written.and_then(|()| file.sync_all().map_err(self.failed("flush the writes to")));
        match written {
            Ok(()) => self.end += bytes.len() as u64,
            // It may not be on the disk: the journal says what it said before.
            Err(_) => file.set_len(self.end).unwrap_or_default(),
        }
        written
    }

    /// Old bytes, a piece at a time: where they belong, and what they are.
    pub(super) fn old(&self, section: &Section, give: &mut Give<'_>) -> Result<(), DeviceError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut buffer = vec![0; PIECE];
        let mut from = section.data;
        for range in &section.ranges {
            let mut at = 0;
            while at < range.length {
                let step = (range.length - at).min(PIECE as u64) as usize;
                file.read_exact_at(&mut buffer[..step], from)
                    .map_err(self.failed("read"))?;
                give(range.offset + at, &buffer[..step])?;
                at += step as u64;
                from += step as u64;
            }
        }
        Ok(())
    }

    /// Removes the file: there is nothing to take back any more.
    pub(super) fn remove(self) -> Result<(), DeviceError> {
        std::fs::remove_file(&self.path).map_err(self.failed("remove"))?;
        self.sync_directory(true)
    }

    /// The digest of the image as far as edits have written it: of its length, of every range of every edit, and of what it has grown by.
    fn digest(&self, place: &dyn Place, name: &Path) -> Result<[u8; 32], DeviceError> {
        let mut ranges: Vec<Range> = self
            .sections
            .iter()
            .flat_map(|section| section.ranges.clone())
            .collect();
        for &(before, after) in self.sections.iter().map(|section| &section.lengths) {
            ranges.push(Range {
                offset: before,
                length: after.saturating_sub(before),
            });
        }
        let length = place.length();
        let ranges: Vec<Range> = joined(ranges)
            .into_iter()
            .filter_map(|range| cut(range, length))
            .collect();
        let mut sum = Sha256::new();
        sum.update(length.to_le_bytes());
        each(place, name, &ranges, &mut |_, bytes| {
            sum.update(bytes);
            Ok(())
        })?;
        Ok(sum.finalize().into())
    }

    /// Refuses a place that is not as the last edit left it.
    pub(super) fn check(&self, place: &dyn Place, name: &Path, wanted: [u8; 32]) -> Result<(), DeviceError> {
        let digest = self.digest(place, name)?;
        if digest == wanted {
            return Ok(());
        }
        let reason = format!(
            "it is not what the edit left: SHA-256 of what {} covers was {} then, and is {} now",
            text::visible_path(&self.path),
            text::hex(&wanted),
            text::hex(&digest)
        );
        Err(DeviceError::refused(name, reason))
    }

    fn failed<E: Into<io::Error>>(&self, action: &'static str) -> impl FnOnce(E) -> DeviceError {
        DeviceError::io(&self.path, action, None)
    }
}

/// The bytes of ranges, a piece at a time.
fn each(place: &dyn Place, name: &Path, ranges: &[Range], give: &mut Give<'_>) -> Result<(), DeviceError> {
    let mut buffer = vec![0; PIECE];
    for range in ranges {
        let mut at = range.offset;
        while at < range.end() {
            let step = (range.end() - at).min(PIECE as u64) as usize;
            place
                .read(&mut buffer[..step], at)
                .map_err(DeviceError::io(name, "read", Some(at)))?;
            give(at, &buffer[..step])?;
            at += step as u64;
        }
    }
    Ok(())
}
