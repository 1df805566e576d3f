//! Archives as the entries in them: tar, cpio and zip, compressed as a whole or not.
//!
//! The bytes of an entry are left where they are, as a place in the archive; only what is compressed goes to a [`Spool`] first. An
//! archive inside an archive is a file.

mod cpio;
mod name;
mod repeated;
mod tar;
mod zip;

#[cfg(test)]
mod tests;

use std::io::{self, BufReader};

use crate::ground::decompress::{Behind, Compression};
use crate::ground::read_at::{ReadAt, Reader};
use crate::ground::time::Timestamp;

use crate::ground::spool::{self, Place, Spool};

/// What an archive holds, and what of it does not come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// What comes out.
    pub content: Content,
    /// What does not, in words that go on from the archive's name.
    pub warnings: Vec<String>,
}

/// What comes out of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Entries, in the archive's order.
    Entries(Vec<Entry>),
    /// One file that is compressed by itself.
    File(Place),
}

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Components joined by `/`, from the archive's root, which is empty.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// The twelve permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Of the last change.
    pub mtime: Timestamp,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file and where its bytes are.
    File(Place),
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// Another name of a file that stands before it in the archive: that file's path.
    Link(Vec<u8>),
    /// A device.
    Device {
        /// A block device, not a character device.
        block: bool,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A FIFO or a socket.
    Special,
}

/// Why an archive does not come out whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive cannot be read.
    #[error("{}", .0)]
    Read(io::Error),
    /// What is decompressed cannot be held.
    #[error("what is decompressed cannot be held: {}", .0)]
    Hold(io::Error),
    /// It is no archive, is damaged, or has what no image takes; in words that go on from its name.
    #[error("{}", .0)]
    Wrong(String),
}

impl Error {
    /// What a decoder complains of: the archive's bytes, or that they cannot be read.
    pub(crate) fn of(error: io::Error) -> Self {
        match error.kind() {
            _ if error.raw_os_error().is_some() => Self::Read(error),
            io::ErrorKind::UnexpectedEof => wrong("is cut short"),
            _ => Self::Wrong(format!("is damaged: {error}")),
        }
    }
}

impl From<spool::Error> for Error {
    fn from(error: spool::Error) -> Self {
        match error {
            spool::Error::Read(error) => Self::of(error),
            spool::Error::Hold(error) => Self::Hold(error),
            spool::Error::TooMuch => wrong(error.to_string()),
        }
    }
}

pub(crate) fn wrong(message: impl Into<String>) -> Error {
    Error::Wrong(message.into())
}

/// Bytes that entries are read from.
pub(crate) struct Input<'a> {
    /// What holds them.
    pub(crate) bytes: &'a dyn ReadAt,
    /// Whether they are the spool's.
    pub(crate) spooled: bool,
    /// For what has to be decompressed.
    pub(crate) spool: &'a Spool,
}

impl Input<'_> {
    /// Where a file's bytes are that the archive holds as they are.
    pub(crate) fn place(&self, offset: u64, length: u64) -> Result<Place, Error> {
        let end = offset.checked_add(length);
        match end.is_some_and(|end| end <= self.bytes.size()) {
            true => Ok(Place {
                spooled: self.spooled,
                offset,
                length,
            }),
            false => Err(wrong("is cut short")),
        }
    }
}

/// What an archive holds. What is compressed is decompressed into `spool`.
///
/// # Errors
/// The archive cannot be read, is none of the known kinds, is damaged or cut short, or has an entry whose path no image can hold.
pub fn read(archive: &(dyn ReadAt + Sync), spool: &Spool) -> Result<Archive, Error> {
    let length = archive.size().min(16);
    let start = archive.read_vec_at(0, length).map_err(Error::of)?;
    let Some(compression) = Compression::of(&start) else {
        let input = Input {
            bytes: archive,
            spooled: false,
            spool,
        };
        return match content(&input)? {
            Some(content) => Ok(content),
            None => Err(wrong(
                "is nothing that can be unpacked: no tar, cpio, zip or ISO image, and not compressed by gzip, xz, zstd or bzip2",
            )),
        };
    };
    let behind = Behind::default();
    let source = BufReader::with_capacity(1 << 18, Reader::new(archive));
    let whole = spool.append(&mut compression.reader(source, &behind))?;
    let content = content(&Input {
        bytes: &spool.bytes()?,
        spooled: true,
        spool,
    })?;
    let mut archive = content.unwrap_or(Archive {
        content: Content::File(whole),
        warnings: Vec::new(),
    });
    if behind.bytes() > 0 {
        archive.warnings.push(format!(
            "has {} bytes behind what is compressed in it; they are not unpacked",
            behind.bytes()
        ));
    }
    Ok(archive)
}

/// By what the bytes begin with; none if that is no archive.
fn content(input: &Input) -> Result<Option<Archive>, Error> {
    let length = input.bytes.size().min(512);
    let start = input.bytes.read_vec_at(0, length).map_err(Error::of)?;
    let (content, warnings) = if cpio::is_one(&start) {
        let (entries, warning) = repeated::last_ones(cpio::entries(input)?);
        (Content::Entries(entries), Vec::from_iter(warning))
    } else if zip::is_one(&start) {
        let (entries, warnings) = zip::entries(input)?;
        (Content::Entries(entries), warnings)
    } else if tar::is_one(&start) {
        let read = tar::read(input)?;
        let (entries, warning) = repeated::last_ones(read.entries);
        (
            Content::Entries(entries),
            read.warnings.into_iter().chain(warning).collect(),
        )
    } else {
        return Ok(None);
    };
    Ok(Some(Archive { content, warnings }))
}
