//! Which files the families of loaders need, where distributions put them, and which packages have them.
//!
//! Debian's places are tried. Those of Fedora, Arch, openSUSE and Alpine are from the lists of files of their packages, untried.

use crate::formats::pe::Machine;
use crate::ground::packages::{self, Packages};

/// A file of a loader, or a directory of them.
#[derive(Debug)]
pub(in crate::resolve::loader) struct Asset {
    /// For people.
    pub(in crate::resolve::loader) name: &'static str,
    /// Its path in a directory of `boot.assets`. Of a directory of files, that of the one by which it is recognised.
    pub(in crate::resolve::loader) short: &'static [&'static str],
    /// Its paths on hosts and in packages.
    pub(in crate::resolve::loader) places: &'static [&'static str],
    /// The packages.
    pub(in crate::resolve::loader) packages: Packages,
}

impl Asset {
    /// Whether it stands for the directory that it is in.
    pub(super) fn is_directory(&self) -> bool {
        self.short[0].contains('/') || self.short[0].ends_with(".c32")
    }

    /// The sentence that says that it is not there, and which package has it.
    pub(in crate::resolve::loader) fn missing(&self) -> String {
        format!("{} is not installed ({})", self.name, packages::named(&self.packages))
    }
}

/// GRUB's images and modules for BIOS.
pub(in crate::resolve::loader) const GRUB_PC: Asset = Asset {
    name: "GRUB for BIOS",
    short: &["i386-pc/kernel.img"],
    places: &[
        "/usr/lib/grub/i386-pc/kernel.img",
        "/usr/share/grub2/i386-pc/kernel.img",
    ],
    packages: [
        "grub-pc-bin",
        "grub2-pc-modules",
        "grub",
        "grub2-i386-pc",
        "grub-bios",
        "i686-elf-grub",
    ],
};

/// GRUB's modules for UEFI.
pub(in crate::resolve::loader) const GRUB_EFI: [(Machine, Asset); 3] = [
    (
        Machine::X64,
        Asset {
            name: "GRUB for x64",
            short: &["x86_64-efi/kernel.img"],
            places: &[
                "/usr/lib/grub/x86_64-efi/kernel.img",
                "/usr/share/grub2/x86_64-efi/kernel.img",
            ],
            packages: [
                "grub-efi-amd64-bin",
                "grub2-efi-x64-modules",
                "grub",
                "grub2-x86_64-efi",
                "grub-efi",
                "x86_64-elf-grub",
            ],
        },
    ),
    (
        Machine::Ia32,
        Asset {
            name: "GRUB for ia32",
            short: &["i386-efi/kernel.img"],
            places: &[
                "/usr/lib/grub/i386-efi/kernel.img",
                "/usr/share/grub2/i386-efi/kernel.img",
            ],
            packages: [
                "grub-efi-ia32-bin",
                "grub2-efi-ia32-modules",
                "grub",
                "grub2-i386-efi",
                "",
                "",
            ],
        },
    ),
    (
        Machine::Aa64,
        Asset {
            name: "GRUB for aa64",
            short: &["arm64-efi/kernel.img"],
            places: &[
                "/usr/lib/grub/arm64-efi/kernel.img",
                "/usr/share/grub2/arm64-efi/kernel.img",
            ],
            packages: [
                "grub-efi-arm64-bin",
                "grub2-efi-aa64-modules",
                "",
                "grub2-arm64-efi",
                "grub-efi",
                "",
            ],
        },
    ),
];

/// GRUB as distributions sign it, those for discs first.
pub(in crate::resolve::loader) const GRUB_SIGNED: [(Machine, Asset); 3] = [
    (
        Machine::X64,
        Asset {
            name: "signed GRUB for x64",
            short: &["gcdx64.efi.signed", "gcdx64.efi", "grubx64.efi.signed", "grubx64.efi"],
            places: &[
                "/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed",
                "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
                "/boot/efi/EFI/fedora/gcdx64.efi",
                "/boot/efi/EFI/fedora/grubx64.efi",
                "/usr/share/efi/x86_64/grub.efi",
            ],
            packages: [
                "grub-efi-amd64-signed",
                "grub2-efi-x64-cdboot",
                "",
                "grub2-x86_64-efi",
                "",
                "",
            ],
        },
    ),
    (
        Machine::Ia32,
        Asset {
            name: "signed GRUB for ia32",
            short: &[
                "gcdia32.efi.signed",
                "gcdia32.efi",
                "grubia32.efi.signed",
                "grubia32.efi",
            ],
            places: &[
                "/usr/lib/grub/i386-efi-signed/gcdia32.efi.signed",
                "/usr/lib/grub/i386-efi-signed/grubia32.efi.signed",
                "/boot/efi/EFI/fedora/gcdia32.efi",
                "/boot/efi/EFI/fedora/grubia32.efi",
            ],
            packages: ["grub-efi-ia32-signed", "grub2-efi-ia32-cdboot", "", "", "", ""],
        },
    ),
    (
        Machine::Aa64,
        Asset {
            name: "signed GRUB for aa64",
            short: &[
                "gcdaa64.efi.signed",
                "gcdaa64.efi",
                "grubaa64.efi.signed",
                "grubaa64.efi",
            ],
            places: &[
                "/usr/lib/grub/arm64-efi-signed/gcdaa64.efi.signed",
                "/usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed",
                "/boot/efi/EFI/fedora/gcdaa64.efi",
                "/boot/efi/EFI/fedora/grubaa64.efi",
                "/usr/share/efi/aarch64/grub.efi",
            ],
            packages: [
                "grub-efi-arm64-signed",
                "grub2-efi-aa64-cdboot",
                "",
                "grub2-arm64-efi",
                "",
                "",
            ],
        },
    ),
];

