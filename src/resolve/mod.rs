//! Manifest to tree: the only place that reads inputs.
//!
//! What comes out ([`Resolved`]) says everything that goes into the image and nothing about where. All faults of the manifest's
//! values are gathered and reported together; an input that fails while it is read ends the run at once.

mod boot;
mod checksums;
mod esp;
mod host;
pub mod loader;
mod menu;
mod place;
mod rules;
mod sign;
mod stale;
mod unpack;
mod walk;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::facts::{Extent, LoaderFacts, MenuFacts, MenuProgram};
use crate::formats::archive::Decompressed;
use crate::formats::authenticode::Certificate;
use crate::formats::el_torito::{Emulation, Platform};
use crate::formats::fat;
use crate::formats::iso9660::Identifiers;
use crate::ground::time::Timestamp;
use crate::manifest::diagnostic::{Diagnostic, Label, Report, Severity};
use crate::manifest::error::Error;
use crate::manifest::{self, DEFAULT_TIMESTAMP, DiskLayout, Document, Spanned};
use crate::tree::source;
use crate::tree::{Attributes, NodeId, Patch, PayloadId, Tree};

pub use checksums::Checksums;

pub(crate) use esp::in_second_esp;
pub(crate) use host::Host;

/// What a run takes from its surroundings; nothing else of them can change a byte.
#[derive(Debug, Default)]
pub struct Environment {
    /// The variable `SOURCE_DATE_EPOCH`.
    pub source_date_epoch: Option<OsString>,
    /// `-o`, relative to the working directory.
    pub output: Option<PathBuf>,
}

/// Everything that goes into an image.
#[derive(Debug)]
pub struct Resolved {
    /// The ISO 9660 tree, and the payloads of all formats.
    pub tree: Tree,
    /// The manifest's directory, which host paths are relative to.
    pub base: PathBuf,
    /// Where the image is to be written.
    pub output: PathBuf,
    /// Identifiers of the volume.
    pub identifiers: Identifiers,
    /// Every date that no input brings along.
    pub timestamp: Timestamp,
    /// Whether the primary hierarchy has Rock Ridge.
    pub rock_ridge: bool,
    /// Whether there is a Joliet hierarchy.
    pub joliet: bool,
    /// Whether the sum of the image is implanted in it.
    pub implant_md5: bool,
    /// The list of the tree's files and their digests.
    pub checksums: Option<Checksums>,
    /// Entries of the boot catalog, the default one first.
    pub boot: Vec<BootImage>,
    /// The ESP.
    pub esp: Option<Esp>,
    /// The boot code of the MBR.
    pub boot_code: Option<[u8; 440]>,
    /// What is patched into the boot code: the address of the first boot image.
    pub boot_code_patch: Option<Patch>,
    /// What the built-in loader shows under each firmware.
    pub menu: Vec<MenuFacts>,
    /// What the menu starts, if Secure Boot could start the loader.
    pub menu_programs: Vec<MenuProgram>,
    /// Whose certificate the loader is signed with.
    pub owner: Option<Certificate>,
    /// The profile of partition tables.
    pub layout: DiskLayout,
    /// What the user should know.
    pub report: Report,
    /// The files to which archives were decompressed, which payloads come from. They are there while this is.
    pub decompressed: Vec<Decompressed>,
}

/// An entry of the boot catalog.
#[derive(Debug)]
pub struct BootImage {
    /// Who starts it.
    pub platform: Platform,
    /// How it is presented.
    pub emulation: Emulation,
    /// 0 stands for 0x7C0.
    pub load_segment: u16,
    /// The partition type of a hard-disk image.
    pub system_type: u8,
    /// 512-byte virtual sectors to load.
    pub sectors: u16,
    /// Of a hard-disk image: the end of its one partition.
    pub disk_length: Option<u64>,
    /// The byte behind the last of the image that is not zero.
    pub end: u64,
    /// The bytes.
    pub image: BootBytes,
}

/// Where the bytes of a boot image are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootBytes {
    /// A payload, with a name in the tree or without one.
    Payload(PayloadId),
    /// The whole ESP.
    Esp,
}

