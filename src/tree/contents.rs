//! All that goes into an image, and nothing about where.

use std::path::PathBuf;

use super::{Patch, PayloadId, Tree};
use crate::facts::{Extent, LoaderFacts, MenuFacts, PartFacts};
use crate::formats::authenticode::Certificate;
use crate::formats::el_torito::{Emulation, Platform};
use crate::formats::fat;
use crate::formats::iso9660::Identifiers;
use crate::ground::spool::Decompressed;
use crate::ground::time::Timestamp;

/// Everything that goes into an image.
#[derive(Debug)]
pub struct Contents {
    /// The ISO 9660 tree, and the payloads of all formats.
    pub tree: Tree,
    /// The manifest's directory, which the paths of host files are shown relative to.
    pub base: PathBuf,
    /// Identifiers of the volume.
    pub identifiers: Identifiers,
    /// Every date that no input brings along.
    pub timestamp: Timestamp,
    /// Whether the primary hierarchy has Rock Ridge.
    pub rock_ridge: bool,
    /// Whether there is a Joliet hierarchy.
    pub joliet: bool,
    /// Whether there is a UDF volume.
    pub udf: bool,
    /// All that is in the ISO 9660 tree, if UDF alone has the tree.
    pub readme: Option<PayloadId>,
    /// Whether the sum of the image is implanted in it.
    pub implant_md5: bool,
    /// The list of the tree's files and their digests.
    pub checksums: Option<Checksums>,
    /// Entries of the boot catalog, the default one first.
    pub boot: Vec<BootImage>,
    /// The ESP.
    pub esp: Option<Esp>,
    /// The boot code of the MBR.
    pub boot_code: Option<[u8; 440]>,
    /// What is patched into the boot code: the address of the first boot image.
    pub boot_code_patch: Option<Patch>,
    /// What the built-in loader shows under each firmware.
    pub menu: Vec<MenuFacts>,
    /// Whose certificate the loader is signed with.
    pub owner: Option<Certificate>,
    /// Files of other people's loaders that it is made of.
    pub parts: Vec<PartFacts>,
    /// The partition tables.
    pub tables: Tables,
    /// What the user should know of the inputs.
    pub warnings: Vec<String>,
    /// The files to which inputs were decompressed, which payloads come from. They are there while this is.
    pub _decompressed: Vec<Decompressed>,
}

/// Which partition tables an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    /// The word for them in a manifest, of which the identity of the image is made.
    pub word: &'static str,
    /// What the slots of the MBR hold; none where the system area stays zero.
    pub mbr: Option<Slots>,
    /// Bytes in a logical sector, for each GPT.
    pub gpt: &'static [u64],
    /// Bytes in a logical sector, for each ESP that is made of files.
    pub esps: &'static [u32],
}

/// What the slots of an MBR hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// The protective slot of a GPT.
    Protective,
    /// The protective slot of a GPT, and an active one of type 0.
    ProtectiveActive,
    /// The ESP, and an active slot of type 0.
    Esp,
    /// The whole image, active, and the ESP.
    Whole,
}

/// An entry of the boot catalog.
#[derive(Debug)]
pub struct BootImage {
    /// Who starts it.
    pub platform: Platform,
    /// How it is presented.
    pub emulation: Emulation,
    /// 0 stands for 0x7C0.
    pub load_segment: u16,
    /// The partition type of a hard-disk image.
    pub system_type: u8,
    /// 512-byte virtual sectors to load.
    pub sectors: u16,
    /// Of a hard-disk image: the end of its one partition.
    pub disk_length: Option<u64>,
    /// The byte behind the last of the image that is not zero.
    pub end: u64,
    /// The bytes.
    pub image: BootBytes,
}

/// Where the bytes of a boot image are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootBytes {
    /// A payload, with a name in the tree or without one.
    Payload(PayloadId),
    /// The whole ESP.
    Esp,
}

/// The EFI system partition.
#[derive(Debug)]
pub enum Esp {
    /// Made of these files: path and payload, sorted by path.
    Files {
        /// Components in the FAT, and the payload.
        files: Vec<(Vec<String>, PayloadId)>,
        /// In bytes; none for what the files need and a little.
        size: Option<u64>,
        /// What firmware would start.
        loaders: Vec<LoaderFacts>,
    },
    /// A ready FAT volume.
    Image {
        /// The volume's bytes.
        payload: PayloadId,
        /// What its own index says.
        contents: Box<fat::Contents>,
        /// Its extents relative to its first byte.
        extents: Vec<Extent>,
        /// What firmware would start.
        loaders: Vec<LoaderFacts>,
    },
}

impl Esp {
    /// The programs that firmware or shim would start.
    pub fn loaders(&self) -> &[LoaderFacts] {
        match self {
            Self::Files { loaders, .. } | Self::Image { loaders, .. } => loaders,
        }
    }
}

/// The list in the tree.
#[derive(Debug)]
pub struct Checksums {
    /// Its bytes, with zeros for every digest.
    pub payload: PayloadId,
    /// Where in it 64 hexadecimal digits stand for which payload.
    pub places: Vec<(usize, PayloadId)>,
}

/// Whether a file of the ESP is in the one for media with sectors of 4096 bytes too, which a `multi-sector` image has. It is in the ISO
/// 9660 tree as well, as loaders are.
pub(crate) fn in_second_esp(path: &[String]) -> bool {
    path.first().is_some_and(|first| first.eq_ignore_ascii_case("EFI"))
}
