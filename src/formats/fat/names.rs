//! Names: which are valid, which are equal, and the short name beside a long one.

use std::collections::{BTreeMap, BTreeSet};

/// DIR_Name: eight bytes of name and three of extension, padded with spaces.
pub(super) type ShortName = [u8; 11];

/// `FAT: FAT Long Directory Entries`: a long name has at most 255 characters, which are UTF-16 code units.
const MAX_UNITS: usize = 255;

/// The code units of a valid long name, or what is wrong with it.
pub(super) fn long_units(name: &str) -> Result<Vec<u16>, &'static str> {
    if name.is_empty() {
        return Err("cannot be empty");
    }
    if name.ends_with(['.', ' ']) {
        return Err("cannot end with a dot or a space");
    }
    if name.contains(['"', '*', '/', ':', '<', '>', '?', '\\', '|']) {
        return Err("cannot contain any of \" * / : < > ? \\ |");
    }
    // FFFFh pads the last entry of a long name.
    if name.contains(|c: char| c < ' ' || c == '\u{7f}' || c == '\u{ffff}') {
        return Err("cannot contain control characters");
    }
    let units: Vec<u16> = name.encode_utf16().collect();
    if units.len() > MAX_UNITS {
        return Err("has at most 255 UTF-16 code units");
    }
    Ok(units)
}

