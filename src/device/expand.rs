//! An image on a medium that is larger: its backup GPT goes to the medium's end, and a partition for what a live system keeps may take
//! the room between.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::fs::SeekFrom;
use sha2::{Digest as _, Sha256};

use super::DeviceError;
use super::payload::{Addition, Payload, Source};
use crate::formats::gpt::{self, Guid, version_4};

/// Moves the backup GPT of `payload` to the end of a medium of `size` bytes. With a `label`, a partition and an ext4 file system of that name
/// take the room between. Nothing is written yet.
///
/// # Errors
/// [`DeviceError::Image`] if it has no GPT that can be moved; [`DeviceError::Io`] if there is no `mkfs.ext4`, or it fails.
pub fn expand(payload: &mut Payload, sector_size: u64, size: u64, label: Option<&str>) -> Result<(), DeviceError> {
    let new = label.map(|label| gpt::New {
        kind: gpt::LINUX_DATA,
        guid: partition_guid(payload.head(), label),
        name: label.to_owned(),
    });
    let expanded = gpt::expand(payload.head(), sector_size, size, new)
        .map_err(|error| DeviceError::image(payload.path(), format!("it cannot be expanded: {error}")))?;
    payload.change(expanded.head, expanded.old_backup);
    if let (Some(partition), Some(label)) = (expanded.added, label) {
        let file = Arc::new(file_system(label, partition.length)?);
        for (start, length) in
            data(&file).map_err(DeviceError::io(Path::new("mkfs.ext4"), "read what was made by", None))?
        {
            payload.add(Addition {
                offset: partition.start + start,
                length,
                source: Source::File(Arc::clone(&file), start),
            });
        }
    }
    let (offset, bytes) = expanded.backup;
    payload.add(Addition {
        offset,
        length: bytes.len() as u64,
        source: Source::Bytes(bytes),
    });
    Ok(())
}

/// Of the image and the name, so that two sticks of one image are as alike as its other partitions are.
fn partition_guid(head: &[u8], label: &str) -> Guid {
    let mut digest = Sha256::new();
    digest.update(head);
    digest.update(label);
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(digest.finalize())
        .for_each(|(to, from)| *to = from);
    version_4(bytes)
}

/// A file system for a partition of so many bytes, in a file of which what reads as zeros is a hole.
fn file_system(label: &str, length: u64) -> Result<File, DeviceError> {
    let program = Path::new("mkfs.ext4");
    let failed = |action| DeviceError::io(program, action, None);
    let directory = tempfile::tempdir().map_err(failed("make a directory for"))?;
    let (root, file) = (directory.path().join("root"), directory.path().join("file-system"));
    fs::create_dir(&root).map_err(DeviceError::io(program, "make a directory for", None))?;
    if label == DEBIAN {
        // live-boot(7): what is kept is what this file says.
        fs::write(root.join("persistence.conf"), "/ union\n").map_err(DeviceError::io(program, "write for", None))?;
    }
    let image = File::create_new(&file).map_err(DeviceError::io(program, "make a file for", None))?;
    image
        .set_len(length)
        .map_err(DeviceError::io(program, "make a file for", None))?;
    // The tables that are not written are not taken for zeros, but zeroed by the kernel later. The UUID is a new one each time: it goes into
    // the check sums of the journal, which tell its blocks from those of a file system that was there before.
    let output = Command::new(program)
        .args([
            "-q",
            "-F",
            "-L",
            label,
            "-O",
            "metadata_csum",
            "-E",
            "lazy_itable_init=1,nodiscard,root_owner=0:0",
            "-d",
        ])
        .args([&root, &file])
        .output()
        .map_err(DeviceError::io(program, "run (Debian package e2fsprogs)", None))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = crate::ground::text::visible(said.trim().as_bytes());
        return Err(DeviceError::io(program, "make a file system with", None)(
            std::io::Error::other(said),
        ));
    }
    File::open(&file).map_err(DeviceError::io(program, "open what was made by", None))
}

/// The label for which Debian's live systems look.
pub const DEBIAN: &str = "persistence";

/// The ranges of a file that are no holes.
fn data(file: &File) -> std::io::Result<Vec<(u64, u64)>> {
    let mut ranges = Vec::new();
    let mut position = 0;
    loop {
        let start = match rustix::fs::seek(file, SeekFrom::Data(position)) {
            Ok(start) => start,
            Err(rustix::io::Errno::NXIO) => return Ok(ranges),
            Err(error) => return Err(error.into()),
        };
        position = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        ranges.push((start, position - start));
    }
}
