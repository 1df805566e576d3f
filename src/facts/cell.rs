//! A cell: one firmware with one medium. Verdicts, boots and their reports are all by cell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What starts the machine.
///
/// ```
/// use isobuild::Firmware;
///
/// let names: Vec<&str> = Firmware::ALL.iter().map(|firmware| firmware.name()).collect();
/// assert_eq!(names[..4], ["bios", "uefi", "uefi-ia32", "uefi-aa64"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Firmware {
    /// A PC's BIOS.
    Bios,
    /// UEFI of a 64-bit PC that checks no signatures.
    Uefi,
    /// UEFI of a 32-bit PC.
    UefiIa32,
    /// UEFI of a 64-bit ARM machine.
    UefiAa64,
    /// UEFI of any 64-bit PC with Secure Boot as it is sold: both of the next two.
    SecureBoot,
    /// UEFI of a 64-bit PC with Secure Boot that trusts Microsoft's certificates of 2011.
    SecureBoot2011,
    /// UEFI of a 64-bit PC with Secure Boot that trusts Microsoft's certificates of 2023.
    SecureBoot2023,
    /// UEFI of a 64-bit PC with Secure Boot that trusts its owner's certificates alone.
    SecureBootOwn,
}

/// How the image presents itself to the firmware.
///
/// ```
/// use isobuild::Medium;
///
/// let names: Vec<&str> = Medium::ALL.iter().map(|medium| medium.name()).collect();
/// assert_eq!(names, ["cd", "usb", "usb-4kn", "disk", "disk-4kn"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Medium {
    /// A disc: logical sectors of 2048 bytes, El Torito.
    Cd,
    /// A stick with logical sectors of 512 bytes. El Torito does not count: much firmware does not look at it here.
    Usb,
    /// A stick with logical sectors of 4096 bytes.
    Usb4kn,
    /// A disk of 512-byte logical sectors on another bus.
    Disk,
    /// A disk of 4096-byte logical sectors on another bus.
    Disk4kn,
}

/// One firmware with one medium. Its name is `FIRMWARE-MEDIUM`.
///
/// ```
/// use isobuild::{Cell, Firmware, Medium};
///
/// let cell: Cell = "uefi-usb".parse()?;
/// assert_eq!((cell.firmware, cell.medium), (Firmware::Uefi, Medium::Usb));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What starts the machine.
    pub firmware: Firmware,
    /// What the image is to the machine.
    pub medium: Medium,
}

impl Firmware {
    /// All, in the order of every table.
    pub const ALL: [Self; 8] = [
        Self::Bios,
        Self::Uefi,
        Self::UefiIa32,
        Self::UefiAa64,
        Self::SecureBoot,
        Self::SecureBoot2011,
        Self::SecureBoot2023,
        Self::SecureBootOwn,
    ];

    /// The name in cells and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
            Self::UefiIa32 => "uefi-ia32",
            Self::UefiAa64 => "uefi-aa64",
            Self::SecureBoot => "secure-boot",
            Self::SecureBoot2011 => "secure-boot-2011",
            Self::SecureBoot2023 => "secure-boot-2023",
            Self::SecureBootOwn => "secure-boot-own",
        }
    }

    /// Whether it asks for signatures.
    pub fn is_secure(self) -> bool {
        matches!(
            self,
            Self::SecureBoot | Self::SecureBoot2011 | Self::SecureBoot2023 | Self::SecureBootOwn
        )
    }

    /// The machine, by what it trusts.
    pub fn machine(self) -> &'static str {
        match self {
            Self::SecureBoot => "a PC with Microsoft's certificates",
            Self::SecureBoot2011 => "a PC with the certificates of 2011 alone",
            Self::SecureBoot2023 => "a PC with the certificates of 2023 alone",
            Self::SecureBootOwn => "a PC with its owner's certificates alone",
            Self::Bios | Self::Uefi | Self::UefiIa32 | Self::UefiAa64 => "a machine without Secure Boot",
        }
    }

    /// The kinds of machines that it stands for.
    pub fn generations(self) -> Vec<Self> {
        match self {
            Self::SecureBoot => vec![Self::SecureBoot2011, Self::SecureBoot2023],
            one => vec![one],
        }
    }
}

impl Medium {
    /// All, in the order of every table.
    pub const ALL: [Self; 5] = [Self::Cd, Self::Usb, Self::Usb4kn, Self::Disk, Self::Disk4kn];

    /// The name in cells and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cd => "cd",
            Self::Usb => "usb",
            Self::Usb4kn => "usb-4kn",
            Self::Disk => "disk",
            Self::Disk4kn => "disk-4kn",
        }
    }
}

impl Cell {
    /// All cells, by firmware.
    pub fn all() -> impl Iterator<Item = Self> {
        let with = |firmware| Medium::ALL.into_iter().map(move |medium| Self { firmware, medium });
        Firmware::ALL.into_iter().flat_map(with)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.firmware.name(), self.medium.name())
    }
}

/// Its name.
impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Firmware {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = String::deserialize(deserializer)?;
        typed.parse().map_err(serde::de::Error::custom)
    }
}

/// The error names what there is.
fn named<T: Copy>(typed: &str, all: &[T], kind: &str, name: impl Fn(T) -> String) -> Result<T, String> {
    let found = all.iter().copied().find(|&one| name(one) == typed);
    let names = || all.iter().map(|&one| name(one)).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("the {kind} are {}", names()))
}

impl FromStr for Firmware {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        named(typed, &Self::ALL, "kinds of firmware", |one| one.name().to_owned())
    }
}

impl FromStr for Medium {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        named(typed, &Self::ALL, "media", |one| one.name().to_owned())
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        named(typed, &Self::all().collect::<Vec<_>>(), "cells", |one| one.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_reads_as_it_is_written() {
        assert_eq!(Cell::all().count(), 40);
        for cell in Cell::all() {
            assert_eq!(cell.to_string().parse(), Ok(cell));
        }
    }

    #[test]
    fn what_is_no_cell_is_refused() {
        for typed in ["", "bios", "bios-", "-cd", "usb-bios", "bios-usb-8kn", "BIOS-cd"] {
            let error = typed.parse::<Cell>().unwrap_err();
            assert!(error.starts_with("the cells are bios-cd, bios-usb,"), "{error}");
        }
        let error = "floppy".parse::<Medium>().unwrap_err();
        assert_eq!(error, "the media are cd, usb, usb-4kn, disk, disk-4kn");
    }
}
