//! Firmware rules as code: which firmware starts an image from which medium, and why.
//!
//! The rules are those of EDK2's PartitionDxe and of BIOSes as they are found. They judge the way to a loader, whether
//! Secure Boot starts it, and what shim starts behind it; not the loader.

mod bios;
mod secure_boot;
mod started;
#[cfg(test)]
mod tests;
mod uefi;

use std::cell::RefCell;

use crate::facts::cell::{Cell, Firmware};
use crate::facts::secure_boot::Authority;
use crate::facts::{Common, Description, EspFacts, LoaderFacts, MenuFacts, Verdict};
use crate::formats::authenticode::Certificate;
use crate::formats::pe::Machine;
use bios::bios;
use secure_boot::Keys;
use started::Start;
use uefi::uefi;

pub use uefi::{has_loader, needs_extents};

/// A verdict for each firmware with each medium, in the order of [`Cell::all`]. `trusted` are certificates that the machine's owner has
/// put into `db` or enrolled as Machine Owner Keys. Machines of [`Firmware::SecureBootOwn`] trust them and [`crate::facts::Planned::owner`] alone; without
/// any there are no such cells.
pub fn cells(image: &Description, trusted: &[Certificate]) -> Vec<Verdict> {
    let judge = Judge {
        facts: &image.facts,
        menu: &image.planned.menu,
        trusted,
        own: [trusted, image.planned.owner.as_slice()].concat(),
        started: RefCell::default(),
    };
    let verdict = |cell: Cell| {
        let (boots, reason, mend) = match judge.cell(cell) {
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
    let is_judged = |cell: &Cell| cell.firmware != Firmware::SecureBootOwn || !judge.own.is_empty();
    Cell::all().filter(is_judged).map(verdict).collect()
}

/// An image that is judged.
struct Judge<'a> {
    facts: &'a Common,
    menu: &'a [MenuFacts],
    trusted: &'a [Certificate],
    /// Whom machines of [`Firmware::SecureBootOwn`] trust.
    own: Vec<Certificate>,
    /// What each firmware starts in the volume at an offset, whatever the medium: signatures take their time.
    started: RefCell<Vec<(Firmware, u64, Judged)>>,
}

impl Judge<'_> {
    fn cell(&self, cell: Cell) -> Judged {
        if let Some(why) = menu_lacks(self.menu, cell.firmware) {
            return Err(no(why, "a smaller initrd, or another firmware"));
        }
        match cell.firmware {
            Firmware::Bios => bios(self.facts, cell.medium),
            // Every PC has one of them, or both.
            Firmware::SecureBoot if let Some(no) = self.refused_by_one(cell) => Err(no),
            firmware => uefi(self.facts, firmware, cell.medium, &|volume, loader| {
                self.start(firmware, volume, loader)
            }),
        }
    }

    fn refused_by_one(&self, cell: Cell) -> Option<No> {
        let generations = cell.firmware.generations().into_iter();
        let mut verdicts = generations.map(|firmware| self.cell(Cell { firmware, ..cell }));
        verdicts.find_map(Result::err)
    }

    /// What is behind the default loader of a firmware.
    fn start(&self, firmware: Firmware, volume: &EspFacts, loader: &LoaderFacts) -> Judged {
        let is_it = |(of, at, _): &&(Firmware, u64, Judged)| (*of, *at) == (firmware, volume.offset);
        let known = self
            .started
            .borrow()
            .iter()
            .find(is_it)
            .map(|(.., started)| started.clone());
        if let Some(started) = known {
            return started;
        }
        let trusted = match firmware {
            Firmware::SecureBootOwn => &self.own,
            _ => self.trusted,
        };
        let keys = Keys::of(firmware, trusted);
        let start = Start {
            facts: self.facts,
            volume,
            keys: keys.as_ref(),
        };
        let started = start.by_firmware(loader);
        self.started
            .borrow_mut()
            .push((firmware, volume.offset, started.clone()));
        started
    }
}