/// The EFI system partition.
#[derive(Debug)]
pub enum Esp {
    /// Made of these files: path and payload, sorted by path.
    Files {
        /// Components in the FAT, and the payload.
        files: Vec<(Vec<String>, PayloadId)>,
        /// In bytes; none for what the files need and a little.
        size: Option<u64>,
        /// What firmware would start.
        loaders: Vec<LoaderFacts>,
    },
    /// A ready FAT volume.
    Image {
        /// The volume's bytes.
        payload: PayloadId,
        /// What its own index says.
        contents: Box<fat::Contents>,
        /// Its extents relative to its first byte.
        extents: Vec<Extent>,
        /// What firmware would start.
        loaders: Vec<LoaderFacts>,
    },
}

impl Esp {
    /// The programs that firmware or shim would start.
    pub fn loaders(&self) -> &[LoaderFacts] {
        match self {
            Self::Files { loaders, .. } | Self::Image { loaders, .. } => loaders,
        }
    }
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
    /// Where each `[[files]]` entry says `to`, for labels.
    output: PathBuf,
    layout: DiskLayout,
    diagnostics: Vec<Diagnostic>,
    decompressed: Vec<Decompressed>,
    /// Lists of digests that came out of archives.
    lists: Vec<stale::List>,
    /// Firmware under which an entry does not start that would otherwise, and why.
    lacks: Vec<(manifest::Firmware, String)>,
}

/// Reads what the manifest names.
pub fn resolve(document: &Document, environment: &Environment) -> Result<Resolved, Error> {
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
    let output = output(document, environment, &base);
    let boots = manifest.boots();
    let layout = match &manifest.disk.layout {
        Some(layout) => *layout.get_ref(),
        None if boots => DiskLayout::Universal,
        None => DiskLayout::None,
    };
    let identified = layout != DiskLayout::None || boots;
    let mut resolution = Resolution {
        document,
        base,
        tree: Tree::new(implied),
        host: Host::new(identified),
        timestamp,
        implied,
        output,
        layout,
        diagnostics: document.warnings.clone(),
        decompressed: Vec::new(),
        lists: Vec::new(),
        lacks: Vec::new(),
    };
    resolution.host.set_output(&resolution.output);
    if let Some(help) = manifest::of_a_shell(&resolution.output.to_string_lossy())
        && resolution
            .output
            .parent()
            .is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.exists())
    {
        return Err(Error::input(
            &resolution.output,
            format!("there is no such directory; {help}"),
        ));
    }
    if manifest.files.is_empty() && !manifest.boots() {
        resolution.diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            message: "the image is empty: there is neither [[files]] nor [[menu]] nor a boot image in the manifest"
                .into(),
            labels: Vec::new(),
            help: None,
        });
    }
    if resolution.host.is_output(&document.path) {
        return Err(Error::input(
            &resolution.output,
            "is the manifest itself; write the image elsewhere (`output`, or -o)",
        ));
    }
    for (index, entry) in manifest.files.iter().enumerate() {
        resolution.add_files(index as u32, entry)?;
    }
    resolution.check_unreadable()?;
    let parts = resolution.boot()?;
    resolution.check_unreadable()?;
    resolution.warn_of_lists();
    let list = manifest.iso.sha256sums.as_ref();
    let checksums = list.and_then(|path| resolution.checksums(path));
    let identifiers = identifiers(document, &resolution.output);
    let report = Report {
        path: document.path.clone(),
        text: document.text.clone(),
        diagnostics: resolution.diagnostics,
    };
    if report.has_errors() {
        return Err(Error::Manifest(Box::new(report)));
    }
    resolution.tree.shrink_to_fit();
    Ok(Resolved {
        tree: resolution.tree,
        base: resolution.base,
        output: resolution.output,
        identifiers,
        timestamp,
        rock_ridge: manifest.iso.rock_ridge,
        joliet: manifest.iso.joliet,
        implant_md5: manifest.iso.implant_md5,
        checksums,
        boot: parts.images,
        esp: parts.esp,
        boot_code: parts.boot_code,
        boot_code_patch: parts.boot_code_patch,
        menu: parts.menu,
        menu_programs: parts.menu_programs,
        owner: parts.owner,
        layout,
        report,
        decompressed: resolution.decompressed,
    })
}

