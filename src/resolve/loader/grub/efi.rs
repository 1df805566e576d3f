//! GRUB for UEFI: signed by a distribution, behind shim, or made of modules.

use super::super::EspFile;
use super::super::assets::{Asset, Found, GRUB_EFI, GRUB_SIGNED, MOK_MANAGER, SHIM};
use super::config;
use crate::facts::loaders::shim_facts;
use crate::formats::grub::{self, Embedded};
use crate::formats::pe::{self, Machine, write};
use crate::ground::read_at::ReadAt as _;
use crate::manifest::{At, Loader, image_path};
use crate::resolve::boot::Parts;
use crate::resolve::sign::Signing;
use crate::resolve::{Resolution, ResolveError};
use crate::tree::PayloadId;

/// Where a GRUB of ours looks for its menu first: beside itself, where the stub is.
const PREFIX: &str = "/EFI/BOOT";

/// The directory of programs that firmware starts by default (UEFI 2.10 §3.5.1.1).
const DIRECTORY: [&str; 2] = ["EFI", "BOOT"];

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
        machines: &[Machine],
        id_file: &str,
        parts: &mut Parts,
    ) -> Result<Vec<EspFile>, ResolveError> {
        let document = self.document;
        let Some(at) = &document.manifest.boot.loader else {
            return Ok(Vec::new());
        };
        let signing = self.signing();
        let mut files: Vec<EspFile> = Vec::new();
        let stub = self.made(&config::stub(id_file));
        for &machine in machines {
            let Some(chain) = self.grub_chain(at, machine, signing.as_ref())? else {
                continue;
            };
            let path = |name: String| [DIRECTORY.map(str::to_owned).to_vec(), vec![name]].concat();
            files.extend(chain.programs.into_iter().map(|(name, payload)| (path(name), payload)));
            let stub_path = format!("{}/grub.cfg", chain.prefix);
            if let Ok(path) = image_path(&stub_path) {
                files.push((path.components, stub));
            }
        }
        files.sort();
        files.dedup();
        parts.owner = signing.and_then(|signing| signing.certificate);
        Ok(files)
    }

    /// The signed program behind shim, if both are there and nobody else is to sign; else one that is made.
    fn grub_chain(
        &mut self,
        at: &At<Loader>,
        machine: Machine,
        signing: Option<&Signing<'d>>,
    ) -> Result<Option<Chain>, ResolveError> {
        let of = |assets: &'static [(Machine, Asset)]| {
            assets
                .iter()
                .find(|(other, _)| *other == machine)
                .map(|(_, asset)| asset)
        };
        let (Some(modules), Some(signed), Some(shim), Some(mok)) =
            (of(&GRUB_EFI), of(&GRUB_SIGNED), of(&SHIM), of(&MOK_MANAGER))
        else {
            return Ok(None);
        };
        let found = (self.find_asset(signed), self.find_asset(shim));
        match (&found, signing) {
            ((Some(grub), Some(first)), None) => {
                let mok = self.find_asset(mok);
                return self.signed_chain(at, machine, (first, grub, mok.as_ref()));
            }
            ((Some(_), None), None) => self.half_a_chain(at, signed, shim),
            ((None, Some(_)), None) => self.half_a_chain(at, shim, signed),
            _ => {}
        }
        let Some(kernel) = self.asset(at, modules) else {
            return Ok(None);
        };
        let Some(program) = self.grub_program(&kernel, machine)? else {
            return Ok(None);
        };
        let program = match signing {
            Some(signing) => self.signed(signing, &program),
            None => program,
        };
        let payload = self.made(&program);
        Ok(Some(Chain {
            programs: vec![(default_name(machine), payload)],
            prefix: PREFIX.to_owned(),
        }))
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
        (shim, grub, mok): (&Found, &Found, Option<&Found>),
    ) -> Result<Option<Chain>, ResolveError> {
        let (Some(first), Some(second)) = (self.part(at, shim)?, self.part(at, grub)?) else {
            return Ok(None);
        };
        let prefix = pe::read(&second.bytes.to_vec())
            .and_then(|pe| {
                let section = pe.section("mods")?;
                let area = second.bytes.to_vec().read_vec_at(section.offset, section.length).ok()?;
                grub::prefix(&area)
            })
            .filter(|prefix| prefix.starts_with('/'));
        let Some(prefix) = prefix else {
            let message = format!(
                "{:?} does not say where it looks for its menu, as an image of GRUB does",
                grub.name()
            );
            self.error(at, message, "this loader");
            return Ok(None);
        };
        let grub = self.part_payload(&second)?;
        let Some(facts) = shim_facts(&first.bytes.to_vec()) else {
            let message = format!("{:?} is not shim", shim.name());
            self.error(at, message, "this loader");
            return Ok(None);
        };
        // A shim of the manifest's is in place of this one, and starts GRUB by its own name for it.
        if self.has_own_program(&default_name(machine)) {
            let programs = vec![(default_name(machine), grub)];
            return Ok(Some(Chain { programs, prefix }));
        }
        let mut programs = vec![
            (default_name(machine), self.part_payload(&first)?),
            (facts.starts, grub),
        ];
        if let Some(found) = mok
            && let Some(part) = self.part(at, found)?
        {
            let name = found.name().trim_end_matches(".signed").to_owned();
            programs.push((name, self.part_payload(&part)?));
        }
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
    fn grub_program(&mut self, kernel: &Found, machine: Machine) -> Result<Option<Vec<u8>>, ResolveError> {
        let (Some(modules), Some(kernel)) = (self.grub_modules(kernel)?, self.grub_part(kernel)?) else {
            return Ok(None);
        };
        let embedded = Embedded {
            modules: &modules,
            config: None,
            prefix: PREFIX,
        };
        let linked = match grub::efi::link(&kernel.bytes, &embedded) {
            Ok(linked) => linked,
            Err(error) => {
                self.grub_error(&error);
                return Ok(None);
            }
        };
        let fixups: Vec<(u32, bool)> = linked.fixups.iter().map(|fixup| (fixup.at, fixup.is_wide)).collect();
        Ok(Some(write::write(&write::Program {
            machine,
            entry: linked.entry,
            sections: &[
                (".text", write::Use::Code, &linked.text),
                (".data", write::Use::Data, &linked.data),
                ("mods", write::Use::Data, &linked.modules),
            ],
            fixups: &fixups,
            time: grub::efi::TIME,
        })))
    }
}

/// The name of the program that firmware starts by default.
fn default_name(machine: Machine) -> String {
    format!("BOOT{}.EFI", machine.to_string().to_ascii_uppercase())
}
