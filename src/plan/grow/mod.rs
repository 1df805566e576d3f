//! An existing image, changed where it is: what it has keeps its place, and what is new stands behind its data. A file whose new content fits into
//! the sectors that it has stays there.
//!
//! Where an appended partition or a backup table stands there, it moves behind the new bytes as one piece ([`Shift`]). So four kinds of
//! bytes are written: records of directories in every hierarchy of every volume, directories and path tables that grow, sizes, and the
//! places of what has moved.
//!
//! [`Shift`]: crate::ground::shift::Shift

mod base_index;
mod draft;
mod fat;
mod gone;
mod grown;
mod hierarchy;
mod listing;
mod names;
mod pairs;
mod room;
mod sessions;
mod tables;
mod tag;
mod udf;
mod volumes;

use std::io;

use crate::facts::What;
use crate::formats::iso9660::{self, FIELD, Iso9660Error, MediaMd5, MediaTag, SECTOR};
use crate::formats::udf::UdfError;
use crate::ground::block::NotABlock;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::shift::move_in_order;
use crate::ground::text;
use crate::tree::base::Growth;

use draft::Draft;
use gone::Gone;
pub use grown::Grown;
use volumes::Volumes;

/// Why an image cannot be changed in place.
#[derive(Debug, thiserror::Error)]
pub enum GrowError {
    /// The base cannot be read.
    #[error("reading the base: {0}")]
    Read(io::Error),
    /// Its ISO 9660 volume cannot be followed, or does not hold what is new.
    #[error(transparent)]
    Iso9660(#[from] Iso9660Error),
    /// Its UDF volume cannot be followed.
    #[error(transparent)]
    Udf(#[from] UdfError),
    /// What is asked for does not go together with what is there.
    #[error("{}", .0)]
    Conflict(String),
    /// What this program does not do.
    #[error("{}", .0)]
    Unsupported(String),
    /// A fault of the planner's.
    #[error("isobuild contradicts itself, which is a bug of it: {0}")]
    Bug(String),
}

/// Every new place is a multiple of a block, below the end that ISO 9660 can number.
impl From<NotABlock> for GrowError {
    fn from(error: NotABlock) -> Self {
        Self::Unsupported(error.to_string())
    }
}

/// Decides where everything goes.
///
/// # Errors
/// What the base cannot hold, or cannot be changed in.
pub fn grow(growth: Growth) -> Result<Grown, GrowError> {
    if growth.is_filled_alone() {
        return Ok(filled(growth));
    }
    let mut laid = Laid::out(&growth, &[], 0)?;
    // `edit` moves the base's bytes inside of one file, the last first.
    let from = match laid.moves_in_order() {
        true => 0,
        false => growth.base.image.size(),
    };
    if from > 0 {
        laid = Laid::out(&growth, &[], from)?;
    }
    let places = laid.places();
    if places.iter().any(|&(_, is_named)| is_named) {
        // Where a volume goes that is a file of the tree depends on the lengths of directories, which depend on no place.
        laid = Laid::out(&growth, &places, from)?;
        if laid.places() != places {
            return Err(GrowError::Bug("a FAT volume has two places".into()));
        }
    }
    let Laid {
        volumes,
        mut draft,
        mut warnings,
        stays,
        in_fat,
        filled,
    } = laid;
    if draft.end() > filled {
        // A GPT keeps some space behind all partitions, also where it has no backup.
        draft.take(volumes.behind);
    }
    // If nothing is new behind the data, no volume and no partition becomes longer.
    let filled = if draft.is_as_long() { 0 } else { filled };
    let mut shift = volumes.shift(filled, draft.end());
    shift.known = fat::ranges(&growth.fat, &in_fat, &shift);
    let size = growth.base.image.size();
    draft.close(shift.by);
    for index in &volumes.indexes {
        index.set_end(&mut draft, &shift)?;
    }
    tables::shift(&mut draft, size, &shift, &volumes.indexes)?;
    for change in &in_fat {
        change.write_within(&mut draft, &shift)?;
    }
    let volume = &volumes.primary;
    let is_changed = !draft.changes().is_empty();
    let has_sum = MediaMd5::decode(&volume.application_use).is_some();
    let has_media_md5 = growth.implant_md5 || (is_changed && has_sum);
    let media_tag = match is_changed && !has_media_md5 && MediaTag::is_in(&volume.application_use) {
        true => tag::renewable(volume, &shift, &mut warnings),
        false => None,
    };
    let is_blank = volume.application_use.iter().all(|byte| [0, b' '].contains(byte));
    if has_media_md5 && !has_sum && !is_blank {
        warnings.push("the implanted MD5 replaces other data in the volume descriptor (application use)".into());
    }
    if has_media_md5 || media_tag.is_some() {
        // The sum is made over spaces, and written when all bytes are known.
        let field = iso9660::SYSTEM_AREA + FIELD as u64;
        draft.write_for_now(field, &MediaMd5::absent(), What::PrimaryDescriptor)?;
    }
    Ok(Grown {
        growth,
        draft,
        warnings,
        stays,
        volume_size: hierarchy::new_end(0, volume, &shift),
        has_media_md5,
        media_tag,
    })
}

/// Everything that is new in its place.
struct Laid<'g> {
    volumes: Volumes,
    draft: Draft,
    warnings: Vec<String>,
    stays: Vec<String>,
    in_fat: Vec<fat::Change<'g>>,
    /// The end of what is new, larger FAT volumes left out.
    filled: u64,
}

impl<'g> Laid<'g> {
    /// `places` are those of the larger FAT volumes, as far as they are known; the volumes go behind byte `from`.
    fn out(growth: &'g Growth, places: &[(u64, bool)], from: u64) -> Result<Self, GrowError> {
        let base = &growth.base.image;
        let mut volumes = Volumes::read(base)?;
        let mut draft = Draft::new(base.clone(), volumes.cut);
        fill(&mut draft, growth);
        let mut gone = Gone::default();
        // HFS+ has the files of the base where they were.
        let of_hfs = volumes.hfs.iter().map(|&offset| Range {
            offset,
            length: base.size() - offset,
        });
        let own = growth.in_use.iter().chain(&volumes.structures).chain(&volumes.older);
        let filled = growth.fills.iter().flatten().map(|(range, ..)| *range);
        let mut in_use: Vec<Range> = own.copied().chain(of_hfs).chain(filled).collect();
        let (warnings, kept) = names::change(growth, &mut volumes.indexes, &in_use, &mut draft, &mut gone)?;
        in_use.extend(kept);
        let mut stays: Vec<String> = sessions::warning(volumes.older_count).into_iter().collect();
        if !draft.is_as_long() || !growth.remove.is_empty() {
            stays.extend(volumes.hfs.iter().map(|start| {
                format!(
                    "the HFS+ volume at byte {start} stays as it is: a system that reads it sees the files of the base"
                )
            }));
        }
        let mut in_fat = fat::changes(&growth.fat, base)?;
        let mut places = places.iter();
        for change in in_fat.iter_mut().filter(|change| change.is_anew()) {
            let place = places
                .next()
                .map_or(volumes.cut.next_multiple_of(SECTOR), |(place, _)| *place);
            change.name(&mut volumes.indexes, &mut draft, place)?;
        }
        for index in &mut volumes.indexes {
            index.finish(&mut draft, &mut gone)?;
        }
        let filled = draft.end();
        gone.erase(&volumes.indexes, &in_use, &mut draft);
        if in_fat.iter().any(fat::Change::is_anew) {
            draft.take(from.saturating_sub(draft.end()));
        }
        for change in &mut in_fat {
            change.write_anew(&mut draft, &in_use)?;
        }
        Ok(Self {
            volumes,
            draft,
            warnings,
            stays,
            in_fat,
            filled,
        })
    }

