//! Every byte of a planned image, as pieces in its order.

use std::borrow::Cow;

use crate::facts::What;
use crate::formats::el_torito::{self, boot_info};
use crate::formats::gpt;
use crate::formats::iso9660::{self, Addresses, Endian, FIELD_LENGTH, MediaMd5, VolumeDescriptor, VolumeKind};
use crate::formats::mbr::{self, Mbr};
use crate::output::{Piece, PieceSource};
use crate::plan::layout::{Content, Region};
use crate::tree::contents::BootBytes;
use crate::tree::source::Source;
use crate::tree::{Patch, Patched, PayloadId};

use super::esp::SECTOR_SIZES;
use super::{Plan, PlanError, Span};

/// The structures that describe() also reports on.
pub(super) struct Structures {
    /// By the table's number.
    pub(super) gpt: Vec<gpt::Encoded>,
    pub(super) catalog: Option<Vec<u8>>,
}

impl<'r> Plan<'r> {
    /// The pieces of the image by offset; between them are zeros. Directories, of which there may be any number, are encoded as they
    /// are asked for.
    ///
    /// # Panics
    /// If an encoder makes another length than it was measured with: lengths never depend on addresses.
    pub fn encode(&self) -> Result<impl Iterator<Item = Piece<'_>>, PlanError> {
        let structures = self.structures()?;
        let mut fat = self.encode_fat();
        let mut ready = Vec::with_capacity(self.regions.len());
        for region in &self.regions {
            ready.push(match region.content {
                Content::Payload(payload) => Some(self.payload(payload)?),
                Content::Structure(what) => Some(self.structure(what, structures.catalog.as_deref())?.into()),
                Content::Gpt(number, what) => Some(gpt_structure(region, what, structures.gpt.get(number)).into()),
                Content::Fat(volume, index) => {
                    let bytes = fat.get_mut(volume).and_then(|regions| regions.get_mut(index));
                    bytes.map(std::mem::take).map(PieceSource::from)
                }
                Content::Directory(_) | Content::JolietDirectory(_) => None,
            });
        }
        Ok(self.regions.iter().zip(ready).map(|(region, ready)| {
            let source = ready.unwrap_or_else(|| self.directory(region.content).into());
            check_length(region, &source);
            Piece {
                offset: region.offset,
                length: region.length,
                source,
            }
        }))
    }

    /// The bytes of a directory; none for any other content.
    fn directory(&self, content: Content) -> Vec<u8> {
        match (content, &self.joliet) {
            (Content::Directory(node), _) => self.primary.directory(node, &self.primary_addresses()),
            (Content::JolietDirectory(node), Some(joliet)) => joliet.directory(node, &self.joliet_addresses()),
            _ => Vec::new(),
        }
    }

    pub(super) fn structures(&self) -> Result<Structures, PlanError> {
        let tables = self
            .entries
            .gpt
            .iter()
            .map(|plan| plan.table(self.size, &self.identity));
        let gpt = tables.map(|table| gpt::encode(&table)).collect::<Result<_, _>>()?;
        let catalog = match self.catalog {
            Some(_) => Some(self.encode_catalog()?),
            None => None,
        };
        Ok(Structures { gpt, catalog })
    }

    fn encode_fat(&self) -> Vec<Vec<Vec<u8>>> {
        let volumes = self.volumes.iter().zip(SECTOR_SIZES);
        volumes
            .map(|(volume, (_, name))| volume.fat.encode(volume.span.offset, self.identity.number(name)))
            .collect()
    }

    fn primary_addresses(&self) -> Addresses<'_> {
        Addresses {
            nodes: &self.primary_nodes,
            continuation: self.continuation,
        }
    }

    fn joliet_addresses(&self) -> Addresses<'_> {
        Addresses {
            nodes: &self.joliet_nodes,
            continuation: 0,
        }
    }

    fn structure(&self, what: What, catalog: Option<&[u8]>) -> Result<Vec<u8>, PlanError> {
        let joliet = |endian| match &self.joliet {
            Some(joliet) => joliet.path_table(endian, &self.joliet_addresses()),
            None => Vec::new(),
        };
        Ok(match what {
            What::MasterBootRecord => self.master_boot_record()?.to_vec(),
            What::PrimaryDescriptor => self.descriptor(VolumeKind::Primary)?.to_vec(),
            What::JolietDescriptor => self.descriptor(VolumeKind::Joliet)?.to_vec(),
            What::BootRecord => el_torito::boot_record(self.catalog.map_or(0, |span| span.offset))?.to_vec(),
            What::Terminator => iso9660::terminator().to_vec(),
            What::PathTableL => self.primary.path_table(Endian::Little, &self.primary_addresses()),
            What::PathTableM => self.primary.path_table(Endian::Big, &self.primary_addresses()),
            What::JolietPathTableL => joliet(Endian::Little),
            What::JolietPathTableM => joliet(Endian::Big),
            What::ContinuationArea => self.primary.continuation(&self.primary_addresses()),
            What::BootCatalog => catalog.unwrap_or_default().to_vec(),
            // The other words are those of `inspect` and of the FAT.
            _ => Vec::new(),
        })
    }

    fn descriptor(&self, kind: VolumeKind) -> Result<[u8; 2048], PlanError> {
        let (hierarchy, addresses, tables) = match (kind, &self.joliet) {
            (VolumeKind::Joliet, Some(joliet)) => (
                joliet,
                self.joliet_addresses(),
                [What::JolietPathTableL, What::JolietPathTableM],
            ),
            _ => (
                &self.primary,
                self.primary_addresses(),
                [What::PathTableL, What::PathTableM],
            ),
        };
        let [path_table_l, path_table_m] = tables.map(|what| self.offset_of(what));
        let descriptor = VolumeDescriptor {
            kind,
            identifiers: self.contents.identifiers.clone(),
            space: self.size,
            path_table_length: hierarchy.path_table_length(),
            path_table_l,
            path_table_m,
            root: hierarchy.root_record(&addresses),
            created: self.contents.timestamp,
            application_use: match (kind, &self.media_md5) {
                (VolumeKind::Primary, Some(media_md5)) => media_md5.encode(),
                (VolumeKind::Primary, None) if self.contents.implant_md5 => MediaMd5::absent(),
                _ => [0; FIELD_LENGTH],
            },
        };
        Ok(descriptor.encode()?)
    }

    /// The offset of a structure of which there is one.
    pub(super) fn offset_of(&self, what: What) -> u64 {
        let wanted = Content::Structure(what);
        let found = self.regions.iter().find(|region| region.content == wanted);
        found.map_or(0, |region| region.offset)
    }

    /// Where the bytes of a boot image are, and how many a firmware may read.
    pub(super) fn boot_span(&self, image: BootBytes) -> Span {
        match (image, self.esp) {
            (BootBytes::Esp, Some(esp)) => esp,
            (BootBytes::Payload(payload), _) => Span {
                offset: self.payloads[payload].unwrap_or(0),
                length: self.contents.tree.payload(payload).length,
            },
            (BootBytes::Esp, None) => Span { offset: 0, length: 0 },
        }
    }

    /// Each image in a section of its own but for neighbours of one platform, so that a menu of firmware shows them together.
    fn encode_catalog(&self) -> Result<Vec<u8>, PlanError> {
        let mut sections: Vec<el_torito::Section> = Vec::new();
        for boot in &self.contents.boot {
            let bytes = self.boot_span(boot.image);
            let entry = el_torito::CatalogEntry {
                bootable: true,
                emulation: boot.emulation,
                load_segment: boot.load_segment,
                system_type: boot.system_type,
                sectors: self.load_sectors(boot.image, boot.sectors),
                offset: bytes.offset,
            };
            let behind_default = sections.len() > 1;
            match sections.last_mut() {
                Some(last) if behind_default && last.platform == boot.platform => {
                    last.entries.push(entry);
                }
                _ => sections.push(el_torito::Section {
                    platform: boot.platform,
                    id: String::new(),
                    entries: vec![entry],
                }),
            }
        }
        Ok(el_torito::encode(&el_torito::Catalog { sections })?)
    }

    /// The ESP's sector count follows from its size; that of other images is the manifest's.
    pub(super) fn load_sectors(&self, image: BootBytes, sectors: u16) -> u16 {
        match image {
            BootBytes::Esp => el_torito::uefi_sectors(self.boot_span(image).length),
            BootBytes::Payload(_) => sectors,
        }
    }

    fn master_boot_record(&self) -> Result<[u8; 512], PlanError> {
        let mut sector = mbr::encode(&Mbr {
            boot_code: self.contents.boot_code.unwrap_or([0; 440]),
            disk_signature: self.identity.number("disk"),
            slots: self.entries.slots.unwrap_or_default(),
        })?;
        if let (Some(patch), Some(first)) = (self.contents.boot_code_patch, self.contents.boot.first()) {
            let offset = self.boot_span(first.image).offset;
            match patch {
                Patch::Isolinux => boot_info::patch_mbr_isolinux(&mut sector, offset)?,
                Patch::Grub2 => boot_info::patch_mbr_grub2(&mut sector, offset)?,
            }
        }
        Ok(sector)
    }

    fn payload(&self, id: PayloadId) -> Result<PieceSource<'_>, PlanError> {
        let payload = self.contents.tree.payload(id);
        let is_list = self.contents.checksums.as_ref().is_some_and(|list| list.payload == id);
        if payload.patched.is_some() || payload.image_id.is_some() || is_list {
            return Ok(self.filled(id)?.into());
        }
        Ok(match &payload.source {
            Source::Bytes(bytes, _) => PieceSource::Bytes(Cow::Borrowed(bytes)),
            Source::File {
                path, stamp, offset, ..
            } => PieceSource::File {
                path,
                stamp,
                offset: *offset,
            },
        })
    }

    /// Bytes in memory with the image's id, the digests of other payloads and the addresses filled in; empty for a file of the host that has
    /// places for none.
    pub(super) fn filled(&self, id: PayloadId) -> Result<Vec<u8>, PlanError> {
        let payload = self.contents.tree.payload(id);
        let mut bytes = match (&payload.patched, &payload.source) {
            (Some(Patched { bytes, .. }), _) => bytes.to_vec(),
            (None, Source::Bytes(bytes, _)) => bytes.to_vec(),
            (None, Source::File { .. }) => return Ok(Vec::new()),
        };
        // The id first: the boot information table's sum covers it.
        if let Some(at) = payload.image_id {
            let digits = self.identity.image_id();
            bytes[at..at + digits.len()].copy_from_slice(digits.as_bytes());
        }
        if let Some(list) = self.contents.checksums.as_ref().filter(|list| list.payload == id) {
            self.fill_list(list, &mut bytes);
        }
        let offset = self.payloads[id].unwrap_or(0);
        match payload.patched.as_ref().map(|patched| patched.patch) {
            Some(Patch::Isolinux) => boot_info::patch_isolinux(&mut bytes, offset)?,
            Some(Patch::Grub2) => boot_info::patch_grub2(&mut bytes, offset)?,
            None => {}
        }
        Ok(bytes)
    }
}

/// A structure of a GPT. Of a backup header that shares its logical sector with another one only what is in front of that.
fn gpt_structure(region: &Region, what: What, encoded: Option<&gpt::Encoded>) -> Vec<u8> {
    let Some(encoded) = encoded else {
        return Vec::new();
    };
    let bytes = match what {
        What::GptHeader => &encoded.header,
        What::GptEntries => &encoded.entries,
        What::BackupGptEntries => &encoded.backup_entries,
        _ => &encoded.backup_header,
    };
    bytes.iter().take(region.length as usize).copied().collect()
}

impl From<Vec<u8>> for PieceSource<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

fn check_length(region: &Region, source: &PieceSource<'_>) {
    if let PieceSource::Bytes(bytes) = source {
        assert_eq!(
            bytes.len() as u64,
            region.length,
            "{:?} changed its length",
            region.content
        );
    }
}
