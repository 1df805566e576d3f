//! What was true of an image that is unpacked, and need not be of the one that is made.

use super::sources::Image;
use crate::formats::digest_list;
use crate::ground::text;
use crate::manifest::At;
use crate::tree::{Kind, PayloadId};

use super::Resolution;
use super::unpack::Unpacking;

/// Where images for installation list the digests of their files.
const LISTS: [&[u8]; 5] = [
    b"md5sum.txt",
    b".disk/md5sum.txt",
    b"SHA256SUMS",
    b"sha256sum.txt",
    b"sha256sums.txt",
];
/// A longer file is not taken for a list.
const LONGEST: u64 = 64 << 20;

/// A list of digests that came out of an archive.
#[derive(Debug)]
pub(super) struct List {
    /// Which `[[files]]` entry brought it.
    origin: u32,
    /// Its path in this image.
    path: Vec<u8>,
    /// The archive's files that it lists: their paths in this image, and the bytes there, if they are not left out.
    files: Vec<(Vec<u8>, Option<PayloadId>)>,
}

impl Resolution<'_> {
    /// Says what of an image is not unpacked, where the manifest has nothing in its place.
    pub(super) fn warn_of_image(&mut self, from: &At<String>, image: Image) {
        let name = from.get_ref();
        if image.bootable && !self.document.manifest.boots() {
            self.warn_with(
                from,
                format!("{name:?} boots, and this image will not: how an image boots is not in its tree"),
                "its tree is unpacked",
                "`[boot]` or `[[menu]]` says how it boots; they take what was unpacked as `iso:/...`",
            );
        }
        if image.media_md5 && !self.document.manifest.iso.implant_md5 {
            self.warn_with(
                from,
                format!(
                    "{name:?} has its MD5 implanted, by which an installer may check its medium; this image has none"
                ),
                "its tree is unpacked",
                "`iso.implant_md5 = true` implants its own",
            );
        }
    }

    /// Remembers the lists of digests among what was unpacked into `to`.
    pub(super) fn remember_lists(&mut self, origin: u32, to: &[&[u8]], unpacking: &Unpacking) {
        let below = |path: &[u8]| [to, &[path]].concat().join(&b'/');
        for name in LISTS {
            let Some(bytes) = unpacking.bytes_of(name, LONGEST) else {
                continue;
            };
            let listed = bytes.split(|&byte| byte == b'\n').filter_map(listed);
            let files = listed.filter_map(|path| Some((below(&path), unpacking.unpacked(&path)?)));
            let files = files.collect();
            self.lists.push(List {
                origin,
                path: below(name),
                files,
            });
        }
    }

    /// Says which lists of digests are no longer true.
    pub(super) fn warn_of_lists(&mut self) {
        for list in std::mem::take(&mut self.lists) {
            let wrong = |(path, payload): &&(Vec<u8>, Option<PayloadId>)| {
                let node = self.tree.find(path.split(|&byte| byte == b'/'));
                let here = node.and_then(|node| match self.tree.node(node).kind {
                    Kind::File(here) => Some(here),
                    _ => None,
                });
                let is_empty = |id: &PayloadId| self.tree.payload(*id).length == 0;
                // Two empty files are two payloads with the same content.
                let are_empty = here.as_ref().is_some_and(is_empty) && payload.as_ref().is_some_and(is_empty);
                payload.is_none() || (here != *payload && !are_empty)
            };
            let mut wrong_ones = list.files.iter().filter(wrong);
            let Some((first, _)) = wrong_ones.next() else {
                continue;
            };
            let count = 1 + wrong_ones.count();
            let (path, first) = (text::visible(&list.path), text::visible(first));
            let Some(entry) = self.document.manifest.files.get(list.origin as usize) else {
                continue;
            };
            let to = &entry.get_ref().to;
            self.warn_with(
                to,
                format!("/{path} is no longer true: of what it lists, {count} left out or replaced, /{first} first"),
                "unpacked here",
                "leave it out by `exclude`; `iso.sha256sums` makes a list of this image",
            );
        }
    }
}

/// The path of a line of a list of digests. `None` if it is another kind of line.
fn listed(line: &[u8]) -> Option<Vec<u8>> {
    let path = digest_list::parse(line)?.path;
    Some(path.strip_prefix(b"./").unwrap_or(&path).to_vec())
}
