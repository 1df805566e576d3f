//! `[base.boot]`: another kernel in place of those that the base's menus start, and initrds behind their own.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::areas::Areas;
use super::kernel_args::{Entries, Texts, named as named_entries};
use super::original::Original;
use super::{Edits, Volumes};
use crate::look::menu::initrds::with_more;
use crate::look::menu::{Configuration, Entry, File, TREE};
use crate::manifest::{At, BaseBoot, Files};
use crate::resolve::host::read_whole;
use crate::resolve::menu::{is_initrd, kernel};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;
use crate::tree::base::{FatBecomes, FatEdit};

/// A longer name of a new initrd is not taken over from the host. Level 2 of ISO 9660 has 31 characters for a name.
const LONGEST: usize = 30;

impl Resolution<'_> {
    /// Adds files and edits, and changes the texts of configurations.
    pub(super) fn base_boot(
        &mut self,
        at: &At<BaseBoot>,
        entries: &Entries,
        original: &Original<'_>,
        volumes: &Volumes<'_>,
        edits: &mut Edits,
        texts: &mut Texts,
    ) -> Result<(), ResolveError> {
        let boot = at.get_ref();
        let meant = original.menu.entries.iter();
        let meant: Vec<&Entry> = meant.filter(|entry| entries.is_of_system(entry)).collect();
        if let Some(named) = &boot.kernel {
            let files: BTreeSet<&File> = meant.iter().filter_map(|entry| entry.kernel_file.as_ref()).collect();
            if files.is_empty() {
                self.error(
                    named,
                    "no entry of the base's menus starts a kernel that is there",
                    "replaces nothing",
                );
            } else if let Some(payload) = self.named_payload(named)? {
                self.warn_of_kernel(named, payload)?;
                for file in files {
                    self.becomes(file, payload, edits)?;
                }
            }
        }
        self.warn_of_unified(at, original, entries, "kernel and initrds stay as they are");
        let mut added = Vec::new();
        for named in &boot.initrd_append {
            if let Some(payload) = self.named_payload(named)? {
                self.warn_of_initrd(named, payload)?;
                added.push((named, payload));
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        let is_meant = |titles: &[String]| match titles {
            [] => entries.are_all(),
            titles => entries.is_meant(titles),
        };
        let areas = Areas::read(original.image, original.tree);
        let would_move = |configuration: &Configuration| {
            let file = &configuration.file;
            let (_, first) = with_more(configuration.loader, &configuration.text, &[], &is_meant);
            file.volume == TREE && first.is_some_and(|first| areas.is_behind(&file.path, first))
        };
        if original.menu.configurations.iter().any(would_move) {
            let added: Vec<PayloadId> = added.into_iter().map(|(_, payload)| payload).collect();
            return self.concatenate(at, original, entries, &added, edits);
        }
        // Beside the last initrd of each entry.
        let directories: BTreeSet<(usize, Vec<u8>)> = meant
            .iter()
            .filter_map(|entry| entry.initrd_files.last())
            .map(|file| (file.volume, directory(&file.path).to_vec()))
            .collect();
        if directories.is_empty() {
            self.error(
                at,
                "no entry of the base's menus loads an initrd that is there",
                "nothing to append to",
            );
            return Ok(());
        }
        let mut names: Vec<String> = Vec::new();
        for (named, payload) in added {
            let name = free_name(named.get_ref(), &names, |name| {
                directories.iter().any(|(volume, directory)| {
                    let path = [directory, name.as_bytes()].concat();
                    original.has_file(volumes, *volume, &path)
                })
            });
            for (volume, directory) in &directories {
                let path = [directory.as_slice(), name.as_bytes()].concat();
                self.add_beside(named, payload, *volume, path, edits)?;
            }
            names.push(name);
        }
        self.append_initrds(original, &is_meant, &names, edits, texts);
        self.warn_of_unchanged(at, original, entries, &names, texts);
        Ok(())
    }

    fn named_payload(&mut self, named: &At<String>) -> Result<Option<PayloadId>, ResolveError> {
        let path = self.host_path(named.get_ref());
        self.host.named(&mut self.tree, &path)
    }

    fn warn_of_kernel(&mut self, named: &At<String>, payload: PayloadId) -> Result<(), ResolveError> {
        let (bytes, _) = self.open(payload)?;
        let program = kernel::read(bytes.as_ref());
        if program.boot_protocol.is_none() && program.efi.is_empty() {
            let message = format!(
                "{:?} has the header of no kernel: neither BIOS nor UEFI start it",
                named.get_ref()
            );
            self.warn(named, message, "this kernel");
        }
        Ok(())
    }

    fn warn_of_initrd(&mut self, named: &At<String>, payload: PayloadId) -> Result<(), ResolveError> {
        let (bytes, _) = self.open(payload)?;
        if !is_initrd(bytes.as_ref()) {
            let message = format!("{:?} is no archive that Linux unpacks as an initrd", named.get_ref());
            self.warn(named, message, "this initrd");
        }
        Ok(())
    }

    /// Gives a file of the base the content of a payload.
    fn becomes(&mut self, file: &File, payload: PayloadId, edits: &mut Edits) -> Result<(), ResolveError> {
        if file.volume == TREE {
            edits.tree.push((file.path.clone(), payload));
            return Ok(());
        }
        let content = read_whole(self.tree.payload(payload))?;
        let edit = FatEdit {
            path: String::from_utf8_lossy(&file.path).into_owned(),
            becomes: FatBecomes::File(content),
            modified: self.timestamp,
        };
        edits.in_fat(file.volume, edit);
        Ok(())
    }

    /// A new file of a volume.
    fn add_beside(
        &mut self,
        named: &At<String>,
        payload: PayloadId,
        volume: usize,
        path: Vec<u8>,
        edits: &mut Edits,
    ) -> Result<(), ResolveError> {
        if volume != TREE {
            return self.becomes(&File { volume, path }, payload, edits);
        }
        let entry = Files {
            from: Some(named.clone()),
            to: named.map(|_| String::from_utf8_lossy(&path).into_owned()),
            ..Files::default()
        };
        self.add_files(self.document.manifest.files.len() as u32, &At::from(entry))
    }

    fn append_initrds(
        &self,
        original: &Original<'_>,
        is_meant: &dyn Fn(&[String]) -> bool,
        names: &[String],
        edits: &Edits,
        texts: &mut Texts,
    ) {
        let mut seen: HashSet<&File> = HashSet::new();
        for configuration in &original.menu.configurations {
            let file = &configuration.file;
            if !seen.insert(file) || self.is_replaced(file, edits) {
                continue;
            }
            let old = texts.get(file).map_or(&*configuration.text, Vec::as_slice);
            let (new, _) = with_more(configuration.loader, old, names, is_meant);
            if new != old {
                texts.insert(file.clone(), new);
            }
        }
    }

    /// Reads the changed menus again, and warns of entries that do not load the new initrds.
    fn warn_of_unchanged(
        &mut self,
        at: &At<BaseBoot>,
        original: &Original<'_>,
        entries: &Entries,
        names: &[String],
        texts: &Texts,
    ) {
        let menu = original.reader.read_with(texts);
        let loads = |entry: &Entry| {
            let mut loaded = entry
                .initrd
                .iter()
                .map(|path| path.rsplit('/').next().unwrap_or_default());
            names.iter().all(|name| loaded.any(|other| other == name))
        };
        let all = menu.entries.iter();
        let wrong = all.filter(|entry| entries.is_of_system(entry) && !loads(entry));
        if let Some(wrong) = named_entries(wrong) {
            let message =
                format!("{wrong} do not load what is appended: they have no initrd, or name it by a variable");
            self.warn(at, message, "not everywhere");
        }
    }
}

/// A path up to its last slash.
fn directory(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    &path[..end]
}

/// The name of a host file, or one like it that is free. Every loader's configuration takes it as it is.
fn free_name(path: &str, others: &[String], is_taken: impl Fn(&str) -> bool) -> String {
    let name = Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name = match !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_plain) {
        true => name,
        false => "appended.img",
    };
    let numbered = (2_u32..).map(|number| format!("{number}-{name}"));
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    let free = candidates.find(|name| !others.contains(name) && !is_taken(name));
    free.unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_initrd_gets_a_name_that_is_free() {
        let free = |path: &str, others: &[&str]| {
            let others: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
            free_name(path, &others, |name| name == "taken.img")
        };
        assert_eq!(free("a/overlay.cpio", &[]), "overlay.cpio");
        assert_eq!(free("overlay.cpio", &["overlay.cpio"]), "2-overlay.cpio");
        assert_eq!(free("taken.img", &["2-taken.img"]), "3-taken.img");
        assert_eq!(free("with a blank.img", &[]), "appended.img");
        assert_eq!(free("..", &[]), "appended.img");
    }
}
