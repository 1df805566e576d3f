//! Linux mounts every image by its label, as a disk and as a disc, in the three ways that isofs knows, and hashes every file:
//! the examples, and an odd tree beside one whose modes, owners, times and hard links are kept.

use qemu_tests::cell::{Firmware, Medium};
use qemu_tests::cpio::Archive;
use qemu_tests::example::Example;
use qemu_tests::listing::{Entry, Listing, files_only, of_directory, same, same_contents};
use qemu_tests::machine::Machine;
use qemu_tests::medium::Scratch;
use qemu_tests::pins::{self, Inputs};
use qemu_tests::preserved::{self, Attributes};
use qemu_tests::{odd, suite, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    suite::run(trials())
}

fn trials() -> Result<Vec<libtest_mimic::Trial>, String> {
    let mut trials = Vec::new();
    let mut needs = suite::missing(&["qemu-system-x86_64", "setpriv"]);
    needs.extend(suite::missing_inputs()?);
    let inputs = Arc::new(pins::load("qemu-tests")?);
    for example in Example::all()?.into_iter().map(Arc::new) {
        let missing = [example.missing(), needs.clone()].concat();
        let (name, inputs) = (format!("{} linux guest", example.name), Arc::clone(&inputs));
        trials.push(suite::trial(name, missing, move || {
            mount(&Subject::of(&example)?, &inputs)
        }));
    }
    needs.extend(workspace::isobuild().err());
    trials.push(suite::trial("odd tree linux guest".to_owned(), needs, move || {
        let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
        mount(&Subject::odd(dir.path())?, &inputs)
    }));
    Ok(trials)
}

/// An image and what is in it.
struct Subject {
    name: String,
    image: PathBuf,
    iso: Listing,
    /// By path, of the files and directories whose attributes are kept.
    attributes: BTreeMap<String, Attributes>,
    /// Whether there are names that Joliet holds in another form.
    odd: bool,
}

impl Subject {
    fn of(example: &Example) -> Result<Self, String> {
        Ok(Self {
            name: example.name.clone(),
            image: example.image()?.to_owned(),
            iso: example.iso()?,
            attributes: BTreeMap::new(),
            odd: false,
        })
    }

    /// The guest says a path a line, so no name holds the end of one.
    fn odd(dir: &Path) -> Result<Self, String> {
        let kept = dir.join("kept");
        preserved::make(&kept).map_err(|e| e.to_string())?;
        let (tree, image) = odd::image(dir, &["new\nline"], &preserved::manifest("kept", "/kept"))?;
        let mut iso = of_directory(&tree)?;
        let below = |(path, entry)| (format!("/kept{path}"), entry);
        iso.extend(of_directory(&kept)?.into_iter().map(below));
        let attributes = preserved::attributes(&kept).map_err(|e| e.to_string())?;
        Ok(Self {
            name: "odd-tree".to_owned(),
            image,
            iso,
            attributes: attributes
                .into_iter()
                .map(|(name, of)| (format!("/kept/{name}"), of))
                .collect(),
            odd: true,
        })
    }
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

/// The mount options, by the index that they leave for isofs to read. Names that differ only in case are two.
const WAYS: [(&str, &str); 3] = [
    ("rock-ridge", "iocharset=utf8"),
    ("joliet", "iocharset=utf8,norock,check=strict"),
    ("iso9660", "norock,nojoliet"),
];

/// Stands between a link and its target, in neither of which it is.
const POINTS_TO: &str = " -> ";

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
                 find . -type f -exec sha256sum {{}} + | sed 's|^|{MARK} file {device} {way} |'\n\
                 find . -type l | while IFS= read -r f; do\n\
                 say link {device} {way} \"$f{POINTS_TO}$(readlink \"$f\")\"; done\n\
                 [ {way} != rock-ridge ] || find . -exec stat -c '{MARK} stat {device} {way} %a %Y %h %u %g %n' {{}} +\n\
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

fn mount(subject: &Subject, inputs: &Inputs) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let medium = Scratch::new(&subject.image, Medium::Disk, scratch.path())?;
    let image = fs::read(medium.path()).map_err(|e| e.to_string())?;
    // ECMA-119 §9.4.6: the volume identifier, 32 bytes padded with spaces, of the primary descriptor in sector 16.
    let label = image
        .get(16 * 2048 + 40..16 * 2048 + 72)
        .ok_or("the image is too short")?;
    let label = String::from_utf8_lossy(label).trim_end().to_owned();
    let initrd = scratch.path().join("initrd");
    fs::write(&initrd, initramfs(inputs, &label)?).map_err(|e| e.to_string())?;
    let logs = workspace::target().join(format!("qemu-tests/logs/{}-linux-guest", subject.name));
    let mut guest = Machine::new(Firmware::Bios, &logs)
        .medium(medium.path(), Medium::Disk)
        .virtio_cd(&subject.image)
        .kernel(&inputs.file("vmlinuz")?, &initrd, "console=ttyS0 quiet panic=-1")
        .start()?;
    guest.wait_for(&[&format!("{MARK} end")])?;
    let serial = guest.serial();
    drop(guest);
    judge(subject, &serial)?;
    medium.check_unwritten()
}

fn judge(subject: &Subject, serial: &str) -> Result<(), String> {
    // A name may end in spaces: only the end of the line goes, as the serial port has it.
    let said: Vec<&str> = serial
        .split('\n')
        .filter_map(|line| line.trim_end_matches('\r').strip_prefix(MARK)?.strip_prefix(' '))
        .collect();
    if said.contains(&"failed") {
        return Err(format!("a command failed in the guest:\n{serial}"));
    }
    for device in ["/dev/vda", "/dev/sr0"] {
        // The whole disk: a partition that starts where the image does would carry the label too.
        if !said.contains(&format!("label {device} {device}").as_str()) {
            return Err(format!("the label does not lead to {device}:\n{serial}"));
        }
        for (way, _) in WAYS {
            let (read, attributes) = found(&said, &format!("{device} {way}"))?;
            match way {
                "rock-ridge" => {
                    same(&subject.iso, &read).and_then(|()| same_attributes(&subject.attributes, &attributes))
                }
                "joliet" if !subject.odd => same(&files_only(&subject.iso), &read),
                "joliet" => same_contents(&files_only(&subject.iso), &read),
                _ => same_contents(&subject.iso, &read),
            }
            .map_err(|e| format!("{device} as {way}:\n{e}"))?;
        }
    }
    Ok(())
}

fn same_attributes(expected: &BTreeMap<String, Attributes>, read: &BTreeMap<String, Attributes>) -> Result<(), String> {
    for (path, wanted) in expected {
        // The guest's isofs counts seconds in 32 bits with a sign: a date after January 2038 is 2^32 seconds early there.
        let mut wanted = wanted.clone();
        if wanted.mtime > i64::from(i32::MAX) {
            wanted.mtime -= 1 << 32;
        }
        if read.get(path) != Some(&wanted) {
            return Err(format!("{path} is {:?}, expected {wanted:?}", read.get(path)));
        }
    }
    Ok(())
}

/// What the guest has said of one device in one way.
fn found(said: &[&str], of: &str) -> Result<(Listing, BTreeMap<String, Attributes>), String> {
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
