//! `inputs.toml`: which files an example takes from which Debian packages, pinned by version and SHA-256.
//!
//! ```toml
//! [[package]]
//! name = "isolinux"
//! version = "3:6.04~git20190206.bf6db5b4+dfsg1-3"
//! files = [
//!     { path = "/usr/lib/ISOLINUX/isolinux.bin", as = "isolinux.bin", sha256 = "..." },
//! ]
//! ```
//!
//! An image is reproducible only from the same inputs, so a golden digest is compared only when every pin holds. An archive
//! moves on: with a later package the image still has to build and boot, only its digest is not comparable until
//! `cargo xtask bless` pins anew. A file without `sha256` is a test's own tool and is taken as the archive gives it.

use crate::{hash, workspace};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

/// The pins of one example, or of the tests themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// What `cargo xtask inputs` calls it: the example's name, or `qemu-tests`.
    pub name: String,
    /// The file with the pins.
    pub pins: PathBuf,
    /// Where the files go; git ignores it.
    pub dir: PathBuf,
    /// The packages, in the order of the file.
    pub packages: Vec<Package>,
    /// What is packed of files that are there.
    pub packed: Vec<Packed>,
    /// Boot images in place of those that only somebody else may give away.
    pub stand_ins: Vec<StandIn>,
    /// What is built of all these.
    pub built: Vec<Built>,
}

/// One Debian package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The name by which the archive knows it.
    pub name: String,
    /// The version the digests belong to; a package of unpinned files has none.
    pub version: Option<String>,
    /// Another processor's, as Debian calls it: `arm64`.
    pub architecture: Option<String>,
    /// The package is empty and depends on the one that is meant, whose name carries a version: Debian's kernels.
    #[serde(default)]
    pub meta: bool,
    /// What is taken out of it.
    pub files: Vec<PinnedFile>,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// Its path in the package. `*` stands for a part of a name, and one file only may match. `.` is the package itself.
    pub path: String,
    /// Its name in the inputs' directory.
    #[serde(rename = "as")]
    pub name: String,
    /// Its digest, in lower-case hexadecimal.
    pub sha256: Option<String>,
}

impl PinnedFile {
    /// Whether it is the package itself, not a file of it.
    pub fn is_package(&self) -> bool {
        self.path == "."
    }
}

/// How the files on the host compare with the pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All are there with the pinned digests.
    Pinned,
    /// All are there, but these are of another version.
    Differ(Vec<String>),
    /// These are not there.
    Missing(Vec<String>),
}

/// A first root file system, packed from files that are there already.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packed {
    /// Its name in the inputs' directory.
    #[serde(rename = "as")]
    pub name: String,
    /// What is in it.
    pub files: Vec<Member>,
}

/// A file of a first root file system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its path, from the directory of `inputs.toml`.
    pub from: PathBuf,
    /// Its path in the archive.
    pub to: String,
}

/// A BIOS boot image that says a text: see [`crate::stand_in::bios`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandIn {
    /// Its name in the inputs' directory.
    #[serde(rename = "as")]
    pub name: String,
    /// Virtual sectors of 512 bytes.
    pub sectors: usize,
    /// What it says.
    pub says: String,
}

/// An image that goes into another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built {
    /// Its name in the inputs' directory.
    #[serde(rename = "as")]
    pub name: String,
    /// Its manifest, from the directory of `inputs.toml`.
    pub manifest: PathBuf,
    /// The one partition of it that is taken, by its number.
    pub partition: Option<u32>,
    /// A file that was not made here stays: somebody has put his own there.
    #[serde(default)]
    pub keep: bool,
}

/// An `inputs.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `[[package]]`
    #[serde(default)]
    pub package: Vec<Package>,
    /// `[[initramfs]]`
    #[serde(default)]
    pub initramfs: Vec<Packed>,
    /// `[[stand_in]]`
    #[serde(default)]
    pub stand_in: Vec<StandIn>,
    /// `[[image]]`
    #[serde(default)]
    pub image: Vec<Built>,
}

/// The pins of an example, or of `qemu-tests`. An example without `inputs.toml` needs nothing.
pub fn load(name: &str) -> Result<Inputs, String> {
    let (home, dir) = if name == "qemu-tests" {
        (
            workspace::root().join("qemu-tests"),
            workspace::target().join("qemu-tests/inputs"),
        )
    } else {
        let home = workspace::root().join("examples").join(name);
        (home.clone(), home.join("inputs"))
    };
    if !home.is_dir() {
        return Err(format!("there is no example {name:?}"));
    }
    let pins = home.join("inputs.toml");
    let mut document = Document::default();
    if pins.is_file() {
        let text = std::fs::read_to_string(&pins).map_err(|e| format!("{}: {e}", pins.display()))?;
        document = parse(&text).map_err(|e| format!("{}: {e}", pins.display()))?;
    }
    Ok(Inputs {
        name: name.to_owned(),
        pins,
        dir,
        packages: document.package,
        packed: document.initramfs,
        stand_ins: document.stand_in,
        built: document.image,
    })
}

/// What stands in an `inputs.toml`.
pub fn parse(text: &str) -> Result<Document, String> {
    toml::from_str(text).map_err(|e| e.to_string())
}

/// The SHA-256 of a file, found once as long as length and time stay: every group of tests asks.
fn digest(path: &Path) -> Result<String, String> {
    type Known = HashMap<(PathBuf, u64, SystemTime), String>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let of = |error: std::io::Error| format!("{}: {error}", path.display());
    let metadata = path.metadata().map_err(of)?;
    let key = (path.to_owned(), metadata.len(), metadata.modified().map_err(of)?);
    let mut known = KNOWN.lock().map_err(|error| error.to_string())?;
    let known = known.get_or_insert_default();
    if let Some(digest) = known.get(&key) {
        return Ok(digest.clone());
    }
    let digest = hash::file(path)?;
    known.insert(key, digest.clone());
    Ok(digest)
}

impl Inputs {
    /// Every file with the package it comes from.
    pub fn files(&self) -> impl Iterator<Item = (&Package, &PinnedFile)> {
        self.packages.iter().flat_map(|p| p.files.iter().map(move |f| (p, f)))
    }

    /// Reads the files on the host and compares them with the pins. What is made of them has to be there too.
    pub fn state(&self) -> Result<State, String> {
        let made = self.packed.iter().map(|packed| &packed.name);
        let made = made.chain(self.stand_ins.iter().map(|made| &made.name));
        let made = made.chain(self.built.iter().map(|built| &built.name));
        let missing: Vec<String> = made.filter(|name| !self.dir.join(name).is_file()).cloned().collect();
        Ok(match (missing.is_empty(), self.fetched()?) {
            (false, State::Pinned | State::Differ(_)) => State::Missing(missing),
            (_, fetched) => fetched,
        })
    }

    /// The same of what comes from packages alone.
    pub fn fetched(&self) -> Result<State, String> {
        let (mut missing, mut differ) = (Vec::new(), Vec::new());
        for (_, file) in self.files() {
            let path = self.dir.join(&file.name);
            if !path.is_file() {
                missing.push(file.name.clone());
            } else if let Some(pin) = &file.sha256
                && digest(&path)? != *pin
            {
                differ.push(file.name.clone());
            }
        }
        Ok(match (missing.is_empty(), differ.is_empty()) {
            (false, _) => State::Missing(missing),
            (true, false) => State::Differ(differ),
            (true, true) => State::Pinned,
        })
    }

    /// The path of one input, or the sentence that says how to get it.
    pub fn file(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.dir.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(format!(
            "{} is missing (cargo xtask inputs {})",
            path.display(),
            self.name
        ))
    }
}
