//! Files of the host that stand for what is in them: archives and images, compressed as a whole or not.

mod image;

use crate::formats::archive::{self, Entry, Error, Input};
use crate::ground::read_at::ReadAt;
use crate::ground::spool::{Place, Spool};

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
    Entries(Vec<Entry>),
    /// The tree of an image, and what of the image is not in its tree.
    Image(Vec<Entry>, Image),
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
pub fn read(file: &(dyn ReadAt + Sync), spool: &Spool) -> Result<Archive, Error> {
    if image::is_one(file) {
        return image::read(&Input {
            bytes: file,
            spooled: false,
            spool,
        });
    }
    let archive::Archive { content, warnings } = archive::read(file, spool)?;
    let content = match content {
        archive::Content::Entries(entries) => Content::Entries(entries),
        archive::Content::File(place) => {
            let bytes = spool.bytes()?;
            if image::is_one(&bytes) {
                let mut image = image::read(&Input {
                    bytes: &bytes,
                    spooled: true,
                    spool,
                })?;
                image.warnings.extend(warnings);
                return Ok(image);
            }
            Content::File(place)
        }
    };
    Ok(Archive { content, warnings })
}
