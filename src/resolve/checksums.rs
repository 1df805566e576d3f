//! `iso.sha256sums`: the list of the tree's files, with places for digests that are known once all bytes are.

use crate::formats::digest_list;
use crate::ground::text;
use crate::manifest::{At, image_path};
use crate::tree::contents::Checksums;
use crate::tree::source::Giver;
use crate::tree::{Kind, ROOT};

use super::Resolution;

impl Resolution<'_> {
    /// Puts the list of all files into the tree. Nothing may come in after it.
    pub(super) fn checksums(&mut self, path: &At<String>) -> Option<Checksums> {
        // The manifest's own check has reported a path that cannot be used.
        let to = image_path(path.get_ref()).ok()?;
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for node in self.tree.in_order() {
            if let Kind::File(payload) = self.tree.node(node).kind {
                let (line, at) = digest_list::line(&self.tree.path(node)[1..]);
                places.push((bytes.len() + at, payload));
                bytes.extend(line);
            }
        }
        let payload = self.host.inline(&mut self.tree, &bytes, Giver::List);
        let (name, parents) = to.components.split_last()?;
        let parents = parents.iter().map(String::as_bytes);
        let parent = self.tree.directories(ROOT, parents, self.implied);
        let attributes = crate::tree::Attributes {
            mode: 0o644,
            ..self.implied
        };
        let added = parent.and_then(|parent| {
            self.tree
                .insert(parent, name.as_bytes(), Kind::File(payload), attributes, None)
        });
        if let Err(conflict) = added {
            let node = conflict.node();
            let taken = text::visible(&self.tree.path(node));
            self.error(
                path,
                format!("{taken} is in the image already"),
                "the list cannot be here",
            );
        }
        Some(Checksums { payload, places })
    }
}
