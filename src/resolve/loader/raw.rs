//! Boot images and boot code that the manifest names: `[boot.bios]`, `[[boot.entry]]`, and a ready ESP (`boot.uefi.image`). They go in as
//! they are, but for addresses that a loader wants in its own image.

use crate::facts::boot_images::hard_disk_length;
use crate::facts::extents::{settle, with_unclaimed};
use crate::facts::fat::fat_extents;
use crate::facts::loaders::loaders_in;
use crate::formats::el_torito::{self, Emulation, Platform};
use crate::formats::fat;
use crate::formats::mbr;
use crate::ground::read_at::{ReadAt, nonzero_span};
use crate::manifest::{self, At, Bios, BootEntry, InfoTable, Reference};
use crate::resolve::Resolution;
use crate::resolve::ResolveError;
use crate::resolve::boot::Parts;
use crate::resolve::host::read_whole;
use crate::tree::contents::{BootBytes, BootImage, Esp};
use crate::tree::{Patch, Patched, PayloadId};

/// El Torito §2.2: the sector count has 16 bits, and counts 512 bytes.
const LARGEST_BIOS_IMAGE: u64 = 65_535 * 512;

/// The keys that `[boot.bios]` and `[[boot.entry]]` share.
struct Keys<'m> {
    image: &'m At<Reference>,
    emulation: Emulation,
    load_sectors: Option<u16>,
    load_segment: u16,
    patch: Option<Patch>,
}

impl Resolution<'_> {
    /// `[boot.bios]`.
    pub(in crate::resolve) fn bios(&mut self, bios: &Bios, parts: &mut Parts) -> Result<(), ResolveError> {
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
            // Boot code has 512 bytes at most. If there is one byte more, the file is not boot code.
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

    /// `[[boot.entry]]`; none when it was reported.
    pub(in crate::resolve) fn entry(&mut self, entry: &BootEntry) -> Result<Option<BootImage>, ResolveError> {
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
    fn boot_image(&mut self, keys: &Keys<'_>, platform: Platform) -> Result<Option<BootImage>, ResolveError> {
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
            self.host.patched(&mut self.tree, id, Patched { patch, bytes });
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
    fn first_bytes(&self, id: PayloadId, length: u64) -> Result<Vec<u8>, ResolveError> {
        let (bytes, path) = self.open(id)?;
        bytes
            .read_vec_at(0, length)
            .map_err(|source| ResolveError::io(path, "reading", source))
    }

    /// The byte behind the last of a payload that is not zero.
    fn content_end(&self, id: PayloadId) -> Result<u64, ResolveError> {
        let payload = self.tree.payload(id);
        let (bytes, path) = self.open(id)?;
        let span = nonzero_span(bytes.as_ref(), 0, payload.length);
        let span = span.map_err(|source| ResolveError::io(path, "reading", source))?;
        Ok(span.map_or(0, |(_, end)| end))
    }

    /// What may keep firmware from reading a ready FAT volume as we do. Its bytes go into the image as they are.
    fn doubts(&mut self, image: &At<Reference>, contents: &fat::Contents, volume: &dyn ReadAt) {
        if let Some(note) = contents.notes.first() {
            self.warn(image, format!("the FAT volume is damaged: {note}"), "this image");
        } else if let Err(difference) = fat::agrees(volume, contents) {
            let message = format!("another reader of FAT does not find the same in this volume: {difference}");
            self.warn(image, message, "firmware may not either");
        }
    }

    /// A ready FAT volume: its own index is read, so that the plan can name what is in it.
    pub(in crate::resolve) fn ready_esp(&mut self, image: &At<Reference>) -> Result<Option<Esp>, ResolveError> {
        let Some(payload) = self.reference(image)? else {
            return Ok(None);
        };
        let (bytes, path) = self.open(payload)?;
        let contents = match fat::read(bytes.as_ref()) {
            Ok(contents) => contents,
            Err(error) => {
                let message = format!("{:?} is not a FAT volume: {error}", image.get_ref());
                self.error(image, message, "an ESP image holds a FAT12, FAT16 or FAT32 volume");
                return Ok(None);
            }
        };
        let length = self.tree.payload(payload).length;
        if contents.size > length {
            let message = format!(
                "the FAT volume says that it has {} bytes, but the image ends after {length}",
                contents.size
            );
            self.error(image, message, "this image is cut short");
            return Ok(None);
        }
        self.doubts(image, &contents, bytes.as_ref());
        let claims = fat_extents(&contents, 0, 1);
        let extents = with_unclaimed(settle(claims), bytes.as_ref(), 0, length)
            .map_err(|source| ResolveError::io(path, "reading", source))?;
        let loaders = loaders_in(&contents, bytes.as_ref());
        Ok(Some(Esp::Image {
            payload,
            contents: Box::new(contents),
            extents,
            loaders,
        }))
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
