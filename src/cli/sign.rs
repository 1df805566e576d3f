//! `isobuild sign`

use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::secure_boot;
use crate::formats::authenticode::{Certificate, SigningKey};
use crate::ground::text;
use crate::ground::text::visible_path;
use crate::output;
use clap::Args;

use super::{Failure, interrupt, print};

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// An EFI program. The signatures that it has stay.
    input: PathBuf,
    /// Where the signed program goes; it may be the same file.
    output: PathBuf,
    /// The RSA key, in PEM or DER (PKCS #8 or PKCS #1), not encrypted.
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// Its certificate, in PEM or DER.
    #[arg(long = "cert", value_name = "CERT")]
    certificate: PathBuf,
}

pub(super) fn run(arguments: &Sign) -> Result<(), Failure> {
    let read = |path: &Path| fs::read(path).map_err(|error| Failure::input(path, error.to_string()));
    let certificate = Certificate::from_file(&read(&arguments.certificate)?)
        .map_err(|fault| Failure::input(&arguments.certificate, fault.to_string()))?;
    let name = certificate.name();
    let key = SigningKey::new(&read(&arguments.key)?, certificate)
        .map_err(|fault| Failure::input(&arguments.key, fault.to_string()))?;
    let input = &arguments.input;
    let signed = secure_boot::sign(read(input)?, &key).map_err(|fault| Failure::input(input, fault))?;
    output::write_file(&arguments.output, &signed, &interrupt()?)?;
    print(&format!(
        "{}: signed with the certificate {}\n",
        visible_path(&arguments.output),
        text::visible(name.as_bytes())
    ))
}
