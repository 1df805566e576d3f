//! The image's files, copied one by one to a FAT file system that other programs made: the loader reads them there.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use isobuild::inside::vm::Scratch;
use qemu_tests::suite::Test;
use qemu_tests::system::{self, END, System, one_file};
use qemu_tests::{fat_stick, hash, suite};
use std::fs;
use std::path::Path;

const fn stick(firmware: Firmware) -> Cell {
    Cell {
        firmware,
        medium: Medium::Usb,
    }
}

/// What is not as the image has it.
#[derive(Clone, Copy)]
enum Changed {
    Nothing,
    /// The kernel has not been copied.
    Kernel,
    /// The menu file has not been copied.
    Menu,
    /// The menu file is another image's.
    Id,
}

pub(crate) fn tests() -> suite::Tests {
    Ok(trials())
}

fn trials() -> Vec<Test> {
    let tests = [
        ("copied to FAT", Firmware::Uefi, Changed::Nothing),
        ("copied to FAT", Firmware::UefiIa32, Changed::Nothing),
        ("copied to FAT", Firmware::UefiAa64, Changed::Nothing),
        ("copied but for the kernel", Firmware::Uefi, Changed::Kernel),
        ("copied but for the menu", Firmware::Uefi, Changed::Menu),
        ("copied, with another menu", Firmware::Uefi, Changed::Id),
    ];
    let trial = |(name, firmware, changed): (&str, Firmware, Changed)| {
        let cell = stick(firmware);
        let mut missing = system::missing(firmware);
        missing.extend(suite::missing(&fat_stick::TOOLS));
        let name = format!("{name} {cell}");
        let logs = format!("copied-files-{}", name.replace(' ', "-"));
        let test = suite::trial(name, missing, move || {
            boots(&System::new(&logs, firmware)?, cell, changed)
        });
        test.long_if(firmware == Firmware::UefiAa64)
    };
    tests.into_iter().map(trial).collect()
}

/// Two initrds, the first of a length that the next needs padding after, and a name that FAT has no short form for.
fn boots(system: &System, cell: Cell, changed: Changed) -> Result<(), String> {
    const NAME: &str = "The first, größer.img";
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
    let first = one_file("first", &content);
    let trimmed = first.strip_suffix(&[0; 3]).ok_or("an archive ends in its padding")?;
    system.put(NAME, trimmed)?;
    let image = system.image(&format!(
        "[boot]\ntimeout = 0\n[[menu]]\nkernel = \"vmlinuz\"\ninitrd = [\"{NAME}\", \"initrd.img\"]\ncmdline = \"console=ttyS0\"\n"
    ))?;
    let files = fat_stick::copies(system, &image)?;
    let menu = files.join("boot/isobuild/menu.cfg");
    let changes = match changed {
        Changed::Nothing => Ok(()),
        Changed::Kernel => fs::remove_file(files.join("boot/vmlinuz")),
        Changed::Menu => fs::remove_file(menu),
        Changed::Id => other_id(&menu),
    };
    changes.map_err(|e| e.to_string())?;
    let stick = fat_stick::made(system, &files)?;
    // Nothing but the copies is in the machine's reach.
    fs::remove_file(&image).map_err(|e| e.to_string())?;

    let medium = Scratch::new(&stick, cell.medium, &system.path(""))?;
    let guest = system.machine(&medium, cell).start(&system.logs)?;
    let said = format!("file /first {}", hash::bytes(&content));
    let expected: &[&str] = match changed {
        Changed::Nothing => &[&said, "file /init", END],
        Changed::Kernel => &["/boot/vmlinuz is not on the boot medium."],
        Changed::Menu => &["The boot medium holds no ISO 9660 volume. Nor is there a copy of"],
        Changed::Id => &["The boot medium is another image's: its id differs."],
    };
    system.finish(guest, expected)?;
    medium.check_unwritten()?;
    Ok(())
}

/// Changes the id that the menu file begins with.
fn other_id(menu: &Path) -> std::io::Result<()> {
    let text = fs::read_to_string(menu)?;
    let (id, rest) = text.split_once('\n').unwrap_or_default();
    let digits = id.trim_start_matches("id = ");
    fs::write(
        menu,
        format!("id = {}\n{rest}", digits.chars().rev().collect::<String>()),
    )
}
