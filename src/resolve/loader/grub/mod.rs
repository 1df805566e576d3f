//! GRUB 2: its core image for BIOS and its program for UEFI, made of the modules of the host's packages or of `boot.assets`, or the signed
//! program behind shim; and the menu in its language.

pub(super) mod config;
mod core_image;
mod efi;
mod id;
mod limits;
mod quote;
mod theme;

use crate::formats::grub::GrubError;
use crate::manifest::{At, Loader};
use crate::resolve::boot::Parts;
use crate::resolve::menu::{Menu, Starts};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;
use crate::tree::source::Giver;

use super::assets::Found;
use super::{EspFile, machines, of_bios};

pub(super) use limits::judge;

/// Whether GRUB cannot give a command line to a kernel.
#[cfg(test)]
pub(super) fn refuses(line: &str) -> bool {
    quote::arguments(line).is_err()
}

/// Of what GRUB reads and is made of, for people.
const MADE: Giver = Giver::MadeFor("GRUB");

/// The menu.
const CONFIG: [&str; 3] = ["boot", "grub", "grub.cfg"];

/// Modules that every image of ours has: what finds and reads the medium, the commands of the menu, and those that people try at the
/// prompt. Those that a platform has not are left out.
const MODULES: [&str; 50] = [
    "part_gpt",
    "part_msdos",
    "iso9660",
    "fat",
    "udf",
    "normal",
    "configfile",
    "search",
    "search_fs_file",
    "search_label",
    "test",
    "echo",
    "true",
    "linux",
    "linux16",
    "chain",
    "multiboot",
    "multiboot2",
    "halt",
    "reboot",
    "efifwsetup",
    "sleep",
    "serial",
    "terminfo",
    "all_video",
    "gfxterm",
    "gfxmenu",
    "font",
    "png",
    "jpeg",
    "tga",
    "biosdisk",
    "drivemap",
    "loopback",
    "minicmd",
    "help",
    "ls",
    "cat",
    "cpuid",
    "smbios",
    "lspci",
    "lsmmap",
    "lsefi",
    "videoinfo",
    "probe",
    "regexp",
    "read",
    "eval",
    "keystatus",
    "gzio",
];

/// Puts GRUB into the tree for the kinds of firmware that it is to be started by. What is for the ESP comes back.
pub(super) fn install(
    resolution: &mut Resolution<'_>,
    at: &At<Loader>,
    menu: &Menu<'_>,
    starts: Starts,
    parts: &mut Parts,
) -> Result<Vec<EspFile>, ResolveError> {
    let theme = resolution.grub_theme();
    let config = config::menu(menu, starts, theme.as_ref());
    let payload = resolution.made(&config);
    resolution.place_own(&CONFIG, payload);
    if of_bios(starts) {
        resolution.grub_for_bios(at, parts)?;
    }
    let machines = machines(starts);
    if machines.is_empty() {
        return Ok(Vec::new());
    }
    let id = resolution.id_file(&config);
    resolution.grub_for_uefi(at, &machines, &id)
}

impl Resolution<'_> {
    /// The payload of bytes that are made for GRUB.
    fn made(&mut self, bytes: &[u8]) -> PayloadId {
        self.host.inline(&mut self.tree, bytes, MADE)
    }

    /// The modules of a platform's directory, and those that they need, read.
    fn grub_modules(&mut self, at: &At<Loader>, kernel: &Found) -> Result<Option<Vec<Vec<u8>>>, ResolveError> {
        let Some(list) = self.part(at, &kernel.beside("moddep.lst"))? else {
            return Ok(None);
        };
        let list = String::from_utf8_lossy(&list.bytes).into_owned();
        let has = |name: &&str| {
            let rest = |line: &str| line.strip_prefix(*name).is_some_and(|rest| rest.starts_with(':'));
            list.lines().any(rest)
        };
        let wanted: Vec<&str> = MODULES.into_iter().filter(has).collect();
        let names = match crate::formats::grub::modules::with_dependencies(&list, &wanted) {
            Ok(names) => names,
            Err(error) => {
                self.grub_error(at, &error);
                return Ok(None);
            }
        };
        let mut modules = Vec::new();
        for name in names {
            let Some(module) = self.part(at, &kernel.beside(&format!("{name}.mod")))? else {
                return Ok(None);
            };
            modules.push(module.bytes.to_vec());
        }
        Ok(Some(modules))
    }

    /// Parts that no image can be made of.
    fn grub_error(&mut self, at: &At<Loader>, error: &GrubError) {
        self.error(at, format!("GRUB: {error}"), "this loader");
    }
}
