//! The installers that `base` changes, and how they differ.

use qemu_tests::installers;
use qemu_tests::verbs::Bench;
use std::fs;

type Make = fn(&Bench) -> Result<(), String>;

/// An installer, and the answer file that it takes.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) make: Make,
    /// A key of `[base.answers]`; empty if the installer takes no answer file, or does not keep it as a file.
    pub(crate) answers: &'static str,
    /// Where the file goes.
    pub(crate) to: &'static str,
    /// The arguments that it needs.
    pub(crate) arguments: &'static str,
    /// Whether its ESP has to become larger.
    pub(crate) fills_esp: bool,
    /// Whether Joliet has the names too.
    pub(crate) has_joliet: bool,
    /// Whether its GPT has no backup.
    pub(crate) lacks_backup: bool,
    /// The cells that it starts in.
    pub(crate) cells: &'static [&'static str],
    /// In how many volumes of a disk Linux finds the files.
    pub(crate) volumes: usize,
}

impl Family {
    /// Bytes of an initrd that gets another one behind it in the same file, which goes behind the data then.
    pub(crate) fn moves_initrd(&self, bench: &Bench) -> Result<usize, String> {
        if self.name != "coreos" {
            return Ok(0);
        }
        let initrd = fs::metadata(bench.path("tree/images/pxeboot/initrd.img")).map_err(|e| e.to_string())?;
        Ok(initrd.len() as usize)
    }
}

const ALL: &[&str] = &["bios-disk", "uefi-disk", "bios-cd", "uefi-cd", "bios-usb", "uefi-usb"];

const UBUNTU: Family = Family {
    name: "ubuntu",
    make: installers::ubuntu,
    answers: "autoinstall",
    to: "nocloud/user-data",
    arguments: "autoinstall ds=nocloud;s=/cdrom/nocloud/",
    fills_esp: true,
    has_joliet: true,
    lacks_backup: false,
    cells: ALL,
    volumes: 2,
};

const DEBIAN: Family = Family {
    name: "debian",
    make: installers::debian,
    answers: "preseed",
    to: "preseed.cfg",
    arguments: "auto=true priority=critical preseed/file=/cdrom/preseed.cfg",
    fills_esp: false,
    ..UBUNTU
};

/// Families that the tests always see.
pub(crate) const FAMILIES: [Family; 2] = [UBUNTU, DEBIAN];

/// Families that the tests see with `--full`.
const MORE: [Family; 10] = [
    Family {
        name: "debian-live",
        make: installers::debian_live,
        answers: "nocloud",
        to: "nocloud/user-data",
        arguments: "ds=nocloud;s=/run/live/medium/nocloud/",
        ..UBUNTU
    },
    Family {
        name: "fedora",
        make: installers::fedora,
        answers: "kickstart",
        to: "ks.cfg",
        arguments: "inst.ks=hd:LABEL=Fedora-S-dvd-x86_64-39:/ks.cfg",
        ..UBUNTU
    },
    Family {
        name: "opensuse",
        make: installers::opensuse,
        answers: "autoyast",
        to: "autoinst.xml",
        arguments: "autoyast=label://openSUSE-Leap-15.5/autoinst.xml",
        ..UBUNTU
    },
    Family {
        name: "arch",
        make: installers::arch,
        answers: "nocloud",
        to: "nocloud/user-data",
        arguments: "ds=nocloud;s=/run/archiso/bootmnt/nocloud/",
        fills_esp: false,
        ..UBUNTU
    },
    Family {
        name: "alpine",
        make: installers::alpine,
        answers: "apkovl",
        to: "localhost.apkovl.tar.gz",
        arguments: "",
        ..UBUNTU
    },
    Family {
        name: "nixos",
        make: installers::nixos,
        answers: "",
        to: "",
        arguments: "",
        ..UBUNTU
    },
    Family {
        name: "proxmox",
        make: installers::proxmox,
        answers: "proxmox",
        to: "answer.toml",
        arguments: "",
        has_joliet: false,
        volumes: 1,
        ..UBUNTU
    },
    Family {
        name: "coreos",
        make: installers::coreos,
        answers: "",
        to: "",
        arguments: "",
        fills_esp: false,
        ..UBUNTU
    },
    Family {
        name: "freebsd",
        make: installers::freebsd,
        answers: "",
        to: "",
        arguments: "",
        fills_esp: false,
        has_joliet: false,
        lacks_backup: true,
        cells: &["bios-cd", "uefi-cd", "uefi-usb", "uefi-disk"],
        volumes: 1,
    },
    Family {
        name: "windows",
        make: installers::windows,
        answers: "unattend",
        to: "autounattend.xml",
        arguments: "",
        has_joliet: false,
        cells: &["bios-cd", "uefi-cd"],
        ..UBUNTU
    },
];

/// All families, each with whether the tests see it only with `--full`.
pub(crate) fn families() -> impl Iterator<Item = (Family, bool)> {
    let more = MORE.into_iter().map(|family| (family, true));
    FAMILIES.into_iter().map(|family| (family, false)).chain(more)
}
