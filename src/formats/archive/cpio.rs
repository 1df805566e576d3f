//! cpio: the portable ASCII formats of SVR4 (`070701`, and `070702` with sums) and of POSIX (`070707`), and the old binary one in
//! either byte order.

use std::collections::HashMap;

use super::name::relative;
use super::{ArchiveEntry, ArchiveError, Input, Kind, wrong};
use crate::ground::spool::Place;
use crate::ground::text;
use crate::ground::time::Timestamp;

const TRAILER: &[u8] = b"TRAILER!!!";
/// Names and link targets; Linux takes none longer.
const LONGEST: u64 = 4096;

/// Whether a header of any kind begins so.
fn is_header(start: &[u8]) -> bool {
    matches!(start, [b'0', b'7', b'0', b'7', b'0', b'1' | b'2' | b'7', ..]) || is_binary(start)
}

/// 0o070707 in sixteen bits, of a machine of either kind.
fn is_binary(start: &[u8]) -> bool {
    matches!(start, [0xC7, 0x71, ..] | [0x71, 0xC7, ..])
}

/// What a header says.
struct Header {
    device: (u64, u64),
    inode: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u64,
    mtime: u64,
    special: (u32, u32),
    length: u64,
    name_length: u64,
    sum: Option<u32>,
    /// Of itself.
    size: u64,
    /// What name and content are padded to.
    align: u64,
}

impl Header {
    fn read(input: &Input, at: u64) -> Result<Self, ArchiveError> {
        let magic = input.bytes.read_vec_at(at, 6).map_err(ArchiveError::of)?;
        match &magic[..] {
            b"070701" | b"070702" => {
                let bytes = input.bytes.read_vec_at(at, 110).map_err(ArchiveError::of)?;
                let field = |index: usize| number(&bytes[6 + 8 * index..14 + 8 * index], 16, at);
                let small = |index| field(index).map(|value| value as u32);
                Ok(Self {
                    inode: field(0)?,
                    mode: small(1)?,
                    uid: small(2)?,
                    gid: small(3)?,
                    links: field(4)?,
                    mtime: field(5)?,
                    length: field(6)?,
                    device: (field(7)?, field(8)?),
                    special: (small(9)?, small(10)?),
                    name_length: field(11)?,
                    sum: if magic[5] == b'2' { Some(small(12)?) } else { None },
                    size: 110,
                    align: 4,
                })
            }
            b"070707" => {
                let bytes = input.bytes.read_vec_at(at, 76).map_err(ArchiveError::of)?;
                let field = |start: usize, length: usize| number(&bytes[start..start + length], 8, at);
                let special = field(42, 6)?;
                Ok(Self {
                    device: (field(6, 6)?, 0),
                    inode: field(12, 6)?,
                    mode: field(18, 6)? as u32,
                    uid: field(24, 6)? as u32,
                    gid: field(30, 6)? as u32,
                    links: field(36, 6)?,
                    special: ((special >> 8) as u32, (special & 0xff) as u32),
                    mtime: field(48, 11)?,
                    name_length: field(59, 6)?,
                    length: field(65, 11)?,
                    sum: None,
                    size: 76,
                    align: 1,
                })
            }
            _ if is_binary(&magic) => {
                let bytes = input.bytes.read_vec_at(at, 26).map_err(ArchiveError::of)?;
                let word = |index: usize| {
                    let pair = [bytes[2 * index], bytes[2 * index + 1]];
                    match magic[0] {
                        0xC7 => u16::from_le_bytes(pair),
                        _ => u16::from_be_bytes(pair),
                    }
                };
                // On the PDP-11 the more significant half of a long number came first, and so it stayed.
                let long = |index: usize| u64::from(word(index)) << 16 | u64::from(word(index + 1));
                let special = word(7);
                Ok(Self {
                    device: (word(1).into(), 0),
                    inode: word(2).into(),
                    mode: word(3).into(),
                    uid: word(4).into(),
                    gid: word(5).into(),
                    links: word(6).into(),
                    special: ((special >> 8).into(), (special & 0xff).into()),
                    mtime: long(8),
                    name_length: word(10).into(),
                    length: long(11),
                    sum: None,
                    size: 26,
                    align: 2,
                })
            }
            _ => Err(wrong(format!("is damaged: at byte {at} there is no header of cpio"))),
        }
    }
}

fn number(digits: &[u8], radix: u32, at: u64) -> Result<u64, ArchiveError> {
    let text = str::from_utf8(digits).ok();
    let value = text.and_then(|text| u64::from_str_radix(text, radix).ok());
    value.ok_or_else(|| wrong(format!("is damaged: the header at byte {at} has a number that is none")))
}

/// Names of one file, of which only the last has the content.
#[derive(Default)]
struct Links {
    waiting: Vec<usize>,
    content: Option<Vec<u8>>,
}

/// A regular file in the portable ASCII format of SVR4 (`newc`), which Linux takes as an initramfs. [`trailer`] ends the archive.
pub fn file(name: &[u8], mode: u32, content: &[u8]) -> Vec<u8> {
    entry(name, 0o100_000 | mode, content)
}

/// What stands behind the last file of an archive.
pub fn trailer() -> Vec<u8> {
    entry(TRAILER, 0, &[])
}

fn entry(name: &[u8], mode: u32, content: &[u8]) -> Vec<u8> {
    let mut entry = b"070701".to_vec();
    // Inode, mode, uid, gid, links, mtime, length, two pairs of device numbers, length of the name with its zero, sum.
    let name_length = name.len() as u32 + 1;
    for field in [0, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name_length, 0] {
        entry.extend(format!("{field:08x}").bytes());
    }
    for part in [[name, &[0]].concat().as_slice(), content] {
        entry.extend(part);
        entry.resize(entry.len().next_multiple_of(4), 0);
    }
    entry
}

