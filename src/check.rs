//! Firmware rules as code: which firmware starts an image from which medium, and why.
//!
//! The rules are those of EDK2's PartitionDxe and of BIOSes as they are found. They judge the way to a loader, not the loader.

mod bios;
mod uefi;

use crate::cell::{Cell, Firmware};
use crate::facts::{Description, Verdict};
use bios::bios;
use uefi::uefi;

pub use uefi::{has_loader, needs_extents};

/// A verdict for each firmware with each medium, in the order of [`Cell::all`].
pub fn cells(facts: &Description) -> Vec<Verdict> {
    let judge = |cell: Cell| {
        let judged = match cell.firmware {
            _ if let Some(why) = menu_lacks(facts, cell.firmware) => {
                Err(no(why, "a smaller initrd, or another firmware"))
            }
            Firmware::Bios => bios(facts, cell.medium),
            firmware => uefi(facts, firmware, cell.medium),
        };
        let (boots, reason, mend) = match judged {
            Ok(why) => (true, why, None),
            Err(no) => (false, format!("{}; mend: {}", no.why, no.mend), Some(no.mend)),
        };
        Verdict {
            cell,
            boots,
            reason,
            mend,
        }
    };
    Cell::all().map(judge).collect()
}

/// Why a menu has no entry for a firmware that would start one otherwise.
fn menu_lacks(facts: &Description, firmware: Firmware) -> Option<&str> {
    let name = match firmware {
        Firmware::SecureBoot => Firmware::Uefi.name(),
        firmware => firmware.name(),
    };
    let menu = facts.menu.iter().find(|menu| menu.firmware == name)?;
    menu.lacks.as_deref()
}

/// Why the cell boots, or why not.
type Judged = Result<String, No>;

/// Why a cell does not boot, and what would make it.
struct No {
    why: String,
    mend: String,
}

fn no(why: impl Into<String>, mend: impl Into<String>) -> No {
    No {
        why: why.into(),
        mend: mend.into(),
    }
}

/// Why no cell boots; nothing if one does. The first thing that somebody who meant it to boot has missed, else what every firmware lacks.
pub fn why_nothing(facts: &Description) -> Option<String> {
    /// UEFI 3.5.1.1, and for whom nothing is judged here.
    const OTHERS: [&str; 5] = ["riscv64", "loongarch64", "arm", "ia64", "none"];
    if facts.cells.iter().any(|verdict| verdict.boots) {
        return None;
    }
    let loaders = || facts.esp.iter().flat_map(|volume| &volume.loaders);
    let is_default = |path: &str| path.to_ascii_uppercase().contains("/EFI/BOOT/BOOT");
    if let Some(loader) = loaders().find(|loader| is_default(&loader.path) && OTHERS.contains(&loader.machine.as_str()))
    {
        return Some(match loader.machine.as_str() {
            "none" => format!("{} in the ESP is not an EFI program", loader.path),
            machine => format!(
                "{} in the ESP is for {machine}, of which no firmware is judged here",
                loader.path
            ),
        });
    }
    let in_tree = facts.extents.iter().flat_map(|extent| &extent.paths).find(|path| {
        path.strip_prefix("iso:")
            .or(path.strip_prefix("udf:"))
            .is_some_and(|path| {
                let path = path.to_ascii_uppercase();
                path.starts_with("/EFI/BOOT/BOOT") && path.ends_with(".EFI")
            })
    });
    if let Some(path) = in_tree.filter(|_| loaders().next().is_none()) {
        return Some(format!(
            "{path} is in the tree, where firmware does not look: it takes a loader from a FAT volume (an ESP) that a partition or \
             the boot catalog leads to"
        ));
    }
    let reason = |name: &str| {
        let cell = facts.cells.iter().find(|verdict| verdict.cell.to_string() == name);
        cell.map(|verdict| verdict.reason.clone()).unwrap_or_default()
    };
    if !claims(facts) {
        return Some("there is no boot catalog, no partition with a loader and no boot code in it".into());
    }
    Some(match facts.esp.is_empty() {
        true => reason("bios-cd"),
        false => reason("uefi-cd"),
    })
}

/// Whether somebody meant the image to boot: it has a boot catalog, an ESP, an active partition or boot code.
pub fn claims(facts: &Description) -> bool {
    let has_active = facts.partitions.iter().any(|partition| partition.active == Some(true));
    let has_code = facts.mbr.as_ref().is_some_and(|mbr| mbr.boot_code);
    facts.boot_catalog.is_some() || !facts.esp.is_empty() || has_active || has_code
}
