//! Warnings about titles that the loader cannot show, and about words that it does not read.

use super::shows;
use crate::manifest::{MenuEntry, Text};
use crate::resolve::Resolution;

/// Warns of titles that the loader cannot show.
pub(in crate::resolve) fn warn_of_titles(resolution: &mut Resolution<'_>) {
    let menu = &resolution.document.manifest.menu;
    let hidden: Vec<_> = menu
        .iter()
        .filter_map(|entry| entry.get_ref().title.as_ref())
        .filter(|title| !title.get_ref().chars().all(shows))
        .collect();
    if let Some(first) = hidden.first() {
        let message = match hidden.len() {
            1 => "the title has characters that the loader cannot show".to_owned(),
            count => format!("{count} titles have characters that the loader cannot show"),
        };
        resolution.warn_with(
            first,
            message,
            "shown as ?",
            "Latin letters, signs and frames are shown",
        );
    }
}

/// Warns of what a command line says to another loader.
pub(in crate::resolve) fn warn_of_line(resolution: &mut Resolution<'_>, entry: &MenuEntry, line: &Text) {
    let names_initrd = line.get_ref().split(' ').any(|word| word.starts_with("initrd="));
    if names_initrd && entry.initrd.is_empty() {
        let message = "`initrd=` in the command line loads nothing: the built-in loader takes the key `initrd`";
        resolution.warn_with(line, message.into(), "read by no loader", "initrd = \"initrd.img\"");
    }
}
