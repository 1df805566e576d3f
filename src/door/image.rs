//! An image that is planned: every address decided, nothing written.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::compact::compact;
use super::planned::Planned;
use super::{Error, Facts};
use crate::facts::Description;
use crate::formats::iso9660;
use crate::ground::input_error::InputError;
use crate::ground::stamp::Stamp;
use crate::manifest::diagnostic::Report;
use crate::manifest::{self, Document};
use crate::output::{self, BoxedError, Interrupt, OutputError, Piece, Target, Wanted, Written, WrittenFile};
use crate::plan::{self, Late, grow};
use crate::resolve::{self, Environment, Goal};
use crate::tree::source::Source;

/// An image that is planned: every address is decided, and nothing is written. It says everything of itself that the finished image will.
///
/// ```
/// use isobuild::{Builder, Cell, Firmware, Medium};
///
/// let image = Builder::new("NOTES").bytes("hello\n", "/hello.txt").build()?;
/// let mut bytes = Vec::new();
/// image.write_to(&mut bytes)?;
/// assert_eq!(bytes.len() as u64, image.size());
/// assert_eq!(&bytes[32_769..32_774], b"CD001");
/// # Ok::<(), isobuild::Error>(())
/// ```
pub struct Image {
    document: Document,
    plan: Planned,
    outputs: Vec<Target>,
    report: Report,
}

