//! The header of a tar entry: POSIX ustar, with the forms of V7 and GNU.

use super::super::{ArchiveError, wrong};

/// Of a header, and what contents are padded to.
pub(super) const BLOCK: u64 = 512;

const SUM: std::ops::Range<usize> = 148..156;

/// One header block.
pub(super) struct Header(pub(super) [u8; BLOCK as usize]);

impl Header {
    /// Whether its own sum is right: that of its bytes, with blanks for the sum. Some old writers added signed bytes.
    pub(super) fn is_one(&self) -> bool {
        let byte = |(at, &byte): (usize, &u8)| if SUM.contains(&at) { b' ' } else { byte };
        let bytes = || self.0.iter().enumerate().map(byte);
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte as i8)).sum();
        let wanted = number(&self.0[SUM]);
        self.0[SUM].iter().any(u8::is_ascii_digit) && (wanted == Some(unsigned) || wanted == Some(signed))
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0)
    }

    /// The name, behind the prefix that ustar has; where GNU has that, its own header has times.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = match &self.0[257..265] {
            b"ustar\x0000" => text(&self.0[345..500]),
            _ => &[],
        };
        match prefix {
            [] => name.to_vec(),
            prefix => [prefix, b"/", name].concat(),
        }
    }

    pub(super) fn target(&self) -> &[u8] {
        text(&self.0[157..257])
    }

    pub(super) fn mode(&self, shown: &str) -> Result<i64, ArchiveError> {
        self.number(100..108, "mode", shown)
    }

    pub(super) fn uid(&self, shown: &str) -> Result<i64, ArchiveError> {
        self.number(108..116, "owner", shown)
    }

    pub(super) fn gid(&self, shown: &str) -> Result<i64, ArchiveError> {
        self.number(116..124, "group", shown)
    }

    pub(super) fn size(&self, shown: &str) -> Result<i64, ArchiveError> {
        self.number(124..136, "size", shown)
    }

    pub(super) fn mtime(&self, shown: &str) -> Result<i64, ArchiveError> {
        self.number(136..148, "time", shown)
    }

    /// Major and minor number; V7 has neither.
    pub(super) fn device(&self, shown: &str) -> Result<(i64, i64), ArchiveError> {
        if &self.0[257..262] != b"ustar" {
            return Ok((0, 0));
        }
        let major = self.number(329..337, "device", shown)?;
        Ok((major, self.number(337..345, "device", shown)?))
    }

    fn number(&self, field: std::ops::Range<usize>, what: &str, shown: &str) -> Result<i64, ArchiveError> {
        number(&self.0[field]).ok_or_else(|| wrong(format!("is damaged: {shown:?} has a {what} that is not a number")))
    }
}

/// Up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// A number: octal between blanks, nothing at all for 0, or GNU's binary form of larger and negative ones.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    if let Some(&first @ (0x80 | 0xFF)) = field.first() {
        let sign = if first == 0xFF { -1 } else { 0 };
        let add = |value: i128, &byte: &u8| value.checked_mul(256)?.checked_add(byte.into());
        let value = field[1..].iter().try_fold(sign, add)?;
        return value.try_into().ok();
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0i64, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary_or_left_blank() {
        for (field, wanted) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"        ", Some(0)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"77777777777\0", Some(8_589_934_591)),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(8_589_934_592)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"64x\0", None),
            (b"-1\0", None),
            (b"6 4\0", None),
        ] {
            assert_eq!(number(field), wanted, "{}", field.escape_ascii());
        }
    }
}
