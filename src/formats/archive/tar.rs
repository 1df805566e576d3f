//! tar: V7, ustar, GNU and pax, with what Solaris and old writers do.

mod header;
mod holes;
mod pax;

use super::name::relative;
use super::{ArchiveEntry, ArchiveError, Input, Kind, Listing, wrong};
use crate::ground::read_at::{ReadAt, Reader, Window};
use crate::ground::spool::Place;
use crate::ground::text;
use crate::ground::time::Timestamp;
use header::{BLOCK, Header};
use holes::Holes;
use pax::Extensions;

/// Of an extended header or a long name; an honest one has a few KiB.
const LONGEST: u64 = 1 << 20;

/// Whether an archive begins so: the first header's own sum is right, or there are only zeros, as in an empty archive.
pub(super) fn is_one(start: &[u8]) -> bool {
    let Some(&block) = start.first_chunk() else {
        return false;
    };
    let header = Header(block);
    header.is_zero() || header.is_one()
}

/// The archive, and what headers have said of the entry that comes next.
struct Archive<'a, 'b> {
    input: &'a Input<'b>,
    at: u64,
    global: Extensions,
    next: Extensions,
    long_path: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
    entries: Vec<ArchiveEntry>,
    /// Entries with extended attributes.
    attributes: usize,
    /// A block of zeros is behind the last entry.
    has_end: bool,
}

pub(super) fn read(input: &Input) -> Result<Listing, ArchiveError> {
    let mut archive = Archive {
        input,
        at: 0,
        global: Extensions::default(),
        next: Extensions::default(),
        long_path: None,
        long_target: None,
        entries: Vec::new(),
        attributes: 0,
        has_end: false,
    };
    while let Some(header) = archive.header()? {
        archive.entry(&header)?;
    }
    let mut warnings = Vec::new();
    if let Some(at) = archive.behind()? {
        warnings.push(format!(
            "has something behind its end, at byte {at}, that is not unpacked; `tar --concatenate` makes one archive of two"
        ));
    }
    if !archive.has_end {
        warnings.push("has no blocks of zeros at its end, as if it were cut short behind an entry".into());
    }
    if archive.attributes > 0 {
        warnings.push(format!(
            "has {} entries with extended attributes or access control lists, which an image does not hold",
            archive.attributes
        ));
    }
    Ok(Listing {
        entries: archive.entries,
        warnings,
    })
}

