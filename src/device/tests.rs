//! Systems made of files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::disk::Use;
use super::*;

/// A system in a directory.
struct System {
    directory: tempfile::TempDir,
}

impl System {
    fn new() -> Self {
        let system = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(system.path("sys/block")).unwrap();
        system.file("proc/swaps", "Filename Type Size Used Priority\n");
        system.file("proc/self/mountinfo", "");
        system
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk at a place in the tree of devices, by the attributes of its own directory.
    fn disk(&self, name: &str, device: &str, attributes: &[(&str, &str)]) {
        let block = format!("sys/devices/{device}/block/{name}");
        for (file, text) in attributes {
            self.file(&format!("{block}/{file}"), &format!("{text}\n"));
        }
        symlink(
            self.path(&format!("sys/devices/{device}")),
            self.path(&format!("{block}/device")),
        )
        .unwrap();
        symlink(self.path(&block), self.path(&format!("sys/block/{name}"))).unwrap();
    }

    /// A device that is made of others.
    fn made(&self, name: &str, of: &str, attributes: &[(&str, &str)]) {
        for (file, text) in attributes {
            self.file(&format!("sys/block/{name}/{file}"), text);
        }
        fs::create_dir_all(self.path(&format!("{of}/holders/{name}"))).unwrap();
    }

    /// `sdb`, a stick of 8 GiB with two partitions.
    fn stick(&self) {
        let usb = "pci0/usb2/2-1";
        self.file(&format!("sys/devices/{usb}/idVendor"), "abcd");
        self.file(&format!("sys/devices/{usb}/serial"), "0815\u{1b}\n");
        let scsi = format!("{usb}/2-1:1.0/host3/target3:0:0/3:0:0:0");
        self.file(&format!("sys/devices/{scsi}/vendor"), "Acme    \n");
        self.file(&format!("sys/devices/{scsi}/model"), "Stick 3.0       \n");
        self.file(&format!("sys/devices/{scsi}/type"), "0\n");
        self.disk(
            "sdb",
            &scsi,
            &[
                ("dev", "8:16"),
                ("size", "16777216"),
                ("queue/logical_block_size", "512"),
                ("removable", "0"),
                ("ro", "0"),
                ("diskseq", "12"),
                ("sdb2/partition", "2"),
                ("sdb2/dev", "8:18"),
                ("sdb2/start", "4096"),
                ("sdb2/size", "2048"),
                ("sdb1/partition", "1"),
                ("sdb1/dev", "8:17"),
                ("sdb1/start", "2048"),
                ("sdb1/size", "2048"),
            ],
        );
    }

    fn host(&self) -> Host {
        Host {
            sys: self.path("sys"),
            proc: self.path("proc"),
            dev: "/dev".into(),
        }
    }

    fn uses(&self) -> Vec<Use> {
        self.host().disk("sdb").unwrap().uses
    }
}

#[test]
fn a_stick_and_what_is_none() {
    let system = System::new();
    system.stick();
    let nvme = [("dev", "259:0"), ("size", "100"), ("removable", "0"), ("ro", "1")];
    system.disk("nvme0n1", "pci0/nvme/nvme0", &nvme);
    system.file("sys/devices/pci0/nvme/nvme0/model", "Fast");
    system.file("sys/devices/pci0/nvme/nvme0/serial", "S1");
    system.disk(
        "sr0",
        "pci0/ata3/host2/2:0:0:0",
        &[("dev", "11:0"), ("size", "0"), ("removable", "1")],
    );
    system.file("sys/devices/pci0/ata3/host2/2:0:0:0/type", "5");
    system.disk("mmcblk0", "platform/mmc0/mmc0:1", &[("dev", "179:0"), ("size", "4")]);
    system.file("sys/devices/platform/mmc0/mmc0:1/type", "MMC");
    system.file("sys/block/loop3/dev", "7:3");
    system.file("sys/block/loop3/size", "8");
    system.file("sys/block/loop3/loop/backing_file", "/tmp/a b.img");
    for (file, text) in [("dev", "253:0"), ("size", "8")] {
        system.file(&format!("sys/block/zram0/{file}"), text);
    }

    let disks = system.host().disks().unwrap();
    let names: Vec<_> = disks.iter().map(|disk| (disk.name.as_str(), disk.bus)).collect();
    let expected = [
        ("sdb", Bus::Usb),
        ("sr0", Bus::Ata),
        ("loop3", Bus::Loop),
        ("mmcblk0", Bus::Emmc),
        ("nvme0n1", Bus::Nvme),
    ];
    assert_eq!(names, expected);
    let [stick, disc, image, chip, nvme] = &disks[..] else {
        panic!("{disks:?}")
    };
    assert_eq!(stick.title(), "Acme Stick 3.0, serial 0815\\u{1b}, usb, 8.0 GiB");
    assert_eq!(
        (stick.number, stick.sequence, stick.sector_size),
        ((8, 16), Some(12), 512)
    );
    assert_eq!(stick.refusals(), []);
    let parts: Vec<_> = stick
        .partitions
        .iter()
        .map(|one| (one.name.as_str(), one.start))
        .collect();
    assert_eq!(parts, [("sdb1", 1 << 20), ("sdb2", 2 << 20)]);
    assert!(disc.optical && disc.refusals().is_empty());
    assert_eq!((image.model.as_str(), image.removable), ("/tmp/a b.img", true));
    assert_eq!(chip.refusals(), [Refusal::Internal]);
    assert_eq!(nvme.title(), "Fast, serial S1, nvme, 50 KiB");
    assert_eq!(nvme.refusals(), [Refusal::Internal, Refusal::ReadOnly]);

    let found = system.host().find((8, 18)).unwrap().unwrap();
    assert_eq!((found.0.name.as_str(), found.1.unwrap().name.as_str()), ("sdb", "sdb2"));
    assert!(system.host().find((8, 16)).unwrap().unwrap().1.is_none());
    assert!(system.host().find((253, 0)).unwrap().is_none());
}

#[test]
fn a_mount_is_found_by_number_and_by_source() {
    let system = System::new();
    system.stick();
    assert_eq!(system.uses(), []);
    let table = "22 1 8:18 / /media/my\\040stick rw,nosuid shared:1 - vfat /dev/sdb2 rw\n\
                 23 1 0:40 / /mnt/pool rw - btrfs /dev/sdb1 rw\n\
                 24 1 8:2 / / rw - ext4 /dev/sda2 rw\n\
                 short\n";
    system.file("proc/self/mountinfo", table);
    let mounted = |device: &str, at: &str| Use::Mounted {
        device: device.into(),
        at: at.into(),
    };
    let expected = [
        mounted("/dev/sdb2", "/media/my stick"),
        mounted("/dev/sdb1", "/mnt/pool"),
    ];
    assert_eq!(system.uses(), expected);
    // The other half of a file system of two devices.
    system.file("proc/self/mountinfo", "23 1 0:40 / /mnt/pool rw - btrfs /dev/sda1 rw\n");
    fs::create_dir_all(system.path("sys/fs/btrfs/1-2-3/devices/sdb1")).unwrap();
    let uses = system.uses();
    assert_eq!(
        Refusal::Used(uses[0].clone()).to_string(),
        "/dev/sdb1 is a part of the mounted btrfs 1-2-3"
    );
}

#[test]
fn a_root_on_lvm_on_luks_on_raid_is_the_system() {
    let system = System::new();
    system.stick();
    let sdb2 = "sys/block/sdb/sdb2";
    system.made("md0", sdb2, &[("dev", "9:0"), ("md/level", "raid1")]);
    let crypt = [("dev", "254:0"), ("dm/uuid", "CRYPT-LUKS2-11-x"), ("dm/name", "vault")];
    system.made("dm-0", "sys/block/md0", &crypt);
    let root = [("dev", "254:1"), ("dm/uuid", "LVM-aa"), ("dm/name", "vg-root")];
    system.made("dm-1", "sys/block/dm-0", &root);
    system.file(
        "proc/swaps",
        "Filename Type\n/dev/dm-0 partition 1 0 -2\n/swapfile file 1 0 -2\n",
    );
    system.file(
        "proc/self/mountinfo",
        "24 1 254:1 / / rw - ext4 /dev/mapper/vg-root rw\n",
    );
    let said: Vec<String> = system
        .host()
        .disk("sdb")
        .unwrap()
        .refusals()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "the running system is on it: /",
        "/dev/sdb2 is a part of the RAID md0",
        "/dev/md0 is a part of the opened LUKS volume vault",
        "/dev/dm-0 is a part of the LVM volume vg-root",
        "the system swaps to /dev/dm-0",
    ];
    assert_eq!(said, expected);
}

#[test]
fn holders_in_a_circle_end() {
    let system = System::new();
    system.stick();
    system.made("dm-0", "sys/block/sdb", &[("dev", "254:0")]);
    system.made("dm-1", "sys/block/dm-0", &[("dev", "254:1")]);
    system.made("dm-0", "sys/block/dm-1", &[]);
    assert_eq!(system.uses().len(), 3);
}

#[test]
fn without_sysfs_nothing_is_said() {
    let system = System::new();
    fs::remove_dir(system.path("sys/block")).unwrap();
    assert!(system.host().disks().is_err());
}
