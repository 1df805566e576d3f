//! Directories and path tables of a volume that somebody else made, changed record by record: what does not have to change stays as it
//! stands, in the words of its writer.

use super::hierarchy::{PARENT, SELF};
use super::record::{DIRECTORY, FIXED, MULTI_EXTENT, Record, both_u32, system_use_capacity};
use super::rock_ridge::{Place, SystemUse};
use super::{Flavour, Kind, Posix, SECTOR, identifier};
use crate::ground::block::Block;

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

/// An entry of a path table, §10.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathEntry {
    /// §10.4.6
    pub identifier: Vec<u8>,
    /// §10.4.3: the directory's first logical block.
    pub block: u32,
    /// §10.4.4: the parent's number, from 1.
    pub parent: u16,
}

/// The entries of a path table of type L.
pub fn path_entries(table: &[u8]) -> Vec<PathEntry> {
    let mut entries = Vec::new();
    let mut rest = table;
    while let Some(&[length, _, a, b, c, d, e, f]) = rest.first_chunk()
        && length > 0
        && let Some(identifier) = rest.get(8..8 + usize::from(length))
    {
        entries.push(PathEntry {
            identifier: identifier.to_vec(),
            block: u32::from_le_bytes([a, b, c, d]),
            parent: u16::from_le_bytes([e, f]),
        });
        rest = rest
            .get(8 + usize::from(length).next_multiple_of(2)..)
            .unwrap_or_default();
    }
    entries
}

/// A path table of type L or M.
pub fn path_table(entries: &[PathEntry], little: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend([entry.identifier.len() as u8, 0]);
        match little {
            true => {
                bytes.extend(entry.block.to_le_bytes());
                bytes.extend(entry.parent.to_le_bytes());
            }
            false => {
                bytes.extend(entry.block.to_be_bytes());
                bytes.extend(entry.parent.to_be_bytes());
            }
        }
        bytes.extend(&entry.identifier);
        if entry.identifier.len() % 2 == 1 {
            bytes.push(0);
        }
    }
    bytes
}

/// Adds a directory below the one at `parent`, and gives the children of what follows their new numbers. None if the parent's number does
/// not fit the table (§10.4.4), or the parent is not there.
pub fn add_to_path_table(entries: &mut Vec<PathEntry>, parent: u32, identifier: &[u8], block: u32) -> Option<()> {
    let parent = entries.iter().position(|entry| entry.block == parent)?;
    let number = u16::try_from(parent + 1).ok()?;
    // §7.9.1: by the parent's number, then by identifier.
    let is_before = |entry: &&PathEntry| (entry.parent, entry.identifier.as_slice()) <= (number, identifier);
    let at = entries.iter().skip(1).take_while(is_before).count() + 1;
    for entry in entries.iter_mut().filter(|entry| usize::from(entry.parent) > at) {
        entry.parent = entry.parent.checked_add(1)?;
    }
    entries.insert(
        at,
        PathEntry {
            identifier: identifier.to_vec(),
            block,
            parent: number,
        },
    );
    Some(())
}