/// The cells that boot, without those that another of them stands for.
pub fn that_boot(image: &Description) -> Vec<Cell> {
    let boots = |cell: Cell| image.cells.iter().any(|verdict| verdict.cell == cell && verdict.boots);
    let is_of_another = |cell: Cell| {
        let all = Firmware::ALL.into_iter();
        let mut others = all.filter(|&other| other != cell.firmware && other.generations().contains(&cell.firmware));
        others.any(|firmware| boots(Cell { firmware, ..cell }))
    };
    let cells = image.cells.iter().map(|verdict| verdict.cell);
    cells.filter(|&cell| boots(cell) && !is_of_another(cell)).collect()
}

/// Why a menu has no entry for a firmware that would start one otherwise.
fn menu_lacks(menu: &[MenuFacts], firmware: Firmware) -> Option<&str> {
    let firmware = match firmware.is_secure() {
        true => Firmware::Uefi,
        false => firmware,
    };
    let menu = menu.iter().find(|menu| menu.firmware == firmware)?;
    menu.lacks.as_deref()
}

/// Why the cell boots, or why not.
type Judged = Result<String, No>;

/// Why a cell does not boot, and what would make it.
#[derive(Clone)]
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
pub fn why_nothing(image: &Description) -> Option<String> {
    let (facts, cells) = (&image.facts, &image.cells);
    if cells.iter().any(|verdict| verdict.boots) {
        return None;
    }
    let loaders = || facts.esp.iter().flat_map(|volume| &volume.loaders);
    let is_default = |path: &str| path.to_ascii_uppercase().contains("/EFI/BOOT/BOOT");
    // UEFI 3.5.1.1, and for whom nothing is judged here.
    let is_for_others = |loader: &&LoaderFacts| {
        use Machine::{Arm, Ia64, LoongArch64, RiscV64};
        is_default(&loader.path) && matches!(loader.machine, None | Some(RiscV64 | LoongArch64 | Arm | Ia64))
    };
    if let Some(loader) = loaders().find(is_for_others) {
        return Some(match loader.machine {
            None => format!("{} in the ESP is not an EFI program", loader.path),
            Some(machine) => format!(
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
        let cell = cells.iter().find(|verdict| verdict.cell.to_string() == name);
        cell.map(|verdict| verdict.reason.clone()).unwrap_or_default()
    };
    if !claims(facts) {
        return Some("there is no boot catalog, no partition with a loader and no boot code in it".into());
    }
    // A disk is not meant for a CD.
    let medium = if facts.filesystems.is_empty() { "usb" } else { "cd" };
    let firmware = if facts.esp.is_empty() { "bios" } else { "uefi" };
    Some(reason(&format!("{firmware}-{medium}")))
}

/// Whether Secure Boot starts the image by Microsoft's authorities for other people's programs alone, which some PCs do not trust at first.
pub fn needs_third_party(image: &Description) -> bool {
    let by_default = [Firmware::SecureBoot2011, Firmware::SecureBoot2023];
    let mut cells = image.cells.iter();
    let boots = cells.any(|verdict| verdict.boots && by_default.contains(&verdict.cell.firmware));
    let loaders = image.facts.esp.iter().flat_map(|volume| &volume.loaders);
    let signatures = loaders.flat_map(|loader| &loader.signatures);
    let mut authorities = signatures.flat_map(|signature| &signature.authorities);
    boots && !authorities.any(|authority| matches!(authority, Authority::Windows2011 | Authority::Windows2023))
}

/// Whether somebody meant the image to boot: it has a boot catalog, an ESP, an active partition or boot code.
pub fn claims(facts: &Common) -> bool {
    let has_active = facts.partitions.iter().any(|partition| partition.active == Some(true));
    let has_code = facts.mbr.as_ref().is_some_and(|mbr| mbr.boot_code)
        || facts.boot_sector.as_ref().is_some_and(|sector| sector.boot_code);
    facts.boot_catalog.is_some() || !facts.esp.is_empty() || has_active || has_code
}
