//! What the built-in loader's menu starts, where Secure Boot asks who has signed it.

use crate::facts::{Description, LoaderFacts, MenuProgram};
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::text;
use crate::resolve::loader::builtin;

use super::loader_facts;

/// Whether the built-in loader is there and something is signed. Otherwise nobody asks for the signatures of what the menu starts.
pub(crate) fn is_asked_for(loaders: &[LoaderFacts]) -> bool {
    let is_own = loaders.iter().any(LoaderFacts::is_built_in);
    is_own && loaders.iter().any(|loader| !loader.signatures.is_empty())
}

/// Adds what the menu file in the tree names.
pub(super) fn read(image: &dyn ReadAt, facts: &mut Description) {
    if !facts.esp.iter().any(|volume| is_asked_for(&volume.loaders)) {
        return;
    }
    let window = |path: &[u8]| {
        let name = format!("iso:{}", text::lossless(path));
        let mut extents = facts.extents.iter();
        let extent = extents.find(|extent| extent.paths.contains(&name))?;
        Some(Window::new(image, extent.offset, extent.length))
    };
    let menu = window(format!("/{}", builtin::MENU_PATH.join("/")).as_bytes());
    let menu = menu.filter(|menu| menu.size() <= builtin::LARGEST_MENU as u64);
    let menu = menu.and_then(|menu| menu.read_vec_at(0, menu.size()).ok());
    let program = |started: builtin::Started| {
        let file = window(&started.path)?;
        Some(MenuProgram {
            title: started.title,
            is_default: started.is_default,
            program: loader_facts(&text::lossless(&started.path), &file),
        })
    };
    facts.menu_programs = builtin::started(&menu.unwrap_or_default())
        .into_iter()
        .filter_map(program)
        .collect();
}
