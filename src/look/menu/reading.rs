//! What all readers of configurations share: where they read, what they found, and how much a hostile image may ask of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::facts::Common;
use crate::facts::cell::Firmware;
use crate::formats::el_torito::Platform;
use crate::ground::limits::Notes;

use super::volumes::{File, Volumes};
use super::{Configuration, Entry, Loader, Menu};

/// How many entries are listed. The largest rescue systems have some hundred.
const ENTRIES: usize = 2_000;
/// How many commands and lines are looked at, by all configurations together. Those of a distribution have some hundred.
const STEPS: usize = 200_000;
/// How many bytes the variables of all configurations may become.
const EXPANDED: usize = 64 << 20;
/// How deep configurations may lead to one another.
pub(super) const DEPTH: usize = 16;

/// A reading of all configurations of an image.
pub(super) struct Reading<'i> {
    pub(super) volumes: Volumes<'i>,
    /// A BIOS starts something of the image.
    pub(super) has_bios: bool,
    entries: Vec<Entry>,
    configurations: Vec<Configuration>,
    notes: Notes,
    unread: Notes,
    noted: BTreeSet<String>,
    reached: BTreeSet<(&'static str, File)>,
    steps: usize,
    expanded: usize,
    /// The configurations that are being read. Each one leads to the next.
    open: Vec<File>,
}

impl<'i> Reading<'i> {
    pub(super) fn of(volumes: Volumes<'i>, has_bios: bool) -> Self {
        Self {
            volumes,
            has_bios,
            entries: Vec::new(),
            configurations: Vec::new(),
            notes: Notes::default(),
            unread: Notes::default(),
            noted: BTreeSet::new(),
            reached: BTreeSet::new(),
            steps: 0,
            expanded: 0,
            open: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Menu {
        Menu {
            entries: self.entries,
            configurations: self.configurations,
            notes: self.notes.finish(),
            unread: self.unread.finish(),
            label: self.volumes.label().to_owned(),
        }
    }

    /// Says something of a configuration, once.
    pub(super) fn note(&mut self, file: &File, what: &str) {
        self.say(file, what, false);
    }

    /// Says why a configuration, or its end, is not read.
    pub(super) fn note_unread(&mut self, file: &File, why: &str) {
        self.say(file, why, true);
    }

    fn say(&mut self, file: &File, what: &str, is_unread: bool) {
        let note = format!("{}: {what}", self.volumes.place(file));
        if self.noted.len() < ENTRIES && self.noted.insert(note.clone()) {
            if is_unread {
                self.unread.add(note.clone());
            }
            self.notes.add(note);
        }
    }

    /// Counts a step; false if there were too many.
    pub(super) fn step(&mut self, file: &File) -> bool {
        self.steps += 1;
        let goes_on = self.steps <= STEPS && self.expanded <= EXPANDED;
        if !goes_on {
            self.note_unread(file, "is not read to its end: the image's configurations never end");
        }
        goes_on
    }

    /// Counts what variables became.
    pub(super) fn expand(&mut self, bytes: usize) {
        self.expanded = self.expanded.saturating_add(bytes);
    }

    /// Whether a loader under this firmware has come to the file.
    pub(super) fn has_reached(&self, firmware: Firmware, file: &File) -> bool {
        self.reached.contains(&(firmware.name(), file.clone()))
    }

    /// Begins to read a configuration. It is left with [`Self::close`]. None if it cannot be read, or leads to itself.
    pub(super) fn open(&mut self, file: &File, loader: Loader, firmware: Firmware) -> Option<Arc<[u8]>> {
        if !self.step(file) {
            return None;
        }
        if self.open.contains(file) || self.open.len() >= DEPTH {
            match self.open.contains(file) {
                true => self.note(file, "leads to itself"),
                false => self.note_unread(file, "is not read: 16 configurations lead to it, one to the next"),
            }
            return None;
        }
        let text = match self.volumes.text(file) {
            Ok(text) => text,
            Err(why) => {
                self.note_unread(file, &why);
                return None;
            }
        };
        // A file that is led to a thousand times is as much work as a thousand files.
        self.expand(text.len());
        self.reached.insert((firmware.name(), file.clone()));
        let text: Arc<[u8]> = text.into();
        let is_known = |known: &Configuration| known.file == *file && known.loader == loader;
        if !self.configurations.iter().any(is_known) {
            self.configurations.push(Configuration {
                config: self.volumes.place(file),
                loader,
                file: file.clone(),
                text: Arc::clone(&text),
            });
        }
        self.open.push(file.clone());
        Some(text)
    }

    /// Leaves the configuration that was begun last.
    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// Whether a loader under this firmware has a menu.
    pub(super) fn has_listed(&self, firmware: Firmware) -> bool {
        self.entries.iter().any(|entry| entry.firmware == firmware)
    }

    /// How many entries there are.
    pub(super) fn listed(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry. Two ways to one entry show it once.
    pub(super) fn add(&mut self, entry: Entry) {
        if self.entries.len() < ENTRIES {
            if !self.entries.contains(&entry) {
                self.entries.push(entry);
            }
        } else if self.noted.insert("entries".into()) {
            self.notes.add(format!("of the entries the first {ENTRIES} are listed"));
        }
    }
}

/// Whether a BIOS starts something of the image.
pub(super) fn has_bios(structures: &Common) -> bool {
    let mut entries = structures.el_torito.iter();
    entries.any(|entry| entry.platform == Platform::Bios && entry.bootable)
        || structures.mbr.as_ref().is_some_and(|mbr| mbr.boot_code)
}
