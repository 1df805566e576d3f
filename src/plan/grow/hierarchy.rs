//! One hierarchy of the base: its names, and the directory records that change.

mod change;
mod write;

pub(super) use write::new_end;

use std::collections::BTreeMap;
use std::io;

use super::GrowError;
use super::draft::Draft;
use super::listing::{Listed, Listing, Place};
use crate::formats::iso9660::edit::{self, RawRecord};
use crate::formats::iso9660::{self, EntryKind, Flavour, IsoEntry, SECTOR, VolumeDescriptor, VolumeKind};
use crate::ground::block::Block;
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::text;

/// A directory whose records change.
#[derive(Debug)]
struct Open {
    path: Vec<u8>,
    parent: u64,
    records: Vec<RawRecord>,
    /// Bytes that it has now.
    room: u64,
    is_new: bool,
}

impl Open {
    /// Whether its record `..` points at itself. The root's does, and in Joliet as xorriso writes it that of every directory.
    fn is_own_parent(&self) -> bool {
        let blocks = [0, 1].map(|at| self.records.get(at).map(RawRecord::block));
        blocks[0] == blocks[1]
    }
}

/// What a hierarchy says of a name.
#[derive(Debug)]
struct Detail {
    /// The byte of the image that its record begins at.
    record: u64,
    is_compressed: bool,
}

/// A hierarchy.
#[derive(Debug)]
pub(super) struct Hierarchy {
    /// The byte of the image that its addresses count from.
    pub(super) origin: u64,
    pub(super) volume: VolumeDescriptor,
    pub(super) flavour: Flavour,
    /// Of the volume descriptors that lead to it, in the image.
    descriptors: Vec<u64>,
    /// Bytes of each record's system use that belong to somebody else.
    skip: usize,
    /// The greatest serial number of its files (RRIP 4.1.1).
    pub(super) last_serial: Option<u32>,
    /// Whether it leaves its files to UDF.
    pub(super) is_stub: bool,
    pub(super) listing: Listing,
    /// What else there is to know of each of its names.
    details: Vec<Detail>,
    /// By offset in the image, new ones too.
    open: BTreeMap<u64, Open>,
    /// Directories that have moved: offset before, and offset now.
    moved: Vec<(u64, u64)>,
    /// Directories that are gone.
    removed: Vec<u64>,
    /// New directories: parent, identifier and own offset.
    added: Vec<(u64, Vec<u8>, u64)>,
}

impl Hierarchy {
    pub(super) fn read(
        base: &dyn ReadAt,
        origin: u64,
        descriptor: u64,
        volume: &VolumeDescriptor,
    ) -> Result<Self, GrowError> {
        let window = Window::new(base, origin, base.size().saturating_sub(origin));
        let walk = iso9660::walk(&window, volume)?;
        is_whole(&walk.entries, volume)?;
        let mut entries = walk.entries;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let last_serial = entries
            .iter()
            .filter_map(|entry| entry.posix.map(|posix| posix.serial))
            .max();
        let is_stub = iso9660::is_stub(&entries);
        let details = entries.iter().map(|entry| Detail {
            record: origin + entry.record,
            is_compressed: entry.zisofs.is_some(),
        });
        let details = details.collect();
        let listed = entries.into_iter().map(|entry| Listed {
            path: entry.path,
            kind: entry.kind,
            extents: entry
                .extents
                .into_iter()
                .map(|(offset, length)| (origin + offset, length))
                .collect(),
        });
        Ok(Self {
            origin,
            volume: volume.clone(),
            flavour: walk.flavour,
            descriptors: vec![origin + descriptor],
            skip: walk.skip,
            last_serial,
            is_stub,
            listing: Listing::of(listed.collect()),
            details,
            open: BTreeMap::new(),
            moved: Vec::new(),
            removed: Vec::new(),
            added: Vec::new(),
        })
    }

    /// Another volume descriptor leads to the same directories: that of ISO 9660:1999.
    pub(super) fn is_also_of(&mut self, origin: u64, descriptor: u64, volume: &VolumeDescriptor) -> bool {
        let is_same = self.origin == origin && self.volume.root.offset == volume.root.offset;
        if is_same {
            self.descriptors.push(origin + descriptor);
        }
        is_same
    }

    /// As in facts and errors.
    pub(super) fn name(&self) -> String {
        let kind = kind_of(&self.volume);
        match self.origin {
            0 => kind.into(),
            origin => format!("{kind} of the volume that begins at byte {origin}"),
        }
    }

    fn block(&self, offset: u64) -> Result<Block, GrowError> {
        let bytes = offset.checked_sub(self.origin);
        let bytes = bytes.ok_or_else(|| GrowError::Bug(format!("{offset} is before the volume at {}", self.origin)))?;
        Ok(Block::at(bytes)?)
    }

