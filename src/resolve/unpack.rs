//! The entries of an archive into the tree.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sources::{self, Content};
use crate::formats::archive::{self, ArchiveEntry};
use crate::ground::disk::DiskError;
use crate::ground::range::Range;
use crate::ground::read_at::{FileAt, ReadAt, Shared};
use crate::ground::spool::{Place, Spool};
use crate::ground::stamp::Stamp;
use crate::ground::text;
use crate::look::disk::disk_in;
use crate::manifest::{At, Files};
use crate::resolve::ResolveError;
use crate::tree::source::{Composed, Member, Source};
use crate::tree::{Attributes, Kind, NodeId, PayloadId};

use super::Resolution;
use super::host::{SourceBytes, check_digest};
use super::rules::{Given, Rules};
use super::walk::Exclude;

/// Where the bytes of entries are.
pub(super) enum Holder {
    /// A file of the host.
    File { file: File, path: Arc<Path>, stamp: Stamp },
    /// An image that is planned and not written.
    Image(Composed),
}

impl Holder {
    fn new(file: File, path: &Path) -> Result<Self, ResolveError> {
        let data = file
            .metadata()
            .map_err(|source| ResolveError::io(path, "reading", source))?;
        Ok(Self::File {
            file,
            path: Arc::from(path),
            stamp: Stamp::of(&data),
        })
    }
}

/// What is known of an archive while its entries go into the tree.
pub(super) struct Unpacking {
    archive: Holder,
    /// What was decompressed.
    spool: Option<Holder>,
    /// By path, for the hard links behind them: those that are left out too.
    files: HashMap<Vec<u8>, Place>,
    /// Bytes are stored once, whatever names lead to them.
    payloads: HashMap<(bool, u64, u64), PayloadId>,
    /// Whether a directory is left out.
    left_out: HashMap<Vec<u8>, bool>,
}

