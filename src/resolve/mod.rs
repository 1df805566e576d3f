//! Manifest to tree: the only place that reads inputs.
//!
//! What comes out ([`Resolved`]) says everything that goes into the image and nothing about where. All faults of the manifest's
//! values are gathered and reported together; an input that fails while it is read ends the run at once.

mod base;
mod boot;
mod checksums;
mod error;
mod esp;
mod host;
pub mod loader;
mod menu;
mod parts;
mod place;
mod rules;
mod sign;
pub mod sources;
mod stale;
mod unpack;
mod walk;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::formats::iso9660::Identifiers;
use crate::ground::spool::{Decompressed, Spool};
use crate::ground::stamp::{self, Stamp};
use crate::ground::time::Timestamp;
use crate::manifest::diagnostic::{Diagnostic, Label, Report, Severity};
use crate::manifest::{self, At, DEFAULT_TIMESTAMP, Date, DiskLayout, Document};
use crate::output::{self, Target};
use crate::tree::base::Growth;
use crate::tree::contents::{BootBytes, BootImage, Contents, Esp, Slots, Tables};
use crate::tree::source::{Giver, Member, Source};
use crate::tree::{Attributes, NodeId, PayloadId, Tree};

use crate::facts::PartFacts;
use loader::assets::Store;

pub use error::ResolveError;
pub(crate) use host::{Host, SourceBytes};
pub use parts::{Parts, anew};
use sign::Signing;

/// What a run takes from its surroundings; nothing else of them can change a byte.
#[derive(Debug, Default)]
pub struct Environment {
    /// The variable `SOURCE_DATE_EPOCH`.
    pub source_date_epoch: Option<OsString>,
    /// The files after `-o`, relative to the working directory. They replace the manifest's outputs.
    pub outputs: Vec<PathBuf>,
}

/// What a manifest and its inputs come to.
#[derive(Debug)]
pub struct Resolved<C> {
    /// Everything that goes into the image.
    pub contents: C,
    /// The files that are to be written, at least one.
    pub outputs: Vec<Target>,
    /// What the user should know, by places in the manifest.
    pub report: Report,
}

/// The state of one resolution.
struct Resolution<'d> {
    document: &'d Document,
    /// The manifest's directory.
    base: PathBuf,
    tree: Tree,
    host: Host,
    timestamp: Timestamp,
    /// Attributes of directories that a path implies.
    implied: Attributes,
    /// The files to write, at least one.
    outputs: Vec<Target>,
    layout: DiskLayout,
    diagnostics: Vec<Diagnostic>,
    decompressed: Vec<Decompressed>,
    /// Lists of digests that came out of archives.
    lists: Vec<stale::List>,
    /// Firmware under which an entry does not start that would otherwise, and why.
    lacks: Vec<(manifest::Firmware, String)>,
    /// Parts of an image, by their paths in the manifest. Without them, paths are those of the host.
    parts: HashMap<String, PayloadId>,
    /// What `boot.assets` names.
    assets: Vec<Store>,
    /// Files of other people's loaders that were read.
    used: Vec<PartFacts>,
    /// Who signs. `None` until somebody asks.
    signing: Option<Option<Rc<Signing<'d>>>>,
}

/// What a manifest asks for: an image that is made, or one that is changed.
#[derive(Debug)]
pub enum Goal {
    /// A new image.
    New(Box<Resolved<Contents>>),
    /// An existing one that is changed.
    Grown(Box<Resolved<Growth>>),
}

/// Reads what the manifest names.
pub fn resolve(document: &Document, environment: &Environment) -> Result<Goal, ResolveError> {
    match &document.manifest.base {
        Some(base) => base::resolve(document, base, environment).map(|growth| Goal::Grown(Box::new(growth))),
        None => contents(document, environment).map(|contents| Goal::New(Box::new(contents))),
    }
}

/// Reads what goes into a new image.
pub fn contents(document: &Document, environment: &Environment) -> Result<Resolved<Contents>, ResolveError> {
    let manifest = &document.manifest;
    let mut resolution = Resolution::begin(document, environment)?;
    if manifest.files.is_empty() && !manifest.boots() {
        resolution.diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            message: "the image is empty: there is neither [[files]] nor [[menu]] nor a boot image in the manifest"
                .into(),
            labels: Vec::new(),
            help: None,
        });
    }
    for (index, entry) in manifest.files.iter().enumerate() {
        resolution.add_files(index as u32, entry)?;
    }
    resolution.contents()
}

/// What a profile means.
fn tables(layout: DiskLayout) -> Tables {
    let (mbr, gpt, esps): (_, &[u64], &[u32]) = match layout {
        DiskLayout::Universal => (Some(Slots::ProtectiveActive), &[512], &[512]),
        DiskLayout::MultiSector => (Some(Slots::ProtectiveActive), &[512, 4096], &[512, 4096]),
        DiskLayout::Gpt => (Some(Slots::Protective), &[512], &[512]),
        DiskLayout::Mbr => (Some(Slots::Esp), &[], &[512]),
        DiskLayout::Isohybrid => (Some(Slots::Whole), &[], &[512]),
        DiskLayout::None => (None, &[], &[512]),
    };
    let word = layout.word();
    Tables { word, mbr, gpt, esps }
}