    /// Opens the directory that holds the record of an entry. Returns its offset, and the index of the record.
    fn record(&mut self, draft: &Draft, entry: usize) -> Result<(u64, usize), GrowError> {
        let record = match self.details.get(entry) {
            Some(detail) => detail.record,
            None => return Err(GrowError::Bug("a name without a number".into())),
        };
        let path = self.listing.path(entry).to_vec();
        let directory = self
            .listing
            .parent(entry)
            .and_then(|parent| self.listing.place_of(parent))
            .ok_or_else(|| self.lost(&path))?;
        let extent = self.extent(draft, directory)?;
        let raw = edit::records(&extent);
        let wanted = raw.iter().find(|(at, _)| directory + *at as u64 == record);
        let Some((_, wanted)) = wanted else {
            // A directory that was moved away from its place (RRIP 4.1.5).
            return Err(self.lost(&path));
        };
        let wanted = wanted.clone();
        let open = self.opened(draft, directory)?;
        let at = open
            .records
            .iter()
            .position(|record| record.identifier() == wanted.identifier());
        Ok((directory, at.ok_or_else(|| GrowError::Bug("a record is gone".into()))?))
    }

    fn lost(&self, path: &[u8]) -> GrowError {
        GrowError::Unsupported(format!(
            "{}: its record in {} is not in the directory that it belongs to (RRIP 4.1.5), and such names are not changed",
            text::visible(path),
            self.name()
        ))
    }

    /// The bytes of a directory as they stand.
    fn extent(&self, draft: &Draft, directory: u64) -> Result<Vec<u8>, GrowError> {
        let length = self.length(directory)?;
        Ok(draft.read_vec_at(directory, length)?)
    }

    fn length(&self, directory: u64) -> Result<u64, GrowError> {
        let entries = self.listing.at_place(directory);
        let entries = entries.filter_map(|entry| self.listing.get(entry));
        let mut directories = entries.filter(|entry| entry.kind == EntryKind::Directory);
        let found = directories.next().and_then(|entry| entry.extents.first());
        found
            .map(|&(_, length)| length)
            .ok_or_else(|| GrowError::Bug(format!("no directory at {directory}")))
    }

    /// The records of a directory that is to be changed.
    fn opened(&mut self, draft: &Draft, directory: u64) -> Result<&mut Open, GrowError> {
        if !self.open.contains_key(&directory) {
            let extent = self.extent(draft, directory)?;
            if let Some(at) = edit::damage(&extent) {
                let (name, at) = (self.name(), directory + at as u64);
                return Err(GrowError::Conflict(format!(
                    "the record at byte {at} in {name} is cut short, and a directory with such a record is not changed"
                )));
            }
            let records: Vec<RawRecord> = edit::records(&extent).into_iter().map(|(_, record)| record).collect();
            let mut parent = records
                .get(1)
                .map_or(0, |parent| self.origin + u64::from(parent.block()) * SECTOR);
            let entry = self.listing.at_place(directory).next();
            // `..` does not lead to the parent in Joliet as xorriso writes it, nor in a damaged directory. The path does.
            if (parent == directory || self.listing.at_place(parent).next().is_none())
                && let Some(entry) = entry
                && let Some(above) = self.listing.parent(entry)
            {
                parent = self.listing.place_of(above).unwrap_or(parent);
            }
            let open = Open {
                path: entry.map_or(&[][..], |entry| self.listing.path(entry)).to_vec(),
                parent,
                records,
                room: extent.len() as u64,
                is_new: false,
            };
            self.open.insert(directory, open);
        }
        self.open
            .get_mut(&directory)
            .ok_or_else(|| GrowError::Bug("a directory that was opened is not there".into()))
    }
}

fn kind_of(volume: &VolumeDescriptor) -> &'static str {
    match volume.kind {
        VolumeKind::Primary => "ISO 9660",
        VolumeKind::Joliet => "Joliet",
        VolumeKind::Enhanced => "ISO 9660:1999",
    }
}

/// Refuses a base that is cut short: new files would take the place of the missing bytes.
fn is_whole(entries: &[IsoEntry], volume: &VolumeDescriptor) -> Result<(), GrowError> {
    let held = |entry: &IsoEntry| entry.extents.iter().map(|(_, length)| length).sum::<u64>();
    let cut_short = |entry: &&IsoEntry| !entry.is_whole || (entry.zisofs.is_none() && held(entry) < entry.length);
    match entries.iter().find(cut_short) {
        None => Ok(()),
        Some(entry) => Err(GrowError::Conflict(format!(
            "the image is cut short: of {} in {} not all is there",
            text::visible(&entry.path),
            kind_of(volume)
        ))),
    }
}

impl From<io::Error> for GrowError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}
