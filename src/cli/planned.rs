//! An image that cannot be planned, as an error of the manifest.

use crate::manifest::diagnostic::{Diagnostic, Report};
use crate::manifest::error::Error;
use crate::manifest::{At, Document};
use crate::plan::PlanError;

/// As the error of a run over `document`, at the key that it is about if there is one.
pub(super) fn planned(error: PlanError, document: &Document) -> Error {
    let uefi = document.manifest.boot.uefi.as_ref();
    let (PlanError::Fat(_), Some(uefi)) = (&error, uefi) else {
        return Error::input(&document.path, error.to_string());
    };
    let size = uefi.get_ref().size.as_ref().and_then(At::span);
    let (span, label) = match size {
        Some(size) => (Some(size), "this size"),
        None => (uefi.span(), "this ESP"),
    };
    Error::Manifest(Box::new(Report {
        path: document.path.clone(),
        text: document.text.clone(),
        diagnostics: vec![Diagnostic::error(error.to_string(), span, label)],
    }))
}
