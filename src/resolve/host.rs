//! Host files as payloads: each is opened once, stamped, and read as far as the identity of the image asks for.

mod same;
mod source_bytes;

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::formats::el_torito::boot_info;
use crate::ground::input_error::InputError;
use crate::ground::read_at::{ReadAt, Shared};
use crate::ground::stamp;
use crate::ground::stamp::Stamp;
use crate::ground::text::visible_path;
use crate::resolve::ResolveError;
use crate::tree::source::{Giver, Source};
use crate::tree::{Patch, Patched, Payload, PayloadId, Tree};

pub(crate) use same::has_same_bytes;
pub(crate) use source_bytes::SourceBytes;

/// Equal files of at least this many bytes are stored once. Smaller ones would gain nothing. The host's inodes do not count: a checkout with
/// hard links and a copy of it give the same image.
const SHARED_FROM: u64 = 64 << 10;

/// Files below this enter the identity with all their bytes.
const WHOLE: u64 = 1 << 20;

/// Of larger ones this much at either end.
const EDGE: u64 = 64 << 10;

/// The greatest length that a file of the kernel's own reports: in /sys it is a page, which has 64 KiB at most.
const MADE_UP: u64 = 64 << 10;

/// How many unreadable inputs are named.
const NAMED: usize = 20;

/// What is known of the host's files.
#[derive(Debug)]
pub(crate) struct Host {
    /// Files whose hard links are kept, by device and inode.
    links: HashMap<(u64, u64), PayloadId>,
    /// Files that a key of the manifest names, by path. A file that is named twice is one payload.
    named: HashMap<PathBuf, PayloadId>,
    /// Files of [`SHARED_FROM`] bytes or more, by length. Equal ones are stored once.
    large: HashMap<u64, Vec<PayloadId>>,
    /// The existing outputs, which must not be inputs.
    outputs: Vec<(u64, u64)>,
    /// Whether anything in the image carries its identity.
    identified: bool,
    unreadable: Vec<(PathBuf, String)>,
}

impl Host {
    pub(crate) fn new(identified: bool) -> Self {
        Self {
            links: HashMap::new(),
            named: HashMap::new(),
            large: HashMap::new(),
            outputs: Vec::new(),
            identified,
            unreadable: Vec::new(),
        }
    }

    /// Remembers a file that the build will replace.
    pub(crate) fn add_output(&mut self, path: &Path) {
        let found = path.metadata().ok();
        self.outputs.extend(found.map(|data| (data.dev(), data.ino())));
    }

    /// Whether the build will replace this file, by any of its names.
    pub(crate) fn is_output(&self, path: &Path) -> bool {
        let found = path.metadata().ok();
        found.is_some_and(|data| self.outputs.contains(&(data.dev(), data.ino())))
    }

    /// Notes an input that cannot be opened, and goes on to find the others.
    pub(crate) fn note_unreadable(&mut self, path: &Path, error: &io::Error) {
        self.unreadable.push((path.into(), error.to_string()));
    }

    pub(crate) fn check_unreadable(&self) -> Result<(), ResolveError> {
        let [(path, reason), others @ ..] = self.unreadable.as_slice() else {
            return Ok(());
        };
        let mut message = reason.clone();
        for (path, reason) in others.iter().take(NAMED - 1) {
            message.push_str(&format!("\n{}: {reason}", visible_path(path)));
        }
        if others.len() >= NAMED {
            message.push_str(&format!("\nand {} more", others.len() + 1 - NAMED));
        }
        Err(ResolveError::input(path, message))
    }

    /// The payload of a regular file that a key of the manifest names.
    pub(crate) fn named(&mut self, tree: &mut Tree, path: &Path) -> Result<Option<PayloadId>, ResolveError> {
        if let Some(&known) = self.named.get(path) {
            return Ok(Some(known));
        }
        let payload = self.payload(tree, path, None, None, false)?;
        self.named.extend(payload.map(|payload| (path.to_owned(), payload)));
        Ok(payload)
    }

