//! Why an image cannot be made, written or read. The errors of the rooms are composed here, and the manifest's key is added.

use std::path::{Path, PathBuf};

use crate::ground::input_error::InputError;
use crate::ground::text::visible_path;
use crate::look::inspect::InspectError;
use crate::look::open::OpenError;
use crate::manifest::diagnostic::{Diagnostic, Report, Severity};
use crate::manifest::{At, Document, ManifestError};
use crate::output::OutputError;
use crate::plan::PlanError;
use crate::plan::grow::GrowError;
use crate::resolve::ResolveError;

/// Why an image cannot be made, written or read.
///
/// ```
/// use isobuild::{Builder, Error};
///
/// let error = Builder::new("a volume id of far more than 32 bytes").build().unwrap_err();
/// let Error::Manifest(faults) = error else { panic!("{error}") };
/// assert!(faults.iter().next().unwrap().message.contains("32"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifest is wrong, or what it names does not fit: every fault.
    #[error(transparent)]
    Manifest(Faults),
    /// An input cannot be used, or does not hold still.
    #[error(transparent)]
    Input(#[from] InputError),
    /// What goes in does not make an image: more than a format can hold.
    #[error("{}: {source}", visible_path(.path))]
    Plan {
        /// The manifest.
        path: PathBuf,
        /// Why: the error of the format.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] OutputError),
}

impl Error {
    /// A base that cannot be changed as it is wanted.
    pub(super) fn grown(error: GrowError, document: &Document) -> Self {
        let path = base_path(document);
        match error {
            GrowError::Read(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                InputError::unusable(&path, "the image is damaged: a structure of it lies behind its end").into()
            }
            GrowError::Read(error) => InputError::io(path, "reading", error).into(),
            error @ GrowError::Bug(_) => Self::Plan {
                path: document.path.clone(),
                source: Box::new(error),
            },
            error => InputError::unusable(&path, error.to_string()).into(),
        }
    }

    /// An image that cannot be planned, at the key that it is about if there is one.
    pub(super) fn planned(error: PlanError, document: &Document) -> Self {
        let uefi = document.manifest.boot.uefi.as_ref();
        let (PlanError::Fat(_), Some(uefi)) = (&error, uefi) else {
            return Self::Plan {
                path: document.path.clone(),
                source: Box::new(error),
            };
        };
        let size = uefi.get_ref().size.as_ref().and_then(At::span);
        let (span, label) = match size {
            Some(size) => (Some(size), "this size"),
            None => (uefi.span(), "this ESP"),
        };
        Self::Manifest(Faults(Box::new(Report {
            path: document.path.clone(),
            text: document.text.clone(),
            diagnostics: vec![Diagnostic::error(error.to_string(), span, label)],
        })))
    }

    /// An image that cannot be described.
    pub(crate) fn inspected(path: &Path, error: InspectError) -> Self {
        Self::Input(match error {
            InspectError::Io(source) => InputError::io(path, "reading", source),
            other => InputError::unusable(path, other.to_string()),
        })
    }

    /// An image that cannot be opened.
    pub(crate) fn opened(path: &Path, error: OpenError) -> Self {
        Self::Input(match error {
            OpenError::Hold(source) => InputError::io(std::env::temp_dir(), "decompressing to", source),
            error => InputError::unusable(path, error.to_string()),
        })
    }
}

/// The path of the base, or of the manifest if it has none.
pub(super) fn base_path(document: &Document) -> PathBuf {
    let directory = document.path.parent().unwrap_or(Path::new(""));
    match &document.manifest.base {
        Some(base) => directory.join(base.get_ref().image.get_ref()),
        None => document.path.clone(),
    }
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::Faults(report) => Self::Manifest(Faults(report)),
            ManifestError::Input(error) => Self::Input(error),
        }
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Manifest(report) => Self::Manifest(Faults(report)),
            ResolveError::Input(error) => Self::Input(error),
        }
    }
}

/// Every fault of a manifest that was found in one run, in the order of its text.
///
/// ```
/// use isobuild::{Error, Image};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("notes.toml");
/// std::fs::write(&path, "volume_id = \"NOTES\"\nvolum_id = \"NOTES\"\n").unwrap();
/// let Err(Error::Manifest(faults)) = Image::from_manifest(&path) else { panic!() };
/// let fault = faults.iter().next().unwrap();
/// let place = fault.place.unwrap();
/// assert_eq!((place.line, place.column), (2, 1));
/// assert_eq!(fault.help.as_deref(), Some("did you mean `volume_id`?"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0)]
pub struct Faults(pub(crate) Box<Report>);

impl Faults {
    /// The manifest, as it was named.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Each fault. Warnings stand only in the text of the error.
    pub fn iter(&self) -> impl Iterator<Item = Fault> {
        let all = self.0.diagnostics.iter();
        let faults = all.filter(|diagnostic| diagnostic.severity == Severity::Error);
        faults.map(|diagnostic| Fault {
            message: diagnostic.message.clone(),
            place: diagnostic.labels.first().map(|label| {
                let (line, column) = self.0.place(label.span.start);
                Place { line, column }
            }),
            help: diagnostic.help.clone(),
        })
    }
}

/// One fault.
///
/// ```
/// let error = isobuild::Builder::new("LINK").link("", "/x").build().unwrap_err();
/// let isobuild::Error::Manifest(faults) = error else { panic!("{error}") };
/// let fault = faults.iter().next().unwrap();
/// assert!(fault.message.contains("the target of a link"));
/// assert_eq!(fault.place, None, "it did not come from a text");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What is wrong, in one line.
    pub message: String,
    /// Where, if it came from a text.
    pub place: Option<Place>,
    /// What to write instead.
    pub help: Option<String>,
}

/// A place in the text of a manifest.
///
/// ```
/// let place = |fault: isobuild::Fault| fault.place.map(|place| (place.line, place.column));
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("m.toml");
/// std::fs::write(&path, "\nvolume_id = 5\n").unwrap();
/// let error = isobuild::Image::from_manifest(&path).unwrap_err();
/// let isobuild::Error::Manifest(faults) = error else { panic!("{error}") };
/// assert_eq!(faults.iter().next().and_then(place), Some((2, 13)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}
