//! What there is to say about an image: the words that `plan` and `inspect` share, and their JSON.
//!
//! `plan` fills a [`Description`] from the manifest's side, `inspect` from the image's bytes, and the [`Common`] of the two are equal:
//! that is a test over every example. Offsets and lengths are bytes.

pub(crate) mod boot_code;
pub(crate) mod boot_images;
pub mod cell;
mod description;
pub(crate) mod extents;
pub(crate) mod fallback;
pub(crate) mod fat;
pub(crate) mod file_system;
mod json;
pub(crate) mod loader_paths;
pub(crate) mod loaders;
pub mod menu_file;
pub(crate) mod partitions;
mod program;
pub mod secure_boot;
pub mod verdicts;
mod what;

use std::fmt;

use serde::Serialize;

use crate::facts::cell::{Cell, Firmware};
use crate::formats::el_torito::{Emulation, Platform};
use crate::formats::fat::FatKind;
use crate::formats::iso9660::Flavour;

pub use description::{Changed, Common, Description, Found, OutputFacts, Planned};
pub use partitions::{PartitionKind, PartitionTable};
pub use program::{LoaderFacts, MenuLoader, MenuProgram, ShimFacts, SignatureFacts};
pub use what::What;

/// An index over the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// ECMA-119.
    Iso9660,
    /// SUSP and RRIP over it.
    RockRidge,
    /// Its names in UCS-2.
    Joliet,
    /// The enhanced hierarchy of ISO 9660:1999.
    Iso9660Version2,
    /// ECMA-167.
    Udf,
}

impl From<Flavour> for FileSystem {
    fn from(flavour: Flavour) -> Self {
        match flavour {
            Flavour::Plain => Self::Iso9660,
            Flavour::Enhanced => Self::Iso9660Version2,
            Flavour::RockRidge => Self::RockRidge,
            Flavour::Joliet => Self::Joliet,
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Iso9660 => "iso9660",
            Self::RockRidge => "rock-ridge",
            Self::Joliet => "joliet",
            Self::Iso9660Version2 => "iso9660-1999",
            Self::Udf => "udf",
        })
    }
}

/// The menu under one firmware.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MenuFacts {
    /// Never a kind with Secure Boot, which has the same menu.
    #[serde(serialize_with = "json::word")]
    pub firmware: Firmware,
    /// Titles of the entries that can be started there, in their order.
    pub entries: Vec<String>,
    /// Why none can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
}

/// A file of another loader's that an image is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartFacts {
    /// Relative to the manifest, or the host's own; in a package, its path and the path in it.
    pub path: String,
    /// In hexadecimal.
    pub sha256: String,
}

/// Identifiers of the volume, without their padding.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Identifiers {
    /// ECMA-119 §9.4.6.
    pub system_id: String,
    /// ECMA-119 §9.4.20.
    pub volume_set_id: String,
    /// ECMA-119 §9.4.21.
    pub publisher_id: String,
    /// ECMA-119 §9.4.22.
    pub preparer_id: String,
    /// ECMA-119 §9.4.23.
    pub application_id: String,
    /// ECMA-119 §9.4.27, RFC 3339.
    pub created: String,
}

/// How many names there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// The root included.
    pub directories: u64,
    /// Names, not contents.
    pub files: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Everything else.
    pub others: u64,
}

/// El Torito §2.0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BootCatalog {
    /// Where the boot record says that it is.
    pub offset: u64,
    /// Whole logical sectors.
    pub length: u64,
    /// The checksum word of the validation entry.
    pub checksum: u16,
    /// Why firmware does not take it, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// An initial or section entry of the boot catalog.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BootEntry {
    /// Who is to start it.
    #[serde(serialize_with = "json::word")]
    pub platform: Platform,
    /// How it is presented.
    #[serde(serialize_with = "json::word")]
    pub emulation: Emulation,
    /// Whether the entry is marked bootable.
    pub bootable: bool,
    /// 512-byte virtual sectors.
    pub load_sectors: u16,
    /// 0 stands for 0x7C0.
    pub load_segment: u16,
    /// Of the boot image.
    pub offset: u64,
    /// What the firmware can read: the emulated disk, or the sectors that are loaded.
    pub length: u64,
    /// The loader's own table of addresses, where there is a right one.
    pub info_table: Option<InfoTable>,
    /// FAT volumes with EFI loaders in partitions of the image, by their first bytes.
    #[serde(skip)]
    pub inside: Vec<u64>,
}

/// The boot information table of isolinux and GRUB.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InfoTable {
    /// The boot image's length in bytes.
    pub length: u32,
    /// The sum of its 32-bit words from byte 64.
    pub checksum: u32,
}

/// The master boot record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MbrFacts {
    /// Whether there is code in the first 440 bytes.
    pub boot_code: bool,
    /// What the code starts, where it is known to start nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<Starts>,
    /// The u32 at 440.
    pub disk_signature: u32,
}

/// The boot sector of a FAT volume that is a whole disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BootSector {
    /// Whether there is code that starts something.
    pub boot_code: bool,
}

