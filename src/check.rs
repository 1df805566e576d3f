//! Firmware rules as code: which firmware starts an image from which medium, and why.
//!
//! The rules are those of EDK2's PartitionDxe and of BIOSes as they are found. They judge the way to a loader, not the loader.

use crate::facts::{Cell, Description, EspFacts, LoaderFacts, Partition};

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
        Medium::Usb => from_partition(facts, 512).map_err(|why| cd_alone(facts, why))?,
        Medium::Disk => from_disk(facts)?,
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
    let Some(catalog) = &facts.boot_catalog else {
        return Err("there is no boot catalog".into());
    };
    if let Some(why) = &catalog.refused {
        return Err(format!("the boot catalog is not taken: {why}"));
    }
    let mut outside = None;
    for entry in facts.el_torito.iter().filter(|entry| entry.bootable) {
        let Some(volume) = facts.esp.iter().find(|volume| volume.offset == entry.offset) else {
            continue;
        };
        if entry.length == 0 {
            outside = Some(entry.offset);
            continue;
        }
        let way = format!("the boot catalog leads to an ESP at offset {}", entry.offset);
        return Ok((way, volume));
    }
    Err(match outside {
        Some(offset) => format!(
            "the EFI image at offset {offset} is behind the end of the volume; mend: a volume space size that covers it"
        ),
        None => "no entry of the boot catalog leads to a FAT volume".into(),
    })
}

/// What a stick lacks that a CD has.
fn cd_alone(facts: &Description, why: String) -> String {
    match from_catalog(facts) {
        Ok((_, volume)) => format!(
            "{why}; the EFI image at offset {} is reachable from CD alone; mend: a partition entry of the ESP's type for it",
            volume.offset
        ),
        Err(_) => why,
    }
}

/// EDK2 probes GPT, then El Torito, then MBR, and the first that it takes hides the others.
fn from_disk(facts: &Description) -> Result<(String, &EspFacts), String> {
    let takes_gpt = taken_gpt(facts, 512).is_ok();
    let catalog = facts.boot_catalog.as_ref().filter(|catalog| catalog.refused.is_none());
    let takes_catalog = catalog.is_some() && facts.el_torito.iter().any(|entry| entry.bootable);
    match !takes_gpt && takes_catalog {
        true => from_catalog(facts)
            .map(|(way, volume)| (format!("{way}, by firmware that reads it from disks too,"), volume)),
        false => from_partition(facts, 512),
    }
}

/// Whether firmware takes the GPT for logical sectors of a size; else why not.
fn taken_gpt(facts: &Description, sector_size: u64) -> Result<(), String> {
    match facts.gpt.iter().find(|table| table.sector_size == sector_size) {
        None => Err(format!("there is no GPT for logical sectors of {sector_size} bytes")),
        Some(table) => table
            .refused
            .clone()
            .map_or(Ok(()), |why| Err(format!("the GPT is not taken: {why}"))),
    }
}

/// EDK2 probes GPT, then MBR, and takes a FAT volume whatever the type of its partition.
fn from_partition(facts: &Description, sector_size: u64) -> Result<(String, &EspFacts), String> {
    let gpt = taken_gpt(facts, sector_size);
    let table = match gpt {
        Ok(()) => "gpt",
        Err(why) if sector_size != 512 => return Err(why),
        Err(_) => "mbr",
    };
    if facts.mbr.is_none() && table == "mbr" {
        return Err(match facts.gpt.is_empty() {
            true => "there is no partition table".into(),
            false => gpt.err().unwrap_or_default(),
        });
    }
    let shown = table.to_uppercase();
    let mut refused = None;
    let of_table = |p: &&Partition| p.table == table && p.sector_size == sector_size;
    let (esps, others): (Vec<_>, Vec<_>) = facts.partitions.iter().filter(of_table).partition(|p| p.kind == "esp");
    for partition in esps.into_iter().chain(others) {
        let Some(volume) = facts.esp.iter().find(|volume| volume.offset == partition.start) else {
            continue;
        };
        if let Some(why) = &partition.refused {
            refused = Some(format!("{shown} partition {} is not taken: {why}", partition.number));
            continue;
        }
        let way = match partition.kind.as_str() {
            "empty" | "protective" => continue,
            "esp" => format!("{shown} partition {} is an ESP", partition.number),
            kind => format!(
                "{shown} partition {} of type {kind}, not of the ESP's, is a FAT volume",
                partition.number
            ),
        };
        return Ok((way, volume));
    }
    let why = format!("the {shown} has no ESP");
    Err(refused.unwrap_or_else(|| match gpt {
        Err(refusal) if !facts.gpt.is_empty() => format!("{why}; {refusal}"),
        _ => why,
    }))
}
