//! Rock Ridge: the system use entries of one directory record, RRIP 1.12 §4.1 and SUSP 1.12 §5.
//!
//! Entries that a record has no room for stand in a continuation area, in pieces that each lie inside one logical block: Linux reads
//! no others. Each piece but the last ends in the CE entry of the next.

use super::record::{both_u32, recording_date};
use super::{Kind, Posix, SECTOR};
use crate::time::Timestamp;

/// SUSP 5.1: the entry that points at a continuation.
const CE: usize = 28;
/// The longest name in one NM entry, §4.1.4; longer names have several.
const NAME: usize = 250;
/// The longest component area of one SL entry, §4.1.3.
const COMPONENTS: usize = 250;

/// §4.1.4 and §4.1.3.1, bit 0: the name, the link or the component goes on in the next.
const CONTINUE: u8 = 0x01;
/// §4.1.3.1: `.`, `..` and `/`.
const CURRENT: u8 = 0x02;
const PARENT: u8 = 0x04;
const ROOT: u8 = 0x08;

/// §4.1.6, bit 1: TF records when the content was last modified. The short form of a date, since readers have misread the long one.
const MODIFY: u8 = 0x02;

/// SUSP 5.5 with what IEEE P1282 §4.3 asks for.
const EXTENSION: [&str; 3] = [
    "IEEE_P1282",
    "THE IEEE P1282 PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS",
    "PLEASE CONTACT THE IEEE STANDARDS DEPARTMENT, PISCATAWAY, NJ, USA FOR THE P1282 SPECIFICATION",
];

/// The system use entries of a record, divided between the record and its continuation.
pub(super) struct SystemUse {
    inline: Vec<u8>,
    /// Without their CE entries.
    pieces: Vec<Vec<u8>>,
}

/// Where a piece of a continuation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Byte offset, inside one logical block with all its `length` bytes.
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl SystemUse {
    /// Of the record that names a node in its directory: the name first, since some readers do not follow continuations.
    pub(super) fn of_node(name: &[u8], kind: &Kind, posix: &Posix, capacity: usize) -> Self {
        let mut entries = names(name);
        entries.extend(attributes(posix));
        match kind {
            Kind::Symlink { target } => entries.extend(link(target)),
            Kind::Device { major, minor } => entries.push(device(*major, *minor)),
            Kind::Directory | Kind::File { .. } => {}
        }
        Self::divide(&entries, capacity)
    }

    /// Of a directory's `.` or `..`.
    pub(super) fn of_dot(posix: &Posix, capacity: usize) -> Self {
        Self::divide(&attributes(posix), capacity)
    }

    /// Of the root's `.`, where the protocols are announced: SUSP 5.3, 5.5.
    pub(super) fn of_root(posix: &Posix, capacity: usize) -> Self {
        let mut entries = vec![entry(b"SP", &[0xBE, 0xEF, 0])];
        entries.extend(attributes(posix));
        let [identifier, descriptor, source] = EXTENSION;
        let mut payload = vec![identifier.len() as u8, descriptor.len() as u8, source.len() as u8, 1];
        payload.extend(EXTENSION.concat().bytes());
        entries.push(entry(b"ER", &payload));
        Self::divide(&entries, capacity)
    }

    fn divide(entries: &[Vec<u8>], capacity: usize) -> Self {
        let total: usize = entries.iter().map(Vec::len).sum();
        if total <= capacity {
            return Self {
                inline: entries.concat(),
                pieces: Vec::new(),
            };
        }
        let mut inline = Vec::new();
        let mut rest = entries;
        while let [first, others @ ..] = rest
            && inline.len() + first.len() + CE <= capacity
        {
            inline.extend(first);
            rest = others;
        }
        let mut pieces = vec![Vec::new()];
        for entry in rest {
            let last = pieces.len() - 1;
            if pieces[last].len() + entry.len() + CE > SECTOR as usize {
                pieces.push(entry.clone());
            } else {
                pieces[last].extend(entry);
            }
        }
        Self { inline, pieces }
    }

    /// The lengths of the continuation's pieces, their CE entries included; none where the record holds everything.
    pub(super) fn continuation_lengths(&self) -> impl Iterator<Item = u32> {
        let last = self.pieces.len().saturating_sub(1);
        let with_pointer = move |(index, piece): (usize, &Vec<u8>)| piece.len() + if index < last { CE } else { 0 };
        self.pieces
            .iter()
            .enumerate()
            .map(with_pointer)
            .map(|length| length as u32)
    }

    /// What stands in the record; `places` are those of its own continuation if it has one.
    pub(super) fn inline(&self, places: &[Place]) -> Vec<u8> {
        let mut bytes = self.inline.clone();
        if self.pieces.is_empty() {
            return bytes;
        }
        bytes.extend(places.first().map(pointer).unwrap_or_default());
        bytes
    }

    /// The pieces of the continuation, each for its place.
    pub(super) fn continuation<'a>(&'a self, places: &'a [Place]) -> impl Iterator<Item = (Place, Vec<u8>)> + 'a {
        self.pieces
            .iter()
            .zip(places)
            .enumerate()
            .map(|(index, (piece, place))| {
                let mut bytes = piece.clone();
                bytes.extend(places.get(index + 1).map(pointer).unwrap_or_default());
                (*place, bytes)
            })
    }
}

