//! The image's files, copied one by one to a FAT file system that other programs made: the loader reads them there.

use isobuild::cell::{Cell, Firmware, Medium};
use isobuild::vm::Scratch;
use libtest_mimic::Trial;
use qemu_tests::system::{self, END, System, one_file};
use qemu_tests::{hash, suite, tools, workspace};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    suite::run(Ok(trials()))
}

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

fn trials() -> Vec<Trial> {
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
        missing.extend(suite::missing(&["sfdisk", "mformat", "mcopy"]));
        let name = format!("{name} {cell}");
        let logs = format!("copied-files-{}", name.replace(' ', "-"));
        suite::trial(name, missing, move || {
            boots(&System::new(&logs, firmware)?, cell, changed)
        })
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
    let files = system.path("files");
    let mut isobuild = Command::new(workspace::isobuild()?);
    run(isobuild.arg("extract").arg(&image).arg("-C").arg(&files))?;
    let menu = files.join("boot/isobuild/menu.cfg");
    let changes = match changed {
        Changed::Nothing => Ok(()),
        Changed::Kernel => fs::remove_file(files.join("boot/vmlinuz")),
        Changed::Menu => fs::remove_file(menu),
        Changed::Id => other_id(&menu),
    };
    changes.map_err(|e| e.to_string())?;
    let stick = made_stick(system, &files)?;
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

/// A stick as people have them: one FAT32 partition, with these files.
fn made_stick(system: &System, files: &Path) -> Result<PathBuf, String> {
    const SIZE: u64 = 96 << 20;
    const START: u64 = 1 << 20;
    let stick = system.path("stick");
    let blank = File::create(&stick).and_then(|file| file.set_len(SIZE));
    blank.map_err(|e| e.to_string())?;
    let mut sfdisk = Command::new(tools::find("sfdisk")?);
    let table = format!("label: dos\nstart={}, type=c\n", START / 512);
    let sfdisk = sfdisk.args(["-q", "--no-reread"]).arg(&stick).stdin(Stdio::piped());
    let mut child = sfdisk.spawn().map_err(|e| format!("sfdisk: {e}"))?;
    let mut input = child.stdin.take().ok_or("sfdisk takes no input")?;
    input.write_all(table.as_bytes()).map_err(|e| e.to_string())?;
    drop(input);
    if !child.wait().map_err(|e| e.to_string())?.success() {
        return Err("sfdisk has failed".to_owned());
    }
    let drive = format!("{}@@{START}", stick.display());
    let tool = |name: &str| -> Result<Command, String> {
        let mut command = Command::new(tools::find(name)?);
        command.env("LC_ALL", "C.UTF-8").args(["-i", &drive]);
        Ok(command)
    };
    run(tool("mformat")?.args(["-F", "-T", &((SIZE - START) / 512).to_string(), "::"]))?;
    let listing = fs::read_dir(files).map_err(|e| e.to_string())?;
    let names = listing.filter_map(|entry| Some(entry.ok()?.path()));
    run(tool("mcopy")?.args(["-s", "-Q"]).args(names).arg("::/"))?;
    Ok(stick)
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_owned();
    let output = command.output().map_err(|e| format!("{}: {e}", name.display()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}: {}",
            name.display(),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
