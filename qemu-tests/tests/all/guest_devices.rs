//! `devices`, `write`, `verify` and `read` in a Linux guest, which has what this machine lacks: a USB stick, disks that are built in, an
//! optical drive, device-mapper, RAID, FAT.

use isobuild::inside::facts::cell::Firmware;
use isobuild::inside::vm::Machine;
use qemu_tests::initramfs::Initramfs;
use qemu_tests::linux::{self, MARK};
use qemu_tests::pins::{self, Inputs};
use qemu_tests::verbs::{Bench, MENU};
use qemu_tests::{suite, tools, workspace};
use std::fs;
use std::time::Duration;

pub(crate) fn tests() -> suite::Tests {
    let mut missing = suite::missing(&["qemu-system-x86_64", "setpriv", "dmsetup"]);
    missing.extend(suite::missing_inputs()?);
    missing.extend(workspace::isobuild().err());
    let trial = suite::trial("sticks, disks and discs of a guest".to_owned(), missing, guest);
    Ok(vec![trial])
}

/// In the order in which they need each other, behind those of [`linux`].
const MODULES: [&str; 9] = [
    "cdrom",
    "dm-mod",
    "md-mod",
    "raid1",
    "fat",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "isofs",
];

/// Those of SCSI, whose first is told to look for disks only when it is asked to.
const SCSI: [&str; 5] = ["scsi_common", "scsi_mod", "usb-storage", "sd_mod", "sr_mod"];

const STICK: u64 = 32 << 20;
const DISK: u64 = 8 << 20;

/// What is done in the guest. Each `try` says a name, the exit code and, in one line, what stands on standard error.
const SCRIPT: &str = r#"
export PATH=/bin
wait_for() { n=0; while [ ! -e $1 ] && [ $n -lt 200 ]; do sleep 0.1; n=$((n+1)); done; }
try() { name=$1; shift; "$@" >/out 2>/err; code=$?; say "$name $code $(tr '\n' ' ' </err) | $(tr '\n' ' ' </out)"; }
# Disks are found at the same time, and named as they come. One after the other they have the same names each time.
find() { wait_for /sys/class/scsi_host/host$1; echo "0 $2 0" >/sys/class/scsi_host/host$1/scan; wait_for $3; }
find 0 0 /dev/sda
insmod /modules/virtio_scsi.ko || say failed
find 1 1 /dev/sdb; find 1 2 /dev/sdc; find 1 3 /dev/sdd; find 1 4 /dev/sde; find 1 5 /dev/sr0
say "devices $(/isobuild devices --json | tr -d '\n')"

try internal /isobuild write /image.iso /dev/sdb --yes
dmsetup create vault --uuid CRYPT-LUKS2-0123456789abcdef-vault --table "0 8192 linear /dev/sdb 0" || say failed
try luks /isobuild write /image.iso /dev/sdb --yes --internal
dmsetup create vg-root --uuid LVM-0123456789abcdef --table "0 8192 linear /dev/sdc 0" || say failed
try lvm /isobuild write /image.iso /dev/sdc --yes --internal
echo md0 >/sys/module/md_mod/parameters/new_array
cd /sys/block/md0/md
echo none >metadata_version; echo raid1 >level; echo 2 >raid_disks
cat /sys/block/sdd/dev >new_dev; cat /sys/block/sde/dev >new_dev
echo 0 >dev-sdd/slot; echo 1 >dev-sde/slot; echo active >array_state || say failed
cd /
try raid /isobuild write /image.iso /dev/sdd --yes --internal
mkswap /dev/dm-0 >/dev/null && swapon /dev/dm-0 || say failed
try swap /isobuild write /image.iso /dev/sdb --yes --internal
try mapper /isobuild write /image.iso /dev/dm-1 --yes --internal
try raid-device /isobuild write /image.iso /dev/md0 --yes --internal

