//! The description of an image. Some facts are known to its plan and to a reader of the image, others to one of them.

use super::{
    BootCatalog, BootEntry, BootSector, Counts, EspFacts, Extent, FileSystem, GptFacts, Identifiers, MappedName,
    MbrFacts, MenuFacts, MenuProgram, PartFacts, Partition, Verdict, VolumeFacts,
};
use crate::formats::authenticode::Certificate;
use serde::Serialize;

/// A whole image, described.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The facts that the plan and a reader of the image both know.
    pub facts: Common,
    /// What only a plan knows.
    pub planned: Planned,
    /// What only a reader finds.
    pub found: Found,
    /// A verdict for each firmware and medium. A plan knows more reasons than an image.
    pub cells: Vec<Verdict>,
}

impl Description {
    /// What a person should know before using the image.
    pub fn warnings(&self) -> impl Iterator<Item = &String> {
        self.planned.warnings.iter().chain(&self.found.remarks)
    }
}

/// The facts that the plan of an image and a reader of the image both know. They are equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Common {
    /// ECMA-119 §9.4.7, without its padding.
    pub volume_id: String,
    /// Of the image.
    pub size: u64,
    /// The MD5 sum that is implanted in the volume, in hexadecimal. A plan knows it once the image is built.
    pub media_md5: Option<String>,
    /// The other identifiers of the primary volume descriptor.
    pub identifiers: Identifiers,
    /// The indexes over the tree.
    pub filesystems: Vec<FileSystem>,
    /// How many names the richest index holds.
    pub counts: Counts,
    /// The boot catalog itself.
    pub boot_catalog: Option<BootCatalog>,
    /// The entries of the boot catalog, in its order.
    pub el_torito: Vec<BootEntry>,
    /// What the first logical sector holds beside partitions.
    pub mbr: Option<MbrFacts>,
    /// What the first logical sector holds if the whole disk is a FAT volume.
    pub boot_sector: Option<BootSector>,
    /// Each GPT that is there.
    pub gpt: Vec<GptFacts>,
    /// Entries of every partition table, by table, sector size and number.
    pub partitions: Vec<Partition>,
    /// FAT volumes that firmware can find an EFI loader in.
    pub esp: Vec<EspFacts>,
    /// Sorted, disjoint, and covering every byte that is not zero padding.
    pub extents: Vec<Extent>,
    /// What the built-in loader's menu starts under UEFI on a 64-bit PC, if Secure Boot could start the loader.
    pub menu_programs: Vec<MenuProgram>,
    /// Structures that contradict their standard: those of a ready ESP, in an image of ours.
    pub faults: Vec<String>,
}

/// What only a plan, or a build of it, knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planned {
    /// Of the image, in hexadecimal, if it has been written.
    pub sha256: Option<String>,
    /// The files that have been written.
    pub outputs: Vec<OutputFacts>,
    /// The host file or the manifest's key that the bytes of each extent come from, in the order of [`Common::extents`].
    pub sources: Vec<Option<String>>,
    /// What a person should know before using the image.
    pub warnings: Vec<String>,
    /// What the built-in loader shows under each firmware.
    pub menu: Vec<MenuFacts>,
    /// Whose certificate the built-in loader is signed with.
    pub owner: Option<Certificate>,
    /// Files of other people's loaders that the image is made of, in the order in which they were read.
    pub parts: Vec<PartFacts>,
    /// Names that an index cannot hold as they are.
    pub name_map: Vec<MappedName>,
    /// What is changed in an existing image.
    pub changed: Option<Changed>,
}

/// A file that the image has been written to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputFacts {
    /// Its path.
    pub path: String,
    /// Its form, as a manifest names it.
    pub format: String,
    /// In bytes.
    pub size: u64,
    /// Of the file, in hexadecimal.
    pub sha256: Option<String>,
}

/// What is changed in an existing image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    /// Each stretch of bytes that is not the base's at its place, by offset.
    pub extents: Vec<Extent>,
    /// By how many bytes the image is larger.
    pub grows: u64,
    /// Bytes of the base from this offset on have moved by `grows` bytes.
    pub moved_from: u64,
}

/// What only a reader of an image finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Parts of the image that are not described, and harmless differences between its indexes.
    pub remarks: Vec<String>,
    /// The file systems of partitions, in the order of their numbers. Beside ISO 9660 or UDF the FAT volumes are left out.
    pub volumes: Vec<VolumeFacts>,
}
