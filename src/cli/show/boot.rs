//! What firmware looks at, as text: the boot catalog, the partitions, the FAT volumes with loaders, and the menu.

use std::fmt::Write as _;

use crate::facts::{Common, Description, MenuFacts, PartitionTable, SignatureFacts, VolumeFacts};
use crate::ground::text;

/// A paragraph for each that is there.
pub(super) fn sections(out: &mut String, image: &Description) {
    boot_catalog(out, &image.facts);
    partitions(out, image);
    esp(out, &image.facts);
    menu(out, &image.planned.menu);
}

fn boot_catalog(out: &mut String, facts: &Common) {
    if facts.el_torito.is_empty() {
        return;
    }
    let checksum = facts.boot_catalog.as_ref().map_or(0, |catalog| catalog.checksum);
    let _ = writeln!(out, "\nboot catalog, checksum {checksum:04x}");
    for entry in &facts.el_torito {
        let _ = writeln!(
            out,
            "  {:<5}{} emulation {}, {} sectors to load, offset {}, length {}{}",
            entry.platform,
            if entry.bootable { "" } else { " not bootable," },
            entry.emulation,
            entry.load_sectors,
            entry.offset,
            entry.length,
            if entry.info_table.is_some() {
                ", boot info table"
            } else {
                ""
            }
        );
    }
}

fn partitions(out: &mut String, image: &Description) {
    let facts = &image.facts;
    if facts.partitions.is_empty() && facts.mbr.is_none() && facts.gpt.is_empty() {
        return;
    }
    let _ = writeln!(out, "\npartitions");
    if let Some(mbr) = &facts.mbr {
        let code = if mbr.boot_code { "boot code" } else { "no boot code" };
        let _ = writeln!(out, "  mbr: {code}, disk signature {:08x}", mbr.disk_signature);
    }
    for gpt in &facts.gpt {
        let _ = writeln!(
            out,
            "  gpt: sectors of {} bytes, disk {}, CRC-32 of the header {:08x} and of the entries {:08x}",
            gpt.sector_size, gpt.disk_guid, gpt.header_crc32, gpt.entries_crc32
        );
    }
    for partition in &facts.partitions {
        let mut volumes = image.found.volumes.iter();
        let volume = volumes.find(|volume| volume.partition.is_some() && volume.offset == partition.start);
        let _ = writeln!(
            out,
            "  {} {}  {:<10} start {:>10}  length {:>12}{}{}{}{}",
            partition.table,
            partition.number,
            partition.kind,
            partition.start,
            partition.length,
            if partition.active == Some(true) { "  active" } else { "" },
            partition
                .name
                .as_ref()
                .map_or(String::new(), |name| format!("  {}", text::visible(name.as_bytes()))),
            // Each of several tables counts from 1.
            match partition.table == PartitionTable::Gpt && facts.gpt.len() > 1 {
                true => format!("  by sectors of {} bytes", partition.sector_size),
                false => String::new(),
            },
            volume.map_or(String::new(), in_partition)
        );
    }
}

/// The file system in a partition, and why it is not read if it could be expected.
fn in_partition(volume: &VolumeFacts) -> String {
    let mut line = format!("  holds {}", volume.filesystem);
    if let Some(label) = &volume.label {
        let _ = write!(line, " {}", text::visible(label.as_bytes()));
    }
    if let Some(why) = &volume.unread {
        let _ = write!(line, ", which is not read: {}", text::visible(why.as_bytes()));
    }
    line
}

fn esp(out: &mut String, facts: &Common) {
    for esp in &facts.esp {
        let _ = writeln!(
            out,
            "\nFAT volume at {}: {}, clusters of {} bytes{}{}",
            esp.offset,
            esp.kind,
            esp.cluster_size,
            if esp.label.is_empty() { "" } else { ", label " },
            text::visible(esp.label.as_bytes())
        );
        for loader in &esp.loaders {
            let signed = match loader.signatures.as_slice() {
                [] => "not signed".to_owned(),
                all => all.iter().map(signature).collect::<Vec<_>>().join("; "),
            };
            let what = if loader.unified { ", a unified kernel image" } else { "" };
            let _ = writeln!(
                out,
                "  {}  {}{what}, {signed}",
                text::visible(loader.path.as_bytes()),
                loader.machine_word()
            );
        }
    }
}

/// Who has signed, and under which authorities of firmware.
fn signature(signature: &SignatureFacts) -> String {
    let visible = |name: &str| text::visible(name.as_bytes());
    match (&signature.fault, &signature.signer) {
        (Some(fault), _) => visible(fault),
        (None, signer) => {
            let signer = visible(signer.as_deref().unwrap_or("nobody known"));
            let authorities: Vec<&str> = signature.authorities.iter().map(|authority| authority.name()).collect();
            match authorities.as_slice() {
                [] => format!("signed with a certificate of the name {signer}"),
                names => format!("signed by {signer} under {}", names.join(", ")),
            }
        }
    }
}

/// What each firmware's menu shows.
fn menu(out: &mut String, firmware: &[MenuFacts]) {
    if firmware.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nmenu");
    for menu in firmware {
        let entries: Vec<String> = menu
            .entries
            .iter()
            .map(|title| text::visible(title.as_bytes()))
            .collect();
        let shown = match &menu.lacks {
            Some(why) if entries.is_empty() => format!("nothing: {}", text::visible(why.as_bytes())),
            _ => entries.join(", "),
        };
        let _ = writeln!(out, "  {:<10} {shown}", menu.firmware);
    }
}
