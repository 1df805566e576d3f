//! Compressed unicode and time stamps.

use super::u16_at;
use crate::ground::time::{Civil, Timestamp};

/// UDF 2.1.1: bytes of eight or sixteen bits each, by the first byte. What is no unicode becomes the replacement character.
pub(super) fn compressed_unicode(bytes: &[u8]) -> String {
    match bytes.split_first() {
        Some((8 | 254, latin)) => latin.iter().map(|&byte| char::from(byte)).collect(),
        Some((16 | 255, units)) => {
            let units = units.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
            char::decode_utf16(units)
                .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        _ => String::new(),
    }
}

/// ECMA-167 1/7.2.12: a field of a fixed length whose last byte says how much of it is used.
pub(super) fn dstring(field: &[u8]) -> String {
    let used = field.last().map_or(0, |&used| usize::from(used));
    compressed_unicode(field.get(..used.min(field.len().saturating_sub(1))).unwrap_or_default())
}

/// ECMA-167 1/7.3, to the second; fields out of range carry over.
pub(super) fn timestamp(bytes: &[u8]) -> Option<Timestamp> {
    let &[month, day, hour, minute, second, ..] = bytes.get(4..)? else {
        return None;
    };
    let civil = Civil {
        year: i64::from(u16_at(bytes, 2)? as i16),
        month: month.clamp(1, 12),
        day,
        hour,
        minute,
        second,
    };
    // Twelve bits with a sign, in minutes; -2047 is not specified.
    let zone = i64::from((u16_at(bytes, 0)? << 4) as i16 >> 4);
    let zone = if (-1440..=1440).contains(&zone) { zone } else { 0 };
    Some(Timestamp::from_unix(Timestamp::from_civil(civil).unix() - zone * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times() {
        assert_eq!(compressed_unicode(b"\x08gr\xfcn"), "grün");
        assert_eq!(compressed_unicode(b"\x10\x00g\xd8\x3d\xde\x00"), "g😀");
        assert_eq!(compressed_unicode(b"\x10\xd8\x00\x00"), "\u{fffd}");
        assert_eq!(compressed_unicode(b""), "");
        assert_eq!(dstring(b"\x08abc\0\0\0\x04"), "abc");
        assert_eq!(dstring(b"\x08abc\xff"), "abc");
        // 2026-01-02 03:04:05 at one hour east.
        let stamp = timestamp(b"\x3c\x10\xea\x07\x01\x02\x03\x04\x05\0\0\0").unwrap();
        assert_eq!(stamp.to_string(), "2026-01-02T02:04:05Z");
        let stamp = timestamp(b"\x01\x18\xea\x07\x01\x02\x03\x04\x05\0\0\0").unwrap();
        assert_eq!(stamp.to_string(), "2026-01-02T03:04:05Z");
    }
}
