//! What a running system does with a disk: file systems mounted, swap space, and devices that are made of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::disk::{Partition, Use};
use super::host::{Host, text};

/// Devices are made of devices: a file system on LVM on LUKS on RAID on a partition is four deep.
const DEPTH: usize = 16;

/// Everything that uses the disk `name`, its partitions, or what is made of them.
pub(super) fn of_disk(host: &Host, name: &str, partitions: &[Partition]) -> Vec<Use> {
    let block = host.blocks().join(name);
    let mut devices = BTreeMap::from([(name.to_owned(), block.clone())]);
    devices.extend(partitions.iter().map(|one| (one.name.clone(), block.join(&one.name))));
    of(host, devices)
}

/// Everything that uses one partition of the disk, or what is made of it.
pub(super) fn of_partition(host: &Host, disk: &str, partition: &str) -> Vec<Use> {
    let directory = host.blocks().join(disk).join(partition);
    of(host, BTreeMap::from([(partition.to_owned(), directory)]))
}

/// Everything that uses these devices, by the kernel's names, with the directory of each.
fn of(host: &Host, mut devices: BTreeMap<String, PathBuf>) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut new: Vec<(String, PathBuf)> = devices.clone().into_iter().collect();
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (device, directory) in &new {
            for holder in names(&directory.join("holders")) {
                uses.push(Use::Member {
                    device: host.node(device),
                    of: describe(host, &holder),
                });
                let directory = host.blocks().join(&holder);
                if devices.insert(holder.clone(), directory.clone()).is_none() {
                    let parts = names(&directory).into_iter();
                    let parts = parts.filter(|part| directory.join(part).join("partition").exists());
                    next.extend(parts.map(|part| (part.clone(), directory.join(part))));
                    next.push((holder, directory));
                }
            }
        }
        devices.extend(next.iter().cloned());
        new = next;
    }
    uses.extend(swaps(host, &devices));
    uses.extend(mounts(host, &devices));
    uses.extend(btrfs(host, &devices, &uses));
    uses
}

/// The names in a directory, sorted. None if it cannot be read.
fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// A device that is made of others: what kind it is, and its name.
fn describe(host: &Host, name: &str) -> String {
    let block = host.blocks().join(name);
    let kind = match text(&block.join("dm/uuid")).as_deref() {
        Some(uuid) if uuid.starts_with("CRYPT-LUKS") => "the opened LUKS volume",
        Some(uuid) if uuid.starts_with("CRYPT-") => "the opened encrypted volume",
        Some(uuid) if uuid.starts_with("LVM-") => "the LVM volume",
        Some(uuid) if uuid.starts_with("mpath-") => "the multipath device",
        _ if block.join("md").is_dir() => "the RAID",
        _ if block.join("bcache").is_dir() => "the bcache",
        _ => "the device",
    };
    let title = text(&block.join("dm/name")).unwrap_or_else(|| name.to_owned());
    format!("{kind} {}", crate::ground::text::visible(title.as_bytes()))
}

/// The kernel's name of a device by a path, through the links of `/dev/mapper` and the like.
fn kernel_name(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Some(path.file_name()?.to_str()?.to_owned())
}

/// proc_swaps(5): the path is the first field of every line but the first.
fn swaps(host: &Host, devices: &BTreeMap<String, PathBuf>) -> Vec<Use> {
    let swaps = fs::read(host.proc.join("swaps")).unwrap_or_default();
    let paths = swaps.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let field = line.split(u8::is_ascii_whitespace).next()?;
        (!field.is_empty()).then(|| unescape(field))
    });
    paths
        .filter(|path| kernel_name(path).is_some_and(|name| devices.contains_key(&name)))
        .map(|device| Use::Swap { device })
        .collect()
}

/// proc_pid_mountinfo(5). A file system of several devices has a number of its own, and names one of them.
fn mounts(host: &Host, devices: &BTreeMap<String, PathBuf>) -> Vec<Use> {
    let table = fs::read(host.proc.join("self/mountinfo")).unwrap_or_default();
    let numbers: BTreeMap<String, &String> = devices
        .iter()
        .filter_map(|(name, directory)| Some((text(&directory.join("dev"))?, name)))
        .collect();
    let mut found = Vec::new();
    for line in table.split(|&byte| byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let (Some(number), Some(at)) = (fields.get(2), fields.get(4)) else {
            continue;
        };
        let number = String::from_utf8_lossy(number);
        let source = fields.iter().position(|field| *field == b"-");
        let source = source
            .and_then(|dash| fields.get(dash + 2))
            .map(|source| unescape(source));
        let by_source = || {
            let name = kernel_name(source.as_deref().filter(|source| source.starts_with("/dev"))?)?;
            devices.get_key_value(&name).map(|(name, _)| name)
        };
        let device = numbers.get(&*number).copied().or_else(by_source);
        if let Some(device) = device {
            found.push(Use::Mounted {
                device: host.node(device),
                at: unescape(at),
            });
        }
    }
    found
}

/// The file systems of several devices that are mounted and name another of theirs.
fn btrfs(host: &Host, devices: &BTreeMap<String, PathBuf>, known: &[Use]) -> Vec<Use> {
    let root = host.sys.join("fs/btrfs");
    let mut found = Vec::new();
    for id in names(&root) {
        for name in names(&root.join(&id).join("devices")) {
            let node = host.node(&name);
            let is_mounted = |one: &Use| matches!(one, Use::Mounted { device, .. } if *device == node);
            if devices.contains_key(&name) && !known.iter().any(is_mounted) {
                let of = format!("the mounted btrfs {id}");
                found.push(Use::Member { device: node, of });
            }
        }
    }
    found
}

/// Space, tab, newline and backslash stand in these files as three octal digits behind a backslash.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| byte == b'\\');
        let value = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        rest = if value.is_some() { &after[3..] } else { after };
        bytes.push(value.unwrap_or(byte));
    }
    OsString::from_vec(bytes).into()
}
