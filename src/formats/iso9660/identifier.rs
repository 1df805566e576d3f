//! What an identifier holds: which characters a name keeps, and how many.

use crate::ground::naming::{self, Wish};

/// §8.5.1 for level 3: name and extension together, without the separators and the version.
const FILE: usize = 30;
/// §8.6.3.
const DIRECTORY: usize = 31;
/// Joliet's text says 64 characters; every reader takes as many as fit a record of §10.1 with the version behind them.
const JOLIET: usize = 103;

/// The identifiers of one directory's children, without version, and which of them stand for another name.
///
/// A child is its name and whether it is a directory; `joliet` decides what an identifier may hold.
pub(super) fn assign(children: &[(&[u8], bool)], joliet: bool) -> Vec<(String, bool)> {
    let wishes: Vec<(&[u8], Wish)> = children
        .iter()
        .map(|&(name, directory)| {
            let wish = match joliet {
                true => joliet_wish(name),
                false => primary_wish(name, directory),
            };
            (name, wish)
        })
        .collect();
    naming::assign(&wishes)
}

/// §8.5 and §8.6: d-characters (A-Z, 0-9, _), and one dot in the identifier of a file.
fn primary_wish(name: &[u8], directory: bool) -> Wish {
    let d_characters = |bytes: &[u8]| {
        naming::letters(bytes, |letter| match letter.to_ascii_uppercase() {
            upper if upper.is_ascii_uppercase() || upper.is_ascii_digit() => upper,
            _ => '_',
        })
    };
    // The dot of ".profile" begins a name, not an extension.
    let dot = name
        .iter()
        .rposition(|&byte| byte == b'.')
        .filter(|&dot| dot > 0 && !directory);
    let (stem, extension) = match dot {
        Some(dot) => (d_characters(&name[..dot]), d_characters(&name[dot + 1..])),
        None => (d_characters(name), Vec::new()),
    };
    let limit = if directory { DIRECTORY } else { FILE };
    Wish::new(name, stem, extension, limit, false)
}

/// UCS-2 without control characters and `* / : ; ? \`, and without a dot at the end: Linux and Windows drop it, so that `...` is their
/// name for the directory itself.
fn joliet_wish(name: &[u8]) -> Wish {
    let mut letters = naming::letters(name, |letter| match letter {
        '\0'..='\u{1f}' | '*' | '/' | ':' | ';' | '?' | '\\' | '\u{10000}'.. => '_',
        other => other,
    });
    if let Some(last) = letters.last_mut().filter(|last| **last == '.') {
        *last = '_';
    }
    Wish::of_letters(name, letters, JOLIET)
}

/// The characters of a text as Joliet records them; those outside of the basic plane are `_`.
pub(super) fn ucs2(text: &str) -> impl Iterator<Item = u16> {
    text.chars()
        .map(|letter| u16::try_from(u32::from(letter)).unwrap_or(u16::from(b'_')))
}

