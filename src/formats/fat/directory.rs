//! Directory entries: 32 bytes each, a long name in those before its short one (`FAT: FAT Directory Structure`).

use std::collections::BTreeSet;

use super::names::{self, ShortName};
use crate::ground::time::{Civil, Timestamp};

/// The length of a directory entry.
pub(super) const ENTRY: usize = 32;

/// `FAT: Other Notes Relating to FAT Directories`: a directory has at most this many entries, 2 MiB.
pub(super) const MAX_ENTRIES: u64 = 65_536;

/// UTF-16 code units in an entry of a long name, in three fields at 1, 14 and 28.
const UNITS: usize = 13;

const VOLUME_ID: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const ARCHIVE: u8 = 0x20;

/// LDIR_Attr: read-only, hidden, system and volume id at once, which no short entry has. The two high bits do not count.
const LONG_NAME: u8 = 0x0F;
const ATTRIBUTES: u8 = 0x3F;

/// LDIR_Ord of the last part of a long name, which comes first.
const LAST_LONG_ENTRY: u8 = 0x40;

const EARLIEST: Timestamp = Timestamp::from_civil(Civil {
    year: 1980,
    month: 1,
    day: 1,
    hour: 0,
    minute: 0,
    second: 0,
});
const LATEST: Timestamp = Timestamp::from_civil(Civil {
    year: 2107,
    month: 12,
    day: 31,
    hour: 23,
    minute: 59,
    second: 59,
});

/// `FAT: Date and Time Formats`: the instant nearest to `timestamp` between 1980 and 2107, and whether it is another one.
pub fn clamped(timestamp: Timestamp) -> (Timestamp, bool) {
    let nearest = timestamp.clamp(EARLIEST, LATEST);
    (nearest, nearest != timestamp)
}

/// A timestamp as the entries of a directory hold it: in steps of two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    date: u16,
    time: u16,
}

impl Stamp {
    /// Of the nearest instant that FAT can hold.
    pub(super) fn new(timestamp: Timestamp) -> Self {
        let civil = clamped(timestamp).0.civil();
        let year = u16::try_from(civil.year - 1980).unwrap_or(0);
        Self {
            date: year << 9 | u16::from(civil.month) << 5 | u16::from(civil.day),
            time: u16::from(civil.hour) << 11 | u16::from(civil.minute) << 5 | u16::from(civil.second / 2),
        }
    }

    /// A date of zero, "not set", is the first day of 1980.
    fn timestamp(self) -> Timestamp {
        let field = |value: u16, shift: u32, bits: u32| (value >> shift & ((1 << bits) - 1)) as u8;
        Timestamp::from_civil(Civil {
            year: 1980 + i64::from(self.date >> 9),
            month: field(self.date, 5, 4).clamp(1, 12),
            day: field(self.date, 0, 5).max(1),
            hour: field(self.time, 11, 5).min(23),
            minute: field(self.time, 5, 6).min(59),
            second: (field(self.time, 0, 5) * 2).min(59),
        })
    }
}

/// What a short entry is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    Label,
    Directory,
    File,
}

/// How many entries a name takes with its long name, which is empty if the short one says it all.
pub(super) fn entries_for(long: &[u16]) -> u64 {
    1 + long.len().div_ceil(UNITS) as u64
}

/// Appends the entries of a file, a directory or the label. `first` is 0 for what has no cluster.
pub(super) fn push(
    directory: &mut Vec<u8>,
    item: Item,
    (long, short): (&[u16], &ShortName),
    (first, length): (u32, u32),
    stamp: Stamp,
) {
    push_long(directory, long, short);
    let attributes = match item {
        Item::Label => VOLUME_ID,
        Item::Directory => DIRECTORY,
        Item::File => ARCHIVE,
    };
    let [low0, low1, high0, high1] = first.to_le_bytes();
    let start = directory.len();
    directory.extend_from_slice(short);
    // DIR_Attr, DIR_NTRes (names in lower case have long entries instead), DIR_CrtTimeTenth.
    directory.extend_from_slice(&[attributes, 0, 0]);
    // DIR_CrtTime, DIR_CrtDate, DIR_LstAccDate.
    for field in [stamp.time, stamp.date, stamp.date] {
        directory.extend_from_slice(&field.to_le_bytes());
    }
    directory.extend_from_slice(&[high0, high1]);
    for field in [stamp.time, stamp.date] {
        directory.extend_from_slice(&field.to_le_bytes());
    }
    directory.extend_from_slice(&[low0, low1]);
    directory.extend_from_slice(&length.to_le_bytes());
    debug_assert_eq!(directory.len(), start + ENTRY);
}

/// `FAT: FAT Long Directory Entries`: the parts of a long name from the last to the first. The last is ended by 0000h and filled
/// up with FFFFh, unless the name fills it.
fn push_long(directory: &mut Vec<u8>, long: &[u16], short: &ShortName) {
    let checksum = names::checksum(short);
    for (index, part) in long.chunks(UNITS).enumerate().rev() {
        let last = (index + 1) * UNITS >= long.len();
        let order = (index as u8 + 1) | if last { LAST_LONG_ENTRY } else { 0 };
        let padding = std::iter::once(0).chain(std::iter::repeat(0xFFFF));
        let units: Vec<u8> = part
            .iter()
            .copied()
            .chain(padding)
            .take(UNITS)
            .flat_map(u16::to_le_bytes)
            .collect();
        let (first, rest) = units.split_at(10);
        let (second, third) = rest.split_at(12);
        directory.push(order);
        directory.extend_from_slice(first);
        // LDIR_Attr, LDIR_Type, LDIR_Chksum.
        directory.extend_from_slice(&[LONG_NAME, 0, checksum]);
        directory.extend_from_slice(second);
        // LDIR_FstClusLO must be zero.
        directory.extend_from_slice(&[0, 0]);
        directory.extend_from_slice(third);
    }
}

