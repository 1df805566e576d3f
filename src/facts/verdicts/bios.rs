//! What a BIOS starts.

use super::{Judged, No, no};
use crate::facts::cell::Medium;
use crate::facts::{Common, Partition, Starts};
use crate::formats::el_torito::Platform;

pub(super) fn bios(facts: &Common, medium: Medium) -> Judged {
    match medium {
        Medium::Cd => {
            let Some(entry) = facts.el_torito.first() else {
                return Err(no("there is no boot catalog", "one with a BIOS image (`boot.bios`)"));
            };
            if entry.platform != Platform::Bios {
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
            if let Some(sector) = &facts.boot_sector {
                return match sector.boot_code {
                    true => Ok("the whole disk is a FAT volume, whose boot sector has boot code".into()),
                    false => Err(no(
                        "the whole disk is a FAT volume, whose boot sector has no boot code",
                        "a boot sector with code, as `syslinux --install` writes it",
                    )),
                };
            }
            let code = "one with boot code (`boot.bios.mbr`)";
            match &facts.mbr {
                None => return Err(no("there is no MBR", code)),
                Some(mbr) if !mbr.boot_code => return Err(no("the MBR has no boot code", code)),
                Some(mbr) => finds_partition(facts, mbr.starts)?,
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

/// Boot code that starts a partition needs exactly one that is marked for it.
fn finds_partition(facts: &Common, starts: Option<Starts>) -> Result<(), No> {
    /// UEFI 5.3.3, bit 2.
    const LEGACY_BOOTABLE: u64 = 4;
    let count = |is_marked: &dyn Fn(&Partition) -> bool| facts.partitions.iter().filter(|one| is_marked(one)).count();
    let (marked, of) = match starts {
        None => return Ok(()),
        Some(Starts::ActivePartition) => (
            // A protective one begins with a GPT's header, and one of no type nowhere: neither with code.
            count(&|one| one.active == Some(true) && !one.kind.is_none()),
            "active partition of the MBR",
        ),
        Some(Starts::LegacyBootable) => (
            count(&|one| one.attributes.is_some_and(|bits| bits & LEGACY_BOOTABLE != 0)),
            "partition of the GPT that is marked legacy-bootable",
        ),
    };
    match marked {
        1 => Ok(()),
        0 => Err(no(
            format!("the MBR's boot code starts the {of}, but the image has no such partition"),
            "such a partition, or boot code that starts the image (`boot.bios.mbr`)",
        )),
        many => Err(no(
            format!("the MBR's boot code starts the {of}, but the image has {many} of them"),
            "one such partition",
        )),
    }
}
