//! FAT volumes of the base in which files change: where they are, or, if they have no room, as larger ones behind the data.

use super::GrowError;
use super::base_index::BaseIndex;
use super::draft::Draft;
use crate::facts::fat::fat_what;
use crate::facts::{self, What};
use crate::formats::fat::Piece;
use crate::formats::iso9660::EntryKind;
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::shift::Shift;
use crate::ground::text;
use crate::tree::base::{FatChange, FatVolume};

/// A volume in which files change.
#[derive(Debug)]
pub(super) struct Change<'g> {
    volume: &'g FatVolume,
    /// What is written into it.
    pieces: Vec<Piece>,
    anew: Option<Anew>,
}

/// A larger volume.
#[derive(Debug)]
struct Anew {
    /// Everything before the data area.
    head: Vec<u8>,
    /// The data area of the old one, in the base.
    data: Range,
    /// In bytes, a multiple of a block.
    size: u64,
    /// Where it goes, once that is known.
    place: Option<u64>,
    /// Whether it is a file of the tree.
    is_named: bool,
}

/// What becomes of the volumes.
pub(super) fn changes<'g>(volumes: &'g [FatVolume], base: &dyn ReadAt) -> Result<Vec<Change<'g>>, GrowError> {
    let edited = volumes.iter().filter(|volume| !volume.edits.is_empty());
    let change = |volume: &'g FatVolume| {
        let window = Window::new(base, volume.start, base.size().saturating_sub(volume.start));
        let changed = volume.changed(&window).map_err(|error| {
            let name = facts::esp_name(volume.number);
            GrowError::Unsupported(format!("{name}: {error}"))
        })?;
        let (pieces, anew) = match changed {
            FatChange::Within(pieces) => (pieces, None),
            FatChange::Anew(enlarged, pieces) => {
                let anew = Anew {
                    data: Range {
                        offset: volume.start + enlarged.data.offset,
                        length: enlarged.data.length,
                    },
                    size: enlarged.size(),
                    head: enlarged.head,
                    place: None,
                    is_named: false,
                };
                (pieces, Some(anew))
            }
        };
        Ok::<_, GrowError>(Change { volume, pieces, anew })
    };
    let changes: Result<Vec<_>, _> = edited.map(change).collect();
    let mut changes = changes?;
    // Larger ones are written in the order of the old ones.
    changes.sort_by_key(|change| change.volume.start);
    Ok(changes)
}

impl Change<'_> {
    /// If the volume is made anew and is a file of the tree, the names lead to the byte `place`.
    pub(super) fn name(&mut self, indexes: &mut [BaseIndex], draft: &mut Draft, place: u64) -> Result<(), GrowError> {
        let Some(anew) = &mut self.anew else {
            return Ok(());
        };
        for index in indexes {
            let named: Vec<usize> = index.listing().at_place(self.volume.start).collect();
            for entry in named {
                let kind = index.listing().get(entry).map(|entry| &entry.kind);
                if kind == Some(&EntryKind::File) {
                    anew.is_named = true;
                    // The old volume is erased as a whole.
                    index.set_content(draft, entry, (place, anew.size))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn is_anew(&self) -> bool {
        self.anew.is_some()
    }

    /// Where the larger volume stands, and whether it is a file of the tree.
    pub(super) fn place(&self) -> Option<(u64, bool)> {
        let anew = self.anew.as_ref()?;
        Some((anew.place?, anew.is_named))
    }

    /// Writes the larger volume behind everything else. The old one becomes zeros, but for bytes of other files and of the ranges `in_use`.
    pub(super) fn write_anew(&mut self, draft: &mut Draft, in_use: &[Range]) -> Result<(), GrowError> {
        let Some(anew) = &mut self.anew else {
            return Ok(());
        };
        let place = draft.take_aligned(anew.size, self.volume.start);
        anew.place = Some(place);
        let name = vec![format!("{}/", facts::esp_name(self.volume.number))];
        let data = Range {
            offset: place + anew.head.len() as u64,
            length: anew.data.length,
        };
        draft.copy(data, anew.data.offset, name.clone());
        draft.write(place, &anew.head, What::FatBootSector, &name)?;
        self.write(draft, place)?;
        let old = self.volume.range();
        let foreign = self.volume.foreign.iter().map(|range| Range {
            offset: old.offset + range.offset,
            length: range.length,
        });
        let others = in_use.iter().copied().filter(|range| range.offset != old.offset);
        // What is before the cut stays, and what is behind it moves.
        let cut = Range {
            offset: draft.cut(),
            length: 0,
        };
        for range in old.without(foreign.chain(others).chain([cut])) {
            draft.erase(range, name.clone());
        }
        Ok(())
    }

    /// Writes into a volume that has room, where it is now.
    pub(super) fn write_within(&self, draft: &mut Draft, shift: &Shift) -> Result<(), GrowError> {
        match self.anew {
            Some(_) => Ok(()),
            None => self.write(draft, shift.start(self.volume.start)),
        }
    }

    fn write(&self, draft: &mut Draft, start: u64) -> Result<(), GrowError> {
        let name = facts::esp_name(self.volume.number);
        for piece in &self.pieces {
            let (what, paths) = match &piece.what {
                Some(what) => fat_what(what, self.volume.number),
                None => (
                    What::File,
                    vec![format!("{name}{}", text::lossless(piece.path.as_bytes()))],
                ),
            };
            draft.write(start + piece.offset, &piece.bytes, what, &paths)?;
        }
        Ok(())
    }
}

/// Where the base has each volume, and where it is then. One that is not made anew is as long as before, whatever is put behind it.
pub(super) fn ranges(volumes: &[FatVolume], changes: &[Change<'_>], shift: &Shift) -> Vec<(Range, Range)> {
    let now = |volume: &FatVolume| {
        let old = volume.range();
        let change = changes.iter().find(|change| change.volume.start == volume.start);
        let anew = change.and_then(|change| change.anew.as_ref());
        let now = match anew.and_then(|anew| Some((anew.place?, anew.size))) {
            Some((offset, length)) => Range { offset, length },
            None => Range {
                offset: shift.start(old.offset),
                ..old
            },
        };
        (old, now)
    };
    volumes.iter().map(now).collect()
}
