//! Firmware rules as code: which firmware starts an image from which medium, and why.
//!
//! The rules are those of EDK2's PartitionDxe and of BIOSes as they are found. They judge the way to a loader, not the loader.

use crate::facts::{Cell, Description, EspFacts, LoaderFacts};

/// What starts a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Firmware {
    Bios,
    Uefi,
    UefiIa32,
    UefiAa64,
    SecureBoot,
}

/// How the image presents itself to the firmware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Medium {
    /// Logical sectors of 2048 bytes, El Torito.
    Cd,
    /// Logical sectors of 512 bytes. El Torito does not count: much firmware does not look at it here.
    Usb,
    /// Logical sectors of 4096 bytes.
    Usb4kn,
    /// A disk of 512-byte logical sectors on another bus.
    Disk,
    /// A disk of 4096-byte logical sectors on another bus.
    Disk4kn,
}

const FIRMWARE: [(Firmware, &str); 5] = [
    (Firmware::Bios, "bios"),
    (Firmware::Uefi, "uefi"),
    (Firmware::UefiIa32, "uefi-ia32"),
    (Firmware::UefiAa64, "uefi-aa64"),
    (Firmware::SecureBoot, "secure-boot"),
];

const MEDIA: [(Medium, &str); 5] = [
    (Medium::Cd, "cd"),
    (Medium::Usb, "usb"),
    (Medium::Usb4kn, "usb-4kn"),
    (Medium::Disk, "disk"),
    (Medium::Disk4kn, "disk-4kn"),
];

/// Certificate authorities whose signatures firmware accepts as it is sold.
const AUTHORITIES: [&str; 4] = [
    "Microsoft Corporation UEFI CA 2011",
    "Microsoft UEFI CA 2023",
    "Microsoft Windows Production PCA 2011",
    "Windows UEFI CA 2023",
];

/// The names of all cells, in the order of [`cells`].
pub fn names() -> Vec<String> {
    let of = |(_, firmware): (Firmware, &str)| MEDIA.map(|(_, medium)| format!("{firmware}-{medium}"));
    FIRMWARE.into_iter().flat_map(of).collect()
}

/// A verdict for each firmware with each medium.
pub fn cells(facts: &Description) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(FIRMWARE.len() * MEDIA.len());
    for (firmware, firmware_name) in FIRMWARE {
        for (medium, medium_name) in MEDIA {
            let verdict = match firmware {
                Firmware::Bios => bios(facts, medium),
                _ => uefi(facts, firmware, medium),
            };
            let boots = verdict.is_ok();
            let (Ok(reason) | Err(reason)) = verdict;
            cells.push(Cell {
                cell: format!("{firmware_name}-{medium_name}"),
                boots,
                reason,
            });
        }
    }
    cells
}

/// Why the cell boots, or why not.
type Verdict = Result<String, String>;

fn bios(facts: &Description, medium: Medium) -> Verdict {
    match medium {
        Medium::Cd => {
            let Some(entry) = facts.el_torito.first() else {
                return Err("there is no boot catalog".into());
            };
            if entry.platform != "bios" {
                return Err(format!(
                    "the default entry of the boot catalog is for {}",
                    entry.platform
                ));
            }
            if !entry.bootable {
                return Err("the default entry of the boot catalog is marked not bootable".into());
            }
            Ok(format!(
                "the default entry of the boot catalog is a BIOS image at offset {}, emulation {}",
                entry.offset, entry.emulation
            ))
        }
        Medium::Usb | Medium::Disk => {
            let Some(mbr) = &facts.mbr else {
                return Err("there is no MBR".into());
            };
            if !mbr.boot_code {
                return Err("the MBR has no boot code; mend: boot code there (`boot.bios.mbr`)".into());
            }
            let active = facts.partitions.iter().any(|partition| partition.active == Some(true));
            Ok(match active {
                true => "the MBR has boot code and an active partition entry".into(),
                false => "the MBR has boot code; a BIOS that wants an active partition entry \
                          refuses it"
                    .into(),
            })
        }
        Medium::Usb4kn | Medium::Disk4kn => Err("BIOS boot code counts in logical sectors of 512 bytes".into()),
    }
}

