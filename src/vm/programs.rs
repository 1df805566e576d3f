//! The programs that machines need, where they are, and which package brings them.

use std::path::PathBuf;

use crate::facts::cell::Firmware;

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

/// Names of packages, by distribution.
const DISTRIBUTIONS: [(&str, &str); 6] = [
    ("debian", "Debian, Ubuntu"),
    ("fedora", "Fedora"),
    ("arch", "Arch"),
    ("suse", "openSUSE"),
    ("alpine", "Alpine"),
    ("homebrew", "Homebrew"),
];

impl Need {
    /// What starts the cell's machine.
    pub fn qemu(firmware: Firmware) -> Self {
        match firmware {
            Firmware::UefiAa64 => Self::QemuAa64,
            _ => Self::QemuX64,
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

    /// In the order of [`DISTRIBUTIONS`]; empty where there is none.
    fn packages(self) -> [&'static str; 6] {
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
        let here = distribution(&std::fs::read_to_string("/etc/os-release").unwrap_or_default());
        format!("{} is not installed ({})", self.what(), self.package(here))
    }

    fn package(self, here: Option<&str>) -> String {
        let all = || DISTRIBUTIONS.iter().zip(self.packages());
        let own = all().find(|((id, _), package)| Some(*id) == here && !package.is_empty());
        if let Some((_, package)) = own {
            return format!("package {package}");
        }
        let named = all().filter(|(_, package)| !package.is_empty());
        let named: Vec<String> = named
            .map(|((_, name), package)| format!("{package} on {name}"))
            .collect();
        format!("package {}", named.join("; "))
    }
}

/// The distribution's family, from the text of its os-release file.
fn distribution(os_release: &str) -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("homebrew");
    }
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let ids = value("ID=") + " " + &value("ID_LIKE=");
    let known = |id: &str| DISTRIBUTIONS.iter().map(|(known, _)| *known).find(|known| id == *known);
    ids.split_whitespace().find_map(known)
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
    fn a_package_is_named_for_this_distribution_or_for_all() {
        let debian = "PRETTY_NAME=\"Debian\"\nID=debian\n";
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        if cfg!(not(target_os = "macos")) {
            assert_eq!(distribution(debian), Some("debian"));
            assert_eq!(distribution(rocky), Some("fedora"));
            assert_eq!(distribution("ID=nixos\n"), None);
        }
        assert_eq!(Need::QemuX64.package(Some("debian")), "package qemu-system-x86");
        let all = Need::Uefi(Firmware::UefiIa32).package(None);
        assert!(
            all.starts_with("package ovmf-ia32 on Debian, Ubuntu; edk2-ovmf-ia32 on Fedora"),
            "{all}"
        );
        // Where the distribution has none, the others' names help to find it.
        assert_eq!(Need::Uefi(Firmware::UefiIa32).package(Some("alpine")), all);
    }

    #[test]
    fn a_program_is_found_on_the_path_alone() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