impl Resolution<'_> {
    /// Puts the entries of the archive at `path` into the directory `to` of the image. A file that is compressed by itself becomes
    /// `to`, or goes inside.
    pub(super) fn add_archive(
        &mut self,
        entry: &Files,
        from: &At<String>,
        path: &Path,
        (to, into): (&[&[u8]], bool),
        rules: &Rules,
    ) -> Result<(), ResolveError> {
        if path.is_dir() {
            self.error(from, "`unpack` is for an archive", "this is a directory");
            return Ok(());
        }
        let Some((file, data)) = self.host.input(path, None)? else {
            return Ok(());
        };
        let wanted = entry.sha256.as_ref();
        if let Some(wanted) = wanted.and_then(|digits| text::sha256_from_hex(digits.get_ref())) {
            check_digest(&file, path, wanted)?;
        }
        match self.content_of(from, path, file)? {
            Some((Content::Entries(entries), unpacking)) => {
                self.add_entries(entry, from, to, &entries, unpacking, rules)
            }
            Some((Content::Image(entries, image), unpacking)) => {
                self.warn_of_image(from, image);
                self.add_entries(entry, from, to, &entries, unpacking, rules)
            }
            Some((Content::File(place), mut unpacking)) => {
                self.refuse_patterns(entry);
                let name = path.file_stem().unwrap_or_default().as_bytes();
                let inside = [to, &[name]].concat();
                let kind = self.payload_of(&mut unpacking, place, false, b"")?;
                self.add_leaf(entry, if into { &inside } else { to }, kind, rules.host(&data), rules)?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What is in a file of the host that is compressed by itself; none if that is wrong, which is reported.
    pub(super) fn decompressed(&mut self, from: &At<String>) -> Result<Option<PayloadId>, ResolveError> {
        let path = self.host_path(from.get_ref());
        let Some((file, _)) = self.host.input(&path, None)? else {
            return Ok(None);
        };
        match self.content_of(from, &path, file)? {
            Some((Content::File(place), mut unpacking)) => match self.payload_of(&mut unpacking, place, false, b"")? {
                Kind::File(payload) => Ok(Some(payload)),
                _ => Ok(None),
            },
            Some(_) => {
                let message = format!("{:?} is an archive, and not one file", from.get_ref());
                self.error(from, message, "this file");
                Ok(None)
            }
            None => Ok(None),
        }
    }

    pub(super) fn add_entries(
        &mut self,
        entry: &Files,
        from: &At<String>,
        to: &[&[u8]],
        entries: &[ArchiveEntry],
        mut unpacking: Unpacking,
        rules: &Rules,
    ) -> Result<(), ResolveError> {
        let Some(mut exclude) = self.exclude(entry) else {
            return Ok(());
        };
        let Some(root) = self.directory(entry, to) else {
            return Ok(());
        };
        let mut skipped = Vec::new();
        for archived in entries {
            let place = unpacking.place_of(archived);
            if unpacking.leaves_out(&mut exclude, archived) {
                continue;
            }
            if archived.kind == archive::Kind::Directory {
                self.add_directory(entry, root, archived, rules);
                continue;
            }
            match self.archived(from, &mut unpacking, archived, place, rules)? {
                Some(kind) => self.add_archived(entry, root, archived, kind, rules)?,
                // The error has been reported.
                None if matches!(archived.kind, archive::Kind::Link(_)) => {}
                None => skipped.push(PathBuf::from(OsStr::from_bytes(&archived.path))),
            }
        }
        self.warn_skipped(entry, &skipped);
        self.warn_unused(entry, &exclude);
        self.remember_lists(rules.origin, to, &unpacking);
        Ok(())
    }

    /// What is in an archive; none if it is wrong, which is reported.
    pub(super) fn content_of(
        &mut self,
        from: &At<String>,
        path: &Path,
        file: File,
    ) -> Result<Option<(Content, Unpacking)>, ResolveError> {
        let failed = |path: &Path, action| {
            let path = path.to_path_buf();
            move |source| ResolveError::io(path, action, source)
        };
        let bytes = file.try_clone().and_then(FileAt::new);
        // As it was before anything was read of it.
        let archive = Holder::new(file, path)?;
        let bytes = Shared::new(bytes.map_err(failed(path, "reading"))?);
        let spool = Spool::new(bytes.size());
        let read = match disk_in(&bytes) {
            Ok(None) => sources::read(&bytes, &spool),
            Ok(Some(disk)) => sources::read_disk(&disk, &spool),
            Err(DiskError::Read(error)) => Err(archive::ArchiveError::of(error)),
            Err(DiskError::Refused(why)) => Err(archive::ArchiveError::Wrong(format!("cannot be unpacked: {why}"))),
        };
        let content = match read {
            Ok(archive) => {
                for warning in archive.warnings {
                    let message = format!("{:?} {warning}", from.get_ref());
                    self.warn(from, message, "this archive");
                }
                archive.content
            }
            Err(archive::ArchiveError::Wrong(message)) => {
                self.error(from, format!("{:?} {message}", from.get_ref()), "this archive");
                return Ok(None);
            }
            Err(archive::ArchiveError::Read(source)) => return Err(failed(path, "reading")(source)),
            Err(archive::ArchiveError::Hold(source)) => {
                return Err(failed(&std::env::temp_dir(), "decompressing to")(source));
            }
        };
        let unpacking = self.unpacking(archive, spool)?;
        Ok(Some((content, unpacking)))
    }

    /// Begins to unpack. What was decompressed is kept until the image is written.
    pub(super) fn unpacking(&mut self, archive: Holder, spool: Spool) -> Result<Unpacking, ResolveError> {
        let spool = match spool.into_file() {
            Some(decompressed) => {
                let path = decompressed.path();
                let file = decompressed.file().try_clone();
                let file = file.map_err(|source| ResolveError::io(path, "reading", source))?;
                let holder = Holder::new(file, path)?;
                self.decompressed.push(decompressed);
                Some(holder)
            }
            None => None,
        };
        Ok(Unpacking {
            archive,
            spool,
            files: HashMap::new(),
            payloads: HashMap::new(),
            left_out: HashMap::new(),
        })
    }

    /// What an entry other than a directory becomes in the tree. `None` if it is left out. `place` is where its bytes are.
    fn archived(
        &mut self,
        from: &At<String>,
        unpacking: &mut Unpacking,
        archived: &ArchiveEntry,
        place: Option<Place>,
        rules: &Rules,
    ) -> Result<Option<Kind>, ResolveError> {
        match (&archived.kind, place) {
            (archive::Kind::Symlink(target), _) => Ok(Some(Kind::Symlink(target.as_slice().into()))),
            (&archive::Kind::Device { block, major, minor }, _) if rules.preserve_mode => {
                Ok(Some(Kind::Device { block, major, minor }))
            }
            (archive::Kind::Link(target), None) => {
                let (path, target) = (text::visible(&archived.path), text::visible(target));
                let message = format!(
                    "the hard link {path} is to {target}, and no file of that name comes before it in the archive"
                );
                self.error(from, message, "this archive");
                Ok(None)
            }
            (kind, Some(place)) => {
                let linked = matches!(kind, archive::Kind::Link(_));
                self.payload_of(unpacking, place, linked, &archived.path).map(Some)
            }
            (_, None) => Ok(None),
        }
    }

    /// The file whose bytes are at `place`.
    pub(super) fn payload_of(
        &mut self,
        unpacking: &mut Unpacking,
        place: Place,
        linked: bool,
        path: &[u8],
    ) -> Result<Kind, ResolveError> {
        let key = (place.spooled, place.offset, place.length);
        // Files without bytes may be at one place and have no more than that in common.
        if (linked || place.length > 0)
            && let Some(&known) = unpacking.payloads.get(&key)
        {
            // Two names of one place in the archive are hard links, and stay so in the image.
            self.tree.set_linked(known);
            return Ok(Kind::File(known));
        }
        let source = unpacking.source(place, path);
        let payload = match unpacking.holder(place) {
            Holder::File { file, .. } => self.host.part(&mut self.tree, file, source, place.length),
            Holder::Image(_) => self.host.sourced(&mut self.tree, source, place.length),
        }?;
        unpacking.payloads.insert(key, payload);
        Ok(Kind::File(payload))
    }

    fn add_directory(&mut self, entry: &Files, root: NodeId, archived: &ArchiveEntry, rules: &Rules) {
        if let Some(node) = self.directory_below(entry, root, components(&archived.path)) {
            self.tree
                .set_attributes(node, attributes(archived, rules), rules.origin);
        }
    }

    fn add_archived(
        &mut self,
        entry: &Files,
        root: NodeId,
        archived: &ArchiveEntry,
        kind: Kind,
        rules: &Rules,
    ) -> Result<(), ResolveError> {
        let (parents, name) = match archived.path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&archived.path[..slash], &archived.path[slash + 1..]),
            None => (&b""[..], &archived.path[..]),
        };
        let Some(parent) = self.directory_below(entry, root, components(parents)) else {
            return Ok(());
        };
        let attributes = attributes(archived, rules);
        self.add_node(entry, (parent, name), kind, attributes, rules)
    }
}

