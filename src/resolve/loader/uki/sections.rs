//! The sections of a unified kernel image, in the order of ukify 257.

use super::{Wanted, texts};
use crate::formats::pe::{self, Pe};
use crate::ground::read_at::ReadAt;
use crate::manifest::{At, Profile, Uki};
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;

/// Linux looks for the next cpio archive at a multiple of four bytes.
pub(super) const ARCHIVE: u64 = 4;

/// The longest text and the largest picture that are read, in bytes.
const LARGEST_TEXT: u64 = 1 << 20;
const LARGEST_PICTURE: u64 = 64 << 20;

/// A section to be added to the stub.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) content: Content,
    /// The file that the bytes are from, if they are in memory.
    pub(super) from: Option<PayloadId>,
}

impl Section {
    fn bytes(name: &'static str, bytes: Vec<u8>, from: Option<PayloadId>) -> Self {
        let content = Content::Bytes(bytes);
        Self { name, content, from }
    }

    fn files(name: &'static str, files: &[PayloadId]) -> Self {
        Self {
            name,
            content: Content::Files(files.to_vec()),
            from: None,
        }
    }

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        match &self.content {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Files(files) => files.is_empty(),
        }
    }
}

/// The bytes of a section.
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// Several files. Each begins at a multiple of [`ARCHIVE`].
    Files(Vec<PayloadId>),
}

impl Resolution<'_> {
    /// The sections to be added. If a file cannot be used, the error is reported and the result is `None`.
    pub(super) fn sections(
        &mut self,
        wanted: &Wanted<'_>,
        settings: &Uki,
        (program, kernel): (&Pe, &dyn ReadAt),
        stub: &[u8],
    ) -> Result<Option<Vec<Section>>, ResolveError> {
        let mut sections = Vec::new();
        let release = match &settings.os_release {
            Some(named) => match self.small(named, LARGEST_TEXT)? {
                Some((file, text)) => Section::bytes(".osrel", text.to_vec(), Some(file)),
                None => return Ok(None),
            },
            None => Section::bytes(".osrel", texts::os_release(wanted.title), None),
        };
        sections.push(release);
        if let Some(line) = wanted.cmdline {
            sections.push(Section::bytes(".cmdline", line.get_ref().clone().into_bytes(), None));
        }
        let uname = settings.uname.as_ref().map(|uname| uname.get_ref().clone());
        if let Some(uname) = uname.or_else(|| texts::uname(kernel)) {
            sections.push(Section::bytes(".uname", uname.into_bytes(), None));
        }
        if let Some(named) = &settings.splash {
            let Some((file, picture)) = self.small(named, LARGEST_PICTURE)? else {
                return Ok(None);
            };
            if !picture.starts_with(b"BM") {
                let message = format!(
                    "{:?} is not a BMP, the one kind of picture that the stub shows",
                    named.get_ref()
                );
                self.error(named, message, "this picture");
                return Ok(None);
            }
            sections.push(Section::bytes(".splash", picture.to_vec(), Some(file)));
        }
        sections.push(Section::files(".linux", &[wanted.kernel]));
        sections.push(Section::files(".initrd", wanted.initrds));
        let microcode = self.initrd_files(&settings.microcode)?;
        let microcode: Vec<PayloadId> = microcode.into_iter().map(|(_, payload)| payload).collect();
        sections.push(Section::files(".ucode", &microcode));
        let Some(generations) = self.generations(settings, (program, kernel), stub)? else {
            return Ok(None);
        };
        sections.extend(generations);
        self.profiles(wanted, &mut sections)?;
        sections.retain(|section| !section.is_empty());
        Ok(Some(sections))
    }

    /// `.sbat`, if the kernel or the manifest adds lines to that of the stub.
    fn generations(
        &mut self,
        settings: &Uki,
        (program, kernel): (&Pe, &dyn ReadAt),
        stub: &[u8],
    ) -> Result<Option<Option<Section>>, ResolveError> {
        let of_kernel = texts::section(program, kernel, ".sbat");
        let own = match &settings.sbat {
            Some(named) => match self.small(named, LARGEST_TEXT)? {
                Some((file, text)) => Some((named, file, text)),
                None => return Ok(None),
            },
            None => None,
        };
        if of_kernel.is_none() && own.is_none() {
            return Ok(Some(None));
        }
        if let Some((named, _, text)) = &own
            && let Err(why) = texts::is_sbat(text)
        {
            let message = format!("{:?} is not a list of generations: {why}", named.get_ref());
            self.error(*named, message, "this file");
            return Ok(None);
        }
        let stub = stub.to_vec();
        let of_stub = pe::read(&stub).and_then(|program| texts::section(&program, &stub, ".sbat"));
        let from = own.as_ref().map(|(_, file, _)| *file);
        let own = own.map(|(.., text)| text.to_vec());
        let all: Vec<Vec<u8>> = [of_stub, of_kernel, own].into_iter().flatten().collect();
        Ok(Some(Some(Section::bytes(".sbat", texts::sbat(&all), from))))
    }

    /// Adds the profiles. Sections before the first `.profile` are for all of them.
    fn profiles(&mut self, wanted: &Wanted<'_>, sections: &mut Vec<Section>) -> Result<(), ResolveError> {
        if wanted.profiles.is_empty() {
            return Ok(());
        }
        let bytes = |name, text: String| Section::bytes(name, text.into_bytes(), None);
        sections.push(bytes(".profile", texts::profile(Profile::MAIN, None)));
        for profile in wanted.profiles.iter().map(At::get_ref) {
            let id = profile.id().unwrap_or_default();
            let title = profile.title.as_ref().map_or(&id, |title| title.get_ref());
            sections.push(bytes(".profile", texts::profile(&id, Some(title))));
            if let Some(line) = &profile.cmdline {
                sections.push(bytes(".cmdline", line.get_ref().clone()));
            }
            let initrds = self.initrd_files(&profile.initrd)?;
            let initrds: Vec<PayloadId> = initrds.into_iter().map(|(_, payload)| payload).collect();
            sections.push(Section::files(".initrd", &initrds));
        }
        Ok(())
    }
}
