//! The master boot record (UEFI 5.2): boot code, and slots that point at the image, the ESP or a GPT.

use crate::facts::boot_code::mbr_facts;
use crate::facts::partitions::mbr_partition;
use crate::facts::{Common, What};
use crate::formats::el_torito::boot_info;
use crate::formats::mbr::{self, Slot};
use crate::ground::range::Range;
use crate::plan::layout::{Need, Where};
use crate::plan::{Late, Plan, PlanError};
use crate::tree::Patch;
use crate::tree::contents::Slots;

use super::{Index, Target, not_mine};

/// The logical sector that the slots count in.
const SECTOR: u64 = 512;

/// A slot of type 0 that is active: BIOSes that look for an active partition start the boot code, and firmware that takes tables
/// with overlapping partitions for broken does not count it.
const ACTIVE_EMPTY: Slot = Slot {
    active: true,
    kind: 0,
    start: 0,
    length: 1,
};

/// An MBR with these slots.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Mbr(pub(super) Slots);

impl Mbr {
    fn slots(self, plan: &Plan) -> Result<[Slot; 4], PlanError> {
        let unused = Slot::default();
        let slot = |range: Range, kind, active| -> Result<Slot, PlanError> {
            let (start, length) = mbr::slot(range.offset, range.length, SECTOR)?;
            Ok(Slot {
                active,
                kind,
                start,
                length,
            })
        };
        let size = plan.size();
        let esp = match plan.esp_partition(0)? {
            Some(range) => slot(range, mbr::ESP, false)?,
            None => unused,
        };
        Ok(match self.0 {
            Slots::ProtectiveActive => [mbr::protective(size / SECTOR), ACTIVE_EMPTY, unused, unused],
            Slots::Protective => [mbr::protective(size / SECTOR), unused, unused, unused],
            Slots::Esp => [esp, ACTIVE_EMPTY, unused, unused],
            Slots::Whole => {
                let image = Range {
                    offset: 0,
                    length: size,
                };
                [slot(image, 0, true)?, esp, unused, unused]
            }
        })
    }

    fn boot_code(plan: &Plan) -> [u8; 440] {
        plan.contents.boot_code.unwrap_or([0; 440])
    }
}

impl Index for Mbr {
    fn needs(&self, what: What, ask: &mut dyn FnMut(Need)) {
        if what == What::MasterBootRecord {
            ask(Need::new(0, SECTOR, Where::At(0)));
        }
    }

    fn encode(&self, piece: (What, u32), plan: &Plan, _late: &Late) -> Result<Vec<u8>, PlanError> {
        if piece.0 != What::MasterBootRecord {
            return Err(not_mine(piece));
        }
        let mut sector = mbr::encode(&mbr::Mbr {
            boot_code: Self::boot_code(plan),
            disk_signature: plan.identity.number("disk"),
            slots: self.slots(plan)?,
        })?;
        if let (Some(patch), Some(first)) = (plan.contents.boot_code_patch, plan.contents.boot.first()) {
            let offset = plan.range(Target::from(first.image))?.offset;
            match patch {
                Patch::Isolinux => boot_info::patch_mbr_isolinux(&mut sector, offset)?,
                Patch::Grub2 => boot_info::patch_mbr_grub2(&mut sector, offset)?,
            }
        }
        Ok(sector.to_vec())
    }

    fn describe(&self, plan: &Plan, _late: &Late, facts: &mut Common) -> Result<(), PlanError> {
        facts.mbr = Some(mbr_facts(&Self::boot_code(plan), plan.identity.number("disk")));
        let slots = self.slots(plan)?;
        let partitions = slots.iter().enumerate();
        facts
            .partitions
            .extend(partitions.filter_map(|(index, slot)| mbr_partition(index, slot, SECTOR)));
        Ok(())
    }
}
