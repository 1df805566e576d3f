//! What UEFI starts, and the way there.

use super::{Judged, No, no};
use crate::facts::cell::{Firmware, Medium};
use crate::facts::{BootEntry, Common, EspFacts, LoaderFacts, Partition, PartitionKind, PartitionTable, esp_name};
use crate::formats::el_torito::Emulation;
use crate::formats::pe::Machine;

/// UEFI 3.5.1.1: what a firmware starts in `/EFI/BOOT`, and the machine that it is for.
fn default_loader(firmware: Firmware) -> (&'static str, Machine) {
    match firmware {
        Firmware::UefiIa32 => ("BOOTIA32.EFI", Machine::Ia32),
        Firmware::UefiAa64 => ("BOOTAA64.EFI", Machine::Aa64),
        _ => ("BOOTX64.EFI", Machine::X64),
    }
}

/// Whether there is something that a UEFI firmware would start if it found it; one that wants a signature, something signed.
pub fn has_loader(facts: &Common, firmware: Firmware) -> bool {
    let (name, _) = default_loader(firmware);
    let is_it = |loader: &LoaderFacts| {
        let is_named = loader.path.to_ascii_uppercase().ends_with(&format!("/{name}"));
        is_named && (!firmware.is_secure() || !loader.signatures.is_empty())
    };
    firmware != Firmware::Bios && facts.esp.iter().flat_map(|volume| &volume.loaders).any(is_it)
}

/// Whether the firmware finds a loader, and by `start` whether it starts that and what is behind it.
pub(super) fn uefi(
    facts: &Common,
    firmware: Firmware,
    medium: Medium,
    start: &dyn Fn(&EspFacts, &LoaderFacts) -> Judged,
) -> Judged {
    let Found {
        way,
        volume,
        by_catalog,
    } = match medium {
        Medium::Cd => from_catalog(facts)?,
        Medium::Usb => from_partition(facts, 512).map_err(|no| cd_alone(facts, no))?,
        Medium::Disk => from_disk(facts)?,
        Medium::Usb4kn | Medium::Disk4kn => from_partition(facts, 4096)?,
    };
    let (name, machine) = default_loader(firmware);
    let Some(loader) = volume.program(&format!("/EFI/BOOT/{name}")) else {
        let why = format!("{way} without /EFI/BOOT/{name}");
        return Err(no(why, format!("a loader for {machine} of that name")));
    };
    let way = format!("{way} with {}", loader.path);
    if loader.machine != Some(machine) {
        let why = format!(
            "{way}, which is not a program for {machine}: its machine is {}",
            loader.machine_word()
        );
        return Err(no(why, format!("a loader for {machine} of that name")));
    }
    if by_catalog {
        is_within(facts, volume, loader)?;
    }
    match start(volume, loader) {
        Ok(by) => Ok(format!("{way}{by}")),
        Err(refused) => Err(no(format!("{way}, {}", refused.why), refused.mend)),
    }
}

/// How a firmware comes to a FAT volume.
struct Found<'a> {
    /// The words that lead there.
    way: String,
    volume: &'a EspFacts,
    /// By a boot catalog, whose entry says how far it is read.
    by_catalog: bool,
}

type Way<'a> = Result<Found<'a>, No>;

/// EDK2 takes every entry of the catalog, whatever its platform, that holds a file system.
fn from_catalog(facts: &Common) -> Way<'_> {
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
        let leads_to = |volume: &&EspFacts| volume.offset == entry.offset || entry.inside.contains(&volume.offset);
        let Some(volume) = facts.esp.iter().find(leads_to) else {
            continue;
        };
        // Of a hard disk the partition in it says how long it is, and firmware does not ask.
        if entry.length == 0 && entry.emulation == Emulation::None {
            outside = Some(entry.offset);
            continue;
        }
        let way = format!("the boot catalog leads to an ESP at offset {}", volume.offset);
        return Ok(Found {
            way,
            volume,
            by_catalog: true,
        });
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

/// Where the boot image that a volume is in ends for EDK2, if the catalog says so: it counts in blocks of 2048 bytes, not of 512, and takes
/// 0 and 1 for the rest of the volume.
fn limit(entry: &BootEntry) -> Option<u64> {
    // A floppy is as long as its kind.
    (entry.load_sectors > 1 && matches!(entry.emulation, Emulation::None | Emulation::HardDisk))
        .then(|| entry.offset + u64::from(entry.load_sectors) * 2048)
}

/// The catalog's entries for FAT volumes that are longer than what EDK2 reads of them.
fn too_short<'a>(facts: &'a Common, volume: &'a EspFacts) -> impl Iterator<Item = u64> + 'a {
    let entries = facts.el_torito.iter().filter(|entry| entry.bootable);
    let to_it = entries.filter(|entry| entry.offset == volume.offset || entry.inside.contains(&volume.offset));
    to_it
        .filter_map(limit)
        .filter(|&end| end < volume.offset + volume.length)
}

