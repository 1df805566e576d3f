//! What the base holds, as far as changes depend on it.

use crate::ground::read_at::ReadAt;
use crate::look::contents::{ContentsError, Tree as ImageTree};
use crate::look::menu::{self, Menu};

/// What the base says of itself.
pub(super) struct Original<'i> {
    pub(super) image: &'i dyn ReadAt,
    pub(super) tree: &'i ImageTree,
    pub(super) menu: Menu,
}

impl<'i> Original<'i> {
    pub(super) fn read(image: &'i dyn ReadAt, tree: &'i ImageTree) -> Result<Self, ContentsError> {
        Ok(Self {
            image,
            tree,
            menu: menu::read(image)?,
        })
    }

    /// Whether the tree has a file or directory of this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.tree.get(path.as_bytes()).is_some()
    }

    /// Whether an entry of the menus gives its kernel an argument that begins so.
    pub(super) fn is_given(&self, start: &str) -> bool {
        let mut words = self.menu.entries.iter().flat_map(|entry| entry.cmdline.split(' '));
        words.any(|word| word.starts_with(start))
    }

    /// Whether the image is laid out as SUSE's are: `/boot/x86_64/loader/linux`, `/boot/aarch64/linux`.
    pub(super) fn is_suse(&self) -> bool {
        let mut paths = self
            .tree
            .items()
            .iter()
            .map(|item| item.path.split(|&byte| byte == b'/'));
        paths.any(|mut parts| {
            let (start, _processor) = (parts.by_ref().nth(1), parts.next());
            let rest: Vec<&[u8]> = parts.collect();
            start == Some(b"boot") && matches!(rest.as_slice(), [b"loader", b"linux"] | [b"linux"])
        })
    }
}