/// The first stage that Microsoft has signed.
pub(in crate::resolve::loader) const SHIM: [(Machine, Asset); 3] = [
    (
        Machine::X64,
        Asset {
            name: "shim for x64",
            short: &["shimx64.efi.signed", "shimx64.efi"],
            places: &[
                "/usr/lib/shim/shimx64.efi.signed",
                "/boot/efi/EFI/fedora/shimx64.efi",
                "/usr/share/efi/x86_64/shim.efi",
                "/usr/share/shim-signed/shimx64.efi",
            ],
            packages: ["shim-signed", "shim-x64", "shim-signed", "shim", "", ""],
        },
    ),
    (
        Machine::Ia32,
        Asset {
            name: "shim for ia32",
            short: &["shimia32.efi.signed", "shimia32.efi"],
            places: &["/usr/lib/shim/shimia32.efi.signed", "/boot/efi/EFI/fedora/shimia32.efi"],
            packages: ["shim-signed", "shim-ia32", "", "", "", ""],
        },
    ),
    (
        Machine::Aa64,
        Asset {
            name: "shim for aa64",
            short: &["shimaa64.efi.signed", "shimaa64.efi"],
            places: &[
                "/usr/lib/shim/shimaa64.efi.signed",
                "/boot/efi/EFI/fedora/shimaa64.efi",
                "/usr/share/efi/aarch64/shim.efi",
                "/usr/share/shim-signed/shimaa64.efi",
            ],
            packages: ["shim-signed", "shim-aa64", "shim-signed", "shim", "", ""],
        },
    ),
];

/// What shim starts to enrol keys.
pub(in crate::resolve::loader) const MOK_MANAGER: [(Machine, Asset); 3] = [
    (
        Machine::X64,
        Asset {
            name: "MokManager for x64",
            short: &["mmx64.efi.signed", "mmx64.efi"],
            places: &[
                "/usr/lib/shim/mmx64.efi.signed",
                "/boot/efi/EFI/fedora/mmx64.efi",
                "/usr/share/efi/x86_64/MokManager.efi",
                "/usr/share/shim-signed/mmx64.efi",
            ],
            packages: ["shim-helpers-amd64-signed", "shim-x64", "shim-signed", "shim", "", ""],
        },
    ),
    (
        Machine::Ia32,
        Asset {
            name: "MokManager for ia32",
            short: &["mmia32.efi.signed", "mmia32.efi"],
            places: &["/usr/lib/shim/mmia32.efi.signed", "/boot/efi/EFI/fedora/mmia32.efi"],
            packages: ["shim-helpers-i386-signed", "shim-ia32", "", "", "", ""],
        },
    ),
    (
        Machine::Aa64,
        Asset {
            name: "MokManager for aa64",
            short: &["mmaa64.efi.signed", "mmaa64.efi"],
            places: &[
                "/usr/lib/shim/mmaa64.efi.signed",
                "/boot/efi/EFI/fedora/mmaa64.efi",
                "/usr/share/efi/aarch64/MokManager.efi",
                "/usr/share/shim-signed/mmaa64.efi",
            ],
            packages: ["shim-helpers-arm64-signed", "shim-aa64", "shim-signed", "shim", "", ""],
        },
    ),
];

/// The boot image of ISOLINUX.
pub(in crate::resolve::loader) const ISOLINUX: Asset = Asset {
    name: "ISOLINUX",
    short: &["isolinux.bin"],
    places: &[
        "/usr/lib/ISOLINUX/isolinux.bin",
        "/usr/share/syslinux/isolinux.bin",
        "/usr/lib/syslinux/bios/isolinux.bin",
    ],
    packages: ["isolinux", "syslinux-nonlinux", "syslinux", "syslinux", "syslinux", ""],
};

