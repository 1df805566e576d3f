//! What is known of a disk, and why one is not written to.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A whole disk, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The kernel's name for it, such as `sdb`.
    pub name: String,
    /// Its node, such as `/dev/sdb`.
    pub path: PathBuf,
    /// Major and minor number of the node.
    pub number: (u32, u32),
    /// What the maker calls it; the file behind a loop device. Empty if nothing is known.
    pub model: String,
    /// Its serial number.
    pub serial: Option<String>,
    /// How it is attached.
    pub bus: Bus,
    /// Bytes; 0 while there is no medium in it.
    pub size: u64,
    /// Bytes of a logical sector.
    pub sector_size: u64,
    /// A number that no other disk has had since the system started, nor this one before its medium was changed (Linux 5.15).
    pub sequence: Option<u64>,
    /// Made to be taken out: its medium, or itself.
    pub removable: bool,
    /// Written to by a burner alone.
    pub optical: bool,
    /// Not written to by the kernel.
    pub read_only: bool,
    /// What the kernel sees of its partition table.
    pub partitions: Vec<Partition>,
    /// What the system does with it now.
    pub uses: Vec<Use>,
}

/// A part of a disk that has a node of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The kernel's name for it, such as `sdb1`.
    pub name: String,
    /// Its node.
    pub path: PathBuf,
    /// Major and minor number of the node.
    pub number: (u32, u32),
    /// Byte offset on the disk.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bus {
    /// USB.
    Usb,
    /// A card in a slot.
    Sd,
    /// A chip on the board that speaks as cards do.
    Emmc,
    /// ATA and SATA.
    Ata,
    /// SCSI, SAS, and what the kernel takes for it.
    Scsi,
    /// NVM Express.
    Nvme,
    /// A virtual machine's.
    Virtio,
    /// FireWire.
    Firewire,
    /// A file that is attached as a disk.
    Loop,
    /// None of these.
    Other,
}

impl Bus {
    /// Whether what is attached so is made to be taken off, whatever the disk says of its medium.
    pub(super) fn is_removable(self) -> bool {
        matches!(self, Self::Usb | Self::Sd | Self::Firewire | Self::Loop)
    }

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usb => "usb",
            Self::Sd => "sd",
            Self::Emmc => "emmc",
            Self::Ata => "ata",
            Self::Scsi => "scsi",
            Self::Nvme => "nvme",
            Self::Virtio => "virtio",
            Self::Firewire => "firewire",
            Self::Loop => "loop",
            Self::Other => "other",
        }
    }
}

/// Something that the system does with a disk or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// A file system of it is mounted.
    Mounted {
        /// What is mounted: the disk, a partition, or what is made of one.
        device: PathBuf,
        /// Where.
        at: PathBuf,
    },
    /// The system swaps to it.
    Swap {
        /// The swap space.
        device: PathBuf,
    },
    /// Another block device is made of it.
    Member {
        /// The disk or the partition.
        device: PathBuf,
        /// The other device.
        of: String,
    },
}

/// Where the file systems are mounted that a running system cannot be without.
const SYSTEM: [&str; 8] = ["/", "/usr", "/boot", "/boot/efi", "/efi", "/etc", "/var", "/home"];

/// Why a disk is not written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The kernel does not write to it.
    ReadOnly,
    /// There is no medium in it.
    Empty,
    /// The running system is on it.
    System {
        /// The mount point that shows it.
        at: PathBuf,
    },
    /// It is in use as swap space or as a part of another device.
    Used(Use),
    /// A file system of it is mounted.
    Mounted(Vec<PathBuf>),
    /// It is built in.
    Internal,
}

impl Refusal {
    /// The flag of `write` that lifts it.
    pub fn flag(&self) -> Option<&'static str> {
        match self {
            Self::Mounted(_) => Some("--unmount"),
            Self::Internal => Some("--internal"),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => write!(f, "it is read-only; some cards and sticks have a switch for that"),
            Self::Empty => write!(f, "there is no medium in it"),
            Self::System { at } => write!(f, "the running system is on it: {}", visible(at)),
            Self::Used(Use::Swap { device }) => write!(f, "the system swaps to {}", visible(device)),
            Self::Used(Use::Member { device, of }) => write!(f, "{} is a part of {of}", visible(device)),
            Self::Used(Use::Mounted { at, .. }) => write!(f, "it is mounted at {}", visible(at)),
            Self::Mounted(points) => {
                let points: Vec<String> = points.iter().map(|point| visible(point)).collect();
                write!(f, "it is mounted at {}", points.join(", "))
            }
            Self::Internal => write!(f, "it is built in, no stick or card"),
        }
    }
}

