//! Archives as the entries in them: tar, cpio and zip, and packages of Debian.
//!
//! The bytes of an entry are left where they are, as a place in the archive; only what is compressed goes to a [`Spool`] first. An
//! archive inside an archive is a file.

pub mod cpio;
mod deb;
mod name;
mod repeated;
mod tar;
mod zip;

use std::io::{self};

use crate::ground::read_at::ReadAt;
use crate::ground::time::Timestamp;

use crate::ground::spool::{self, Place, Spool};

/// The entries of an archive, and what of it does not come out.
#[derive(Debug)]
pub struct Listing {
    /// In the archive's order.
    pub entries: Vec<ArchiveEntry>,
    /// What does not come out, in words that go on from the archive's name.
    pub warnings: Vec<String>,
}

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveEntry {
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
pub enum ArchiveError {
    /// The archive cannot be read.
    #[error("{}", .0)]
    Read(io::Error),
    /// What is decompressed cannot be held.
    #[error("what is decompressed cannot be held: {}", .0)]
    Hold(io::Error),
    /// The file is not an archive, or is damaged, or holds what an image cannot hold. The words go on from the name of the file.
    #[error("{}", .0)]
    Wrong(String),
}

impl ArchiveError {
    /// What a decoder complains of: the archive's bytes, or that they cannot be read.
    pub(crate) fn of(error: io::Error) -> Self {
        match error.kind() {
            _ if error.raw_os_error().is_some() => Self::Read(error),
            io::ErrorKind::UnexpectedEof => wrong("is cut short"),
            _ => Self::Wrong(format!("is damaged: {error}")),
        }
    }
}

impl From<spool::SpoolError> for ArchiveError {
    fn from(error: spool::SpoolError) -> Self {
        match error {
            spool::SpoolError::Read(error) => Self::of(error),
            spool::SpoolError::Hold(error) => Self::Hold(error),
            spool::SpoolError::TooMuch => wrong(error.to_string()),
        }
    }
}

pub(crate) fn wrong(message: impl Into<String>) -> ArchiveError {
    ArchiveError::Wrong(message.into())
}

/// Bytes that entries are read from.
pub struct Input<'a> {
    /// What holds them.
    pub bytes: &'a dyn ReadAt,
    /// Whether they are the spool's.
    pub spooled: bool,
    /// For what has to be decompressed.
    pub spool: &'a Spool,
}

impl Input<'_> {
    /// Where a file's bytes are that the archive holds as they are.
    pub(crate) fn place(&self, offset: u64, length: u64) -> Result<Place, ArchiveError> {
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

/// The entries of a cpio archive; of names that are in it twice the last.
///
/// # Errors
/// Of this and of the others: the archive cannot be read, is damaged or cut short, or has an entry whose path no image can hold.
pub fn cpio(input: &Input) -> Result<Listing, ArchiveError> {
    let (entries, warning) = repeated::last_ones(cpio::entries(input)?);
    let warnings = Vec::from_iter(warning);
    Ok(Listing { entries, warnings })
}

/// The entries of a zip archive.
pub fn zip(input: &Input) -> Result<Listing, ArchiveError> {
    let (entries, warnings) = zip::entries(input)?;
    Ok(Listing { entries, warnings })
}

/// Whether `start`, the first logical block, is of a tar archive: old ones are known by their sum alone.
pub fn is_tar(start: &[u8]) -> bool {
    tar::is_one(start)
}

/// The entries of a tar archive; of names that are in it twice the last.
pub fn tar(input: &Input) -> Result<Listing, ArchiveError> {
    let mut listing = tar::read(input)?;
    let (entries, warning) = repeated::last_ones(listing.entries);
    listing.warnings.extend(warning);
    listing.entries = entries;
    Ok(listing)
}

/// The files of a Debian package, which is an ar archive.
pub fn deb(input: &Input) -> Result<Listing, ArchiveError> {
    deb::read(input)
}
