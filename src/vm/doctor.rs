//! What of QEMU and firmware is installed, and which package has what is not.

use std::path::Path;
use std::process::Command;

use super::accelerator::Accelerator;
use super::firmware;
use super::programs::{self, Need};
use crate::facts::cell::Firmware;

/// One thing that machines need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A program's name, a firmware's as in cells, or `accelerator`.
    pub name: &'static str,
    /// Where it is, or what works; else what is missing and which package has it.
    pub found: Result<String, String>,
}

/// Everything that any machine needs, by kind of processor: QEMU, what runs its instructions, each firmware.
pub fn examine() -> Vec<Finding> {
    let mut findings = Vec::new();
    for first in [Firmware::Bios, Firmware::UefiAa64] {
        let need = Need::qemu(first);
        let qemu = programs::find(need.what());
        findings.push(Finding {
            name: need.what(),
            found: match &qemu {
                Some(qemu) => Ok(format!("{}{}", qemu.display(), version(qemu))),
                None => Err(need.missing()),
            },
        });
        if let Some(qemu) = &qemu {
            findings.push(Finding {
                name: "accelerator",
                found: Ok(Accelerator::choose(qemu, first).1),
            });
        }
        // All machines with Secure Boot have one program.
        let is_listed = |other: &Firmware| !other.is_secure() || *other == Firmware::SecureBoot;
        let firmware = Firmware::ALL.into_iter().filter(is_listed);
        for firmware in firmware.filter(|&other| Need::qemu(other) == need) {
            let qemu = qemu.as_deref().unwrap_or(Path::new(need.what()));
            findings.push(Finding {
                name: firmware.name(),
                found: firmware::locate(firmware, qemu).map(|path| path.display().to_string()),
            });
        }
    }
    findings
}

/// As `QEMU emulator version 7.2.22 (Debian ...)` has it.
fn version(qemu: &Path) -> String {
    let out = Command::new(qemu).arg("--version").output();
    let out = out
        .map(|out| String::from_utf8_lossy(&out.stdout).into_owned())
        .unwrap_or_default();
    let version = out.lines().next().and_then(|line| line.split(" version ").nth(1));
    version.map(|version| format!(", {version}")).unwrap_or_default()
}
