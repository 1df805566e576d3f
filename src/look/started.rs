//! Which programs the menus of an image start under UEFI on a 64-bit PC. Secure Boot asks who has signed them.

use std::rc::Rc;

use super::contents::{Item, Place, Tree};
use super::menu::{self, Entry, Loader};
use crate::facts::cell::Firmware;
use crate::facts::loaders::loader_facts;
use crate::facts::{Common, LoaderFacts, MenuLoader, MenuProgram};
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::text;

/// How many programs are read. Menus of installers start a few.
const PROGRAMS: usize = 64;

/// Every program that a menu starts, for the loaders of ESPs in which a program is signed. Without a signature Secure Boot refuses the loader
/// itself. `facts` are what is known of the image so far. A program that cannot be read is left out.
pub fn menu_programs(image: &dyn ReadAt, facts: &Common) -> Vec<MenuProgram> {
    if !is_asked_for(facts) {
        return Vec::new();
    }
    match Tree::of(image, Place::Tree(b"/".to_vec())) {
        Ok((tree, _)) => programs_of(image, facts, tree),
        Err(_) => Vec::new(),
    }
}

/// The same, with the image's tree.
pub(super) fn programs_of(image: &dyn ReadAt, facts: &Common, tree: Tree) -> Vec<MenuProgram> {
    let Ok(reader) = menu::Reader::new(image, Rc::new(tree)) else {
        return Vec::new();
    };
    let read = reader.read();
    let mut known = Programs::default();
    let mut programs = Vec::new();
    for loader in asked_for(facts) {
        let is_shown = |entry: &&Entry| {
            let by = read.loader(entry).and_then(family);
            let in_esp = entry.config.starts_with("esp");
            // systemd-boot reads its entries from the ESP alone.
            let is_own = by == Some(loader) && (loader != MenuLoader::SystemdBoot || in_esp);
            is_own && entry.firmware == Firmware::Uefi && !entry.loopback && entry.condition.is_none()
        };
        let entries: Vec<&Entry> = read.entries.iter().filter(is_shown).collect();
        let says_default = entries.iter().any(|entry| entry.is_default);
        let mut is_first = true;
        for entry in entries {
            let Some(file) = entry.kernel_file.as_ref().or(entry.program_file.as_ref()) else {
                continue;
            };
            let Some(facts) = reader.item(file).and_then(|item| known.facts(image, item)) else {
                continue;
            };
            programs.push(MenuProgram {
                menu: loader,
                title: entry.title.clone(),
                is_default: if says_default { entry.is_default } else { is_first },
                program: facts,
                is_kernel: entry.kernel_file.is_some(),
            });
            is_first = false;
        }
    }
    programs
}

/// Whether there are loaders of this kind.
pub fn is_asked_for(facts: &Common) -> bool {
    !asked_for(facts).is_empty()
}

/// The loaders that show menus, from the volumes in which a program is signed.
fn asked_for(facts: &Common) -> Vec<MenuLoader> {
    let signed = facts
        .esp
        .iter()
        .filter(|volume| volume.loaders.iter().any(|loader| !loader.signatures.is_empty()));
    let mut loaders = Vec::new();
    for loader in signed.flat_map(|volume| &volume.loaders).filter_map(LoaderFacts::menu) {
        if !loaders.contains(&loader) {
            loaders.push(loader);
        }
    }
    loaders
}

fn family(loader: Loader) -> Option<MenuLoader> {
    match loader {
        Loader::Builtin => Some(MenuLoader::Builtin),
        Loader::Grub => Some(MenuLoader::Grub),
        Loader::SystemdBoot => Some(MenuLoader::SystemdBoot),
        Loader::Syslinux | Loader::Freebsd => None,
    }
}

/// The extents of a program: offset and length. `None` stands for zeros that are not stored.
type Extents = [(Option<u64>, u64)];

/// The programs that were read, each with its extents.
#[derive(Default)]
struct Programs<'i> {
    known: Vec<(&'i Extents, LoaderFacts)>,
    /// The sum of their lengths. It has a limit, because a signed program is hashed from its beginning to its end.
    bytes: u64,
}

impl<'i> Programs<'i> {
    /// Reads a program. `None` if that is impossible, or if the programs together would be longer than the image.
    fn facts(&mut self, image: &dyn ReadAt, item: &'i Item) -> Option<LoaderFacts> {
        let path = text::lossless(&item.path);
        if let Some((_, facts)) = self.known.iter().find(|(extents, _)| *extents == item.extents) {
            return Some(LoaderFacts { path, ..facts.clone() });
        }
        self.bytes = self.bytes.saturating_add(item.length);
        let is_allowed = self.known.len() < PROGRAMS && self.bytes <= image.size();
        if !item.is_whole || item.zisofs.is_some() || !is_allowed {
            return None;
        }
        let bytes = Pieces::new(image, item.extents.iter().copied());
        let facts = loader_facts(&path, &bytes);
        self.known.push((&item.extents, facts.clone()));
        Some(facts)
    }
}
