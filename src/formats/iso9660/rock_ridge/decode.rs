//! System use entries read back.

use super::super::Posix;
use super::super::record::{read_recording_date, read_volume_date};
use super::super::zisofs::Zisofs;
use super::link::{CURRENT, PARENT, ROOT};
use super::{CONTINUE, MODIFY, SECTOR};
use crate::ground::time::Timestamp;

/// §4.1.6: stamps of 17 bytes, as in a volume descriptor.
const LONG_FORM: u8 = 0x80;

/// SUSP 5.3: the check bytes of SP.
const CHECK: [u8; 2] = [0xBE, 0xEF];

/// Where SP is in the system use of the root's first record: at its start, behind the 14 bytes that CD-ROM XA has there, or behind
/// what others have put in front.
pub(in crate::formats::iso9660) fn announcement(system_use: &[u8]) -> Option<usize> {
    let is_announcement = |bytes: &[u8]| bytes[..2] == *b"SP" && bytes[2] >= 7 && bytes[4..] == CHECK;
    system_use.windows(6).position(is_announcement)
}

/// What the system use entries of a record say.
#[derive(Debug, Default)]
pub(in crate::formats::iso9660) struct Read {
    /// NM.
    pub(in crate::formats::iso9660) name: Option<Vec<u8>>,
    /// PX, with the times of TF.
    pub(in crate::formats::iso9660) posix: Option<Posix>,
    /// TF: the time of the last change of the contents.
    pub(in crate::formats::iso9660) modified: Option<Timestamp>,
    /// PN: the number of a device.
    pub(in crate::formats::iso9660) device: Option<(u32, u32)>,
    /// SL.
    pub(in crate::formats::iso9660) target: Option<Vec<u8>>,
    /// CL: the logical block of a directory that was moved away from here.
    pub(in crate::formats::iso9660) child: Option<u32>,
    /// RE: the record is where a moved directory is kept.
    pub(in crate::formats::iso9660) relocated: bool,
    /// CE: byte offset and length of the continuation.
    pub(in crate::formats::iso9660) continuation: Option<(u64, u64)>,
    /// ZF: the content is compressed.
    pub(in crate::formats::iso9660) zisofs: Option<Zisofs>,
    /// SP: how many bytes of each record's system use belong to somebody else.
    pub(in crate::formats::iso9660) skip: Option<u8>,
    /// The last NM entry goes on in the next.
    name_continues: bool,
    /// An entry is cut short or has no length: what follows it is not read.
    pub(in crate::formats::iso9660) torn: bool,
    /// No slash before the next component: the last one goes on in it, is the root, or there was none.
    joined: bool,
}

impl Read {
    /// Adds the entries in `area`. Zeros at its end are padding.
    pub(in crate::formats::iso9660) fn add(&mut self, mut area: &[u8]) {
        self.continuation = None;
        while let [a, b, length, _version, ..] = *area {
            let Some((entry, rest)) = area.split_at_checked(usize::from(length)).filter(|_| length >= 4) else {
                self.torn = area.iter().any(|&byte| byte != 0);
                return;
            };
            self.entry(&[a, b], &entry[4..]);
            if &[a, b] == b"ST" {
                return;
            }
            area = rest;
        }
    }

    fn entry(&mut self, signature: &[u8; 2], payload: &[u8]) {
        let word = |at: usize| {
            payload
                .get(at..)
                .and_then(|rest| rest.first_chunk())
                .map(|&bytes| u32::from_le_bytes(bytes))
        };
        match signature {
            b"SP" if payload.starts_with(&CHECK) => self.skip = payload.get(2).copied(),
            b"CE" => {
                if let (Some(block), Some(offset), Some(length)) = (word(0), word(8), word(16)) {
                    self.continuation = Some((u64::from(block) * SECTOR + u64::from(offset), length.into()));
                }
            }
            b"NM" => {
                let Some((&flags, name)) = payload.split_first() else {
                    return;
                };
                // `.` and `..` have names of their own.
                if flags & (CURRENT | PARENT) != 0 || (self.name.is_some() && !self.name_continues) {
                    return;
                }
                self.name.get_or_insert_default().extend(name);
                self.name_continues = flags & CONTINUE != 0;
            }
            b"PX" => self.posix = posix(word),
            b"TF" => self.modified = modified(payload),
            b"PN" => {
                if let (Some(high), Some(low)) = (word(0), word(8)) {
                    self.device = Some(device(high, low));
                }
            }
            b"SL" => self.link(payload.get(1..).unwrap_or_default()),
            b"CL" => self.child = word(0),
            b"RE" => self.relocated = true,
            b"ZF" => self.zisofs = Zisofs::parse(payload),
            _ => {}
        }
    }

    fn link(&mut self, mut components: &[u8]) {
        self.joined |= self.target.is_none();
        let target = self.target.get_or_insert_default();
        while let [flags, length, rest @ ..] = components {
            let Some((text, rest)) = rest.split_at_checked(usize::from(*length)) else {
                return;
            };
            if !self.joined {
                target.push(b'/');
            }
            let is_absolute = target.is_empty() && flags & ROOT != 0;
            match flags & !CONTINUE {
                CURRENT => target.push(b'.'),
                PARENT => target.extend(b".."),
                ROOT if is_absolute => target.push(b'/'),
                // genisoimage and xorriso write so what is between the two slashes of `usr//lib`.
                ROOT => {}
                _ => target.extend(text),
            }
            self.joined = flags & CONTINUE != 0 || is_absolute;
            components = rest;
        }
    }
}

/// PX, §4.1.1. Version 1.09 has no serial number.
fn posix(word: impl Fn(usize) -> Option<u32>) -> Option<Posix> {
    Some(Posix {
        mode: word(0)?,
        links: word(8)?,
        uid: word(16)?,
        gid: word(24)?,
        serial: word(32).unwrap_or(0),
        mtime: Timestamp::default(),
    })
}

/// §4.1.6: the stamps that the flags announce follow each other, in the order of the flags' bits.
fn modified(payload: &[u8]) -> Option<Timestamp> {
    let (&flags, stamps) = payload.split_first()?;
    if flags & MODIFY == 0 {
        return None;
    }
    let before = (flags & (MODIFY - 1)).count_ones() as usize;
    match flags & LONG_FORM {
        0 => Some(read_recording_date(*stamps.get(before * 7..)?.first_chunk()?)),
        _ => read_volume_date(stamps.get(before * 17..)?.first_chunk()?),
    }
}

/// §4.1.2: 32 bits that are the old form of both numbers, or one number in each word.
fn device(high: u32, low: u32) -> (u32, u32) {
    match high {
        0 => (low >> 8, low & 0xFF),
        _ => (high, low),
    }
}
