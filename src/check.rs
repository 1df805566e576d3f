//! Firmware rules as code: which firmware starts an image from which medium, and why.
//!
//! The rules are those of EDK2's PartitionDxe and of BIOSes as they are found. They judge the way to a loader, not the loader.

use crate::cell::{Cell, Firmware, Medium};
use crate::facts::{Description, EspFacts, LoaderFacts, Partition, Verdict};

/// Certificate authorities whose signatures firmware accepts as it is sold.
const AUTHORITIES: [&str; 4] = [
    "Microsoft Corporation UEFI CA 2011",
    "Microsoft UEFI CA 2023",
    "Microsoft Windows Production PCA 2011",
    "Windows UEFI CA 2023",
];

/// A verdict for each firmware with each medium, in the order of [`Cell::all`].
pub fn cells(facts: &Description) -> Vec<Verdict> {
    let judge = |cell: Cell| {
        let judged = match cell.firmware {
            Firmware::Bios => bios(facts, cell.medium),
            firmware => uefi(facts, firmware, cell.medium),
        };
        Verdict {
            cell,
            boots: judged.is_ok(),
            reason: judged.unwrap_or_else(|no| format!("{}; mend: {}", no.why, no.mend)),
        }
    };
    Cell::all().map(judge).collect()
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

fn bios(facts: &Description, medium: Medium) -> Judged {
    match medium {
        Medium::Cd => {
            let Some(entry) = facts.el_torito.first() else {
                return Err(no("there is no boot catalog", "one with a BIOS image (`boot.bios`)"));
            };
            if entry.platform != "bios" {
                let why = format!("the default entry of the boot catalog is for {}", entry.platform);
                return Err(no(why, "a BIOS image in the default entry"));
            }
            if !entry.bootable {
                let why = "the default entry of the boot catalog is marked not bootable";
                return Err(no(why, "88 in its first byte"));
            }
            let refused = facts.boot_catalog.as_ref().and_then(|catalog| catalog.refused.as_ref());
            let but = refused.map(|why| format!("; a BIOS that looks closer does not take the catalog: {why}"));
            Ok(format!(
                "the default entry of the boot catalog is a BIOS image at offset {}, emulation {}{}",
                entry.offset,
                entry.emulation,
                but.unwrap_or_default()
            ))
        }
        Medium::Usb | Medium::Disk => {
            let code = "one with boot code (`boot.bios.mbr`)";
            match &facts.mbr {
                None => return Err(no("there is no MBR", code)),
                Some(mbr) if !mbr.boot_code => return Err(no("the MBR has no boot code", code)),
                Some(_) => {}
            }
            let active = facts.partitions.iter().any(|partition| partition.active == Some(true));
            Ok(match active {
                true => "the MBR has boot code and an active partition entry".into(),
                false => "the MBR has boot code; a BIOS that wants an active partition entry refuses it".into(),
            })
        }
        Medium::Usb4kn | Medium::Disk4kn => Err(no(
            "BIOS boot code counts in logical sectors of 512 bytes",
            "none; UEFI boots from such media",
        )),
    }
}

fn uefi(facts: &Description, firmware: Firmware, medium: Medium) -> Judged {
    let (way, volume) = match medium {
        Medium::Cd => from_catalog(facts)?,
        Medium::Usb => from_partition(facts, 512).map_err(|no| cd_alone(facts, no))?,
        Medium::Disk => from_disk(facts)?,
        Medium::Usb4kn | Medium::Disk4kn => from_partition(facts, 4096)?,
    };
    let (name, machine) = match firmware {
        Firmware::UefiIa32 => ("BOOTIA32.EFI", "ia32"),
        Firmware::UefiAa64 => ("BOOTAA64.EFI", "aa64"),
        _ => ("BOOTX64.EFI", "x64"),
    };
    let named = |name: &str| {
        let last = |loader: &LoaderFacts| {
            loader
                .path
                .rsplit('/')
                .next()
                .is_some_and(|last| last.eq_ignore_ascii_case(name))
        };
        volume.loaders.iter().find(|loader| last(loader))
    };
    let Some(loader) = named(name) else {
        let why = format!("{way} without /EFI/BOOT/{name}");
        return Err(no(why, format!("a loader for {machine} of that name")));
    };
    if loader.machine != machine {
        let why = format!(
            "{way} with {}, which is no {machine} program: its machine is {}",
            loader.path, loader.machine
        );
        return Err(no(why, format!("a loader for {machine} of that name")));
    }
    if firmware != Firmware::SecureBoot {
        return Ok(format!("{way} with {}", loader.path));
    }
    // shim's own rule: what it starts is signed by somebody, and by whom it trusts the machine knows.
    let behind = named("grubx64.efi").filter(|behind| behind.signers.is_empty());
    match authority(loader) {
        Some(_) if let Some(behind) = behind => Err(no(
            format!(
                "{way} with {}, which does not start {}: nobody has signed it",
                loader.path, behind.path
            ),
            "one that is signed with a key of the machine's owner or of whoever made the shim",
        )),
        Some(name) => Ok(format!("{way} with {}, signed by {name}", loader.path)),
        None => Err(no(
            format!(
                "{way} with {}, which is not signed by an authority that firmware knows",
                loader.path
            ),
            "a signed shim of that name, or your key in the firmware",
        )),
    }
}

fn authority(loader: &LoaderFacts) -> Option<&'static str> {
    AUTHORITIES
        .into_iter()
        .find(|name| loader.signers.iter().any(|signer| signer == name))
}

