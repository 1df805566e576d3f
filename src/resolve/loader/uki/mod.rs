//! Makes unified kernel images (UAPI.5). Such an image is one EFI program of a stub, a kernel, initrds, a command line and more. One signature
//! covers all of it.

mod sections;
mod texts;

use std::sync::Arc;

use super::assets::{Asset, STUB};
use super::{DIRECTORY, EspFile, default_name};
use crate::formats::pe::join::{self, Added, JoinFault};
use crate::formats::pe::{self, Machine};
use crate::ground::read_at::{ReadAt, Reader};
use crate::ground::spool::{Spool, SpoolError};
use crate::ground::stamp::Stamp;
use crate::manifest::{At, DiskLayout, Profile, Reference, Text, Uki, image_path};
use crate::resolve::{self, Resolution, ResolveError};
use crate::tree::PayloadId;
use crate::tree::contents::in_second_esp;
use crate::tree::source::{Member, Source};
use sections::{Content, Section};

/// A unified kernel image to be made. `[boot.uefi.uki]` has the parts that are the same for all.
pub(in crate::resolve) struct Wanted<'a> {
    /// The kernel, as the manifest names it.
    pub(in crate::resolve) at: &'a At<Reference>,
    pub(in crate::resolve) kernel: PayloadId,
    pub(in crate::resolve) initrds: &'a [PayloadId],
    pub(in crate::resolve) cmdline: Option<&'a Text>,
    pub(in crate::resolve) title: &'a str,
    pub(in crate::resolve) profiles: &'a [At<Profile>],
}

/// A file and its bytes.
type Input = (PayloadId, Arc<[u8]>);

/// The longest stub that is read, in bytes. systemd's has some 100,000.
const LARGEST_STUB: u64 = 16 << 20;

/// The first versions of systemd-stub that read `.ucode`, and `.profile`.
const READS_MICROCODE: u32 = 256;
const READS_PROFILES: u32 = 257;

impl<'d> Resolution<'d> {
    /// The image of `[boot.uefi.uki]`, if it has a kernel: its path in the ESP, and its bytes.
    pub(in crate::resolve) fn uki(&mut self, of_loader: &[EspFile]) -> Result<Option<EspFile>, ResolveError> {
        let document = self.document;
        let Some(uki) = document.manifest.uki().map(At::get_ref) else {
            return Ok(None);
        };
        let Some(at) = &uki.kernel else { return Ok(None) };
        let Some((kernel, program)) = self.kernel_file(at)? else {
            return Ok(None);
        };
        let lines = uki.profile.iter().map(|profile| &profile.get_ref().cmdline);
        for line in lines.chain([&uki.cmdline]).flatten() {
            self.command_line(at.get_ref(), line, &program);
        }
        let initrds = self.initrd_files(&uki.initrd)?;
        let initrds: Vec<PayloadId> = initrds.into_iter().map(|(_, payload)| payload).collect();
        let volume = resolve::identifiers(document, self.output()).volume;
        let wanted = Wanted {
            at,
            kernel,
            initrds: &initrds,
            cmdline: uki.cmdline.as_ref(),
            title: uki.title.as_ref().map_or(&volume, |title| title.get_ref()),
            profiles: &uki.profile,
        };
        let Some((machine, payload)) = self.unified(&wanted)? else {
            return Ok(None);
        };
        let path = match &uki.to {
            Some(to) => image_path(to.get_ref()).map_or_else(|_| Vec::new(), |path| path.components),
            None => {
                let name = default_name(machine);
                DIRECTORY
                    .into_iter()
                    .chain([name.as_str()])
                    .map(str::to_owned)
                    .collect()
            }
        };
        if of_loader
            .iter()
            .any(|(other, _)| resolve::esp::same_in_fat(other, &path))
        {
            let name = document.manifest.loader().name();
            let message = format!("firmware starts {name} from /{}", path.join("/"));
            let help = "`to` of [boot.uefi.uki] puts this elsewhere in the ESP; `firmware` says for what the loader is";
            self.error_with(at, message, "two for one place", help);
        }
        if self.layout == DiskLayout::MultiSector && in_second_esp(&path) {
            let message = format!(
                "layout \"multi-sector\" makes two ESPs, and /{} would be in the image twice",
                path.join("/")
            );
            self.error_with(at, message, "is in both ESPs", "outside of /EFI it is in one");
        }
        Ok(Some((path, payload)))
    }