/// SUSP 5: signature, length, version 1, payload.
fn entry(signature: &[u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.push(4 + payload.len() as u8);
    bytes.push(1);
    bytes.extend(payload);
    bytes
}

/// SUSP 5.1.
fn pointer(place: &Place) -> Vec<u8> {
    let within = (place.offset % SECTOR) as u32;
    let payload = [
        both_u32(super::record::block(place.offset)),
        both_u32(within),
        both_u32(place.length),
    ];
    entry(b"CE", &payload.concat())
}

/// PX (§4.1.1, with the serial number of 1.12) and TF (§4.1.6).
fn attributes(posix: &Posix) -> Vec<Vec<u8>> {
    let Posix {
        mode,
        links,
        uid,
        gid,
        serial,
        mtime,
    } = *posix;
    let px = [mode, links, uid, gid, serial].map(both_u32).concat();
    vec![entry(b"PX", &px), times(mtime)]
}

fn times(mtime: Timestamp) -> Vec<u8> {
    let mut payload = vec![MODIFY];
    payload.extend(recording_date(mtime));
    entry(b"TF", &payload)
}

/// NM, §4.1.4.
fn names(name: &[u8]) -> Vec<Vec<u8>> {
    let pieces = name.chunks(NAME);
    let last = pieces.len().saturating_sub(1);
    let entries = pieces.enumerate().map(|(index, piece)| {
        let flags = if index < last { CONTINUE } else { 0 };
        entry(b"NM", &[&[flags], piece].concat())
    });
    entries.collect()
}

/// PN, §4.1.2: the major number in the high word, as Linux reads it.
fn device(major: u32, minor: u32) -> Vec<u8> {
    entry(b"PN", &[both_u32(major), both_u32(minor)].concat())
}

/// A component of a link's target, §4.1.3.1.
struct Component {
    flags: u8,
    text: Vec<u8>,
}

/// SL, §4.1.3. Where a target needs several entries, they are divided inside a component if that can be: libarchive 3.6 loses the
/// slash between two entries that each hold whole components.
fn link(target: &[u8]) -> Vec<Vec<u8>> {
    let mut entries: Vec<Vec<Component>> = vec![Vec::new()];
    let mut room = COMPONENTS;
    for mut component in components(target) {
        while component.text.len() + 2 > room {
            // At least one byte to either side of the division.
            let here = room.saturating_sub(2).min(component.text.len().saturating_sub(1));
            if here > 0 {
                let rest = component.text.split_off(here);
                let text = std::mem::replace(&mut component.text, rest);
                push(
                    &mut entries,
                    Component {
                        flags: component.flags | CONTINUE,
                        text,
                    },
                );
            } else if let Some(stolen) = entries.last_mut().and_then(|entry| divide_last(entry)) {
                room = COMPONENTS - 2 - stolen.text.len();
                entries.push(vec![stolen]);
                continue;
            }
            entries.push(Vec::new());
            room = COMPONENTS;
        }
        room -= component.text.len() + 2;
        push(&mut entries, component);
    }
    let last = entries.len() - 1;
    let encoded = entries.iter().enumerate().map(|(index, components)| {
        let mut payload = vec![if index < last { CONTINUE } else { 0 }];
        for component in components {
            payload.extend([component.flags, component.text.len() as u8]);
            payload.extend(&component.text);
        }
        entry(b"SL", &payload)
    });
    encoded.collect()
}

fn push(entries: &mut [Vec<Component>], component: Component) {
    if let Some(entry) = entries.last_mut() {
        entry.push(component);
    }
}

/// Moves the end of an entry's last component into the next entry: its last byte, or nothing of a single one.
fn divide_last(entry: &mut [Component]) -> Option<Component> {
    let last = entry
        .last_mut()
        .filter(|last| last.flags == 0 && !last.text.is_empty())?;
    last.flags |= CONTINUE;
    let text = last.text.split_off((last.text.len() - 1).max(1));
    Some(Component { flags: 0, text })
}

/// The components between the slashes. Two slashes in a row leave an empty one, which readers show as it was.
fn components(target: &[u8]) -> Vec<Component> {
    let flagged = |flags| Component {
        flags,
        text: Vec::new(),
    };
    let mut components = Vec::new();
    let relative = match target.strip_prefix(b"/") {
        Some(rest) => {
            components.push(flagged(ROOT));
            rest
        }
        None => target,
    };
    if relative.is_empty() {
        return components;
    }
    components.extend(relative.split(|&byte| byte == b'/').map(|text| match text {
        b"." => flagged(CURRENT),
        b".." => flagged(PARENT),
        text => Component {
            flags: 0,
            text: text.to_vec(),
        },
    }));
    components
}

/// What the system use entries of a record say.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// NM.
    pub(super) name: Option<Vec<u8>>,
    /// The file type and permissions of PX.
    pub(super) mode: Option<u32>,
    /// SL.
    pub(super) target: Option<Vec<u8>>,
    /// CL: the logical block of a directory that was moved away from here.
    pub(super) child: Option<u32>,
    /// RE: the record is where a moved directory is kept.
    pub(super) relocated: bool,
    /// CE: byte offset and length of the continuation.
    pub(super) continuation: Option<(u64, u64)>,
    /// SP: how many bytes of each record's system use belong to somebody else.
    pub(super) skip: Option<u8>,
    /// The last NM entry goes on in the next.
    name_continues: bool,
    /// No slash before the next component: the last one goes on in it, is the root, or there was none.
    joined: bool,
}

