//! What Linux finds in UDF that isobuild writes.

use super::KINDS;
use super::subject::Subject;
use isobuild::inside::facts::cell::{Firmware, Medium};
use isobuild::inside::vm::{Machine, Scratch};
use qemu_tests::initramfs::Initramfs;
use qemu_tests::listing::{Entry, files_only, of_directory, same};
use qemu_tests::pins::Inputs;
use qemu_tests::{hash, linux, preserved, workspace};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Modules of the kernel's, in the order in which they need each other, behind those of [`linux`].
const MODULES: [&str; 4] = ["virtio_blk", "cdrom", "crc-itu-t", "udf"];

/// The image as a disk, at the begin of a larger disk, and as a disc.
const DEVICES: [&str; 3] = ["/dev/vda", "/dev/vdb", "/dev/sr0"];

/// How much larger the larger disk is: no multiple of anything that is looked for before the end.
const BEHIND: u64 = 37 * 512 + (91 << 20);

/// The large file, of which the ends of what one file entry's extents hold, and what 32 bits count to, are not zero.
const LARGE: &str = "large";
const LARGE_LENGTH: u64 = 4_700_000_001;
const MARKED: [u64; 5] = [0, 0x3fff_f800 - 3, 0xffff_f800 - 3, 0xffff_ffff - 3, LARGE_LENGTH - 7];

/// A translated processor takes four minutes for the digest of the large file.
const DEADLINE: Duration = Duration::from_secs(900);

/// What Linux reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// With the large file.
    Large,
    /// Changed in place.
    Grown,
}

/// Every file that Linux finds by UDF is the host's, with its modes, owners and times, and hard links are one file.
pub(super) fn linux(inputs: &Inputs, kind: Kind) -> Result<(), String> {
    let has_large = kind == Kind::Large;
    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let kept = dir.path().join("kept");
    preserved::make(&kept).map_err(|e| e.to_string())?;
    let mut more = String::new();
    if has_large {
        let large = fs::File::create(dir.path().join(LARGE)).map_err(|e| e.to_string())?;
        large.set_len(LARGE_LENGTH).map_err(|e| e.to_string())?;
        for at in MARKED {
            large.write_all_at(b"isobuil", at).map_err(|e| e.to_string())?;
        }
        more += &format!("[[files]]\nfrom = \"{LARGE}\"\nto = \"/\"\n");
    }
    more += &preserved::manifest("kept", "/kept");
    let mut subject = Subject::new(dir.path(), &format!("{more}{}", KINDS[0].1), false)?;
    for (path, entry) in files_only(&of_directory(&kept)?) {
        subject.files.insert(format!("/kept{path}"), entry);
    }
    if has_large {
        let digest = hash::file(&dir.path().join(LARGE)).map_err(|e| e.to_string())?;
        subject.files.insert(format!("/{LARGE}"), Entry::File(digest));
    }
    if kind == Kind::Grown {
        subject = subject.grown(dir.path())?;
    }
    let attributes = preserved::attributes(&kept).map_err(|e| e.to_string())?;
    // The large file once is enough.
    let devices = if has_large { &DEVICES[..1] } else { &DEVICES };
    let serial = guest(dir.path(), &subject.image, inputs, devices)?;
    let said = linux::said(&serial)?;
    for device in devices {
        let (read, found) = linux::found(&said, device)?;
        same(&subject.files, &read).map_err(|e| format!("{device}:\n{e}"))?;
        for (name, wanted) in &attributes {
            let path = format!("/kept/{name}");
            let found = found.get(&path).ok_or_else(|| format!("{path} is not there"))?;
            if found != wanted {
                return Err(format!("{device}: {path} is {found:?}, expected {wanted:?}"));
            }
        }
        let twice = ["/lengths/2049", "/hard link"].map(|path| found.get(path).map(|of| of.links));
        if twice != [Some(2), Some(2)] {
            return Err(format!("{device}: the two names of one file count {twice:?}"));
        }
    }
    Ok(())
}

fn guest(dir: &Path, image: &Path, inputs: &Inputs, devices: &[&str]) -> Result<String, String> {
    let modules = [&linux::VIRTIO_MODULES[..], &MODULES, &linux::DISC_MODULES].concat();
    let mut script = linux::preamble(&modules);
    for device in devices {
        script += &linux::wait_for(device);
        script += &format!("mount -t udf -o ro {device} /mnt || say failed\n");
        script += &linux::describe(device, true);
        script += "umount /mnt\n";
    }
    script += linux::end();
    let initrd = dir.join("initrd");
    let archive = Initramfs::new(inputs, "", &modules, &script)?.finish();
    fs::write(&initrd, archive).map_err(|e| e.to_string())?;
    let logs = workspace::target()
        .join("qemu-tests/logs")
        .join(format!("udf-written-{}", devices.len()));
    let disk = Scratch::new(image, Medium::Disk, dir)?;
    let mut machine = Machine::new(Firmware::Bios).deadline(DEADLINE).scratch(&disk);
    if devices.len() > 1 {
        machine = linux::disc(machine.medium(&larger(dir, image)?, Medium::Disk), image);
    }
    let serial = linux::run(machine, inputs, &initrd, &logs)?;
    disk.check_unwritten()?;
    Ok(serial)
}

/// The image at the begin of a larger medium.
fn larger(dir: &Path, image: &Path) -> Result<PathBuf, String> {
    let larger = dir.join("larger");
    let length = fs::copy(image, &larger).map_err(|e| e.to_string())?;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&larger)
        .map_err(|e| e.to_string())?;
    file.set_len((length + BEHIND).next_multiple_of(512))
        .map_err(|e| e.to_string())?;
    Ok(larger)
}