/// `iso.timestamp`, else `SOURCE_DATE_EPOCH`, else a fixed instant.
fn timestamp(document: &Document, environment: &Environment) -> Result<Timestamp, ResolveError> {
    if let Some(timestamp) = &document.manifest.iso.timestamp {
        return match timestamp.get_ref() {
            Date::Instant(at) => Ok(*at),
            Date::Wrong(message) => Err(ResolveError::input(&document.path, message.clone())),
        };
    }
    let epoch = manifest::source_date_epoch(environment.source_date_epoch.as_deref());
    let epoch = epoch.map_err(|message| ResolveError::input(Path::new("SOURCE_DATE_EPOCH"), message))?;
    Ok(epoch.unwrap_or(DEFAULT_TIMESTAMP))
}

/// The files after `-o`, else the manifest's `output`, else its stem with `.iso`.
///
/// # Errors
/// isobuild does not write the form that a suffix names.
fn outputs(document: &Document, environment: &Environment, base: &Path) -> Result<Vec<Target>, ResolveError> {
    let manifest = &document.manifest;
    let mut paths: Vec<PathBuf> = match environment.outputs.is_empty() {
        true => manifest
            .output
            .iter()
            .map(|output| base.join(output.get_ref()))
            .collect(),
        false => environment.outputs.clone(),
    };
    if paths.is_empty() {
        let stem = document.path.file_stem().unwrap_or("image".as_ref());
        paths.push(base.join(Path::new(stem).with_added_extension("iso")));
    }
    let targets = paths.into_iter().map(|path| match manifest.file_format(&path) {
        Ok(format) => Ok(Target::of_image(path, format)),
        Err(message) => Err(ResolveError::input(&path, message)),
    });
    targets.collect()
}

fn identifiers(document: &Document, output: &Path) -> Identifiers {
    let iso = &document.manifest.iso;
    let text = |value: &Option<At<String>>| value.as_ref().map(|value| value.get_ref().clone()).unwrap_or_default();
    let volume = match &document.manifest.volume_id {
        Some(volume) => volume.get_ref().clone(),
        None => {
            let outputs = &document.manifest.output;
            let named = outputs.first().map(|text| PathBuf::from(text.get_ref()));
            let named = named.unwrap_or_else(|| match document.path.file_stem() {
                // From standard input.
                Some(stem) if stem == manifest::STANDARD_INPUT => PathBuf::from("image"),
                Some(stem) => PathBuf::from(stem).with_added_extension("iso"),
                None => output.to_path_buf(),
            });
            manifest::default_volume_id(&output::stem(&named).to_string_lossy())
        }
    };
    Identifiers {
        system: text(&iso.system_id),
        volume,
        volume_set: text(&iso.volume_set_id),
        publisher: text(&iso.publisher_id),
        preparer: text(&iso.preparer_id),
        application: text(&iso.application_id),
    }
}

/// What ISO 9660 holds if UDF alone has the tree.
const README: &[u8] = b"The files of this volume are in its UDF file system,\r\n\
    which this program or system does not read, or was not told to read.\r\n";

impl<'d> Resolution<'d> {
    /// What every resolution begins with: the time, the output, an empty tree.
    fn begin(document: &'d Document, environment: &Environment) -> Result<Self, ResolveError> {
        let manifest = &document.manifest;
        let timestamp = timestamp(document, environment)?;
        let implied = Attributes {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: timestamp,
        };
        let base = match document.path.parent() {
            Some(parent) => parent.to_path_buf(),
            None => PathBuf::new(),
        };
        let outputs = outputs(document, environment, &base)?;
        let boots = manifest.boots();
        let layout = match &manifest.disk.layout {
            Some(layout) => *layout.get_ref(),
            None if boots => DiskLayout::Universal,
            None => DiskLayout::None,
        };
        let identified = layout != DiskLayout::None || boots || manifest.iso.has_udf();
        let mut resolution = Resolution {
            document,
            base,
            tree: Tree::new(implied),
            host: Host::new(identified),
            timestamp,
            implied,
            outputs,
            layout,
            diagnostics: document.warnings.clone(),
            decompressed: Vec::new(),
            lists: Vec::new(),
            lacks: Vec::new(),
            parts: HashMap::new(),
            assets: Vec::new(),
            used: Vec::new(),
            signing: None,
        };
        for target in &resolution.outputs {
            let path = &target.path;
            let is_missing = |parent: &Path| !parent.as_os_str().is_empty() && !parent.exists();
            if let Some(help) = manifest::of_a_shell(&path.to_string_lossy())
                && path.parent().is_some_and(is_missing)
            {
                let message = format!("there is no such directory; {help}");
                return Err(ResolveError::input(path, message));
            }
            resolution.host.add_output(path);
            if resolution.host.is_output(&document.path) {
                return Err(ResolveError::input(
                    path,
                    "is the manifest itself; write the image elsewhere (`output`, or -o)",
                ));
            }
        }
        Ok(resolution)
    }

