//! What starts an image: one place for each family of boot loaders. A family judges which entries of a menu it can start, and turns the menu
//! into its own files.
//!
//! | family | what it is |
//! |---|---|
//! | `builtin` | the loader of this project, embedded |
//! | `grub` | GRUB 2, of the host's packages or of `boot.assets` |
//! | `isolinux` | ISOLINUX for BIOS, likewise |
//! | `systemd_boot` | systemd-boot for UEFI, likewise |
//! | `uki` | unified kernel images, which need no loader |
//! | `raw` | the manifest's own boot images and boot code: `[boot.bios]`, `[boot.uefi]`, `[[boot.entry]]` |
//!
//! `assets` finds the files of other people's loaders.

pub mod assets;
pub mod builtin;
mod grub;
mod isolinux;
mod loopback;
pub(super) mod raw;
mod systemd_boot;
mod template;
#[cfg(test)]
mod tests;
pub(super) mod uki;

use super::Resolution;
use super::ResolveError;
use super::boot::Parts;
use super::menu::{Entry, Menu, Starts, processor};
use std::sync::Arc;

use crate::formats::el_torito::{Emulation, Platform};
use crate::formats::pe::Machine;
use crate::ground::text;
use crate::manifest::{At, Firmware, Loader, MenuEntry, Text};
use crate::tree::contents::{BootBytes, BootImage};
use crate::tree::{Kind, Patch, Patched, PayloadId, ROOT};

/// A file for the ESP: the components of its path, and its bytes.
pub(super) type EspFile = (Vec<String>, PayloadId);

/// The directory of programs that firmware starts by default (UEFI 2.10 §3.5.1.1).
const DIRECTORY: [&str; 2] = ["EFI", "BOOT"];

/// The name of the program that firmware starts by default.
fn default_name(machine: Machine) -> String {
    format!("BOOT{}.EFI", machine.to_string().to_ascii_uppercase())
}

/// A family of loaders, which shows the menu under one kind of firmware or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Builtin,
    Grub,
    Isolinux,
    SystemdBoot,
}

impl Family {
    const ALL: [Self; 4] = [Self::Builtin, Self::Grub, Self::Isolinux, Self::SystemdBoot];
}

/// Who shows the menu under a firmware. `None` if the loader is not for it.
fn family(loader: Loader, firmware: Firmware) -> Option<Family> {
    match (loader, firmware) {
        (Loader::Builtin | Loader::None, _) => Some(Family::Builtin),
        (Loader::Isolinux | Loader::IsolinuxGrub, Firmware::Bios) => Some(Family::Isolinux),
        (Loader::Isolinux, _) | (Loader::SystemdBoot, Firmware::Bios) => None,
        (Loader::SystemdBoot, _) => Some(Family::SystemdBoot),
        (Loader::Grub | Loader::IsolinuxGrub, _) => Some(Family::Grub),
    }
}

/// The kinds of firmware that a loader is for.
pub(super) fn served(loader: Loader) -> Starts {
    Firmware::ALL.map(|firmware| family(loader, firmware).is_some())
}

/// Whether a BIOS is among them.
fn of_bios(starts: Starts) -> bool {
    let mut all = Firmware::ALL.into_iter().zip(starts);
    all.any(|each| each == (Firmware::Bios, true))
}

/// The processors of the kinds of firmware that have EFI programs.
fn machines(starts: Starts) -> Vec<Machine> {
    let firmware = Firmware::ALL.into_iter().zip(starts).filter(|(_, starts)| *starts);
    firmware.filter_map(|(firmware, _)| processor(firmware)).collect()
}

/// Those of `starts` under which a family shows the menu.
fn of_family(loader: Loader, shows: Family, starts: Starts) -> Starts {
    let mut all = starts;
    for (starts, firmware) in all.iter_mut().zip(Firmware::ALL) {
        *starts &= family(loader, firmware) == Some(shows);
    }
    all
}

/// Removes from an entry the firmware under which the loader cannot start it, and warns why.
pub(super) fn judge(resolution: &mut Resolution<'_>, entry: &mut Entry<'_>) {
    let loader = resolution.document.manifest.loader();
    if let Some(by) = &mut entry.by {
        let served = served(loader);
        by.iter_mut().zip(served).for_each(|(by, served)| *by &= served);
    }
    resolution.what_kernels_take(entry);
    for shows in Family::ALL {
        let starts = of_family(loader, shows, entry.by.unwrap_or([true; Firmware::ALL.len()]));
        if !starts.contains(&true) {
            continue;
        }
        match shows {
            Family::Builtin => builtin::judge(resolution, entry),
            Family::Grub => grub::judge(resolution, entry, starts),
            Family::Isolinux => isolinux::judge(resolution, entry),
            Family::SystemdBoot => systemd_boot::judge(resolution, entry),
        }
    }
}

