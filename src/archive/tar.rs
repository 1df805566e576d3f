//! tar: V7, ustar, GNU and pax.

use std::io::Read;

use tar::{Archive, EntryType};

use super::name::relative;
use super::pax::extensions;
use super::{Entry, Error, Input, Kind, wrong};
use crate::read_at::Reader;
use crate::text;
use crate::time::Timestamp;

/// Whether an archive begins so: the first header's own sum is right (POSIX ustar: the bytes of the header, its sum as blanks), or
/// there are only zeros, as in an empty archive.
pub(super) fn is_one(start: &[u8]) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    if start.len() < 512 {
        return false;
    }
    if start.iter().all(|&byte| byte == 0) {
        return true;
    }
    let digits = start[SUM]
        .split(|byte| matches!(byte, 0 | b' '))
        .find(|part| !part.is_empty());
    let wanted = digits.and_then(|digits| u32::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
    let byte = |(at, &byte): (usize, &u8)| if SUM.contains(&at) { b' ' } else { byte };
    let sum = start.iter().enumerate().map(byte).map(u32::from).sum();
    wanted == Some(sum)
}

pub(super) fn entries(input: &Input) -> Result<Vec<Entry>, Error> {
    let mut archive = Archive::new(Reader::new(input.bytes));
    let mut entries = Vec::new();
    for entry in archive.entries_with_seek().map_err(Error::of)? {
        let mut entry = entry.map_err(Error::of)?;
        let shown = text::visible(&entry.path_bytes());
        let extensions = extensions(&mut entry, &shown)?;
        let header = entry.header();
        let damaged = |error: std::io::Error| wrong(format!("is damaged: {shown:?}: {error}"));
        let (mode, mtime) = (header.mode().map_err(damaged)?, header.mtime().map_err(damaged)?);
        let id = |id: std::io::Result<u64>| {
            let id = id.map_err(damaged)?;
            u32::try_from(id).map_err(|_| wrong(format!("has {shown:?} of the owner {id}, which no system has")))
        };
        let (uid, gid) = (id(header.uid())?, id(header.gid())?);
        let kind = match header.entry_type() {
            // V7 has no type of its own for a directory.
            EntryType::Regular if entry.path_bytes().ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous => Kind::File(match &extensions.holes {
                Some(holes) => holes.filled(&mut entry, input.spool, &shown)?,
                None => input.place(entry.raw_file_position(), entry.size())?,
            }),
            // GNU's old form of a file with holes: they are read as zeros.
            EntryType::GNUSparse => {
                let wanted = entry.size();
                let place = input.spool.append(&mut (&mut entry).take(wanted))?;
                if place.length < wanted {
                    return Err(wrong("is cut short"));
                }
                Kind::File(place)
            }
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink(link(&entry, &shown)?),
            EntryType::Link => Kind::Link(relative(&link(&entry, &shown)?)?),
            kind @ (EntryType::Char | EntryType::Block) => {
                let number =
                    |number: std::io::Result<Option<u32>>| number.map_err(damaged).map(Option::unwrap_or_default);
                Kind::Device {
                    block: kind == EntryType::Block,
                    major: number(header.device_major())?,
                    minor: number(header.device_minor())?,
                }
            }
            EntryType::Fifo => Kind::Special,
            EntryType::XGlobalHeader => continue,
            other => {
                return Err(wrong(format!(
                    "has {shown:?} of type {:?}, which is none of POSIX or GNU",
                    char::from(other.as_byte())
                )));
            }
        };
        entries.push(Entry {
            path: match &extensions.holes {
                Some(holes) => relative(&holes.path)?,
                None => relative(&entry.path_bytes())?,
            },
            kind,
            mode: mode & 0o7777,
            uid,
            gid,
            // GNU's binary numbers before 1970 have a sign.
            mtime: Timestamp::from_unix(extensions.mtime.unwrap_or(mtime as i64)),
        });
    }
    Ok(entries)
}

fn link<R: Read>(entry: &tar::Entry<'_, R>, shown: &str) -> Result<Vec<u8>, Error> {
    match entry.link_name_bytes() {
        Some(target) if !target.is_empty() && !target.contains(&0) => Ok(target.into_owned()),
        _ => Err(wrong(format!("is damaged: the link {shown:?} leads nowhere"))),
    }
}
