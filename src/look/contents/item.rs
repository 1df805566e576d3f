//! A name in an image, and the bytes that it names.

use std::cmp::Ordering;
use std::io;

use crate::formats::iso9660::{self, EntryKind, Posix, Zisofs};
use crate::formats::udf;
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::time::Timestamp;

/// What is read at once.
const PIECE: u64 = 1 << 20;

/// A name in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// From the root of its volume, which is `/`.
    pub path: Vec<u8>,
    /// What it names.
    pub kind: EntryKind,
    /// Of the content, in bytes, as the index says.
    pub length: u64,
    /// Where the volume has such attributes.
    pub posix: Option<Attributes>,
    /// Of the last change.
    pub modified: Timestamp,
    /// Where the content is in the image: byte offset and length of each piece, without an offset for zeros that are not there.
    pub extents: Vec<(Option<u64>, u64)>,
    /// The index holds all of the content's places.
    pub is_whole: bool,
    /// How the content is compressed there, if it is.
    pub zisofs: Option<Zisofs>,
}

/// POSIX attributes, as far as a volume has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// `st_mode`: file type and permissions.
    pub mode: u32,
    /// `st_nlink`.
    pub links: u32,
    /// `st_uid`.
    pub uid: Option<u32>,
    /// `st_gid`.
    pub gid: Option<u32>,
    /// `st_ino`: names of one file share it; 0 says nothing.
    pub serial: u64,
}

impl From<Posix> for Attributes {
    fn from(posix: Posix) -> Self {
        Self {
            mode: posix.mode,
            links: posix.links,
            uid: Some(posix.uid),
            gid: Some(posix.gid),
            serial: posix.serial.into(),
        }
    }
}

impl From<udf::Attributes> for Attributes {
    fn from(udf: udf::Attributes) -> Self {
        Self {
            mode: udf.mode,
            links: udf.links,
            uid: udf.uid,
            gid: udf.gid,
            serial: udf.serial,
        }
    }
}

impl From<udf::Kind> for EntryKind {
    fn from(kind: udf::Kind) -> Self {
        match kind {
            udf::Kind::Directory => Self::Directory,
            udf::Kind::File => Self::File,
            udf::Kind::Symlink(target) => Self::Symlink(target),
            udf::Kind::Other(device) => Self::Other(device),
        }
    }
}

impl From<iso9660::IsoEntry> for Item {
    fn from(entry: iso9660::IsoEntry) -> Self {
        let placed = entry.extents.iter().map(|&(offset, length)| (Some(offset), length));
        Self {
            length: entry.zisofs.map_or(entry.length, |zisofs| zisofs.length),
            posix: entry.posix.map(Attributes::from),
            modified: entry.modified,
            extents: placed.collect(),
            is_whole: entry.is_whole,
            zisofs: entry.zisofs,
            ..Self::empty(entry.path, entry.kind)
        }
    }
}

impl From<udf::UdfEntry> for Item {
    fn from(entry: udf::UdfEntry) -> Self {
        Self {
            length: entry.length,
            posix: Some(Attributes::from(entry.attributes)),
            modified: entry.attributes.modified,
            extents: entry.extents,
            ..Self::empty(entry.path, EntryKind::from(entry.kind))
        }
    }
}

/// Why a content does not come out of an image whole.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// What the index says of the content is not so, in words that go on from its name.
    #[error("{}", .0)]
    Damaged(String),
    /// The image cannot be read.
    #[error("{}", .0)]
    Read(io::Error),
    /// What was read is not taken.
    #[error("{}", .0)]
    Write(io::Error),
}

impl Item {
    /// A directory, a link or a file without content.
    pub fn empty(path: Vec<u8>, kind: EntryKind) -> Self {
        Self {
            path,
            kind,
            length: 0,
            posix: None,
            modified: Timestamp::default(),
            extents: Vec::new(),
            is_whole: true,
            zisofs: None,
        }
    }

    /// The path's last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// All of the content, if it can be read and is not longer than that.
    pub fn bytes(&self, image: &dyn ReadAt, longest: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let copied = (self.length <= longest).then(|| {
            self.copy(image, &mut |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })
        });
        copied.is_some_and(|copied| copied.is_ok()).then_some(bytes)
    }

    /// By path, so that what is in a directory stands together behind it.
    pub fn order(&self, other: &Self) -> Ordering {
        order(&self.path, &other.path)
    }

    /// Gives the content to `write`, in pieces of at most a mebibyte.
    pub fn copy(&self, image: &dyn ReadAt, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), CopyError> {
        if !self.is_whole {
            return Err(CopyError::Damaged(
                "not all of it is in the image, or it is encrypted".into(),
            ));
        }
        if self.zisofs.is_none() {
            return copy(image, &self.extents, self.length, write);
        }
        let mut refused = None;
        let mut keep = |bytes: &[u8]| {
            write(bytes).map_err(|error| {
                refused = Some(error);
                io::Error::other("refused")
            })
        };
        let stored = Pieces::new(image, self.extents.iter().copied());
        let result = self.zisofs.map_or(Ok(()), |zisofs| zisofs.copy(&stored, &mut keep));
        match (result, refused) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(error)) => Err(CopyError::Write(error)),
            (Err(error), None) => match error.kind() {
                io::ErrorKind::InvalidData => Err(CopyError::Damaged(error.to_string())),
                _ => Err(CopyError::Read(error)),
            },
        }
    }
}

/// Paths by their components: the slash is before every byte of a name.
pub(super) fn order(a: &[u8], b: &[u8]) -> Ordering {
    let key = |&byte: &u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    a.iter().map(key).cmp(b.iter().map(key))
}

/// Gives the bytes of `extents` to `write`; they have to be `length` altogether.
fn copy(
    image: &dyn ReadAt,
    extents: &[(Option<u64>, u64)],
    length: u64,
    write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), CopyError> {
    let held = extents
        .iter()
        .try_fold(0u64, |sum, &(_, length)| sum.checked_add(length));
    let inside = |&(offset, length): &(Option<u64>, u64)| {
        offset.is_none_or(|at| at.checked_add(length).is_some_and(|end| end <= image.size()))
    };
    if held != Some(length) || !extents.iter().all(inside) {
        return Err(CopyError::Damaged(format!(
            "of its {length} bytes not all are in the image: it is cut short"
        )));
    }
    let mut buffer = vec![0; PIECE.min(length) as usize];
    for &(offset, length) in extents {
        let mut done = 0;
        if offset.is_none() {
            buffer.fill(0);
        }
        while done < length {
            let piece = PIECE.min(length - done);
            let Some(bytes) = buffer.get_mut(..piece as usize) else {
                break;
            };
            if let Some(offset) = offset {
                image.read_exact_at(bytes, offset + done).map_err(CopyError::Read)?;
            }
            write(bytes).map_err(CopyError::Write)?;
            done += piece;
        }
    }
    Ok(())
}