try write /isobuild write /image.iso /dev/sda --yes
try verify /isobuild verify /image.iso /dev/sda
blockdev --rereadpt /dev/sda; wait_for /dev/sda2
mount -t vfat /dev/sda2 /mnt || say failed
sync
try mounted /isobuild write /image.iso /dev/sda --yes
try dirty /isobuild verify /image.iso /dev/sda
try unmount /isobuild write /image.iso /dev/sda --yes --unmount
grep -q " /mnt " /proc/mounts && say "still mounted"

try read /isobuild read /dev/sr0 -o /disc.iso
cmp /disc.iso /image.iso && say "disc same"
rm /disc.iso
try no-burner /isobuild write /image.iso /dev/sr0 --yes
printf '#!/bin/sh\necho "$@" >/burned\nexit $(cat /code)\n' >/bin/xorriso
chmod +x /bin/xorriso
echo 0 >/code
try burn /isobuild write /image.iso /dev/sr0 --yes
say "burned $(cat /burned)"
echo 3 >/code
try burner-fails /isobuild write /image.iso /dev/sr0 --yes
mount -t iso9660 -o ro /dev/sr0 /mnt || say failed
try disc-mounted /isobuild write /image.iso /dev/sr0 --yes
umount /mnt
"#;

fn initramfs(inputs: &Inputs, image: &[u8]) -> Result<Vec<u8>, String> {
    let scsi = linux::load(&SCSI).replace("scsi_mod.ko", "scsi_mod.ko scan=manual");
    let modules = [
        &linux::USB_MODULES[..],
        &linux::CHECKSUM_MODULES,
        &linux::VIRTIO_MODULES,
        &MODULES,
    ]
    .concat();
    let script = format!("{}{scsi}{SCRIPT}{}", linux::preamble(&modules), linux::end());
    let mut archive = Initramfs::new(
        inputs,
        "pc/",
        &[&modules[..], &SCSI, &["virtio_scsi"]].concat(),
        &script,
    )?;
    archive.program("/isobuild", &workspace::isobuild()?)?;
    archive.program("/bin/dmsetup", &tools::find("dmsetup")?)?;
    archive.file("/image.iso", image);
    Ok(archive.finish())
}

fn guest() -> Result<(), String> {
    let bench = Bench::with_noise(MENU, 2);
    let image = fs::read(bench.path("image.iso")).map_err(|e| e.to_string())?;
    let inputs = pins::load("qemu-tests")?;
    fs::write(bench.path("initrd"), initramfs(&inputs, &image)?).map_err(|e| e.to_string())?;
    let mut machine = Machine::new(Firmware::Bios).deadline(Duration::from_secs(180));
    machine = machine.with(&["-device", "qemu-xhci,id=usb", "-device", "virtio-scsi-pci,id=scsi"]);
    for (target, name) in ["stick", "b", "c", "d", "e"].into_iter().enumerate() {
        let size = if name == "stick" { STICK } else { DISK };
        fs::write(bench.path(name), vec![0xA5; size as usize]).map_err(|e| e.to_string())?;
        let drive = format!("if=none,id={name},format=raw,file={}", bench.path(name).display());
        let device = match name {
            "stick" => "usb-storage,bus=usb.0,drive=stick,serial=STICK-0815".to_owned(),
            _ => format!("scsi-hd,bus=scsi.0,scsi-id={target},drive={name},serial=DISK-{name}"),
        };
        machine = machine.with(&["-drive", &drive, "-device", &device]);
    }
    let drive = format!(
        "if=none,id=disc,format=raw,readonly=on,file={}",
        bench.path("image.iso").display()
    );
    let logs = workspace::target().join("qemu-tests/logs/guest-devices");
    let mut guest = machine
        .with(&["-drive", &drive, "-device", "scsi-cd,bus=scsi.0,scsi-id=5,drive=disc"])
        .kernel(
            &inputs.file("pc/vmlinuz")?,
            &bench.path("initrd"),
            "console=ttyS0 quiet panic=-1",
        )
        .start(&logs)?;
    guest.wait_for(&[&format!("{MARK} end")])?;
    guest.wait_for_end()?;
    let serial = guest.serial();
    drop(guest);
    let said = linux::said(&serial)?;
    listed(&said)?;
    for (name, code, words) in EXPECTED {
        let line = said.iter().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.ok_or_else(|| format!("{name} was not said:\n{serial}"))?;
        let whole = line.starts_with(&format!("{name} {code} ")) && words.iter().all(|word| line.contains(word));
        if !whole {
            return Err(format!("expected {code} {words:?}: {line}"));
        }
    }
    for line in [
        "disc same",
        "burned -as cdrecord -v dev=/dev/sr0 blank=as_needed -sao /image.iso",
    ] {
        if !said.contains(&line) {
            return Err(format!("{line:?} was not said:\n{serial}"));
        }
    }
    if said.contains(&"still mounted") {
        return Err("--unmount has left the file system mounted".to_owned());
    }
    let stick = fs::read(bench.path("stick")).map_err(|e| e.to_string())?;
    match stick.starts_with(&image) && stick.len() as u64 == STICK {
        true => Ok(()),
        false => Err("the stick does not have the image".to_owned()),
    }
}

