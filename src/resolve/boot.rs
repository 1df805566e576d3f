//! `[boot]`: boot images, the ESP and the MBR's boot code, found among the tree's files or on the host.

use std::path::PathBuf;

use crate::facts::MenuFacts;
use crate::formats::authenticode::Certificate;
use crate::formats::el_torito::{Emulation, Platform};
use crate::ground::read_at::ReadAt;
use crate::manifest::{At, Reference, Uefi, image_path};
use crate::resolve::ResolveError;
use crate::tree::source::Source;
use crate::tree::{Kind, Lost, NodeId, Patch, PayloadId};

use super::{BootBytes, BootImage, Esp, Resolution, loader, open_payload};

/// What `[boot]` adds to the tree.
pub(super) struct Parts {
    pub(super) images: Vec<BootImage>,
    pub(super) esp: Option<Esp>,
    pub(super) boot_code: Option<[u8; 440]>,
    /// What the built-in loader shows under each firmware.
    pub(super) menu: Vec<MenuFacts>,
    pub(super) owner: Option<Certificate>,
    pub(super) boot_code_patch: Option<Patch>,
}

impl Resolution<'_> {
    /// Reads all that `[boot]` names.
    pub(super) fn boot(&mut self) -> Result<Parts, ResolveError> {
        let boot = &self.document.manifest.boot;
        self.open_assets()?;
        let mut parts = Parts {
            images: Vec::new(),
            esp: None,
            boot_code: None,
            menu: Vec::new(),
            owner: None,
            boot_code_patch: None,
        };
        let of_loader = match self.document.manifest.menu.is_empty() {
            true => Vec::new(),
            false => {
                let menu = self.menu()?;
                parts.menu = self.entries_by_firmware(&menu);
                loader::install(self, &menu, &mut parts)?
            }
        };
        let uki = self.uki(&of_loader)?;
        let of_loader: Vec<_> = of_loader.into_iter().chain(uki).collect();
        parts.owner = self.signing().and_then(|signing| signing.certificate.clone());
        if let Some(bios) = &boot.bios {
            self.bios(bios.get_ref(), &mut parts)?;
        }
        let uefi = boot.uefi.as_ref().map(At::get_ref);
        if uefi.is_some() || !of_loader.is_empty() {
            parts.esp = self.esp(uefi.unwrap_or(&Uefi::default()), of_loader)?;
            if parts.esp.is_some() {
                parts.images.push(BootImage {
                    platform: Platform::Uefi,
                    emulation: Emulation::None,
                    load_segment: 0,
                    system_type: 0,
                    sectors: 0,
                    disk_length: None,
                    end: 0,
                    image: BootBytes::Esp,
                });
            }
        }
        for entry in &boot.entry {
            parts.images.extend(self.entry(entry.get_ref())?);
        }
        Ok(parts)
    }

    /// The bytes of a payload, and what an error about them names.
    pub(super) fn open(&self, id: PayloadId) -> Result<(Box<dyn ReadAt>, PathBuf), ResolveError> {
        let payload = self.tree.payload(id);
        Ok(match &payload.source {
            Source::Bytes(bytes, _) => (Box::new(bytes.to_vec()), self.document.path.clone()),
            Source::Given(bytes) => (Box::new(bytes.clone()), self.document.path.clone()),
            Source::File { path, offset, .. } => {
                let bytes = open_payload(path, *offset, payload.length)?;
                (Box::new(bytes), path.to_path_buf())
            }
        })
    }

    /// The payload of a host path, of a part of an image, or of `iso:/...`.
    pub(super) fn reference(&mut self, named: &At<Reference>) -> Result<Option<PayloadId>, ResolveError> {
        let path = match named.get_ref() {
            Reference::Host(path) => path,
            Reference::Image(path) => {
                let node = self.image_file(named, path);
                return Ok(node.and_then(|node| match self.tree.node(node).kind {
                    Kind::File(payload) => Some(payload),
                    _ => None,
                }));
            }
        };
        if let Some(&part) = self.parts.get(path) {
            return Ok(Some(part));
        }
        let host = self.host_path(path);
        match host.metadata() {
            Ok(data) if data.is_file() => self.host.named(&mut self.tree, &host),
            Ok(_) => {
                self.error(named, format!("{path:?} is not a regular file"), "");
                Ok(None)
            }
            Err(error) => {
                self.missing(&named.map(|_| path.clone()), &error);
                Ok(None)
            }
        }
    }

    /// The file of the image with this path, symbolic links followed.
    pub(super) fn image_file(&mut self, text: &At<Reference>, path: &str) -> Option<NodeId> {
        let image = image_path(path).ok()?;
        let named: Vec<&[u8]> = image.components.iter().map(|name| name.as_bytes()).collect();
        match self.tree.follow(&named) {
            Ok(node) if matches!(self.tree.node(node).kind, Kind::File(_)) => return Some(node),
            Ok(_) => self.error(text, format!("{path} is not a file of the image"), "not a file"),
            Err(Lost::Missing) => {
                let message = format!("{path} is not in the image: no [[files]] entry puts it there");
                self.error(text, message, "not in the image");
            }
            Err(Lost::Link(node)) => {
                let link = crate::ground::text::visible(&self.tree.path(node));
                let message = format!("{path} is not in the image: the link {link} leads nowhere in it");
                self.error(text, message, "leads nowhere");
            }
        }
        None
    }
}