/// The plan is left out: it has a line for every piece.
impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("manifest", &self.document.path)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Image {
    /// The image of a manifest. Paths in it are relative to it. The variable `SOURCE_DATE_EPOCH` is the time that a manifest without one has.
    ///
    /// # Errors
    /// Every fault of the manifest at once, or the first input that cannot be used.
    ///
    /// ```
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("notes.toml");
    /// std::fs::write(&path, "volume_id = \"NOTES\"\n[[files]]\ntext = \"hello\"\nto = \"/hello.txt\"\n").unwrap();
    /// let image = isobuild::Image::from_manifest(&path)?;
    /// assert_eq!(image.facts()?.volume_id(), "NOTES");
    /// # Ok::<(), isobuild::Error>(())
    /// ```
    pub fn from_manifest(path: impl AsRef<Path>) -> Result<Self, Error> {
        let environment = Environment {
            source_date_epoch: std::env::var_os("SOURCE_DATE_EPOCH"),
            outputs: Vec::new(),
        };
        Self::of(manifest::load(path.as_ref())?, &environment)
    }

    /// Reads what a manifest names, and plans.
    pub(crate) fn of(document: Document, environment: &Environment) -> Result<Self, Error> {
        let (plan, outputs, report) = match resolve::resolve(&document, environment)? {
            Goal::New(resolved) => {
                let plan = plan::plan(resolved.contents);
                let plan = plan.map_err(|error| Error::planned(error, &document))?;
                (Planned::New(Box::new(plan)), resolved.outputs, resolved.report)
            }
            Goal::Grown(resolved) => {
                let grown = grow::grow(resolved.contents);
                let grown = grown.map_err(|error| Error::grown(error, &document))?;
                let plan = match document.manifest.is_compact() {
                    true => compact(grown, &document, environment)?,
                    false => Planned::Grown(Box::new(grown)),
                };
                (plan, resolved.outputs, resolved.report)
            }
        };
        Ok(Self {
            document,
            plan,
            outputs,
            report,
        })
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.plan.size()
    }

    /// What a reader will find in the image, except a sum of its own bytes (`iso.implant_md5`), which is not known yet.
    ///
    /// # Errors
    /// [`Error::Plan`] names a fault of this crate.
    ///
    /// ```
    /// use isobuild::{Builder, Menu};
    ///
    /// let image = Builder::new("MENU").menu(Menu::reboot()).build()?;
    /// let facts = image.facts()?;
    /// assert!(facts.boots("uefi-usb".parse().unwrap()));
    /// # Ok::<(), isobuild::Error>(())
    /// ```
    pub fn facts(&self) -> Result<Facts, Error> {
        self.describe(&Late::default()).map(Facts)
    }

    /// What a person should know before using the image.
    ///
    /// ```
    /// let image = isobuild::Builder::new("EMPTY").build()?;
    /// assert!(image.warnings()[0].contains("the image is empty"));
    /// # Ok::<(), isobuild::Error>(())
    /// ```
    pub fn warnings(&self) -> Vec<String> {
        self.plan.warnings()
    }

    /// Writes the bytes of the image to a file, which is at any instant absent, old or complete. `progress` learns how many of how many bytes are done;
    /// what the image says of its own bytes takes a pass over them before, each of which begins at 0.
    ///
    /// # Errors
    /// [`Error::Write`], also if an input has changed since.
    ///
    /// ```
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("notes.iso");
    /// let image = isobuild::Builder::new("NOTES").bytes("hello\n", "/hello.txt").build()?;
    /// image.write_file(&path, |_done, _total| {})?;
    /// assert_eq!(isobuild::inspect(&path)?.size(), image.size());
    /// # Ok::<(), isobuild::Error>(())
    /// ```
    pub fn write_file(&self, path: impl AsRef<Path>, mut progress: impl FnMut(u64, u64) + Send) -> Result<(), Error> {
        let targets = [Target::raw(path.as_ref())];
        self.write(&targets, Wanted::default(), &mut progress, &Interrupt::default())?;
        Ok(())
    }

    /// Writes the image to anything, from the first byte to the last.
    ///
    /// # Errors
    /// [`InputError::Io`] is the writer's; others are those of [`write_file`](Self::write_file).
    pub fn write_to(&self, mut out: impl Write) -> Result<(), Error> {
        self.stream(Path::new("image"), &mut out, &mut |_, _| {}, &Interrupt::default())
            .map(drop)
    }

    /// The manifest.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// The files that the manifest says are to be written, at least one.
    pub(crate) fn outputs(&self) -> &[Target] {
        &self.outputs
    }

    /// The first of them.
    pub(crate) fn output(&self) -> &Path {
        self.outputs.first().map_or(Path::new(""), |target| &target.path)
    }

    /// What the user should know, by places in the manifest.
    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// Where all bytes come from.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.plan.sources()
    }

    /// Everything, every extent included.
    pub(crate) fn describe(&self, late: &Late) -> Result<Description, Error> {
        self.plan.describe(late, &self.document)
    }

    /// All but what grows with the tree.
    pub(crate) fn brief(&self, late: &Late) -> Result<Description, Error> {
        self.plan.brief(late, &self.document)
    }

    /// Writes every file that does not already have these bytes. Returns the results of the passes, and the sizes and digests of the files.
    pub(crate) fn write(
        &self,
        targets: &[Target],
        wanted: Wanted<'_>,
        progress: &mut Progress<'_>,
        interrupt: &Interrupt,
    ) -> Result<(Late, Written), Error> {
        let name = targets.first().map_or(Path::new(""), |target| &target.path);
        let late = self.late(name, progress, interrupt)?;
        let total = self.size();
        if let [target] = targets
            && target.format.is_plain()
            && !wanted.lists
            && output::is_written(
                &target.path,
                target.disk_size(total),
                self.plan.pieces(&late),
                interrupt,
            )?
        {
            let written = self.written(target, &late, wanted, progress, interrupt)?;
            return Ok((late, written));
        }
        let mut update = |done| progress(done, total);
        let pieces = self.plan.pieces(&late);
        let written = output::write_all(targets, total, pieces, wanted, &mut update, interrupt)?;
        Ok((late, written))
    }

    /// Describes a target that already has the bytes of the image.
    fn written(
        &self,
        target: &Target,
        late: &Late,
        wanted: Wanted<'_>,
        progress: &mut Progress<'_>,
        interrupt: &Interrupt,
    ) -> Result<Written, Error> {
        let size = target.disk_size(self.size());
        let (mut sha256, mut of_file) = (None, None);
        if wanted.image || wanted.files {
            let mut sum = Sha256::new();
            self.pass(&target.path, late, &mut |bytes| sum.update(bytes), progress, interrupt)?;
            sha256 = Some(sum.clone().finalize().into());
            sum.update(vec![0; (size - self.size()) as usize]);
            of_file = Some(sum.finalize().into());
        }
        let file = WrittenFile { size, sha256: of_file };
        let files = vec![file];
        Ok(Written { sha256, files })
    }

    /// Gives every byte of the image to `take`.
    pub(crate) fn digest(
        &self,
        take: &mut dyn FnMut(&[u8]),
        progress: &mut Progress<'_>,
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
        let late = self.late(self.output(), progress, interrupt)?;
        Ok(self.pass(self.output(), &late, take, progress, interrupt)?)
    }

    /// The file or the disk that an image is read from which this one changes, and what it was then.
    pub(crate) fn base(&self) -> Option<(&Path, &Stamp)> {
        match &self.plan {
            Planned::New(_) | Planned::Compact { .. } => None,
            Planned::Grown(grown) => grown.base(),
        }
    }

    /// The pieces of the image by offset; between them are zeros.
    pub(crate) fn pieces<'p>(&'p self, late: &'p Late) -> impl Iterator<Item = Result<Piece<'p>, BoxedError>> {
        self.plan.pieces(late)
    }

    /// Writes the image to anything. The `name` is for errors.
    pub(crate) fn stream(
        &self,
        name: &Path,
        out: &mut dyn Write,
        progress: &mut Progress<'_>,
        interrupt: &Interrupt,
    ) -> Result<Late, Error> {
        let late = self.late(name, progress, interrupt)?;
        let mut failed: Option<io::Error> = None;
        let mut take = |bytes: &[u8]| {
            if failed.is_none() {
                failed = out.write_all(bytes).err();
            }
        };
        self.pass(name, &late, &mut take, progress, interrupt)?;
        match failed.map_or_else(|| out.flush(), Err) {
            Ok(()) => Ok(late),
            Err(source) => Err(InputError::io(name, "writing", source).into()),
        }
    }

    /// What the image says of its own bytes takes a pass over them each, the list first: the MD5 is of its bytes too.
    pub(crate) fn late(
        &self,
        name: &Path,
        progress: &mut Progress<'_>,
        interrupt: &Interrupt,
    ) -> Result<Late, OutputError> {
        let mut late = Late::default();
        if let Some(mut digests) = self.plan.digests() {
            self.pass(name, &late, &mut |bytes| digests.update(bytes), progress, interrupt)?;
            late.digests = Some(digests.finish());
        }
        if self.plan.wants_media_md5() {
            let mut summing = iso9660::Summing::new(self.plan.volume_size());
            self.pass(name, &late, &mut |bytes| summing.update(bytes), progress, interrupt)?;
            late.media_md5 = Some(summing.finish());
        }
        if let Some(mut summing) = self.plan.tag_summing() {
            self.pass(name, &late, &mut |bytes| summing.update(bytes), progress, interrupt)?;
            late.media_tag = Some(summing.finish());
        }
        Ok(late)
    }

    fn pass(
        &self,
        name: &Path,
        late: &Late,
        take: &mut dyn FnMut(&[u8]),
        progress: &mut Progress<'_>,
        interrupt: &Interrupt,
    ) -> Result<(), OutputError> {
        let total = self.size();
        let mut update = |done| progress(done, total);
        output::digest(name, total, self.plan.pieces(late), take, &mut update, interrupt)
    }
}

/// Learns how many of how many bytes are done; each pass begins at 0.
pub(crate) type Progress<'p> = dyn FnMut(u64, u64) + Send + 'p;
