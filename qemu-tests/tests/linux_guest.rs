//! Linux mounts every image by its label, as a disk and as a disc, in the three ways that isofs knows, and hashes every file.

use qemu_tests::cell::{Firmware, Medium};
use qemu_tests::cpio::Archive;
use qemu_tests::example::Example;
use qemu_tests::listing::{Entry, Listing, files_only, same, same_contents};
use qemu_tests::machine::Machine;
use qemu_tests::medium::Scratch;
use qemu_tests::pins::{self, Inputs, State};
use qemu_tests::{suite, workspace};
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    suite::run(trials())
}

fn trials() -> Result<Vec<libtest_mimic::Trial>, String> {
    let mut trials = Vec::new();
    for example in Example::all()?.into_iter().map(Arc::new) {
        let mut missing = example.missing();
        missing.extend(suite::missing(&["qemu-system-x86_64", "setpriv"]));
        let inputs = pins::load("qemu-tests")?;
        if matches!(inputs.state()?, State::Missing(_)) {
            missing.push("the guest's kernel is missing (cargo xtask inputs qemu-tests)".to_owned());
        }
        let name = format!("{} linux guest", example.name);
        trials.push(suite::trial(name, missing, move || mount(&example, &inputs)));
    }
    Ok(trials)
}

/// In the order in which they need each other. The driver of the disc is loaded once the disk is gone, so that the label
/// leads to one of them at a time.
const MODULES: [&str; 8] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "cdrom",
    "nls_utf8",
    "isofs",
];
const DISK_MODULES: [&str; 1] = ["virtio_blk"];
const DISC_MODULES: [&str; 4] = ["scsi_common", "scsi_mod", "virtio_scsi", "sr_mod"];

/// The mount options, by the index that they leave for isofs to read.
const WAYS: [(&str, &str); 3] = [
    ("rock-ridge", "iocharset=utf8"),
    ("joliet", "iocharset=utf8,norock"),
    ("iso9660", "norock,nojoliet"),
];

/// Each line that the guest has to say starts with this.
const MARK: &str = "isobuild-test:";

fn script(label: &str) -> String {
    let load = |modules: &[&str]| -> String {
        modules
            .iter()
            .map(|module| format!("insmod /modules/{module}.ko || say failed\n"))
            .collect()
    };
    let mut text = format!(
        "#!/busybox sh\n\
         say() {{ echo \"{MARK} $*\"; }}\n\
         /busybox mkdir -p /bin /proc /sys /dev /mnt\n\
         /busybox --install -s /bin\n\
         mount -t proc proc /proc\n\
         mount -t sysfs sysfs /sys\n\
         mount -t devtmpfs devtmpfs /dev\n"
    );
    text += &load(&MODULES);
    for (modules, device) in [(&DISK_MODULES[..], "/dev/vda"), (&DISC_MODULES[..], "/dev/sr0")] {
        text += &load(modules);
        // A disc is probed while the script goes on.
        text += &format!("n=0; while [ ! -b {device} ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done\n");
        text += &format!("say label {device} $(findfs LABEL='{label}')\n");
        for (way, options) in WAYS {
            text += &format!(
                "mount -t iso9660 -o ro,{options} {device} /mnt || say failed\n\
                 cd /mnt\n\
                 find . -type f | while read -r f; do\n\
                 say file {device} {way} $(sha256sum < \"$f\" | cut -c1-64) \"$f\"; done\n\
                 find . -type l | while read -r f; do\n\
                 say link {device} {way} \"$(readlink \"$f\")\" \"$f\"; done\n\
                 cd /; umount /mnt\n"
            );
        }
        text += "[ -b /dev/vda ] && rmmod virtio_blk\n";
    }
    text + "say end\npoweroff -f\n"
}

fn initramfs(inputs: &Inputs, label: &str) -> Result<Vec<u8>, String> {
    let read = |name: &str| {
        let path = inputs.file(name)?;
        fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let mut archive = Archive::default();
    archive.file("busybox", &read("busybox")?);
    archive.file("init", script(label).as_bytes());
    archive.directory("modules");
    for module in MODULES.iter().chain(&DISK_MODULES).chain(&DISC_MODULES) {
        let name = format!("{module}.ko");
        archive.file(&format!("modules/{name}"), &read(&name)?);
    }
    Ok(archive.finish())
}

fn mount(example: &Example, inputs: &Inputs) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let medium = Scratch::new(example.image()?, Medium::Disk, scratch.path())?;
    let image = fs::read(medium.path()).map_err(|e| e.to_string())?;
    // ECMA-119 §9.4.6: the volume identifier, 32 bytes padded with spaces, of the primary descriptor in sector 16.
    let label = image
        .get(16 * 2048 + 40..16 * 2048 + 72)
        .ok_or("the image is too short")?;
    let label = String::from_utf8_lossy(label).trim_end().to_owned();
    let initrd = scratch.path().join("initrd");
    fs::write(&initrd, initramfs(inputs, &label)?).map_err(|e| e.to_string())?;
    let logs = workspace::target().join(format!("qemu-tests/logs/{}-linux-guest", example.name));
    let mut guest = Machine::new(Firmware::Bios, &logs)
        .medium(medium.path(), Medium::Disk)
        .virtio_cd(example.image()?)
        .kernel(&inputs.file("vmlinuz")?, &initrd, "console=ttyS0 quiet panic=-1")
        .start()?;
    guest.wait_for(&[&format!("{MARK} end")])?;
    let serial = guest.serial();
    drop(guest);
    judge(example, &serial)?;
    medium.check_unwritten()
}

fn judge(example: &Example, serial: &str) -> Result<(), String> {
    let said: Vec<&str> = serial
        .lines()
        .filter_map(|line| line.trim().strip_prefix(MARK))
        .map(str::trim)
        .collect();
    if said.contains(&"failed") {
        return Err(format!("a command failed in the guest:\n{serial}"));
    }
    let expected = example.iso()?;
    for device in ["/dev/vda", "/dev/sr0"] {
        // The whole disk: a partition that starts where the image does would carry the label too.
        if !said.contains(&format!("label {device} {device}").as_str()) {
            return Err(format!("the label does not lead to {device}:\n{serial}"));
        }
        for (way, _) in WAYS {
            let read = listing(&said, device, way)?;
            match way {
                "rock-ridge" => same(&expected, &read),
                "joliet" => same(&files_only(&expected), &read),
                _ => same_contents(&expected, &read),
            }
            .map_err(|e| format!("{device} as {way}:\n{e}"))?;
        }
    }
    Ok(())
}

fn listing(said: &[&str], device: &str, way: &str) -> Result<Listing, String> {
    let mut listing = Listing::new();
    for line in said {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        let [kind, on, by, value, path] = words[..] else {
            continue;
        };
        if on != device || by != way {
            continue;
        }
        let path = path.strip_prefix('.').unwrap_or(path).to_owned();
        let entry = match kind {
            "file" => Entry::File(value.to_owned()),
            "link" => Entry::Link(value.to_owned()),
            _ => return Err(format!("the guest said {line:?}")),
        };
        listing.insert(path, entry);
    }
    Ok(listing)
}
