//! pax's extended headers that the crate leaves to its users: times, and GNU's files with holes ("GNU tar: Storing Sparse Files").

use std::io::{BufRead, BufReader, Read};

use super::{Error, Place, Spool, wrong};

/// What an extended header says of an entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// Goes before the header's own, and may lie before 1970.
    pub(super) mtime: Option<i64>,
    /// Of a file with holes.
    pub(super) holes: Option<Holes>,
}

/// A file whose content begins with a map of its pieces, padded to a block: how many they are, and where and how long each is, in decimal
/// lines; then come the pieces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holes {
    /// The file's own path; the header's is a stand-in.
    pub(super) path: Vec<u8>,
    /// Its length with its holes.
    length: u64,
}

const BLOCK: u64 = 512;
/// Of a line of the map; no number of 64 bits has as many digits.
const LONGEST: u64 = 24;

pub(super) fn extensions<R: Read>(entry: &mut tar::Entry<'_, R>, shown: &str) -> Result<Extensions, Error> {
    let Some(list) = entry.pax_extensions().map_err(Error::of)? else {
        return Ok(Extensions::default());
    };
    let damaged = || {
        wrong(format!(
            "is damaged: {shown:?} has an extended header with no number where one is"
        ))
    };
    let mut found = Extensions::default();
    let (mut version, mut path, mut length) = ([None; 2], None, None);
    let mut sparse = false;
    for extension in list {
        let extension = extension.map_err(Error::of)?;
        let value = extension.value_bytes();
        sparse |= extension.key_bytes().starts_with(b"GNU.sparse.");
        match extension.key_bytes() {
            b"mtime" => found.mtime = Some(seconds(value).ok_or_else(damaged)?),
            b"GNU.sparse.major" => version[0] = number(value),
            b"GNU.sparse.minor" => version[1] = number(value),
            b"GNU.sparse.name" => path = Some(value.to_vec()),
            b"GNU.sparse.realsize" => length = Some(number(value).ok_or_else(damaged)?),
            _ => {}
        }
    }
    found.holes = match (sparse, version, path, length) {
        (false, ..) => None,
        (true, [Some(1), Some(0)], Some(path), Some(length)) => Some(Holes { path, length }),
        _ => {
            return Err(wrong(format!(
                "has {shown:?} as a file with holes in an old form of pax; `tar --sparse --format=gnu` writes one that is read"
            )));
        }
    };
    Ok(found)
}

impl Holes {
    /// The file with zeros for its holes.
    pub(super) fn filled(&self, stored: &mut dyn Read, spool: &Spool, shown: &str) -> Result<Place, Error> {
        let damaged = || wrong(format!("is damaged: the map of {shown:?} has no number where one is"));
        let start = spool.end();
        let mut stored = BufReader::new(stored);
        let mut read = 0;
        let mut next = || -> Result<u64, Error> {
            let mut line = Vec::new();
            read += (&mut stored)
                .take(LONGEST)
                .read_until(b'\n', &mut line)
                .map_err(Error::of)? as u64;
            line.strip_suffix(b"\n").and_then(number).ok_or_else(damaged)
        };
        let mut pieces = Vec::new();
        for _ in 0..next()? {
            pieces.push((next()?, next()?));
        }
        let padding = read.next_multiple_of(BLOCK) - read;
        std::io::copy(&mut (&mut stored).take(padding), &mut std::io::sink()).map_err(Error::of)?;
        let mut at = 0;
        for (offset, length) in pieces {
            let hole = offset.checked_sub(at).ok_or_else(damaged)?;
            at = offset
                .checked_add(length)
                .filter(|&end| end <= self.length)
                .ok_or_else(damaged)?;
            spool.append(&mut std::io::repeat(0).take(hole))?;
            if spool.append(&mut (&mut stored).take(length))?.length < length {
                return Err(wrong("is cut short"));
            }
        }
        spool.append(&mut std::io::repeat(0).take(self.length - at))?;
        Ok(spool.since(start))
    }
}

fn number(decimal: &[u8]) -> Option<u64> {
    let digits = decimal.iter().all(u8::is_ascii_digit);
    str::from_utf8(decimal).ok().filter(|_| digits)?.parse().ok()
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
}
