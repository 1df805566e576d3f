//! GUIDs as UEFI stores them (UEFI Appendix A): the first three fields little-endian, the last eight bytes in order.

use std::fmt;
use std::str::FromStr;

/// A GUID, in the sixteen bytes it has on the disk.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid([u8; 16]);

/// A text that is no GUID.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no GUID; one looks like c12a7328-f81f-11d2-ba4b-00a0c93ec93b")]
pub struct ParseGuidError(String);

impl Guid {
    /// All zero: the type of an unused entry.
    pub const ZERO: Self = Self([0; 16]);

    /// From the bytes as they lie on the disk.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes as they lie on the disk.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// From the fields in the order they are printed; `rest` is the fourth and the fifth together.
    pub const fn from_fields(first: u32, second: u16, third: u16, rest: u64) -> Self {
        let ([a, b, c, d], [e, f], [g, h]) = (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
        let [i, j, k, l, m, n, o, p] = rest.to_be_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// RFC 4122 §4.4: sixteen bytes of any origin, marked as version 4, variant 10. The mark is two bits and a digit;
    /// the other 122 bits stay.
    pub const fn version_4(mut bytes: [u8; 16]) -> Self {
        bytes[7] = bytes[7] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }
}

/// Lower case, as Linux shows it; UEFI compares without regard to case.
impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        let (first, second, third) = (
            u32::from_le_bytes([a, b, c, d]),
            u16::from_le_bytes([e, g]),
            u16::from_le_bytes([h, i]),
        );
        let rest = u64::from_be_bytes(rest);
        let (fourth, fifth) = (rest >> 48, rest & 0xFFFF_FFFF_FFFF);
        write!(f, "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{fifth:012x}")
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Five groups of 8, 4, 4, 4 and 12 hexadecimal digits, in either case.
impl FromStr for Guid {
    type Err = ParseGuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = 0;
        let mut head = [0; 3];
        let mut groups = text.split('-');
        for (index, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
            let value = groups
                .next()
                .filter(|group| group.len() == digits)
                .filter(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .and_then(|group| u64::from_str_radix(group, 16).ok())
                .ok_or_else(|| ParseGuidError(text.to_owned()))?;
            match head.get_mut(index) {
                Some(field) => *field = value,
                None => rest = rest << 48 | value,
            }
        }
        let [first, second, third] = head;
        let fields = (u32::try_from(first), u16::try_from(second), u16::try_from(third));
        match (fields, groups.next()) {
            ((Ok(first), Ok(second), Ok(third)), None) => Ok(Self::from_fields(first, second, third, rest)),
            _ => Err(ParseGuidError(text.to_owned())),
        }
    }
}
