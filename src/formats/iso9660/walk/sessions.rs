//! The sessions of an image: volumes that were added one after the other, each with descriptors of its own.
//!
//! All addresses count from the start of the disc, so that a later volume can name what an earlier one holds. Two programs write them:
//! genisoimage appends sectors that begin with 16 of a system area, and the first volume stays at sector 16; xorriso and growisofs,
//! on media that can be overwritten, put a copy of the newest descriptors there.

use super::super::descriptor::{Descriptor, VolumeDescriptor, VolumeKind, read_descriptors_at};
use super::super::{Iso9660Error, SECTOR, SYSTEM_AREA};
use super::raw::Raw;
use crate::ground::read_at::ReadAt;

/// How many sessions a disc has at most: MMC numbers tracks from 1 to 99.
const SESSIONS: usize = 99;
/// What may be between two sessions: the lead-out of the first and the lead-in of the second, 6,750 and 4,500 sectors (of later
/// ones 2,250 and 4,500), with a pause.
const BETWEEN: u64 = 16_384 * SECTOR;
/// What is read at once in search of a session.
const STEP: u64 = 1 << 20;
/// Sessions on media that can be overwritten begin with an error-correction block: 16 sectors.
const ALIGNMENT: u64 = 16 * SECTOR;
/// Where the root directory of a session that is alone in its file is searched for, from sector 16 on.
const NEAR: u64 = 1 << 17;

/// A volume descriptor set.
#[derive(Debug)]
pub struct Session {
    /// The byte at which the session begins, before its system area.
    pub start: u64,
    /// With the byte offset of each.
    pub descriptors: Vec<(u64, Descriptor)>,
    /// Those of another set with the same root directory, likewise: xorriso leaves a session its own set when it copies that to sector 16.
    pub copies: Vec<(u64, Descriptor)>,
}

impl Session {
    fn at(image: &dyn ReadAt, start: u64) -> Result<Self, Iso9660Error> {
        let descriptors = read_descriptors_at(image, start + SYSTEM_AREA)?;
        Ok(Self {
            start,
            descriptors,
            copies: Vec::new(),
        })
    }

    /// §7.7.2: the first of its kind.
    pub fn volume(&self, kind: VolumeKind) -> Option<&VolumeDescriptor> {
        self.descriptors.iter().find_map(|(_, descriptor)| match descriptor {
            Descriptor::Volume(volume) if volume.kind == kind => Some(volume.as_ref()),
            _ => None,
        })
    }

    fn root(&self) -> u64 {
        self.volume(VolumeKind::Primary).map_or(0, |volume| volume.root.offset)
    }
}

/// The sessions that can be read, the oldest first.
///
/// # Errors
/// When there is no volume descriptor set in sector 16, when it cannot be read, or when it is that of a later session without those
/// before it.
pub fn sessions(image: &dyn ReadAt) -> Result<Vec<Session>, Iso9660Error> {
    let first = Session::at(image, 0)?;
    let Some(primary) = first.volume(VolumeKind::Primary) else {
        return Ok(vec![first]);
    };
    let (root, end) = (primary.root.offset, primary.space);
    if !names_itself(image, root) {
        return match moved_by(image, root) {
            Some(sectors) => Err(Iso9660Error::NotIso9660(format!(
                "this is a later session of a disc, alone: its addresses count from the start of that disc, where it begins with \
                 sector {sectors}; put the sessions that come before it in front of it"
            ))),
            None => Ok(vec![first]),
        };
    }
    let mut sessions = vec![first];
    earlier(image, root, &mut sessions);
    later(image, end, &mut sessions);
    sessions.sort_by_key(|session| (session.root(), session.start));
    sessions.dedup_by_key(|session| session.start);
    sessions.dedup_by(|other, session| {
        let is_same = other.root() == session.root();
        if is_same {
            session.copies.append(&mut other.descriptors);
        }
        is_same
    });
    Ok(sessions)
}

/// Adds the sessions before a root directory.
fn earlier(image: &dyn ReadAt, root: u64, sessions: &mut Vec<Session>) {
    let mut start = ALIGNMENT;
    while start + SYSTEM_AREA < root && sessions.len() < SESSIONS {
        sessions.extend(session(image, start));
        start += ALIGNMENT;
    }
}

/// Adds the sessions behind the end of a volume.
fn later(image: &dyn ReadAt, mut end: u64, sessions: &mut Vec<Session>) {
    let mut at = end;
    while at < end.saturating_add(BETWEEN) && sessions.len() < SESSIONS {
        let length = STEP.min(image.size().saturating_sub(at));
        let Ok(bytes) = image.read_vec_at(at, length) else {
            return;
        };
        let primary = bytes
            .chunks(SECTOR as usize)
            .position(|sector| sector.starts_with(b"\x01CD001\x01"));
        let Some(sector) = primary else {
            if length < STEP {
                return;
            }
            at += STEP;
            continue;
        };
        let descriptors = at + sector as u64 * SECTOR;
        at = descriptors + SECTOR;
        let found = descriptors
            .checked_sub(SYSTEM_AREA)
            .and_then(|start| session(image, start));
        if let Some(found) = found {
            // The space of an appended volume is its own.
            let space = found.volume(VolumeKind::Primary).map_or(0, |volume| volume.space);
            end = found.start.saturating_add(space).max(at);
            at = end;
            sessions.push(found);
        }
    }
}

/// The session that begins at `start`, if there is one: its root directory is behind it, by an address that counts from the start of
/// the image. The second volume of an image whose first partition can be mounted, and a whole image in a file, have addresses that
/// count from elsewhere.
fn session(image: &dyn ReadAt, start: u64) -> Option<Session> {
    let mut head = [0; 7];
    image.read_exact_at(&mut head, start.checked_add(SYSTEM_AREA)?).ok()?;
    if head != *b"\x01CD001\x01" {
        return None;
    }
    let session = Session::at(image, start).ok()?;
    let root = session.root();
    (root > start + SYSTEM_AREA && names_itself(image, root)).then_some(session)
}

/// Whether a directory begins at `offset`: its first record says where it is, §7.8.1.1.
fn names_itself(image: &dyn ReadAt, offset: u64) -> bool {
    first_record(image, offset).is_some_and(|extent| extent * SECTOR == offset)
}

/// What the first record of the directory at `offset` says, in logical blocks.
fn first_record(image: &dyn ReadAt, offset: u64) -> Option<u64> {
    let bytes = image.read_vec_at(offset, SECTOR).ok()?;
    let record = Raw::parse(&bytes).filter(|record| record.identifier == [0])?;
    Some(record.extent.into())
}

/// How many logical sectors before itself a volume counts from, if its root directory is in the image and says so.
fn moved_by(image: &dyn ReadAt, root: u64) -> Option<u64> {
    let sectors = (SYSTEM_AREA / SECTOR..(SYSTEM_AREA + NEAR.min(image.size())) / SECTOR).map(|sector| sector * SECTOR);
    let mut places = sectors.filter(|&at| at < root);
    let found = places.find(|&at| first_record(image, at).is_some_and(|extent| extent * SECTOR == root))?;
    Some((root - found) / SECTOR)
}
