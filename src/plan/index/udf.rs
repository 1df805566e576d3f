//! UDF: one volume over the files that ISO 9660 has too, or over those that it leaves to UDF.

use std::collections::HashMap;
use std::sync::Arc;

use crate::facts::{Common, FileSystem, MappedName, What};
use crate::formats::iso9660::{IsoNode, Kind, Tree};
use crate::formats::udf::write::{self as udf, Content, FileEntry, Name, UnrecordableFile, VolumeDescription};
use crate::ground::block::BLOCK;
use crate::ground::naming;
use crate::ground::text;
use crate::plan::layout::{IndexId, Need, Where};
use crate::plan::{Late, Plan, PlanError};

use super::{Index, not_mine};

/// File entries in one piece: two MiB.
const ENTRIES: usize = 1024;
/// UDF 3.2.1.1: the root has the unique id 0, the next 15 are kept for others.
const RESERVED: u32 = 15;

/// The volume.
#[derive(Debug)]
pub(in crate::plan) struct Udf {
    tree: Arc<Tree>,
    /// The node of each file entry. Of several names of one file it is the first.
    entries: Vec<IsoNode>,
    /// By node: the number of its file entry; none for what UDF does not hold.
    entry_of: Vec<Option<u32>>,
    /// Nodes by their directories, in their own order.
    children: Vec<IsoNode>,
    /// By node: where in `children` those of a directory begin. They end where the next begin.
    first_child: Vec<u32>,
    /// By directory: the bytes of its content.
    lengths: HashMap<IsoNode, u64>,
    /// Names that have another form.
    mapped: HashMap<IsoNode, Box<str>>,
    /// Names that differ in case alone from an earlier one of their directory, each behind that.
    pub(in crate::plan) case_collisions: Vec<(IsoNode, IsoNode)>,
}

/// Whether UDF has an entry of a node.
fn is_held(kind: &Kind) -> bool {
    matches!(kind, Kind::Directory | Kind::File { .. })
}

impl Udf {
    /// The volume of a tree.
    ///
    /// # Errors
    /// What no file entry can record.
    pub(super) fn plan(tree: &Arc<Tree>) -> Result<Self, PlanError> {
        let count = tree.nodes.len();
        let mut udf = Self {
            tree: Arc::clone(tree),
            entries: Vec::new(),
            entry_of: vec![None; count],
            children: Vec::new(),
            first_child: vec![0; count + 1],
            lengths: HashMap::new(),
            mapped: HashMap::new(),
            case_collisions: Vec::new(),
        };
        udf.number_entries();
        udf.sort_children();
        udf.name_children();
        udf.check()?;
        Ok(udf)
    }

    /// Names of one file share a serial number, which is that of the first, and 1 more than its node's.
    fn number_entries(&mut self) {
        for (node, of) in self.tree.iter().filter(|(_, of)| is_held(&of.kind)) {
            let first = of.posix.serial as usize - 1;
            if first == node.index() {
                self.entry_of[first] = Some(self.entries.len() as u32);
                self.entries.push(node);
            }
            self.entry_of[node.index()] = self.entry_of[first];
        }
    }

    /// By directory, counted first.
    fn sort_children(&mut self) {
        let tree = Arc::clone(&self.tree);
        let held = || tree.iter().skip(1).filter(|(_, of)| is_held(&of.kind));
        for (_, of) in held() {
            self.first_child[of.parent.index() + 1] += 1;
        }
        for at in 1..self.first_child.len() {
            self.first_child[at] += self.first_child[at - 1];
        }
        let mut next = self.first_child.clone();
        self.children = vec![IsoNode::ROOT; held().count()];
        for (node, of) in held() {
            let place = &mut next[of.parent.index()];
            self.children[*place as usize] = node;
            *place += 1;
        }
    }

    fn children(&self, directory: IsoNode) -> &[IsoNode] {
        let [start, end] = [0, 1].map(|behind| self.first_child[directory.index() + behind] as usize);
        &self.children[start..end]
    }

    fn name_children(&mut self) {
        let tree = Arc::clone(&self.tree);
        for (directory, _) in tree.iter().filter(|(_, of)| matches!(of.kind, Kind::Directory)) {
            let children = self.children(directory).to_vec();
            let names: Vec<&[u8]> = children.iter().map(|&child| tree.node(child).name.as_ref()).collect();
            let mapped = udf::assign(&names).into_iter();
            self.mapped
                .extend(mapped.map(|(number, name)| (children[number], name.into())));
            let names = children.iter().map(|&child| (child, self.name(child)));
            let collisions = naming::case_collisions(names);
            let lengths = children.iter().map(|&child| udf::name_length(&self.name(child)));
            let length = udf::name_length("") + lengths.sum::<u64>();
            self.case_collisions.extend(collisions);
            self.lengths.insert(directory, length);
        }
    }

