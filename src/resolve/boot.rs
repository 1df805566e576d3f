//! `[boot]`: boot images, the ESP and the MBR's boot code, found among the tree's files or on the host.

use std::path::PathBuf;

use crate::facts::boot_images::hard_disk_length;
use crate::facts::menu_file::is_asked_for;
use crate::facts::{MenuFacts, MenuProgram};
use crate::formats::authenticode::Certificate;
use crate::formats::el_torito::{self, Emulation, Platform};
use crate::formats::mbr;
use crate::ground::read_at::ReadAt;
use crate::ground::read_at::nonzero_span;
use crate::manifest::error::Error;
use crate::manifest::{self, At, Bios, BootEntry, InfoTable, Reference, Uefi, image_path};
use crate::tree::source::Source;
use crate::tree::{Kind, Lost, NodeId, Patch, Patched, PayloadId};

use super::host::read_whole;
use super::{BootBytes, BootImage, Esp, Resolution, open_payload};

/// El Torito §2.2: the sector count has 16 bits, and counts 512 bytes.
const LARGEST_BIOS_IMAGE: u64 = 65_535 * 512;

/// What `[boot]` adds to the tree.
pub(super) struct Parts {
    pub(super) images: Vec<BootImage>,
    pub(super) esp: Option<Esp>,
    pub(super) boot_code: Option<[u8; 440]>,
    /// What the built-in loader shows under each firmware.
    pub(super) menu: Vec<MenuFacts>,
    pub(super) menu_programs: Vec<MenuProgram>,
    pub(super) owner: Option<Certificate>,
    pub(super) boot_code_patch: Option<Patch>,
}

/// The keys that `[boot.bios]` and `[[boot.entry]]` share.
struct Keys<'m> {
    image: &'m At<Reference>,
    emulation: Emulation,
    load_sectors: Option<u16>,
    load_segment: u16,
    patch: Option<Patch>,
}

