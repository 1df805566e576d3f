//! The disks of a Linux system, as sysfs(5) shows them (the kernel's Documentation/ABI/stable/sysfs-block).

use std::fs;
use std::io;
use std::path::Path;

use super::disk::{Bus, Disk, Partition, Use};
use super::host::{Host, text};
use super::uses;

/// sysfs counts sectors of 512 bytes, whatever the disk's are.
const SECTOR: u64 = 512;

impl Host {
    /// All disks by name: no memory that plays disk, and nothing that is made of other disks.
    ///
    /// # Errors
    /// When there is no sysfs to read.
    pub fn disks(&self) -> io::Result<Vec<Disk>> {
        let mut names: Vec<String> = fs::read_dir(self.blocks())?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        // By length first: sdb comes before sdaa.
        names.sort_by_key(|name| (name.len(), name.clone()));
        let disks = names.iter().filter_map(|name| self.disk(name));
        Ok(disks.collect())
    }

    /// The loop devices that show a file.
    pub(super) fn loops_of(&self, file: &Path) -> impl Iterator<Item = Disk> {
        let names = fs::read_dir(self.blocks()).into_iter().flatten();
        let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let shows = move |name: &String| {
            let backing = self.blocks().join(name).join("loop/backing_file");
            text(&backing).is_some_and(|path| Path::new(&path) == file)
        };
        names.filter(shows).filter_map(|name| self.disk(&name))
    }

    /// The disk whose node has this major and minor number, and the partition that has it, if it is one's.
    ///
    /// # Errors
    /// When there is no sysfs to read.
    pub fn find(&self, number: (u32, u32)) -> io::Result<Option<(Disk, Option<Partition>)>> {
        Ok(self.disks()?.into_iter().find_map(|disk| {
            let partition = disk.partitions.iter().find(|part| part.number == number).cloned();
            (disk.number == number || partition.is_some()).then_some((disk, partition))
        }))
    }

    /// What the kernel calls a disk of this name. `None` if it is none.
    pub fn disk(&self, name: &str) -> Option<Disk> {
        let block = self.blocks().join(name);
        let is_loop = block.join("loop").is_dir();
        let flag = |file: &str| text(&block.join(file)).as_deref() == Some("1");
        if !(is_loop || block.join("device").exists()) || flag("hidden") {
            return None;
        }
        let bus = if is_loop { Bus::Loop } else { bus(&block, name) };
        let partitions = self.partitions(&block);
        let uses = uses::of_disk(self, name, &partitions);
        Some(Disk {
            path: self.node(name),
            number: number(&block)?,
            model: model(&block),
            serial: serial(&block),
            bus,
            size: value(&block.join("size")).unwrap_or(0).saturating_mul(SECTOR),
            sector_size: value(&block.join("queue/logical_block_size")).unwrap_or(SECTOR),
            sequence: value(&block.join("diskseq")),
            removable: flag("removable") || bus.is_removable(),
            // SPC-4 §6.4.2: the device type of CD and DVD.
            optical: text(&block.join("device/type")).as_deref() == Some("5"),
            read_only: flag("ro"),
            name: name.to_owned(),
            partitions,
            uses,
        })
    }

    /// What uses one partition of a disk.
    pub(super) fn uses(&self, disk: &Disk, partition: &Partition) -> Vec<Use> {
        uses::of_partition(self, &disk.name, &partition.name)
    }

    fn partitions(&self, block: &Path) -> Vec<Partition> {
        let Ok(entries) = fs::read_dir(block) else {
            return Vec::new();
        };
        let mut partitions: Vec<Partition> = entries
            .filter_map(|entry| {
                let directory = entry.ok()?.path();
                value(&directory.join("partition"))?;
                let name = directory.file_name()?.to_str()?.to_owned();
                Some(Partition {
                    path: self.node(&name),
                    number: number(&directory)?,
                    start: value(&directory.join("start"))?.checked_mul(SECTOR)?,
                    length: value(&directory.join("size"))?.checked_mul(SECTOR)?,
                    name,
                })
            })
            .collect();
        partitions.sort_by_key(|partition| partition.start);
        partitions
    }
}

fn value(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

/// Major and minor number.
fn number(directory: &Path) -> Option<(u32, u32)> {
    let text = text(&directory.join("dev"))?;
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The buses on the way to a disk are directories of its path; the last one is its own.
fn bus(block: &Path, name: &str) -> Bus {
    if name.starts_with("mmcblk") {
        return match text(&block.join("device/type")).as_deref() {
            Some("SD") => Bus::Sd,
            _ => Bus::Emmc,
        };
    }
    let Ok(path) = fs::canonicalize(block) else {
        return Bus::Other;
    };
    let is = |component: &str, bus: &str| {
        let number = component.strip_prefix(bus);
        number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
    };
    let kinds = [
        ("usb", Bus::Usb),
        ("fw", Bus::Firewire),
        ("nvme", Bus::Nvme),
        ("virtio", Bus::Virtio),
        ("ata", Bus::Ata),
    ];
    let components: Vec<_> = path.iter().filter_map(|component| component.to_str()).collect();
    let kind = components
        .iter()
        .rev()
        .find_map(|component| kinds.iter().find(|(bus, _)| is(component, bus)));
    match kind {
        Some(&(_, bus)) => bus,
        None if name.starts_with("sd") || name.starts_with("sr") => Bus::Scsi,
        None => Bus::Other,
    }
}

/// Maker and model; the file behind a loop device.
fn model(block: &Path) -> String {
    let first = |files: &[&str]| files.iter().find_map(|file| text(&block.join(file)));
    let vendor = text(&block.join("device/vendor")).filter(|vendor| !vendor.starts_with("0x") && vendor != "ATA");
    let model = first(&["device/model", "device/name", "loop/backing_file"]);
    let words: Vec<String> = vendor.into_iter().chain(model).collect();
    crate::ground::text::visible(words.join(" ").as_bytes())
}

/// The serial number: the USB device's before that of the SCSI disk it plays.
fn serial(block: &Path) -> Option<String> {
    let usb = fs::canonicalize(block.join("device")).ok().and_then(|device| {
        let usb = device
            .ancestors()
            .find(|directory| directory.join("idVendor").exists())?;
        text(&usb.join("serial"))
    });
    // SPC-4 §7.8.11: the unit serial number page, behind four bytes of header.
    let page = || {
        let page = fs::read(block.join("device/vpd_pg80")).ok()?;
        let serial = String::from_utf8_lossy(page.get(4..)?).trim().to_owned();
        (!serial.is_empty()).then_some(serial)
    };
    let serial = usb
        .or_else(|| text(&block.join("device/serial")))
        .or_else(|| text(&block.join("serial")))
        .or_else(page)?;
    Some(crate::ground::text::visible(serial.as_bytes()))
}
