//! Texts of configurations in which the arguments of kernels are changed, word by word: every other byte stays.

use std::ops::Range;

use super::arguments::Arguments;
use super::{Loader, bsd, entries, grub, own, syslinux};

/// A change of arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Arguments that are added, unless they are there.
    pub append: Vec<String>,
    /// Arguments that are removed.
    pub remove: Vec<String>,
    /// Names whose values change: `name=value`.
    pub replace: Vec<(String, String)>,
}

/// How often each part of a [`Change`] has found something to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// By `append`: where it was added.
    pub appended: Vec<usize>,
    /// By `remove`.
    pub removed: Vec<usize>,
    /// By `replace`.
    pub replaced: Vec<usize>,
}

/// Separates what the installer gets from what the installed system gets (debian-installer, casper).
const SEPARATORS: [&str; 2] = ["---", "--"];

/// The arguments of every kernel in the text of a configuration.
pub fn arguments(loader: Loader, text: &[u8]) -> Vec<Arguments> {
    match loader {
        Loader::Grub => grub::arguments(text),
        Loader::Syslinux => syslinux::arguments(text),
        Loader::SystemdBoot => entries::arguments(text),
        Loader::Builtin => own::arguments(text),
        Loader::Freebsd => bsd::arguments(text),
    }
}

/// The text with changed arguments of the kernels that `is_meant`. Every other byte stays.
pub fn changed(
    loader: Loader,
    text: &[u8],
    change: &Change,
    is_meant: &dyn Fn(&Arguments) -> bool,
    done: &mut Done,
) -> Vec<u8> {
    done.appended.resize(change.append.len(), 0);
    done.removed.resize(change.remove.len(), 0);
    done.replaced.resize(change.replace.len(), 0);
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    for arguments in self::arguments(loader, text) {
        if is_meant(&arguments) {
            one(loader, text, &arguments, change, done, &mut edits);
        }
    }
    edits.sort_by_key(|(place, _)| (place.start, place.end));
    let mut changed = Vec::with_capacity(text.len());
    let mut at = 0;
    for (place, bytes) in edits {
        changed.extend_from_slice(text.get(at..place.start).unwrap_or_default());
        changed.extend(bytes);
        at = place.end.max(at);
    }
    changed.extend_from_slice(text.get(at..).unwrap_or_default());
    changed
}

/// The edits of one kernel's arguments.
fn one(
    loader: Loader,
    text: &[u8],
    arguments: &Arguments,
    change: &Change,
    done: &mut Done,
    edits: &mut Vec<(Range<usize>, Vec<u8>)>,
) {
    let mut kept = Vec::new();
    // What stays, as it will be.
    let mut now: Vec<String> = Vec::new();
    for (place, word) in &arguments.words {
        let Some(word) = word else {
            kept.push(place.clone());
            continue;
        };
        if let Some(number) = change.remove.iter().position(|gone| gone == word) {
            done.removed[number] += 1;
            // With the blanks before it.
            let blanks = text[..place.start]
                .iter()
                .rev()
                .take_while(|byte| matches!(byte, b' ' | b'\t'));
            edits.push((place.start - blanks.count()..place.end, Vec::new()));
            continue;
        }
        let name = word.split_once('=').map(|(name, _)| name);
        let replaced = change
            .replace
            .iter()
            .position(|(wanted, _)| Some(wanted.as_str()) == name);
        if let Some(number) = replaced {
            let (name, value) = &change.replace[number];
            done.replaced[number] += 1;
            let new = format!("{name}={value}");
            if new != *word {
                edits.push((place.clone(), written(loader, &new).into_bytes()));
            }
            now.push(new);
        } else {
            now.push(word.clone());
        }
        kept.push(place.clone());
    }
    let is_there = |wanted: &String| now.contains(wanted);
    let mut added = Vec::new();
    for (number, wanted) in change.append.iter().enumerate() {
        if !is_there(wanted) {
            done.appended[number] += 1;
            added.push(written(loader, wanted));
        }
    }
    if added.is_empty() {
        return;
    }
    let is_separator =
        |(_, word): &&(Range<usize>, Option<String>)| word.as_deref().is_some_and(|word| SEPARATORS.contains(&word));
    let separator = arguments.words.iter().find(is_separator);
    let between = if loader == Loader::Freebsd { "\n" } else { " " };
    let added = added.join(between);
    let (place, bytes) = match (separator, kept.last()) {
        (Some((place, _)), _) => (place.start..place.start, format!("{added} ")),
        (None, Some(place)) => (place.end..place.end, format!("{between}{added}")),
        (None, None) => (arguments.free.clone(), format!("{}{added}", arguments.lead)),
    };
    edits.push((place, bytes.into_bytes()));
}

/// An argument in the grammar of a configuration.
pub fn written(loader: Loader, argument: &str) -> String {
    match loader {
        Loader::Grub => grub::quoted(argument),
        Loader::Freebsd => bsd::line(argument),
        Loader::Syslinux | Loader::SystemdBoot | Loader::Builtin => argument.to_owned(),
    }
}
