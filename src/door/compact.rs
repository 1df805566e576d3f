//! `base.compact`: a base with its changes, laid out anew.
//!
//! The base is changed in place first, but not written. `look::import` makes a manifest and parts of the result, and these make the image.

mod lost;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use super::Error;
use super::error::base_path;
use super::planned::{Bytes, Planned};
use crate::ground::input_error::InputError;
use crate::ground::read_at::Shared;
use crate::ground::text;
use crate::look::contents::ContentsError;
use crate::look::import::{self, BOOT, Choice, ESP, Import};
use crate::look::inspect;
use crate::manifest::diagnostic::Severity;
use crate::manifest::{self, Document};
use crate::plan::grow::Grown;
use crate::plan::{self, Late};
use crate::resolve::{self, Environment, Parts, ResolveError};
use crate::tree::source::Composed;

/// Plans an image with the contents of `grown` in a new layout.
///
/// # Errors
/// The contents do not fit into a new image, or the new image would not boot in a cell in which `grown` does.
pub(super) fn compact(grown: Grown, document: &Document, environment: &Environment) -> Result<Planned, Error> {
    let path = base_path(document);
    let grown = Arc::new(grown);
    let image = Shared::new(Bytes::of(grown.clone())?);
    let import = taken_apart(&image, &path)?;
    let mut again = manifest::parse(&document.path, &import.manifest).map_err(|error| failed(&path, error))?;
    again.manifest.iso.implant_md5 |= grown.wants_media_md5();
    let mut missing = import.left_out.clone();
    let catalog = import.catalog.iter();
    missing.extend(catalog.map(|name| format!("the name {} for its boot catalog", text::visible(name))));
    let composed = Composed {
        image: image.clone(),
        stretches: grown.stretches(),
    };
    let resolved = resolve::anew(&again, environment, parts(import, composed), &path);
    let mut resolved = resolved.map_err(|error| refused(&path, error))?;
    // `Planned` has them all.
    resolved.contents.warnings = Vec::new();
    let mut warnings = grown.warnings_of_changes();
    warnings.extend(resolved.report.warnings());
    let plan = plan::plan(resolved.contents).map_err(|error| failed(&path, error))?;
    let after = plan.brief(&Late::default()).map_err(|error| failed(&path, error))?;
    let before = inspect::inspect(&image).map_err(|error| Error::inspected(&path, error))?;
    if let Some(why) = lost::cell(&before, &after) {
        return Err(failed(&path, why));
    }
    let structures = lost::structures(&image, &before, &after);
    missing.extend(structures.map_err(|source| InputError::io(&path, "reading", source))?);
    let missing = missing.iter();
    warnings.extend(missing.map(|what| format!("the image is laid out anew, and no longer has {what}")));
    warnings.extend(plan.warnings());
    Ok(Planned::Compact {
        plan: Box::new(plan),
        warnings,
        _grown: grown,
    })
}

fn failed(path: &Path, message: impl Display) -> Error {
    InputError::unusable(path, format!("cannot be laid out anew: {message}")).into()
}

/// An error about the manifest of the parts, which the user has not written: its messages without their places.
fn refused(path: &Path, error: ResolveError) -> Error {
    let ResolveError::Manifest(report) = error else {
        return error.into();
    };
    let errors = report.diagnostics.iter();
    let errors = errors.filter(|diagnostic| diagnostic.severity == Severity::Error);
    let messages: Vec<&str> = errors.map(|diagnostic| diagnostic.message.as_str()).collect();
    failed(path, messages.join("; "))
}

fn taken_apart(image: &Shared, path: &Path) -> Result<Import, Error> {
    let choice = Choice {
        says_esp_size: false,
        has_owners: true,
    };
    import::import(image, "image.iso", choice).map_err(|error| match error {
        ContentsError::Image(error) => Error::inspected(path, error),
        error => failed(path, error),
    })
}

/// The parts by the paths that the manifest has for them.
fn parts(import: Import, image: Composed) -> Parts {
    let of_esp = import.esp.into_iter();
    let beside = import.boot.into_iter();
    Parts {
        image,
        tree: import.items,
        files: of_esp
            .map(|item| (format!("{ESP}{}", text::lossless(&item.path)), item))
            .collect(),
        bytes: beside.map(|(name, range)| (format!("{BOOT}/{name}"), range)).collect(),
    }
}
