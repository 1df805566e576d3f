//! Where a machine's UEFI firmware is: QEMU's firmware descriptors first, then known places.
//!
//! Source: QEMU, docs/interop/firmware.json.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::programs::Need;
use crate::facts::cell::Firmware;

/// The files that a machine with UEFI is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// The program.
    pub code: Image,
    /// The variables as they are at first. Firmware writes to them, so that each run needs its own.
    pub variables: Option<Image>,
    /// Whether the program runs in System Management Mode only.
    pub smm: bool,
}

/// A file in a format that QEMU knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Image {
    /// Where it is.
    pub filename: PathBuf,
    /// `raw` or `qcow2`.
    pub format: String,
}

/// A firmware descriptor, as far as it decides.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Descriptor {
    interface_types: Vec<String>,
    mapping: Mapping,
    targets: Vec<Target>,
    features: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mapping {
    device: String,
    /// `split` if not given; `combined` has the variables in the executable, `stateless` has none.
    mode: Option<String>,
    executable: Option<Image>,
    nvram_template: Option<Image>,
}

#[derive(Debug, Deserialize)]
struct Target {
    architecture: String,
    /// Globs.
    machines: Vec<String>,
}

impl Descriptor {
    /// What it describes, if that is for this firmware.
    fn flash(&self, firmware: Firmware) -> Option<Flash> {
        let has = |feature: &str| self.features.iter().any(|one| one == feature);
        let (architecture, machine) = target(firmware);
        let of_target = |target: &Target| {
            target.architecture == architecture && target.machines.iter().any(|glob| glob.starts_with(machine))
        };
        let signed = firmware.is_secure();
        let fits = self.interface_types.iter().any(|kind| kind == "uefi")
            && self.mapping.device == "flash"
            && self.mapping.mode.as_deref() != Some("combined")
            && self.targets.iter().any(of_target)
            && (has("secure-boot") || !signed)
            // The keys of a machine with Secure Boot are written for it.
            && (signed || !has("enrolled-keys"));
        Some(Flash {
            code: self.mapping.executable.clone().filter(|_| fits)?,
            variables: self.mapping.nvram_template.clone(),
            smm: has("requires-smm"),
        })
    }
}

/// The descriptor's architecture and the beginning of its machine's name.
fn target(firmware: Firmware) -> (&'static str, &'static str) {
    match firmware {
        Firmware::UefiIa32 => ("i386", "pc-q35"),
        Firmware::UefiAa64 => ("aarch64", "virt"),
        _ => ("x86_64", "pc-q35"),
    }
}

/// Where firmware is that no descriptor tells of: the program, its variables, and whether it needs SMM.
const KNOWN_PLACES: [(Firmware, &str, &str, bool); 11] = [
    (Firmware::Uefi, "OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd", false),
    (Firmware::Uefi, "OVMF/OVMF_CODE.fd", "OVMF/OVMF_VARS.fd", false),
    (
        Firmware::Uefi,
        "edk2/ovmf/OVMF_CODE.fd",
        "edk2/ovmf/OVMF_VARS.fd",
        false,
    ),
    (
        Firmware::Uefi,
        "edk2/x64/OVMF_CODE.4m.fd",
        "edk2/x64/OVMF_VARS.4m.fd",
        false,
    ),
    (
        Firmware::Uefi,
        "qemu/edk2-x86_64-code.fd",
        "qemu/edk2-i386-vars.fd",
        false,
    ),
    (
        Firmware::SecureBoot,
        "OVMF/OVMF_CODE_4M.secboot.fd",
        "OVMF/OVMF_VARS_4M.fd",
        true,
    ),
    (
        Firmware::SecureBoot,
        "edk2/ovmf/OVMF_CODE.secboot.fd",
        "edk2/ovmf/OVMF_VARS.fd",
        true,
    ),
    (
        Firmware::UefiIa32,
        "OVMF/OVMF32_CODE_4M.secboot.fd",
        "OVMF/OVMF32_VARS_4M.fd",
        true,
    ),
    (
        Firmware::UefiIa32,
        "qemu/edk2-i386-code.fd",
        "qemu/edk2-i386-vars.fd",
        false,
    ),
    (Firmware::UefiAa64, "AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd", false),
    (
        Firmware::UefiAa64,
        "qemu/edk2-aarch64-code.fd",
        "qemu/edk2-arm-vars.fd",
        false,
    ),
];

