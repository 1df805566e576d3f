//! One directory record (§10.1), and the numbers and dates that structures of ISO 9660 are made of.

use std::ops::RangeInclusive;

use crate::ground::block::Block;
use crate::ground::time::{Civil, Timestamp};

/// §10.1.7 bit 1: the record names a directory.
pub(super) const DIRECTORY: u8 = 0x02;
/// §10.1.7 bit 2: the record names an associated file (§7.5.4), which has the identifier of another.
pub(super) const ASSOCIATED: u8 = 0x04;
/// §10.1.7 bit 7: another record with the next section of the same file follows.
pub(super) const MULTI_EXTENT: u8 = 0x80;
/// Bytes before the file identifier.
pub(super) const FIXED: usize = 33;
/// The longest record of even length whose length fits the one byte of §10.1.2.
pub(super) const LONGEST: usize = 254;

/// §10.1 without what a single-volume set leaves at zero or one.
pub(super) struct Record<'a> {
    pub(super) extent: Block,
    pub(super) length: u32,
    pub(super) recorded: Timestamp,
    pub(super) flags: u8,
    pub(super) identifier: &'a [u8],
    /// Of any length; a padding byte behind it keeps the record even.
    pub(super) system_use: &'a [u8],
}

impl Record<'_> {
    /// Appends the record to `directory`.
    pub(super) fn encode(&self, directory: &mut Vec<u8>) {
        let start = directory.len();
        directory.push(0);
        directory.push(0); // §10.1.3: no extended attribute record
        directory.extend(both_u32(self.extent.number()));
        directory.extend(both_u32(self.length));
        directory.extend(recording_date(self.recorded));
        directory.push(self.flags);
        directory.extend([0, 0]); // §10.1.8 and §10.1.9: not interleaved
        directory.extend(both_u16(1));
        directory.push(self.identifier.len() as u8);
        directory.extend(self.identifier);
        if self.identifier.len().is_multiple_of(2) {
            directory.push(0); // §10.1.13
        }
        directory.extend(self.system_use);
        if (directory.len() - start) % 2 == 1 {
            directory.push(0);
        }
        directory[start] = (directory.len() - start) as u8;
    }
}

/// How much system use a record with an identifier of `identifier` bytes has room for.
pub(super) fn system_use_capacity(identifier: usize) -> usize {
    LONGEST - (FIXED + identifier).next_multiple_of(2)
}

/// §8.3.4 (and §7.3.3 of older editions): little-endian, then big-endian.
pub(super) fn both_u32(value: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&value.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_be_bytes());
    bytes
}

/// The same for 16 bits.
pub(super) fn both_u16(value: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d]
}

/// §10.1.6 counts years from here.
const YEAR: i64 = 1900;

/// The dates that §10.1.6 can record: a year has one byte.
pub(super) const DATES: RangeInclusive<Timestamp> = {
    let first = Civil {
        year: YEAR,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
    };
    let last = Civil {
        year: YEAR + 255,
        month: 12,
        day: 31,
        hour: 23,
        minute: 59,
        second: 59,
    };
    Timestamp::from_civil(first)..=Timestamp::from_civil(last)
};

/// §10.1.6: seven bytes, UTC. A date that cannot be recorded is moved to the nearest that can; [`super::is_recordable`] tells.
pub(super) fn recording_date(at: Timestamp) -> [u8; 7] {
    let at = at.clamp(*DATES.start(), *DATES.end()).civil();
    [
        (at.year - YEAR) as u8,
        at.month,
        at.day,
        at.hour,
        at.minute,
        at.second,
        0,
    ]
}

/// A date of §10.1.6 read back.
pub(super) fn read_recording_date(bytes: [u8; 7]) -> Timestamp {
    let [year, month, day, hour, minute, second, zone] = bytes;
    let civil = Civil {
        year: YEAR + i64::from(year),
        month,
        day,
        hour,
        minute,
        second,
    };
    shifted(civil, zone)
}

/// §9.4.27.2: sixteen digits and the offset from UTC; a year has four digits.
pub(super) fn volume_date(at: Timestamp) -> [u8; 17] {
    let at = at.civil();
    let day = format!("{:04}{:02}{:02}", at.year, at.month, at.day);
    let digits = format!("{day}{:02}{:02}{:02}00", at.hour, at.minute, at.second);
    let mut bytes = [0; 17];
    bytes[..16].copy_from_slice(&digits.as_bytes()[..16]);
    bytes
}

/// §9.4.27.2: a date that is not specified has sixteen digits 0.
pub(super) const NO_DATE: [u8; 17] = *b"0000000000000000\0";

/// A date of §9.4.27.2 read back; none where it is not specified or no date.
pub(super) fn read_volume_date(bytes: &[u8; 17]) -> Option<Timestamp> {
    if *bytes == NO_DATE {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        let digits = bytes.get(range)?;
        digits.iter().try_fold(0u16, |sum, &digit| {
            digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))
        })
    };
    let two = |at: usize| number(at..at + 2).map(|value| value as u8);
    let civil = Civil {
        year: i64::from(number(0..4)?),
        month: two(4).filter(|month| (1..=12).contains(month))?,
        day: two(6).filter(|day| (1..=31).contains(day))?,
        hour: two(8)?,
        minute: two(10)?,
        second: two(12)?,
    };
    Some(shifted(civil, bytes[16]))
}

/// The offset counts quarters of an hour east of UTC, as a signed byte.
fn shifted(civil: Civil, zone: u8) -> Timestamp {
    let quarters = i64::from(zone as i8);
    Timestamp::from_unix(Timestamp::from_civil(civil).unix() - quarters * 15 * 60)
}
