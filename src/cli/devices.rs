//! `isobuild devices`.

use crate::device::{Disk, Host, Refusal};
use crate::ground::text::lossless;
use clap::Args;
use serde::Serialize;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Failure, print, print_json};

#[derive(Debug, Args)]
pub(super) struct Devices {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct List {
    devices: Vec<Device>,
}

#[derive(Serialize)]
struct Device {
    device: String,
    model: String,
    serial: Option<String>,
    bus: &'static str,
    size: u64,
    sector_size: u64,
    removable: bool,
    optical: bool,
    accepted: bool,
    refused: Vec<Refused>,
    partitions: Vec<Part>,
}

#[derive(Serialize)]
struct Refused {
    reason: String,
    /// The flag of `write` that lifts it.
    flag: Option<&'static str>,
}

#[derive(Serialize)]
struct Part {
    device: String,
    start: u64,
    length: u64,
}

/// Lists the disks that `write` would accept, then the others with what speaks against each.
pub(super) fn run(arguments: &Devices) -> Result<(), Failure> {
    let disks = disks(&Host::default())?;
    if arguments.json {
        return print_json(&List {
            devices: disks.iter().map(device).collect(),
        });
    }
    print(&text(&disks))
}

/// The disks of this machine, but for loop devices without a file.
///
/// # Errors
/// Where they cannot be known.
pub(super) fn disks(host: &Host) -> Result<Vec<Disk>, Failure> {
    let disks = host.disks().map_err(|source| {
        Failure::io(
            host.sys.clone(),
            "asking Linux's sysfs for the disks, which is the one way that isobuild knows",
            source,
        )
    })?;
    let is_there = |disk: &Disk| disk.bus != crate::device::Bus::Loop || disk.size > 0;
    Ok(disks.into_iter().filter(is_there).collect())
}

fn text(disks: &[Disk]) -> String {
    let (refused, accepted): (Vec<&Disk>, Vec<&Disk>) = disks.iter().partition(|disk| !disk.refusals().is_empty());
    let mut text = String::new();
    let line = |disk: &Disk| format!("{}  {}\n", crate::ground::text::visible_path(&disk.path), disk.title());
    match accepted.is_empty() {
        true => text.push_str("Nothing here can be written to.\n"),
        false => text.push_str("Can be written to:\n"),
    }
    for disk in accepted {
        text.push_str(&format!("  {}", line(disk)));
    }
    if !refused.is_empty() {
        text.push_str("Refused:\n");
    }
    for disk in refused {
        text.push_str(&format!("  {}", line(disk)));
        for refusal in disk.refusals() {
            text.push_str(&format!("    {}\n", sentence(&refusal)));
        }
    }
    text
}

/// Why, and the flag that lifts it.
fn sentence(refusal: &Refusal) -> String {
    match refusal.flag() {
        Some(flag) => format!("{refusal} ({flag} allows it)"),
        None => refusal.to_string(),
    }
}

fn device(disk: &Disk) -> Device {
    let path = |path: &Path| lossless(path.as_os_str().as_bytes());
    let refused: Vec<Refused> = disk
        .refusals()
        .iter()
        .map(|refusal| Refused {
            reason: refusal.to_string(),
            flag: refusal.flag(),
        })
        .collect();
    Device {
        device: path(&disk.path),
        model: disk.model.clone(),
        serial: disk.serial.clone(),
        bus: disk.bus.name(),
        size: disk.size,
        sector_size: disk.sector_size,
        removable: disk.removable,
        optical: disk.optical,
        accepted: refused.is_empty(),
        refused,
        partitions: disk
            .partitions
            .iter()
            .map(|part| Part {
                device: path(&part.path),
                start: part.start,
                length: part.length,
            })
            .collect(),
    }
}
