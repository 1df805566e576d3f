//! Files of the host that stand for what is in them: archives and images, compressed as a whole or not.

pub(super) mod image;
#[cfg(test)]
mod tests;

use std::io::BufReader;

use crate::formats::archive::{self, ArchiveEntry, ArchiveError, Input, wrong};
use crate::formats::recognise::Form;
use crate::ground::decompress::{Behind, Compression};
use crate::ground::read_at::{ReadAt, Reader, Shared, Window};
use crate::ground::spool::{Place, Spool};
use crate::look::size::{HEAD, declared_size};

/// What an archive or an image holds, and what of it does not come out.
pub struct Archive {
    /// What comes out.
    pub content: Content,
    /// What does not, in words that go on from the file's name.
    pub warnings: Vec<String>,
}

/// What comes out of a file.
pub enum Content {
    /// Entries, in the archive's order.
    Entries(Vec<ArchiveEntry>),
    /// The tree of an image, and what of the image is not in its tree.
    Image(Vec<ArchiveEntry>, Image),
    /// One file that is compressed by itself.
    File(Place),
}

/// What an image has beside its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// An El Torito boot catalog.
    pub bootable: bool,
    /// The MD5 by which `checkisomd5` checks a medium.
    pub media_md5: bool,
}

/// What `file` holds. What is compressed is decompressed into `spool`.
///
/// # Errors
/// The file cannot be read, is of no known kind, is damaged or cut short, or has an entry whose path no image can hold.
pub fn read(file: &(dyn ReadAt + Sync), spool: &Spool) -> Result<Archive, ArchiveError> {
    let start = file.read_vec_at(0, file.size().min(16)).map_err(ArchiveError::of)?;
    let Some(compression) = Compression::of(&start) else {
        let input = Input {
            bytes: file,
            spooled: false,
            spool,
        };
        return content(&input)?.ok_or_else(|| {
            wrong("is nothing that can be unpacked: no tar, cpio, zip, Debian package or ISO image, and not compressed by gzip, xz, zstd or bzip2")
        });
    };
    let behind = Behind::default();
    let source = BufReader::with_capacity(1 << 18, Reader::new(file));
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

/// Reads the ISO image on a disk. Its bytes are copied into `spool`.
///
/// # Errors
/// As those of [`read`], or the disk is not an ISO image.
pub fn read_disk(disk: &Shared, spool: &Spool) -> Result<Archive, ArchiveError> {
    if !image::is_one(disk).map_err(ArchiveError::of)? {
        return Err(wrong("has a disk in it that is not an ISO image"));
    }
    let head = disk.read_vec_at(0, disk.size().min(HEAD)).map_err(ArchiveError::of)?;
    let length = declared_size(&head).unwrap_or(disk.size());
    spool.append(&mut Reader::new(&Window::new(disk, 0, length)))?;
    let content = content(&Input {
        bytes: &spool.bytes()?,
        spooled: true,
        spool,
    })?;
    content.ok_or_else(|| wrong("has a disk in it that is not an ISO image"))
}

/// The first bytes say what the file is. `None` if it is not an archive.
fn content(input: &Input) -> Result<Option<Archive>, ArchiveError> {
    let start = input.bytes.read_vec_at(0, input.bytes.size().min(512));
    let start = start.map_err(ArchiveError::of)?;
    let begins = |form: Form| form.is_shown_by(&start);
    let archive::Listing { entries, warnings } = if begins(Form::Cpio) || begins(Form::OldCpio) {
        archive::cpio(input)?
    } else if begins(Form::Zip) {
        archive::zip(input)?
    } else if begins(Form::Ar) {
        archive::deb(input)?
    } else if image::is_one(input.bytes).map_err(ArchiveError::of)? {
        return image::read(input).map(Some);
    } else if archive::is_tar(&start) {
        archive::tar(input)?
    } else {
        return Ok(None);
    };
    let content = Content::Entries(entries);
    Ok(Some(Archive { content, warnings }))
}