    /// Makes an image, and returns the processor that it is for. If that is impossible, the error is reported and the result is `None`.
    pub(in crate::resolve) fn unified(
        &mut self,
        wanted: &Wanted<'_>,
    ) -> Result<Option<(Machine, PayloadId)>, ResolveError> {
        let document = self.document;
        let none = Uki::default();
        let settings = document.manifest.uki().map_or(&none, At::get_ref);
        let kernel = self.open(wanted.kernel)?.0;
        let Some(program) = pe::read(kernel.as_ref()).filter(|program| !program.is_unified()) else {
            let message = format!(
                "{:?} is not a Linux kernel that is an EFI program too (CONFIG_EFI_STUB), and no other can be in a unified kernel image",
                wanted.at.get_ref()
            );
            self.error(wanted.at, message, "this file");
            return Ok(None);
        };
        let Some((stub_file, stub)) = self.stub(wanted.at, settings, program.machine)? else {
            return Ok(None);
        };
        let Some(sections) = self.sections(wanted, settings, (&program, kernel.as_ref()), &stub)? else {
            return Ok(None);
        };
        let at = settings.stub.as_ref().unwrap_or(wanted.at);
        let Some(spool) = self.joined(at, &stub, &sections, program.is_nx_compatible)? else {
            return Ok(None);
        };
        let spool = self.with_signature(spool)?;
        let origin = self.origin_of(wanted.kernel, stub_file, &sections);
        let payload = self.spooled(spool, origin)?;
        Ok(payload.map(|payload| (program.machine, payload)))
    }

    /// Writes stub and sections into one file.
    fn joined(
        &mut self,
        at: &At<Reference>,
        stub: &[u8],
        sections: &[Section],
        is_nx_compatible: bool,
    ) -> Result<Option<Spool>, ResolveError> {
        let added = sections.iter().map(|section| Added {
            name: section.name,
            length: self.length(&section.content),
            is_code: section.name == ".linux",
        });
        let added: Vec<Added<'_>> = added.collect();
        let joined = match join::join(stub, &added, is_nx_compatible) {
            Ok(joined) => joined,
            Err(fault) => {
                let message = match fault {
                    JoinFault::TooLong => {
                        let bytes: u64 = added.iter().map(|section| section.length).sum();
                        format!("a unified kernel image with {bytes} bytes of kernel, initrds and more {fault} (4 GiB)")
                    }
                    fault => format!("the stub of a unified kernel image {fault}"),
                };
                self.error(at, message, "cannot be made");
                return Ok(None);
            }
        };
        let failed = |error| ResolveError::spool(&self.document.path, error);
        let spool = Spool::new(u64::MAX);
        spool.push(&joined.head).map_err(failed)?;
        for (section, place) in sections.iter().zip(&joined.places) {
            pad(&spool, *place).map_err(failed)?;
            self.write(&section.content, &spool)?;
        }
        pad(&spool, joined.length).map_err(failed)?;
        Ok(Some(spool))
    }

    /// Signs the program if there is a `boot.sign`. That takes the program's length in memory, twice.
    fn with_signature(&mut self, spool: Spool) -> Result<Spool, ResolveError> {
        let Some(signing) = self.signing() else {
            return Ok(spool);
        };
        let path = self.document.path.clone();
        let failed = |error| ResolveError::spool(&path, error);
        let bytes = spool.bytes().map_err(failed)?.read_vec_at(0, spool.end());
        let bytes = bytes.map_err(|error| ResolveError::io(&path, "reading", error))?;
        drop(spool);
        let signed = Spool::new(u64::MAX);
        signed.push(&self.signed(&signing, &bytes)).map_err(failed)?;
        Ok(signed)
    }

    /// What a plan shows as the source: the kernel. The stamp is that of the newest input, so that a change of any input makes the image stale.
    fn origin_of(&self, kernel: PayloadId, stub: PayloadId, sections: &[Section]) -> Option<Arc<Member>> {
        let source = |payload: PayloadId| match &self.tree.payload(payload).source {
            Source::File {
                path, stamp, member, ..
            } => Some(match member {
                Some(member) => (member.archive.clone(), member.stamp),
                None => (path.clone(), *stamp),
            }),
            Source::Bytes(..) | Source::Given(_) => None,
        };
        let (archive, stamp) = source(kernel)?;
        let files = sections.iter().flat_map(|section| match &section.content {
            Content::Files(files) => files.as_slice(),
            Content::Bytes(_) => section.from.as_slice(),
        });
        let stamps = files.chain([&stub]).filter_map(|file| Some(source(*file)?.1));
        let time = |stamp: &Stamp| stamp.mtime.max(stamp.ctime);
        let stamp = stamps.fold(
            stamp,
            |newest, other| {
                if time(&other) > time(&newest) { other } else { newest }
            },
        );
        Some(Arc::new(Member {
            archive,
            stamp,
            path: Box::default(),
            made: Some("unified kernel image"),
        }))
    }

