//! `[boot]` and the tables below it.

use serde::Deserialize;

use super::{At, Reference, Text, Uki};
use crate::facts::cell;

/// `[boot]`: what firmware starts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Boot {
    /// Who provides the boot images. Default: `builtin` with a `[[menu]]`, else `none`.
    pub loader: Option<At<Loader>>,
    /// What the loader is for. Default: all that the menu's kernels can run under.
    pub firmware: Option<At<Vec<At<Firmware>>>>,
    /// Seconds until the default entry starts; 0 is at once, -1 never. Default 5.
    pub timeout: Option<At<i64>>,
    /// The title of the entry that is chosen at first. Default: the first.
    pub default: Option<Text>,
    /// The speed of the first serial port, for the loader's console there.
    pub serial: Option<At<u32>>,
    /// The El Torito image of platform 0, and the boot code of the stick.
    pub bios: Option<At<Bios>>,
    /// The ESP.
    pub uefi: Option<At<Uefi>>,
    /// Further El Torito entries.
    pub entry: Vec<At<BootEntry>>,
    /// Who signs the loader for Secure Boot.
    pub sign: Option<At<Sign>>,
    /// Where the files of other people's loaders are looked for first: directories and package files of the host.
    pub assets: Vec<Text>,
    /// How the menu looks.
    pub theme: Option<At<Theme>>,
}

/// `[boot.theme]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Theme {
    /// Image path of a theme of GRUB's. Fonts for it are beside it or in `/boot/grub/fonts`.
    pub file: Option<Text>,
}

/// `[boot.sign]`: a key and its certificate, or a command that signs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sign {
    /// The RSA key: host path of PEM or DER.
    pub key: Option<Text>,
    /// Its certificate: host path of PEM or DER.
    pub cert: Option<Text>,
    /// A program and its words, of which `{in}` and `{out}` stand for files.
    pub command: Option<At<Vec<Text>>>,
}

/// Who provides the boot images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    /// isobuild's own.
    Builtin,
    /// GRUB 2.
    Grub,
    /// ISOLINUX, for BIOS.
    Isolinux,
    /// ISOLINUX for BIOS, and GRUB 2 for UEFI.
    #[serde(rename = "isolinux+grub")]
    IsolinuxGrub,
    /// systemd-boot, for UEFI.
    SystemdBoot,
    /// The manifest's `[boot.bios]`, `[boot.uefi]` and `[[boot.entry]]` alone.
    #[default]
    None,
}

impl Loader {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Builtin => "the built-in loader",
            Self::Grub => "GRUB",
            Self::Isolinux => "ISOLINUX",
            Self::IsolinuxGrub => "ISOLINUX and GRUB",
            Self::SystemdBoot => "systemd-boot",
            Self::None => "no loader",
        }
    }
}

/// What starts an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// A PC's BIOS.
    Bios,
    /// UEFI on x86-64.
    Uefi,
    /// UEFI on 32-bit x86, which starts 64-bit kernels too.
    UefiIa32,
    /// UEFI on 64-bit ARM.
    UefiAa64,
}

impl Firmware {
    /// All, in the order of every table.
    pub const ALL: [Self; 4] = [Self::Bios, Self::Uefi, Self::UefiIa32, Self::UefiAa64];

    /// The word for it in the manifest and in the menu file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
            Self::UefiIa32 => "uefi-ia32",
            Self::UefiAa64 => "uefi-aa64",
        }
    }
}

impl From<Firmware> for cell::Firmware {
    fn from(firmware: Firmware) -> Self {
        match firmware {
            Firmware::Bios => Self::Bios,
            Firmware::Uefi => Self::Uefi,
            Firmware::UefiIa32 => Self::UefiIa32,
            Firmware::UefiAa64 => Self::UefiAa64,
        }
    }
}

/// `[boot.bios]`: the default El Torito entry, and the MBR's boot code.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bios {
    /// Host path or `iso:/...`.
    pub image: Option<At<Reference>>,
    /// How the BIOS presents the image.
    pub emulation: Option<At<Emulation>>,
    /// How many 512-byte virtual sectors the BIOS loads. Default 4.
    pub load_sectors: Option<At<u16>>,
    /// The real-mode segment to load to; 0 is 0x7C0.
    pub load_segment: Option<At<u16>>,
    /// What is patched into the image and into `mbr`.
    pub info_table: Option<At<InfoTable>>,
    /// Host path or `iso:/...` of the MBR's boot code.
    pub mbr: Option<At<Reference>>,
}

/// El Torito's boot media types, §2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Emulation {
    /// The image is loaded and started as it is.
    #[default]
    #[serde(rename = "none")]
    None,
    /// 1,228,800 bytes.
    #[serde(rename = "floppy-1.2")]
    Floppy12,
    /// 1,474,560 bytes.
    #[serde(rename = "floppy-1.44")]
    Floppy144,
    /// 2,949,120 bytes.
    #[serde(rename = "floppy-2.88")]
    Floppy288,
    /// A disk with an MBR of exactly one partition, in slot 1.
    #[serde(rename = "hard-disk")]
    HardDisk,
}

/// Which loader's address fields are patched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InfoTable {
    /// Nothing is patched.
    #[default]
    None,
    /// The boot information table at byte 8, and the u32 at 432 of the MBR.
    Isolinux,
    /// The same table, the u64 at 2548, and the u64 at 0x1B0 of the MBR.
    Grub2,
}

/// `[boot.uefi]`: a ready ESP, or what goes into one. Exactly one of the two.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uefi {
    /// A ready FAT volume: host path or `iso:/...`.
    pub image: Option<At<Reference>>,
    /// How large the ESP is that is made of `files`, such as `"64MiB"`. Default: what they need and a little.
    pub size: Option<Text>,
    /// Path in the ESP and host path or `iso:/...`, sorted by the ESP's path.
    pub files: Option<std::collections::BTreeMap<Text, At<Reference>>>,
    /// A unified kernel image, and how those of the menu are made.
    pub uki: Option<At<Uki>>,
}

/// `[[boot.entry]]`: a further El Torito entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootEntry {
    /// El Torito §2.1 and UEFI 13.3.2.1: 0 x86 BIOS, 1 PowerPC, 2 Mac, 0xEF UEFI.
    pub platform: At<u8>,
    /// Host path or `iso:/...`.
    pub image: At<Reference>,
    /// How the firmware presents the image.
    pub emulation: Option<At<Emulation>>,
    /// How many 512-byte virtual sectors are loaded. Default: 4, for UEFI the whole image.
    pub load_sectors: Option<At<u16>>,
    /// The real-mode segment to load to; 0 is 0x7C0.
    pub load_segment: Option<At<u16>>,
    /// What is patched into the image.
    pub info_table: Option<At<InfoTable>>,
}
