//! The names of one volume side by side.

use std::cmp::Ordering;

use sha2::{Digest as _, Sha256};

use super::Name;
use crate::formats::iso9660::EntryKind;
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::text;
use crate::look::contents::{ContentsError, CopyError, Item, Tree};
use crate::look::inspect::InspectError;

/// What is compared at once.
const PIECE: u64 = 1 << 20;

type Side<'a> = (&'a dyn ReadAt, &'a Option<Tree>);

/// Adds what differs between the trees of a volume. Both are sorted by path.
pub(super) fn compare<'t>(
    a: Side<'t>,
    b: Side<'t>,
    volume: &str,
    names: &mut Vec<Name>,
) -> Result<(), (usize, ContentsError)> {
    let items = |tree: &'t Option<Tree>| tree.as_ref().map(Tree::items).unwrap_or_default();
    let (mut left, mut right) = (items(a.1).iter().peekable(), items(b.1).iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.order(right),
        };
        let mut only = |item: Option<&Item>, what| {
            names.extend(item.map(|item| Name {
                path: shown(volume, item),
                what,
                a: None,
                b: None,
            }));
        };
        match order {
            Ordering::Less => only(left.next(), "only in a"),
            Ordering::Greater => only(right.next(), "only in b"),
            Ordering::Equal => {
                if let (Some(left), Some(right)) = (left.next(), right.next()) {
                    same_name((a.0, left), (b.0, right), &shown(volume, left), names)?;
                }
            }
        }
    }
}

fn shown(volume: &str, item: &Item) -> String {
    format!("{volume}{}", text::lossless(&item.path))
}

fn same_name(
    (image_a, a): (&dyn ReadAt, &Item),
    (image_b, b): (&dyn ReadAt, &Item),
    path: &str,
    names: &mut Vec<Name>,
) -> Result<(), (usize, ContentsError)> {
    let mut differ = |what, a: Option<String>, b: Option<String>| {
        let path = path.to_owned();
        if a != b {
            names.push(Name { path, what, a, b });
        }
    };
    let kind = |item: &Item| {
        let kind = match item.kind {
            EntryKind::Directory => "directory",
            EntryKind::File => "file",
            EntryKind::Symlink(_) => "symbolic link",
            EntryKind::Other(_) => "device",
        };
        Some(kind.to_owned())
    };
    differ("type", kind(a), kind(b));
    match (&a.kind, &b.kind) {
        (EntryKind::File, EntryKind::File) if a.length != b.length => {
            differ(
                "content",
                Some(format!("{} bytes", a.length)),
                Some(format!("{} bytes", b.length)),
            );
        }
        (EntryKind::File, EntryKind::File) => {
            if let Some(first) = first_difference((image_a, a), (image_b, b))? {
                differ("content", Some(first), None);
            }
        }
        (EntryKind::Symlink(a), EntryKind::Symlink(b)) => {
            differ("target", Some(text::lossless(a)), Some(text::lossless(b)));
        }
        (EntryKind::Other(a), EntryKind::Other(b)) => {
            let numbers = |device: &Option<(u32, u32)>| device.map(|(major, minor)| format!("{major}, {minor}"));
            differ("device", numbers(a), numbers(b));
        }
        _ => {}
    }
    let mode = |item: &Item| item.posix.map(|posix| format!("{:#o}", posix.mode));
    let owner = |item: &Item| {
        let number = |id: Option<u32>| id.map_or("?".into(), |id| id.to_string());
        item.posix
            .map(|posix| format!("{}:{}", number(posix.uid), number(posix.gid)))
    };
    differ("mode", mode(a), mode(b));
    differ("owner", owner(a), owner(b));
    differ("modified", Some(a.modified.to_string()), Some(b.modified.to_string()));
    Ok(())
}

/// Where two contents of the same length differ first, in words.
fn first_difference(
    (image_a, a): (&dyn ReadAt, &Item),
    (image_b, b): (&dyn ReadAt, &Item),
) -> Result<Option<String>, (usize, ContentsError)> {
    if a.zisofs.is_some() || b.zisofs.is_some() {
        let digest = |number: usize, image, item: &Item| -> Result<_, (usize, ContentsError)> {
            let mut hash = Sha256::new();
            let copied = item.copy(image, &mut |bytes| {
                hash.update(bytes);
                Ok(())
            });
            match copied {
                Ok(()) => Ok(Some(hash.finalize())),
                Err(CopyError::Read(error)) => Err((number, InspectError::from(error).into())),
                Err(_) => Ok(None),
            }
        };
        let same = digest(0, image_a, a)? == digest(1, image_b, b)?;
        return Ok((!same).then(|| "its content is compressed".into()));
    }
    let whole = |image, item: &Item| Pieces::new(image, item.extents.iter().copied());
    let (whole_a, whole_b) = (whole(image_a, a), whole(image_b, b));
    if whole_a.size() != whole_b.size() || a.is_whole != b.is_whole {
        return Ok(Some("one of them is cut short".into()));
    }
    let failed = |number: usize| move |error: std::io::Error| (number, InspectError::from(error).into());
    let mut at = 0;
    while at < whole_a.size() {
        let length = PIECE.min(whole_a.size() - at);
        let left = whole_a.read_vec_at(at, length).map_err(failed(0))?;
        let right = whole_b.read_vec_at(at, length).map_err(failed(1))?;
        if let Some(first) = left.iter().zip(&right).position(|(left, right)| left != right) {
            return Ok(Some(format!("from byte {} on", at + first as u64)));
        }
        at += length;
    }
    Ok(None)
}
