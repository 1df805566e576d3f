//! A GRUB on another medium, which starts an image from its file.

use super::{KERNEL, boot};
use isobuild::inside::facts::cell::Cell;
use qemu_tests::system::{self, END, System};
use qemu_tests::{pins, workspace};
use std::process::Command;

/// A GRUB on another medium starts an image from its file there.
pub(super) fn loopback(system: &System, cell: Cell, loader: &str) -> Result<(), String> {
    system.put("first.img", &system::one_file("first", b"first"))?;
    let inner = system.image(&format!(
        "{}[[menu]]\n{KERNEL}cmdline = \"console=ttyS0 inner\"\niso_scan = true\n[[menu]]\naction = \"poweroff\"\n",
        boot(loader, cell)?
    ))?;
    std::fs::rename(&inner, system.path("inner file.iso")).map_err(|e| e.to_string())?;
    // Its own GRUB, of an image of isobuild's for BIOS, and of Debian's package for UEFI.
    let core = system.image(&format!(
        "{}firmware = [\"bios\"]\n[[menu]]\naction = \"reboot\"\n",
        boot("grub", cell)?
    ))?;
    let extracted = Command::new(workspace::isobuild()?)
        .args([
            "extract".as_ref(),
            core.as_os_str(),
            "/boot/grub/i386-pc/eltorito.img".as_ref(),
            "-C".as_ref(),
        ])
        .arg(system.path("core"))
        .output()
        .map_err(|e| e.to_string())?;
    if !extracted.status.success() {
        return Err(String::from_utf8_lossy(&extracted.stderr).into_owned());
    }
    let grub = pins::load("debian-installer")?.file("gcdx64.efi.signed")?;
    let hybrid = pins::load("qemu-tests")?.file("boot_hybrid.img")?;
    let outer = format!(
        r#"
[[files]]
from = "inner file.iso"
to = "/images/"
[[files]]
to = "/boot/grub/grub.cfg"
text = """
set iso_path='/images/inner file.iso'
export iso_path
loopback loop "$iso_path"
set root=loop
set timeout=0
export timeout
configfile /boot/grub/loopback.cfg
"""
[boot.bios]
image = "core/boot/grub/i386-pc/eltorito.img"
info_table = "grub2"
mbr = {hybrid:?}
[boot.uefi.files]
"/EFI/BOOT/BOOTX64.EFI" = {grub:?}
"/boot/grub/grub.cfg" = "stub.cfg"
"#
    );
    system.put(
        "stub.cfg",
        b"search --file --set=root '/images/inner file.iso'\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n",
    )?;
    let line = "inner \"iso-scan/filename=/images/inner file.iso\" \"findiso=/images/inner file.iso\"]";
    system.boots(&outer, cell, &["file /first", line, END]).map(drop)
}
