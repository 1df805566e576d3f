//! ISO images: the tree by its richest index.

use std::io;

use super::{Archive, Content, Image};
use crate::formats::archive::{ArchiveEntry, ArchiveError, Input, Kind, wrong};
use crate::formats::el_torito;
use crate::formats::iso9660::{self, Descriptor, EntryKind, MediaMd5};
use crate::formats::recognise::Form;
use crate::ground::read_at::ReadAt;
use crate::ground::spool::Place;
use crate::ground::text;
use crate::look::contents::{CopyError, Item, Place as ImagePlace, Tree};

/// By the identifier of the first volume descriptor (ECMA-119 §9.1.2), or of UDF's.
pub(super) fn is_one(bytes: &dyn ReadAt) -> io::Result<bool> {
    Ok(Form::Iso9660.is_of(bytes)? || Form::Udf.is_of(bytes)?)
}

pub(super) fn read(input: &Input) -> Result<Archive, ArchiveError> {
    let tree = Tree::of(input.bytes, ImagePlace::Tree(b"/".to_vec()));
    let (tree, _) = tree.map_err(|error| wrong(format!("cannot be read as an image: {error}")))?;
    if tree.left_out > 0 {
        return Err(wrong(format!(
            "is an image with {} names that lead nowhere or that no path can hold",
            tree.left_out
        )));
    }
    let entries: Result<_, _> = tree.items().iter().map(|item| entry(input, item)).collect();
    let warnings = tree
        .notes
        .iter()
        .map(|note| format!("is an image of which there is to say: {note}"));
    Ok(Archive {
        content: Content::Image(entries?, beside_the_tree(input.bytes)),
        warnings: warnings.collect(),
    })
}

/// By the volume descriptors; an image of UDF alone has none.
fn beside_the_tree(image: &dyn ReadAt) -> Image {
    let descriptors = iso9660::read_descriptors(image).unwrap_or_default();
    let descriptors = || descriptors.iter().map(|(_, descriptor)| descriptor);
    Image {
        bootable: descriptors().any(|descriptor| matches!(descriptor, Descriptor::Boot(record) if el_torito::parse_boot_record(record).is_some())),
        media_md5: descriptors().any(|descriptor| {
            matches!(descriptor, Descriptor::Volume(volume) if MediaMd5::decode(&volume.application_use).is_some())
        }),
    }
}

/// Makes an entry of a name of the image. A content in several extents or compressed by zisofs is copied to the spool.
pub(in crate::resolve) fn entry(input: &Input, item: &Item) -> Result<ArchiveEntry, ArchiveError> {
    const FORMAT: u32 = 0o170_000;
    let directory = item.kind == EntryKind::Directory;
    let mode = match item.posix {
        Some(posix) => posix.mode,
        None if directory => 0o755,
        None => 0o644,
    };
    let kind = match &item.kind {
        EntryKind::Directory => Kind::Directory,
        EntryKind::Symlink(target) => Kind::Symlink(target.clone()),
        EntryKind::Other(Some((major, minor))) => Kind::Device {
            block: mode & FORMAT == 0o060_000,
            major: *major,
            minor: *minor,
        },
        EntryKind::Other(None) => Kind::Special,
        EntryKind::File => Kind::File(match item.extents[..] {
            [(Some(offset), length)] if item.zisofs.is_none() && item.is_whole && length == item.length => {
                input.place(offset, length)?
            }
            _ => copied(input, item)?,
        }),
    };
    Ok(ArchiveEntry {
        path: item.path.strip_prefix(b"/").unwrap_or(&item.path).to_vec(),
        kind,
        mode: mode & 0o7777,
        uid: item.posix.and_then(|posix| posix.uid).unwrap_or(0),
        gid: item.posix.and_then(|posix| posix.gid).unwrap_or(0),
        mtime: item.modified,
    })
}

/// A content that is in several pieces or compressed.
fn copied(input: &Input, item: &Item) -> Result<Place, ArchiveError> {
    let start = input.spool.end();
    let mut failed = None;
    let result = item.copy(input.bytes, &mut |bytes| {
        input.spool.push(bytes).map_err(|error| {
            failed = Some(error);
            io::ErrorKind::Other.into()
        })
    });
    match (result, failed) {
        (Ok(()), _) => Ok(input.spool.since(start)),
        (Err(_), Some(error)) => Err(error.into()),
        (Err(CopyError::Damaged(what)), _) => {
            Err(wrong(format!("is damaged: {:?}: {what}", text::visible(&item.path))))
        }
        (Err(CopyError::Read(error) | CopyError::Write(error)), _) => Err(ArchiveError::of(error)),
    }
}
