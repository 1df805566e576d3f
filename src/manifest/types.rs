//! What a manifest may say, key by key. Every value keeps its place in the text, so that an error can underline it.

mod base;
mod boot;
mod uki;

use std::marker::PhantomData;
use std::path::Path;

use super::at::At;
use super::reference::Reference;
use super::values::Date;
use crate::ground::read_at::Shared;
use crate::output::FileFormat;
use serde::{Deserialize, Deserializer};

use super::Test;

pub use base::*;
pub use boot::*;
pub use uki::*;

/// A string and where it stands.
pub type Text = At<String>;

/// The whole manifest.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// The files to write, relative to the manifest. Default: the manifest's stem and `.iso`.
    #[serde(deserialize_with = "one_or_many")]
    pub output: Vec<Text>,
    /// The form of every file. Default: the suffix of each name says it.
    pub format: Option<At<FormatName>>,
    /// The level of the compression.
    pub level: Option<At<u32>>,
    /// Whether a build writes the SHA-256 of each file into a second file beside it.
    pub sha256_file: bool,
    /// ECMA-119 §9.4.7. Default: from the output's stem.
    pub volume_id: Option<Text>,
    /// How the ISO 9660 volume describes itself.
    pub iso: Iso,
    /// The existing image that is changed.
    pub base: Option<At<Base>>,
    /// What goes into the tree, in order.
    pub files: Vec<At<Files>>,
    /// What firmware starts.
    pub boot: Boot,
    /// What the loader's menu shows, in order.
    pub menu: Vec<At<MenuEntry>>,
    /// How the image presents itself as a disk.
    pub disk: Disk,
    /// What it has to show when it boots.
    pub test: Test,
}

impl Manifest {
    /// Whether it says how the image is started.
    pub fn boots(&self) -> bool {
        let boot = &self.boot;
        boot.bios.is_some() || boot.uefi.is_some() || !boot.entry.is_empty() || !self.menu.is_empty()
    }

    /// Who shows the menu.
    pub fn loader(&self) -> Loader {
        match &self.boot.loader {
            Some(loader) => *loader.get_ref(),
            None if self.menu.is_empty() => Loader::None,
            None => Loader::Builtin,
        }
    }

    /// `[boot.uefi.uki]`.
    pub fn uki(&self) -> Option<&At<Uki>> {
        self.boot.uefi.as_ref()?.get_ref().uki.as_ref()
    }

    /// Whether the image gets a unified kernel image, in the menu or without one.
    pub fn has_uki(&self) -> bool {
        let alone = self.uki().is_some_and(|uki| uki.get_ref().kernel.is_some());
        alone || self.menu.iter().any(|entry| entry.get_ref().is_unified())
    }

    /// The form in which a file of this name is written.
    ///
    /// # Errors
    /// isobuild does not write the form that the suffix names, or the compression does not have the level.
    pub fn file_format(&self, path: &Path) -> Result<FileFormat, String> {
        let format = match &self.format {
            Some(format) => format.get_ref().0,
            None => FileFormat::of_path(path)?,
        };
        format.with_level(self.level.as_ref().map(|level| *level.get_ref()))
    }

    /// Whether a base is laid out anew.
    pub fn is_compact(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.get_ref().compact)
    }
}

/// The form of a file by its name: a container, and how the file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatName(pub FileFormat);

impl<'de> Deserialize<'de> for FormatName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        FileFormat::of_name(&name).map(Self).map_err(serde::de::Error::custom)
    }
}

/// `[iso]`: identifiers and indexes of the volume.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Iso {
    /// ECMA-119 §9.4.6, at most 32 bytes.
    pub system_id: Option<Text>,
    /// ECMA-119 §9.4.20, at most 128 bytes.
    pub volume_set_id: Option<Text>,
    /// ECMA-119 §9.4.21, at most 128 bytes.
    pub publisher_id: Option<Text>,
    /// ECMA-119 §9.4.22, at most 128 bytes.
    pub preparer_id: Option<Text>,
    /// ECMA-119 §9.4.23, at most 128 bytes.
    pub application_id: Option<Text>,
    /// Every date of the image. Default: `SOURCE_DATE_EPOCH`, else [`DEFAULT_TIMESTAMP`](super::DEFAULT_TIMESTAMP).
    pub timestamp: Option<At<Date>>,
    /// POSIX names, modes, owners and links. Default: yes, but for a stub.
    pub rock_ridge: Option<At<bool>>,
    /// A second index with UCS-2 names. Default: yes, but for a stub.
    pub joliet: Option<At<bool>>,
    /// A UDF volume over the same files. Default: no, but for a stub.
    pub udf: Option<At<bool>>,
    /// What the ISO 9660 tree holds. Default: everything.
    pub iso9660: Option<At<Iso9660>>,
    /// The sum of the image in its primary volume descriptor, as isomd5sum implants it and checks a medium by it.
    pub implant_md5: bool,
    /// Image path of a list of all files with their SHA-256 digests, for `sha256sum --check`.
    pub sha256sums: Option<Text>,
}