impl Read {
    /// Adds the entries in `area`. What is cut short, or has no length, ends them.
    pub(super) fn add(&mut self, mut area: &[u8]) {
        self.continuation = None;
        while let [a, b, length, _version, ..] = *area {
            let Some((entry, rest)) = area.split_at_checked(usize::from(length)).filter(|_| length >= 4) else {
                return;
            };
            self.entry(&[a, b], &entry[4..]);
            if &[a, b] == b"ST" {
                return;
            }
            area = rest;
        }
    }

    fn entry(&mut self, signature: &[u8; 2], payload: &[u8]) {
        let word = |at: usize| {
            payload
                .get(at..)
                .and_then(|rest| rest.first_chunk())
                .map(|&bytes| u32::from_le_bytes(bytes))
        };
        match signature {
            b"SP" if payload.starts_with(&[0xBE, 0xEF]) => self.skip = payload.get(2).copied(),
            b"CE" => {
                if let (Some(block), Some(offset), Some(length)) = (word(0), word(8), word(16)) {
                    self.continuation = Some((u64::from(block) * SECTOR + u64::from(offset), length.into()));
                }
            }
            b"NM" => {
                let Some((&flags, name)) = payload.split_first() else {
                    return;
                };
                // `.` and `..` have names of their own.
                if flags & (CURRENT | PARENT) != 0 || (self.name.is_some() && !self.name_continues) {
                    return;
                }
                self.name.get_or_insert_default().extend(name);
                self.name_continues = flags & CONTINUE != 0;
            }
            b"PX" => self.mode = word(0),
            b"SL" => self.link(payload.get(1..).unwrap_or_default()),
            b"CL" => self.child = word(0),
            b"RE" => self.relocated = true,
            _ => {}
        }
    }