    fn check(&self) -> Result<(), PlanError> {
        for &node in &self.entries {
            self.links(node).map_err(|error| PlanError::Udf {
                path: text::visible(&super::path_in(&self.tree, node, |node| {
                    self.tree.node(node).name.to_vec()
                })),
                error,
            })?;
        }
        Ok(())
    }

    /// Of a directory: its own name and what those in it call their parent. POSIX counts its own entry for itself too.
    fn links(&self, node: IsoNode) -> Result<u16, UnrecordableFile> {
        let of = self.tree.node(node);
        let links = match of.kind {
            Kind::Directory => of.posix.links - 1,
            _ => of.posix.links,
        };
        UnrecordableFile::refuse(links, self.length(node))
    }

    fn length(&self, node: IsoNode) -> u64 {
        match self.tree.node(node).kind {
            Kind::File { length } => length,
            _ => self.lengths.get(&node).copied().unwrap_or(0),
        }
    }

    /// How many names of a kind the tree has that this index does not hold, and the first.
    pub(in crate::plan) fn left_out(&self, is_of_kind: fn(&Kind) -> bool) -> Option<(usize, IsoNode)> {
        let mut found = self
            .tree
            .iter()
            .filter(|(_, of)| !is_held(&of.kind) && is_of_kind(&of.kind));
        let (first, _) = found.next()?;
        Some((1 + found.count(), first))
    }

    /// How many names have another form.
    pub(in crate::plan) fn mapped_count(&self) -> usize {
        self.mapped.len()
    }

    /// The name that readers of UDF see.
    pub(in crate::plan) fn name(&self, node: IsoNode) -> std::borrow::Cow<'_, str> {
        match self.mapped.get(&node) {
            Some(name) => name.as_ref().into(),
            None => String::from_utf8_lossy(&self.tree.node(node).name),
        }
    }

    /// The path that readers of UDF see.
    pub(in crate::plan) fn path(&self, node: IsoNode) -> String {
        let path = super::path_in(&self.tree, node, |node| self.name(node).into_owned().into_bytes());
        format!("udf:{}", text::lossless(&path))
    }

    fn number(&self, node: IsoNode) -> Result<u32, PlanError> {
        let number = self.entry_of.get(node.index()).copied().flatten();
        number.ok_or_else(|| PlanError::Bug(format!("{node:?} has no file entry")))
    }

    fn unique_id(number: u32) -> u32 {
        if number == 0 { 0 } else { number + RESERVED }
    }

    /// Where a file entry is.
    fn entry(&self, number: u32, plan: &Plan) -> Result<u64, PlanError> {
        let (piece, within) = (number / ENTRIES as u32, number % ENTRIES as u32);
        let piece = plan.places.piece(IndexId::Udf, What::UdfFileEntry, piece)?;
        Ok(piece + u64::from(within) * udf::FILE_ENTRY_LENGTH)
    }

    fn description(&self, plan: &Plan) -> Result<VolumeDescription, PlanError> {
        let directories = self.lengths.len() as u32;
        let count = self.entries.len() as u32;
        Ok(VolumeDescription {
            label: plan.contents.identifiers.volume.clone(),
            unique: plan.identity.bytes("udf"),
            time: plan.contents.timestamp,
            end: plan.places.piece(IndexId::Udf, What::UdfAnchor, 1)?,
            root: self.entry(0, plan)?,
            files: count - directories,
            directories,
            next_unique_id: u64::from(count + RESERVED),
        })
    }

    fn file_entries(&self, piece: u32, plan: &Plan) -> Result<Vec<u8>, PlanError> {
        let first = piece as usize * ENTRIES;
        let nodes = self.entries.iter().skip(first).take(ENTRIES);
        let mut bytes = Vec::with_capacity(nodes.len() * udf::FILE_ENTRY_LENGTH as usize);
        for (number, &node) in (first as u32..).zip(nodes) {
            let of = self.tree.node(node);
            let length = self.length(node);
            let (content, start) = match of.kind {
                Kind::Directory => {
                    let place = plan.places.piece(IndexId::Udf, What::UdfDirectory, node.number())?;
                    (Content::Directory, Some(place))
                }
                _ => {
                    let payload = plan.nodes.get(node.index()).copied().flatten();
                    let payload = payload.filter(|_| length > 0);
                    let start = payload.map(|payload| plan.places.stored(payload)).transpose()?;
                    (Content::File, start)
                }
            };
            let entry = FileEntry {
                content,
                length,
                start,
                mode: of.posix.mode,
                uid: of.posix.uid,
                gid: of.posix.gid,
                links: self.links(node).map_err(|error| PlanError::Bug(error.to_string()))?,
                modified: of.posix.mtime,
                unique_id: Self::unique_id(number).into(),
            };
            udf::file_entry(&entry, self.entry(number, plan)?, &mut bytes)?;
        }
        Ok(bytes)
    }

    fn directory(&self, directory: IsoNode, plan: &Plan) -> Result<Vec<u8>, PlanError> {
        let place = plan
            .places
            .piece(IndexId::Udf, What::UdfDirectory, directory.number())?;
        let mut content = udf::Directory::new(place, self.length(directory))?;
        let number = self.number(self.tree.node(directory).parent)?;
        content.parent(self.entry(number, plan)?, Self::unique_id(number))?;
        for &child in self.children(directory) {
            let number = self.number(child)?;
            content.name(Name {
                name: &self.name(child),
                is_directory: matches!(self.tree.node(child).kind, Kind::Directory),
                entry: self.entry(number, plan)?,
                unique_id: Self::unique_id(number),
            })?;
        }
        Ok(content.finish())
    }
}

