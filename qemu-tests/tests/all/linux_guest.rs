//! Linux mounts every image by its label, as a disk and as a disc, in the three ways that isofs knows, and hashes every file:
//! the examples, and an odd tree beside one whose modes, owners, times and hard links are kept.

use isobuild::inside::facts::cell::{Firmware, Medium};
use isobuild::inside::vm::Machine;
use isobuild::inside::vm::Scratch;
use qemu_tests::example::Example;
use qemu_tests::initramfs::Initramfs;
use qemu_tests::linux;
use qemu_tests::listing::{Listing, files_only, of_directory, same, same_contents};
use qemu_tests::pins::{self, Inputs};
use qemu_tests::preserved::{self, Attributes};
use qemu_tests::{odd, suite, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    let mut needs = suite::missing(&["qemu-system-x86_64", "setpriv"]);
    needs.extend(suite::missing_inputs()?);
    let inputs = Arc::new(pins::load("qemu-tests")?);
    // What is in UDF alone has judges of its own.
    let examples = Example::all()?.into_iter().filter(|example| !example.is_stub());
    for example in examples.map(Arc::new) {
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
const MODULES: [&str; 3] = ["cdrom", "nls_utf8", "isofs"];
const DISK_MODULES: [&str; 1] = ["virtio_blk"];

/// The mount options, by the index that they leave for isofs to read. Names that differ only in case are two.
const WAYS: [(&str, &str); 3] = [
    ("rock-ridge", "iocharset=utf8"),
    ("joliet", "iocharset=utf8,norock,check=strict"),
    ("iso9660", "norock,nojoliet"),
];

fn script(label: &str) -> String {
    let mut text = linux::preamble(&[&linux::VIRTIO_MODULES[..], &MODULES].concat());
    for (modules, device) in [(&DISK_MODULES[..], "/dev/vda"), (&linux::DISC_MODULES[..], "/dev/sr0")] {
        text += &linux::load(modules);
        text += &linux::wait_for(device);
        text += &format!("say label {device} $(findfs LABEL='{label}')\n");
        for (way, options) in WAYS {
            text += &format!("mount -t iso9660 -o ro,{options} {device} /mnt || say failed\n");
            text += &linux::describe(&format!("{device} {way}"), way == "rock-ridge");
            text += "umount /mnt\n";
        }
        text += "[ -b /dev/vda ] && rmmod virtio_blk\n";
    }
    text + linux::end()
}

fn initramfs(inputs: &Inputs, label: &str) -> Result<Vec<u8>, String> {
    let modules = [
        &linux::VIRTIO_MODULES[..],
        &MODULES,
        &DISK_MODULES,
        &linux::DISC_MODULES,
    ]
    .concat();
    Ok(Initramfs::new(inputs, "", &modules, &script(label))?.finish())
}

fn mount(subject: &Subject, inputs: &Inputs) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let medium = Scratch::new(&subject.image, Medium::Disk, scratch.path())?;
    let image = fs::read(&subject.image).map_err(|e| e.to_string())?;
    // ECMA-119 §9.4.6: the volume identifier, 32 bytes padded with spaces, of the primary descriptor in sector 16.
    let label = image
        .get(16 * 2048 + 40..16 * 2048 + 72)
        .ok_or("the image is too short")?;
    let label = String::from_utf8_lossy(label).trim_end().to_owned();
    let initrd = scratch.path().join("initrd");
    fs::write(&initrd, initramfs(inputs, &label)?).map_err(|e| e.to_string())?;
    let logs = workspace::target().join(format!("qemu-tests/logs/{}-linux-guest", subject.name));
    let machine = linux::disc(Machine::new(Firmware::Bios).scratch(&medium), &subject.image);
    let serial = linux::run(machine, inputs, &initrd, &logs)?;
    judge(subject, &serial)?;
    Ok(medium.check_unwritten()?)
}

fn judge(subject: &Subject, serial: &str) -> Result<(), String> {
    let said = linux::said(serial)?;
    for device in ["/dev/vda", "/dev/sr0"] {
        // The whole disk: a partition that starts where the image does would carry the label too.
        if !said.contains(&format!("label {device} {device}").as_str()) {
            return Err(format!("the label does not lead to {device}:\n{serial}"));
        }
        for (way, _) in WAYS {
            let (read, attributes) = linux::found(&said, &format!("{device} {way}"))?;
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