/// What the ISO 9660 tree holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Iso9660 {
    /// The whole tree.
    Full,
    /// A README that says that the files are in UDF.
    Stub,
}

impl Iso {
    /// Whether UDF alone has the tree.
    pub fn is_stub(&self) -> bool {
        self.iso9660
            .as_ref()
            .is_some_and(|tree| *tree.get_ref() == Iso9660::Stub)
    }

    /// Whether the primary hierarchy has Rock Ridge.
    pub fn has_rock_ridge(&self) -> bool {
        self.rock_ridge.as_ref().map_or(!self.is_stub(), |on| *on.get_ref())
    }

    /// Whether there is a Joliet hierarchy.
    pub fn has_joliet(&self) -> bool {
        self.joliet.as_ref().map_or(!self.is_stub(), |on| *on.get_ref())
    }

    /// Whether there is a UDF volume.
    pub fn has_udf(&self) -> bool {
        self.udf.as_ref().map_or(self.is_stub(), |on| *on.get_ref())
    }
}

/// `[[files]]`: one source and its place in the image. Exactly one of `from`, `text`, `link` and `given` is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Host path of a file or directory, relative to the manifest.
    pub from: Option<Text>,
    /// The content itself.
    pub text: Option<Text>,
    /// The target of a symbolic link.
    pub link: Option<Text>,
    /// What code gives; no key of a text.
    #[serde(skip)]
    pub given: Option<Shared>,
    /// Image path. A directory's contents land in it; a file is put inside under its own name if it ends in `/`.
    pub to: Text,
    /// Glob patterns relative to `from`; what matches is left out, a directory with all below it.
    #[serde(default)]
    pub exclude: Vec<Text>,
    /// Permission bits of files, and of directories with `x` added where `r` is.
    pub mode: Option<At<u32>>,
    /// Owner.
    pub uid: Option<At<u32>>,
    /// Group.
    pub gid: Option<At<u32>>,
    /// What is kept from the host instead of being normalised.
    #[serde(default)]
    pub preserve: Vec<At<Preserve>>,
    /// The SHA-256 of a single file, in hexadecimal. Another content is refused.
    pub sha256: Option<Text>,
    /// Whether `from` is an archive whose entries go into the image, not the archive itself.
    pub unpack: Option<At<bool>>,
    /// Whether this entry may take the place of an earlier one.
    pub replace: Option<At<bool>>,
    /// `true` follows links that lead out of `from`, `false` keeps every link. Without it, a link of a build sandbox is an error.
    pub follow: Option<At<bool>>,
    /// Whether files get mode 0644 even if the host's owner may execute them.
    pub ignore_mode: Option<At<bool>>,
}

impl Files {
    /// At this path of the image, and nothing yet.
    pub(crate) fn at(to: &str) -> Self {
        Self {
            to: to.to_owned().into(),
            ..Self::default()
        }
    }

    /// See [`Self::unpack`].
    pub fn unpack(&self) -> bool {
        self.unpack.as_ref().is_some_and(|unpack| *unpack.get_ref())
    }

    /// See [`Self::replace`].
    pub fn replace(&self) -> bool {
        self.replace.as_ref().is_some_and(|replace| *replace.get_ref())
    }
}

/// What `preserve` keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preserve {
    /// All twelve permission bits; device nodes as such.
    Mode,
    /// Numeric owner and group.
    Owner,
    /// Modification time, to the second.
    Mtime,
    /// Hard links.
    Hardlinks,
}

