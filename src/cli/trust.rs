//! `--trust`: the certificates that a machine's owner has enrolled.

use std::fs;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::facts::Description;
use crate::facts::cell::{Cell, Firmware};
use crate::facts::verdicts;
use crate::formats::authenticode::Certificate;
use crate::vm::Trusted;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory};

use super::Arguments;

/// Whom Secure Boot trusts besides Microsoft.
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// A certificate, in PEM or DER, that the machine's owner has put into `db` or enrolled as a Machine Owner Key; may be repeated.
    #[arg(long = "trust", value_name = "CERT")]
    files: Vec<PathBuf>,
}

impl Trust {
    pub(super) fn read(&self) -> Result<Vec<Trusted>, Failure> {
        self.files.iter().map(|file| certificate(file)).collect()
    }

    /// Judges again for machines that trust these too. `asked` are cells that somebody wants to know of.
    pub(super) fn judge(&self, image: &mut Description, asked: &[Cell]) -> Result<Vec<Trusted>, Failure> {
        let trusted = self.read()?;
        let has_own = !trusted.is_empty() || image.planned.owner.is_some();
        if let Some(cell) = asked.iter().find(|cell| cell.firmware == Firmware::SecureBootOwn)
            && !has_own
        {
            let message = format!("{cell} is about the certificates of a machine's owner: name them with --trust");
            Arguments::command()
                .error(ErrorKind::MissingRequiredArgument, message)
                .exit();
        }
        if has_own {
            let certificates: Vec<Certificate> = trusted.iter().map(|one| one.certificate.clone()).collect();
            image.cells = verdicts::cells(image, &certificates);
        }
        Ok(trusted)
    }
}

/// Reads a certificate in PEM or DER.
pub(super) fn certificate(file: &Path) -> Result<Trusted, Failure> {
    let bytes = fs::read(file).map_err(|error| Failure::input(file, error.to_string()))?;
    let certificate = Certificate::from_file(&bytes).map_err(|fault| Failure::input(file, fault.to_string()))?;
    let file = file.to_owned();
    Ok(Trusted { file, certificate })
}