impl Disk {
    /// Everything that speaks against writing to it, the weightiest first.
    pub fn refusals(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut mounted = Vec::new();
        for one in &self.uses {
            match one {
                Use::Mounted { at, .. } => mounted.push(at.clone()),
                Use::Swap { .. } | Use::Member { .. } => refusals.push(Refusal::Used(one.clone())),
            }
        }
        let system = mounted
            .iter()
            .find(|at| SYSTEM.iter().any(|place| at.as_path() == Path::new(place)));
        if let Some(at) = system {
            refusals.insert(0, Refusal::System { at: at.clone() });
        } else if !mounted.is_empty() {
            refusals.push(Refusal::Mounted(mounted));
        }
        if !self.removable {
            refusals.push(Refusal::Internal);
        }
        // What is in a drive is for the burner to judge: an empty disc has no size either.
        if self.optical {
            return refusals;
        }
        if self.size == 0 {
            refusals.push(Refusal::Empty);
        } else if self.read_only {
            refusals.push(Refusal::ReadOnly);
        }
        refusals
    }

    /// How it is told from others: model, serial number, size.
    pub fn title(&self) -> String {
        let mut parts = Vec::new();
        if !self.model.is_empty() {
            parts.push(self.model.clone());
        }
        parts.extend(self.serial.as_ref().map(|serial| format!("serial {serial}")));
        parts.push(self.bus.name().to_owned());
        parts.push(crate::ground::text::size(self.size));
        parts.join(", ")
    }
}

/// A path as it may be shown.
pub(super) fn visible(path: &Path) -> String {
    crate::ground::text::visible_path(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stick() -> Disk {
        Disk {
            name: "sdb".into(),
            path: "/dev/sdb".into(),
            number: (8, 16),
            model: "Acme Stick".into(),
            serial: Some("1234".into()),
            bus: Bus::Usb,
            size: 16_000_000_000,
            sector_size: 512,
            sequence: Some(9),
            removable: true,
            optical: false,
            read_only: false,
            partitions: Vec::new(),
            uses: Vec::new(),
        }
    }

    fn mounted(at: &str) -> Use {
        Use::Mounted {
            device: "/dev/sdb1".into(),
            at: at.into(),
        }
    }

    #[test]
    fn a_stick_is_refused_for_what_is_done_with_it() {
        let mut disk = stick();
        assert_eq!(disk.refusals(), []);
        disk.uses = vec![mounted("/media/a b"), mounted("/mnt\u{1b}")];
        let refusals = disk.refusals();
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].flag(), Some("--unmount"));
        assert_eq!(refusals[0].to_string(), "it is mounted at /media/a b, /mnt\\u{1b}");
        disk.uses.push(mounted("/"));
        assert_eq!(disk.refusals(), [Refusal::System { at: "/".into() }]);
        assert_eq!(disk.refusals()[0].flag(), None);
        disk.uses = vec![Use::Swap {
            device: "/dev/sdb2".into(),
        }];
        assert_eq!(disk.refusals()[0].to_string(), "the system swaps to /dev/sdb2");
        assert_eq!(disk.refusals()[0].flag(), None);
    }

    #[test]
    fn what_is_built_in_or_empty_or_locked_is_refused() {
        let (internal, empty, locked) = (
            Disk {
                removable: false,
                ..stick()
            },
            Disk {
                size: 0,
                read_only: true,
                ..stick()
            },
            Disk {
                read_only: true,
                ..stick()
            },
        );
        assert_eq!(internal.refusals(), [Refusal::Internal]);
        assert_eq!(empty.refusals(), [Refusal::Empty]);
        assert_eq!(locked.refusals(), [Refusal::ReadOnly]);
        assert_eq!(locked.refusals()[0].flag(), None);
        // A disc is for the burner to judge.
        let disc = Disk {
            optical: true,
            ..locked
        };
        assert_eq!(disc.refusals(), []);
    }

    #[test]
    fn a_disk_is_named_by_what_is_known() {
        assert_eq!(stick().title(), "Acme Stick, serial 1234, usb, 15 GiB");
        let unknown = Disk {
            model: String::new(),
            serial: None,
            ..stick()
        };
        assert_eq!(unknown.title(), "usb, 15 GiB");
    }
}