/// Whether the verdicts depend on where in a FAT volume a loader is: `extents` has to be there then.
pub fn needs_extents(facts: &Common) -> bool {
    facts.esp.iter().any(|volume| too_short(facts, volume).next().is_some())
}

/// Whether EDK2 reads as far as the end of a loader in a boot image that is cut by its own catalog entry.
fn is_within(facts: &Common, volume: &EspFacts, loader: &LoaderFacts) -> Result<(), No> {
    let Some(end) = too_short(facts, volume).min() else {
        return Ok(());
    };
    let number = facts
        .esp
        .iter()
        .position(|one| one.offset == volume.offset)
        .unwrap_or(0)
        + 1;
    let path = format!(
        "{}{}",
        esp_name(number),
        crate::ground::text::lossless(loader.path.as_bytes())
    );
    let extents = facts.extents.iter().filter(|extent| extent.paths.contains(&path));
    let needed = extents.map(|extent| extent.offset + extent.length).max();
    match needed {
        Some(needed) if needed > end => Err(no(
            format!(
                "EDK2 reads the EFI image at offset {} to byte {end}, as far as its catalog entry counts in blocks of 2048 bytes, and {} \
                 ends at {needed}",
                volume.offset, loader.path
            ),
            "a count of 0, which is all of it",
        )),
        _ => Ok(()),
    }
}

/// What a stick lacks that a CD has.
fn cd_alone(facts: &Common, stick: No) -> No {
    match from_catalog(facts) {
        Ok(Found { volume, .. }) => no(
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
fn from_disk(facts: &Common) -> Way<'_> {
    let catalog = facts.boot_catalog.as_ref();
    let takes_catalog =
        catalog.is_some_and(|catalog| catalog.refused.is_none()) && facts.el_torito.iter().any(|entry| entry.bootable);
    if taken_gpt(facts, 512).is_ok() || !takes_catalog {
        return from_partition(facts, 512);
    }
    let found = from_catalog(facts)?;
    Ok(Found {
        way: format!("firmware that looks for it on disks too: {}", found.way),
        ..found
    })
}

/// Whether firmware takes the GPT for logical sectors of a size.
fn taken_gpt(facts: &Common, sector_size: u64) -> Result<(), No> {
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

/// A disk without a partition table, which begins with the boot sector of a FAT volume.
fn from_whole(facts: &Common, sector_size: u64) -> Way<'_> {
    let Some(volume) = facts.esp.iter().find(|volume| volume.offset == 0) else {
        return Err(no("there is no partition table", "a GPT with an ESP (`disk.layout`)"));
    };
    if u64::from(volume.sector_size) != sector_size {
        return Err(no(
            format!(
                "the whole disk is a FAT volume, which counts in sectors of {} bytes",
                volume.sector_size
            ),
            format!("a FAT volume for logical sectors of {sector_size} bytes"),
        ));
    }
    Ok(Found {
        way: "the whole disk is a FAT volume".into(),
        volume,
        by_catalog: false,
    })
}

/// EDK2 probes GPT, then MBR, and takes a FAT volume whatever the type of its partition.
fn from_partition(facts: &Common, sector_size: u64) -> Way<'_> {
    if facts.boot_sector.is_some() {
        return from_whole(facts, sector_size);
    }
    let table = match taken_gpt(facts, sector_size) {
        Ok(()) => PartitionTable::Gpt,
        // An MBR counts in sectors of 512 bytes, and a GPT that is not taken tells more than one that is not there.
        Err(no) if sector_size != 512 || (facts.mbr.is_none() && !facts.gpt.is_empty()) => return Err(no),
        Err(_) if facts.mbr.is_none() => {
            return Err(no("there is no partition table", "a GPT with an ESP (`disk.layout`)"));
        }
        Err(_) => PartitionTable::Mbr,
    };
    let shown = table.to_string().to_uppercase();
    let mut refused = None;
    let of_table = |p: &&Partition| p.table == table && p.sector_size == sector_size && !p.kind.is_none();
    let (esps, others): (Vec<_>, Vec<_>) = facts
        .partitions
        .iter()
        .filter(of_table)
        .partition(|p| p.kind == PartitionKind::Esp);
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
        let way = match &partition.kind {
            PartitionKind::Esp => format!("{shown} partition {number} is an ESP"),
            kind => format!("{shown} partition {number} of type {kind}, not of the ESP's, is a FAT volume"),
        };
        return Ok(Found {
            way,
            volume,
            by_catalog: false,
        });
    }
    Err(refused.unwrap_or_else(|| {
        let why = match facts.gpt.iter().find_map(|gpt| gpt.refused.as_ref()) {
            Some(why) if table == PartitionTable::Mbr => format!("the GPT is not taken: {why}; and the MBR has no ESP"),
            _ => format!("the {shown} has no ESP"),
        };
        no(why, "a partition of the ESP's type with a FAT volume")
    }))
}
