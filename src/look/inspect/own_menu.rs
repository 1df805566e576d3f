//! What the built-in loader's menu starts, where Secure Boot asks who has signed it.

use crate::facts::loaders::loader_facts;
use crate::facts::menu_file::{self, is_asked_for};
use crate::facts::{Common, MenuProgram};
use crate::ground::read_at::{ReadAt, Window};
use crate::ground::text;

/// Adds what the menu file in the tree names.
pub(super) fn read(image: &dyn ReadAt, facts: &mut Common) {
    if !facts.esp.iter().any(|volume| is_asked_for(&volume.loaders)) {
        return;
    }
    let window = |path: &[u8]| {
        let name = format!("iso:{}", text::lossless(path));
        let mut extents = facts.extents.iter();
        let extent = extents.find(|extent| extent.paths.contains(&name))?;
        Some(Window::new(image, extent.offset, extent.length))
    };
    let menu = window(format!("/{}", menu_file::PATH.join("/")).as_bytes());
    let menu = menu.filter(|menu| menu.size() <= menu_file::LARGEST as u64);
    let menu = menu.and_then(|menu| menu.read_vec_at(0, menu.size()).ok());
    let program = |started: menu_file::Started| {
        let file = window(&started.path)?;
        Some(MenuProgram {
            title: started.title,
            is_default: started.is_default,
            program: loader_facts(&text::lossless(&started.path), &file),
        })
    };
    facts.menu_programs = menu_file::started(&menu.unwrap_or_default())
        .into_iter()
        .filter_map(program)
        .collect();
}
