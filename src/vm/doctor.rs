//! What of QEMU and firmware is installed, and which package has what is not.

use std::path::Path;
use std::process::Command;

use super::accelerator::Accelerator;
use super::firmware;
use super::programs::{self, Need};
use crate::facts::cell::Firmware;
use crate::ground::installed::Installed;

/// Everything that any machine needs, by kind of processor: QEMU, what runs its instructions, each firmware.
pub fn examine() -> Vec<Installed> {
    let mut findings = Vec::new();
    for first in [Firmware::Bios, Firmware::UefiAa64] {
        let need = Need::qemu(first);
        let qemu = programs::find(need.what());
        let found = qemu.as_ref().map(|qemu| qemu.display().to_string());
        findings.push(Installed {
            version: qemu.as_deref().and_then(version),
            ..Installed::new(need.what(), &need.packages(), found.ok_or_else(|| need.missing()))
        });
        if let Some(qemu) = &qemu {
            findings.push(Installed {
                name: "accelerator".into(),
                version: Some(Accelerator::choose(qemu, first).1),
                ..Installed::default()
            });
        }
        // All machines with Secure Boot have one program.
        let is_listed = |other: &Firmware| !other.is_secure() || *other == Firmware::SecureBoot;
        let firmware = Firmware::ALL.into_iter().filter(is_listed);
        for firmware in firmware.filter(|&other| Need::qemu(other) == need) {
            let qemu = qemu.as_deref().unwrap_or(Path::new(need.what()));
            let found = firmware::locate(firmware, qemu).map(|path| path.display().to_string());
            let packages = Need::of(firmware).packages();
            findings.push(Installed::new(firmware.name(), &packages, found));
        }
    }
    findings
}

/// As `QEMU emulator version 7.2.22 (Debian ...)` has it.
fn version(qemu: &Path) -> Option<String> {
    let out = Command::new(qemu).arg("--version").output().ok()?;
    let out = String::from_utf8_lossy(&out.stdout);
    let version = out.lines().next()?.split(" version ").nth(1)?;
    Some(version.to_owned())
}