    /// Whether the larger FAT volumes, and what is behind the cut, can move inside of the base's file.
    fn moves_in_order(&self) -> bool {
        let cut = self.draft.cut();
        let behind = Range {
            offset: self.draft.end(),
            length: self.draft.base_size() - cut,
        };
        let mut moves: Vec<(Range, u64)> = self.draft.copies().chain([(behind, cut)]).collect();
        moves.sort_by_key(|(to, _)| to.offset);
        move_in_order(moves)
    }

    /// Those of the larger FAT volumes, and whether they are files of the tree.
    fn places(&self) -> Vec<(u64, bool)> {
        self.in_fat.iter().filter_map(fat::Change::place).collect()
    }
}

/// The base with other contents of files, and nothing else: it may be any image, and what it says of itself stays.
fn filled(growth: Growth) -> Grown {
    let size = growth.base.image.size();
    let mut draft = Draft::new(growth.base.image.clone(), size);
    fill(&mut draft, &growth);
    draft.close(0);
    Grown {
        growth,
        draft,
        warnings: Vec::new(),
        stays: Vec::new(),
        volume_size: size,
        has_media_md5: false,
        media_tag: None,
    }
}

fn fill(draft: &mut Draft, growth: &Growth) {
    for (range, payload, path) in growth.fills.iter().flatten() {
        draft.fill(*range, *payload, vec![format!("iso:{}", text::lossless(path))]);
    }
}