fn uefi(facts: &Description, firmware: Firmware, medium: Medium) -> Verdict {
    let (way, volume) = match medium {
        Medium::Cd => from_catalog(facts)?,
        Medium::Usb | Medium::Disk => from_partition(facts, 512).map_err(|why| match from_catalog(facts) {
            Ok((_, volume)) => format!(
                "{why}; the EFI image at offset {} is reachable from CD alone; mend: a partition entry of the ESP's type for it",
                volume.offset
            ),
            Err(_) => why,
        })?,
        Medium::Usb4kn | Medium::Disk4kn => from_partition(facts, 4096)?,
    };
    let (name, machine) = match firmware {
        Firmware::UefiIa32 => ("BOOTIA32.EFI", "ia32"),
        Firmware::UefiAa64 => ("BOOTAA64.EFI", "aa64"),
        _ => ("BOOTX64.EFI", "x64"),
    };
    let loader = volume.loaders.iter().find(|loader| {
        loader
            .path
            .rsplit('/')
            .next()
            .is_some_and(|last| last.eq_ignore_ascii_case(name))
    });
    let Some(loader) = loader else {
        return Err(format!("{way} without /EFI/BOOT/{name}"));
    };
    if loader.machine != machine {
        return Err(format!(
            "{way} with {}, which is no {machine} program: its machine is {}",
            loader.path, loader.machine
        ));
    }
    if firmware != Firmware::SecureBoot {
        return Ok(format!("{way} with {}", loader.path));
    }
    match authority(loader) {
        Some(name) => Ok(format!("{way} with {}, signed by {name}", loader.path)),
        None => Err(format!(
            "{way} with {}, which is not signed by an authority that firmware knows",
            loader.path
        )),
    }
}

fn authority(loader: &LoaderFacts) -> Option<&'static str> {
    AUTHORITIES
        .into_iter()
        .find(|name| loader.signers.iter().any(|signer| signer == name))
}

/// EDK2 takes every entry of the catalog, whatever its platform, that holds a file system.
fn from_catalog(facts: &Description) -> Result<(String, &EspFacts), String> {
    if facts.boot_catalog.is_none() {
        return Err("there is no boot catalog".into());
    }
    for entry in facts.el_torito.iter().filter(|entry| entry.bootable) {
        if let Some(volume) = facts.esp.iter().find(|volume| volume.offset == entry.offset) {
            return Ok((
                format!("the boot catalog leads to an ESP at offset {}", entry.offset),
                volume,
            ));
        }
    }
    Err("no entry of the boot catalog leads to a FAT volume".into())
}

/// EDK2 probes GPT, then MBR; a GPT counts only behind an MBR slot of type EE that begins at exactly LBA 1.
fn from_partition(facts: &Description, sector_size: u64) -> Result<(String, &EspFacts), String> {
    let protective = facts
        .partitions
        .iter()
        .any(|partition| partition.kind == "protective" && partition.start == partition.sector_size);
    let has_gpt = facts.gpt.iter().any(|table| table.sector_size == sector_size);
    let table = match has_gpt && protective {
        true => "gpt",
        false if sector_size != 512 => {
            return Err(format!("there is no GPT for logical sectors of {sector_size} bytes"));
        }
        false => "mbr",
    };
    if facts.mbr.is_none() {
        return Err("there is no partition table".into());
    }
    for partition in facts.partitions.iter().filter(|partition| partition.kind == "esp") {
        if partition.table != table || partition.sector_size != sector_size {
            continue;
        }
        if let Some(volume) = facts.esp.iter().find(|volume| volume.offset == partition.start) {
            let table = table.to_uppercase();
            return Ok((format!("{table} partition {} is an ESP", partition.number), volume));
        }
    }
    Err(format!("the {} has no ESP", table.to_uppercase()))
}
