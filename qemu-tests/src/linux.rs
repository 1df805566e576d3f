//! What the tests' own Linux guest says of a tree that it has mounted, and how it is asked.

use crate::listing::{Entry, Listing};
use crate::pins::Inputs;
use crate::preserved::Attributes;
use isobuild::inside::vm::Machine;
use std::collections::BTreeMap;
use std::path::Path;

/// Each line that the guest has to say starts with this.
pub const MARK: &str = "isobuild-test:";

/// Stands between a link and its target, in neither of which it is.
const POINTS_TO: &str = " -> ";

/// Modules for a USB host, in the order in which they need each other.
pub const USB_MODULES: [&str; 4] = ["usb-common", "usbcore", "xhci-hcd", "xhci-pci"];

/// The modules of the virtio bus, in that order too.
pub const VIRTIO_MODULES: [&str; 5] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
];

/// Modules for a disc that [`disc`] puts in, behind `cdrom`, in that order too.
pub const DISC_MODULES: [&str; 4] = ["scsi_common", "scsi_mod", "virtio_scsi", "sr_mod"];

/// Modules that the driver of SCSI disks needs, in that order too.
pub const CHECKSUM_MODULES: [&str; 7] = [
    "crct10dif_common",
    "crct10dif_generic",
    "crc-t10dif",
    "crc64",
    "crc64_rocksoft_generic",
    "crc64-rocksoft",
    "t10-pi",
];

/// The first lines of the guest's first program: what it has is there, and these modules of the kernel's are loaded.
pub fn preamble(modules: &[&str]) -> String {
    format!(
        "#!/busybox sh\n\
         say() {{ echo \"{MARK} $*\"; }}\n\
         /busybox mkdir -p /bin /proc /sys /dev /mnt\n\
         /busybox --install -s /bin\n\
         mount -t proc proc /proc\n\
         mount -t sysfs sysfs /sys\n\
         mount -t devtmpfs devtmpfs /dev\n{}",
        load(modules)
    )
}

/// Loads modules of the kernel's, in the order in which they need each other.
pub fn load(modules: &[&str]) -> String {
    let line = |module: &&str| format!("insmod /modules/{module}.ko || say failed\n");
    modules.iter().map(line).collect()
}

/// Waits until a block device is there: a disc, or a stick, is probed while the script goes on.
pub fn wait_for(device: &str) -> String {
    format!("n=0; while [ ! -b {device} ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done\n")
}

/// Puts an image into a machine as a disc. The kernel of this guest has no driver for AHCI.
pub fn disc(machine: Machine, image: &Path) -> Machine {
    let drive = format!("if=none,id=cd,format=raw,readonly=on,file={}", image.display());
    machine.with(&[
        "-drive",
        &drive,
        "-device",
        "virtio-scsi-pci",
        "-device",
        "scsi-cd,drive=cd",
    ])
}

/// Boots the guest in a machine until it has said its last word, and returns what it said.
pub fn run(machine: Machine, inputs: &Inputs, initrd: &Path, logs: &Path) -> Result<String, String> {
    let mut guest = machine
        .kernel(&inputs.file("vmlinuz")?, initrd, "console=ttyS0 quiet panic=-1")
        .start(logs)?;
    guest.wait_for(&[&format!("{MARK} end")])?;
    Ok(guest.serial())
}

/// Says every file, link and, if asked for, all attributes of what is mounted at `/mnt`, under a name.
pub fn describe(of: &str, attributes: bool) -> String {
    let mut text = format!(
        "cd /mnt\n\
         find . -type f -exec sha256sum {{}} + | sed 's|^|{MARK} file {of} |'\n\
         find . -type l | while IFS= read -r f; do\n\
         say link {of} \"$f{POINTS_TO}$(readlink \"$f\")\"; done\n"
    );
    if attributes {
        text += &format!("find . -exec stat -c '{MARK} stat {of} %a %Y %h %u %g %n' {{}} +\n");
    }
    text + "cd /\n"
}

/// The last lines.
pub fn end() -> &'static str {
    "say end\npoweroff -f\n"
}

/// The guest's lines, without their mark.
pub fn said(serial: &str) -> Result<Vec<&str>, String> {
    // A name may end in spaces: only the end of the line goes, as the serial port has it.
    let lines = serial.split('\n');
    let said: Vec<&str> = lines
        .filter_map(|line| line.trim_end_matches('\r').strip_prefix(MARK)?.strip_prefix(' '))
        .collect();
    match said.contains(&"failed") {
        true => {
            let other = |line: &&str| !line.starts_with(MARK) || line.ends_with("failed\r");
            let lines: Vec<&str> = serial.split('\n').filter(other).collect();
            Err(format!("a command failed in the guest:\n{}", lines.join("\n")))
        }
        false => Ok(said),
    }
}

/// What the guest has said of one tree.
pub fn found(said: &[&str], of: &str) -> Result<(Listing, BTreeMap<String, Attributes>), String> {
    let (mut listing, mut attributes) = (Listing::new(), BTreeMap::new());
    for line in said {
        let Some((kind, rest)) = line.split_once(&format!(" {of} ")) else {
            continue;
        };
        let fault = || format!("the guest said {line:?}");
        let absolute = |path: &str| path.strip_prefix('.').map(str::to_owned).ok_or_else(fault);
        match kind {
            "file" => {
                let (digest, path) = rest.split_once("  ").ok_or_else(fault)?;
                listing.insert(absolute(path)?, Entry::File(digest.to_owned()));
            }
            "link" => {
                let (path, target) = rest.split_once(POINTS_TO).ok_or_else(fault)?;
                listing.insert(absolute(path)?, Entry::Link(target.to_owned()));
            }
            "stat" => {
                let (path, of) = stat(rest).ok_or_else(fault)?;
                attributes.insert(absolute(path)?, of);
            }
            _ => return Err(fault()),
        }
    }
    Ok((listing, attributes))
}

/// A path and its attributes, in the order in which the guest is asked for them.
fn stat(line: &str) -> Option<(&str, Attributes)> {
    let mut words = line.splitn(6, ' ');
    let attributes = Attributes {
        mode: u32::from_str_radix(words.next()?, 8).ok()?,
        mtime: words.next()?.parse().ok()?,
        links: words.next()?.parse().ok()?,
        uid: words.next()?.parse().ok()?,
        gid: words.next()?.parse().ok()?,
    };
    Some((words.next()?, attributes))
}