/// The words that lead to a FAT volume, and the volume.
type Way<'a> = Result<(String, &'a EspFacts), No>;

/// EDK2 takes every entry of the catalog, whatever its platform, that holds a file system.
fn from_catalog(facts: &Description) -> Way<'_> {
    let Some(catalog) = &facts.boot_catalog else {
        return Err(no("there is no boot catalog", "one with an EFI image (`boot.uefi`)"));
    };
    if let Some(why) = &catalog.refused {
        return Err(no(
            format!("the boot catalog is not taken: {why}"),
            "the right checksum",
        ));
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
        Some(offset) => no(
            format!("the EFI image at offset {offset} is behind the end of the volume"),
            "a volume space size that covers it",
        ),
        None => no(
            "no entry of the boot catalog leads to a FAT volume",
            "an entry for an EFI image (`boot.uefi`)",
        ),
    })
}

/// What a stick lacks that a CD has.
fn cd_alone(facts: &Description, stick: No) -> No {
    match from_catalog(facts) {
        Ok((_, volume)) => no(
            format!(
                "{}; the EFI image at offset {} is reachable from CD alone",
                stick.why, volume.offset
            ),
            "a GPT or MBR entry of the ESP's type for it",
        ),
        Err(_) => stick,
    }
}

/// EDK2 probes GPT, then El Torito, then MBR, and the first that it takes hides the others.
fn from_disk(facts: &Description) -> Way<'_> {
    let catalog = facts.boot_catalog.as_ref();
    let takes_catalog =
        catalog.is_some_and(|catalog| catalog.refused.is_none()) && facts.el_torito.iter().any(|entry| entry.bootable);
    if taken_gpt(facts, 512).is_ok() || !takes_catalog {
        return from_partition(facts, 512);
    }
    let (way, volume) = from_catalog(facts)?;
    Ok((format!("firmware that looks for it on disks too: {way}"), volume))
}

/// Whether firmware takes the GPT for logical sectors of a size.
fn taken_gpt(facts: &Description, sector_size: u64) -> Result<(), No> {
    let table = facts.gpt.iter().find(|table| table.sector_size == sector_size);
    let Some(table) = table else {
        let why = format!("there is no GPT for logical sectors of {sector_size} bytes");
        return Err(no(why, "a layout with one (`disk.layout`)"));
    };
    match &table.refused {
        None => Ok(()),
        Some(why) => Err(no(
            format!("the GPT is not taken: {why}"),
            "both GPTs and a slot of type EE at LBA 1 written anew",
        )),
    }
}

/// EDK2 probes GPT, then MBR, and takes a FAT volume whatever the type of its partition.
fn from_partition(facts: &Description, sector_size: u64) -> Way<'_> {
    let table = match taken_gpt(facts, sector_size) {
        Ok(()) => "gpt",
        // An MBR counts in sectors of 512 bytes, and a GPT that is not taken tells more than one that is not there.
        Err(no) if sector_size != 512 || (facts.mbr.is_none() && !facts.gpt.is_empty()) => return Err(no),
        Err(_) if facts.mbr.is_none() => {
            return Err(no("there is no partition table", "a GPT with an ESP (`disk.layout`)"));
        }
        Err(_) => "mbr",
    };
    let shown = table.to_uppercase();
    let mut refused = None;
    let of_table = |p: &&Partition| {
        let kind = p.kind.as_str();
        p.table == table && p.sector_size == sector_size && !matches!(kind, "empty" | "protective")
    };
    let (esps, others): (Vec<_>, Vec<_>) = facts.partitions.iter().filter(of_table).partition(|p| p.kind == "esp");
    for partition in esps.into_iter().chain(others) {
        let Some(volume) = facts.esp.iter().find(|volume| volume.offset == partition.start) else {
            continue;
        };
        let number = partition.number;
        if let Some(why) = &partition.refused {
            let why = format!("{shown} partition {number} is not taken: {why}");
            refused = Some(no(why, "entries that are apart from each other and inside the disk"));
            continue;
        }
        let way = match partition.kind.as_str() {
            "esp" => format!("{shown} partition {number} is an ESP"),
            kind => format!("{shown} partition {number} of type {kind}, not of the ESP's, is a FAT volume"),
        };
        return Ok((way, volume));
    }
    Err(refused.unwrap_or_else(|| {
        let why = match facts.gpt.iter().find_map(|gpt| gpt.refused.as_ref()) {
            Some(why) if table == "mbr" => format!("the GPT is not taken: {why}; and the MBR has no ESP"),
            _ => format!("the {shown} has no ESP"),
        };
        no(why, "a partition of the ESP's type with a FAT volume")
    }))
}
