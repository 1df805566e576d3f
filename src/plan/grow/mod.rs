//! An existing image, changed where it is: what it has keeps its place, and what is new stands behind its data.
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
mod hierarchy;
mod listing;
mod names;
mod pairs;
mod sessions;
mod tables;
mod tag;
mod udf;
mod volumes;

use std::borrow::Cow;
use std::io;
use std::path::Path;

use crate::facts::{Changed, What};
use crate::formats::iso9660::{self, FIELD, FIELD_LENGTH, Iso9660Error, MediaMd5, MediaTag, SECTOR, TagSumming};
use crate::formats::udf::UdfError;
use crate::ground::block::NotABlock;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::ground::shift::move_in_order;
use crate::ground::stamp::Stamp;
use crate::ground::text;
use crate::output::{Piece, PieceSource};
use crate::plan::Late;
use crate::tree::PayloadId;
use crate::tree::base::Growth;
use crate::tree::source::Source;

use draft::{Draft, Stretch};
use gone::Gone;
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

/// A base with its changes, every byte decided.
#[derive(Debug)]
pub struct Grown {
    growth: Growth,
    draft: Draft,
    warnings: Vec<String>,
    /// Warnings of what stays as it is.
    stays: Vec<String>,
    volume_size: u64,
    has_media_md5: bool,
    /// The digest by tagmedia that the image carries, as the base has it.
    media_tag: Option<MediaTag>,
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
        let warnings = names::change(growth, &mut volumes.indexes, &mut draft, &mut gone)?;
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
        // HFS+ has the files of the base where they were.
        let of_hfs = volumes.hfs.iter().map(|&offset| Range {
            offset,
            length: base.size() - offset,
        });
        let own = growth.in_use.iter().chain(&volumes.structures).chain(&volumes.older);
        let own = own.copied();
        let in_use: Vec<Range> = own.chain(of_hfs).collect();
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
    let mut fills: Vec<_> = growth.fills.iter().flatten().chain(&growth.in_place).collect();
    fills.sort_by_key(|(range, ..)| range.offset);
    for (range, payload, path) in fills {
        draft.fill(*range, *payload, vec![format!("iso:{}", text::lossless(path))]);
    }
}

impl Grown {
    /// The file or the disk that the base is read from, and what it was then.
    pub fn base(&self) -> Option<(&Path, &Stamp)> {
        match &self.growth.base.source {
            Source::File { path, stamp, .. } => Some((path, stamp)),
            _ => None,
        }
    }

    /// Of the image, in bytes.
    pub fn size(&self) -> u64 {
        self.draft.size()
    }

    /// Every byte that is not the base's at its place.
    pub fn changed(&self) -> Changed {
        Changed {
            extents: self.draft.changes(),
            grows: self.size() - self.growth.base.image.size(),
            moved_from: self.draft.cut(),
        }
    }

    /// The bytes of the volume, as its descriptor says.
    pub fn volume_size(&self) -> u64 {
        self.volume_size
    }

    /// What has to see all bytes of the image, if it carries a digest of tagmedia's.
    pub fn tag_summing(&self) -> Option<TagSumming> {
        let tag = self.media_tag.clone()?;
        Some(TagSumming::new(tag, self.volume_size))
    }

    /// Whether the image carries the sum of its own bytes.
    pub fn wants_media_md5(&self) -> bool {
        self.has_media_md5
    }

    /// What a person should know.
    pub fn warnings(&self) -> Vec<String> {
        [self.warnings_of_changes(), self.stays.clone()].concat()
    }

    /// Of these, what is also true if the image is laid out anew.
    pub fn warnings_of_changes(&self) -> Vec<String> {
        self.growth.warnings.iter().chain(&self.warnings).cloned().collect()
    }

    /// New contents: where they stand in the image, and where they come from.
    pub fn contents(&self) -> impl Iterator<Item = (Range, &Source)> {
        let payloads = self.draft.payloads().iter();
        payloads.map(|&(range, id)| (range, &self.growth.tree.payload(id).source))
    }

    /// Which ranges of the image are the bytes of a source, by offset.
    pub fn stretches(&self) -> Vec<(Range, Source)> {
        let stretches = self.draft.stretches().into_iter();
        let of_sources = stretches.filter_map(|(range, stretch)| match stretch {
            Stretch::Own(_) => None,
            Stretch::Base(offset) => Some((range, self.growth.base.source.part(Range { offset, ..range }))),
            Stretch::Payload(id) => Some((range, self.growth.tree.payload(id).source.clone())),
        });
        of_sources.collect()
    }

    /// Where the bytes come from.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let payloads = self.growth.tree.payloads().iter().map(|payload| &payload.source);
        payloads.chain([&self.growth.base.source])
    }

    /// The pieces of the image by offset; between them are zeros.
    pub fn pieces<'g>(&'g self, late: &'g Late) -> impl Iterator<Item = Result<Piece<'g>, GrowError>> {
        self.draft.stretches().into_iter().map(|(range, stretch)| {
            let source = match stretch {
                Stretch::Own(number) => PieceSource::Bytes(self.own(number, range.length as usize, late)),
                Stretch::Base(offset) => part(&self.growth.base.source, offset)?,
                Stretch::Payload(id) => self.payload(id)?,
            };
            Ok(Piece {
                offset: range.offset,
                length: range.length,
                source,
            })
        })
    }

    /// The bytes of a sector that the draft holds. The primary volume descriptor gets the digest of the image once it is known.
    fn own<'g>(&'g self, number: u64, length: usize, late: &Late) -> Cow<'g, [u8]> {
        let bytes = self.draft.own(number);
        let bytes = &bytes[..length.min(bytes.len())];
        let sum = late.media_md5.as_ref().map(MediaMd5::encode);
        match sum.or(late.media_tag) {
            Some(field) if number * SECTOR == iso9660::SYSTEM_AREA => {
                let mut bytes = bytes.to_vec();
                if let Some(place) = bytes.get_mut(FIELD..FIELD + FIELD_LENGTH) {
                    place.copy_from_slice(&field);
                }
                Cow::Owned(bytes)
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    fn payload(&self, id: PayloadId) -> Result<PieceSource<'_>, GrowError> {
        part(&self.growth.tree.payload(id).source, 0)
    }
}

/// The bytes of a source from an offset on. Only files have offsets other than 0.
fn part(source: &Source, from: u64) -> Result<PieceSource<'_>, GrowError> {
    match source {
        Source::Bytes(bytes, _) => Ok(PieceSource::Bytes(Cow::Borrowed(bytes))),
        Source::Given(bytes) => Ok(PieceSource::Given(bytes)),
        Source::File {
            path, stamp, offset, ..
        } => Ok(PieceSource::File {
            path,
            stamp,
            offset: offset + from,
        }),
    }
}

/// The bytes of the image. New contents read as zeros: [`Grown::contents`] says where they are.
impl ReadAt for Grown {
    fn size(&self) -> u64 {
        self.draft.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.draft.read_exact_at(buffer, offset)
    }
}