impl Archive<'_, '_> {
    /// The next header; none at the end, which is two blocks of zeros, one, or the end of the file.
    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let size = self.input.bytes.size();
        for _ in 0..2 {
            if self.at >= size {
                return Ok(None);
            }
            let mut block = [0; BLOCK as usize];
            self.input
                .bytes
                .read_exact_at(&mut block, self.at)
                .map_err(ArchiveError::of)?;
            let header = Header(block);
            if header.is_zero() {
                self.at += BLOCK;
                self.has_end = true;
                continue;
            }
            self.has_end = false;
            if !header.is_one() {
                return Err(wrong(format!(
                    "is damaged: the header at byte {} has a wrong checksum",
                    self.at
                )));
            }
            self.at += BLOCK;
            return Ok(Some(header));
        }
        Ok(None)
    }

    /// The content of so many bytes that comes next.
    fn content(&mut self, size: u64) -> Result<Place, ArchiveError> {
        let place = self.input.place(self.at, size)?;
        // The padding of the last one may be missing.
        self.at = self.at.saturating_add(size.next_multiple_of(BLOCK));
        Ok(place)
    }

    /// The content of a header that is about the next entry.
    fn about(&mut self, size: u64, shown: &str) -> Result<Vec<u8>, ArchiveError> {
        if size > LONGEST {
            return Err(wrong(format!("is damaged: {shown:?} has {size} bytes of names")));
        }
        let place = self.content(size)?;
        self.input
            .bytes
            .read_vec_at(place.offset, place.length)
            .map_err(ArchiveError::of)
    }

    fn entry(&mut self, header: &Header) -> Result<(), ArchiveError> {
        let shown = text::visible(&header.path());
        let own_size = natural(header.size(&shown)?, "size", &shown)?;
        match header.kind() {
            b'L' => self.long_path = Some(header::text(&self.about(own_size, &shown)?).to_vec()),
            b'K' => self.long_target = Some(header::text(&self.about(own_size, &shown)?).to_vec()),
            // Solaris wrote X before POSIX said x.
            b'x' | b'X' => {
                let records = self.about(own_size, &shown)?;
                self.next.add(&records, &shown)?;
            }
            b'g' => {
                let records = self.about(own_size, &shown)?;
                self.global.add(&records, &shown)?;
            }
            // GNU: the name of the archive itself.
            b'V' => {
                self.content(own_size)?;
            }
            // Solaris: the access control list of the next entry.
            b'A' => {
                self.content(own_size)?;
                self.attributes += 1;
            }
            _ => self.described(header, own_size)?,
        }
        Ok(())
    }

    /// An entry with all that was said before it.
    fn described(&mut self, header: &Header, own_size: u64) -> Result<(), ArchiveError> {
        let mut extensions = std::mem::take(&mut self.next);
        let global = &self.global;
        let of_pax = extensions.path.take().or_else(|| global.path.clone());
        let mut path = of_pax.or(self.long_path.take()).unwrap_or_else(|| header.path());
        self.long_path = None;
        let shown = text::visible(&path);
        let target = extensions.target.take().or_else(|| global.target.clone());
        let target = target.or(self.long_target.take());
        self.long_target = None;
        let target = || target.unwrap_or_else(|| header.target().to_vec());
        let id = |of_pax: Option<u64>, own: i64| {
            let id = of_pax.map_or_else(|| natural(own, "owner", &shown), Ok)?;
            u32::try_from(id).map_err(|_| wrong(format!("has {shown:?} of the owner {id}, which no system has")))
        };
        let uid = id(extensions.uid.or(global.uid), header.uid(&shown)?)?;
        let gid = id(extensions.gid.or(global.gid), header.gid(&shown)?)?;
        let mtime = extensions.mtime.or(global.mtime);
        let mtime = mtime.map_or_else(|| header.mtime(&shown), Ok)?;
        let size = extensions.size.or(global.size).unwrap_or(own_size);
        self.attributes += usize::from(extensions.attributes);
        let kind = match header.kind() {
            // V7 has no type of its own for a directory.
            0 | b'0' | b'7' if path.ends_with(b"/") => {
                self.content(size)?;
                Kind::Directory
            }
            0 | b'0' | b'7' => match extensions.holes(&shown)? {
                Some((holes, in_content, own_path)) => {
                    path = own_path.unwrap_or(path);
                    Kind::File(self.filled(holes, in_content, size, &shown)?)
                }
                None => Kind::File(self.content(size)?),
            },
            b'S' => {
                let (holes, at) = Holes::of_header(self.input.bytes, &header.0, self.at, &shown)?;
                self.at = at;
                Kind::File(self.filled(holes, false, size, &shown)?)
            }
            // GNU's D has the names in the directory for its content.
            b'5' | b'D' => {
                self.content(if header.kind() == b'D' { size } else { 0 })?;
                Kind::Directory
            }
            b'2' => Kind::Symlink(link(target(), &shown)?),
            b'1' => {
                self.content_of_link(size)?;
                Kind::Link(relative(&link(target(), &shown)?)?)
            }
            kind @ (b'3' | b'4') => {
                let (major, minor) = header.device(&shown)?;
                let number = |number: i64| {
                    u32::try_from(number)
                        .map_err(|_| wrong(format!("has {shown:?} as device {number}, which no system has")))
                };
                Kind::Device {
                    block: kind == b'4',
                    major: number(major)?,
                    minor: number(minor)?,
                }
            }
            b'6' => Kind::Special,
            b'M' => {
                return Err(wrong(format!(
                    "is a later part of an archive of several: {shown:?} begins in the one before"
                )));
            }
            other => {
                return Err(wrong(format!(
                    "has the entry {shown:?} of type {:?}: POSIX, GNU and Solaris do not define that type",
                    char::from(other)
                )));
            }
        };
        self.entries.push(ArchiveEntry {
            path: relative(&path)?,
            kind,
            mode: (header.mode(&shown)? & 0o7777) as u32,
            uid,
            gid,
            mtime: Timestamp::from_unix(mtime),
        });
        Ok(())
    }

    /// POSIX lets a hard link have the content once more; others give its length there and no content.
    fn content_of_link(&mut self, size: u64) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK as usize];
        let next = self.input.bytes.read_exact_at(&mut block, self.at);
        if size > 0 && next.is_ok() && !is_one(&block) {
            self.content(size)?;
        }
        Ok(())
    }

    /// A file with holes.
    fn filled(&mut self, mut holes: Holes, in_content: bool, size: u64, shown: &str) -> Result<Place, ArchiveError> {
        let place = self.content(size)?;
        let mut begin = 0;
        if in_content {
            let stored = Window::new(self.input.bytes, place.offset, place.length);
            begin = holes.read_map(&mut Reader::new(&stored), shown)?;
        }
        let stored = Window::new(
            self.input.bytes,
            place.offset.saturating_add(begin),
            place.length.saturating_sub(begin),
        );
        holes.filled((&mut Reader::new(&stored), stored.size()), self.input.spool, shown)
    }

    /// The first byte behind the end that is not zero.
    fn behind(&mut self) -> Result<Option<u64>, ArchiveError> {
        const STEP: u64 = 1 << 16;
        let size = self.input.bytes.size();
        while self.at < size {
            let bytes = self.input.bytes.read_vec_at(self.at, STEP.min(size - self.at));
            let bytes = bytes.map_err(ArchiveError::of)?;
            if let Some(found) = bytes.iter().position(|&byte| byte != 0) {
                return Ok(Some(self.at + found as u64));
            }
            self.at += bytes.len() as u64;
        }
        Ok(None)
    }
}

fn natural(number: i64, what: &str, shown: &str) -> Result<u64, ArchiveError> {
    u64::try_from(number).map_err(|_| wrong(format!("is damaged: {shown:?} has the {what} {number}")))
}

fn link(target: Vec<u8>, shown: &str) -> Result<Vec<u8>, ArchiveError> {
    match !target.is_empty() && !target.contains(&0) {
        true => Ok(target),
        false => Err(wrong(format!("is damaged: the link {shown:?} leads nowhere"))),
    }
}
