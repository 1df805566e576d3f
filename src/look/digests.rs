//! What an image says of its own bytes, held against them: the implanted MD5 sum, and the list of SHA-256 digests in its tree.

use std::collections::HashMap;
use std::io;

use sha2::{Digest, Sha256};

use crate::formats::digest_list;
use crate::formats::iso9660::{self, Descriptor, EntryKind, MediaMd5, Summing, VolumeKind};
use crate::ground::read_at::ReadAt;
use crate::ground::text;
use crate::look::contents::{ContentsError, CopyError, Item, Place, Tree};
use crate::look::inspect::InspectError;

/// Paths of a list, in lower case.
const LISTS: [&str; 3] = ["/sha256sums", "/sha256sum.txt", "/sha256sums.txt"];
/// No path is longer, escaped or not.
const LONGEST_LINE: usize = 1 << 16;
/// How often the contents of a list may have the image's bytes.
const TIMES: u64 = 16;
/// Bytes that are read at once.
const STEP: u64 = 1 << 20;
/// Faults of files beyond this are counted only.
const NAMED: usize = 20;

/// What was held against what.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What is right, a sentence each.
    pub right: Vec<String>,
    /// What is not.
    pub faults: Vec<String>,
}

/// Reads all of the image, for the sum and for each list. `update` learns how many bytes were read for one of them.
///
/// # Errors
/// When the file is not an image, or cannot be read.
pub fn verify(image: &dyn ReadAt, update: &mut dyn FnMut(u64)) -> Result<Verified, ContentsError> {
    let mut verified = Verified::default();
    media_md5(image, update, &mut verified)?;
    let (tree, _) = Tree::of(image, Place::Tree(b"/".to_vec()))?;
    let is_list = |item: &&Item| {
        let name = item.path.to_ascii_lowercase();
        item.kind == EntryKind::File && LISTS.iter().any(|list| list.as_bytes() == name)
    };
    for list in tree.items().iter().filter(is_list) {
        checksums(image, &tree, list, update, &mut verified)?;
    }
    if verified == Verified::default() {
        verified
            .faults
            .push("there is neither an implanted MD5 nor a list of SHA-256 digests in the root directory".into());
    }
    Ok(verified)
}