impl Resolution<'_> {
    /// Reads all that `[boot]` names.
    pub(super) fn boot(&mut self) -> Result<Parts, Error> {
        let boot = &self.document.manifest.boot;
        let mut parts = Parts {
            images: Vec::new(),
            esp: None,
            boot_code: None,
            menu: Vec::new(),
            menu_programs: Vec::new(),
            owner: None,
            boot_code_patch: None,
        };
        let of_loader = match self.document.manifest.menu.is_empty() {
            true => Vec::new(),
            false => self.loader(&mut parts)?,
        };
        if let Some(bios) = &boot.bios {
            self.bios(bios.get_ref(), &mut parts)?;
        }
        let uefi = boot.uefi.as_ref().map(At::get_ref);
        if uefi.is_some() || !of_loader.is_empty() {
            parts.esp = self.esp(uefi.unwrap_or(&Uefi::default()), of_loader)?;
            if parts.esp.as_ref().is_some_and(|esp| is_asked_for(esp.loaders())) {
                parts.menu_programs = self.menu_programs()?;
            }
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

    fn bios(&mut self, bios: &Bios, parts: &mut Parts) -> Result<(), Error> {
        let patch = bios.info_table.as_ref().and_then(|table| patch(*table.get_ref()));
        if let Some(image) = &bios.image {
            let keys = Keys {
                image,
                emulation: emulation(bios.emulation.as_ref()),
                load_sectors: bios.load_sectors.as_ref().map(|count| *count.get_ref()),
                load_segment: bios.load_segment.as_ref().map_or(0, |segment| *segment.get_ref()),
                patch,
            };
            parts.images.extend(self.boot_image(&keys, Platform::Bios)?);
        }
        if let Some(code) = &bios.mbr
            && let Some(payload) = self.reference(code)?
        {
            let length = self.tree.payload(payload).length;
            // One byte more than boot code can have is enough to tell that it is none.
            let bytes = self.first_bytes(payload, length.min(513))?;
            match mbr::boot_code(&bytes).map_err(|error| match error {
                mbr::MbrError::CodeLength(_) => mbr::MbrError::CodeLength(length),
                other => other,
            }) {
                Ok(bytes) => {
                    parts.boot_code = Some(bytes);
                    parts.boot_code_patch = patch.filter(|_| bios.image.is_some());
                }
                Err(error) => self.error(code, error.to_string(), "this boot code"),
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &BootEntry) -> Result<Option<BootImage>, Error> {
        let keys = Keys {
            image: &entry.image,
            emulation: emulation(entry.emulation.as_ref()),
            load_sectors: entry.load_sectors.as_ref().map(|count| *count.get_ref()),
            load_segment: entry.load_segment.as_ref().map_or(0, |segment| *segment.get_ref()),
            patch: entry.info_table.as_ref().and_then(|table| patch(*table.get_ref())),
        };
        self.boot_image(&keys, Platform::from_code(*entry.platform.get_ref()))
    }

    /// A boot image by the rules of its platform and emulation; none when it was reported.
    fn boot_image(&mut self, keys: &Keys<'_>, platform: Platform) -> Result<Option<BootImage>, Error> {
        let Some(id) = self.reference(keys.image)? else {
            return Ok(None);
        };
        let length = self.tree.payload(id).length;
        if length == 0 {
            self.error(keys.image, "a boot image cannot be empty", "this file has no bytes");
            return Ok(None);
        }
        if let Some(exact) = keys.emulation.exact_length()
            && length != exact
        {
            let message = format!(
                "{} emulation wants an image of exactly {exact} bytes (El Torito §2.2)",
                keys.emulation
            );
            self.error(keys.image, message, &format!("this one has {length}"));
            return Ok(None);
        }
        let uefi = platform == Platform::Uefi;
        if !uefi && keys.emulation == Emulation::None && length > LARGEST_BIOS_IMAGE {
            let message = format!(
                "a boot image of {length} bytes is too large: its sector count has 16 bits, which \
                 is {LARGEST_BIOS_IMAGE} bytes at most (El Torito §2.2)"
            );
            self.error(keys.image, message, "this image");
            return Ok(None);
        }
        let (mut system_type, mut disk_length) = (0, None);
        if keys.emulation == Emulation::HardDisk {
            let sector = self.first_bytes(id, length.min(512))?;
            match el_torito::hard_disk_system_type(&sector) {
                Ok(kind) => {
                    system_type = kind;
                    disk_length = hard_disk_length(&sector);
                }
                Err(error) => {
                    self.error(keys.image, error.to_string(), "this image");
                    return Ok(None);
                }
            }
        }
        if let Some(patch) = keys.patch {
            let needed = if patch == Patch::Grub2 { 2556 } else { 64 };
            if !(needed..=LARGEST_BIOS_IMAGE).contains(&length) {
                let message = format!(
                    "a boot info table needs an image of {needed} to {LARGEST_BIOS_IMAGE} bytes, and this has {length}"
                );
                self.error(keys.image, message, "this image");
                return Ok(None);
            }
            let bytes = read_whole(self.tree.payload(id))?;
            if self
                .tree
                .payload(id)
                .patched
                .as_ref()
                .is_some_and(|other| other.patch != patch)
            {
                let message = "one boot image cannot hold the tables of two loaders";
                self.error(keys.image, message, "has another `info_table` already");
                return Ok(None);
            }
            self.tree.set_patched(id, Patched { patch, bytes });
        }
        let sectors = keys.load_sectors.unwrap_or(match uefi {
            true => el_torito::uefi_sectors(length),
            false => 4,
        });
        Ok(Some(BootImage {
            platform,
            emulation: keys.emulation,
            load_segment: keys.load_segment,
            system_type,
            sectors,
            disk_length,
            end: self.content_end(id)?,
            image: BootBytes::Payload(id),
        }))
    }

    /// The first `length` bytes of a payload that has so many.
    fn first_bytes(&self, id: PayloadId, length: u64) -> Result<Vec<u8>, Error> {
        let (bytes, path) = self.open(id)?;
        bytes.read_vec_at(0, length).map_err(|source| Error::Io {
            path,
            action: "reading",
            source,
        })
    }

    /// The byte behind the last of a payload that is not zero.
    fn content_end(&self, id: PayloadId) -> Result<u64, Error> {
        let payload = self.tree.payload(id);
        let (bytes, path) = self.open(id)?;
        let span = nonzero_span(bytes.as_ref(), 0, payload.length);
        let span = span.map_err(|source| Error::Io {
            path,
            action: "reading",
            source,
        })?;
        Ok(span.map_or(0, |(_, end)| end))
    }

    /// The bytes of a payload, and what an error about them names.
    pub(super) fn open(&self, id: PayloadId) -> Result<(Box<dyn ReadAt>, PathBuf), Error> {
        let payload = self.tree.payload(id);
        Ok(match &payload.source {
            Source::Bytes(bytes, _) => (Box::new(bytes.to_vec()), self.document.path.clone()),
            Source::File { path, offset, .. } => {
                let bytes = open_payload(path, *offset, payload.length)?;
                (Box::new(bytes), path.to_path_buf())
            }
        })
    }

    /// The payload of a host path or of `iso:/...`.
    pub(super) fn reference(&mut self, named: &At<Reference>) -> Result<Option<PayloadId>, Error> {
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

fn patch(table: InfoTable) -> Option<Patch> {
    match table {
        InfoTable::None => None,
        InfoTable::Isolinux => Some(Patch::Isolinux),
        InfoTable::Grub2 => Some(Patch::Grub2),
    }
}

fn emulation(emulation: Option<&At<manifest::Emulation>>) -> Emulation {
    match emulation.map(|emulation| *emulation.get_ref()).unwrap_or_default() {
        manifest::Emulation::None => Emulation::None,
        manifest::Emulation::Floppy12 => Emulation::Floppy12,
        manifest::Emulation::Floppy144 => Emulation::Floppy144,
        manifest::Emulation::Floppy288 => Emulation::Floppy288,
        manifest::Emulation::HardDisk => Emulation::HardDisk,
    }
}
