//! Rock Ridge: the system use entries of one directory record, RRIP 1.12 §4.1 and SUSP 1.12 §5.
//!
//! Entries that a record has no room for stand in a continuation area, in pieces that each lie inside one logical block: Linux reads
//! no others. Each piece but the last ends in the CE entry of the next.

use super::record::{both_u32, recording_date};
use super::{Kind, Posix, SECTOR};
use crate::ground::block::Block;
use crate::ground::time::Timestamp;

mod decode;
mod link;

pub(super) use decode::{Read, announcement};

/// SUSP 5.1: the entry that points at a continuation.
const CE: usize = 28;
/// The longest name in one NM entry, §4.1.4; longer names have several.
const NAME: usize = 250;
/// §4.1.4 and §4.1.3.1, bit 0: the name, the link or the component goes on in the next.
const CONTINUE: u8 = 0x01;
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
    pub(super) block: Block,
    /// Bytes from the start of the block to the piece, which does not cross the block's end.
    pub(super) within: u32,
    pub(super) length: u32,
}

impl SystemUse {
    /// Of the record that names a node in its directory: the name first, since some readers do not follow continuations.
    pub(super) fn of_node(name: &[u8], kind: &Kind, posix: &Posix, capacity: usize) -> Self {
        let mut entries = names(name);
        entries.extend(attributes(posix));
        match kind {
            Kind::Symlink { target } => entries.extend(link::entries(target)),
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

    /// The pieces of the continuation, one for each place.
    pub(super) fn continuation<'a>(&'a self, places: &'a [Place]) -> impl Iterator<Item = Vec<u8>> + 'a {
        self.pieces.iter().enumerate().map(|(index, piece)| {
            let mut bytes = piece.clone();
            bytes.extend(places.get(index + 1).map(pointer).unwrap_or_default());
            bytes
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
    let payload = [place.block.number(), place.within, place.length].map(both_u32);
    entry(b"CE", &payload.concat())
}

/// PX (§4.1.1, with the serial number of 1.12 where there is one) and TF (§4.1.6).
fn attributes(posix: &Posix) -> Vec<Vec<u8>> {
    let Posix {
        mode,
        links,
        uid,
        gid,
        serial,
        mtime,
    } = *posix;
    let mut px = [mode, links, uid, gid].map(both_u32).concat();
    if serial > 0 {
        px.extend(both_u32(serial));
    }
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

/// PN, §4.1.2: a device number of 32 bits or fewer stands in the low word. Every reader takes the old form of 8 bits for the minor
/// number; a larger one is divided as Linux divides it.
fn device(major: u32, minor: u32) -> Vec<u8> {
    let (high, low) = match (major, minor) {
        (..=0xFFF, ..=0xFF) => (0, major << 8 | minor),
        _ => (major, minor),
    };
    entry(b"PN", &[both_u32(high), both_u32(low)].concat())
}

#[cfg(test)]
mod tests;