fn media_md5(image: &dyn ReadAt, update: &mut dyn FnMut(u64), verified: &mut Verified) -> Result<(), ContentsError> {
    let descriptors = match iso9660::read_descriptors(image) {
        Ok(descriptors) => descriptors,
        // UDF alone has no place for a sum.
        Err(iso9660::Iso9660Error::NotIso9660(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let primary = descriptors.iter().find_map(|(_, descriptor)| match descriptor {
        Descriptor::Volume(volume) if volume.kind == VolumeKind::Primary => Some(volume),
        _ => None,
    });
    let Some((primary, implanted)) =
        primary.and_then(|primary| Some((primary, MediaMd5::decode(&primary.application_use)?)))
    else {
        return Ok(());
    };
    let end = primary.space.saturating_sub(implanted.skipped);
    if end > image.size() {
        verified.faults.push(format!(
            "the implanted MD5 is of {end} bytes, and the image has {}",
            image.size()
        ));
        return Ok(());
    }
    let mut summing = Summing::without(primary.space, implanted.skipped);
    let mut at = 0;
    while at < end {
        let step = STEP.min(end - at);
        summing.update(&image.read_vec_at(at, step).map_err(InspectError::Io)?);
        at += step;
        update(at);
    }
    let found = summing.finish();
    match found.md5 == implanted.md5 {
        true => verified
            .right
            .push(format!("the implanted MD5 is that of the image: {}", found.md5)),
        false => verified.faults.push(format!(
            "the implanted MD5 is {} and the image's is {}{}",
            implanted.md5,
            found.md5,
            place(&implanted, &found, end)
        )),
    }
    Ok(())
}

/// Where the damage begins, by the sums of the beginning.
fn place(implanted: &MediaMd5, found: &MediaMd5, end: u64) -> String {
    match implanted.first_difference(found, end) {
        Some((from, to)) => format!("; what differs begins between byte {from} and byte {to}"),
        None => String::new(),
    }
}

/// Every file of a list, as its lines come.
fn checksums(
    image: &dyn ReadAt,
    tree: &Tree,
    list: &Item,
    update: &mut dyn FnMut(u64),
    verified: &mut Verified,
) -> Result<(), ContentsError> {
    let mut files = Files {
        image,
        tree,
        list: text::visible(&list.path),
        rest: Vec::new(),
        lines: 0,
        known: HashMap::new(),
        read: 0,
        update,
        right: 0,
        wrong: Vec::new(),
        more: 0,
    };
    match list.copy(image, &mut |bytes| files.bytes(bytes)) {
        Ok(()) => files.end_line().map_err(InspectError::Io)?,
        Err(_) if files.is_too_long() => {
            files.wrong(format!("{} has a line of more than {LONGEST_LINE} bytes", files.list));
        }
        Err(error) => {
            let why = damage(error).map_err(InspectError::Io)?;
            files.wrong(format!("{}: {why}", files.list));
        }
    }
    if files.wrong.is_empty() {
        let have = if files.right == 1 { "file has" } else { "files have" };
        let right = format!("{} {have} the SHA-256 that {} says", files.right, files.list);
        verified.right.push(right);
    }
    verified.faults.append(&mut files.wrong);
    if files.more > 0 {
        verified
            .faults
            .push(format!("and {} more of {}", files.more, files.list));
    }
    Ok(())
}

/// Where a content is.
type Extents = [(Option<u64>, u64)];

/// The files of a list.
struct Files<'a> {
    image: &'a dyn ReadAt,
    tree: &'a Tree,
    list: String,
    /// The line that is not at its end yet.
    rest: Vec<u8>,
    /// How many there were.
    lines: u64,
    /// Names of one content share its digest.
    known: HashMap<(&'a Extents, u64), [u8; 32]>,
    /// Bytes of contents, so far.
    read: u64,
    update: &'a mut dyn FnMut(u64),
    right: u64,
    wrong: Vec<String>,
    more: u64,
}

impl<'a> Files<'a> {
    fn wrong(&mut self, fault: String) {
        match self.wrong.len() < NAMED {
            true => self.wrong.push(fault),
            false => self.more += 1,
        }
    }

    fn is_too_long(&self) -> bool {
        self.rest.len() > LONGEST_LINE
    }

    /// The next bytes of the list.
    ///
    /// # Errors
    /// When a line is too long, or the image cannot be read.
    fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
            let (now, behind) = bytes.split_at(end);
            self.rest.extend_from_slice(now);
            if self.is_too_long() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let Some(behind) = behind.get(1..) else {
                return Ok(());
            };
            self.end_line()?;
            bytes = behind;
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.rest);
        self.lines += 1;
        if !line.is_empty() {
            self.line(&line)?;
        }
        line.clear();
        self.rest = line;
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let read = digest_list::parse(line).and_then(|read| {
            let digest = str::from_utf8(&line[read.digest]).ok()?;
            Some((text::sha256_from_hex(digest)?, read.path))
        });
        let Some((digest, path)) = read else {
            self.wrong(format!("line {} of {} is no digest and path", self.lines, self.list));
            return Ok(());
        };
        let path = [b"/", path.strip_prefix(b"./").unwrap_or(&path)].concat();
        let shown = text::visible(&path);
        let Ok(item) = self.tree.find(&path, true) else {
            self.wrong(format!("{shown} is in {} and not in the image", self.list));
            return Ok(());
        };
        match self.digest(item) {
            Ok(found) if found == digest => self.right += 1,
            Ok(_) => self.wrong(format!(
                "{shown} is not what {} says: its SHA-256 is another",
                self.list
            )),
            Err(error) => {
                let why = damage(error)?;
                self.wrong(format!("{shown}: {why}"));
            }
        }
        Ok(())
    }

    fn digest(&mut self, item: &'a Item) -> Result<[u8; 32], CopyError> {
        let key = (item.extents.as_slice(), item.length);
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let stored = item.extents.iter().filter(|(offset, _)| offset.is_some());
        let stored = stored.fold(0, |sum: u64, (_, length)| sum.saturating_add(*length));
        self.read = self.read.saturating_add(stored);
        if self.read > self.image.size().saturating_mul(TIMES) {
            let why = "contents overlap: there are more of them than the image has bytes";
            return Err(CopyError::Damaged(why.into()));
        }
        let mut sha256 = Sha256::new();
        item.copy(self.image, &mut |bytes| {
            sha256.update(bytes);
            Ok(())
        })?;
        let digest = sha256.finalize().into();
        self.known.insert(key, digest);
        (self.update)(self.read.min(self.image.size()));
        Ok(digest)
    }
}

/// What is wrong with a content.
///
/// # Errors
/// When the image cannot be read, which ends the run.
fn damage(error: CopyError) -> io::Result<String> {
    match error {
        CopyError::Damaged(why) => Ok(why),
        CopyError::Read(error) | CopyError::Write(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok("it ends behind the image".into())
        }
        CopyError::Read(error) | CopyError::Write(error) => Err(error),
    }
}
