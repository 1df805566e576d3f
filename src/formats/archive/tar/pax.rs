//! pax's extended headers: records of a length, a key and a value, for the entry behind them or for all.

use super::super::{ArchiveError, wrong};
use super::holes::{Holes, decimal};

/// What extended headers say of an entry. What they do not say stays the header's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    /// Goes before the header's own, and may lie before 1970.
    pub(super) mtime: Option<i64>,
    /// Extended attributes and access control lists, which no image holds.
    pub(super) attributes: bool,
    holes: Sparse,
}

/// GNU's keys for a file with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sparse {
    any: bool,
    version: [Option<u64>; 2],
    /// The file's own path; the header's is a stand-in.
    path: Option<Vec<u8>>,
    length: Option<u64>,
    pieces: Vec<(u64, u64)>,
    offset: Option<u64>,
}

impl Extensions {
    /// Adds the records of a header. The first of them that makes no sense is the error.
    pub(super) fn add(&mut self, mut records: &[u8], shown: &str) -> Result<(), ArchiveError> {
        let damaged = |what: &str| wrong(format!("is damaged: {shown:?} has an extended header {what}"));
        // Some writers fill the block with zeros and count them.
        while records.first().is_some_and(|&byte| byte != 0) {
            let record = divided(records).ok_or_else(|| damaged("that is not made of records"))?;
            records = record.rest;
            self.record(record.key, record.value)
                .ok_or_else(|| damaged("with no number where one is"))?;
        }
        Ok(())
    }

    /// One record; none where its value makes no sense. An empty value takes back what an earlier header said.
    fn record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let number = || match value {
            [] => Some(None),
            _ => decimal(value).map(Some),
        };
        let bytes = || Some(value.to_vec()).filter(|value| !value.is_empty());
        match key {
            b"path" => self.path = bytes(),
            b"linkpath" => self.target = bytes(),
            b"size" => self.size = number()?,
            b"uid" => self.uid = number()?,
            b"gid" => self.gid = number()?,
            b"mtime" if value.is_empty() => self.mtime = None,
            b"mtime" => self.mtime = Some(seconds(value)?),
            _ if key.starts_with(b"SCHILY.xattr.") || key.starts_with(b"SCHILY.acl.") => self.attributes = true,
            _ if key.starts_with(b"LIBARCHIVE.xattr.") => self.attributes = true,
            _ => {
                if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.holes.record(key, value)?;
                }
            }
        }
        Some(())
    }

    /// The holes of a file, whether its map begins its content, and its own path.
    #[allow(clippy::type_complexity)]
    pub(super) fn holes(&mut self, shown: &str) -> Result<Option<(Holes, bool, Option<Vec<u8>>)>, ArchiveError> {
        let sparse = std::mem::take(&mut self.holes);
        if !sparse.any {
            return Ok(None);
        }
        let in_content = match sparse.version {
            [Some(1), Some(0)] => true,
            [None, None] | [Some(0), Some(0 | 1)] => false,
            version => {
                return Err(wrong(format!(
                    "has {shown:?} as a file with holes in form {version:?} of pax, which is not known"
                )));
            }
        };
        let length = sparse.length.ok_or_else(|| {
            wrong(format!(
                "is damaged: {shown:?} is a file with holes, and its length is missing"
            ))
        })?;
        let pieces = sparse.pieces;
        Ok(Some((Holes { pieces, length }, in_content, sparse.path)))
    }
}

impl Sparse {
    fn record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        self.any = true;
        match key {
            b"major" => self.version[0] = Some(decimal(value)?),
            b"minor" => self.version[1] = Some(decimal(value)?),
            b"name" => self.path = Some(value.to_vec()),
            b"size" | b"realsize" => self.length = Some(decimal(value)?),
            // 0.0: a pair of records for each piece.
            b"offset" => self.offset = Some(decimal(value)?),
            b"numbytes" => self.pieces.push((self.offset.take()?, decimal(value)?)),
            // 0.1: all in one.
            b"map" => {
                let numbers: Option<Vec<u64>> = value.split(|&byte| byte == b',').map(decimal).collect();
                let numbers = if value.is_empty() { Vec::new() } else { numbers? };
                let (pairs, []) = numbers.as_chunks::<2>() else {
                    return None;
                };
                self.pieces = pairs.iter().map(|&[offset, length]| (offset, length)).collect();
            }
            _ => {}
        }
        Some(())
    }
}

struct Record<'a> {
    key: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

/// "%d %s=%s\n": the number counts the whole record. A value may have any bytes, a newline too.
fn divided(records: &[u8]) -> Option<Record<'_>> {
    let blank = records.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(records.get(..blank).filter(|digits| !digits.is_empty())?)?).ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let record = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some(Record {
        key: &record[..equals],
        value: &record[equals + 1..],
        rest,
    })
}

/// Whole seconds, down: an image has no parts of them (pax, "pax Extended Header File Times").
fn seconds(decimal: &[u8]) -> Option<i64> {
    let decimal = str::from_utf8(decimal).ok()?;
    let (whole, part) = decimal.split_once('.').unwrap_or((decimal, ""));
    let seconds: i64 = whole.parse().ok()?;
    let below = whole.starts_with('-') && part.bytes().any(|digit| digit != b'0');
    part.bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| seconds.saturating_sub(below.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_pax_are_rounded_down() {
        for (decimal, wanted) in [
            (&b"1000000000"[..], Some(1_000_000_000)),
            (b"1000000000.999999999", Some(1_000_000_000)),
            (b"-1", Some(-1)),
            (b"-1.5", Some(-2)),
            (b"-0.25", Some(-1)),
            (b"-7.000", Some(-7)),
            (b"", None),
            (b"1.x", None),
            (b"99999999999999999999", None),
        ] {
            assert_eq!(seconds(decimal), wanted, "{}", String::from_utf8_lossy(decimal));
        }
    }

    #[test]
    fn a_record_is_as_long_as_it_says() {
        let mut extensions = Extensions::default();
        let records = b"23 SCHILY.xattr.u=a\nb\n\0\0";
        assert_eq!(records.len() - 2, 22);
        let records = [b"22".as_slice(), &records[2..22], b"13 path=a\nb=c\n"].concat();
        // 13 is one too few, so that the record does not end with its newline.
        assert!(extensions.add(&records, "x").is_err());
        let records = [&records[..22], b"14 path=a\nb=c\n".as_slice(), b"\0\0\0"].concat();
        let mut extensions = Extensions::default();
        extensions.add(&records, "x").unwrap();
        assert_eq!(extensions.path.as_deref(), Some(b"a\nb=c".as_slice()));
        assert!(extensions.attributes);
        for wrong in [
            "",
            "x",
            "1",
            "5",
            "99 path=a\n",
            "10 path=a",
            "8 path\n\n\n",
            "11 size=xx\n",
            " 9 uid=1\n",
        ] {
            let found = Extensions::default().add(wrong.as_bytes(), "x");
            assert_eq!(found.is_err(), !wrong.is_empty(), "{wrong:?}");
        }
    }
}
