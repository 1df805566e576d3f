//! The loader goes into an image: its own images, its menu file, and its programs for the ESP.

use super::MenuFile;
use crate::facts::menu_file;
use crate::manifest::Firmware;
use crate::resolve::Resolution;
use crate::resolve::boot::Parts;
use crate::resolve::menu::{Menu, processor};
use crate::tree::source::Giver;
use crate::tree::{Patch, PayloadId};

/// Puts the menu file and the loader's images into the tree. What is for the ESP comes back: path and payload.
pub(in crate::resolve) fn install(
    resolution: &mut Resolution<'_>,
    menu: &Menu<'_>,
    parts: &mut Parts,
) -> Vec<(Vec<String>, PayloadId)> {
    resolution.menu_file(menu);
    if menu.is_for(Firmware::Bios) {
        resolution.bios_loader(parts);
    }
    resolution.efi_loaders(menu)
}

impl Resolution<'_> {
    fn efi_loaders(&mut self, menu: &Menu<'_>) -> Vec<(Vec<String>, PayloadId)> {
        let mut esp = Vec::new();
        let signing = self.signing();
        for firmware in Firmware::ALL.into_iter().filter(|&firmware| menu.is_for(firmware)) {
            let program = super::EFI.into_iter().find(|each| Some(each.0) == processor(firmware));
            if let Some((_, name, program)) = program {
                let [efi, boot, _] = super::ID_PATH;
                let payload = match &signing {
                    Some(signing) => {
                        let signed = self.signed(signing, program);
                        self.host.inline(&mut self.tree, &signed, Giver::Loader)
                    }
                    None => self.host.inline(&mut self.tree, program, Giver::Loader),
                };
                esp.push(([efi, boot, name].map(str::to_owned).to_vec(), payload));
            }
        }
        if !esp.is_empty() {
            let id = self.host.inline(&mut self.tree, super::NO_ID, Giver::Loader);
            self.tree.set_image_id(id, 0);
            esp.push((super::ID_PATH.map(str::to_owned).to_vec(), id));
        }
        esp
    }

    fn menu_file(&mut self, menu: &Menu<'_>) {
        let Some(first) = self.document.manifest.menu.first() else {
            return;
        };
        let (bytes, id) = super::render(&MenuFile::of(menu));
        if bytes.len() > menu_file::LARGEST {
            let message = format!(
                "the menu file would have {} bytes; the loader reads {} at most",
                bytes.len(),
                menu_file::LARGEST
            );
            self.error(first, message, "the first of its entries");
        }
        let payload = self.host.inline(&mut self.tree, &bytes, Giver::Loader);
        self.tree.set_image_id(payload, id.start);
        self.place_own(&menu_file::PATH, payload);
    }

    fn bios_loader(&mut self, parts: &mut Parts) {
        let image = self.host.inline(&mut self.tree, super::BIOS_IMAGE, Giver::Loader);
        self.tree.set_image_id(image, super::ID_IN_BIOS_IMAGE);
        self.add_bios_image(
            &super::BIOS_PATH,
            (image, super::BIOS_IMAGE.into()),
            Patch::Isolinux,
            parts,
        );
        let mut code = [0; 440];
        code[..super::BOOT_CODE.len()].copy_from_slice(super::BOOT_CODE);
        parts.boot_code = Some(code);
    }
}
