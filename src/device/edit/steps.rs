//! What has to be written, and in which order: what moves is read before something else takes its place.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::super::DeviceError;
use super::place::Place;
use super::{PIECE, interrupted};
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt as _;
use crate::ground::shift::move_in_order;
use crate::ground::stamp::{self, Stamp};
use crate::output::{BoxedError, Interrupt, Piece, PieceSource};

/// Everything that an image and an older one differ in.
#[derive(Debug, Default)]
pub(super) struct Steps<'p> {
    /// Bytes of the older image that come to another place: where they go, and where they were. They all move towards the end.
    moved: Vec<(Range, u64)>,
    /// Bytes that come from elsewhere; zeros without a source.
    filled: Vec<(Range, Option<PieceSource<'p>>)>,
}

impl<'p> Steps<'p> {
    /// The pieces of the new image, sorted, of which those of the older one have the path `base`.
    pub(super) fn of(
        pieces: impl Iterator<Item = Result<Piece<'p>, BoxedError>>,
        base: &Path,
        size: u64,
    ) -> Result<Self, BoxedError> {
        let mut steps = Self::default();
        let mut at = 0;
        for piece in pieces {
            let piece = piece?;
            let range = Range {
                offset: piece.offset,
                length: piece.length,
            };
            steps.gap(at, range.offset);
            at = range.end();
            match piece.source {
                PieceSource::File { path, offset, .. } if path == base => {
                    if offset != range.offset {
                        steps.moved.push((range, offset));
                    }
                }
                source => steps.filled.push((range, Some(source))),
            }
        }
        steps.gap(at, size);
        match move_in_order(steps.moved.iter().copied()) {
            true => Ok(steps),
            false => Err("the image's parts cannot be moved one after the other, which is a fault of isobuild".into()),
        }
    }

    /// What lies between pieces is zeros.
    fn gap(&mut self, start: u64, end: u64) {
        if end > start {
            let range = Range {
                offset: start,
                length: end - start,
            };
            self.filled.push((range, None));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.filled.is_empty()
    }

    /// What is written, sorted and joined.
    pub(super) fn ranges(&self) -> Vec<Range> {
        let moved = self.moved.iter().map(|(range, _)| *range);
        let filled = self.filled.iter().map(|(range, _)| *range);
        joined(moved.chain(filled).collect())
    }

    /// How many bytes that is.
    pub(super) fn bytes(&self) -> u64 {
        self.ranges().iter().map(|range| range.length).sum()
    }
}

/// Ranges in order, those that touch as one.
pub(super) fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| range.offset);
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges.into_iter().filter(|range| range.length > 0) {
        match joined.last_mut() {
            Some(last) if last.end() >= range.offset => {
                last.length = last.end().max(range.end()) - last.offset;
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Writes all of it. What moves comes first, from the last byte to the first, so that nothing is read that was written before.
pub(super) fn apply(
    place: &mut dyn Place,
    name: &Path,
    steps: &Steps<'_>,
    progress: &mut dyn FnMut(u64),
    interrupt: &Interrupt,
) -> Result<(), DeviceError> {
    let mut buffer = vec![0; PIECE];
    let mut done = 0;
    for &(range, from) in steps.moved.iter().rev() {
        let mut left = range.length;
        while left > 0 {
            interrupted(interrupt)?;
            let step = left.min(PIECE as u64);
            left -= step;
            let bytes = &mut buffer[..step as usize];
            place
                .read(bytes, from + left)
                .map_err(DeviceError::io(name, "read", Some(from + left)))?;
            let to = range.offset + left;
            place
                .write(bytes, to)
                .map_err(DeviceError::io(name, "write", Some(to)))?;
            done += step;
            progress(done);
        }
    }
    for (range, fill) in &steps.filled {
        let source = match fill {
            Some(PieceSource::File { path, stamp, .. }) => Some(opened(path, stamp)?),
            _ => None,
        };
        let mut at = 0;
        while at < range.length {
            interrupted(interrupt)?;
            let step = (range.length - at).min(PIECE as u64);
            let bytes = &mut buffer[..step as usize];
            match (fill, &source) {
                (Some(PieceSource::Bytes(all)), _) => bytes.copy_from_slice(&all[at as usize..][..step as usize]),
                (Some(PieceSource::Given(given)), _) => {
                    given
                        .read_exact_at(bytes, at)
                        .map_err(DeviceError::io(name, "read what goes into", Some(at)))?;
                }
                (Some(PieceSource::File { path, offset, .. }), Some(file)) => {
                    file.read_exact_at(bytes, offset + at)
                        .map_err(DeviceError::io(path, "read", Some(offset + at)))?;
                }
                _ => bytes.fill(0),
            }
            let to = range.offset + at;
            place
                .write(bytes, to)
                .map_err(DeviceError::io(name, "write", Some(to)))?;
            at += step;
            done += step;
            progress(done);
        }
        if let (Some(PieceSource::File { path, stamp, .. }), Some(file)) = (fill, &source) {
            is_unchanged(path, stamp, file)?;
        }
    }
    Ok(())
}

fn opened(path: &Path, stamp: &Stamp) -> Result<File, DeviceError> {
    let file = stamp::open(path).map_err(DeviceError::io(path, "open", None))?;
    is_unchanged(path, stamp, &file)?;
    Ok(file)
}

fn is_unchanged(path: &Path, stamp: &Stamp, file: &File) -> Result<(), DeviceError> {
    let data = file.metadata().map_err(DeviceError::io(path, "look at", None))?;
    match stamp.change(&Stamp::of(&data)) {
        None => Ok(()),
        Some(what) => Err(DeviceError::Changed {
            path: path.to_owned(),
            what,
        }),
    }
}