impl Unpacking {
    /// Where the bytes of a file are, or of the file that a hard link is to; what comes later may link to it.
    fn place_of(&mut self, archived: &ArchiveEntry) -> Option<Place> {
        let place = match &archived.kind {
            archive::Kind::File(place) => *place,
            archive::Kind::Link(target) => *self.files.get(target)?,
            _ => return None,
        };
        self.files.insert(archived.path.clone(), place);
        Some(place)
    }

    fn holder(&self, place: Place) -> &Holder {
        match &self.spool {
            Some(spool) if place.spooled => spool,
            _ => &self.archive,
        }
    }

    /// Where the bytes of the entry with this path come from.
    pub(super) fn source(&self, place: Place, path: &[u8]) -> Source {
        let member = match &self.archive {
            Holder::File {
                path: archive, stamp, ..
            } => Some(Arc::new(Member {
                archive: archive.clone(),
                stamp: *stamp,
                path: path.into(),
                made: None,
            })),
            Holder::Image(_) => None,
        };
        match self.holder(place) {
            Holder::File { path, stamp, .. } => Source::File {
                path: path.clone(),
                stamp: *stamp,
                offset: place.offset,
                member,
            },
            Holder::Image(image) => image.part(Range {
                offset: place.offset,
                length: place.length,
            }),
        }
    }

    /// The payload of a file of the archive. `None` if the archive has no such file, `Some(None)` if it was left out.
    pub(super) fn unpacked(&self, path: &[u8]) -> Option<Option<PayloadId>> {
        let place = self.files.get(path)?;
        let payload = self.payloads.get(&(place.spooled, place.offset, place.length));
        Some(payload.copied())
    }

    /// The bytes of a file that is in the image, of so many at most.
    pub(super) fn bytes_of(&self, path: &[u8], most: u64) -> Option<Vec<u8>> {
        self.unpacked(path)??;
        let place = self.files.get(path).filter(|place| place.length <= most)?;
        let bytes = SourceBytes::open(&self.source(*place, path)).ok()?;
        bytes.read(0, place.length as usize).ok()
    }

    /// Whether the patterns leave an entry out, or a directory that it is in.
    fn leaves_out(&mut self, exclude: &mut Exclude, archived: &ArchiveEntry) -> bool {
        let path = &archived.path;
        let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
        let parents: Vec<usize> = slashes.map(|(at, _)| at).collect();
        for end in parents {
            if self.leaves_out_directory(exclude, &path[..end]) {
                return true;
            }
        }
        match archived.kind {
            _ if path.is_empty() => false,
            archive::Kind::Directory => self.leaves_out_directory(exclude, path),
            _ => exclude.matches(Path::new(OsStr::from_bytes(path)), false),
        }
    }

    fn leaves_out_directory(&mut self, exclude: &mut Exclude, path: &[u8]) -> bool {
        if let Some(&known) = self.left_out.get(path) {
            return known;
        }
        let matched = exclude.matches(Path::new(OsStr::from_bytes(path)), true);
        self.left_out.insert(path.to_vec(), matched);
        matched
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

fn attributes(archived: &ArchiveEntry, rules: &Rules) -> Attributes {
    rules.given(Given {
        directory: archived.kind == archive::Kind::Directory,
        symlink: matches!(archived.kind, archive::Kind::Symlink(_)),
        attributes: Attributes {
            mode: archived.mode,
            uid: archived.uid,
            gid: archived.gid,
            mtime: archived.mtime,
        },
    })
}
