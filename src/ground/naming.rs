//! What a name becomes where an index cannot hold it as it is, and that it is unique in its directory.
//!
//! Names that an index holds keep theirs; the others are mapped character by character, cut, and numbered until nobody else has the
//! result. What comes out depends on the names of the directory alone, not on their order. Which characters an index has, and how many,
//! is the index's own business.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// An extension that has to give way to the name is cut to this.
const EXTENSION: usize = 8;

/// The names of one directory's children in an index, and which of them stand for another name. A child is its name and what it would
/// be called if it were alone.
pub(crate) fn assign(children: &[(&[u8], Wish)]) -> Vec<(String, bool)> {
    let mut order: Vec<usize> = (0..children.len()).collect();
    order.sort_by_key(|&index| (children[index].1.fidelity, children[index].0));
    let mut taken: HashSet<String> = HashSet::with_capacity(children.len());
    let mut next: HashMap<String, u32> = HashMap::new();
    let mut assigned = vec![(String::new(), false); children.len()];
    for index in order {
        let wish = &children[index].1;
        let mut name = wish.numbered(None);
        let mut changed = wish.fidelity == Fidelity::Mapped;
        while !taken.insert(name.clone()) {
            // The search goes on where it ended for the last of the same wish: a directory of twins takes linear time.
            let number = next.entry(wish.numbered(None)).or_insert(0);
            *number += 1;
            name = wish.numbered(Some(*number));
            changed = true;
        }
        assigned[index] = (name, changed);
    }
    assigned
}

/// The siblings whose names differ in case alone from an earlier one, each behind the first that is called so.
pub(crate) fn case_collisions<T: Copy, N: AsRef<str>>(siblings: impl Iterator<Item = (T, N)>) -> Vec<(T, T)> {
    let mut folded: HashMap<String, T> = HashMap::with_capacity(siblings.size_hint().0);
    let mut found = Vec::new();
    for (sibling, name) in siblings {
        match folded.entry(name.as_ref().to_lowercase()) {
            Entry::Occupied(first) => found.push((*first.get(), sibling)),
            Entry::Vacant(vacant) => drop(vacant.insert(sibling)),
        }
    }
    found
}

/// A name as text, each character replaced as `replace` says, and `_` for each byte that is not UTF-8.
pub(crate) fn letters(name: &[u8], replace: impl Fn(char) -> char) -> Vec<char> {
    let mut letters = Vec::with_capacity(name.len());
    for part in name.utf8_chunks() {
        letters.extend(part.valid().chars().map(&replace));
        letters.extend(part.invalid().iter().map(|_| '_'));
    }
    letters
}

/// How near a name in an index is to the name itself; those that are nearer choose first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fidelity {
    /// The name itself.
    Exact,
    /// The name in upper case.
    Folded,
    /// Characters were replaced or cut.
    Mapped,
}

/// What a name would be called in an index if it were alone in its directory.
pub(crate) struct Wish {
    stem: Vec<char>,
    extension: Vec<char>,
    /// Of the stem and the extension together.
    limit: usize,
    fidelity: Fidelity,
}

impl Wish {
    /// A stem and an extension, of whose characters the index holds at most `limit`; where `counts_dot`, the dot between them is one.
    pub(crate) fn new(
        name: &[u8],
        mut stem: Vec<char>,
        mut extension: Vec<char>,
        limit: usize,
        counts_dot: bool,
    ) -> Self {
        let dot = usize::from(counts_dot && !extension.is_empty());
        if stem.len() + dot + extension.len() > limit {
            extension.truncate(EXTENSION.max(limit.saturating_sub(stem.len() + dot)));
            stem.truncate(limit - extension.len() - dot);
        }
        let mut wish = Self {
            stem,
            extension,
            limit: limit - dot,
            fidelity: Fidelity::Mapped,
        };
        let alone = wish.numbered(None).into_bytes();
        if alone == name {
            wish.fidelity = Fidelity::Exact;
        } else if alone.eq_ignore_ascii_case(name) {
            wish.fidelity = Fidelity::Folded;
        }
        wish
    }

    /// The same of a name in one piece: what stands behind its last dot is the extension, but for a dot that begins the name.
    pub(crate) fn of_letters(name: &[u8], mut letters: Vec<char>, limit: usize) -> Self {
        let dot = letters.iter().rposition(|&letter| letter == '.').filter(|&dot| dot > 0);
        let extension = dot.map_or(Vec::new(), |dot| letters[dot + 1..].to_vec());
        letters.truncate(dot.unwrap_or(letters.len()));
        Self::new(name, letters, extension, limit, true)
    }

    /// The name, with `_1`, `_2`, ... behind a stem that makes room for it.
    fn numbered(&self, number: Option<u32>) -> String {
        let suffix = number.map_or(String::new(), |number| format!("_{number}"));
        let extension = self.extension.len().min(self.limit - suffix.len() - 1);
        let room = self.limit - extension - suffix.len();
        let mut name: String = self.stem.iter().take(room).collect();
        name.push_str(&suffix);
        if extension > 0 {
            name.push('.');
            name.extend(&self.extension[..extension]);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_that_windows_takes_for_one_are_told() {
        let names = ["a", "Ü", "A", "b", "ü", "a."];
        assert_eq!(case_collisions((0..).zip(names)), [(0, 2), (1, 4)]);
        assert_eq!(case_collisions((0..).zip(["x", "X", "x"])), [(0, 1), (0, 2)]);
    }
}
