//! ISOLINUX: its boot image, the modules that the menu needs, and the menu in its language. It starts a BIOS alone.

mod config;
mod limits;

use std::collections::BTreeSet;

use crate::formats::{c32, mbr};
use crate::manifest::{At, Loader};
use crate::resolve::boot::Parts;
use crate::resolve::menu::{Menu, Start};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::Patch;
use crate::tree::source::Giver;

use super::assets::{Found, ISOHDPFX, ISOLINUX, SYSLINUX_MODULES};

pub(super) use limits::judge;
#[cfg(test)]
pub(super) use {config::render, limits::refuses};

/// Where it looks for its configuration and its modules.
const DIRECTORY: &str = "isolinux";

/// The longest time to wait in seconds: TIMEOUT has tenths up to 35996.
const LONGEST_TIMEOUT: i64 = 3599;

/// Puts ISOLINUX into the tree, and its boot image and boot code into the parts.
pub(super) fn install(
    resolution: &mut Resolution<'_>,
    at: &At<Loader>,
    menu: &Menu<'_>,
    parts: &mut Parts,
) -> Result<(), ResolveError> {
    let document = resolution.document;
    let boot = &document.manifest.boot;
    if let Some(timeout) = boot.timeout.as_ref().filter(|_| menu.timeout > LONGEST_TIMEOUT) {
        let message = format!("ISOLINUX waits {LONGEST_TIMEOUT} seconds at most, or for ever (-1)");
        resolution.error(timeout, message, "too long");
    }
    let text = config::render(menu);
    let payload = resolution
        .host
        .inline(&mut resolution.tree, &text, Giver::MadeFor("ISOLINUX"));
    resolution.place_own(&[DIRECTORY, "isolinux.cfg"], payload);
    let found = (
        resolution.asset(at, &ISOLINUX),
        resolution.asset(at, &ISOHDPFX),
        resolution.asset(at, &SYSLINUX_MODULES),
    );
    let (Some(image), Some(code), Some(modules)) = found else {
        return Ok(());
    };
    resolution.isolinux_modules(at, &modules, wanted(menu))?;
    resolution.isolinux_image(at, &image, &code, parts)
}

/// The modules that a menu needs by itself.
fn wanted(menu: &Menu<'_>) -> BTreeSet<String> {
    let actions = config::shown(menu).filter_map(|(_, entry)| match &entry.start {
        Start::Action(action) => config::module(*action),
        _ => None,
    });
    // Always loaded first.
    let first = ["ldlinux.c32"].into_iter().chain(config::interface(menu));
    first.chain(actions).map(str::to_owned).collect()
}

impl Resolution<'_> {
    /// These modules and those that they need.
    fn isolinux_modules(
        &mut self,
        at: &At<Loader>,
        directory: &Found,
        wanted: BTreeSet<String>,
    ) -> Result<(), ResolveError> {
        let (mut waiting, mut done) = (wanted, BTreeSet::new());
        while let Some(name) = waiting.pop_first() {
            let Some(part) = self.part(at, &directory.beside(&name))? else {
                return Ok(());
            };
            let Some(needed) = c32::needed(&part.bytes) else {
                self.error(
                    at,
                    format!("{name} is not a module of SYSLINUX 5 or later"),
                    "this loader",
                );
                return Ok(());
            };
            let payload = self.part_payload(&part)?;
            self.place_own(&[DIRECTORY, &name], payload);
            done.insert(name);
            waiting.extend(needed.into_iter().filter(|needed| !done.contains(needed)));
        }
        Ok(())
    }

    /// The boot image and the boot code of a stick.
    fn isolinux_image(
        &mut self,
        at: &At<Loader>,
        image: &Found,
        code: &Found,
        parts: &mut Parts,
    ) -> Result<(), ResolveError> {
        let (Some(image), Some(code)) = (self.part(at, image)?, self.part(at, code)?) else {
            return Ok(());
        };
        match mbr::boot_code(&code.bytes) {
            Ok(code) => parts.boot_code = Some(code),
            Err(error) => self.error(at, format!("isohdpfx.bin: {error}"), "this loader"),
        }
        let payload = self.part_payload(&image)?;
        let path = [DIRECTORY, "isolinux.bin"];
        self.add_bios_image(&path, (payload, image.bytes), Patch::Isolinux, parts);
        Ok(())
    }
}