    fn link(&mut self, mut components: &[u8]) {
        self.joined |= self.target.is_none();
        let target = self.target.get_or_insert_default();
        while let [flags, length, rest @ ..] = components {
            let Some((text, rest)) = rest.split_at_checked(usize::from(*length)) else {
                return;
            };
            if !self.joined {
                target.push(b'/');
            }
            match flags & !CONTINUE {
                CURRENT => target.push(b'.'),
                PARENT => target.extend(b".."),
                ROOT => *target = b"/".to_vec(),
                _ => target.extend(text),
            }
            self.joined = flags & (CONTINUE | ROOT) != 0;
            components = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[Vec<u8>]) -> Read {
        let mut read = Read::default();
        entries.iter().for_each(|entry| read.add(entry));
        read
    }

    #[test]
    fn links_come_back_as_they_were() {
        let long = "component/".repeat(60);
        let exact = format!("{}/{}/x", "a".repeat(122), "b".repeat(122));
        let parents = format!("{}end", "../".repeat(200));
        for target in [
            "a",
            "/",
            "/a",
            "//a",
            "a//b",
            "a/",
            ".",
            "..",
            "./..",
            "../../a/b",
            &long,
            &exact,
            &parents,
        ] {
            let entries = link(target.as_bytes());
            assert!(entries.iter().all(|entry| entry.len() <= 255));
            assert_eq!(read(&entries).target.unwrap(), target.as_bytes(), "{target}");
        }
        let huge = vec![b'n'; 4095];
        assert_eq!(read(&link(&huge)).target.unwrap(), huge);
    }

    #[test]
    fn entries_of_a_long_link_are_divided_inside_components() {
        for length in 1..250 {
            let target = format!("{}/", "c".repeat(length)).repeat(1000 / length + 2);
            let entries = link(target.as_bytes());
            assert_eq!(read(&entries).target.unwrap(), target.as_bytes(), "{length}");
            for entry in &entries[..entries.len() - 1] {
                assert_eq!(last_flags(&entry[5..]) & CONTINUE, CONTINUE, "{length}");
            }
        }
    }

    fn last_flags(mut components: &[u8]) -> u8 {
        let mut last = 0;
        while let [flags, length, rest @ ..] = components {
            last = *flags;
            components = &rest[usize::from(*length)..];
        }
        last
    }

    #[test]
    fn names_come_back_as_they_were() {
        for length in [1, 249, 250, 251, 255] {
            let name = vec![0xFF; length];
            assert_eq!(read(&names(&name)).name.unwrap(), name);
        }
    }

    #[test]
    fn no_piece_of_a_continuation_is_longer_than_a_block() {
        let posix = Posix {
            mode: 0o120_777,
            links: 1,
            uid: 0,
            gid: 0,
            serial: 1,
            mtime: Timestamp::default(),
        };
        let kind = Kind::Symlink {
            target: vec![b't'; 4095],
        };
        let uses = SystemUse::of_node(&[b'n'; 255], &kind, &posix, 200);
        let lengths: Vec<u32> = uses.continuation_lengths().collect();
        assert_eq!(lengths.len(), 3);
        assert!(lengths.iter().all(|&length| u64::from(length) <= SECTOR));
        let places: Vec<Place> = lengths
            .iter()
            .zip(10..)
            .map(|(&length, block)| Place {
                offset: block * SECTOR,
                length,
            })
            .collect();
        assert_eq!(uses.inline(&places).len(), CE);
        let mut read = Read::default();
        read.add(&uses.inline(&places));
        for (place, bytes) in uses.continuation(&places) {
            assert_eq!(read.continuation, Some((place.offset, place.length.into())));
            assert_eq!(bytes.len(), place.length as usize);
            read.add(&bytes);
        }
        assert_eq!(
            (read.name.unwrap().len(), read.target.unwrap().len(), read.continuation),
            (255, 4095, None)
        );
    }
}