    /// The file of the stub for a processor, and its bytes.
    fn stub(&mut self, at: &At<Reference>, settings: &Uki, machine: Machine) -> Result<Option<Input>, ResolveError> {
        let (at, found) = match &settings.stub {
            Some(named) => (named, self.small(named, LARGEST_STUB)?),
            None => {
                let Some(asset) = asset(machine) else {
                    let message = format!(
                        "{:?} is for {machine}, for which there is no systemd-stub",
                        at.get_ref()
                    );
                    self.error(at, message, "this kernel");
                    return Ok(None);
                };
                let Some(found) = self.asset(at, asset) else {
                    return Ok(None);
                };
                let part = match self.part(at, &found)? {
                    Some(part) => Some((self.part_payload(&part)?, part.bytes)),
                    None => None,
                };
                (at, part)
            }
        };
        let Some((file, bytes)) = found else { return Ok(None) };
        let fault = match pe::read(&bytes.to_vec()) {
            None => Some("the stub is not an EFI program".to_owned()),
            Some(program) if program.is_unified() => Some("the stub is a unified kernel image already".into()),
            Some(program) if program.machine != machine => Some(format!(
                "the stub is for {}, and the kernel is for {machine}",
                program.machine
            )),
            Some(_) => None,
        };
        if let Some(message) = fault {
            self.error(at, message, "this file");
            return Ok(None);
        }
        let version = super::systemd_boot::version(&bytes, "stub");
        let is_older = |first: u32| version.is_some_and(|version| version < first);
        let shown = version.unwrap_or_default();
        if let Some(first) = settings.microcode.first().filter(|_| is_older(READS_MICROCODE)) {
            let message =
                format!("systemd-stub {shown} does not read `microcode`: the first that does is {READS_MICROCODE}");
            let help = "as the first of `initrd` every kernel reads it";
            self.warn_with(first, message, "read by nobody", help);
        }
        if let Some(first) = settings.profile.first().filter(|_| is_older(READS_PROFILES)) {
            let message =
                format!("systemd-stub {shown} does not know profiles: the first that does is {READS_PROFILES}");
            self.warn(first, message, "never started");
        }
        Ok(Some((file, bytes)))
    }

    /// A file and its bytes. An empty file is an error, and so is one of more than `most` bytes.
    fn small(&mut self, named: &At<Reference>, most: u64) -> Result<Option<Input>, ResolveError> {
        let Some(payload) = self.reference(named)? else {
            return Ok(None);
        };
        let (bytes, path) = self.open(payload)?;
        let length = bytes.size();
        if length == 0 || length > most {
            let message = match length {
                0 => format!("{:?} is empty", named.get_ref()),
                _ => format!(
                    "{:?} has {length} bytes, and such a file has {most} at most",
                    named.get_ref()
                ),
            };
            self.error(named, message, "this file");
            return Ok(None);
        }
        let bytes = bytes.read_vec_at(0, length);
        let bytes = bytes.map_err(|error| ResolveError::io(path, "reading", error))?;
        Ok(Some((payload, bytes.into())))
    }

    fn length(&self, content: &Content) -> u64 {
        match content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Files(files) => files.iter().fold(0, |end: u64, file| {
                end.next_multiple_of(sections::ARCHIVE) + self.tree.payload(*file).length
            }),
        }
    }

    fn write(&self, content: &Content, spool: &Spool) -> Result<(), ResolveError> {
        let start = spool.end();
        let failed = |error| ResolveError::spool(&self.document.path, error);
        match content {
            Content::Bytes(bytes) => spool.push(bytes).map_err(failed),
            Content::Files(files) => files.iter().try_for_each(|file| {
                let at = start + (spool.end() - start).next_multiple_of(sections::ARCHIVE);
                pad(spool, at).map_err(failed)?;
                let (bytes, path) = self.open(*file)?;
                let taken = spool.append(&mut Reader::new(bytes.as_ref()));
                taken.map(drop).map_err(|error| ResolveError::spool(&path, error))
            }),
        }
    }
}

/// Adds zeros until the spool has `end` bytes.
fn pad(spool: &Spool, end: u64) -> Result<(), SpoolError> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    while spool.end() < end {
        let length = (end - spool.end()).min(ZEROS.len() as u64) as usize;
        spool.push(&ZEROS[..length])?;
    }
    Ok(())
}

/// The asset of the stub for a processor.
fn asset(machine: Machine) -> Option<&'static Asset> {
    let found = STUB.iter().find(|(other, _)| *other == machine);
    found.map(|(_, asset)| asset)
}
