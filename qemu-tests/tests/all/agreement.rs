//! The verdicts of `check` are what firmware does: for the examples, for images that other people built, and for copies with one
//! thing wrong. The table of both is printed at the end.

use isobuild::inside::facts::cell::{Cell, Firmware, Medium};
use isobuild::inside::vm::Machine;
use isobuild::inside::vm::Scratch;
use qemu_tests::broken::{BROKEN, Boots, Break, without_loader};
use qemu_tests::example::Example;
use qemu_tests::inside::isobuild;
use qemu_tests::{pins, suite, system, workspace};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// Rows of the table.
static TABLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

const CELLS: [Cell; 6] = [
    cell(Firmware::Bios, Medium::Cd),
    cell(Firmware::Bios, Medium::Usb),
    cell(Firmware::Bios, Medium::Disk),
    cell(Firmware::Uefi, Medium::Cd),
    cell(Firmware::Uefi, Medium::Usb),
    cell(Firmware::Uefi, Medium::Disk),
];

const fn cell(firmware: Firmware, medium: Medium) -> Cell {
    Cell { firmware, medium }
}

/// What shows nothing by then does not boot: the slowest loader takes a twentieth of the first. Where `check` says that nothing boots,
/// a verdict that is too hard is found by the second as well: a loader shows itself within two seconds.
const PATIENCE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(10)];

/// What has been found, side by side.
pub(crate) fn table() {
    let mut table = TABLE.lock().map(|rows| rows.clone()).unwrap_or_default();
    if !table.is_empty() {
        table.sort();
        println!("what check says and what firmware does; ! where they differ");
        let cells: Vec<String> = CELLS.iter().map(|cell| format!("{:9}", cell.to_string())).collect();
        println!("{:36} {}", "", cells.join(" "));
        println!("{}\n", table.join("\n"));
    }
}

pub(crate) fn tests() -> suite::Tests {
    let mut trials = Vec::new();
    let mut needs = system::needs(Firmware::Bios).to_vec();
    needs.extend(system::needs(Firmware::Uefi));
    let mut missing = suite::missing(&needs);
    missing.extend(workspace::isobuild().err());
    for (name, boots, change) in BROKEN {
        let missing = missing.clone();
        let test = suite::trial(format!("hello: {name}"), missing, move || {
            agree(
                &format!("hello: {name}"),
                Example::load("hello")?.image()?,
                change,
                "Power off",
            )
        });
        trials.push(test.long_if(boots == Boots::Full));
    }
    for (name, mark) in [("data", "no loader"), ("debian-installer", "ISOLINUX")] {
        let example = Example::load(name)?;
        let missing = [missing.clone(), example.missing()].concat();
        let test = suite::trial(name.to_owned(), missing, move || {
            agree(name, example.image()?, |_| {}, mark)
        });
        trials.push(test.long_if(name == "debian-installer"));
    }
    missing.extend(suite::missing_inputs()?);
    for name in ["mbr.bin", "gptmbr.bin"] {
        trials.push(suite::trial(format!("hello: {name}"), missing.clone(), move || {
            let code = fs::read(pins::load("qemu-tests")?.file(name)?).map_err(|e| e.to_string())?;
            let change = |image: &mut [u8]| image[..code.len()].copy_from_slice(&code);
            agree(
                &format!("hello: {name}"),
                Example::load("hello")?.image()?,
                change,
                "Power off",
            )
        }));
    }
    let foreign: [(&str, &str, Break, &str); 5] = [
        ("grub-rescue", "grub-rescue.iso", |_| {}, "GRUB"),
        ("grub-rescue: driver descriptor", "grub-rescue.iso", as_with_hfs, "GRUB"),
        ("memtest86+", "memtest.iso", |_| {}, "Memtest86+"),
        ("ipxe", "ipxe.iso", |_| {}, "iPXE"),
        ("memtest86+: no loader", "memtest.iso", without_loader, "Memtest86+"),
    ];
    for (name, file, change, mark) in foreign {
        let test = suite::trial(name.to_owned(), missing.clone(), move || {
            agree(name, &pins::load("qemu-tests")?.file(file)?, change, mark)
        });
        trials.push(test.long_if(name == "memtest86+: no loader"));
    }
    Ok(trials)
}

/// Lets the boot code begin as grub-mkrescue's does for an image with HFS+: with a driver descriptor that leads, as code, to the jump at 26.
fn as_with_hfs(image: &mut [u8]) {
    image[..8].copy_from_slice(b"ER\x08\0\xeb\x02\xff\xff");
    image[8..26].fill(0x90);
}

/// Boots a changed copy of the image in every cell and compares with the verdicts of `check`.
fn agree(name: &str, image: &Path, change: impl Fn(&mut [u8]), mark: &str) -> Result<(), String> {
    let dir = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let copy = dir.path().join("copy.iso");
    let mut bytes = fs::read(image).map_err(|e| format!("{}: {e}", image.display()))?;
    change(&mut bytes);
    fs::write(&copy, bytes).map_err(|e| e.to_string())?;
    let verdicts = isobuild(&["check".as_ref(), "--json".as_ref(), copy.as_os_str()])?;
    let verdicts: Value = serde_json::from_slice(&verdicts.stdout).map_err(|e| e.to_string())?;
    let (mut row, mut wrong) = (format!("{name:36}"), Vec::new());
    for cell in CELLS {
        let verdicts = verdicts["cells"].as_array().ok_or("no cells")?;
        let verdict = verdicts.iter().find(|verdict| verdict["cell"] == *cell.to_string());
        let verdict = verdict.ok_or_else(|| format!("no verdict on {cell}"))?;
        let said = verdict["boots"].as_bool().ok_or("no verdict")?;
        let patience = if said { PATIENCE[0] } else { PATIENCE[1] };
        let does = boots(name, &copy, cell, (mark, patience), dir.path())?;
        let word = |boots| if boots { "yes" } else { "no" };
        row += &match said == does {
            true => format!(" {:9}", word(does)),
            false => format!(" {:9}", format!("{}!{}", word(said), word(does))),
        };
        if said != does {
            wrong.push(format!("{cell} boots: {does}, but check says {verdict}"));
        }
    }
    if let Ok(mut table) = TABLE.lock() {
        table.push(row);
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

fn boots(name: &str, image: &Path, cell: Cell, (mark, patience): (&str, Duration), dir: &Path) -> Result<bool, String> {
    let medium = Scratch::new(image, cell.medium, dir)?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let logs: String = format!("agreement-{name}-{cell}").chars().map(plain).collect();
    let logs = workspace::target().join("qemu-tests/logs").join(logs);
    let machine = Machine::new(cell.firmware).deadline(patience).memory(256);
    let mut guest = machine.scratch(&medium).start(&logs)?;
    Ok(guest.starts_medium(cell.firmware == Firmware::Uefi, mark)?)
}
