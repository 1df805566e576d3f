//! Files with areas that coreos-installer fills: it writes into them where they are, and so does isobuild.

use super::areas::Areas;
use super::{Edits, Volumes, ignition};
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::look::contents::{Item, Tree as ImageTree};
use crate::resolve::Resolution;
use crate::tree::PayloadId;

impl Resolution<'_> {
    /// Takes the edits out that leave such a file as long as it is. They stand where the file stands, unless something else has a byte of it.
    pub(super) fn in_place(
        &self,
        image: &dyn ReadAt,
        tree: &ImageTree,
        volumes: &Volumes<'_>,
        edits: &mut Edits,
    ) -> Vec<(Range, PayloadId, Vec<u8>)> {
        if edits.tree.is_empty() {
            return Vec::new();
        }
        let areas = Areas::read(image, tree);
        let of_ignition = ignition::path(image, tree);
        let mut found = Vec::new();
        edits.tree.retain(|(path, payload)| {
            let has_area = areas.are_in(path) || of_ignition.as_ref() == Some(path);
            let item = tree.get(path).filter(|_| has_area);
            let range = item.and_then(|item| own_range(item, tree, volumes));
            let range = range.filter(|range| range.length == self.tree.payload(*payload).length);
            found.extend(range.map(|range| (range, *payload, path.clone())));
            range.is_none()
        });
        found
    }
}

/// The bytes of a file that is in one piece and shares none of them.
fn own_range(item: &Item, tree: &ImageTree, volumes: &Volumes<'_>) -> Option<Range> {
    let [(Some(offset), length)] = item.extents[..] else {
        return None;
    };
    let range = Range { offset, length };
    let meets = |other: Range| other.offset < range.end() && range.offset < other.end();
    let in_files = tree.items().iter().filter(|other| other.path != item.path);
    let mut in_files = in_files
        .flat_map(|other| &other.extents)
        .filter_map(|&(offset, length)| {
            Some(Range {
                offset: offset?,
                length,
            })
        });
    let mut in_volumes = volumes.all.iter().map(|(offset, contents)| Range {
        offset: *offset,
        length: contents.size,
    });
    let is_shared = in_files.any(meets) || in_volumes.any(meets);
    (item.zisofs.is_none() && item.length == length && !is_shared).then_some(range)
}
