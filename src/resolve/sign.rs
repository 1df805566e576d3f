//! `[boot.sign]`: loaders and unified kernel images with a signature of the manifest's.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use crate::facts::loaders::loader_facts;
use crate::facts::secure_boot;
use crate::formats::authenticode::{Certificate, SigningKey};
use crate::ground::text;
use crate::manifest::{At, Text};

use super::Resolution;

/// Who signs, and where the manifest says so.
enum By<'d> {
    Key(Box<SigningKey>, &'d Text),
    Command(&'d At<Vec<Text>>),
}

/// What `[boot.sign]` says, read once.
pub(super) struct Signing<'d> {
    by: By<'d>,
    /// Whose signature it is; a command need not say.
    pub(super) certificate: Option<Certificate>,
}

impl<'d> Resolution<'d> {
    /// Who signs. `None` if the manifest does not sign. If the key or the certificate cannot be read, the first call reports it and the
    /// result is `None` too.
    pub(super) fn signing(&mut self) -> Option<Rc<Signing<'d>>> {
        if self.signing.is_none() {
            self.signing = Some(self.read_signing().map(Rc::new));
        }
        self.signing.clone().flatten()
    }

    fn read_signing(&mut self) -> Option<Signing<'d>> {
        let sign = self.document.manifest.boot.sign.as_ref()?.get_ref();
        let certificate = match &sign.cert {
            Some(path) => Some(self.certificate(path)?),
            None => None,
        };
        let by = match (&sign.key, &sign.command) {
            (Some(path), _) => {
                let bytes = self.small_file(path)?;
                match SigningKey::new(&bytes, certificate.clone()?) {
                    Ok(key) => By::Key(Box::new(key), path),
                    Err(fault) => {
                        self.error(path, fault.to_string(), "this file");
                        return None;
                    }
                }
            }
            (None, command) => By::Command(command.as_ref()?),
        };
        Some(Signing { by, certificate })
    }

    fn certificate(&mut self, path: &Text) -> Option<Certificate> {
        let bytes = self.small_file(path)?;
        match Certificate::from_file(&bytes) {
            Ok(certificate) => Some(certificate),
            Err(fault) => {
                self.error(path, fault.to_string(), "this file");
                None
            }
        }
    }

    /// Signs a program. If that fails, the error is reported and the program comes back unsigned.
    pub(super) fn signed(&mut self, signing: &Signing<'d>, program: &[u8]) -> Vec<u8> {
        match &signing.by {
            By::Key(key, at) => secure_boot::sign(program.to_vec(), key).unwrap_or_else(|why| {
                self.error(at, format!("the program to be signed {why}"), "this key");
                program.to_vec()
            }),
            By::Command(command) => {
                let signed = self.signed_by(command, program, signing.certificate.as_ref());
                signed.unwrap_or_else(|why| {
                    self.error(command, why, "this command");
                    program.to_vec()
                })
            }
        }
    }

    /// Runs a command in the manifest's directory, and looks at what it has made.
    fn signed_by(
        &self,
        command: &At<Vec<Text>>,
        program: &[u8],
        certificate: Option<&Certificate>,
    ) -> Result<Vec<u8>, String> {
        let directory = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
        let (input, output) = (directory.path().join("in.efi"), directory.path().join("out.efi"));
        fs::write(&input, program).map_err(|error| format!("temporary file: {error}"))?;
        let place = |path: &Path| path.to_string_lossy().into_owned();
        let mut words = command.get_ref().iter().map(|word| {
            let word = word.get_ref().replace("{in}", &place(&input));
            word.replace("{out}", &place(&output))
        });
        let base = std::path::absolute(self.base.join(".")).map_err(|error| error.to_string())?;
        let name = words.next().unwrap_or_default();
        // A path is from the manifest's directory, as all in it are.
        let file = if name.contains('/') {
            base.join(&name)
        } else {
            name.clone().into()
        };
        let ended = Command::new(file)
            .args(words)
            .current_dir(&base)
            .stdin(Stdio::null())
            .output();
        let ended = ended.map_err(|error| format!("{name:?} cannot be run: {error}"))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            let last = text::visible(said.trim_end().lines().last().unwrap_or_default().as_bytes());
            return Err(format!("{name:?} has ended with {}: {last}", ended.status));
        }
        let signed = fs::read(&output).map_err(|error| format!("{name:?} has not made \"{{out}}\": {error}"))?;
        if !secure_boot::is_same_program(program.to_vec(), signed.clone()) {
            return Err(format!(
                "{name:?} has made something else than the program with a signature"
            ));
        }
        let facts = loader_facts("", &signed);
        let mut good = facts.signatures.iter().filter_map(|one| one.signature.as_ref());
        match certificate {
            Some(certificate) if good.any(|signature| signature.leads_to(certificate)) => Ok(signed),
            Some(certificate) => Err(format!("{name:?} has not signed under {} (`cert`)", certificate.name())),
            None if good.next().is_some() => Ok(signed),
            None => Err(format!("{name:?} has not signed it")),
        }
    }

    /// A key or a certificate. The image does not contain it; only its signature goes in.
    fn small_file(&mut self, path: &Text) -> Option<Vec<u8>> {
        const LARGEST: u64 = 1 << 20;
        let host = self.host_path(path.get_ref());
        let read = || match fs::metadata(&host)? {
            found if !found.is_file() => Err(std::io::Error::other("is not a file")),
            found if found.len() > LARGEST => Err(std::io::Error::other("is too long for a key or a certificate")),
            _ => fs::read(&host),
        };
        match read() {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.error(path, format!("cannot use {:?}: {error}", path.get_ref()), "this file");
                None
            }
        }
    }
}
