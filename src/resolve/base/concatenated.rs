//! Initrds behind the base's own in one file, for menus whose texts may not change.
//!
//! Linux unpacks one archive after the other; between them there may be zeros, and an archive that is not compressed begins at a multiple of 4
//! (its documentation, `driver-api/early-userspace/buffer-format`).

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::kernel_args::{Entries, named as named_entries};
use super::original::Original;
use super::{Edits, ignition};
use crate::ground::read_at::Reader;
use crate::ground::spool::Spool;
use crate::ground::text;
use crate::look::menu::{Entry, File, TREE};
use crate::manifest::{At, BaseBoot};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;

/// Where an archive begins.
const ALIGNMENT: u64 = 4;

impl Resolution<'_> {
    /// Puts the `added` ones behind the last initrd of each entry, in its file. The area for Ignition stays the last of its file.
    pub(super) fn concatenate(
        &mut self,
        at: &At<BaseBoot>,
        original: &Original<'_>,
        entries: &Entries,
        added: &[PayloadId],
        edits: &mut Edits,
    ) -> Result<(), ResolveError> {
        let area = ignition::path(original.image, original.tree);
        let own = |entry: &'_ Entry| {
            let mut files = entry.initrd_files.iter().rev();
            files.find(|file| Some(&file.path) != area.as_ref()).cloned()
        };
        let (meant, others): (Vec<&Entry>, Vec<&Entry>) = original
            .menu
            .entries
            .iter()
            .partition(|entry| entries.is_of_system(entry));
        let files: BTreeSet<File> = meant.iter().filter_map(|entry| own(entry)).collect();
        let without = meant.iter().filter(|entry| own(entry).is_none()).copied();
        if let Some(without) = named_entries(without) {
            self.warn(
                at,
                format!("{without} do not load what is appended: they have no initrd"),
                "not everywhere",
            );
        }
        let too = others
            .iter()
            .filter(|entry| entry.initrd_files.iter().any(|file| files.contains(file)));
        if let Some(too) = named_entries(too.copied()) {
            let message = format!("{too} load the same initrd, and with it what is appended");
            self.warn(at, message, "for more entries");
        }
        if files.is_empty() {
            self.error(
                at,
                "no entry of the base's menus loads an initrd that is there",
                "nothing to append to",
            );
        }
        for file in files {
            match file.volume {
                _ if self.is_replaced(&file, edits) => {
                    let message = format!("the initrd {} is replaced by [[files]]", text::visible(&file.path));
                    self.error_with(at, message, "would be lost", "append it to that file");
                }
                TREE => {
                    let payload = self.with_more(original, &file, added)?;
                    edits.tree.push((file.path, payload));
                }
                _ => {
                    let path = text::visible(&file.path);
                    let message = format!(
                        "the initrd {path} is in a FAT volume, and /coreos/kargs.json leaves no room to name another"
                    );
                    self.error(at, message, "would move the arguments");
                }
            }
        }
        Ok(())
    }

    /// A file of the tree with the content of payloads behind its own.
    fn with_more(
        &mut self,
        original: &Original<'_>,
        file: &File,
        added: &[PayloadId],
    ) -> Result<PayloadId, ResolveError> {
        let base = self.document.manifest.base.as_ref();
        let base = base.map_or_else(PathBuf::new, |base| self.host_path(base.get_ref().image.get_ref()));
        let held = |error| ResolveError::spool(&base, error);
        let unusable = |why: &str| ResolveError::input(&base, format!("{}: {why}", text::visible(&file.path)));
        let item = original.tree.get(&file.path).ok_or_else(|| unusable("is missing"))?;
        // No limit: it becomes as long as its parts are.
        let spool = Spool::new(u64::MAX);
        let copied = item.copy(original.image, &mut |bytes| spool.push(bytes).map_err(io::Error::other));
        copied.map_err(|error| unusable(&error.to_string()))?;
        for &payload in added {
            let padding = spool.end().next_multiple_of(ALIGNMENT) - spool.end();
            spool.push(&vec![0; padding as usize]).map_err(held)?;
            let (bytes, path) = self.open(payload)?;
            let taken = spool.append(&mut Reader::new(bytes.as_ref()));
            taken.map_err(|error| ResolveError::spool(&path, error))?;
        }
        self.spooled(spool, None)?.ok_or_else(|| unusable("is empty"))
    }
}