impl Index for Udf {
    fn needs(&self, what: What, ask: &mut dyn FnMut(Need)) {
        let next = Where::Next(BLOCK);
        match what {
            What::UdfRecognition => ask(Need::new(0, udf::RECOGNITION_LENGTH, next)),
            What::UdfVolumeDescriptors => {
                for (number, start) in (0..).zip(udf::SEQUENCES) {
                    ask(Need::new(number, udf::SEQUENCE_LENGTH, Where::At(start)));
                }
            }
            What::UdfIntegrity => ask(Need::new(0, udf::PAIR_LENGTH, Where::At(udf::INTEGRITY))),
            What::UdfAnchor => {
                ask(Need::new(0, BLOCK, Where::At(udf::FIRST_ANCHOR)));
                ask(Need::new(1, BLOCK, Where::FromEnd(udf::LAST_ANCHOR)));
            }
            What::UdfFileSet => ask(Need::new(0, udf::PAIR_LENGTH, Where::At(udf::PARTITION))),
            What::UdfFileEntry => {
                for (number, entries) in (0..).zip(self.entries.chunks(ENTRIES)) {
                    ask(Need::new(number, entries.len() as u64 * udf::FILE_ENTRY_LENGTH, next));
                }
            }
            What::UdfDirectory => {
                let nodes = self.entries.iter();
                for &node in nodes.filter(|&&node| matches!(self.tree.node(node).kind, Kind::Directory)) {
                    let length = self.length(node);
                    let place = match node {
                        IsoNode::ROOT => Where::FromEnd(udf::LAST_ANCHOR + length.next_multiple_of(BLOCK)),
                        _ => next,
                    };
                    ask(Need::new(node.number(), length, place));
                }
            }
            _ => {}
        }
    }

    fn encode(&self, piece: (What, u32), plan: &Plan, _: &Late) -> Result<Vec<u8>, PlanError> {
        let (what, number) = piece;
        let place = || plan.places.piece(IndexId::Udf, what, number);
        Ok(match what {
            What::UdfRecognition => udf::recognition(),
            What::UdfVolumeDescriptors => self.description(plan)?.sequence(place()?)?,
            What::UdfIntegrity => self.description(plan)?.integrity()?,
            What::UdfAnchor => udf::anchor(place()?)?,
            What::UdfFileSet => self.description(plan)?.file_set()?,
            What::UdfFileEntry => self.file_entries(number, plan)?,
            What::UdfDirectory => self.directory(IsoNode::new(number), plan)?,
            _ => return Err(not_mine(piece)),
        })
    }

    fn describe(&self, _: &Plan, _: &Late, facts: &mut Common) -> Result<(), PlanError> {
        facts.filesystems.push(FileSystem::Udf);
        Ok(())
    }

    fn piece_names(&self, (what, number): (What, u32), _: &Plan) -> Vec<String> {
        match what {
            What::UdfDirectory => vec![self.path(IsoNode::new(number))],
            _ => Vec::new(),
        }
    }

    fn name_map(&self, plan: &Plan) -> Vec<MappedName> {
        let mut mapped: Vec<_> = self.mapped.iter().collect();
        mapped.sort_unstable();
        let named = mapped.into_iter().map(|(&node, name)| MappedName {
            path: text::lossless(&plan.node_path(node)),
            index: FileSystem::Udf,
            name: name.to_string(),
        });
        named.collect()
    }
}
