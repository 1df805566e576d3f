//! Warnings about words of an entry that hardly mean what they say.

use std::collections::HashMap;

use crate::resolve::{Resolution, loader};

impl Resolution<'_> {
    /// Warns of such words.
    pub(super) fn warn_of_words(&mut self) {
        loader::warn_of_titles(self);
        self.warn_of_equal_titles();
        let menu = &self.document.manifest.menu;
        for entry in menu.iter().map(|entry| entry.get_ref()) {
            let Some(line) = &entry.cmdline else { continue };
            loader::warn_of_line(self, entry, line);
            // TOML 1.1: an escape of a basic string, which GRUB and systemd want to see as it is.
            let written = line.span().and_then(|span| self.document.text.get(span));
            let written = written.unwrap_or_default();
            if written.starts_with('"') && written.contains("\\x") {
                let message = "TOML has made a character of `\\x..` in this command line, a blank of `\\x20`";
                self.warn_with(
                    line,
                    message.into(),
                    "not as it is written",
                    "in '...' it stays as it is written",
                );
            }
        }
    }

    fn warn_of_equal_titles(&mut self) {
        let menu = &self.document.manifest.menu;
        let mut titles: HashMap<&str, usize> = HashMap::new();
        for entry in menu {
            *titles.entry(entry.get_ref().shown_title()).or_default() += 1;
        }
        let mut told: Vec<&str> = Vec::new();
        for entry in menu {
            let title = entry.get_ref().shown_title();
            if titles[title] > 1 && !told.contains(&title) {
                told.push(title);
                let message = format!("{} entries of the menu have the title {title:?}", titles[title]);
                self.warn_with(entry, message, "one of them", "`title` tells them apart");
            }
        }
    }
}
