//! GRUB for UEFI: signed by a distribution, behind shim, or made of modules.

use super::super::assets::{Asset, Found, GRUB_EFI, GRUB_SIGNED, MOK_MANAGER, Part, SHIM};
use super::super::{DIRECTORY, EspFile, default_name};
use super::config;
use crate::facts::loaders::shim_facts;
use crate::formats::grub::{self, Embedded};
use crate::formats::pe::{self, Machine, write};
use crate::ground::read_at::ReadAt as _;
use crate::manifest::{At, DiskLayout, Loader, image_path};
use crate::resolve::sign::Signing;
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;
use crate::tree::contents::in_second_esp;

/// Where a GRUB of ours looks for its menu first: beside itself, where the stub is.
const PREFIX: &str = "/EFI/BOOT";

/// What the ESP gets for one processor.
struct Chain {
    /// Names in [`DIRECTORY`].
    programs: Vec<(String, PayloadId)>,
    /// Where GRUB looks for its menu.
    prefix: String,
}

impl<'d> Resolution<'d> {
    /// The programs for each processor, and the stubs by which they find the medium.
    pub(super) fn grub_for_uefi(
        &mut self,
        at: &At<Loader>,
        machines: &[Machine],
        id_file: &str,
    ) -> Result<Vec<EspFile>, ResolveError> {
        let signing = self.signing();
        let mut files: Vec<EspFile> = Vec::new();
        let stub = self.made(&config::stub(id_file));
        for &machine in machines {
            let Some(chain) = self.grub_chain(at, machine, signing.as_deref())? else {
                continue;
            };
            let path = |name: String| [DIRECTORY.map(str::to_owned).to_vec(), vec![name]].concat();
            files.extend(chain.programs.into_iter().map(|(name, payload)| (path(name), payload)));
            files.extend(self.stub_path(at, &chain.prefix).map(|path| (path, stub)));
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Where a GRUB with this prefix looks for its menu in the ESP. `None` if no stub can be there, which is reported.
    fn stub_path(&mut self, at: &At<Loader>, prefix: &str) -> Option<Vec<String>> {
        let path = match image_path(&format!("{prefix}/grub.cfg")) {
            Ok(path) => path.components,
            Err(why) => {
                self.error(
                    at,
                    format!("GRUB looks for its menu in {prefix:?}: {why}"),
                    "this loader",
                );
                return None;
            }
        };
        if self.layout == DiskLayout::MultiSector && !in_second_esp(&path) {
            let message = format!(
                "this GRUB looks for its menu in {prefix}, and with layout \"multi-sector\" only /EFI is in both ESPs"
            );
            let help = "with `boot.sign` isobuild makes a GRUB of modules, which looks in /EFI/BOOT";
            self.error_with(
                at,
                message,
                "would find no menu on media with sectors of 4096 bytes",
                help,
            );
        }
        Some(path)
    }

    /// The signed program behind shim, if both are there; else one that is made. If the manifest signs, the one that is made is behind shim.
    fn grub_chain(
        &mut self,
        at: &At<Loader>,
        machine: Machine,
        signing: Option<&Signing<'d>>,
    ) -> Result<Option<Chain>, ResolveError> {
        let of = |assets: &'static [(Machine, Asset)]| {
            let mut known = assets.iter();
            known.find(|(other, _)| *other == machine).map(|(_, asset)| asset)
        };
        let (Some(modules), Some(signed), Some(shim)) = (of(&GRUB_EFI), of(&GRUB_SIGNED), of(&SHIM)) else {
            return Ok(None);
        };
        if let Some(signing) = signing {
            return self.own_chain(at, machine, signing, (modules, signed, shim));
        }
        match (self.find_asset(signed), self.find_asset(shim)) {
            (Some(grub), Some(first)) => return self.signed_chain(at, machine, &first, &grub),
            (Some(_), None) => self.half_a_chain(at, signed, shim),
            (None, Some(_)) => self.half_a_chain(at, shim, signed),
            (None, None) => {}
        }
        let Some(kernel) = self.grub_kernel(at, machine, modules) else {
            return Ok(None);
        };
        let Some(made) = self.grub_modules(at, &kernel)? else {
            return Ok(None);
        };
        let Some(program) = self.grub_program(at, &kernel, machine, &made, None)? else {
            return Ok(None);
        };
        let payload = self.made(&program);
        Ok(Some(Chain {
            programs: vec![(default_name(machine), payload)],
            prefix: PREFIX.to_owned(),
        }))
    }

    /// shim and a GRUB that is made here, both with the manifest's signature. Without shim GRUB would start no kernel under Secure Boot: it asks
    /// shim to verify them, and there is nobody else whom it could ask (measured with 2.06: "shim_lock protocol not found").
    fn own_chain(
        &mut self,
        at: &At<Loader>,
        machine: Machine,
        signing: &Signing<'d>,
        (modules, signed, shim): (&Asset, &Asset, &Asset),
    ) -> Result<Option<Chain>, ResolveError> {
        let Some(kernel) = self.grub_kernel(at, machine, modules) else {
            return Ok(None);
        };
        let Some(made) = self.grub_modules(at, &kernel)? else {
            return Ok(None);
        };
        // Hardly a machine of another kind has Secure Boot, and not every distribution has shim for it.
        if machine != Machine::X64 && (self.find_asset(shim).is_none() || self.find_asset(signed).is_none()) {
            let program = self.grub_program(at, &kernel, machine, &made, None)?;
            return Ok(program.map(|program| {
                let program = self.signed(signing, &program);
                Chain {
                    programs: vec![(default_name(machine), self.made(&program))],
                    prefix: PREFIX.to_owned(),
                }
            }));
        }
        let Some(signed) = self.asset(at, signed) else {
            return Ok(None);
        };
        let Some(sbat) = self.sbat_of(at, &signed, &made)? else {
            let message = format!(
                "shim starts what says its generation (.sbat), and {:?}, which says that of its GRUB, is of another version than the modules",
                signed.name()
            );
            self.error(at, message, "cannot be signed");
            return Ok(None);
        };
        let Some(program) = self.grub_program(at, &kernel, machine, &made, Some(&sbat))? else {
            return Ok(None);
        };
        let program = self.signed(signing, &program);
        let grub = self.made(&program);
        let prefix = PREFIX.to_owned();
        // A shim of the manifest's is in place of this one, and starts GRUB by its own name for it.
        if self.has_own_program(&default_name(machine)) {
            let programs = vec![(default_name(machine), grub)];
            return Ok(Some(Chain { programs, prefix }));
        }
        let Some(shim) = self.asset(at, shim) else {
            return Ok(None);
        };
        let Some((first, starts)) = self.shim(at, &shim)? else {
            return Ok(None);
        };
        let first = self.signed(signing, &first.bytes);
        let first = self.made(&first);
        let mut programs = vec![(default_name(machine), first), (starts, grub)];
        programs.extend(self.mok_manager(at, machine)?);
        Ok(Some(Chain { programs, prefix }))
    }

    /// shim, and the name of what it starts.
    fn shim(&mut self, at: &At<Loader>, shim: &Found) -> Result<Option<(Part, String)>, ResolveError> {
        let Some(part) = self.part(at, shim)? else {
            return Ok(None);
        };
        let facts = shim_facts(&part.bytes.to_vec());
        if facts.is_none() {
            self.error(at, format!("{:?} is not shim", shim.name()), "this loader");
        }
        Ok(facts.map(|facts| (part, facts.starts)))
    }

    /// What enrols keys for shim, if it is there: its name in the ESP, and its bytes.
    fn mok_manager(&mut self, at: &At<Loader>, machine: Machine) -> Result<Option<(String, PayloadId)>, ResolveError> {
        let mut known = MOK_MANAGER.iter();
        let asset = known.find(|(other, _)| *other == machine).map(|(_, asset)| asset);
        let Some(found) = asset.and_then(|asset| self.find_asset(asset)) else {
            return Ok(None);
        };
        let Some(part) = self.part(at, &found)? else {
            return Ok(None);
        };
        let name = found.name().trim_end_matches(".signed").to_owned();
        Ok(Some((name, self.part_payload(&part)?)))
    }

    /// Where the modules for a processor are. A kernel for 64-bit PCs can be started by 32-bit firmware too, which hardly anybody has: if nobody has
    /// asked for it, the image goes without, and says so.
    fn grub_kernel(&mut self, at: &At<Loader>, machine: Machine, modules: &Asset) -> Option<Found> {
        let is_asked_for = self.document.manifest.boot.firmware.is_some();
        if machine == Machine::Ia32 && !is_asked_for && self.find_asset(modules).is_none() {
            let message = format!("{}, so the image does not boot under uefi-ia32", modules.missing());
            self.warn_with(at, message, "without it", "`firmware` says what the image is for");
            return None;
        }
        self.asset(at, modules)
    }

    /// Says that the image gets a GRUB without a signature although half of what has one is there.
    fn half_a_chain(&mut self, at: &At<Loader>, there: &Asset, missing: &Asset) {
        let message = format!(
            "{} is there and {} is not, so the image gets a GRUB that nobody has signed, which Secure Boot refuses",
            there.name, missing.name
        );
        self.warn_with(at, message, "not signed", &missing.missing());
    }

    /// shim, what it starts, and what enrols keys.
    fn signed_chain(
        &mut self,
        at: &At<Loader>,
        machine: Machine,
        shim: &Found,
        grub: &Found,
    ) -> Result<Option<Chain>, ResolveError> {
        let Some(second) = self.part(at, grub)? else {
            return Ok(None);
        };
        let prefix = section(&second.bytes, "mods").and_then(|area| grub::prefix(&area));
        let prefix = prefix.filter(|prefix| prefix.starts_with('/'));
        let Some(prefix) = prefix else {
            let message = format!(
                "{:?} does not say where it looks for its menu, as an image of GRUB does",
                grub.name()
            );
            self.error(at, message, "this loader");
            return Ok(None);
        };
        let second = self.part_payload(&second)?;
        // As with one that is made.
        if self.has_own_program(&default_name(machine)) {
            let programs = vec![(default_name(machine), second)];
            return Ok(Some(Chain { programs, prefix }));
        }
        let Some((first, starts)) = self.shim(at, shim)? else {
            return Ok(None);
        };
        let mut programs = vec![(default_name(machine), self.part_payload(&first)?), (starts, second)];
        programs.extend(self.mok_manager(at, machine)?);
        Ok(Some(Chain { programs, prefix }))
    }

    /// Whether `[boot.uefi.files]` has a program of this name where firmware looks.
    fn has_own_program(&self, name: &str) -> bool {
        let uefi = self.document.manifest.boot.uefi.as_ref();
        let files = uefi.and_then(|uefi| uefi.get_ref().files.as_ref());
        let wanted = format!("/{}/{name}", DIRECTORY.join("/"));
        files.is_some_and(|files| files.keys().any(|path| path.get_ref().eq_ignore_ascii_case(&wanted)))
    }

    /// A program of the kernel and the modules.
    fn grub_program(
        &mut self,
        at: &At<Loader>,
        kernel: &Found,
        machine: Machine,
        modules: &[Vec<u8>],
        sbat: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, ResolveError> {
        let Some(kernel) = self.part(at, kernel)? else {
            return Ok(None);
        };
        let embedded = Embedded {
            modules,
            config: None,
            prefix: PREFIX,
        };
        let linked = match grub::efi::link(&kernel.bytes, &embedded) {
            Ok(linked) => linked,
            Err(error) => {
                self.grub_error(at, &error);
                return Ok(None);
            }
        };
        let mut sections: Vec<(&str, write::Use, &[u8])> = vec![
            (".text", write::Use::Code, &linked.text),
            (".data", write::Use::Data, &linked.data),
            ("mods", write::Use::Data, &linked.modules),
        ];
        if let Some(sbat) = sbat {
            sections.push((".sbat", write::Use::Constant, sbat));
        }
        Ok(Some(write::write(&write::Program {
            machine,
            entry: linked.entry,
            sections: &sections,
            fixups: &linked.fixups,
            time: grub::efi::TIME,
        })))
    }

    /// The generations that a distribution gives to the same version of GRUB, from its signed program. `None` if that is of another version.
    fn sbat_of(
        &mut self,
        at: &At<Loader>,
        signed: &Found,
        modules: &[Vec<u8>],
    ) -> Result<Option<Vec<u8>>, ResolveError> {
        let Some(signed) = self.part(at, signed)? else {
            return Ok(None);
        };
        let Some(sbat) = section(&signed.bytes, ".sbat") else {
            return Ok(None);
        };
        let end = sbat.iter().position(|&byte| byte == 0).unwrap_or(sbat.len());
        let text = String::from_utf8_lossy(&sbat[..end]).into_owned();
        // component, generation, vendor, package, version, address: the distribution's line has the version of its package.
        let versions = text.lines().filter(|line| line.starts_with("grub."));
        let versions: Vec<&str> = versions.filter_map(|line| line.split(',').nth(4)).collect();
        let is_same = |version: &&str| {
            let is_in = |module: &Vec<u8>| module.windows(version.len()).any(|bytes| bytes == version.as_bytes());
            !version.is_empty() && modules.iter().any(is_in)
        };
        Ok(versions.iter().any(is_same).then_some(text).map(String::into_bytes))
    }
}

/// The bytes of a section of a program.
fn section(program: &[u8], name: &str) -> Option<Vec<u8>> {
    let program = program.to_vec();
    let pe = pe::read(&program)?;
    let section = pe.section(name)?;
    program.read_vec_at(section.offset, section.length).ok()
}
