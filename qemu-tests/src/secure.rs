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

/// A certificate and its key, in a directory.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key, in PEM.
    pub key: PathBuf,
    /// The certificate, in PEM.
    pub certificate: PathBuf,
}

impl Key {
    /// A new key of this kind, as `openssl req -newkey` takes it, with a certificate of this common name and these extensions that it has
    /// issued itself, or `issuer` has.
    pub fn new(
        directory: &Path,
        file: &str,
        (kind, name, extensions): (&str, &str, &[&str]),
        issuer: Option<&Self>,
    ) -> Result<Self, String> {
        let made = Self {
            key: directory.join(format!("{file}.key")),
            certificate: directory.join(format!("{file}.pem")),
        };
        // The system's configuration would add extensions of its own.
        let configuration = directory.join("openssl.cnf");
        std::fs::write(&configuration, "[req]\ndistinguished_name = dn\n[dn]\n").map_err(|e| e.to_string())?;
        let mut openssl = Command::new(tools::find("openssl")?);
        openssl.args(["req", "-new", "-x509", "-nodes", "-days", "36500", "-config"]);
        openssl.arg(&configuration).arg("-newkey").args(kind.split(' '));
        openssl
            .args(["-subj", &format!("/CN={name}/"), "-keyout"])
            .arg(&made.key);
        if let Some(issuer) = issuer {
            openssl
                .arg("-CA")
                .arg(&issuer.certificate)
                .arg("-CAkey")
                .arg(&issuer.key);
        }
        for extension in extensions {
            openssl.args(["-addext", extension]);
        }
        run(openssl.arg("-out").arg(&made.certificate))?;
        Ok(made)
    }

    /// Somebody else's certificate, which signs nothing.
    pub fn of_certificate(certificate: PathBuf) -> Self {
        Self {
            key: PathBuf::new(),
            certificate,
        }
    }

    /// Signs an EFI program, and adds these certificates. What signatures it has stay.
    pub fn sign(&self, program: &Path, signed: &Path, more: &[&Self]) -> Result<(), String> {
        let mut sbsign = Command::new(tools::find("sbsign")?);
        sbsign.arg("--key").arg(&self.key).arg("--cert").arg(&self.certificate);
        let chain = signed.with_extension("chain.pem");
        if !more.is_empty() {
            let texts = more.iter().map(|key| std::fs::read_to_string(&key.certificate));
            let texts: Vec<String> = texts.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
            std::fs::write(&chain, texts.concat()).map_err(|e| e.to_string())?;
            sbsign.arg("--addcert").arg(&chain);
        }
        run(sbsign.arg("--output").arg(signed).arg(program))
    }
}

/// The variables of a firmware, by virt-fw-vars: `db` and `MokList` have these certificates.
pub fn variables(output: &Path, db: &[PathBuf], mok: &[PathBuf]) -> Result<(), String> {
    let mut tool = Command::new(tools::from_pypi("virt-fw-vars")?);
    tool.args(["-i", tools::OVMF_VARS, "-o"]).arg(output).arg("--sb");
    let first = db.first().ok_or("no certificate")?;
    for option in ["--set-pk", "--add-kek"] {
        tool.args([option, OWNER]).arg(first);
    }
    for (option, certificates) in [("--add-db", db), ("--add-mok", mok)] {
        for certificate in certificates {
            tool.args([option, OWNER]).arg(certificate);
        }
    }
    run(&mut tool)
}

/// A certificate of Microsoft's as virt-firmware has it, such as `MicrosoftUEFICA2023`.
pub fn of_microsoft(name: &str) -> Result<PathBuf, String> {
    let mut python = Command::new(tools::from_pypi("python")?);
    python.args([
        "-c",
        "import virt.firmware, os; print(os.path.dirname(virt.firmware.__file__))",
    ]);
    let output = python.output().map_err(|e| e.to_string())?;
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let file = Path::new(&directory).join(format!("certs/{name}.pem"));
    match file.is_file() {
        true => Ok(file),
        false => Err(format!("virt-firmware has no {}", file.display())),
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
