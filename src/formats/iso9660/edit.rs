//! Directories and path tables of a volume that somebody else made, changed record by record: what does not have to change stays as it
//! stands, in the words of its writer.

pub mod descriptor;
mod path_table;
#[cfg(test)]
mod tests;

use super::hierarchy::{PARENT, SELF};
use super::record::{DIRECTORY, FIXED, MULTI_EXTENT, Record, both_u32, system_use_capacity};
use super::rock_ridge::{Place, SystemUse};
use super::{Flavour, Kind, Posix, SECTOR, identifier};
use crate::ground::block::Block;

pub use path_table::{PathEntry, add_to_path_table, path_entries, path_table, remove_from_path_table};

/// Offsets in a record, §10.1.
const BLOCK: usize = 2;
const LENGTH: usize = 10;
const FLAGS: usize = 25;

/// A directory record with all of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord(Vec<u8>);

impl RawRecord {
    /// The first logical block of what it names.
    pub fn block(&self) -> u32 {
        let bytes = self.0.get(BLOCK..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |&bytes| u32::from_le_bytes(bytes))
    }

    /// Sets both.
    pub fn set(&mut self, block: Block, length: u32) {
        for (at, value) in [(BLOCK, block.number()), (LENGTH, length)] {
            if let Some(place) = self.0.get_mut(at..at + 8) {
                place.copy_from_slice(&both_u32(value));
            }
        }
    }

    /// §10.1.7
    pub fn is_directory(&self) -> bool {
        self.0.get(FLAGS).is_some_and(|flags| flags & DIRECTORY != 0)
    }

    /// §10.1.7: another section of the same file follows.
    pub fn goes_on(&self) -> bool {
        self.0.get(FLAGS).is_some_and(|flags| flags & MULTI_EXTENT != 0)
    }

    /// §10.1.12
    pub fn identifier(&self) -> &[u8] {
        let length = self.0.get(FIXED - 1).copied().unwrap_or(0);
        self.0.get(FIXED..FIXED + usize::from(length)).unwrap_or_default()
    }

    /// §7.8.2: the record of the directory itself, or of its parent.
    pub fn is_dot(&self) -> bool {
        self.identifier() == SELF || self.identifier() == PARENT
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds to the number of links that Rock Ridge's PX entry has (RRIP 4.1.1), unless that says nothing. The first `skip` bytes of the
    /// system use field belong to somebody else.
    pub fn add_links(&mut self, skip: usize, more: i32) {
        let mut at = (FIXED + self.identifier().len()).next_multiple_of(2) + skip;
        while let Some(&[a, b, length, _]) = self.0.get(at..).and_then(<[u8]>::first_chunk) {
            if (a, b) == (b'P', b'X')
                && let Some(place) = self.0.get_mut(at + 12..at + 20)
            {
                let links = place.first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes));
                // A directory without directories has two.
                if links >= 2 {
                    place.copy_from_slice(&both_u32(links.saturating_add_signed(more)));
                }
                return;
            }
            if length < 4 {
                return;
            }
            at += usize::from(length);
        }
    }
}

/// The records of a directory's extent, each with its offset there. What cannot be a record ends its logical sector.
pub fn records(extent: &[u8]) -> Vec<(usize, RawRecord)> {
    let mut found = Vec::new();
    for (number, sector) in extent.chunks(SECTOR as usize).enumerate() {
        let mut at = 0;
        while let Some(&length) = sector.get(at).filter(|&&length| usize::from(length) > FIXED)
            && let Some(record) = sector.get(at..at + usize::from(length))
        {
            found.push((number * SECTOR as usize + at, RawRecord(record.to_vec())));
            at += record.len();
        }
    }
    found
}

/// The offset of the first directory record (§10.1) that does not fit into its sector, or whose identifier does not fit into the record or has no
/// bytes: readers go on with the next sector.
pub fn damage(extent: &[u8]) -> Option<usize> {
    extent.chunks(SECTOR as usize).enumerate().find_map(|(number, sector)| {
        let mut at = 0;
        while let Some(&length) = sector.get(at).filter(|&&length| length > 0) {
            let record = sector.get(at..at + usize::from(length));
            let identifier = record.and_then(|record| record.get(32));
            let fits = |identifier: u8| identifier > 0 && FIXED + usize::from(identifier) <= usize::from(length);
            if !identifier.is_some_and(|&identifier| fits(identifier)) {
                return Some(number * SECTOR as usize + at);
            }
            at += usize::from(length);
        }
        None
    })
}

/// The extent of a directory with these records: §7.8.1, none crosses the end of a logical sector.
pub fn directory(records: &[RawRecord]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let sector = SECTOR as usize;
    for RawRecord(record) in records {
        if bytes.len() % sector + record.len() > sector {
            bytes.resize(bytes.len().next_multiple_of(sector), 0);
        }
        bytes.extend(record);
    }
    bytes.resize(bytes.len().next_multiple_of(sector), 0);
    bytes
}

/// A name that is added to a hierarchy.
#[derive(Clone, Debug)]
pub struct NewName<'n> {
    /// The POSIX name.
    pub name: &'n [u8],
    /// What it names.
    pub kind: &'n Kind,
    /// What Rock Ridge says of it.
    pub posix: &'n Posix,
}

