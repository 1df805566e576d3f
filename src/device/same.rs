//! Whether two paths lead to the same bytes: to write an image onto itself would be the end of it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::host::{Host, text};

/// Devices that are made of others that are made of others.
const DEPTH: usize = 16;
/// sysfs counts sectors of 512 bytes, whatever the disk's are.
const SECTOR: u64 = 512;

/// Where bytes are in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// A regular file, by device and inode.
    File(u64, u64),
    /// A block device, by its number.
    Device(u64),
}

/// A range of a holder.
#[derive(Clone, Copy)]
struct Place {
    holder: Holder,
    start: u64,
    length: u64,
}

impl Place {
    fn meets(&self, other: &Self) -> bool {
        let end = |place: &Self| place.start.saturating_add(place.length);
        self.holder == other.holder && self.start < end(other) && other.start < end(self)
    }
}

/// Whether any byte of the one is a byte of the other: links of one file, a disk and its partition, a loop device and the file that it
/// shows, and what is made of such.
pub fn overlap(host: &Host, a: &Path, b: &Path) -> bool {
    let places = |path: &Path| {
        let mut places = Vec::new();
        of_path(host, path, (0, u64::MAX), DEPTH, &mut places);
        places
    };
    let (a, b) = (places(a), places(b));
    a.iter().any(|a| b.iter().any(|b| a.meets(b)))
}

/// Adds where a range of a file or a device is, and of what it is made of.
fn of_path(host: &Host, path: &Path, (start, length): (u64, u64), depth: usize, places: &mut Vec<Place>) {
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    if metadata.file_type().is_block_device() {
        of_device(host, metadata.rdev(), (start, length), depth, places);
    } else if metadata.is_file() {
        let holder = Holder::File(metadata.dev(), metadata.ino());
        places.push(Place { holder, start, length });
    }
}

fn of_device(host: &Host, number: u64, (start, length): (u64, u64), depth: usize, places: &mut Vec<Place>) {
    let holder = Holder::Device(number);
    places.push(Place { holder, start, length });
    let numbers = (rustix::fs::major(number), rustix::fs::minor(number));
    let link = host.sys.join(format!("dev/block/{}:{}", numbers.0, numbers.1));
    let (Ok(block), Some(depth)) = (fs::canonicalize(link), depth.checked_sub(1)) else {
        return;
    };
    let value = |file: &str| text(&block.join(file)).and_then(|text| text.parse::<u64>().ok());
    let moved = |by: u64, size: u64| (start.saturating_add(by), length.min(size));
    if block.join("partition").exists() {
        let parent = block
            .parent()
            .and_then(|disk| text(&disk.join("dev")))
            .and_then(number_of);
        let by = value("start").unwrap_or(0).saturating_mul(SECTOR);
        let size = value("size").unwrap_or(u64::MAX).saturating_mul(SECTOR);
        if let Some(parent) = parent {
            of_device(host, parent, moved(by, size), depth, places);
        }
    }
    if let Some(file) = text(&block.join("loop/backing_file")) {
        let by = value("loop/offset").unwrap_or(0);
        let size = value("loop/sizelimit").filter(|&size| size > 0).unwrap_or(u64::MAX);
        of_path(host, &PathBuf::from(file), moved(by, size), depth, places);
    }
    // What is made of several has its bytes anywhere in them.
    for slave in fs::read_dir(block.join("slaves")).into_iter().flatten().flatten() {
        if let Some(slave) = text(&slave.path().join("dev")).and_then(number_of) {
            of_device(host, slave, (0, u64::MAX), depth, places);
        }
    }
}

/// `8:16`
fn number_of(text: String) -> Option<u64> {
    let (major, minor) = text.split_once(':')?;
    Some(rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?))
}
