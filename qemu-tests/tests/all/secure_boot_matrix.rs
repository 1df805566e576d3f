//! Whom Secure Boot starts: `check` against real firmware with variables that virt-fw-vars has made, over images of Debian's signed programs,
//! of forged ones and of our own keys. What is expected was seen in boots of OVMF 2022.11 and shim 16.1.

use isobuild::inside::facts::cell::Firmware;
use isobuild::inside::vm::Machine;
use isobuild::inside::vm::Scratch;
use qemu_tests::secure_parts::Parts;
use qemu_tests::secure_rows::Store::{Mok, Of2011, Of2023, Own};
use qemu_tests::secure_rows::{GRUB, ROWS, Row, Store};
use qemu_tests::suite::Test;
use qemu_tests::{suite, system, tools, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// What is booted without `--full`: one of each kind of outcome.
const SHORT: [(&str, Store); 5] = [
    ("shim of 2023", Of2011),
    ("shim of 2023", Of2023),
    ("shim and an older GRUB", Mok("own")),
    ("signed by isobuild", Own("own")),
    ("own kernel", Own("own")),
];

fn boot_name(row: &str, store: Store) -> String {
    format!("boot: {row} on {}", store.name())
}

pub(crate) fn tests() -> suite::Tests {
    Ok(trials())
}

fn trials() -> Vec<Test> {
    let mut missing = system::missing(Firmware::SecureBoot);
    missing.extend(suite::missing(&["openssl", "sbsign"]));
    missing.extend(tools::from_pypi("virt-fw-vars").err());
    let mut trials = Vec::new();
    for row in ROWS {
        let name = format!("verdict: {}", row.name);
        trials.push(suite::trial(name, missing.clone(), || judged(row, parts()?)));
        for &(store, boots) in row.boots {
            let name = boot_name(row.name, store);
            let is_long = !SHORT.contains(&(row.name, store));
            let test = suite::trial(name, missing.clone(), move || booted(row, parts()?, store, boots));
            trials.push(test.long_if(is_long));
        }
    }
    trials
}

/// The image, in the directory.
fn image(row: &Row, parts: &Parts, directory: &Path) -> Result<PathBuf, String> {
    let mut manifest = "[boot]\nserial = 115200\nfirmware = [\"uefi\"]\n".to_owned();
    manifest += match row.kernel {
        Some(_) => {
            "timeout = 0\n[[menu]]\nkernel = \"linux\"\ncmdline = \"console=ttyS0 earlyprintk=serial panic=0\"\n"
        }
        None => "timeout = 0\n[[menu]]\naction = \"machine\"\n",
    };
    if let Some(kernel) = row.kernel {
        fs::copy(parts.file(kernel), directory.join("linux")).map_err(|e| format!("{kernel}: {e}"))?;
    }
    manifest += "[boot.uefi.files]\n";
    for (name, part) in row.files {
        let directory = if name.starts_with('/') { "" } else { "/EFI/BOOT/" };
        manifest += &format!("\"{directory}{name}\" = {:?}\n", parts.file(part));
    }
    let path = directory.join("manifest.toml");
    fs::write(&path, manifest).map_err(|e| e.to_string())?;
    let image = directory.join("image.iso");
    qemu_tests::example::build(&mut Command::new(workspace::isobuild()?), &path, &image)?;
    Ok(image)
}

/// What `check` says of the image, and `plan` before it was there.
fn judged(row: &Row, parts: &Parts) -> Result<(), String> {
    let directory = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let image = image(row, parts, directory.path())?;
    let manifest = directory.path().join("manifest.toml");
    for &(store, boots) in row.boots {
        let (cells, trusted) = store.cells();
        for (verb, subject) in [("check", &image), ("plan", &manifest)] {
            let mut isobuild = Command::new(workspace::isobuild()?);
            isobuild.arg(verb).arg(subject).arg("--json");
            if let Some(key) = trusted {
                isobuild.arg("--trust").arg(&parts.key(key)?.certificate);
            }
            let output = isobuild.output().map_err(|e| e.to_string())?;
            let said: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("{verb}: {e}"))?;
            let verdicts = said["cells"].as_array().into_iter().flatten();
            let verdicts: Vec<_> = verdicts
                .filter(|verdict| verdict["cell"].as_str().is_some_and(|cell| cells.contains(&cell)))
                .collect();
            if verdicts.len() != cells.len() {
                return Err(format!("{verb}: {} verdicts on {cells:?}", verdicts.len()));
            }
            if verdicts.iter().any(|verdict| verdict["boots"] == true) != boots {
                return Err(format!(
                    "{verb}, {}: wanted {boots}, and it says {verdicts:#?}",
                    store.name()
                ));
            }
        }
    }
    Ok(())
}

/// What the firmware makes of it.
fn booted(row: &Row, parts: &Parts, store: Store, boots: bool) -> Result<(), String> {
    let directory = tempfile::tempdir_in(workspace::target()).map_err(|e| e.to_string())?;
    let image = image(row, parts, directory.path())?;
    let medium = Scratch::new(&image, isobuild::inside::facts::cell::Medium::Usb, directory.path())?;
    let name = boot_name(row.name, store).replace(['\'', ' ', ':'], "-");
    let logs = workspace::target().join("qemu-tests/logs").join(name);
    let mut guest = Machine::new(Firmware::SecureBoot)
        .variables(&store.variables(parts, directory.path())?)
        .deadline(Duration::from_secs(120))
        .scratch(&medium)
        .start(&logs)?;
    let is_grub = row
        .files
        .iter()
        .any(|(name, part)| name.ends_with(GRUB) && part.starts_with("grub"));
    let expected = match row.kernel {
        Some(_) => "Linux version",
        None if is_grub => "GNU GRUB",
        None => "Free memory",
    };
    match (guest.wait_for(&[expected]), boots) {
        (Ok(()), true) => Ok(()),
        (Ok(()), false) => Err(format!("{expected:?} is there, and Secure Boot should refuse it")),
        (Err(error), true) => Err(error.to_string()),
        // Not that nothing happens in time: a refusal is said.
        (Err(error), false) => match error.to_string() {
            said if said.contains("the machine says") => Ok(()),
            said => Err(said),
        },
    }
}

/// Made once, by whichever test is the first.
fn parts() -> Result<&'static Parts, String> {
    static PARTS: OnceLock<Result<Parts, String>> = OnceLock::new();
    PARTS.get_or_init(Parts::new).as_ref().map_err(Clone::clone)
}