/// `iso.timestamp`, else `SOURCE_DATE_EPOCH`, else a fixed instant.
fn timestamp(document: &Document, environment: &Environment) -> Result<Timestamp, Error> {
    if let Some(timestamp) = &document.manifest.iso.timestamp {
        return manifest::timestamp(timestamp.get_ref()).map_err(|message| Error::input(&document.path, message));
    }
    let epoch = manifest::source_date_epoch(environment.source_date_epoch.as_deref());
    let epoch = epoch.map_err(|message| Error::input(Path::new("SOURCE_DATE_EPOCH"), message))?;
    Ok(epoch.unwrap_or(DEFAULT_TIMESTAMP))
}

/// `-o`, else the manifest's `output`, else its stem and `.iso` beside it.
fn output(document: &Document, environment: &Environment, base: &Path) -> PathBuf {
    if let Some(output) = &environment.output {
        return output.clone();
    }
    match &document.manifest.output {
        Some(output) => base.join(output.get_ref()),
        None => {
            let mut name = document.path.file_stem().unwrap_or("image".as_ref()).to_os_string();
            name.push(".iso");
            base.join(name)
        }
    }
}

fn identifiers(document: &Document, output: &Path) -> Identifiers {
    let iso = &document.manifest.iso;
    let text =
        |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.get_ref().clone()).unwrap_or_default();
    let volume = match &document.manifest.volume_id {
        Some(volume) => volume.get_ref().clone(),
        None => {
            let named = document
                .manifest
                .output
                .as_ref()
                .map(|text| PathBuf::from(text.get_ref()));
            let named = named.unwrap_or_else(|| match document.path.file_stem() {
                // From standard input.
                Some(stem) if stem == manifest::STANDARD_INPUT => PathBuf::from("image"),
                Some(stem) => PathBuf::from(stem).with_added_extension("iso"),
                None => output.to_path_buf(),
            });
            let stem = named.file_stem().unwrap_or_default();
            manifest::default_volume_id(&stem.to_string_lossy())
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

impl Resolution<'_> {
    /// Reports a fault of a value and goes on, so that one run shows them all.
    fn error<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, label: &str) {
        self.say(Severity::Error, at, message.into(), label, None);
    }

    /// Reports an error with advice.
    fn error_with<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, label: &str, help: &str) {
        self.say(Severity::Error, at, message.into(), label, Some(help.into()));
    }

    fn warn<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, label: &str) {
        self.say(Severity::Warning, at, message.into(), label, None);
    }

    /// Warns, and says what to do.
    fn warn_with<T>(&mut self, at: &Spanned<T>, message: String, label: &str, help: &str) {
        self.say(Severity::Warning, at, message, label, Some(help.into()));
    }

    fn say<T>(&mut self, severity: Severity, at: &Spanned<T>, message: String, label: &str, help: Option<String>) {
        self.diagnostics.push(Diagnostic {
            severity,
            message,
            labels: vec![Label {
                span: at.span(),
                text: label.into(),
            }],
            help,
        });
    }

    /// A host path of the manifest, relative to it.
    fn host_path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// Ends the run when inputs could not be opened, naming the first twenty.
    fn check_unreadable(&self) -> Result<(), Error> {
        self.host.check_unreadable()
    }

    /// The label of the `[[files]]` entry that put `node` into the tree.
    fn origin_label(&self, node: NodeId) -> Option<Label> {
        let origin = self.tree.node(node).origin?;
        let entry = self.document.manifest.files.get(origin as usize)?;
        Some(Label {
            span: entry.get_ref().to.span(),
            text: "first put here".into(),
        })
    }
}

/// Bytes of a host file that are a payload, for reading parts of them.
fn open_payload(path: &Path, offset: u64, length: u64) -> Result<crate::ground::read_at::FileAt, Error> {
    let file = source::open(path).and_then(|file| crate::ground::read_at::FileAt::part(file, offset, length));
    file.map_err(|source| Error::Io {
        path: path.into(),
        action: "opening",
        source,
    })
}
