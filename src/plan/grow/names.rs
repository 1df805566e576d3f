//! The names that are asked for, in every index of the base.

use std::collections::HashMap;

use super::GrowError;
use super::base_index::BaseIndex;
use super::draft::Draft;
use super::gone::Gone;
use super::listing::Listing;
use super::pairs::partner;
use super::room;
use crate::facts::FileSystem;
use crate::formats::iso9660::edit::NewName;
use crate::formats::iso9660::{self, EntryKind, IsoNode};
use crate::ground::range::Range;
use crate::ground::text;
use crate::plan::iso_tree::IsoTree;
use crate::tree::base::Growth;
use crate::tree::{Kind, NodeId, PayloadId, ROOT};

/// Takes away, changes and adds. Bytes that are `in_use` belong to something else. The result is what a person should know, and where new
/// content stands in the room of the old.
pub(super) fn change(
    growth: &Growth,
    indexes: &mut [BaseIndex],
    in_use: &[Range],
    draft: &mut Draft,
    gone: &mut Gone,
) -> Result<(Vec<String>, Vec<Range>), GrowError> {
    let best = best(indexes, growth.names_of)?;
    let has_udf = growth.names_of == FileSystem::Udf;
    let mut names = Names {
        growth,
        best,
        leaves: indexes.iter().map(|index| has_udf && index.is_stub()).collect(),
        last_serial: last_serial(indexes),
        indexes,
        draft,
        in_use,
        places: HashMap::new(),
        kept: Vec::new(),
        left_out: Vec::new(),
        mapped: Vec::new(),
        gone,
    };
    names.remove()?;
    for (path, payload) in &growth.edits {
        names.edit(path, *payload)?;
    }
    names.add()?;
    let left_out = counted(&names.left_out, "does not show what changes at");
    let mapped = counted(&names.mapped, "has another name for");
    Ok((left_out.into_iter().chain(mapped).collect(), names.kept))
}

/// The number of the index whose names are meant: of the medium's own volume.
fn best(indexes: &[BaseIndex], names_of: FileSystem) -> Result<usize, GrowError> {
    let is_it = |index: &BaseIndex| index.origin() == 0 && index.file_system() == names_of;
    let found = indexes.iter().position(is_it);
    found.ok_or_else(|| {
        GrowError::Unsupported(format!(
            "the names of the image are those of {names_of}, which is not changed in place"
        ))
    })
}

fn last_serial(indexes: &[BaseIndex]) -> Option<u32> {
    let serials = indexes.iter().filter_map(|index| match index {
        BaseIndex::Iso(hierarchy) => hierarchy.last_serial,
        BaseIndex::Udf(_) => None,
    });
    serials.max().filter(|&last| last > 0)
}

struct Names<'n> {
    growth: &'n Growth,
    /// The number of the index whose paths are meant.
    best: usize,
    /// By index: whether it leaves all files to that, and stays as it is.
    leaves: Vec<bool>,
    indexes: &'n mut [BaseIndex],
    draft: &'n mut Draft,
    /// The greatest serial number of a file in the base (RRIP 4.1.1), if files have one there. Readers take names with one number for
    /// names of one file.
    last_serial: Option<u32>,
    in_use: &'n [Range],
    /// Where payloads stand.
    places: HashMap<PayloadId, u64>,
    /// Where new content stands in the room of the old.
    kept: Vec<Range>,
    /// Names that an index does not hold, and what it is called.
    left_out: Vec<(String, String)>,
    /// Names that an index shows in another form, and what it is called.
    mapped: Vec<(String, String)>,
    /// What the names had that go or get another content.
    gone: &'n mut Gone,
}

