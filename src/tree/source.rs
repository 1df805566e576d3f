//! Where the bytes of an extent come from.

use std::path::Path;
use std::sync::Arc;

use crate::ground::range::Range;
use crate::ground::read_at::Shared;
use crate::ground::stamp::Stamp;
use crate::ground::text::{visible, visible_path};

/// The bytes of an extent.
#[derive(Clone, Debug)]
pub enum Source {
    /// Held in memory.
    Bytes(Arc<[u8]>, Giver),
    /// Given by code, read only when the image is written.
    Given(Shared),
    /// Part of a host file, read only when the image is written.
    File {
        /// The host path.
        path: Arc<Path>,
        /// The file as it was when the image was planned.
        stamp: Stamp,
        /// Where in the file the payload begins: 0 but for an entry of an archive or of another image.
        offset: u64,
        /// The entry that it is, if it is one.
        member: Option<Arc<Member>>,
    },
}

impl Source {
    /// For people: a host path relative to `base`, the manifest's directory, and the path in it if it is an archive.
    pub(crate) fn shown(&self, base: &Path) -> String {
        let relative = |path: &Path| visible_path(path.strip_prefix(base).unwrap_or(path));
        match self {
            Self::File {
                member: Some(member), ..
            } => match (member.made, member.path.is_empty()) {
                (Some(what), _) => format!("{what} of {}", relative(&member.archive)),
                (None, true) => relative(&member.archive),
                (None, false) => format!("{}:{}", relative(&member.archive), visible(&member.path)),
            },
            Self::File { path, .. } => relative(path),
            Self::Given(_) => "the program".into(),
            Self::Bytes(_, giver) => match giver {
                Giver::Manifest => "manifest".into(),
                Giver::List => "the list of files".into(),
                Giver::Loader => "built-in loader".into(),
                Giver::Readme => "iso.iso9660".into(),
                Giver::MadeFor(loader) => format!("made for {loader}"),
            },
        }
    }

    /// The source of a range of these bytes.
    pub(crate) fn part(&self, range: Range) -> Self {
        match self {
            Self::Bytes(bytes, giver) => {
                let part = bytes.get(range.offset as usize..range.end() as usize);
                Self::Bytes(part.unwrap_or_default().into(), *giver)
            }
            Self::Given(bytes) => Self::Given(bytes.part(range)),
            Self::File {
                path,
                stamp,
                offset,
                member,
            } => Self::File {
                path: path.clone(),
                stamp: *stamp,
                offset: offset + range.offset,
                member: member.clone(),
            },
        }
    }
}

/// An image that is planned and not written, and where its bytes come from.
#[derive(Debug)]
pub struct Composed {
    /// All bytes.
    pub image: Shared,
    /// Ranges that are the bytes of a source, by offset. `image` alone has the other bytes.
    pub stretches: Vec<(Range, Source)>,
}

impl Composed {
    /// The source of a range: part of one of the sources, or of the image if no source has all of it.
    pub fn part(&self, range: Range) -> Source {
        let first = self.stretches.partition_point(|(here, _)| here.end() < range.end());
        match self.stretches.get(first) {
            Some((here, source)) if here.offset <= range.offset => source.part(Range {
                offset: range.offset - here.offset,
                length: range.length,
            }),
            _ => Source::Given(self.image.part(range)),
        }
    }
}

/// What people know a source by: an entry of an archive, or a file that something was made of. The bytes may be in a temporary file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The host path of the archive.
    pub archive: Arc<Path>,
    /// The archive as it was when it was read.
    pub stamp: Stamp,
    /// The path in it; empty for a file that is compressed by itself.
    pub path: Box<[u8]>,
    /// What was made of the file, such as `unified kernel image`. `None` for an archive or a compressed file.
    pub made: Option<&'static str>,
}

/// Who gives bytes that are no file of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Giver {
    /// The manifest: inline text.
    Manifest,
    /// The built-in loader: its images, and what it reads.
    Loader,
    /// This program, for another loader: configurations, and images made of parts.
    MadeFor(&'static str),
    /// The image itself: the list of its files.
    List,
    /// The image itself: what ISO 9660 says if UDF has the tree.
    Readme,
}
