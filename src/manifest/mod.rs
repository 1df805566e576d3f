//! The manifest: TOML to checked values, each of which keeps its place in the text.
//!
//! | file | knows |
//! |---|---|
//! | `types` | what a manifest may say |
//! | `keys` | every key there is, those of later versions included; suggestions for the others |
//! | `parse` | text to types, with every fault of one run |
//! | `validate` | what a type cannot say: lengths, ranges, keys that exclude each other |
//! | `trial` | what `isobuild test` boots and expects |
//! | `pattern` | regular expressions |
//! | `values` | paths, sizes and dates out of strings |

mod at;
pub mod diagnostic;
mod error;
mod keys;
mod parse;
mod pattern;
mod reference;
mod trial;
mod types;
mod validate;
mod values;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ground::input_error::InputError;
use diagnostic::{Diagnostic, Report, Severity};

pub use at::At;
pub use error::ManifestError;
#[cfg(feature = "inside")]
pub use pattern::Pattern;
pub use pattern::expression;
pub use reference::Reference;
pub use trial::{Expectations, Hardware, Step, Test, Typed, disk, memory};
pub use types::*;
pub use values::{
    DEFAULT_TIMESTAMP, Date, default_volume_id, esp_path, image_path, of_a_shell, parse_size, source_date_epoch,
};

/// A manifest is written by hand or by a script; a longer one is another file given by mistake.
const LONGEST: u64 = 64 << 20;

/// The manifest comes from standard input; its paths are relative to the working directory.
pub const STANDARD_INPUT: &str = "-";

/// Errors of one run that are shown.
const SHOWN: usize = 20;

/// A manifest that has passed every check that its text alone allows.
#[derive(Debug)]
pub struct Document {
    /// As the user named it.
    pub path: PathBuf,
    /// Its text.
    pub text: Arc<str>,
    /// What it says.
    pub manifest: Manifest,
    /// What its image has to show when it boots.
    pub expectations: Expectations,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

/// Reads and checks the manifest at `path`.
///
/// # Errors
/// [`ManifestError::Input`] if the file cannot be read or is not text, else [`ManifestError::Faults`] with every fault.
pub fn load(path: &Path) -> Result<Document, ManifestError> {
    let text = read(path)?;
    parse(path, &text)
}

/// Checks the text of a manifest; `path` is only named.
///
/// # Errors
/// Every fault at once, in the order of the text.
pub fn parse(path: &Path, text: &str) -> Result<Document, ManifestError> {
    // Editors on Windows end lines with CR LF. A script in a multi-line string would not start with the CR.
    let text: Arc<str> = Arc::from(text.replace("\r\n", "\n"));
    let (manifest, diagnostics) = parse::parse(&text);
    checked(path, text, manifest, diagnostics)
}

impl Document {
    /// Checks a manifest that code has made; the `name` stands in errors for that of a file.
    ///
    /// # Errors
    /// Every fault at once.
    pub(crate) fn of(manifest: Manifest, name: &Path) -> Result<Self, ManifestError> {
        checked(name, Arc::from(""), Some(manifest), Vec::new())
    }
}

fn checked(
    path: &Path,
    text: Arc<str>,
    manifest: Option<Manifest>,
    mut diagnostics: Vec<Diagnostic>,
) -> Result<Document, ManifestError> {
    let mut expectations = Expectations::default();
    if let Some(manifest) = &manifest {
        diagnostics.extend(validate::check(manifest, &text));
        let (meant, faults) = manifest.test.expectations();
        expectations = meant;
        diagnostics.extend(faults);
    }
    diagnostics.sort_by_key(Diagnostic::offset);
    let (errors, warnings): (Vec<_>, Vec<_>) = diagnostics
        .into_iter()
        .partition(|diagnostic| diagnostic.severity == Severity::Error);
    match manifest {
        Some(manifest) if errors.is_empty() => Ok(Document {
            path: path.into(),
            text,
            manifest,
            expectations,
            warnings,
        }),
        _ => Err(ManifestError::Faults(Box::new(Report {
            path: path.into(),
            text,
            diagnostics: capped(errors),
        }))),
    }
}

/// Twenty faults are enough to mend at a time.
fn capped(mut errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if errors.len() > SHOWN {
        let message = format!("and {} more errors", errors.len() - SHOWN);
        errors.truncate(SHOWN);
        errors.push(Diagnostic {
            severity: Severity::Error,
            message,
            labels: Vec::new(),
            help: None,
        });
    }
    errors
}

fn unreadable(path: &Path, message: impl Into<String>) -> ManifestError {
    InputError::unusable(path, message).into()
}

fn read(path: &Path) -> Result<String, ManifestError> {
    let unusable = |error: std::io::Error| unreadable(path, error.to_string());
    if path == Path::new(STANDARD_INPUT) {
        return text_of(path, std::io::stdin().lock());
    }
    let data = fs::metadata(path).map_err(unusable)?;
    if !data.is_file() {
        let what = if data.is_dir() {
            "a directory"
        } else {
            "not a regular file"
        };
        return Err(unreadable(
            path,
            format!("a manifest is a TOML file, and this is {what}"),
        ));
    }
    text_of(path, fs::File::open(path).map_err(unusable)?)
}

fn text_of(path: &Path, file: impl Read) -> Result<String, ManifestError> {
    let unusable = |error: std::io::Error| unreadable(path, error.to_string());
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unusable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(unreadable(
            path,
            format!("has more than {LONGEST} bytes, which no manifest needs"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        unreadable(path, format!("a manifest is UTF-8, and byte {at} is not"))
    })
}
