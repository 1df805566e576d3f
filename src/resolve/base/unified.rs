//! Warnings about unified kernel images of a base. `[base]` changes configurations, and cannot change what is inside a program.

use std::collections::BTreeSet;

use super::kernel_args::Entries;
use super::original::Original;
use crate::formats::pe;
use crate::ground::read_at::Pieces;
use crate::ground::text;
use crate::look::contents::Item;
use crate::look::menu::{Entry, File};
use crate::manifest::At;
use crate::resolve::Resolution;

impl Resolution<'_> {
    /// Warns of unified kernel images that a menu or firmware starts. `what` names their parts that stay as they are.
    pub(super) fn warn_of_unified<T>(&mut self, at: &At<T>, original: &Original<'_>, entries: &Entries, what: &str) {
        let is_meant = |entry: &&Entry| {
            let titles: Vec<String> = entry.submenu.iter().chain([&entry.title]).cloned().collect();
            entries.is_meant(&titles)
        };
        let menu = original.menu.entries.iter().filter(is_meant);
        let started = menu.filter_map(|entry| entry.program_file.clone());
        // These have no titles, so `entries` cannot mean them.
        let others = original.reader.default_programs().filter(|_| entries.are_all());
        let files: BTreeSet<File> = started.chain(others).collect();
        let is_unified = |file: &&File| {
            original
                .reader
                .item(file)
                .is_some_and(|item| is_unified(original, item))
        };
        let unified: BTreeSet<Vec<u8>> = files.iter().filter(is_unified).map(|file| file.path.clone()).collect();
        if let Some(first) = unified.first() {
            let first = text::visible(first);
            let message = match unified.len() {
                1 => format!("{first} is a unified kernel image; its {what}"),
                count => format!("{first} and {} more are unified kernel images; their {what}", count - 1),
            };
            self.warn(at, message, "not everywhere");
        }
    }
}

fn is_unified(original: &Original<'_>, item: &Item) -> bool {
    let program = pe::read(&Pieces::new(original.image, item.extents.iter().copied()));
    item.is_whole && program.is_some_and(|program| program.is_unified())
}
