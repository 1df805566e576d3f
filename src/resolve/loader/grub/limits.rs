//! What GRUB cannot start although the firmware can.

use super::quote::arguments;
use crate::manifest::Firmware;
use crate::resolve::Resolution;
use crate::resolve::loader::of_bios;
use crate::resolve::menu::{BiosProgram, Entry, Start, Starts};

/// The bytes of a boot sector, which is all that GRUB loads of a program without a Linux-style header.
const BOOT_SECTOR: u64 = 512;

/// What GRUB puts before every command line, with the path of the kernel and a blank.
const IMAGE: &str = "BOOT_IMAGE=";

/// Whether GRUB would not load all of a program.
pub(super) fn is_too_long(bios: &BiosProgram) -> bool {
    !bios.has_linux_header && bios.length > BOOT_SECTOR
}

/// Removes from an entry the firmware under which GRUB cannot start it, and warns why. `starts` are those under which GRUB shows the menu.
pub(in crate::resolve::loader) fn judge(resolution: &mut Resolution<'_>, entry: &mut Entry<'_>, starts: Starts) {
    let said = entry.said;
    let starts_bios = of_bios(starts);
    let goes_to_kernel = match &entry.start {
        Start::Linux { .. } => true,
        Start::Programs { bios, .. } => starts_bios && bios.as_ref().is_some_and(|bios| bios.has_linux_header),
        Start::Action(_) => false,
    };
    if let Some(line) = said.cmdline.as_ref().filter(|_| goes_to_kernel)
        && let Err(refused) = arguments(line.get_ref())
    {
        resolution.error(line, refused.to_string(), "not as it stands here");
    }
    if let (Some(line), Start::Linux { kernel, .. }) = (&said.cmdline, &entry.start) {
        let own = IMAGE.len() + kernel.path.len() + 1;
        let length = own + line.get_ref().len();
        if let Some(limit) = kernel.program.command_line.filter(|&limit| length > limit) {
            let message = format!(
                "the command line has {length} bytes with the {own} of `{IMAGE}...` that GRUB puts before it; the kernel takes {limit} by its header"
            );
            resolution.error(line, message, "too long");
        }
    }
    let (Start::Programs { bios: Some(bios), .. }, Some(path), Some(by)) = (&entry.start, &said.bios, &mut entry.by)
    else {
        return;
    };
    if starts_bios && is_too_long(bios) {
        let reason = format!(
            "{:?} has {} bytes and no Linux-style header, and GRUB loads {BOOT_SECTOR} bytes of such a program",
            path.get_ref(),
            bios.length
        );
        resolution.lacking(path, Firmware::Bios, reason, by);
    }
}
