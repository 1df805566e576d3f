//! The unified kernel images that systemd-boot finds by itself (UAPI.1, "Type #2"): `/EFI/Linux/*.efi` in the ESP, each with its profiles.

use crate::facts::cell::Firmware;
use crate::formats::pe::{self, Pe, Section};
use crate::ground::read_at::ReadAt;

use super::Entry;
use super::entries::{is_default, own_machine, unquoted};
use super::reading::Reading;
use super::volumes::File;

/// The longest text of a section that is read, in bytes.
const LONGEST: u64 = 64 << 10;

/// Adds the entries of one image.
pub(super) fn run(reading: &mut Reading<'_>, file: &File, firmware: Firmware) {
    let entries = {
        let Some(bytes) = reading.volumes.bytes(file) else {
            return;
        };
        let Some(program) = pe::read(&bytes).filter(Pe::is_unified) else {
            return;
        };
        if program.machine.to_string() != own_machine(firmware) {
            return;
        }
        let place = reading.volumes.place(file);
        let name = file.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let entry = |(title, id, cmdline): (String, Option<String>, String)| {
            let id = id.map_or_else(|| name.clone(), |id| format!("{name}@{id}"));
            Entry {
                firmware,
                title,
                submenu: Vec::new(),
                config: place.clone(),
                kernel: None,
                initrd: Vec::new(),
                cmdline,
                program: Some(String::from_utf8_lossy(&file.path).into_owned()),
                action: None,
                condition: None,
                loopback: false,
                missing: Vec::new(),
                kernel_file: None,
                initrd_files: Vec::new(),
                program_file: Some(file.clone()),
                is_default: is_default(reading, file, &id),
            }
        };
        let entries: Vec<Entry> = profiles(&program, &bytes).into_iter().map(entry).collect();
        entries
    };
    for entry in entries {
        if !reading.step(file) {
            return;
        }
        reading.add(entry);
    }
}

/// Title, id and command line of each profile. An image without profiles is one entry without an id.
fn profiles(program: &Pe, bytes: &dyn ReadAt) -> Vec<(String, Option<String>, String)> {
    let text = |section: &Section| {
        let bytes = bytes.read_vec_at(section.offset, section.length.min(LONGEST));
        let bytes = bytes.unwrap_or_default();
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    };
    let mut parts = program.sections.split(|section| section.name == ".profile");
    let for_all = parts.next().unwrap_or_default();
    let named = |sections: &[Section], name: &str| sections.iter().find(|section| section.name == name).map(text);
    let release = named(for_all, ".osrel").unwrap_or_default();
    let name = value(&release, "PRETTY_NAME").or_else(|| value(&release, "NAME"));
    let name = name.unwrap_or_default();
    let line = named(for_all, ".cmdline").unwrap_or_default();
    let heads = program.sections.iter().filter(|section| section.name == ".profile");
    let profiles = heads.zip(parts).map(|(head, own)| {
        let head = text(head);
        let title = match value(&head, "TITLE") {
            Some(title) => format!("{name} ({title})"),
            None => name.clone(),
        };
        let line = named(own, ".cmdline").unwrap_or_else(|| line.clone());
        (title, value(&head, "ID"), line)
    });
    let profiles: Vec<_> = profiles.collect();
    match profiles.is_empty() {
        true => vec![(name.clone(), None, line.clone())],
        false => profiles,
    }
}

/// The value of `key=value`, without the quotes around it.
fn value(text: &str, key: &str) -> Option<String> {
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.next().map(|value| unquoted(value.trim().to_owned()))
}
