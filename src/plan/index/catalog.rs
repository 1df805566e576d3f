//! El Torito's boot record and boot catalog.

use crate::facts::boot_images::boot_length;
use crate::facts::{BootCatalog, BootEntry, Common, InfoTable, What};
use crate::formats::el_torito::{self, boot_info};
use crate::formats::iso9660::SECTOR;
use crate::plan::layout::{IndexId, Need, Where};
use crate::plan::{Late, Plan, PlanError};
use crate::tree::contents::{BootBytes, BootImage};

use super::{Index, Target, not_mine};

/// The catalog of the boot images.
#[derive(Debug)]
pub(super) struct Catalog;

impl Catalog {
    /// Each image in a section of its own but for neighbours of one platform, so that a menu of firmware shows them together.
    fn encode(plan: &Plan) -> Result<Vec<u8>, PlanError> {
        let mut sections: Vec<el_torito::Section> = Vec::new();
        for boot in &plan.contents.boot {
            let entry = el_torito::CatalogEntry {
                bootable: true,
                emulation: boot.emulation,
                load_segment: boot.load_segment,
                system_type: boot.system_type,
                sectors: load_sectors(plan, boot)?,
                offset: plan.range(Target::from(boot.image))?.offset,
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

    fn entry(plan: &Plan, late: &Late, boot: &BootImage) -> Result<BootEntry, PlanError> {
        let offset = plan.range(Target::from(boot.image))?.offset;
        let load_sectors = load_sectors(plan, boot)?;
        let info_table = match boot.image {
            BootBytes::Payload(id) if plan.contents.tree.payload(id).patched.is_some() => {
                let bytes = plan.filled(id, late)?;
                boot_info::read(&bytes, offset).map(|table| InfoTable {
                    length: table.length,
                    checksum: table.checksum,
                })
            }
            _ => None,
        };
        let rest = plan.size() - offset;
        Ok(BootEntry {
            platform: boot.platform,
            emulation: boot.emulation,
            bootable: true,
            load_sectors,
            load_segment: boot.load_segment,
            offset,
            length: boot_length(boot.platform, boot.emulation, load_sectors, boot.disk_length, rest),
            info_table,
            inside: Vec::new(),
        })
    }
}

/// The ESP's sector count follows from its size; that of other images is the manifest's.
fn load_sectors(plan: &Plan, boot: &BootImage) -> Result<u16, PlanError> {
    Ok(match boot.image {
        BootBytes::Esp => el_torito::uefi_sectors(plan.range(Target::Esp(0))?.length),
        BootBytes::Payload(_) => boot.sectors,
    })
}

impl Index for Catalog {
    fn needs(&self, what: What, ask: &mut dyn FnMut(Need)) {
        if matches!(what, What::BootRecord | What::BootCatalog) {
            ask(Need::new(0, SECTOR, Where::Next(SECTOR)));
        }
    }

    fn encode(&self, piece: (What, u32), plan: &Plan, _late: &Late) -> Result<Vec<u8>, PlanError> {
        match piece.0 {
            What::BootRecord => {
                let catalog = plan.places.piece(IndexId::Catalog, What::BootCatalog, 0)?;
                Ok(el_torito::boot_record(catalog)?.to_vec())
            }
            What::BootCatalog => Self::encode(plan),
            _ => Err(not_mine(piece)),
        }
    }

    fn describe(&self, plan: &Plan, late: &Late, facts: &mut Common) -> Result<(), PlanError> {
        let bytes = Self::encode(plan)?;
        let checksum = bytes.get(28..30).and_then(|word| word.try_into().ok());
        facts.boot_catalog = Some(BootCatalog {
            offset: plan.places.piece(IndexId::Catalog, What::BootCatalog, 0)?,
            length: bytes.len() as u64,
            checksum: u16::from_le_bytes(checksum.unwrap_or_default()),
            refused: None,
        });
        for boot in &plan.contents.boot {
            facts.el_torito.push(Self::entry(plan, late, boot)?);
        }
        Ok(())
    }
}