impl NewName<'_> {
    /// The identifier among `others`, those of the directory's records, in the form that they have: with a version number, or without.
    pub fn identifier(&self, flavour: Flavour, others: &[&[u8]]) -> Vec<u8> {
        let is_directory = matches!(self.kind, Kind::Directory);
        let joliet = flavour == Flavour::Joliet;
        let with_version = joliet && others.iter().any(|other| other.ends_with(b"\0;\x001"));
        let form = |name: &str| match (with_version, is_directory) {
            (true, false) => identifier::encode(&format!("{name};1"), false, true),
            _ => identifier::encode(name, is_directory, joliet),
        };
        let wanted = identifier::assign(&[(self.name, is_directory)], joliet);
        let name = wanted.first().map_or("_", |(name, _)| name.as_str());
        let is_taken = |identifier: &[u8]| others.iter().any(|other| other.eq_ignore_ascii_case(identifier));
        if !is_taken(&form(name)) {
            return form(name);
        }
        let (stem, extension) = match name.rsplit_once('.').filter(|_| !is_directory) {
            Some((stem, extension)) => (stem, format!(".{extension}")),
            None => (name, String::new()),
        };
        let numbered = (0..u32::MAX).map(|number| {
            let number = format!("_{number}");
            let kept = stem.chars().count().saturating_sub(number.len()).max(1);
            let stem: String = stem.chars().take(kept).collect();
            form(&format!("{stem}{number}{extension}"))
        });
        numbered
            .into_iter()
            .find(|identifier| !is_taken(identifier))
            .unwrap_or_default()
    }

    /// Whether readers see another name. Letters of the other case do not count where there are no others.
    pub fn is_mapped(&self, flavour: Flavour, identifier: &[u8]) -> bool {
        let is_directory = matches!(self.kind, Kind::Directory);
        match flavour {
            Flavour::RockRidge => false,
            Flavour::Joliet => identifier::read_joliet(identifier, is_directory).0 != self.name,
            Flavour::Plain | Flavour::Enhanced => {
                let shown = identifier::read_primary(identifier, is_directory).0;
                !shown.eq_ignore_ascii_case(self.name)
            }
        }
    }

    /// How many bytes the record's continuation takes, piece by piece; none where the record holds everything.
    pub fn continuation(&self, flavour: Flavour, identifier: &[u8]) -> Vec<u32> {
        let system_use = self.system_use(flavour, identifier);
        system_use.iter().flat_map(SystemUse::continuation_lengths).collect()
    }

    fn system_use(&self, flavour: Flavour, identifier: &[u8]) -> Option<SystemUse> {
        let capacity = system_use_capacity(identifier.len());
        (flavour == Flavour::RockRidge).then(|| SystemUse::of_node(self.name, self.kind, self.posix, capacity))
    }

    /// The record of data at `block`, and the pieces of its continuation at the places: block, bytes from its start, length.
    pub fn record(
        &self,
        flavour: Flavour,
        identifier: &[u8],
        (block, length): (Block, u32),
        goes_on: bool,
        places: &[(Block, u32, u32)],
    ) -> (RawRecord, Vec<Vec<u8>>) {
        let place = |&(block, within, length): &(Block, u32, u32)| Place { block, within, length };
        let places: Vec<Place> = places.iter().map(place).collect();
        let system_use = self.system_use(flavour, identifier);
        let directory = if matches!(self.kind, Kind::Directory) {
            DIRECTORY
        } else {
            0
        };
        let record = Record {
            extent: block,
            length,
            recorded: self.posix.mtime,
            flags: directory | if goes_on { MULTI_EXTENT } else { 0 },
            identifier,
            system_use: &system_use
                .as_ref()
                .map_or(Vec::new(), |system_use| system_use.inline(&places)),
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let pieces = system_use
            .iter()
            .flat_map(|system_use| system_use.continuation(&places))
            .collect();
        (RawRecord(bytes), pieces)
    }
}

/// The first two records of a new directory: itself and its parent, without places.
pub fn dots(flavour: Flavour, posix: &Posix) -> [RawRecord; 2] {
    [SELF, PARENT].map(|identifier| {
        let system_use = match flavour {
            Flavour::RockRidge => SystemUse::of_dot(posix, system_use_capacity(1)).inline(&[]),
            _ => Vec::new(),
        };
        let record = Record {
            extent: Block::ZERO,
            length: 0,
            recorded: posix.mtime,
            flags: DIRECTORY,
            identifier,
            system_use: &system_use,
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        RawRecord(bytes)
    })
}

/// Where a record with the identifier belongs among others, §10.3; `.` and `..` stand first.
pub fn place_of(identifier: &[u8], records: &[RawRecord], joliet: bool) -> usize {
    let key = |identifier: &[u8]| {
        let (name, _) = match joliet {
            true => identifier::read_joliet(identifier, false),
            false => identifier::read_primary(identifier, false),
        };
        identifier::order(&String::from_utf8_lossy(&name))
    };
    let wanted = key(identifier);
    let is_before = |record: &RawRecord| record.is_dot() || key(record.identifier()) <= wanted;
    records.iter().take_while(|record| is_before(record)).count()
}