    /// The payload of the regular file at `path`; none when it is unreadable, which is noted. `expected` is what the directory
    /// said of it, so that a file put in its place meanwhile is noticed. With `keep_links` hard links of the host become hard links of the image.
    pub(crate) fn payload(
        &mut self,
        tree: &mut Tree,
        path: &Path,
        expected: Option<&Metadata>,
        sha256: Option<[u8; 32]>,
        keep_links: bool,
    ) -> Result<Option<PayloadId>, ResolveError> {
        let key = |data: &Metadata| Some((data.dev(), data.ino())).filter(|_| keep_links && data.nlink() > 1);
        if let (Some(key), None) = (expected.and_then(key), sha256)
            && let Some(&known) = self.links.get(&key)
        {
            return Ok(Some(known));
        }
        let Some((file, data)) = self.input(path, expected)? else {
            return Ok(None);
        };
        if let Some(wanted) = sha256 {
            check_digest(&file, path, wanted)?;
        }
        let source = Source::File {
            path: Arc::from(path),
            stamp: Stamp::of(&data),
            offset: 0,
            member: None,
        };
        let id = self.part(tree, &file, source, data.len())?;
        if let Some(key) = key(&data) {
            tree.set_linked(id);
            self.links.insert(key, id);
        }
        Ok(Some(id))
    }

    /// The regular file at `path`, opened; none when it is unreadable, which is noted. `expected` is what the directory said of it.
    pub(crate) fn input(
        &mut self,
        path: &Path,
        expected: Option<&Metadata>,
    ) -> Result<Option<(File, Metadata)>, ResolveError> {
        let file = match stamp::open(path) {
            Ok(file) => file,
            Err(error) => return self.unopened(path, error, expected.is_some()),
        };
        let data = file.metadata().map_err(|source| reading(path, source))?;
        if !data.is_file() {
            let kind = if data.is_dir() {
                "is a directory"
            } else {
                "is not a regular file"
            };
            return Err(ResolveError::input(path, kind));
        }
        if let Some(expected) = expected
            && (expected.dev(), expected.ino()) != (data.dev(), data.ino())
        {
            return Err(changed(path, "it was replaced"));
        }
        if self.outputs.contains(&(data.dev(), data.ino())) {
            return Err(ResolveError::input(
                path,
                "is the output itself; write the image elsewhere",
            ));
        }
        check_length(&file, path, &data)?;
        Ok(Some((file, data)))
    }

    /// The payload of `length` bytes of an open file, from where `source` says. If the length is [`SHARED_FROM`] or more and an earlier payload has
    /// the same bytes, the result is that one.
    pub(crate) fn part(
        &mut self,
        tree: &mut Tree,
        file: &File,
        source: Source,
        length: u64,
    ) -> Result<PayloadId, ResolveError> {
        let digest = match &source {
            Source::File { path, offset, .. } if self.identified => digest(file, path, (*offset, length))?,
            _ => [0; 32],
        };
        self.shared(tree, source, length, digest)
    }

    /// The payload of what code gives. The `name` is for errors.
    pub(crate) fn given(&mut self, tree: &mut Tree, bytes: &Shared, name: &Path) -> Result<PayloadId, ResolveError> {
        let digest = match self.identified {
            true => digest_of(bytes.size(), |offset, length| bytes.read_vec_at(offset, length)),
            false => Ok([0; 32]),
        };
        let digest = digest.map_err(|source| reading(name, source))?;
        self.shared(tree, Source::Given(bytes.clone()), bytes.size(), digest)
    }

    /// The payload of the bytes of a source. A file is opened for that.
    pub(crate) fn sourced(&mut self, tree: &mut Tree, source: Source, length: u64) -> Result<PayloadId, ResolveError> {
        let digest = match self.identified {
            true => {
                let bytes = SourceBytes::open(&source)?;
                digest_of(length, |offset, length| bytes.read(offset, length as usize))?
            }
            false => [0; 32],
        };
        self.shared(tree, source, length, digest)
    }

    fn shared(
        &mut self,
        tree: &mut Tree,
        source: Source,
        length: u64,
        digest: [u8; 32],
    ) -> Result<PayloadId, ResolveError> {
        if length < SHARED_FROM {
            return Ok(tree.add_payload(Payload::new(length, source, digest)));
        }
        let known = self.large.entry(length).or_default();
        for &other in known.iter() {
            if has_same_bytes(&tree.payload(other).source, &source, length)? {
                return Ok(other);
            }
        }
        let id = tree.add_payload(Payload::new(length, source, digest));
        known.push(id);
        Ok(id)
    }

    fn unopened<T>(&mut self, path: &Path, error: io::Error, listed: bool) -> Result<Option<T>, ResolveError> {
        match error.kind() {
            io::ErrorKind::NotFound if listed => Err(changed(path, "it vanished")),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => {
                self.note_unreadable(path, &error);
                Ok(None)
            }
            _ => Err(reading(path, error)),
        }
    }

