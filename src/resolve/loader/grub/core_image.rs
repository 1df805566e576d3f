//! GRUB for BIOS: the El Torito image, which a stick's boot code starts too.

use super::super::assets::GRUB_PC;
use crate::formats::grub::{Embedded, bios};
use crate::formats::mbr;
use crate::manifest::{At, Loader};
use crate::resolve::boot::Parts;
use crate::resolve::{Resolution, ResolveError};
use crate::tree::Patch;

/// Where grub-mkrescue puts it too, so that other tools know it.
const PATH: [&str; 4] = ["boot", "grub", "i386-pc", "eltorito.img"];

/// GRUB finds its menu there, on the medium that it was loaded from.
const PREFIX: &str = "/boot/grub";

impl Resolution<'_> {
    /// Adds the boot image and the boot code.
    pub(super) fn grub_for_bios(&mut self, at: &At<Loader>, parts: &mut Parts) -> Result<(), ResolveError> {
        let Some(kernel) = self.asset(at, &GRUB_PC) else {
            return Ok(());
        };
        let mut read = Vec::new();
        for name in [
            "cdboot.img",
            "diskboot.img",
            "lzma_decompress.img",
            "kernel.img",
            "boot_hybrid.img",
        ] {
            let Some(part) = self.part(at, &kernel.beside(name))? else {
                return Ok(());
            };
            read.push(part.bytes);
        }
        let Some(modules) = self.grub_modules(at, &kernel)? else {
            return Ok(());
        };
        let [cdboot, diskboot, decompressor, kernel, hybrid] = &read[..] else {
            return Ok(());
        };
        let images = bios::Images {
            cdboot,
            diskboot,
            decompressor,
            kernel,
        };
        let embedded = Embedded {
            modules: &modules,
            config: None,
            prefix: PREFIX,
        };
        let core = match bios::el_torito(&images, &embedded) {
            Ok(core) => core,
            Err(error) => {
                self.grub_error(at, &error);
                return Ok(());
            }
        };
        match mbr::boot_code(hybrid) {
            Ok(code) => parts.boot_code = Some(code),
            Err(error) => self.error(at, format!("GRUB: boot_hybrid.img: {error}"), "this loader"),
        }
        let image = self.made(&core);
        self.add_bios_image(&PATH, (image, core.into()), Patch::Grub2, parts);
        Ok(())
    }
}
