//! ISOLINUX, alone and beside GRUB.

use super::entries::raw_program;
use super::{KERNEL, boot};
use isobuild::inside::facts::cell::{Cell, Firmware};
use qemu_tests::system::{self, END, System};

/// Signs that a shell or GRUB would interpret mean nothing to ISOLINUX.
pub(super) fn linux(system: &System, cell: Cell) -> Result<(), String> {
    system.put("first.img", &system::one_file("first", b"first"))?;
    let manifest = format!(
        "{}[[menu]]\ntitle = 'A \"quoted\" title, $HOME }}'\n{KERNEL}\
         cmdline = 'console=ttyS0 a=$HOME b=\"two words\" c=`x` {{d}} ; e=\\x20 #f ü'\n",
        boot("isolinux", cell)?
    );
    let line = "cmdline [BOOT_IMAGE=/boot/vmlinuz console=ttyS0 a=$HOME b=\"two words\" c=`x` {d} ; e=\\x20 #f ü \
                initrd=/boot/first.img,/boot/initrd.img]";
    system.boots(&manifest, cell, &["file /first", line, END]).map(drop)
}

/// A program without a header, which is longer than a boot sector, is at 0x7c00.
pub(super) fn raw(system: &System, cell: Cell) -> Result<(), String> {
    system.put("raw.bin", &raw_program(b"raw program\0", 90_000))?;
    let manifest = format!("{}[[menu]]\nbios = \"raw.bin\"\n", boot("isolinux", cell)?);
    system.boots(&manifest, cell, &["raw program"]).map(drop)
}

/// SYSLINUX's own page about the machine.
pub(super) fn machine_page(system: &System, cell: Cell) -> Result<(), String> {
    let manifest = format!("{}[[menu]]\naction = \"machine\"\n", boot("isolinux", cell)?);
    let medium = system.medium(&manifest, cell)?;
    let mut guest = system.machine(&medium, cell).start(&system.logs)?;
    guest.wait_for_screen(&["Hardware Detection Tool"])?;
    Ok(())
}

/// The machine is off, and it starts again; with `-no-reboot` both end QEMU.
pub(super) fn actions(system: &System, cell: Cell) -> Result<(), String> {
    for action in ["poweroff", "reboot"] {
        let manifest = format!("{}[[menu]]\naction = {action:?}\n", boot("isolinux", cell)?);
        let medium = system.medium(&manifest, cell)?;
        let mut guest = system.machine(&medium, cell).start(&system.logs)?;
        guest.wait_for_end()?;
    }
    Ok(())
}

/// Each firmware has its own loader.
pub(super) fn and_grub(system: &System, cell: Cell) -> Result<(), String> {
    system.put("first.img", &system::one_file("first", b"first"))?;
    let manifest = format!(
        "{}firmware = [\"bios\", \"uefi\"]\n[[menu]]\n{KERNEL}cmdline = 'console=ttyS0 both'\n",
        boot("isolinux+grub", cell)?
    );
    let line = match cell.firmware {
        Firmware::Bios => "both initrd=/boot/first.img,/boot/initrd.img]",
        _ => "cmdline [BOOT_IMAGE=/boot/vmlinuz console=ttyS0 both]",
    };
    system.boots(&manifest, cell, &["file /first", line, END]).map(drop)
}
