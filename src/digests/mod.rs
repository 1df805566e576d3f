//! What an image says of its own bytes, held against them: the implanted MD5 sum, and the list of SHA-256 digests in its tree.

pub mod list;

use std::io;

use sha2::{Digest, Sha256};

use crate::contents::{ContentsError, CopyError, Item, Place, Tree};
use crate::inspect::InspectError;
use crate::iso9660::{self, Descriptor, MediaMd5, Summing, VolumeKind};
use crate::read_at::ReadAt;
use crate::text;

/// Names in the root directory of a list, in lower case.
const LISTS: [&str; 3] = ["sha256sums", "sha256sum.txt", "sha256sums.txt"];
/// A list longer than this is not read: a million files fill a tenth of it.
const LONGEST_LIST: u64 = 1 << 30;
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

/// Reads all of the image. `update` learns how many bytes were read.
///
/// # Errors
/// When the image is none, or cannot be read.
pub fn verify(image: &dyn ReadAt, update: &mut dyn FnMut(u64)) -> Result<Verified, ContentsError> {
    let mut verified = Verified::default();
    media_md5(image, update, &mut verified)?;
    let (tree, _) = Tree::of(image, Place::Tree(b"/".to_vec()))?;
    let root = |item: &&Item| item.path.iter().filter(|&&byte| byte == b'/').count() == 1;
    let lists = tree.items().iter().filter(root).filter(|item| {
        let name = item.name().to_ascii_lowercase();
        LISTS.iter().any(|list| list.as_bytes() == name)
    });
    for found in lists.filter(|item| item.length > 0) {
        checksums(image, &tree, found, &mut verified)?;
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
        Err(iso9660::Error::NotIso9660(_)) => return Ok(()),
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

/// Every file of a list.
fn checksums(image: &dyn ReadAt, tree: &Tree, list: &Item, verified: &mut Verified) -> Result<(), ContentsError> {
    let name = text::visible(&list.path);
    let mut lines = Vec::new();
    if list.length > LONGEST_LIST {
        verified.faults.push(format!(
            "{name} has {} bytes; a list that long is not read",
            list.length
        ));
        return Ok(());
    }
    let copied = list.copy(image, &mut |bytes| {
        lines.extend_from_slice(bytes);
        Ok(())
    });
    if let Err(error) = copied {
        return unreadable(error, &name, &mut verified.faults);
    }
    let (mut right, mut wrong) = (0, Vec::new());
    for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let Some((digest, path)) = list::parse(line) else {
            wrong.push(format!("{name}: {} is no line of a list", text::visible(line)));
            continue;
        };
        let path = [b"/", path.strip_prefix(b"./").unwrap_or(&path)].concat();
        let shown = text::visible(&path);
        let Ok(item) = tree.find(&path, true) else {
            wrong.push(format!("{shown} is in {name} and not in the image"));
            continue;
        };
        let mut sha256 = Sha256::new();
        let copied = item.copy(image, &mut |bytes| {
            sha256.update(bytes);
            Ok(())
        });
        match copied {
            Err(error) => unreadable(error, &shown, &mut wrong)?,
            Ok(()) if sha256.finalize()[..] == digest => right += 1,
            Ok(()) => wrong.push(format!("{shown} is not what {name} says: its SHA-256 is another")),
        }
    }
    if wrong.is_empty() {
        verified
            .right
            .push(format!("{right} files have the SHA-256 that {name} says"));
    }
    let more = wrong.len().saturating_sub(NAMED);
    verified.faults.extend(wrong.into_iter().take(NAMED));
    if more > 0 {
        verified.faults.push(format!("and {more} more of {name}"));
    }
    Ok(())
}

/// A content that is damaged is a fault; an image that cannot be read ends the run.
fn unreadable(error: CopyError, name: &str, faults: &mut Vec<String>) -> Result<(), ContentsError> {
    match error {
        CopyError::Damaged(why) => faults.push(format!("{name}: {why}")),
        CopyError::Read(error) | CopyError::Write(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            faults.push(format!("{name} ends behind the image"));
        }
        CopyError::Read(error) | CopyError::Write(error) => return Err(InspectError::Io(error).into()),
    }
    Ok(())
}
