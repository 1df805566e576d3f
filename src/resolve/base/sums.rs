//! What an image says of the digests of its own files: lists of sums, and Fedora's `.treeinfo`. Where a listed file changes, its line does.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

use crate::formats::digest_list::{self, Algorithm, Line, is_list};
use crate::formats::iso9660::EntryKind;
use crate::ground::read_at::ReadAt;
use crate::ground::text;
use crate::look::contents::{Item, Tree as ImageTree};
use crate::resolve::base::Edits;
use crate::resolve::host::SourceBytes;
use crate::resolve::{Resolution, ResolveError};
use crate::tree::base::{FatChange, FatVolume};
use crate::tree::source::Giver;
use crate::tree::{Kind, PayloadId};

/// A longer file is not taken for a list.
const LONGEST: u64 = 64 << 20;
/// What is read at once.
const PIECE: u64 = 1 << 20;
/// Directories that debian-cd leaves out of its list.
const LEFT_OUT: [&[u8]; 2] = [b"/.disk/", b"/dists/"];
/// Ends of the names of signatures.
const SIGNATURES: [&[u8]; 4] = [b".asc", b".gpg", b".sig", b".sign"];

/// What becomes of the base's files, by path.
struct Changed<'c> {
    image: &'c dyn ReadAt,
    fat: &'c [FatVolume],
    /// Files that are gone.
    removed: BTreeSet<Vec<u8>>,
    /// Files with new bytes.
    new: BTreeMap<Vec<u8>, Content>,
}

/// New bytes.
enum Content {
    Payload(PayloadId),
    /// A file of the base that is a FAT volume, in which files have changed.
    Volume(Item),
}

impl Resolution<'_> {
    /// Adds new texts of the lists to the edits.
    pub(super) fn sums(
        &mut self,
        image: &dyn ReadAt,
        tree: &ImageTree,
        removed: &[Vec<u8>],
        edits: &mut Edits,
    ) -> Result<(), ResolveError> {
        let Edits { tree: edits, fat } = edits;
        let changed = self.changed_files(image, tree, removed, edits, fat);
        if changed.new.is_empty() && changed.removed.is_empty() {
            return Ok(());
        }
        for item in tree
            .items()
            .iter()
            .filter(|item| item.kind == EntryKind::File && item.length <= LONGEST)
        {
            let is_treeinfo = item.name() == b".treeinfo";
            if changed.new.contains_key(&item.path)
                || changed.removed.contains(&item.path)
                || !(is_treeinfo || is_list(item.name()))
            {
                continue;
            }
            let Some(old) = item.bytes(image, LONGEST) else {
                continue;
            };
            let new = match is_treeinfo {
                true => self.treeinfo(&old, &changed)?,
                false => self.list(item, &old, &changed, tree)?,
            };
            if new == old {
                continue;
            }
            let payload = self.host.inline(&mut self.tree, &new, Giver::List);
            edits.push((item.path.clone(), payload));
            self.say_what_is_signed(tree, &item.path);
        }
        Ok(())
    }

    /// A signature beside a list that has changed.
    fn say_what_is_signed(&mut self, tree: &ImageTree, path: &[u8]) {
        let signatures = SIGNATURES.iter().map(|end| [path, end].concat());
        for signature in signatures.filter(|signature| tree.get(signature).is_some()) {
            let (signature, path) = (text::visible(&signature), text::visible(path));
            let Some(base) = &self.document.manifest.base else {
                return;
            };
            let message = format!("{signature} no longer holds: {path} has other digests now");
            self.warn(base, message, "files that it is about change");
        }
    }

    fn changed_files<'c>(
        &self,
        image: &'c dyn ReadAt,
        tree: &ImageTree,
        removed: &[Vec<u8>],
        edits: &[(Vec<u8>, PayloadId)],
        fat: &'c [FatVolume],
    ) -> Changed<'c> {
        let removed: HashSet<&[u8]> = removed.iter().map(Vec::as_slice).collect();
        let mut changed = Changed {
            image,
            fat,
            removed: BTreeSet::new(),
            new: BTreeMap::new(),
        };
        for item in tree.items().iter().filter(|item| item.kind == EntryKind::File) {
            let slashes = item.path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
            let mut ways = slashes.map(|(at, _)| &item.path[..at]).chain([item.path.as_slice()]);
            if ways.any(|way| removed.contains(way)) {
                changed.removed.insert(item.path.clone());
            }
            if fat
                .iter()
                .any(|volume| !volume.edits.is_empty() && is_volume(item, volume))
            {
                changed.new.insert(item.path.clone(), Content::Volume(item.clone()));
            }
        }
        let edits = edits
            .iter()
            .map(|(path, payload)| (path.clone(), Content::Payload(*payload)));
        changed.new.extend(edits);
        for id in self.tree.in_order() {
            let node = self.tree.node(id);
            if let (Kind::File(payload), Some(_)) = (&node.kind, node.origin) {
                let path = self.tree.path(id);
                changed.removed.remove(&path);
                changed.new.insert(path, Content::Payload(*payload));
            }
        }
        changed
    }

    /// The lines of `md5sum` and its relatives.
    fn list(&self, item: &Item, old: &[u8], changed: &Changed<'_>, tree: &ImageTree) -> Result<Vec<u8>, ResolveError> {
        let end = item.path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let directory = &item.path[..end];
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut listed: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut form: Option<(Algorithm, [u8; 2], Vec<u8>)> = None;
        for line in old.split_inclusive(|&byte| byte == b'\n') {
            let Some(sum) = read(line) else {
                lines.push(line.to_vec());
                continue;
            };
            let (path, begin) = named(&sum, directory);
            if changed.removed.contains(&path) {
                continue;
            }
            form.get_or_insert((sum.algorithm, sum.between, begin.to_vec()));
            listed.push((lines.len(), path.clone()));
            lines.push(match changed.new.get(&path) {
                None => line.to_vec(),
                Some(content) => {
                    let digest = self.digest(content, sum.algorithm, changed)?;
                    [&line[..sum.digest.start], digest.as_bytes(), &line[sum.digest.end..]].concat()
                }
            });
        }
        // A list of the whole tree has the new files too, in its order.
        let is_whole = directory.is_empty() && listed.len() > 1;
        let Some((algorithm, between, begin)) = form.filter(|_| is_whole) else {
            return Ok(lines.concat());
        };
        let is_sorted = listed.is_sorted_by(|(_, a), (_, b)| a <= b);
        let mut more: Vec<(usize, Vec<u8>)> = Vec::new();
        for (path, content) in &changed.new {
            if tree.get(path).is_some() || LEFT_OUT.iter().any(|start| path.starts_with(start)) {
                continue;
            }
            let digest = self.digest(content, algorithm, changed)?;
            let behind = listed.iter().find(|(_, other)| is_sorted && other > path);
            let named = [&begin, path.strip_prefix(b"/").unwrap_or(path)].concat();
            more.push((
                behind.map_or(lines.len(), |(at, _)| *at),
                digest_list::written(&digest, between, &named),
            ));
        }
        for (at, line) in more.into_iter().rev() {
            lines.insert(at, line);
        }
        Ok(lines.concat())
    }

    /// `path = sha256:digest`
    fn treeinfo(&self, old: &[u8], changed: &Changed<'_>) -> Result<Vec<u8>, ResolveError> {
        let mut new = Vec::with_capacity(old.len());
        for line in old.split_inclusive(|&byte| byte == b'\n') {
            let at = line.windows(7).position(|window| window == b"sha256:").map(|at| at + 7);
            let path = line
                .iter()
                .position(|&byte| byte == b'=')
                .map(|at| [b"/", line[..at].trim_ascii()].concat());
            let content = path.and_then(|path| changed.new.get(&path));
            match (at, content) {
                (Some(at), Some(content)) if line.len() >= at + 64 => {
                    let digest = self.digest(content, Algorithm::Sha256, changed)?;
                    new.extend([&line[..at], digest.as_bytes(), &line[at + 64..]].concat());
                }
                _ => new.extend_from_slice(line),
            }
        }
        Ok(new)
    }

    fn digest(&self, content: &Content, algorithm: Algorithm, changed: &Changed<'_>) -> Result<String, ResolveError> {
        let mut hasher = Hasher::new(algorithm);
        match content {
            Content::Payload(id) => {
                let payload = self.tree.payload(*id);
                let bytes = SourceBytes::open(&payload.source)?;
                let mut at = 0;
                while at < payload.length {
                    let step = PIECE.min(payload.length - at);
                    hasher.update(&bytes.read(at, step as usize)?);
                    at += step;
                }
            }
            Content::Volume(item) => {
                let bytes = volume(item, changed.image, changed.fat);
                hasher.update(&bytes.map_err(|why| ResolveError::input(std::path::Path::new("esp"), why))?);
            }
        }
        Ok(hasher.finish())
    }
}