/// The firmware that `qemu` is to be started with. The error names the package that brings one.
pub fn find(firmware: Firmware, qemu: &Path) -> Result<Flash, String> {
    let shares = shares(qemu);
    let mut directories: Vec<PathBuf> = shares.iter().map(|share| share.join("qemu/firmware")).collect();
    directories.push("/etc/qemu/firmware".into());
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or(home);
    directories.extend(config.map(|config| config.join("qemu/firmware")));
    described(firmware, &directories)
        .or_else(|| known(firmware, &shares))
        .ok_or_else(|| Need::Uefi(firmware).missing())
}

/// Where the firmware is, the BIOS too, which QEMU finds by itself.
pub(super) fn locate(firmware: Firmware, qemu: &Path) -> Result<PathBuf, String> {
    if firmware != Firmware::Bios {
        return find(firmware, qemu).map(|flash| flash.code.filename);
    }
    // One directory a line.
    let out = Command::new(qemu).args(["-L", "help"]).output();
    let directories = out
        .map(|out| String::from_utf8_lossy(&out.stdout).into_owned())
        .unwrap_or_default();
    let files = directories
        .lines()
        .map(|directory| Path::new(directory).join("bios-256k.bin"));
    let mut files = files.filter_map(|file| fs::canonicalize(file).ok());
    files.next().ok_or_else(|| Need::SeaBios.missing())
}

/// The directories of shared files: QEMU's own first, for an installation aside from the system's.
fn shares(qemu: &Path) -> Vec<PathBuf> {
    let qemu = fs::canonicalize(qemu).unwrap_or_else(|_| qemu.into());
    let own = qemu.ancestors().nth(2).map(|prefix| prefix.join("share"));
    let mut shares: Vec<PathBuf> = own.into_iter().collect();
    for share in ["/usr/share", "/usr/local/share", "/opt/homebrew/share"].map(PathBuf::from) {
        if !shares.contains(&share) {
            shares.push(share);
        }
    }
    shares
}

/// The first in the order of the descriptors' names. Of two directories with one name in both, the later one counts. What
/// needs no SMM goes before what does, since it starts on more machines.
fn described(firmware: Firmware, directories: &[PathBuf]) -> Option<Flash> {
    let mut descriptors: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for directory in directories {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let files = entries.filter(|entry| {
            Path::new(&entry.file_name())
                .extension()
                .is_some_and(|end| end == "json")
        });
        descriptors.extend(files.map(|entry| (entry.file_name(), entry.path())));
    }
    // An empty file stands for none.
    let read = |path: &PathBuf| serde_json::from_slice::<Descriptor>(&fs::read(path).ok()?).ok();
    let all = descriptors.values().filter_map(read);
    let mut flashes: Vec<Flash> = all
        .filter_map(|descriptor| descriptor.flash(firmware))
        .filter(|flash| present(&flash.code) && flash.variables.as_ref().is_none_or(present))
        .collect();
    flashes.sort_by_key(|flash| flash.smm);
    flashes.into_iter().next()
}

fn known(firmware: Firmware, shares: &[PathBuf]) -> Option<Flash> {
    let raw = |share: &Path, name: &str| Image {
        filename: share.join(name),
        format: "raw".into(),
    };
    let kind = if firmware.is_secure() {
        Firmware::SecureBoot
    } else {
        firmware
    };
    let places = KNOWN_PLACES.iter().filter(|place| place.0 == kind);
    let flashes = places.flat_map(|(_, code, variables, smm)| {
        shares.iter().map(|share| Flash {
            code: raw(share, code),
            variables: Some(raw(share, variables)),
            smm: *smm,
        })
    });
    let mut found = flashes.filter(|flash| present(&flash.code) && flash.variables.as_ref().is_some_and(present));
    found.next()
}

