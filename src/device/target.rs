//! What an image may be written to: the disk that a path names, and what speaks against it; or a file.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::DeviceError;
use super::disk::{Disk, Partition, Refusal, Use};
use super::host::Host;

/// What was chosen, as it was shown to whoever chose it.
#[derive(Clone, Debug)]
pub struct Target {
    path: PathBuf,
    kind: Kind,
}

/// Whether it is a disk.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A disk, or a partition of one.
    Disk {
        /// The whole disk.
        disk: Box<Disk>,
        /// The partition, if it is one.
        partition: Option<Partition>,
    },
    /// A regular file.
    File {
        /// Its length in bytes; `None` while there is none.
        length: Option<u64>,
    },
}

/// What is allowed that is refused otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// A disk that is built in.
    pub internal: bool,
    /// A partition in place of a disk.
    pub partition: bool,
    /// File systems that are mounted are to be unmounted.
    pub unmount: bool,
}

impl Allowed {
    fn lifts(self, refusal: &Refusal) -> bool {
        match refusal {
            Refusal::Internal => self.internal,
            Refusal::Mounted(_) => self.unmount,
            _ => false,
        }
    }
}

impl Target {
    /// What `path` names.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if it is nothing to write to, with every reason that is not allowed and the flag that would allow it.
    pub fn choose(host: &Host, path: &Path, allowed: Allowed) -> Result<Self, DeviceError> {
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return new_file(host, path),
            Err(error) => return Err(DeviceError::io(path, "look at", None)(error)),
        };
        let metadata = fs::metadata(&path).map_err(DeviceError::io(&path, "look at", None))?;
        let kind = metadata.file_type();
        if kind.is_file() {
            let length = Some(metadata.len());
            let kind = Kind::File { length };
            return Ok(Self { path, kind });
        }
        if !kind.is_block_device() {
            return Err(DeviceError::refused(&path, "it is neither a disk nor a regular file"));
        }
        let number = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
        let known = host
            .find(number)
            .map_err(DeviceError::io(&host.sys, "ask for the disks", None))?;
        let Some((disk, partition)) = known else {
            return Err(DeviceError::refused(
                &path,
                "it is not a disk of its own: other disks or memory hold its bytes",
            ));
        };
        let disk = Box::new(disk);
        let target = Self {
            kind: Kind::Disk { disk, partition },
            path,
        };
        let reasons = target.reasons(host, allowed);
        match reasons.is_empty() {
            true => Ok(target),
            false => Err(DeviceError::Refused {
                path: target.path,
                reasons,
            }),
        }
    }

    /// What speaks against it and is not allowed, a sentence each.
    fn reasons(&self, host: &Host, allowed: Allowed) -> Vec<String> {
        let Kind::Disk { disk, partition } = &self.kind else {
            return Vec::new();
        };
        let mut reasons = Vec::new();
        let refusals = match partition {
            None => disk.refusals(),
            Some(partition) => {
                if !allowed.partition {
                    let disk = super::disk::visible(&disk.path);
                    let reason = format!("it is a partition of {disk}, and an image is for a whole disk");
                    reasons.push(with_flag(reason, Some("--partition")));
                }
                let uses = host.uses(disk, partition);
                Disk { uses, ..*disk.clone() }.refusals()
            }
        };
        let left = refusals.iter().filter(|refusal| !allowed.lifts(refusal));
        reasons.extend(left.map(|refusal| with_flag(refusal.to_string(), refusal.flag())));
        reasons
    }

    /// The node of the disk or the file, its links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether it is a disc, which a burner writes.
    pub fn is_optical(&self) -> bool {
        matches!(&self.kind, Kind::Disk { disk, .. } if disk.optical)
    }

    /// Bytes that there is room for. `None` for a file that becomes as long as the image: a new or an empty one.
    pub fn size(&self) -> Option<u64> {
        match &self.kind {
            Kind::Disk { disk, partition } => Some(partition.as_ref().map_or(disk.size, |one| one.length)),
            Kind::File { length } => length.filter(|&length| length > 0),
        }
    }

    /// Bytes of a logical sector. A file is taken for a disk of sectors of 512.
    pub fn sector_size(&self) -> u64 {
        match &self.kind {
            Kind::Disk { disk, .. } => disk.sector_size,
            Kind::File { .. } => 512,
        }
    }

    /// Unmounts what of it is mounted.
    ///
    /// # Errors
    /// [`DeviceError::Io`] when a file system is in use.
    pub fn unmount(&self, host: &Host) -> Result<(), DeviceError> {
        let Kind::Disk { disk, partition } = &self.kind else {
            return Ok(());
        };
        let uses = match partition {
            Some(partition) => host.uses(disk, partition),
            None => disk.uses.clone(),
        };
        // What was mounted last may lie on what was mounted before.
        for one in uses.iter().rev() {
            if let Use::Mounted { at, .. } = one {
                rustix::mount::unmount(at, rustix::mount::UnmountFlags::NOFOLLOW)
                    .map_err(DeviceError::io(at, "unmount", None))?;
            }
        }
        Ok(())
    }

    /// Whether the node with this number, of so many bytes, is what was chosen: not another disk that has been plugged in since.
    pub(super) fn is_still(&self, host: &Host, number: (u32, u32), size: u64) -> bool {
        let Kind::Disk { disk, partition } = &self.kind else {
            return false;
        };
        let Ok(Some((now, part))) = host.find(number) else {
            return false;
        };
        let what = |disk: &Disk| {
            (
                disk.name.clone(),
                disk.model.clone(),
                disk.serial.clone(),
                disk.size,
                disk.sequence,
            )
        };
        what(&now) == what(disk) && part == *partition && Some(size) == self.size()
    }

    /// The error when it is not.
    pub(super) fn replaced(&self) -> DeviceError {
        DeviceError::refused(&self.path, "something else has taken its place since it was chosen")
    }
}

fn with_flag(reason: String, flag: Option<&str>) -> String {
    match flag {
        Some(flag) => format!("{reason} ({flag} allows it)"),
        None => reason,
    }
}

/// A file that is not there yet, in a directory that is.
fn new_file(host: &Host, path: &Path) -> Result<Target, DeviceError> {
    let directory = match path.parent() {
        Some(parent) if parent != OsStr::new("") => parent,
        _ => Path::new("."),
    };
    let directory = fs::canonicalize(directory).map_err(DeviceError::io(path, "look at the directory of", None))?;
    let Some(name) = path.file_name() else {
        return Err(DeviceError::refused(path, "it is neither a disk nor a regular file"));
    };
    // A disk that was pulled out, or a name mistyped: the file would lie in memory.
    if directory.starts_with(&host.dev) {
        return Err(DeviceError::refused(
            path,
            "there is no such disk (isobuild devices lists them)",
        ));
    }
    Ok(Target {
        path: directory.join(name),
        kind: Kind::File { length: None },
    })
}
