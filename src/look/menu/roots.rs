//! Which configurations a loader begins with, under each firmware, by their names.
//!
//! The reader does not look inside loader programs for a prefix or a built-in script. A configuration that no other one leads to counts as
//! one that a loader starts with.

use crate::facts::cell::Firmware;
use crate::formats::iso9660::EntryKind;

use super::reading::Reading;
use super::volumes::{File, TREE};
use super::{bsd, entries, grub, own, syslinux, unified};

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Own,
    Syslinux,
    SystemdBoot,
    /// A program that systemd-boot shows.
    Unified,
    Grub,
    Freebsd,
    /// For a GRUB that starts the image as a file.
    Loopback,
}

/// The programs that UEFI starts by default (UEFI 3.5.1.1).
const DEFAULT_PROGRAMS: [(&str, Firmware); 3] = [
    ("/efi/boot/bootx64.efi", Firmware::Uefi),
    ("/efi/boot/bootia32.efi", Firmware::UefiIa32),
    ("/efi/boot/bootaa64.efi", Firmware::UefiAa64),
];

/// Reads all of them.
pub(super) fn read(reading: &mut Reading<'_>) {
    let found = found(reading);
    let trees: Vec<usize> = reading
        .volumes
        .all()
        .filter(|(_, volume)| !volume.is_fat())
        .map(|(number, _)| number)
        .collect();
    let is_tree = |file: &File| trees.contains(&file.volume);
    let (has_bios, uefi) = (reading.has_bios, firmware(reading));
    let has = |kind: Kind, in_tree: bool| {
        let of = |(known, file): &&(Kind, File)| *known == kind && is_tree(file) == in_tree;
        found.iter().any(|known| of(&known))
    };
    // GRUB starts a PC's BIOS if nothing else does.
    let others = has(Kind::Syslinux, true) || has(Kind::Own, true);
    if has_bios {
        for (kind, file) in &found {
            let is_bios = is_tree(file) && !is_below(&file.path, "/efi/");
            match kind {
                Kind::Own => own::run(reading, file, Firmware::Bios),
                Kind::Syslinux if is_bios => run(reading, *kind, file, Firmware::Bios),
                Kind::Grub if is_bios && !others => run(reading, *kind, file, Firmware::Bios),
                Kind::Freebsd => run(reading, *kind, file, Firmware::Bios),
                _ => {}
            }
        }
    }
    for &firmware in &uefi {
        // The FAT volumes first: their configurations lead to those of the tree.
        for in_tree in [false, true] {
            for (kind, file) in found.iter().filter(|(_, file)| is_tree(file) == in_tree) {
                let is_uefi = !in_tree || is_below(&file.path, "/efi/");
                match kind {
                    Kind::Own => own::run(reading, file, firmware),
                    Kind::Syslinux if is_uefi => run(reading, *kind, file, firmware),
                    Kind::SystemdBoot => run(reading, *kind, file, firmware),
                    Kind::Unified if !in_tree && has_systemd_boot(reading, file) => {
                        unified::run(reading, file, firmware);
                    }
                    Kind::Grub if is_uefi => run(reading, *kind, file, firmware),
                    _ => {}
                }
            }
        }
        // A prefix inside GRUB leads to the tree, unless there is a menu already.
        let has_menu = reading.has_listed(firmware);
        for (kind, file) in found.iter().filter(|(kind, _)| *kind == Kind::Grub && !has_menu) {
            run(reading, *kind, file, firmware);
        }
        for (kind, file) in found.iter().filter(|(kind, _)| *kind == Kind::Freebsd) {
            run(reading, *kind, file, firmware);
        }
    }
    let all: Vec<Firmware> = has_bios.then_some(Firmware::Bios).into_iter().chain(uefi).collect();
    for (kind, file) in &found {
        let firmware = match all.as_slice() {
            // An image that boots nothing, as far as is known.
            [] => vec![Firmware::Bios, Firmware::Uefi],
            all => all.to_vec(),
        };
        let is_left = || !firmware.iter().any(|&firmware| reading.has_reached(firmware, file));
        if *kind != Kind::Unified && (*kind == Kind::Loopback || is_left()) {
            for firmware in firmware {
                run(reading, *kind, file, firmware);
            }
        }
    }
}

fn run(reading: &mut Reading<'_>, kind: Kind, file: &File, firmware: Firmware) {
    if kind != Kind::Loopback && reading.has_reached(firmware, file) {
        return;
    }
    match kind {
        Kind::Own => own::run(reading, file, firmware),
        Kind::Syslinux => syslinux::run(reading, file, firmware),
        Kind::SystemdBoot => entries::run(reading, file, firmware),
        Kind::Grub => grub::run(reading, file, firmware, false),
        Kind::Loopback => grub::run(reading, file, firmware, true),
        Kind::Freebsd => bsd::run(reading, file, firmware),
        Kind::Unified => unified::run(reading, file, firmware),
    }
}

/// Whether systemd-boot has its configuration in the volume of a file. Without one its program is not recognised here.
fn has_systemd_boot(reading: &Reading<'_>, file: &File) -> bool {
    reading.volumes.beside(file, "/loader/loader.conf").is_some()
}

/// The architectures of UEFI that the image has a default program for.
fn firmware(reading: &Reading<'_>) -> Vec<Firmware> {
    let has = |path: &str| {
        reading.volumes.all().any(|(volume, _)| {
            let path = path.as_bytes().to_vec();
            reading.volumes.file_of_any_case(&File { volume, path }).is_some()
        })
    };
    let all = DEFAULT_PROGRAMS.into_iter().filter(|(path, _)| has(path));
    all.map(|(_, firmware)| firmware).collect()
}

/// Every configuration of the image, by its kind and then by its path.
fn found(reading: &Reading<'_>) -> Vec<(Kind, File)> {
    let mut found = Vec::new();
    for (volume, contents) in reading.volumes.all() {
        for item in contents.tree.items().iter().filter(|item| item.kind == EntryKind::File) {
            if let Some(kind) = kind(&item.path, volume == TREE) {
                let path = item.path.clone();
                found.push((kind, File { volume, path }));
            }
        }
    }
    found.sort();
    found
}

/// What a file is, by its path.
fn kind(path: &[u8], in_tree: bool) -> Option<Kind> {
    let path = str::from_utf8(path).ok()?.to_ascii_lowercase();
    let (directory, name) = path.rsplit_once('/')?;
    match name {
        "loopback.cfg" => Some(Kind::Loopback),
        "grub.cfg" => Some(Kind::Grub),
        // Copies that mediums of Fedora have beside it.
        "boot.conf" | "bootx64.conf" | "bootia32.conf" | "bootaa64.conf" if directory == "/efi/boot" => {
            Some(Kind::Grub)
        }
        "isolinux.cfg" | "syslinux.cfg" | "extlinux.conf" => Some(Kind::Syslinux),
        "menu.cfg" if directory == "/boot/isobuild" && in_tree => Some(Kind::Own),
        "loader.conf" if directory == "/boot" => Some(Kind::Freebsd),
        _ if directory == "/loader/entries" && name.ends_with(".conf") => Some(Kind::SystemdBoot),
        _ if directory == "/efi/linux" && name.ends_with(".efi") => Some(Kind::Unified),
        _ => None,
    }
}

fn is_below(path: &[u8], directory: &str) -> bool {
    path.to_ascii_lowercase().starts_with(directory.as_bytes())
}