fn present(image: &Image) -> bool {
    image.filename.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A descriptor of a program and variables that are files in `dir`.
    fn describe(dir: &Path, name: &str, architecture: &str, features: &[&str]) {
        let (code, variables) = (dir.join(format!("{name}.code")), dir.join(format!("{name}.vars")));
        fs::write(&code, "code").unwrap();
        fs::write(&variables, "variables").unwrap();
        let machine = if architecture == "aarch64" {
            "virt-*"
        } else {
            "pc-q35-*"
        };
        let image = |filename: &Path| serde_json::json!({"filename": filename, "format": "raw"});
        let descriptor = serde_json::json!({
            "description": name, "interface-types": ["uefi"], "tags": [], "features": features,
            "mapping": {"device": "flash", "executable": image(&code), "nvram-template": image(&variables)},
            "targets": [{"architecture": architecture, "machines": [machine]}],
        });
        fs::write(dir.join(format!("{name}.json")), descriptor.to_string()).unwrap();
    }

    fn stem(flash: Option<Flash>) -> Option<String> {
        flash.map(|flash| flash.code.filename.file_stem().unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn a_descriptor_is_chosen_by_its_features_and_then_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let own = tempfile::tempdir().unwrap();
        describe(
            dir.path(),
            "40-keys",
            "x86_64",
            &["secure-boot", "enrolled-keys", "requires-smm"],
        );
        describe(dir.path(), "50-smm", "x86_64", &["secure-boot", "requires-smm"]);
        describe(dir.path(), "60-plain", "x86_64", &[]);
        describe(dir.path(), "70-plain", "x86_64", &[]);
        describe(dir.path(), "50-ia32", "i386", &["secure-boot", "requires-smm"]);
        fs::write(dir.path().join("10-broken.json"), "{").unwrap();
        let directories = [dir.path().to_path_buf(), own.path().to_path_buf()];
        let chosen = |firmware| stem(described(firmware, &directories));
        assert_eq!(chosen(Firmware::Uefi).as_deref(), Some("60-plain"));
        assert_eq!(chosen(Firmware::SecureBoot).as_deref(), Some("40-keys"));
        assert_eq!(chosen(Firmware::UefiIa32).as_deref(), Some("50-ia32"));
        assert_eq!(chosen(Firmware::UefiAa64), None);
        // One of the same name in a later directory takes its place; an empty one leaves none.
        fs::write(own.path().join("60-plain.json"), "").unwrap();
        assert_eq!(chosen(Firmware::Uefi).as_deref(), Some("70-plain"));
        // What is described and not there does not count.
        fs::remove_file(dir.path().join("70-plain.vars")).unwrap();
        assert_eq!(chosen(Firmware::Uefi).as_deref(), Some("50-smm"));
    }

    #[test]
    fn without_descriptors_known_places_are_looked_at() {
        let share = tempfile::tempdir().unwrap();
        let shares = [PathBuf::from("/nowhere"), share.path().to_path_buf()];
        assert_eq!(known(Firmware::Uefi, &shares), None);
        fs::create_dir(share.path().join("qemu")).unwrap();
        for name in ["edk2-x86_64-code.fd", "edk2-i386-vars.fd"] {
            fs::write(share.path().join("qemu").join(name), "").unwrap();
        }
        let found = known(Firmware::Uefi, &shares).unwrap();
        assert_eq!(found.code.filename, share.path().join("qemu/edk2-x86_64-code.fd"));
        assert_eq!(
            found.variables.unwrap().filename,
            share.path().join("qemu/edk2-i386-vars.fd")
        );
    }
}
