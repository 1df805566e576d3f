//! Entries of partition tables as facts.

use super::Partition;
use crate::formats::gpt;
use crate::formats::mbr::{self, Slot};

/// A slot of the MBR; none for an unused one.
pub(crate) fn mbr_partition(index: usize, slot: &Slot, sector_size: u64) -> Option<Partition> {
    if *slot == Slot::default() {
        return None;
    }
    let (start, length) = (u64::from(slot.start), u64::from(slot.length));
    Some(Partition {
        active: Some(slot.active),
        ..table_entry(
            index,
            sector_size,
            mbr_kind(slot.kind),
            start * sector_size,
            length * sector_size,
        )
    })
}

/// A GPT partition.
pub(crate) fn gpt_partition(number: u32, partition: &gpt::Partition, sector_size: u64) -> Partition {
    let kind = match partition.kind {
        gpt::ESP => "esp".into(),
        gpt::LINUX_DATA => "linux".into(),
        gpt::BASIC_DATA => "basic-data".into(),
        gpt::LINUX_SWAP => "linux-swap".into(),
        gpt::BIOS_BOOT => "bios-boot".into(),
        other => other.to_string(),
    };
    Partition {
        table: "gpt".into(),
        sector_size,
        number,
        kind,
        start: partition.start,
        length: partition.length,
        name: Some(partition.name.clone()),
        guid: Some(partition.guid.to_string()),
        attributes: Some(partition.attributes),
        active: None,
        refused: None,
    }
}

/// An entry of an MBR, without what only some have.
pub(crate) fn table_entry(index: usize, sector_size: u64, kind: String, start: u64, length: u64) -> Partition {
    Partition {
        table: "mbr".into(),
        sector_size,
        number: index as u32 + 1,
        kind,
        start,
        length,
        name: None,
        guid: None,
        attributes: None,
        active: None,
        refused: None,
    }
}

/// The type of an MBR's partition in words.
pub(crate) fn mbr_kind(kind: u8) -> String {
    match kind {
        0 => "empty".into(),
        mbr::ESP => "esp".into(),
        mbr::PROTECTIVE => "protective".into(),
        0x83 => "linux".into(),
        other => format!("{other:#04x}"),
    }
}