/// Big-endian UCS-2 as text. Pairs of surrogates, which the standard does not have but some writers make, are one character.
pub(super) fn from_ucs2(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
    char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// What a record of §10.1.12 holds for an identifier that [`assign`] gave: §8.5.1 has the dot and the version always. Joliet names
/// go without, as other writers leave them: half of the readers would show the version.
pub(super) fn encode(name: &str, directory: bool, joliet: bool) -> Vec<u8> {
    match (joliet, directory) {
        (true, _) => ucs2(name).flat_map(u16::to_be_bytes).collect(),
        (false, true) => name.as_bytes().to_vec(),
        (false, false) if name.contains('.') => format!("{name};1").into_bytes(),
        (false, false) => format!("{name}.;1").into_bytes(),
    }
}

/// The name that readers show for a primary identifier, and its version number: neither that nor the separator of an empty extension
/// is part of the name.
pub(super) fn read_primary(identifier: &[u8], directory: bool) -> (Vec<u8>, Option<u16>) {
    if directory {
        return (identifier.to_vec(), None);
    }
    let (name, version) = version(identifier);
    let without_separator = name.strip_suffix(b".").filter(|name| !name.is_empty());
    (without_separator.unwrap_or(name).to_vec(), version)
}

/// The name that readers show for a Joliet identifier, and its version number.
pub(super) fn read_joliet(identifier: &[u8], directory: bool) -> (Vec<u8>, Option<u16>) {
    let text = from_ucs2(identifier);
    if directory {
        return (text.into_bytes(), None);
    }
    let (name, version) = version(text.as_bytes());
    (name.to_vec(), version)
}

/// §8.5.1: a file identifier without its version number, and that.
fn version(identifier: &[u8]) -> (&[u8], Option<u16>) {
    let number = |digits: &[u8]| match digits.iter().all(u8::is_ascii_digit) {
        true => str::from_utf8(digits).ok()?.parse().ok().filter(|&number| number > 0),
        false => None,
    };
    let divided = identifier
        .iter()
        .rposition(|&byte| byte == b';')
        .map(|at| (&identifier[..at], &identifier[at + 1..]));
    match divided {
        // Some writers leave the number out and keep the separator.
        Some((name, b"")) => (name, None),
        Some((name, digits)) if !name.is_empty() => match number(digits) {
            Some(number) => (name, Some(number)),
            None => (identifier, None),
        },
        _ => (identifier, None),
    }
}

/// The key of §10.3: file name, then extension; both count as padded with spaces, which are below every character in them.
pub(super) fn order(name: &str) -> (Vec<u16>, Vec<u16>) {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    (ucs2(stem).collect(), ucs2(extension).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names(names: &[&str], joliet: bool) -> Vec<(String, bool)> {
        let children: Vec<(&[u8], bool)> = names.iter().map(|name| (name.as_bytes(), false)).collect();
        assign(&children, joliet)
    }

    #[test]
    fn primary_identifiers_are_d_characters() {
        let long = "a-name-of-more-than-thirty-characters.configuration";
        let got = names(
            &["README.TXT", "readme.txt", ".profile", "a.tar.gz", "grün", long, "x."],
            false,
        );
        let want = [
            ("README.TXT", false),
            ("README_1.TXT", true),
            ("_PROFILE", true),
            ("A_TAR.GZ", true),
            ("GR_N", true),
            ("A_NAME_OF_MORE_THAN_TH.CONFIGUR", true),
            ("X", true),
        ];
        let want: Vec<_> = want.map(|(name, changed)| (name.to_owned(), changed)).to_vec();
        assert_eq!(got, want);
        assert_eq!(assign(&[(b"a.b", true)], false), [("A_B".to_owned(), true)]);
    }

    #[test]
    fn what_fits_is_never_displaced_by_what_was_mapped() {
        let long = format!("a.{}", "e".repeat(29));
        let twins = names(&[&long, &long.to_uppercase()], false);
        assert_eq!(twins[0], (format!("A_1.{}", "E".repeat(27)), true));
        let got = names(&["a+b", "A_B", "a?b"], false);
        assert_eq!(
            got,
            [("A_B_1".into(), true), ("A_B".into(), false), ("A_B_2".into(), true)]
        );
    }

    #[test]
    fn a_directory_of_twins_is_numbered_within_the_limit() {
        let stem = "x".repeat(60);
        let all: Vec<String> = (0..12_000).map(|n| format!("{stem}{n}.txt")).collect();
        let children: Vec<(&[u8], bool)> = all.iter().map(|name| (name.as_bytes(), false)).collect();
        let assigned = assign(&children, false);
        let unique: HashSet<&String> = assigned.iter().map(|(name, _)| name).collect();
        assert_eq!(unique.len(), all.len());
        assert!(assigned.iter().all(|(name, _)| name.len() <= FILE + 1));
    }

    #[test]
    fn joliet_keeps_all_but_a_few_characters() {
        let long = format!("{}.txt", "n".repeat(120));
        let got = names(&["grün.txt", "a:b?", "\u{1f600}", &long, "dot.", "..."], true);
        let cut = format!("{}.txt", "n".repeat(99));
        let want = [
            ("grün.txt", false),
            ("a_b_", true),
            ("_", true),
            (&cut, true),
            ("dot_", true),
            (".._", true),
        ];
        let want: Vec<_> = want.map(|(name, changed)| (name.to_owned(), changed)).to_vec();
        assert_eq!(got, want);
        assert_eq!(
            read_joliet(&encode("grün.txt", false, true), false).0,
            "grün.txt".as_bytes()
        );
    }

    #[test]
    fn readers_see_neither_version_nor_empty_extension() {
        for name in ["README.TXT", "X", "A_TAR.GZ"] {
            assert_eq!(
                read_primary(&encode(name, false, false), false),
                (name.as_bytes().to_vec(), Some(1))
            );
            assert_eq!(
                read_primary(&encode(name, true, false), true),
                (name.as_bytes().to_vec(), None)
            );
        }
        assert_eq!(encode("X", false, false), b"X.;1");
    }

    #[test]
    fn a_shorter_extension_sorts_first() {
        assert!(order("A.1") < order("A.11") && order("A.Z") < order("A1.A") && order("A") < order("A.A"));
    }
}