/// Simple upper case, by which names are found: a character whose upper case is more than one stays as it is.
pub(super) fn fold(name: &str) -> String {
    name.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

/// `FAT: FAT Directory Structure`: the characters of a short name. A space may stand inside by the text, but fsck.vfat
/// takes it for damage.
fn is_short_character(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || "!#$%&'()-@^_`{}~".contains(c)
}

/// The short name that says all of `name`, if there is one.
pub(super) fn exact_short(name: &str) -> Option<ShortName> {
    let (base, extension) = match name.split_once('.') {
        Some((_, "")) => return None,
        Some((base, extension)) => (base, extension),
        None => (name, ""),
    };
    let fits = |part: &str, most: usize| part.len() <= most && part.chars().all(is_short_character);
    (!base.is_empty() && fits(base, 8) && fits(extension, 3)).then(|| pack(base, "", extension))
}

/// Cuts `base` so that it has room for `tail`.
fn pack(base: &str, tail: &str, extension: &str) -> ShortName {
    let mut short = [b' '; 11];
    let base = base
        .bytes()
        .take(8_usize.saturating_sub(tail.len()))
        .chain(tail.bytes());
    let (name, rest) = short.split_at_mut(8);
    name.iter_mut().zip(base).for_each(|(to, from)| *to = from);
    rest.iter_mut().zip(extension.bytes()).for_each(|(to, from)| *to = from);
    short
}

/// A short name for each of the names of a directory, all different. Names that are 8.3 but for case get themselves in
/// upper case; the others a basis-name and a numeric tail, in the order given (`FAT: The Basis-Name Generation
/// Algorithm`).
pub(super) fn short_names(names: &[&str]) -> Vec<ShortName> {
    let mut exact: Vec<_> = names.iter().map(|n| exact_short(&n.to_ascii_uppercase())).collect();
    let taken: BTreeSet<ShortName> = exact.iter().flatten().copied().collect();
    let mut tails = BTreeMap::new();
    names
        .iter()
        .zip(&mut exact)
        .map(|(name, exact)| exact.take().unwrap_or_else(|| tailed(name, &taken, &mut tails)))
        .collect()
}

/// A short name for one more name of a directory that has some.
pub(super) fn free_short(name: &str, taken: &BTreeSet<ShortName>) -> ShortName {
    match exact_short(&name.to_ascii_uppercase()) {
        Some(exact) if !taken.contains(&exact) => exact,
        _ => tailed(name, taken, &mut BTreeMap::new()),
    }
}

/// What precedes a numeric tail, how many digits it has, and the extension: two names that share these share a count.
type Tail = (String, u32, String);

/// The count goes on where the last name with the same prefix left it, so that many alike names take no longer than others.
/// Only names in `taken` can be in the way: what was made here ends in a tail of its own.
fn tailed(name: &str, taken: &BTreeSet<ShortName>, tails: &mut BTreeMap<Tail, u32>) -> ShortName {
    let (base, extension) = basis(name);
    for digits in 1..=6 {
        let prefix: String = base.chars().take(7 - digits as usize).collect();
        let count = tails
            .entry((prefix, digits, extension.clone()))
            .or_insert_with(|| 10_u32.pow(digits - 1));
        while *count < 10_u32.pow(digits) {
            let short = pack(&base, &format!("~{count}"), &extension);
            *count += 1;
            if !taken.contains(&short) {
                return short;
            }
        }
    }
    // Not reached: a directory has fewer names than there are tails of six digits.
    pack(&base, "~0", &extension)
}

/// Upper case, without spaces and leading dots; what a short name cannot hold becomes `_`.
fn basis(name: &str) -> (String, String) {
    let stripped: String = name.chars().filter(|&c| c != ' ').collect();
    let stripped = stripped.trim_start_matches('.');
    let (base, extension) = stripped.rsplit_once('.').unwrap_or((stripped, ""));
    let clean = |part: &str, most: usize| {
        part.chars()
            .filter(|&c| c != '.')
            .map(|c| c.to_ascii_uppercase())
            .map(|c| if is_short_character(c) { c } else { '_' })
            .take(most)
            .collect()
    };
    (clean(base, 8), clean(extension, 3))
}

/// `FAT: FAT Long Directory Entries`, ChkSum(): ties the entries of a long name to their short name.
pub(super) fn checksum(short: &ShortName) -> u8 {
    short
        .iter()
        .fold(0, |sum: u8, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// The volume label as the boot sector and the root directory hold it; `None` for an empty one.
pub(super) fn label(label: &str) -> Result<Option<ShortName>, &'static str> {
    if label.is_empty() {
        return Ok(None);
    }
    if label.starts_with(' ') || label.ends_with(' ') {
        return Err("cannot begin or end with a space");
    }
    if !label.chars().all(|c| c == ' ' || is_short_character(c)) {
        return Err("may contain A to Z, 0 to 9, space and ! # $ % & ' ( ) - @ ^ _ ` { } ~");
    }
    if label.len() > 11 {
        return Err("has more than 11 characters");
    }
    let mut packed = [b' '; 11];
    packed.iter_mut().zip(label.bytes()).for_each(|(to, from)| *to = from);
    Ok(Some(packed))
}

/// The name in a short directory entry. `lower` is the byte DIR_NTRes, whose bits 3 and 4 say that name or extension
/// are shown in lower case. Bytes from 80h on depend on a code page that nothing names.
pub(super) fn show_short(short: &ShortName, lower: u8) -> String {
    let (base, extension) = short.split_at(8);
    let part = |bytes: &[u8], lower: bool| -> String {
        let end = bytes.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
        let shown = bytes.iter().take(end).map(|&byte| match byte {
            0x80.. => char::REPLACEMENT_CHARACTER,
            0..b' ' | b'.' | b'/' | 0x7f => '_',
            _ if lower => byte.to_ascii_lowercase().into(),
            _ => byte.into(),
        });
        shown.collect()
    };
    let (base, extension) = (part(base, lower & 8 != 0), part(extension, lower & 16 != 0));
    match (base.as_str(), extension.as_str()) {
        ("", "") => "_".to_owned(),
        (_, "") => base,
        _ => format!("{base}.{extension}"),
    }
}

/// Whether a long name found on a volume can be a part of a path: no separator, nothing that is invisible or moves a cursor,
/// and not the names of this directory or its parent.
pub(super) fn is_path_component(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(|c: char| c == '/' || c.is_control())
}