    /// Asks for address fields in a payload of these bytes. Addresses that stand there do not count in the identity, so that a boot image is the
    /// same if it comes out of a finished image.
    pub(crate) fn patched(&self, tree: &mut Tree, id: PayloadId, patched: Patched) {
        let mut bytes = patched.bytes.to_vec();
        boot_info::clear(&mut bytes, patched.patch == Patch::Grub2);
        let digest = if self.identified { whole_digest(&bytes) } else { [0; 32] };
        tree.set_patched(id, patched, digest);
    }

    /// The payload of bytes that the manifest or a loader gives.
    pub(crate) fn inline(&self, tree: &mut Tree, bytes: &[u8], giver: Giver) -> PayloadId {
        let digest = if self.identified { whole_digest(bytes) } else { [0; 32] };
        tree.add_payload(Payload::new(
            bytes.len() as u64,
            Source::Bytes(Arc::from(bytes), giver),
            digest,
        ))
    }
}

/// Refuses a file whose length is not true. The kernel makes the files of /proc and /sys while they are read, so it cannot know their
/// lengths. Such a file takes no blocks. A file that is one hole takes none either, so the bytes are counted.
fn check_length(file: &File, path: &Path, data: &Metadata) -> Result<(), ResolveError> {
    if data.blocks() > 0 || data.len() > MADE_UP {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let mut reader = file;
    let read = reader.by_ref().take(data.len() + 1).read_to_end(&mut bytes);
    read.and_then(|_| reader.rewind())
        .map_err(|source| reading(path, source))?;
    if bytes.len() as u64 == data.len() {
        return Ok(());
    }
    let says = data.len();
    Err(ResolveError::input(
        path,
        format!(
            "says that it has {says} bytes, but reading it gives another number, as with files of /proc and /sys; copy it with `cat` and use the copy"
        ),
    ))
}

/// All bytes of a payload, for the few that are patched.
pub(crate) fn read_whole(payload: &Payload) -> Result<Arc<[u8]>, ResolveError> {
    match &payload.source {
        Source::Bytes(bytes, _) => Ok(bytes.clone()),
        Source::Given(bytes) => bytes.read_vec_at(0, payload.length).map(Arc::from).map_err(giving),
        Source::File {
            path, stamp, offset, ..
        } => {
            let file = stamp::open(path).map_err(|source| reading(path, source))?;
            let data = file.metadata().map_err(|source| reading(path, source))?;
            if Stamp::of(&data) != *stamp {
                return Err(changed(path, "it is not the file that was there before"));
            }
            let mut bytes = vec![0; payload.length as usize];
            file.read_exact_at(&mut bytes, *offset)
                .map_err(|source| reading(path, source))?;
            Ok(Arc::from(bytes))
        }
    }
}

fn reading(path: &Path, source: io::Error) -> ResolveError {
    ResolveError::io(path, "reading", source)
}

/// What code gives cannot be read.
fn giving(source: io::Error) -> ResolveError {
    reading(Path::new("a source of the caller"), source)
}

/// An input that does not hold still.
pub(crate) fn changed(path: &Path, what: &str) -> ResolveError {
    let (path, what) = (path.into(), what.into());
    InputError::Changed { path, what }.into()
}

fn whole_digest(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
    hash.finalize().into()
}

/// What stands for the content of a file in the identity of the image. `part` is where it begins and how long it is.
fn digest(file: &File, path: &Path, part: (u64, u64)) -> Result<[u8; 32], ResolveError> {
    let (start, length) = part;
    digest_of(length, |offset, length| {
        let mut bytes = vec![0; length as usize];
        match file.read_exact_at(&mut bytes, start + offset) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(changed(path, "it shrank")),
            Err(error) => Err(reading(path, error)),
        }
    })
}

/// The same of anything of `length` bytes that can be read: of a large one the ends.
fn digest_of<E>(length: u64, read: impl Fn(u64, u64) -> Result<Vec<u8>, E>) -> Result<[u8; 32], E> {
    if length < WHOLE {
        return Ok(whole_digest(&read(0, length)?));
    }
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    hash.update(read(0, EDGE)?);
    hash.update(read(length - EDGE, EDGE)?);
    Ok(hash.finalize().into())
}

pub(crate) fn check_digest(file: &File, path: &Path, wanted: [u8; 32]) -> Result<(), ResolveError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut reader = file;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => hash.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reading(path, error)),
        }
    }
    let found: [u8; 32] = hash.finalize().into();
    if found == wanted {
        return Ok(());
    }
    let (found, wanted) = (crate::ground::text::hex(&found), crate::ground::text::hex(&wanted));
    Err(ResolveError::input(
        path,
        format!("its SHA-256 is {found}, not {wanted} as the manifest says"),
    ))
}
