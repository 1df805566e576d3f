//! Finds the same file or directory in another hierarchy, whose names may differ.

use super::listing::Listing;
use crate::formats::iso9660::EntryKind;

/// Characters of a Joliet name that all writers take.
const JOLIET: usize = 64;

/// The entry of `other` that names the same file as `entry` of `best`. `None` if no entry does, or if several might.
pub(super) fn partner(best: &Listing, entry: usize, other: &Listing) -> Option<usize> {
    let wanted = best.get(entry)?;
    let is_directory = wanted.kind == EntryKind::Directory;
    let is_alike = |found: &usize| {
        let kind = other.get(*found).map(|entry| &entry.kind);
        kind.is_some_and(|kind| (*kind == EntryKind::Directory) == is_directory)
    };
    if let Some(same) = other.find(&wanted.path).filter(is_alike) {
        return Some(same);
    }
    let mapped = mapped(&wanted.path);
    let is_named = |found: &usize| {
        other
            .get(*found)
            .is_some_and(|entry| self::mapped(&entry.path) == mapped)
    };
    if is_directory {
        let all = (0..other.entries().len()).filter(is_alike);
        return only(all.filter(is_named)).or_else(|| by_children(best, &wanted.path, other));
    }
    // Names of one content are told apart by what they are alike.
    let place = best.place_of(entry);
    let there = || {
        place
            .into_iter()
            .flat_map(|place| other.at_place(place))
            .filter(is_alike)
    };
    only(there()).or_else(|| only(there().filter(is_named)))
}

/// The only item; `None` if there are several.
fn only(mut found: impl Iterator<Item = usize>) -> Option<usize> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Finds a directory by one of its files, if that file has exactly one name in each hierarchy.
fn by_children(best: &Listing, path: &[u8], other: &Listing) -> Option<usize> {
    let start = [path, b"/"].concat();
    let from = best
        .entries()
        .partition_point(|entry| entry.path.as_slice() < start.as_slice());
    let below = best.entries().iter().enumerate().skip(from);
    let below = below.take_while(|(_, entry)| entry.path.starts_with(&start));
    let children =
        below.filter(|(_, entry)| entry.kind == EntryKind::File && !entry.path[start.len()..].contains(&b'/'));
    for (number, _) in children {
        let Some(place) = best.place_of(number) else {
            continue;
        };
        if let (Some(_), Some(found)) = (only(best.at_place(place)), only(other.at_place(place))) {
            let found = &other.get(found)?.path;
            let end = found.iter().rposition(|&byte| byte == b'/')?;
            return other.find(if end == 0 { b"/" } else { &found[..end] });
        }
    }
    None
}

/// A path as the poorest writer of Joliet would have it, letters of any case.
fn mapped(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path).to_lowercase();
    let parts = text.split('/').map(|part| {
        let letters = part.chars().map(|letter| match letter {
            '*' | ':' | ';' | '?' | '\\' => '_',
            letter => letter,
        });
        letters.take(JOLIET).collect::<String>()
    });
    parts.collect::<Vec<_>>().join("/")
}