    /// The first output.
    fn output(&self) -> &Path {
        self.outputs.first().map_or(Path::new(""), |target| &target.path)
    }

    /// Adds everything but the tree, which is there already.
    fn contents(mut self) -> Result<Resolved<Contents>, ResolveError> {
        let document = self.document;
        let manifest = &document.manifest;
        self.check_unreadable()?;
        let parts = self.boot()?;
        self.check_unreadable()?;
        self.warn_of_lists();
        let list = manifest.iso.sha256sums.as_ref();
        let checksums = list.and_then(|path| self.checksums(path));
        let readme = manifest.iso.is_stub().then(|| self.readme());
        let identifiers = identifiers(document, self.output());
        let timestamp = self.timestamp;
        let layout = self.layout;
        let (resolution, report) = self.end()?;
        Ok(Resolved {
            contents: Contents {
                tree: resolution.tree,
                base: resolution.base,
                identifiers,
                timestamp,
                rock_ridge: manifest.iso.has_rock_ridge(),
                joliet: manifest.iso.has_joliet(),
                udf: manifest.iso.has_udf(),
                readme,
                implant_md5: manifest.iso.implant_md5,
                checksums,
                boot: parts.images,
                esp: parts.esp,
                boot_code: parts.boot_code,
                boot_code_patch: parts.boot_code_patch,
                menu: parts.menu,
                owner: parts.owner,
                parts: resolution.used,
                tables: tables(layout),
                warnings: report.warnings(),
                _decompressed: resolution.decompressed,
            },
            outputs: resolution.outputs,
            report,
        })
    }

    /// Gives every fault of the values at once, if there is one.
    fn end(mut self) -> Result<(Self, Report), ResolveError> {
        let report = Report {
            path: self.document.path.clone(),
            text: self.document.text.clone(),
            diagnostics: std::mem::take(&mut self.diagnostics),
        };
        if report.has_errors() {
            return Err(ResolveError::Manifest(Box::new(report)));
        }
        self.tree.shrink_to_fit();
        Ok((self, report))
    }
}

impl Resolution<'_> {
    /// Makes a payload of the spool's bytes, and keeps its file until the image is written. The plan shows `origin` as their source. An empty
    /// spool gives `None`.
    fn spooled(&mut self, spool: Spool, origin: Option<Arc<Member>>) -> Result<Option<PayloadId>, ResolveError> {
        let length = spool.end();
        let Some(held) = spool.into_file() else {
            return Ok(None);
        };
        let data = held.file().metadata();
        let data = data.map_err(|error| ResolveError::io(std::env::temp_dir(), "reading", error))?;
        let source = Source::File {
            path: Arc::from(held.path()),
            stamp: Stamp::of(&data),
            offset: 0,
            member: origin,
        };
        self.decompressed.push(held);
        self.host.sourced(&mut self.tree, source, length).map(Some)
    }

    /// The payload of that text.
    fn readme(&mut self) -> PayloadId {
        self.host.inline(&mut self.tree, README, Giver::Readme)
    }

    /// Reports a fault of a value and goes on, so that one run shows them all.
    fn error<T>(&mut self, at: &At<T>, message: impl Into<String>, label: &str) {
        self.say(Severity::Error, at, message.into(), label, None);
    }

    /// Reports an error with advice.
    fn error_with<T>(&mut self, at: &At<T>, message: impl Into<String>, label: &str, help: &str) {
        self.say(Severity::Error, at, message.into(), label, Some(help.into()));
    }

    fn warn<T>(&mut self, at: &At<T>, message: impl Into<String>, label: &str) {
        self.say(Severity::Warning, at, message.into(), label, None);
    }

    /// Warns, and says what to do.
    fn warn_with<T>(&mut self, at: &At<T>, message: String, label: &str, help: &str) {
        self.say(Severity::Warning, at, message, label, Some(help.into()));
    }

    fn say<T>(&mut self, severity: Severity, at: &At<T>, message: String, label: &str, help: Option<String>) {
        let mut diagnostic = Diagnostic::error(message, at.span(), label);
        diagnostic.severity = severity;
        diagnostic.help = help;
        // A file that several unified kernel images have is looked at for each of them.
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// A host path of the manifest, relative to it.
    fn host_path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// Ends the run when inputs could not be opened, naming the first twenty.
    fn check_unreadable(&self) -> Result<(), ResolveError> {
        self.host.check_unreadable()
    }

    /// The label of the `[[files]]` entry that put `node` into the tree.
    fn origin_label(&self, node: NodeId) -> Option<Label> {
        let origin = self.tree.node(node).origin?;
        let entry = self.document.manifest.files.get(origin as usize)?;
        Some(Label {
            span: entry.get_ref().to.span()?,
            text: "first put here".into(),
        })
    }
}

/// Bytes of a host file that are a payload, for reading parts of them.
fn open_payload(path: &Path, offset: u64, length: u64) -> Result<crate::ground::read_at::FileAt, ResolveError> {
    let file = stamp::open(path).and_then(|file| crate::ground::read_at::FileAt::part(file, offset, length));
    file.map_err(|source| ResolveError::io(path, "opening", source))
}