/// An entry as it was read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Where its short entry is in the directory, in bytes.
    pub(super) at: usize,
    /// The long name, or the short one if there is no long name that fits it and can be a part of a path.
    pub(super) name: String,
    pub(super) item: Item,
    pub(super) first: u32,
    pub(super) length: u32,
    pub(super) modified: Timestamp,
}

/// Whether a part of a long name begins here.
pub(super) fn is_long(entry: &[u8]) -> bool {
    matches!(entry, [first, ..] if !matches!(first, 0 | 0xE5))
        && entry
            .get(11)
            .is_some_and(|attributes| attributes & ATTRIBUTES == LONG_NAME)
}

/// The short names in a directory, as they are stored.
pub(super) fn short_names(bytes: &[u8]) -> BTreeSet<ShortName> {
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    let used = entries.iter().take_while(|entry| entry[0] != 0);
    let short = used.filter(|entry| entry[0] != 0xE5 && !is_long(*entry));
    short.filter_map(|entry| entry.first_chunk().copied()).collect()
}

/// The byte of a directory from which so many entries are deleted or were never used. There may be fewer of them than that at the end.
pub(super) fn room(bytes: &mut [u8], count: usize) -> usize {
    let (entries, _) = bytes.as_chunks_mut::<ENTRY>();
    let end = entries.iter().position(|entry| entry[0] == 0).unwrap_or(entries.len());
    // Behind the first entry that was never used there may be anything, and now it would count.
    for entry in entries.iter_mut().skip(end) {
        entry.fill(0);
    }
    let is_free = |entry: &[u8; ENTRY]| matches!(entry[0], 0 | 0xE5);
    let mut start = 0;
    for (number, entry) in entries.iter().enumerate() {
        if !is_free(entry) {
            start = number + 1;
        } else if number + 1 - start == count {
            break;
        }
    }
    start * ENTRY
}

/// The entries of a directory but `.` and `..`. Deleted ones and parts of long names without a short name are passed over,
/// as every driver does.
pub(super) fn decode(bytes: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut long = LongName::default();
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    for (number, entry) in entries.iter().enumerate() {
        match *entry {
            // The rest of the directory was never used.
            [0, ..] => break,
            [0xE5, ..] => long = LongName::default(),
            _ if entry[11] & ATTRIBUTES == LONG_NAME => long.push(entry),
            [b'.', ..] => long = LongName::default(),
            _ => found.push(Found {
                at: number * ENTRY,
                ..decode_short(entry, std::mem::take(&mut long))
            }),
        }
    }
    found
}

fn decode_short(entry: &[u8; ENTRY], long: LongName) -> Found {
    let word = |low: u8, high: u8| u16::from_le_bytes([low, high]);
    let mut short = ShortName::default();
    short.copy_from_slice(&entry[..11]);
    let long = long.into_name(names::checksum(&short));
    // E5h as the first byte marks a deleted entry; 05h stands for it in a name.
    if short[0] == 0x05 {
        short[0] = 0xE5;
    }
    let item = match entry[11] {
        attributes if attributes & VOLUME_ID != 0 => Item::Label,
        attributes if attributes & DIRECTORY != 0 => Item::Directory,
        _ => Item::File,
    };
    let name = match item {
        Item::Label => show_label(&short),
        _ => long
            .filter(|name| names::is_path_component(name))
            .unwrap_or_else(|| names::show_short(&short, entry[12])),
    };
    Found {
        at: 0,
        name,
        item,
        first: u32::from_le_bytes([entry[26], entry[27], entry[20], entry[21]]),
        length: u32::from_le_bytes([entry[28], entry[29], entry[30], entry[31]]),
        modified: Stamp {
            time: word(entry[22], entry[23]),
            date: word(entry[24], entry[25]),
        }
        .timestamp(),
    }
}

/// A label without its padding.
pub(super) fn show_label(label: &ShortName) -> String {
    let shown: String = label
        .iter()
        .map(|&byte| match byte {
            0x80.. => char::REPLACEMENT_CHARACTER,
            0..b' ' | 0x7f => '_',
            _ => byte.into(),
        })
        .collect();
    shown.trim_end_matches(' ').to_owned()
}

/// The parts of a long name read so far, last part first.
#[derive(Default)]
struct LongName {
    units: Vec<u16>,
    /// LDIR_Ord of the entry that must come next is one less; 0 when the name is complete.
    order: u8,
    checksum: u8,
}

impl LongName {
    /// Takes the next part; a part out of order voids the name.
    fn push(&mut self, entry: &[u8; ENTRY]) {
        let (order, checksum) = (entry[0] & !LAST_LONG_ENTRY, entry[13]);
        if entry[0] & LAST_LONG_ENTRY != 0 {
            *self = Self {
                units: Vec::new(),
                order,
                checksum,
            };
        } else if self.order == 0 || order != self.order - 1 || checksum != self.checksum {
            *self = Self::default();
            return;
        }
        if !(1..=20).contains(&order) {
            *self = Self::default();
            return;
        }
        self.order = order;
        let fields = [&entry[1..11], &entry[14..26], &entry[28..32]];
        let part = fields.iter().flat_map(|field| field.as_chunks::<2>().0);
        self.units.splice(0..0, part.map(|unit| u16::from_le_bytes(*unit)));
    }

    fn into_name(self, checksum: u8) -> Option<String> {
        let end = self
            .units
            .iter()
            .position(|&unit| unit == 0)
            .unwrap_or(self.units.len());
        (self.order == 1 && self.checksum == checksum)
            .then(|| String::from_utf16_lossy(self.units.get(..end).unwrap_or_default()))
    }
}
