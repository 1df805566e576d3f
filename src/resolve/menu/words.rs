//! What an entry says that nobody means so: titles that the loader cannot show, and command lines with the habits of others.

use std::collections::HashMap;

use crate::resolve::Resolution;
use crate::resolve::loader::builtin::shows;

impl Resolution<'_> {
    /// Warns of them.
    pub(super) fn warn_of_words(&mut self) {
        self.warn_of_titles();
        let menu = &self.document.manifest.menu;
        for entry in menu.iter().map(|entry| entry.get_ref()) {
            let Some(line) = &entry.cmdline else { continue };
            let names_initrd = line.get_ref().split(' ').any(|word| word.starts_with("initrd="));
            if names_initrd && entry.initrd.is_empty() {
                let message = "`initrd=` in the command line loads nothing: the built-in loader takes the key `initrd`";
                self.warn_with(line, message.into(), "read by no loader", "initrd = \"initrd.img\"");
            }
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

    fn warn_of_titles(&mut self) {
        let menu = &self.document.manifest.menu;
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
            self.warn_with(
                first,
                message,
                "shown as ?",
                "Latin letters, signs and frames are shown",
            );
        }
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