/// What each call of isobuild ends with, and words that it says.
const EXPECTED: [(&str, i32, &[&str]); 17] = [
    ("internal", 4, &["it is built in", "--internal"]),
    ("luks", 4, &["/dev/sdb is a part of the opened LUKS volume vault"]),
    ("lvm", 4, &["/dev/sdc is a part of the LVM volume vg-root"]),
    ("raid", 4, &["/dev/sdd is a part of the RAID md0"]),
    ("swap", 4, &["the system swaps to /dev/dm-0"]),
    ("mapper", 4, &["it is not a disk of its own"]),
    ("raid-device", 4, &["it is not a disk of its own"]),
    ("write", 0, &["written and read back"]),
    ("verify", 0, &["has every byte of /image.iso"]),
    ("mounted", 4, &["it is mounted at /mnt", "--unmount"]),
    ("dirty", 0, &["no damage: a FAT volume was mounted"]),
    ("unmount", 0, &["written and read back"]),
    ("read", 0, &["/disc.iso"]),
    ("no-burner", 3, &["no burner is installed", "xorriso"]),
    ("burn", 0, &["has every byte of /image.iso"]),
    ("burner-fails", 3, &["has failed", "exit status: 3"]),
    ("disc-mounted", 4, &["it is mounted at /mnt"]),
];

/// What `devices` says of them before any of them is used.
fn listed(said: &[&str]) -> Result<(), String> {
    let line = said.iter().find_map(|line| line.strip_prefix("devices "));
    let line = line.ok_or("devices said nothing")?;
    let json: serde_json::Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
    let empty = Vec::new();
    let devices = json["devices"].as_array().unwrap_or(&empty);
    let find = |name: &str| devices.iter().find(|device| device["device"] == name);
    let has = |name: &str, what: serde_json::Value| -> Result<(), String> {
        let device = find(name).ok_or_else(|| format!("{name} is not among {line}"))?;
        for (key, value) in what.as_object().into_iter().flatten() {
            if device[key] != *value {
                return Err(format!("{name}: {key} is {}, not {value}", device[key]));
            }
        }
        Ok(())
    };
    let stick = serde_json::json!({
        "model": "QEMU QEMU HARDDISK", "serial": "STICK-0815", "bus": "usb", "size": STICK, "sector_size": 512,
        "removable": true, "optical": false, "accepted": true, "partitions": [],
    });
    has("/dev/sda", stick)?;
    let disk = serde_json::json!({"serial": "DISK-b", "size": DISK, "removable": false, "accepted": false});
    has("/dev/sdb", disk)?;
    has(
        "/dev/sr0",
        serde_json::json!({"optical": true, "removable": true, "accepted": true, "sector_size": 2048}),
    )
}