/// Takes a directory away, which none that is left is in.
pub fn remove_from_path_table(entries: &mut Vec<PathEntry>, block: u32) {
    let Some(at) = entries
        .iter()
        .position(|entry| entry.block == block)
        .filter(|&at| at > 0)
    else {
        return;
    };
    entries.remove(at);
    for entry in entries.iter_mut().filter(|entry| usize::from(entry.parent) > at + 1) {
        entry.parent -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::time::Timestamp;

    fn entry(identifier: &str, block: u32, parent: u16) -> PathEntry {
        PathEntry {
            identifier: if identifier.is_empty() {
                vec![0]
            } else {
                identifier.into()
            },
            block,
            parent,
        }
    }

    /// / (1) holds A (2) and C (3); A holds X (4), C holds Y (5), and Y holds Z (6).
    fn entries() -> Vec<PathEntry> {
        vec![
            entry("", 20, 1),
            entry("A", 21, 1),
            entry("C", 22, 1),
            entry("X", 23, 2),
            entry("Y", 24, 3),
            entry("Z", 25, 5),
        ]
    }

    #[test]
    fn path_tables_stay_in_order() {
        let mut table = entries();
        add_to_path_table(&mut table, 20, b"B", 30).unwrap();
        // B is number 3, so that C, Y and Z are one further.
        let wanted = [
            entry("", 20, 1),
            entry("A", 21, 1),
            entry("B", 30, 1),
            entry("C", 22, 1),
            entry("X", 23, 2),
            entry("Y", 24, 4),
            entry("Z", 25, 6),
        ];
        assert_eq!(table, wanted);
        remove_from_path_table(&mut table, 30);
        assert_eq!(table, entries());
        add_to_path_table(&mut table, 25, b"DEEP", 31).unwrap();
        assert_eq!(table.last(), Some(&entry("DEEP", 31, 6)));
        assert_eq!(add_to_path_table(&mut table, 99, b"LOST", 32), None);
        for little in [true, false] {
            let bytes = path_table(&table, little);
            // Each entry is 8 bytes and an identifier of even length (10.4).
            assert_eq!(bytes.len(), 6 * 10 + 12);
            assert_eq!(
                bytes[..10],
                if little {
                    [1, 0, 20, 0, 0, 0, 1, 0, 0, 0]
                } else {
                    [1, 0, 0, 0, 0, 20, 0, 1, 0, 0]
                }
            );
        }
        assert_eq!(path_entries(&path_table(&table, true)), table);
        assert_eq!(path_entries(&[255; 40]), []);
    }

    #[test]
    fn records_keep_what_is_not_changed() {
        let posix = Posix {
            mode: 0o40_755,
            links: 2,
            uid: 0,
            gid: 0,
            serial: 7,
            mtime: Timestamp::default(),
        };
        let [mut own, parent] = dots(Flavour::RockRidge, &posix);
        own.set(Block::at(2048 * 300).unwrap(), 4096);
        assert_eq!((own.block(), own.is_directory(), own.is_dot()), (300, true, true));
        let before = own.bytes().to_vec();
        own.add_links(0, 3);
        // RRIP 4.1.1: the number of links stands 12 bytes into PX, which follows 34 bytes of the record; both orders of its bytes.
        assert_eq!(own.bytes()[46..54], [5, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!((&own.bytes()[..46], &own.bytes()[54..]), (&before[..46], &before[54..]));
        let kind = Kind::File { length: 10 };
        let named = |name: &'static str| NewName {
            name: name.as_bytes(),
            kind: &kind,
            posix: &posix,
        };
        let mut records = vec![own, parent];
        for (name, joliet, others, wanted) in [
            ("a file.text", false, vec![], &b"A_FILE.TEXT;1"[..]),
            ("a file.text", false, vec![&b"A_FILE.TEXT;1"[..]], b"A_FI_0.TEXT;1"),
            ("b", true, vec![], b"\0b"),
            ("b", true, vec![b"\0x\0;\x001"], b"\0b\0;\x001"),
            ("b", true, vec![b"\0B"], b"\0b\0_\x000"),
        ] {
            let flavour = if joliet { Flavour::Joliet } else { Flavour::RockRidge };
            assert_eq!(named(name).identifier(flavour, &others), wanted, "{name} {others:?}");
        }
        for name in ["B.TXT;1", "A.TXT;1", "AB.;1"] {
            let (record, pieces) = named("x").record(Flavour::Plain, name.as_bytes(), (Block::ZERO, 0), false, &[]);
            assert!(pieces.is_empty());
            let at = place_of(name.as_bytes(), &records, false);
            records.insert(at, record);
        }
        let names: Vec<&[u8]> = records.iter().skip(2).map(RawRecord::identifier).collect();
        assert_eq!(names, [&b"A.TXT;1"[..], b"AB.;1", b"B.TXT;1"]);
        let bytes = directory(&records);
        assert_eq!(bytes.len(), 2048);
        let read: Vec<RawRecord> = super::records(&bytes).into_iter().map(|(_, record)| record).collect();
        assert_eq!(read, records);
        // A name of 255 bytes does not fit its record.
        let long = [b'n'; 255];
        let long = NewName {
            name: &long,
            kind: &kind,
            posix: &posix,
        };
        let identifier = long.identifier(Flavour::RockRidge, &[]);
        assert!(!long.continuation(Flavour::RockRidge, &identifier).is_empty());
    }
}
