//! What of other people's programs the host has, for `doctor`.

use serde::Serialize;

use super::packages::{self, Packages};

/// A program or file of the host, or what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// A program's name, a firmware's as in cells, a loader's, or `accelerator`.
    pub name: String,
    /// Where it is.
    pub path: Option<String>,
    /// As the program or its package says it.
    pub version: Option<String>,
    /// The package that has it on this host's distribution.
    pub package: Option<&'static str>,
    /// Whose signatures an EFI program has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
    /// What is missing and which package has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl Installed {
    /// One that is there, or a sentence about why not.
    pub(crate) fn new(name: &str, packages: &Packages, found: Result<String, String>) -> Self {
        let (path, missing) = match found {
            Ok(path) => (Some(path), None),
            Err(missing) => (None, Some(missing)),
        };
        Self {
            name: name.to_owned(),
            path,
            package: packages::of_this_host(packages),
            missing,
            ..Self::default()
        }
    }
}