/// A file system in a partition, or on a whole disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VolumeFacts {
    /// The partition's number in the GPT where there is one, else in the MBR. `None` for a whole disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// First byte of the partition.
    pub offset: u64,
    /// Of the partition, in bytes.
    pub length: u64,
    /// What it is called, such as `ext4`.
    pub filesystem: String,
    /// The name that it has been given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// By which Linux and GRUB find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// How many names it holds. `None` if it is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Why it is not read, if it could be expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// What boot code starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starts {
    /// The one partition of the MBR that is active.
    ActivePartition,
    /// The one partition of the GPT that is marked as bootable by a BIOS (UEFI 5.3.3, bit 2).
    LegacyBootable,
}

/// A GUID partition table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GptFacts {
    /// 512 or 4096.
    pub sector_size: u64,
    /// UEFI 5.3.2.
    pub disk_guid: String,
    /// Of the primary header.
    pub header_crc32: u32,
    /// Of the partition entry array.
    pub entries_crc32: u32,
    /// Why firmware does not take it, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// An entry of a partition table.
///
/// ```
/// use isobuild::{Builder, Menu, PartitionTable};
///
/// let facts = Builder::new("MENU").menu(Menu::reboot()).build()?.facts()?;
/// let mut gpt = facts.partitions().iter().filter(|partition| partition.table == PartitionTable::Gpt);
/// let first = gpt.next().unwrap();
/// assert_eq!((first.number, first.start % first.sector_size), (1, 0));
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Partition {
    /// Which table the entry is in.
    pub table: PartitionTable,
    /// 512 or 4096; of an Apple partition map its block.
    pub sector_size: u64,
    /// From 1; logical partitions of an MBR from 5.
    pub number: u32,
    /// What the entry says of the contents.
    #[serde(rename = "type")]
    pub kind: PartitionKind,
    /// First byte.
    pub start: u64,
    /// In bytes.
    pub length: u64,
    /// GPT and Apple: the partition's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// GPT: the partition's GUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// GPT: UEFI 5.3.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<u64>,
    /// MBR: the boot indicator is 0x80.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Why firmware does not take it, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A FAT volume with EFI loaders in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EspFacts {
    /// First byte.
    pub offset: u64,
    /// By its boot sector.
    pub length: u64,
    /// How long its cluster numbers are.
    #[serde(rename = "type", serialize_with = "json::word")]
    pub kind: FatKind,
    /// In bytes.
    pub sector_size: u32,
    /// In bytes.
    pub cluster_size: u32,
    /// From the root directory.
    pub label: String,
    /// The volume's serial number.
    pub serial: u32,
    /// What firmware starts by default, `/EFI/BOOT/BOOT*.EFI`, and what shim starts behind it.
    pub loaders: Vec<LoaderFacts>,
}

impl EspFacts {
    /// The program at this path, as a FAT compares names.
    pub fn program(&self, path: &str) -> Option<&LoaderFacts> {
        self.loaders
            .iter()
            .find(|loader| loader.path.eq_ignore_ascii_case(path))
    }

    /// The program of this name in the directory of another.
    pub fn beside(&self, other: &LoaderFacts, name: &str) -> Option<&LoaderFacts> {
        let (directory, _) = other.path.rsplit_once('/')?;
        self.program(&format!("{directory}/{name}"))
    }
}

/// A run of bytes with one meaning.
///
/// ```
/// let image = isobuild::Builder::new("DATA").bytes("x", "/x").link("x", "/same").build()?;
/// let facts = image.facts()?;
/// let file = facts.extents().iter().find(|extent| extent.paths == ["iso:/x"]).unwrap();
/// assert_eq!((file.length, file.offset % 2048), (1, 0));
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// What the bytes are.
    pub what: What,
    /// Every name of it: `iso:/...`, `esp:/...`.
    pub paths: Vec<String>,
}

impl Extent {
    /// One without a name.
    pub(crate) fn new(offset: u64, length: u64, what: What) -> Self {
        Self {
            offset,
            length,
            what,
            paths: Vec::new(),
        }
    }
}

/// The verdict on one firmware with one medium.
///
/// ```
/// let facts = isobuild::Builder::new("DATA").build()?.facts()?;
/// let verdict = &facts.verdicts()[0];
/// assert_eq!((verdict.cell.to_string(), verdict.boots), ("bios-cd".to_owned(), false));
/// println!("{}: {}", verdict.cell, verdict.reason);
/// # Ok::<(), isobuild::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// `bios-cd`, `secure-boot-usb`, ...
    pub cell: Cell,
    /// By the rules of the firmware; no promise about a kernel.
    pub boots: bool,
    /// Why, and how to mend it.
    pub reason: String,
    /// The mend alone. `None` if the cell boots.
    #[serde(skip)]
    pub mend: Option<String>,
}

/// The prefix of names in a FAT volume. The first volume has the number 1.
pub(crate) fn esp_name(number: usize) -> String {
    match number {
        1 => "esp:".to_owned(),
        _ => format!("esp{number}:"),
    }
}

/// A name that an index had to change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MappedName {
    /// In the tree.
    pub path: String,
    /// Which one.
    pub index: FileSystem,
    /// What the index holds instead.
    pub name: String,
}
