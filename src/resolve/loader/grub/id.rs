//! The file by which GRUB finds the medium: its name is the image's own.

use sha2::{Digest, Sha256};

use crate::ground::text;
use crate::resolve::Resolution;
use crate::tree::{Kind, Tree};

/// Says what it is for, to whoever opens it.
const CONTENT: &[u8] = b"GRUB finds this medium by the name of this file.\n";

impl Resolution<'_> {
    /// Puts the file into the tree, and gives its path. The name is a digest of what is in the tree and of the menu, so that a copy of the medium
    /// has the same and another image another one.
    pub(super) fn id_file(&mut self, menu: &[u8]) -> String {
        let mut digest = Sha256::new();
        let label = crate::resolve::identifiers(self.document, self.output()).volume;
        for text in [label.as_bytes(), menu] {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        sum(&self.tree, &mut digest);
        let digits = text::hex(&digest.finalize()[..16]);
        let payload = self.made(CONTENT);
        let path = ["boot", "isobuild", digits.as_str()];
        self.place_own(&path, payload);
        format!("/{}", path.join("/"))
    }
}

/// Paths, kinds and contents.
fn sum(tree: &Tree, digest: &mut Sha256) {
    for id in tree.in_order() {
        let path = tree.path(id);
        digest.update((path.len() as u64).to_le_bytes());
        digest.update(path);
        match &tree.node(id).kind {
            Kind::Directory(_) => digest.update([0]),
            Kind::File(payload) => {
                let payload = tree.payload(*payload);
                digest.update([1]);
                digest.update(payload.length.to_le_bytes());
                digest.update(payload.digest);
            }
            Kind::Symlink(target) => {
                digest.update([2]);
                digest.update((target.len() as u64).to_le_bytes());
                digest.update(target);
            }
            Kind::Device { block, major, minor } => {
                digest.update([3, u8::from(*block)]);
                digest.update(major.to_le_bytes());
                digest.update(minor.to_le_bytes());
            }
        }
    }
}
