//! systemd-boot: the program, its configuration, and the kernels and initrds that it reads from the ESP. They are in the tree too, and in the
//! image once.

mod config;
mod limits;

use std::collections::BTreeSet;

use crate::formats::pe::Machine;
use crate::manifest::{At, DiskLayout, Loader};
use crate::resolve::menu::{Menu, Starts};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::source::Giver;
use crate::tree::{Kind, PayloadId};

use super::assets::SYSTEMD_BOOT;
use super::{DIRECTORY, EspFile, default_name, machines};

pub(super) use limits::judge;

/// The path and the text of the first entry.
#[cfg(test)]
pub(super) fn first(menu: &Menu<'_>) -> (String, Vec<u8>) {
    let first = config::entries(menu, menu.firmware).remove(0);
    (format!("/loader/entries/{}.conf", first.name), first.text)
}

/// Of what it reads, for people.
const MADE: Giver = Giver::MadeFor("systemd-boot");

/// Puts systemd-boot into the tree for the kinds of firmware that it is to be started by. What is for the ESP comes back.
pub(super) fn install(
    resolution: &mut Resolution<'_>,
    at: &At<Loader>,
    menu: &Menu<'_>,
    starts: Starts,
) -> Result<Vec<EspFile>, ResolveError> {
    let document = resolution.document;
    if let Some(layout) = document.manifest.disk.layout.as_ref()
        && *layout.get_ref() == DiskLayout::MultiSector
    {
        let message =
            "systemd-boot reads kernels from the ESP, and this layout has two: they would be in the image twice";
        resolution.error(layout, message, "not with this loader");
    }
    let machines = machines(starts);
    let mut esp = resolution.systemd_boot(at, &machines)?;
    let entries = config::entries(menu, starts);
    let loader = config::loader(menu, &entries);
    let mut files = vec![(vec!["loader".to_owned(), "loader.conf".to_owned()], loader)];
    let mut named = BTreeSet::new();
    for entry in entries {
        let path = ["loader", "entries", &format!("{}.conf", entry.name)].map(str::to_owned);
        files.push((path.to_vec(), entry.text));
        named.extend(entry.paths);
    }
    for (path, text) in files {
        let payload = resolution.host.inline(&mut resolution.tree, &text, MADE);
        // Whoever copies the tree to a FAT has them there.
        let components: Vec<&str> = path.iter().map(String::as_str).collect();
        resolution.place_own(&components, payload);
        esp.push((path, payload));
    }
    for path in named {
        esp.extend(resolution.in_tree(&path));
    }
    Ok(esp)
}

impl Resolution<'_> {
    /// The programs for each processor.
    fn systemd_boot(&mut self, at: &At<Loader>, machines: &[Machine]) -> Result<Vec<EspFile>, ResolveError> {
        let signing = self.signing();
        let mut files = Vec::new();
        let mut version = None;
        let is_asked_for = self.document.manifest.boot.firmware.is_some();
        for &machine in machines {
            let mut known = SYSTEMD_BOOT.iter();
            let Some((_, asset)) = known.find(|(other, _)| *other == machine) else {
                continue;
            };
            // As with GRUB: hardly anybody has such firmware.
            if machine == Machine::Ia32 && !is_asked_for && self.find_asset(asset).is_none() {
                let message = format!("{}, so the image does not boot under uefi-ia32", asset.missing());
                self.warn_with(at, message, "without it", "`firmware` says what the image is for");
                continue;
            }
            let Some(found) = self.asset(at, asset) else { continue };
            let Some(part) = self.part(at, &found)? else { continue };
            version = version.or(self::version(&part.bytes, "boot"));
            let payload = match &signing {
                Some(signing) => {
                    let signed = self.signed(signing, &part.bytes);
                    self.host.inline(&mut self.tree, &signed, MADE)
                }
                None => self.part_payload(&part)?,
            };
            let [efi, boot] = DIRECTORY;
            files.push((vec![efi.to_owned(), boot.to_owned(), default_name(machine)], payload));
        }
        self.warn_of_actions(version);
        Ok(files)
    }

    /// A file of the tree for the ESP, under the same path.
    fn in_tree(&self, path: &[u8]) -> Option<(Vec<String>, PayloadId)> {
        let names = || path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        let Kind::File(payload) = self.tree.node(self.tree.find(names())?).kind else {
            return None;
        };
        let components: Result<Vec<String>, _> = names().map(|name| String::from_utf8(name.to_vec())).collect();
        Some((components.ok()?, payload))
    }
}

/// The version of systemd-boot (`name` is `boot`) or of systemd-stub (`stub`), from `#### LoaderInfo: systemd-boot 252.39-1 ####` in the program.
pub(super) fn version(program: &[u8], name: &str) -> Option<u32> {
    let mark = format!("LoaderInfo: systemd-{name} ");
    let mark = mark.as_bytes();
    let at = program.windows(mark.len()).position(|bytes| bytes == mark)?;
    let digits = program[at + mark.len()..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let digits: Vec<u8> = digits.copied().collect();
    str::from_utf8(&digits).ok()?.parse().ok()
}
