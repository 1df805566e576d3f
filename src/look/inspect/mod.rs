//! Image to facts, from the bytes alone: every index is followed, and every byte is accounted for.
//!
//! It works on any image, not on ours alone. What contradicts a standard is a fault in the description; only an image that cannot be
//! read at all is an error.

mod agreement;
mod disk;
mod fat_volumes;
mod foreign;
mod indexes;
mod names;
mod tables;
mod udf_volume;
mod volume;

use std::io;

use crate::facts::extents::{settle, with_unclaimed};
use crate::facts::verdicts;
use crate::facts::{Common, Description, Found, Partition, What};
use crate::formats::fat;
use crate::formats::iso9660;
use crate::formats::udf;
use crate::ground::read_at::ReadAt;
use crate::look::contents::Tree;
use crate::look::started;

pub(crate) use agreement::compare;
pub(crate) use disk::{Contents, Volume, numbered, volumes, within};
pub(crate) use foreign::{START, by_start, foreign, not_an_image, refuse};
pub(crate) use indexes::{Index, Indexes, best, read as indexes};

/// Why an image cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Reading failed.
    #[error("reading the image: {0}")]
    Io(#[from] io::Error),
    /// It has neither a volume nor a partition.
    #[error("{}", .0)]
    NotAnImage(String),
    /// The ISO 9660 volume cannot be followed.
    #[error(transparent)]
    Iso9660(#[from] iso9660::Iso9660Error),
    /// The UDF volume cannot be followed.
    #[error(transparent)]
    Udf(#[from] udf::UdfError),
}

/// Everything that the bytes of `image` say; of several sessions the newest.
///
/// # Errors
/// When there is nothing in it that could be described, or it cannot be read.
pub fn inspect(image: &dyn ReadAt) -> Result<Description, InspectError> {
    inspect_session(image, None)
}

/// The same of a session, counted from 1, the oldest. What firmware looks at does not depend on it.
///
/// # Errors
/// Also when the image has no such session.
pub fn inspect_session(image: &dyn ReadAt, session: Option<usize>) -> Result<Description, InspectError> {
    foreign::refuse(image)?;
    let mut facts = Common {
        size: image.size(),
        ..Common::default()
    };
    let mut found = Found {
        remarks: foreign::unsupported(image)?,
        ..Found::default()
    };
    let mut claims = Vec::new();
    tables::read(image, &mut facts, &mut found, &mut claims)?;
    let indexes = indexes::read(image, session)?;
    let boot_images = volume::boot_catalogs(image, &indexes.sessions, &mut facts, &mut claims);
    let names = names::Names::of(&indexes);
    volume::read(image, &indexes, &names, &mut facts, &mut found, &mut claims)?;
    udf_volume::read(image, &indexes, &names, &mut facts, &mut found, &mut claims)?;
    disk::read(image, indexes.is_disk(), &mut facts, &mut found, &mut claims)?;
    disagreements(&indexes, &mut facts, &mut found);
    fat_volumes::read(image, &mut facts, &mut found, &mut claims);
    for extent in boot_images {
        match claims.iter_mut().find(|claim| claim.offset == extent.offset) {
            // Two entries start one image; it is as long as the longer says.
            Some(claim) if claim.what == What::BootImage => claim.length = claim.length.max(extent.length),
            // A boot image that is a file or the ESP is claimed already.
            Some(_) => {}
            None => claims.push(extent),
        }
    }
    for claim in &mut claims {
        claim.length = claim.length.min(image.size().saturating_sub(claim.offset));
    }
    let extents = settle(claims);
    facts.extents = with_unclaimed(extents, image, 0, image.size())?;
    if indexes.is_disk() {
        facts.extents = disk::named(facts.extents, image, &facts.partitions, &found.volumes)?;
    }
    facts.menu_programs = match session {
        None if started::is_asked_for(&facts) => {
            let tree = Tree::of_indexes(indexes);
            tree.map_or_else(Vec::new, |tree| started::programs_of(image, &facts, tree))
        }
        // Firmware reads the newest session, even if an older one is described.
        _ => started::menu_programs(image, &facts),
    };
    let mut image = Description {
        facts,
        found,
        ..Description::default()
    };
    image.cells = verdicts::cells(&image, &[]);
    Ok(image)
}

/// Adds what the indexes do not agree on.
fn disagreements(indexes: &Indexes, facts: &mut Common, found: &mut Found) {
    facts.faults.extend(indexes.faults.iter().cloned());
    found.remarks.extend(indexes.of_sessions());
    let Some(best) = best(&indexes.all) else {
        return;
    };
    for other in (0..indexes.all.len()).filter(|&other| other != best) {
        let differences = compare(&indexes.all[best], &indexes.all[other]);
        facts.faults.extend(differences.faults);
        found.remarks.extend(differences.remarks);
    }
}

/// The partitions of every table.
///
/// # Errors
/// When the file is not an image, or cannot be read.
pub fn partitions(image: &dyn ReadAt) -> Result<Vec<Partition>, InspectError> {
    foreign::refuse(image)?;
    let mut facts = Common::default();
    tables::read(image, &mut facts, &mut Found::default(), &mut Vec::new())?;
    Ok(facts.partitions)
}

/// What firmware looks at before any file: partition tables, the boot code, the boot catalog.
///
/// # Errors
/// When the file is not an image, or cannot be read.
pub fn boot_structures(image: &dyn ReadAt) -> Result<Common, InspectError> {
    foreign::refuse(image)?;
    let (mut facts, mut claims) = (Common::default(), Vec::new());
    tables::read(image, &mut facts, &mut Found::default(), &mut claims)?;
    let sessions = match iso9660::sessions(image) {
        Err(iso9660::Iso9660Error::NotIso9660(_)) if udf::is_announced(image)? || disk::is_disk(image)? => Vec::new(),
        sessions => sessions?,
    };
    volume::boot_catalogs(image, &sessions, &mut facts, &mut claims);
    Ok(facts)
}

/// The FAT volumes that [`inspect()`] describes, in its order: where each begins, and what is in it.
///
/// # Errors
/// When the file is not an image, or cannot be read.
pub fn fat_volumes(image: &dyn ReadAt) -> Result<impl Iterator<Item = (u64, fat::Contents)>, InspectError> {
    let facts = boot_structures(image)?;
    let volumes = fat_volumes::volumes(image, &facts);
    Ok(volumes.map(|(offset, _, contents)| (offset, contents)))
}
