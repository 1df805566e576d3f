//! Where the arguments of kernels stand in the texts of configurations.

use std::ops::Range;

/// A kernel's arguments as they stand in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// What menus show of the entry: its own title, and those of the menus that lead to it in this text.
    pub titles: Vec<String>,
    /// The kernel, as it is named.
    pub kernel: String,
    /// Each argument: its place, and what it says; none where that is not known here.
    pub words: Vec<(Range<usize>, Option<String>)>,
    /// The bytes that new arguments replace, where the kernel has no argument; empty where they are inserted.
    pub free: Range<usize>,
    /// The text that goes before them there, such as a line break and a keyword.
    pub lead: String,
}

/// The words of a line that begins at `start`, each with its place.
pub(super) fn words(line: &[u8], start: usize) -> Vec<(Range<usize>, Option<String>)> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let blanks = line[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        at += blanks;
        let mut is_quoted = false;
        let length = line[at..]
            .iter()
            .take_while(|&&byte| {
                is_quoted ^= byte == b'"';
                is_quoted || !byte.is_ascii_whitespace()
            })
            .count();
        if length > 0 {
            let word = String::from_utf8_lossy(&line[at..at + length]).into_owned();
            words.push((start + at..start + at + length, Some(word)));
        }
        at += length;
    }
    words
}

/// The lines of a text, each with its place and without its end.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    text.split_inclusive(|&byte| byte == b'\n').map(move |line| {
        let start = at;
        at += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        (start, line.strip_suffix(b"\r").unwrap_or(line))
    })
}
