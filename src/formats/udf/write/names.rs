//! Names as UDF records them, and as Windows shows them.

use crate::ground::naming::{self, Wish};

/// UDF 2.1.1: a byte that says how wide the characters are, and 254 bytes of them.
const LONGEST: usize = 254;

/// Characters that one byte holds, and so all of a name that is recorded in bytes: UDF 2.1.1, compression id 8.
fn is_narrow(character: char) -> bool {
    u32::from(character) < 256
}

/// Bytes of a text in compressed unicode; none for an empty one.
pub(super) fn encoded_length(text: &str) -> usize {
    match text.chars().all(is_narrow) {
        true if text.is_empty() => 0,
        true => 1 + text.chars().count(),
        false => 1 + 2 * text.chars().count(),
    }
}

/// Puts a text in compressed unicode (UDF 2.1.1) behind what is in `bytes`. Names have no characters outside of the basic plane; in
/// other texts they are `_`.
pub(super) fn encode(text: &str, bytes: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let narrow = text.chars().all(is_narrow);
    bytes.push(if narrow { 8 } else { 16 });
    for character in text.chars().map(u32::from) {
        match narrow {
            true => bytes.push(character as u8),
            false => bytes.extend(u16::try_from(character).unwrap_or(u16::from(b'_')).to_be_bytes()),
        }
    }
}

/// The begin of a text, as much as `length` bytes hold in compressed unicode.
pub(super) fn fitting(text: &str, length: usize) -> &str {
    let mut kept = text;
    while encoded_length(kept) > length {
        let last = kept.char_indices().next_back();
        kept = last.map_or("", |(at, _)| &kept[..at]);
    }
    kept
}

/// Whether Windows shows this character of a name, and UDF has it: no control character, none of `" * / : < > ? \ |`, none outside
/// of the basic plane, which libudfread does not read, and none of UDF 2.1.1's two that would be a byte order.
fn is_shown(character: char) -> bool {
    !matches!(
        character,
        '\0'..='\u{1f}' | '"' | '*' | '/' | ':' | '<' | '>' | '?' | '\\' | '|' | '\u{feff}' | '\u{fffe}' | '\u{10000}'..
    )
}

/// Whether a name may end with this character: Windows drops it.
fn is_last(character: char) -> bool {
    !matches!(character, '.' | ' ')
}

/// Whether a name stays as it is.
fn is_exact(name: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(name) else {
        return false;
    };
    text.chars().all(is_shown) && text.chars().next_back().is_some_and(is_last) && encoded_length(text) <= 1 + LONGEST
}

fn wish(name: &[u8]) -> Wish {
    // Linux shows `.._` in a form of its own, so that a name of dots alone keeps no dot.
    let dots_alone = name.iter().all(|&byte| byte == b'.');
    let is_kept = |letter: char| is_shown(letter) && !(dots_alone && letter == '.');
    let mut letters = naming::letters(name, |letter| if is_kept(letter) { letter } else { '_' });
    if let Some(last) = letters.last_mut().filter(|last| !is_last(**last)) {
        *last = '_';
    }
    let limit = match letters.iter().copied().all(is_narrow) {
        true => LONGEST,
        false => LONGEST / 2,
    };
    Wish::of_letters(name, letters, limit)
}

/// What the children of one directory are called in UDF, as far as that is not their name: the number of the child, and what readers see.
pub fn assign(children: &[&[u8]]) -> Vec<(usize, String)> {
    // Names in a directory are unlike each other.
    if children.iter().all(|name| is_exact(name)) {
        return Vec::new();
    }
    let wishes: Vec<(&[u8], Wish)> = children.iter().map(|&name| (name, wish(name))).collect();
    let assigned = naming::assign(&wishes).into_iter().enumerate();
    assigned
        .filter_map(|(number, (name, changed))| changed.then_some((number, name)))
        .collect()
}

/// What one more name of a directory is called in UDF, beside others as UDF has them.
pub fn assign_beside(name: &[u8], others: &[String]) -> String {
    let children: Vec<&[u8]> = others.iter().map(String::as_bytes).chain([name]).collect();
    let mut assigned = assign(&children).into_iter();
    let own = assigned.find(|(number, _)| *number == others.len());
    own.map_or_else(|| String::from_utf8_lossy(name).into_owned(), |(_, name)| name)
}
