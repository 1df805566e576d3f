//! What starts an image: one place for each family of boot loaders. A family judges which entries of a menu it can start, and turns the menu
//! into its own files.
//!
//! | family | what it is |
//! |---|---|
//! | `builtin` | the loader of this project, embedded |
//! | `grub` | GRUB 2, of the host's packages or of `boot.assets` |
//! | `raw` | the manifest's own boot images and boot code: `[boot.bios]`, `[boot.uefi]`, `[[boot.entry]]` |
//!
//! `assets` finds the files of other people's loaders.

pub mod assets;
pub mod builtin;
mod grub;
mod loopback;
pub(super) mod raw;
mod template;

use super::Resolution;
use super::ResolveError;
use super::boot::Parts;
use super::menu::{Entry, Menu, Starts};
use crate::ground::text;
use crate::manifest::{At, Firmware, Loader, MenuEntry, Text};
use crate::tree::{Kind, PayloadId, ROOT};

/// A file for the ESP: the components of its path, and its bytes.
pub(super) type EspFile = (Vec<String>, PayloadId);

/// Removes from an entry the firmware under which the loader cannot start it, and warns why.
pub(super) fn judge(resolution: &mut Resolution<'_>, entry: &mut Entry<'_>) {
    resolution.what_kernels_take(entry);
    match resolution.document.manifest.loader() {
        Loader::Builtin | Loader::None => builtin::judge(resolution, entry),
        Loader::Grub => grub::judge(resolution, entry),
    }
}

/// Puts the loader into the tree. What is for the ESP comes back.
pub(super) fn install(
    resolution: &mut Resolution<'_>,
    menu: &Menu<'_>,
    parts: &mut Parts,
) -> Result<Vec<EspFile>, ResolveError> {
    let esp = match resolution.document.manifest.loader() {
        Loader::Builtin | Loader::None => builtin::install(resolution, menu, parts),
        Loader::Grub => grub::install(resolution, menu, parts)?,
    };
    loopback::install(resolution, menu);
    Ok(esp)
}

/// Warns of titles that the loader cannot show.
pub(super) fn warn_of_titles(resolution: &mut Resolution<'_>) {
    match resolution.document.manifest.loader() {
        Loader::Builtin | Loader::None => builtin::warn_of_titles(resolution),
        Loader::Grub => grub::warn_of_titles(resolution),
    }
}

/// Warns of what a command line says to another loader.
pub(super) fn warn_of_line(resolution: &mut Resolution<'_>, entry: &MenuEntry, line: &Text) {
    let names_initrd = line.get_ref().split(' ').any(|word| word.starts_with("initrd="));
    if names_initrd && entry.initrd.is_empty() {
        let message = format!(
            "`initrd=` in the command line loads nothing: {} takes the key `initrd`",
            resolution.document.manifest.loader().name()
        );
        resolution.warn_with(line, message, "read by no loader", "initrd = \"initrd.img\"");
    }
}

impl Resolution<'_> {
    /// Puts a file of the loader's own into the tree.
    fn place_own(&mut self, path: &[&str], payload: PayloadId) {
        let [directories @ .., name] = path else { return };
        let directories = directories.iter().map(|name| name.as_bytes());
        let parent = self.tree.directories(ROOT, directories, self.implied);
        let attributes = self.of_loader();
        let added = parent.and_then(|parent| {
            let kind = Kind::File(payload);
            self.tree.insert(parent, name.as_bytes(), kind, attributes, None)
        });
        if let Err(conflict) = added
            && let Some(first) = self.document.manifest.menu.first()
        {
            let taken = text::visible(&self.tree.path(conflict.node()));
            let message = format!("{taken} of [[files]] stands where the loader puts /{}", path.join("/"));
            self.error(first, message, "needs that place");
        }
    }

    /// Takes a firmware away from those that start an entry, and says why.
    pub(super) fn lacking<T>(&mut self, at: &At<T>, firmware: Firmware, reason: String, by: &mut Starts) {
        for (one, by) in Firmware::ALL.iter().zip(by.iter_mut()) {
            if *one == firmware && *by {
                *by = false;
                let message = format!("{reason}; the entry does not show under {}", firmware.word());
                self.warn(at, message, "too much");
                self.lacks.push((firmware, reason.clone()));
            }
        }
    }
}
