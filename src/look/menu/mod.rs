//! The boot menus of an image, as its loaders would show them: every entry of every configuration, in the tree and in the FAT volumes.
//!
//! Each family of loaders has a file here that reads its language. What they share is in `reading.rs`: the volumes, the entries, and the
//! limits on what a hostile image can ask for.

pub mod arguments;
mod bsd;
pub mod change;
mod entries;
mod grub;
pub mod initrds;
mod own;
mod reading;
mod roots;
mod syslinux;
#[cfg(test)]
mod tests;
mod unified;
mod volumes;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;

use crate::facts::cell::Firmware;
use crate::ground::read_at::ReadAt;
use crate::look::contents::{ContentsError, Item, Place, Tree};
use crate::look::inspect;

use reading::Reading;
use volumes::Volumes;
pub use volumes::{File, TREE};

/// Every entry that the loaders of an image show.
#[derive(Debug, Default, Serialize)]
pub struct Menu {
    /// In the order of firmware and configuration, and as they stand there.
    pub entries: Vec<Entry>,
    /// The configurations that were read.
    pub configurations: Vec<Configuration>,
    /// Faults in the configurations, and parts of them that were not read.
    pub notes: Vec<String>,
    /// Those of them that tell of files that are not among the configurations, or are not read to their end.
    #[serde(skip)]
    pub unread: Vec<String>,
    /// The volume identifier of the tree, by which arguments name the medium.
    #[serde(skip)]
    pub label: String,
}

/// A file that a loader reads its menu from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// Its place, such as `iso:/boot/grub/grub.cfg`.
    pub config: String,
    /// Who reads it.
    pub loader: Loader,
    /// The same place as a file.
    #[serde(skip)]
    pub file: File,
    /// Its bytes.
    #[serde(skip)]
    pub text: Arc<[u8]>,
}

/// A family of loaders, by the language of its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    /// GRUB 2.
    Grub,
    /// ISOLINUX and its relatives.
    Syslinux,
    /// systemd-boot: the entries of the Boot Loader Specification.
    SystemdBoot,
    /// isobuild's own.
    Builtin,
    /// FreeBSD's.
    Freebsd,
}

/// What a menu offers under one firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What starts the loader.
    pub firmware: Firmware,
    /// What the menu shows.
    pub title: String,
    /// The menus that lead to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub submenu: Vec<String>,
    /// The configuration that it stands in, such as `iso:/boot/grub/grub.cfg`.
    pub config: String,
    /// The operating system's kernel, as the configuration names it.
    pub kernel: Option<String>,
    /// What is loaded beside the kernel.
    pub initrd: Vec<String>,
    /// The kernel's arguments. A variable that is not known here stands as `${name}`.
    pub cmdline: String,
    /// Another program that is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What the entry does if it starts nothing, such as `reboot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The condition for the entry to be shown, if it is false or cannot be evaluated here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The entry is for a GRUB that starts the image as a file on another medium.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub loopback: bool,
    /// Files that the entry names and that are missing.
    pub missing: Vec<String>,
    /// The kernel's file, if it is there.
    #[serde(skip)]
    pub kernel_file: Option<File>,
    /// Those of `initrd` that are there.
    #[serde(skip)]
    pub initrd_files: Vec<File>,
    /// The file of `program`, if it is there.
    #[serde(skip)]
    pub program_file: Option<File>,
    /// Whether it is the default entry. False in menus of SYSLINUX, whose default is not read.
    #[serde(skip)]
    pub is_default: bool,
}

impl Menu {
    /// The loader that shows an entry.
    pub fn loader(&self, entry: &Entry) -> Option<Loader> {
        let known = self.configurations.iter().find(|known| known.config == entry.config);
        match known {
            Some(known) => Some(known.loader),
            // systemd-boot shows a unified kernel image without a configuration.
            None => entry.program_file.as_ref().map(|_| Loader::SystemdBoot),
        }
    }
}

/// Reads every configuration of the image.
///
/// # Errors
/// When the image cannot be read.
pub fn read(image: &dyn ReadAt) -> Result<Menu, ContentsError> {
    let (tree, _) = Tree::of(image, Place::Tree(b"/".to_vec()))?;
    Ok(Reader::new(image, Rc::new(tree))?.read())
}

/// An image whose menus are read more than once.
pub struct Reader<'i> {
    volumes: Volumes<'i>,
    has_bios: bool,
}

impl<'i> Reader<'i> {
    /// Reads what is in each volume. The `tree` is that of the image.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn new(image: &'i dyn ReadAt, tree: Rc<Tree>) -> Result<Self, ContentsError> {
        Ok(Self {
            volumes: Volumes::new(image, tree)?,
            has_bios: reading::has_bios(&inspect::boot_structures(image)?),
        })
    }

    /// The programs that firmware starts by default, and those that systemd-boot shows without a configuration (UAPI.1, "Type #2").
    pub fn default_programs(&self) -> impl Iterator<Item = File> {
        let is_one = |path: &[u8]| {
            let path = String::from_utf8_lossy(path).to_ascii_lowercase();
            let is_there = path.starts_with("/efi/boot/boot") || path.starts_with("/efi/linux/");
            is_there && path.ends_with(".efi")
        };
        self.volumes.all().flat_map(move |(volume, contents)| {
            let items = contents.tree.items().iter().filter(move |item| is_one(&item.path));
            items.map(move |item| File {
                volume,
                path: item.path.clone(),
            })
        })
    }

    /// A file of one of the volumes.
    pub fn item(&self, file: &File) -> Option<&Item> {
        self.volumes.item(file)
    }

    /// Reads the menus.
    pub fn read(&self) -> Menu {
        self.read_with(&HashMap::new())
    }

    /// Reads the menus as if some files had other texts.
    pub fn read_with(&self, texts: &HashMap<File, Vec<u8>>) -> Menu {
        let mut reading = Reading::of(self.volumes.with_texts(texts), self.has_bios);
        roots::read(&mut reading);
        reading.finish()
    }
}

/// The menu of a tree with the label LABEL and of a FAT volume with the label ESP, in which there are files of these paths and texts.
#[cfg(any(test, feature = "inside"))]
pub fn of_texts(tree: &[(&str, &str)], esp: &[(&str, &str)]) -> Menu {
    let mut image = Vec::new();
    let volumes = volumes::Volumes::made_up(&mut image, &[("iso", "LABEL", tree), ("esp", "ESP", esp)]);
    let mut reading = Reading::of(volumes, true);
    roots::read(&mut reading);
    reading.finish()
}
