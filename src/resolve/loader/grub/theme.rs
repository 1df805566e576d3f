//! `boot.theme.file`: a theme that is in the image, and the fonts that go with it.

use super::config::Theme;
use crate::manifest::image_path;
use crate::resolve::Resolution;
use crate::tree::{Kind, NodeId};

/// Where fonts are that are not the theme's own.
const FONTS: [&[u8]; 3] = [b"boot", b"grub", b"fonts"];

impl Resolution<'_> {
    /// The theme that the manifest names. `None` if it names no theme, or one that cannot be shown, which is reported.
    pub(super) fn grub_theme(&mut self) -> Option<Theme> {
        let document = self.document;
        let theme = document.manifest.boot.theme.as_ref()?.get_ref();
        let file = theme.file.as_ref()?;
        let path = image_path(file.get_ref()).ok()?;
        let components: Vec<&[u8]> = path.components.iter().map(|name| name.as_bytes()).collect();
        let node = self.tree.find(components.iter().copied());
        let Some(node) = node.filter(|&node| matches!(self.tree.node(node).kind, Kind::File(_))) else {
            let message = format!(
                "{:?} is not in the image: no [[files]] entry puts it there",
                file.get_ref()
            );
            self.error(file, message, "this theme");
            return None;
        };
        let parent = self.tree.node(node).parent;
        let shared = self.tree.find(FONTS);
        let shared = shared.filter(|shared| *shared != parent);
        let directories = [Some(parent), shared].into_iter().flatten();
        let fonts: Vec<Vec<u8>> = directories.flat_map(|directory| self.fonts(directory)).collect();
        if fonts.is_empty() {
            let message = "a theme needs a font (.pf2) beside it or in /boot/grub/fonts, and there is none";
            self.error(file, message, "would not be shown");
            return None;
        }
        Some(Theme {
            fonts,
            file: self.tree.path(node),
        })
    }

    /// Paths of the fonts in a directory.
    fn fonts(&self, directory: NodeId) -> Vec<Vec<u8>> {
        let Kind::Directory(children) = &self.tree.node(directory).kind else {
            return Vec::new();
        };
        let fonts = children.iter().filter(|(name, _)| name.ends_with(b".pf2"));
        fonts.map(|(_, node)| self.tree.path(*node)).collect()
    }
}