/// Puts the loaders into the tree. What is for the ESP comes back.
pub(super) fn install(
    resolution: &mut Resolution<'_>,
    menu: &Menu<'_>,
    parts: &mut Parts,
) -> Result<Vec<EspFile>, ResolveError> {
    let manifest = &resolution.document.manifest;
    let loader = manifest.loader();
    let mut esp = Vec::new();
    for shows in Family::ALL {
        let starts = of_family(loader, shows, menu.firmware);
        if !starts.contains(&true) {
            continue;
        }
        // All but the default are named by the manifest.
        match (shows, &manifest.boot.loader) {
            (Family::Grub, Some(at)) => esp.extend(grub::install(resolution, at, menu, starts, parts)?),
            (Family::Isolinux, Some(at)) => isolinux::install(resolution, at, menu, parts)?,
            (Family::SystemdBoot, Some(at)) => esp.extend(systemd_boot::install(resolution, at, menu, starts)?),
            (Family::Builtin, _) | (_, None) => esp.extend(builtin::install(resolution, menu, parts)),
        }
    }
    loopback::install(resolution, menu);
    Ok(esp)
}

/// Warns of titles that the loader cannot show.
pub(super) fn warn_of_titles(resolution: &mut Resolution<'_>) {
    match resolution.document.manifest.loader() {
        Loader::Builtin | Loader::None => builtin::warn_of_titles(resolution),
        Loader::Grub | Loader::Isolinux | Loader::IsolinuxGrub => resolution.warn_of_letters(),
        // The firmware's own font has what it has.
        Loader::SystemdBoot => {}
    }
}

/// Warns of what a command line says to another loader.
pub(super) fn warn_of_line(resolution: &mut Resolution<'_>, entry: &MenuEntry, line: &Text) {
    let loader = resolution.document.manifest.loader();
    let names_initrd = line.get_ref().split(' ').any(|word| word.starts_with("initrd="));
    // ISOLINUX reads the word, and refuses it for that.
    let is_read = matches!(loader, Loader::Isolinux | Loader::IsolinuxGrub);
    if names_initrd && entry.initrd.is_empty() && !is_read {
        let message = format!(
            "`initrd=` in the command line loads nothing: {} takes the key `initrd`",
            loader.name()
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

    /// Puts the boot image for a BIOS into the tree and into the boot catalog, to be loaded as it is, with addresses filled in.
    fn add_bios_image(
        &mut self,
        path: &[&str],
        (image, bytes): (PayloadId, Arc<[u8]>),
        patch: Patch,
        parts: &mut Parts,
    ) {
        let end = bytes.len() as u64;
        self.host.patched(&mut self.tree, image, Patched { patch, bytes });
        self.place_own(path, image);
        parts.boot_code_patch = Some(patch);
        parts.images.push(BootImage {
            platform: Platform::Bios,
            emulation: Emulation::None,
            load_segment: 0,
            system_type: 0,
            sectors: 4,
            disk_length: None,
            end,
            image: BootBytes::Payload(image),
        });
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

    /// Warns of titles that other people's loaders cannot show on a text screen. With a theme of GRUB's its fonts decide.
    fn warn_of_letters(&mut self) {
        let manifest = &self.document.manifest;
        let has_theme = manifest.boot.theme.is_some();
        let titles = manifest.menu.iter().filter_map(|entry| entry.get_ref().title.as_ref());
        let hidden: Vec<_> = titles
            .filter(|title| !title.get_ref().is_ascii() && !has_theme)
            .collect();
        if let Some(first) = hidden.first() {
            let name = manifest.loader().name();
            let message = match hidden.len() {
                1 => format!("the title has characters that {name} shows wrongly on a text screen"),
                count => format!("{count} titles have characters that {name} shows wrongly on a text screen"),
            };
            let help = "the built-in loader shows Latin letters, and GRUB with a theme (`boot.theme.file`) what its fonts have";
            self.warn_with(first, message, "not ASCII", help);
        }
    }
}