/// Whether a file of the tree is this FAT volume.
fn is_volume(item: &Item, volume: &FatVolume) -> bool {
    let first = item.extents.first();
    first.is_some_and(|&(offset, _)| offset == Some(volume.start))
}

/// The bytes of a FAT volume with its edits.
fn volume(item: &Item, image: &dyn ReadAt, fat: &[FatVolume]) -> Result<Vec<u8>, String> {
    let mut bytes = item.bytes(image, u64::MAX).ok_or("it cannot be read")?;
    for volume in fat.iter().filter(|volume| is_volume(item, volume)) {
        let changed = volume.changed(&bytes).map_err(|error| error.to_string())?;
        let (anew, pieces) = match changed {
            FatChange::Within(pieces) => (None, pieces),
            FatChange::Anew(enlarged, pieces) => {
                let all = enlarged.read_vec_at(0, enlarged.size());
                (Some(all.map_err(|error| error.to_string())?), pieces)
            }
        };
        bytes = anew.unwrap_or(bytes);
        for piece in pieces {
            let start = piece.offset as usize;
            if let Some(place) = bytes.get_mut(start..start + piece.bytes.len()) {
                place.copy_from_slice(&piece.bytes);
            }
        }
    }
    Ok(bytes)
}

/// The path from the root that a line names, and the prefix that the list puts before paths.
fn named<'l>(line: &'l Line, directory: &[u8]) -> (Vec<u8>, &'l [u8]) {
    let begin: &[u8] = match line.path.as_slice() {
        [b'.', b'/', ..] => b"./",
        [b'/', ..] => b"/",
        _ => b"",
    };
    ([directory, b"/", &line.path[begin.len()..]].concat(), begin)
}

/// The line without its end.
fn read(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    digest_list::parse(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Any of the algorithms.
enum Hasher {
    Md5(Md5),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Md5(hasher) => text::hex(&hasher.finalize()),
            Self::Sha256(hasher) => text::hex(&hasher.finalize()),
            Self::Sha512(hasher) => text::hex(&hasher.finalize()),
        }
    }
}
