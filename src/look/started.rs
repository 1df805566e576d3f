//! What the menus of an image start under UEFI on a 64-bit PC, where Secure Boot asks who has signed it.

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

/// Every program that the menu of a loader in an ESP starts, if something there is signed. `facts` are those of the image, without this.
/// What cannot be read is left out: no verdict is about it.
pub fn menu_programs(image: &dyn ReadAt, facts: &Common) -> Vec<MenuProgram> {
    if !is_asked_for(facts) {
        return Vec::new();
    }
    match Tree::of(image, Place::Tree(b"/".to_vec())) {
        Ok((tree, _)) => programs_of(image, facts, tree),
        Err(_) => Vec::new(),
    }
}

/// The same by the tree of the image.
pub(super) fn programs_of(image: &dyn ReadAt, facts: &Common, tree: Tree) -> Vec<MenuProgram> {
    let Ok(reader) = menu::Reader::new(image, Rc::new(tree)) else {
        return Vec::new();
    };
    let read = reader.read();
    let mut known = Programs::default();
    let mut programs = Vec::new();
    for loader in asked_for(facts) {
        let is_shown = |entry: &&Entry| {
            let by = read.loader(&entry.config).and_then(family);
            let in_esp = entry.config.starts_with("esp");
            // systemd-boot reads the volume that it was started from.
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

/// Whether there are such loaders.
pub fn is_asked_for(facts: &Common) -> bool {
    !asked_for(facts).is_empty()
}

/// The loaders with menus in volumes where something is signed.
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

/// Where a program is: offset, which zeros do not have, and length.
type Extents = [(Option<u64>, u64)];

/// The programs that were read, by where they are.
#[derive(Default)]
struct Programs<'i> {
    known: Vec<(&'i Extents, LoaderFacts)>,
    /// How many bytes they have together. All of a signed one is hashed.
    bytes: u64,
}

impl<'i> Programs<'i> {
    /// What a program says of itself. `None` if it cannot be read, and if the programs before it are as much as the image holds.
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