/// `[[menu]]`: a kernel, a program, or an action.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MenuEntry {
    /// What the menu shows. Default: `Boot`, of an action its name in words.
    pub title: Option<Text>,
    /// A Linux kernel: host path or `iso:/...`.
    pub kernel: Option<At<Reference>>,
    /// Its initrds, one or a list.
    #[serde(deserialize_with = "one_or_many")]
    pub initrd: Vec<At<Reference>>,
    /// The command line of the kernel or program.
    pub cmdline: Option<Text>,
    /// Whether UEFI starts a unified kernel image: kernel, initrds and command line in one program.
    pub uki: Option<At<bool>>,
    /// A program that BIOS starts: host path or `iso:/...`.
    pub bios: Option<At<Reference>>,
    /// What UEFI starts: a program, or one for each processor; host paths or `iso:/...`.
    #[serde(deserialize_with = "one_or_many")]
    pub efi: Vec<At<Reference>>,
    /// What the loader does itself.
    pub action: Option<At<Action>>,
    /// Whether the system finds the image by `iso-scan/filename=` and `findiso=` if GRUB starts it as a file on another medium.
    pub iso_scan: Option<At<bool>>,
}

impl MenuEntry {
    /// See [`Self::iso_scan`].
    pub fn scans_iso(&self) -> bool {
        self.iso_scan.as_ref().is_some_and(|scan| *scan.get_ref())
    }

    /// See [`Self::uki`].
    pub fn is_unified(&self) -> bool {
        self.uki.as_ref().is_some_and(|uki| *uki.get_ref())
    }

    /// The title, or the one that stands in for it.
    pub fn shown_title(&self) -> &str {
        match (&self.title, &self.action) {
            (Some(title), _) => title.get_ref(),
            (None, Some(action)) => action.get_ref().title(),
            (None, None) => "Boot",
        }
    }
}

/// What the loader does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Opens the firmware's set-up; under UEFI alone.
    FirmwareSetup,
    /// Starts the machine again.
    Reboot,
    /// Switches the machine off.
    Poweroff,
    /// Leaves the medium for the next in the firmware's order.
    NextDevice,
    /// Shows the page about the machine.
    Machine,
}

impl Action {
    /// The word of the manifest, which the menu file has too.
    pub fn word(self) -> &'static str {
        match self {
            Self::FirmwareSetup => "firmware-setup",
            Self::Reboot => "reboot",
            Self::Poweroff => "poweroff",
            Self::NextDevice => "next-device",
            Self::Machine => "machine",
        }
    }

    /// The title of an entry that has none of its own.
    pub fn title(self) -> &'static str {
        match self {
            Self::FirmwareSetup => "Firmware set-up",
            Self::Reboot => "Restart",
            Self::Poweroff => "Power off",
            Self::NextDevice => "Boot from the next device",
            Self::Machine => "About this machine",
        }
    }
}

/// A string, or a list of them; each keeps its place.
fn one_or_many<'de, D: Deserializer<'de>, T: From<String> + Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<At<T>>, D::Error> {
    enum Texts<T> {
        One(T),
        Many(Vec<At<T>>),
    }
    struct Visitor<T>(PhantomData<T>);
    impl<'de, T: From<String> + Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
        type Value = Texts<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string or a list of strings")
        }

        fn visit_str<E>(self, text: &str) -> Result<Texts<T>, E> {
            Ok(Texts::One(text.to_owned().into()))
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Texts<T>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(Texts::Many(texts))
        }
    }
    impl<'de, T: From<String> + Deserialize<'de>> Deserialize<'de> for Texts<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Visitor(PhantomData))
        }
    }
    let texts = toml::Spanned::<Texts<T>>::deserialize(deserializer)?;
    let span = texts.span();
    Ok(match texts.into_inner() {
        Texts::One(text) => vec![At::new(Some(span), text)],
        Texts::Many(texts) => texts,
    })
}

/// `[disk]`: how the image presents itself when it is not on a disc.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Disk {
    /// Default: `universal` when anything boots, else `none`.
    pub layout: Option<At<DiskLayout>>,
}

/// The named profiles of partition tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskLayout {
    /// GPT, and an active slot of type 0 for BIOSes that ask for one.
    Universal,
    /// GPT and a plain protective MBR.
    Gpt,
    /// An MBR with the ESP and no GPT.
    Mbr,
    /// An MBR whose first slot spans the image and whose second is the ESP; no GPT.
    Isohybrid,
    /// A zero system area.
    None,
    /// As universal, with a second GPT and a second ESP for media with logical sectors of 4096 bytes.
    MultiSector,
}

impl DiskLayout {
    /// The word for it in a manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Universal => "universal",
            Self::Gpt => "gpt",
            Self::Mbr => "mbr",
            Self::Isohybrid => "isohybrid",
            Self::None => "none",
            Self::MultiSector => "multi-sector",
        }
    }
}
