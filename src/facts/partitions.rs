//! Entries of partition tables as facts.

use std::fmt;

use super::Partition;
use crate::formats::gpt::{self, Guid};
use crate::formats::mbr::{self, Slot};

/// A partition table.
///
/// ```
/// use isobuild::{Builder, Layout, PartitionTable};
///
/// let facts = Builder::new("DISK").layout(Layout::Mbr).build()?.facts()?;
/// assert!(facts.partitions().iter().all(|partition| partition.table == PartitionTable::Mbr));
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionTable {
    /// A master boot record.
    Mbr,
    /// A GUID partition table.
    Gpt,
    /// An Apple partition map.
    Apm,
}

impl fmt::Display for PartitionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mbr => "mbr",
            Self::Gpt => "gpt",
            Self::Apm => "apm",
        })
    }
}

/// What an entry says of the contents of its partition.
///
/// ```
/// use isobuild::{Builder, Menu, PartitionKind};
///
/// let facts = Builder::new("MENU").menu(Menu::reboot()).build()?.facts()?;
/// assert!(facts.partitions().iter().any(|partition| partition.kind == PartitionKind::Esp));
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionKind {
    /// MBR: of type 0.
    Empty,
    /// MBR: in the place of a GPT.
    Protective,
    /// An EFI system partition.
    Esp,
    /// A file system of Linux.
    Linux,
    /// GPT: swap space of Linux.
    LinuxSwap,
    /// GPT: what Windows gives a letter.
    BasicData,
    /// GPT: GRUB's core image for a BIOS.
    BiosBoot,
    /// MBR: any other.
    Mbr(u8),
    /// GPT: any other.
    Gpt(Guid),
    /// The words of an Apple partition map.
    Apple(String),
}

impl PartitionKind {
    /// By the type in a slot of an MBR.
    pub(crate) fn of_mbr(kind: u8) -> Self {
        match kind {
            0 => Self::Empty,
            mbr::ESP => Self::Esp,
            mbr::PROTECTIVE => Self::Protective,
            0x83 => Self::Linux,
            other => Self::Mbr(other),
        }
    }

    /// By the type in an entry of a GPT.
    pub(crate) fn of_gpt(kind: Guid) -> Self {
        match kind {
            gpt::ESP => Self::Esp,
            gpt::LINUX_DATA => Self::Linux,
            gpt::BASIC_DATA => Self::BasicData,
            gpt::LINUX_SWAP => Self::LinuxSwap,
            gpt::BIOS_BOOT => Self::BiosBoot,
            other => Self::Gpt(other),
        }
    }

    /// Whether the entry is of no partition: it is unused, or in the place of a GPT.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::Empty | Self::Protective)
    }
}

impl fmt::Display for PartitionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.pad("empty"),
            Self::Protective => f.pad("protective"),
            Self::Esp => f.pad("esp"),
            Self::Linux => f.pad("linux"),
            Self::LinuxSwap => f.pad("linux-swap"),
            Self::BasicData => f.pad("basic-data"),
            Self::BiosBoot => f.pad("bios-boot"),
            Self::Mbr(kind) => f.pad(&format!("{kind:#04x}")),
            Self::Gpt(kind) => f.pad(&kind.to_string()),
            Self::Apple(words) => f.pad(words),
        }
    }
}

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
            PartitionKind::of_mbr(slot.kind),
            start * sector_size,
            length * sector_size,
        )
    })
}

/// A GPT partition.
pub(crate) fn gpt_partition(number: u32, partition: &gpt::Partition, sector_size: u64) -> Partition {
    Partition {
        table: PartitionTable::Gpt,
        sector_size,
        number,
        kind: PartitionKind::of_gpt(partition.kind),
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
pub(crate) fn table_entry(index: usize, sector_size: u64, kind: PartitionKind, start: u64, length: u64) -> Partition {
    Partition {
        table: PartitionTable::Mbr,
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
