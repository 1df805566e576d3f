//! What the base holds, as far as changes depend on it.

use std::rc::Rc;

use super::esp::Volumes;
use crate::ground::read_at::ReadAt;
use crate::look::contents::{ContentsError, Tree as ImageTree};
use crate::look::menu::{Menu, Reader};

/// What the base says of itself.
pub(super) struct Original<'i> {
    pub(super) image: &'i dyn ReadAt,
    pub(super) tree: &'i ImageTree,
    pub(super) menu: Menu,
    /// Reads the menus again, with other texts.
    pub(super) reader: Reader<'i>,
}

impl<'i> Original<'i> {
    pub(super) fn read(image: &'i dyn ReadAt, tree: &'i Rc<ImageTree>) -> Result<Self, ContentsError> {
        let reader = Reader::new(image, Rc::clone(tree))?;
        Ok(Self {
            image,
            tree,
            menu: reader.read(),
            reader,
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

    /// Whether a volume has a file of this path: the tree, or a FAT volume by its number.
    pub(super) fn has_file(&self, volumes: &Volumes<'_>, volume: usize, path: &[u8]) -> bool {
        match volume.checked_sub(1) {
            None => self.tree.get(path).is_some(),
            Some(index) => volumes.all.get(index).is_some_and(|(_, contents)| {
                let mut entries = contents.entries.iter();
                entries.any(|entry| entry.path.as_bytes().eq_ignore_ascii_case(path))
            }),
        }
    }
}
