//! A machine's owner who signs: a key of their own, in the firmware's variables, and what they have signed with it.

use crate::tools;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whose key a Machine Owner Key is; any will do.
const OWNER: &str = "605dab50-e046-4300-abb6-3dd810dd8b23";

/// A key and what belongs to it, in a directory.
#[derive(Debug)]
pub struct Owner {
    key: PathBuf,
    /// The certificate, in PEM.
    pub certificate: PathBuf,
    /// Variables of a firmware that has Microsoft's keys, and this one as shim's Machine Owner Key.
    pub variables: PathBuf,
}

impl Owner {
    /// Makes a key and enrols it.
    pub fn new(directory: &Path) -> Result<Self, String> {
        let owner = Self {
            key: directory.join("owner.key"),
            certificate: directory.join("owner.crt"),
            variables: directory.join("owner.fd"),
        };
        let mut openssl = Command::new(tools::find("openssl")?);
        openssl.args([
            "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "36500",
        ]);
        openssl
            .args(["-subj", "/CN=isobuild test owner/", "-keyout"])
            .arg(&owner.key);
        run(openssl.arg("-out").arg(&owner.certificate))?;
        let mut enrol = Command::new(tools::from_pypi("virt-fw-vars")?);
        enrol.args(["-i", tools::OVMF_VARS_MS, "-o"]).arg(&owner.variables);
        run(enrol.args(["--add-mok", OWNER]).arg(&owner.certificate))?;
        Ok(owner)
    }

    /// Signs an EFI program.
    pub fn sign(&self, program: &Path, signed: &Path) -> Result<(), String> {
        let mut sbsign = Command::new(tools::find("sbsign")?);
        sbsign.arg("--key").arg(&self.key).arg("--cert").arg(&self.certificate);
        run(sbsign.arg("--output").arg(signed).arg(program))
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