/// The boot code of a stick for ISOLINUX.
pub(in crate::resolve::loader) const ISOHDPFX: Asset = Asset {
    name: "ISOLINUX's boot code",
    short: &["isohdpfx.bin"],
    places: &[
        "/usr/lib/ISOLINUX/isohdpfx.bin",
        "/usr/share/syslinux/isohdpfx.bin",
        "/usr/lib/syslinux/bios/isohdpfx.bin",
    ],
    packages: ["isolinux", "syslinux-nonlinux", "syslinux", "syslinux", "syslinux", ""],
};

/// The modules of ISOLINUX.
pub(in crate::resolve::loader) const SYSLINUX_MODULES: Asset = Asset {
    name: "ISOLINUX's modules",
    short: &["ldlinux.c32"],
    places: &[
        "/usr/lib/syslinux/modules/bios/ldlinux.c32",
        "/usr/share/syslinux/ldlinux.c32",
        "/usr/lib/syslinux/bios/ldlinux.c32",
    ],
    packages: [
        "syslinux-common",
        "syslinux-nonlinux",
        "syslinux",
        "syslinux",
        "syslinux",
        "",
    ],
};

const SYSTEMD: Packages = [
    "systemd-boot-efi",
    "systemd-boot-unsigned",
    "systemd",
    "systemd-boot",
    "systemd-boot",
    "",
];

/// systemd-boot.
pub(in crate::resolve::loader) const SYSTEMD_BOOT: [(Machine, Asset); 3] = [
    (
        Machine::X64,
        Asset {
            name: "systemd-boot for x64",
            short: &["systemd-bootx64.efi.signed", "systemd-bootx64.efi"],
            places: &[
                "/usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed",
                "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
            ],
            packages: SYSTEMD,
        },
    ),
    (
        Machine::Ia32,
        Asset {
            name: "systemd-boot for ia32",
            short: &["systemd-bootia32.efi"],
            places: &["/usr/lib/systemd/boot/efi/systemd-bootia32.efi"],
            packages: SYSTEMD,
        },
    ),
    (
        Machine::Aa64,
        Asset {
            name: "systemd-boot for aa64",
            short: &["systemd-bootaa64.efi.signed", "systemd-bootaa64.efi"],
            places: &[
                "/usr/lib/systemd/boot/efi/systemd-bootaa64.efi.signed",
                "/usr/lib/systemd/boot/efi/systemd-bootaa64.efi",
            ],
            packages: SYSTEMD,
        },
    ),
];

/// The program that a unified kernel image begins with.
pub(in crate::resolve::loader) const STUB: [(Machine, Asset); 3] = [
    (
        Machine::X64,
        Asset {
            name: "systemd-stub for x64",
            short: &["linuxx64.efi.stub"],
            places: &["/usr/lib/systemd/boot/efi/linuxx64.efi.stub"],
            packages: SYSTEMD,
        },
    ),
    (
        Machine::Ia32,
        Asset {
            name: "systemd-stub for ia32",
            short: &["linuxia32.efi.stub"],
            places: &["/usr/lib/systemd/boot/efi/linuxia32.efi.stub"],
            packages: SYSTEMD,
        },
    ),
    (
        Machine::Aa64,
        Asset {
            name: "systemd-stub for aa64",
            short: &["linuxaa64.efi.stub"],
            places: &["/usr/lib/systemd/boot/efi/linuxaa64.efi.stub"],
            packages: SYSTEMD,
        },
    ),
];

/// All, in the order of the families.
pub(in crate::resolve::loader) fn all() -> impl Iterator<Item = &'static Asset> {
    let of_machines: [&[(Machine, Asset)]; 4] = [&GRUB_EFI, &GRUB_SIGNED, &SHIM, &MOK_MANAGER];
    let grub = [&GRUB_PC]
        .into_iter()
        .chain(of_machines.into_iter().flatten().map(|(_, asset)| asset));
    let isolinux = [&ISOLINUX, &ISOHDPFX, &SYSLINUX_MODULES];
    let systemd = [&SYSTEMD_BOOT, &STUB].into_iter().flatten().map(|(_, asset)| asset);
    grub.chain(isolinux).chain(systemd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asset_has_a_place_for_each_name_and_a_package() {
        for asset in all() {
            let name = |path: &'static str| path.rsplit('/').next().unwrap();
            for short in asset.short {
                let is_name = |place: &&'static str| {
                    name(place).trim_end_matches(".signed") == name(short).trim_end_matches(".signed")
                };
                assert!(asset.places.iter().any(is_name), "{}: {short}", asset.name);
            }
            assert!(
                asset.places.iter().all(|place| place.starts_with('/')),
                "{}",
                asset.name
            );
            assert!(!asset.packages[0].is_empty(), "{}", asset.name);
        }
        let mut names: Vec<&str> = all().map(|asset| asset.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
