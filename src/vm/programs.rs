//! The programs that machines need, where they are, and which package brings them.

use std::path::PathBuf;

use crate::facts::cell::Firmware;
use crate::ground::packages::{self, Packages};

/// What has to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `qemu-system-x86_64`, which is also the machine for 32-bit UEFI.
    QemuX64,
    /// `qemu-system-aarch64`.
    QemuAa64,
    /// SeaBIOS, QEMU's BIOS.
    SeaBios,
    /// UEFI firmware.
    Uefi(Firmware),
}

impl Need {
    /// What starts the cell's machine.
    pub fn qemu(firmware: Firmware) -> Self {
        match firmware {
            Firmware::UefiAa64 => Self::QemuAa64,
            _ => Self::QemuX64,
        }
    }

    /// What a machine with this firmware needs beside QEMU.
    pub fn of(firmware: Firmware) -> Self {
        match firmware {
            Firmware::Bios => Self::SeaBios,
            firmware => Self::Uefi(firmware),
        }
    }

    /// In words.
    pub fn what(self) -> &'static str {
        match self {
            Self::QemuX64 => "qemu-system-x86_64",
            Self::QemuAa64 => "qemu-system-aarch64",
            Self::SeaBios => "SeaBIOS",
            Self::Uefi(Firmware::UefiIa32) => "UEFI firmware for 32-bit PCs",
            Self::Uefi(Firmware::UefiAa64) => "UEFI firmware for 64-bit ARM",
            Self::Uefi(firmware) if firmware.is_secure() => "UEFI firmware for PCs with Secure Boot",
            Self::Uefi(_) => "UEFI firmware for PCs",
        }
    }

    /// Which packages bring it.
    pub fn packages(self) -> Packages {
        match self {
            Self::QemuX64 => [
                "qemu-system-x86",
                "qemu-system-x86-core",
                "qemu-system-x86",
                "qemu-x86",
                "qemu-system-x86_64",
                "qemu",
            ],
            Self::QemuAa64 => [
                "qemu-system-arm",
                "qemu-system-aarch64-core",
                "qemu-system-aarch64",
                "qemu-arm",
                "qemu-system-aarch64",
                "qemu",
            ],
            Self::SeaBios => ["seabios", "seabios-bin", "seabios", "qemu-seabios", "seabios", "qemu"],
            Self::Uefi(Firmware::UefiIa32) => ["ovmf-ia32", "edk2-ovmf-ia32", "edk2-ovmf", "qemu-ovmf-ia32", "", ""],
            Self::Uefi(Firmware::UefiAa64) => [
                "qemu-efi-aarch64",
                "edk2-aarch64",
                "edk2-aarch64",
                "qemu-uefi-aarch64",
                "aavmf",
                "qemu",
            ],
            Self::Uefi(firmware) if firmware.is_secure() => ["ovmf", "edk2-ovmf", "", "qemu-ovmf-x86_64", "", ""],
            Self::Uefi(_) => ["ovmf", "edk2-ovmf", "edk2-ovmf", "qemu-ovmf-x86_64", "ovmf", "qemu"],
        }
    }

    /// The sentence that says what is missing and which package brings it: this system's, or all that are known.
    pub fn missing(self) -> String {
        let package = packages::named(&self.packages());
        format!("{} is not installed ({package})", self.what())
    }
}

/// The program of that name on the path.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let files = std::env::split_paths(&path).map(|directory| directory.join(name));
    files.into_iter().find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path_alone() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