pub(super) fn entries(input: &Input) -> Result<Vec<ArchiveEntry>, ArchiveError> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(start) = next_header(input, at)? {
        at = archive(input, start, &mut entries)?;
    }
    Ok(entries)
}

/// One archive, of which several may stand one behind the other. The result is where it ends.
fn archive(input: &Input, start: u64, entries: &mut Vec<ArchiveEntry>) -> Result<u64, ArchiveError> {
    let mut links: HashMap<((u64, u64), u64), Links> = HashMap::new();
    let mut at = start;
    loop {
        let header = Header::read(input, at)?;
        // Both paddings are counted from the beginning of the archive, whose own place is aligned.
        let aligned = |position: u64| start + (position - start).next_multiple_of(header.align);
        if header.name_length == 0 || header.name_length > LONGEST {
            return Err(wrong(format!(
                "is damaged: the name at byte {at} has {} bytes",
                header.name_length
            )));
        }
        let name = input.bytes.read_vec_at(at + header.size, header.name_length);
        let name = name.map_err(ArchiveError::of)?;
        let Some((0, name)) = name.split_last() else {
            return Err(wrong(format!("is damaged: the name at byte {at} does not end")));
        };
        let content = aligned(at + header.size + header.name_length);
        at = aligned(content + header.length);
        if name == TRAILER {
            return Ok(at);
        }
        let place = input.place(content, header.length)?;
        // Only files have one; GNU cpio leaves that of a link 0.
        let is_file = header.mode & 0o170_000 == 0o100_000;
        if let Some(sum) = header.sum.filter(|_| header.length > 0 && is_file) {
            check(input, place, sum, name)?;
        }
        let path = relative(name)?;
        let kind = match header.mode & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o100_000 if header.links > 1 => {
                let links = links.entry((header.device, header.inode)).or_default();
                linked(links, entries, &path, place)
            }
            0o100_000 => Kind::File(place),
            0o120_000 => Kind::Symlink(target(input, place, name)?),
            kind @ (0o060_000 | 0o020_000) => Kind::Device {
                block: kind == 0o060_000,
                major: header.special.0,
                minor: header.special.1,
            },
            0o010_000 | 0o140_000 => Kind::Special,
            _ => {
                return Err(wrong(format!(
                    "is damaged: {:?} is of no known type",
                    text::visible(name)
                )));
            }
        };
        entries.push(ArchiveEntry {
            path,
            kind,
            mode: header.mode & 0o7777,
            uid: header.uid,
            gid: header.gid,
            mtime: Timestamp::from_unix(header.mtime as i64),
        });
    }
}

/// One of several names of a file. Those that come before the content get it when it is there.
fn linked(links: &mut Links, entries: &mut [ArchiveEntry], path: &[u8], place: Place) -> Kind {
    if let Some(first) = &links.content {
        return Kind::Link(first.clone());
    }
    if place.length == 0 {
        links.waiting.push(entries.len());
        return Kind::File(place);
    }
    for &name in &links.waiting {
        entries[name].kind = Kind::File(place);
    }
    links.content = Some(path.to_vec());
    Kind::File(place)
}

fn target(input: &Input, place: Place, name: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    if place.length == 0 || place.length > LONGEST {
        return Err(wrong(format!(
            "is damaged: the link {:?} has a target of {} bytes",
            text::visible(name),
            place.length
        )));
    }
    let target = input
        .bytes
        .read_vec_at(place.offset, place.length)
        .map_err(ArchiveError::of)?;
    match target.contains(&0) {
        true => Err(wrong(format!(
            "is damaged: the link {:?} has a NUL in its target",
            text::visible(name)
        ))),
        false => Ok(target),
    }
}

/// The sum of all bytes of a content, which `070702` has.
fn check(input: &Input, place: Place, wanted: u32, name: &[u8]) -> Result<(), ArchiveError> {
    let mut sum = 0u32;
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    while done < place.length {
        let length = (place.length - done).min(buffer.len() as u64) as usize;
        let bytes = &mut buffer[..length];
        input
            .bytes
            .read_exact_at(bytes, place.offset + done)
            .map_err(ArchiveError::of)?;
        sum = bytes.iter().fold(sum, |sum, &byte| sum.wrapping_add(byte.into()));
        done += length as u64;
    }
    match sum == wanted {
        true => Ok(()),
        false => Err(wrong(format!(
            "is damaged: the sum of {:?} is wrong",
            text::visible(name)
        ))),
    }
}

/// Where the next archive begins, behind the zeros that pad the one before.
fn next_header(input: &Input, at: u64) -> Result<Option<u64>, ArchiveError> {
    let mut at = at;
    let mut buffer = vec![0; 1 << 12];
    while at < input.bytes.size() {
        let length = (input.bytes.size() - at).min(buffer.len() as u64) as usize;
        let bytes = &mut buffer[..length];
        input.bytes.read_exact_at(bytes, at).map_err(ArchiveError::of)?;
        let Some(zeros) = bytes.iter().position(|&byte| byte != 0) else {
            at += length as u64;
            continue;
        };
        at += zeros as u64;
        let start = input.bytes.read_vec_at(at, 6.min(input.bytes.size() - at));
        return match is_header(&start.map_err(ArchiveError::of)?) {
            true => Ok(Some(at)),
            false => Err(wrong(format!(
                "has something behind its end, at byte {at}, that is no archive of cpio; a compressed one there is not unpacked"
            ))),
        };
    }
    Ok(None)
}