impl Names<'_> {
    fn of_best(&self) -> &Listing {
        self.indexes[self.best].listing()
    }

    /// For an entry of the best index: number of each index, and the number of the same entry there.
    fn partners(&mut self, entry: usize, path: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for number in 0..self.indexes.len() {
            let best = self.of_best();
            let partner = match number == self.best {
                true => Some(entry),
                false => partner(best, entry, self.indexes[number].listing()),
            };
            let kind = best.get(entry).map(|entry| &entry.kind);
            let holds = matches!(kind, Some(EntryKind::File | EntryKind::Directory)) && !self.leaves[number];
            match partner {
                Some(partner) => found.push((number, partner)),
                None if !holds => {}
                None => {
                    let name = self.indexes[number].name();
                    self.left_out.push((text::visible(path), name));
                }
            }
        }
        found
    }

    fn remove(&mut self) -> Result<(), GrowError> {
        for path in &self.growth.remove {
            let Some(entry) = self.of_best().find(path) else {
                continue;
            };
            for (number, partner) in self.partners(entry, path) {
                let places = self.indexes[number].remove(self.draft, partner)?;
                self.gone.add(places, path);
            }
        }
        Ok(())
    }

    /// Offset and length of the payload. The first call for a payload reserves the place.
    fn place(&mut self, payload: PayloadId, path: &[u8]) -> (u64, u64) {
        let length = self.growth.tree.payload(payload).length;
        if let Some(&offset) = self.places.get(&payload) {
            return (offset, length);
        }
        let offset = self
            .draft
            .place(payload, length, vec![format!("iso:{}", text::lossless(path))]);
        self.places.insert(payload, offset);
        (offset, length)
    }

    /// Gives a file of the base another content.
    fn edit(&mut self, path: &[u8], payload: PayloadId) -> Result<(), GrowError> {
        let entry = self.of_best().find(path);
        let entry = entry.ok_or_else(|| GrowError::Bug(format!("{} is not in the base", text::visible(path))))?;
        let partners = self.partners(entry, path);
        let before = self.reuse_room(payload, &partners, path);
        let place = self.place(payload, path);
        for (number, partner) in partners {
            let places = self.indexes[number].set_content(self.draft, partner, place)?;
            if before.is_none() {
                self.gone.add(places, path);
            }
        }
        let rest = before.and_then(|before| before.length.checked_sub(place.1));
        if let Some(rest @ 1..) = rest {
            self.gone.add(vec![(place.0 + place.1, rest)], path);
        }
        Ok(())
    }

    /// Puts a payload where the old content of these names stands, if it fits. The result is the place of that.
    fn reuse_room(&mut self, payload: PayloadId, names: &[(usize, usize)], path: &[u8]) -> Option<Range> {
        let length = self.growth.tree.payload(payload).length;
        let before = match self.places.contains_key(&payload) {
            true => None,
            false => room::own(self.indexes, names, length, self.in_use, self.draft.cut()),
        }?;
        let range = Range { length, ..before };
        self.draft
            .fill(range, payload, vec![format!("iso:{}", text::lossless(path))]);
        self.places.insert(payload, range.offset);
        self.kept.push(range);
        Some(before)
    }

    /// Adds the nodes of the tree that are new, and replaces names of the base.
    fn add(&mut self) -> Result<(), GrowError> {
        let tree = &self.growth.tree;
        let iso = IsoTree::of(tree);
        // What stands for directories by node, in each index.
        let mut directories: HashMap<NodeId, Vec<Option<u64>>> = HashMap::new();
        for (number, id) in (0..).zip(tree.in_order()) {
            let path = tree.path(id);
            let known = self.of_best().find(&path);
            let is_directory = matches!(tree.node(id).kind, Kind::Directory(_));
            let kind = known
                .and_then(|entry| self.of_best().get(entry))
                .map(|entry| entry.kind.clone());
            match (is_directory, kind) {
                (true, Some(EntryKind::Directory)) => {
                    let mut places = vec![None; self.indexes.len()];
                    let partners = known.map(|known| self.partners(known, &path)).unwrap_or_default();
                    for (number, partner) in partners {
                        places[number] = self.indexes[number].directory(partner);
                    }
                    directories.insert(id, places);
                    continue;
                }
                (true, Some(_)) => {
                    return Err(GrowError::Conflict(format!(
                        "{} is no directory in the base, and has to be one",
                        text::visible(&path)
                    )));
                }
                // A link of the base's that a path leads through.
                (false, Some(_)) if tree.node(id).origin.is_none() => continue,
                (false, Some(EntryKind::Directory)) => {
                    return Err(GrowError::Conflict(format!(
                        "{} is a directory in the base",
                        text::visible(&path)
                    )));
                }
                _ => {}
            }
            if id == ROOT {
                continue;
            }
            let node = iso.tree.node(IsoNode::new(number));
            let parents = directories.get(&tree.node(id).parent).cloned().unwrap_or_default();
            let own = self.add_node(id, node, &path, known, &parents)?;
            if is_directory {
                directories.insert(id, own);
            }
        }
        Ok(())
    }

    fn add_node(
        &mut self,
        id: NodeId,
        node: &iso9660::Node,
        path: &[u8],
        known: Option<usize>,
        parents: &[Option<u64>],
    ) -> Result<Vec<Option<u64>>, GrowError> {
        let payload = match self.growth.tree.node(id).kind {
            Kind::File(payload) => Some(payload),
            _ => None,
        };
        let place = payload.map_or((0, 0), |payload| self.place(payload, path));
        let posix = iso9660::Posix {
            serial: self
                .last_serial
                .map_or(0, |last| last.saturating_add(node.posix.serial)),
            ..node.posix
        };
        let mut own = vec![None; self.indexes.len()];
        let partners: HashMap<usize, usize> = match known {
            Some(known) => self.partners(known, path).into_iter().collect(),
            None => HashMap::new(),
        };
        for (number, index) in self.indexes.iter_mut().enumerate() {
            if self.leaves[number] {
                continue;
            }
            if !index.holds(&node.kind) {
                // Only Rock Ridge records links and devices. If the base has no Rock Ridge, no reader will see them.
                if number == self.best {
                    self.left_out.push((text::visible(path), index.name()));
                }
                continue;
            }
            let Some(&Some(parent)) = parents.get(number) else {
                self.left_out.push((text::visible(path), index.name()));
                continue;
            };
            let identifier = match partners.get(&number) {
                Some(&partner) => {
                    let identifier = index.identifier(self.draft, partner)?;
                    self.gone.add(index.remove(self.draft, partner)?, path);
                    Some(identifier)
                }
                None => None,
            };
            let name = NewName {
                name: &node.name,
                kind: &node.kind,
                posix: &posix,
            };
            let place = match node.kind {
                iso9660::Kind::Directory => index.begin_directory(self.draft, parent, path.to_vec(), name.posix)?,
                _ => place,
            };
            if index.add(self.draft, parent, &name, place, identifier)? {
                self.mapped.push((text::visible(path), index.name()));
            }
            own[number] = matches!(node.kind, iso9660::Kind::Directory).then_some(place.0);
        }
        Ok(own)
    }
}

/// A warning for each index: what it does, with the first path and the number of the others.
fn counted(found: &[(String, String)], does: &str) -> Vec<String> {
    let mut indexes: Vec<&String> = found.iter().map(|(_, index)| index).collect();
    indexes.sort();
    indexes.dedup();
    let warning = |index: &String| {
        let mut paths = found.iter().filter(|(_, of)| of == index).map(|(path, _)| path);
        let first = paths.next().map_or("", String::as_str);
        match paths.count() {
            0 => format!("{index} {does} {first}"),
            more => format!("{index} {does} {first} and {more} more"),
        }
    };
    indexes.into_iter().map(warning).collect()
}
