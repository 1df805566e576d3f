//! One directory hierarchy (§7.8) over a tree: its directories, path tables (§7.9) and continuation areas.
//!
//! [`Hierarchy::plan`] decides names, orders and lengths; none of them depends on an address. The encoders ask for the addresses ([`Locate`]).

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;

use super::record::system_use_capacity;
use super::rock_ridge::{Place, SystemUse};
use super::{DEPTH, Flavour, Iso9660Error, IsoNode, Kind, Node, Root, SECTION, SECTOR, Tree, identifier};
use crate::ground::block::Block;
use crate::ground::naming;
use crate::ground::range::Range;
use crate::ground::text;

mod encode;

/// §7.8.2.2: levels of a primary hierarchy that every reader sees.
const LEVELS: usize = 8;

/// What readers of Rock Ridge take for a name: `NAME_MAX`.
const NAME: usize = 255;

/// Path tables number a parent with 16 bits, §10.4.4.
const PARENTS: usize = 0xFFFF;

/// The identifiers of a directory's first two records, §7.8.2.
pub(super) const SELF: &[u8] = &[0];
pub(super) const PARENT: &[u8] = &[1];

/// Where things are. The planner, which lays the volume out, knows it.
pub trait Locate {
    /// Why a place is not known.
    type Error;
    /// The first block of a directory.
    fn directory(&self, node: IsoNode) -> Result<Block, Self::Error>;
    /// The block at `offset` bytes into the data of a file, a multiple of a block; asked only of a file that is not empty.
    fn data(&self, node: IsoNode, offset: u64) -> Result<Block, Self::Error>;
    /// The block at `offset` bytes into the continuation area, a multiple of a block; asked only if there is one.
    fn continuation(&self, offset: u64) -> Result<Block, Self::Error>;
}

/// A name that the hierarchy holds in another form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Whose name.
    pub node: IsoNode,
    /// What readers of this hierarchy see.
    pub identifier: String,
}

/// A hierarchy with names, orders and lengths decided.
#[derive(Debug)]
pub struct Hierarchy<T> {
    tree: T,
    flavour: Flavour,
    /// By node: the identifier without version.
    names: Vec<Box<str>>,
    /// By directory: its children in the order of §10.3.
    children: HashMap<IsoNode, Box<[IsoNode]>>,
    /// Directories in the order of the path table, §7.9.1.
    directories: Vec<IsoNode>,
    /// By node: the length of a directory.
    lengths: Vec<u64>,
    /// Where in the continuation area the pieces of a node are, in bytes from its begin; [`ROOT_DOT`] is the root's own.
    continuations: HashMap<IsoNode, Vec<Range>>,
    continuation_length: u64,
    mappings: Vec<Mapping>,
    case_collisions: Vec<(IsoNode, IsoNode)>,
    too_deep: Option<IsoNode>,
}

/// The key of the continuation of the root's `.`; no node has this number.
const ROOT_DOT: IsoNode = IsoNode(u32::MAX);

impl<T: Deref<Target = Tree>> Hierarchy<T> {
    /// Decides everything but addresses.
    ///
    /// # Errors
    /// What this hierarchy cannot hold.
    pub fn plan(tree: T, flavour: Flavour) -> Result<Self, Iso9660Error> {
        let count = tree.nodes.len();
        let mut hierarchy = Self {
            tree,
            flavour,
            names: vec![Box::default(); count],
            children: HashMap::new(),
            directories: Vec::new(),
            lengths: vec![0; count],
            continuations: HashMap::new(),
            continuation_length: 0,
            mappings: Vec::new(),
            case_collisions: Vec::new(),
            too_deep: None,
        };
        hierarchy.check_depth()?;
        hierarchy.name_children()?;
        hierarchy.order_directories()?;
        for directory in hierarchy.directories.clone() {
            hierarchy.measure(directory)?;
        }
        Ok(hierarchy)
    }

    /// Whether this hierarchy has a record of the node.
    fn holds(&self, node: &Node) -> bool {
        match node.kind {
            Kind::Directory | Kind::File { .. } => true,
            Kind::Symlink { .. } | Kind::Device { .. } => self.flavour == Flavour::RockRidge,
        }
    }

    fn is_directory(&self, node: IsoNode) -> bool {
        matches!(self.tree.node(node).kind, Kind::Directory)
    }

    fn check_depth(&mut self) -> Result<(), Iso9660Error> {
        let mut levels = vec![1; self.tree.nodes.len()];
        for (id, node) in self.tree.iter().skip(1) {
            let level: usize = levels[node.parent.index()] + 1;
            levels[id.index()] = level;
            if matches!(node.kind, Kind::Directory) {
                if level > DEPTH {
                    return Err(Iso9660Error::TooDeep { path: self.path(id) });
                }
                if level > LEVELS {
                    self.too_deep.get_or_insert(id);
                }
            }
        }
        Ok(())
    }

    fn name_children(&mut self) -> Result<(), Iso9660Error> {
        let mut children: BTreeMap<IsoNode, Vec<IsoNode>> = BTreeMap::from([(IsoNode::ROOT, Vec::new())]);
        for (id, node) in self.tree.iter().skip(1) {
            if self.flavour == Flavour::RockRidge && node.name.len() > NAME {
                return Err(Iso9660Error::NameTooLong {
                    path: self.path(id),
                    length: node.name.len(),
                });
            }
            if matches!(node.kind, Kind::Directory) {
                children.insert(id, Vec::new());
            }
            if self.holds(node)
                && let Some(siblings) = children.get_mut(&node.parent)
            {
                siblings.push(id);
            }
        }
        let joliet = self.flavour == Flavour::Joliet;
        for (directory, mut ids) in children {
            let nodes: Vec<(&[u8], bool)> = ids
                .iter()
                .map(|&id| (self.tree.node(id).name.as_ref(), self.is_directory(id)))
                .collect();
            for (&id, (name, changed)) in ids.iter().zip(identifier::assign(&nodes, joliet)) {
                if changed {
                    self.mappings.push(Mapping {
                        node: id,
                        identifier: name.clone(),
                    });
                }
                self.names[id.index()] = name.into();
            }
            if joliet {
                let names = ids.iter().map(|&id| (id, &self.names[id.index()]));
                self.case_collisions.extend(naming::case_collisions(names));
            }
            ids.sort_by_cached_key(|&id| identifier::order(&self.names[id.index()]));
            self.children.insert(directory, ids.into());
        }
        Ok(())
    }

    /// §7.9.1: by level, then by the number of the parent, then by identifier.
    fn order_directories(&mut self) -> Result<(), Iso9660Error> {
        self.directories.push(IsoNode::ROOT);
        let mut next = 0;
        while let Some(&parent) = self.directories.get(next) {
            next += 1;
            let children = self.children[&parent].iter().copied();
            let known = self.directories.len();
            self.directories
                .extend(children.filter(|&id| matches!(self.tree.node(id).kind, Kind::Directory)));
            if next > PARENTS && self.directories.len() > known {
                return Err(Iso9660Error::ParentNumber {
                    path: self.path(parent),
                    number: next,
                });
            }
        }
        Ok(())
    }

    /// Runs the encoder without addresses, and gives each continuation its place.
    fn measure(&mut self, directory: IsoNode) -> Result<(), Iso9660Error> {
        let mut length = 0;
        let (mut continuation_length, mut continuations) = (self.continuation_length, Vec::new());
        for (subject, sections, system_use) in self.records(directory) {
            let mut ranges = Vec::new();
            for length in system_use.iter().flat_map(SystemUse::continuation_lengths) {
                let range = Range {
                    offset: within_block(continuation_length, length),
                    length: length.into(),
                };
                continuation_length = range.end();
                ranges.push(range);
            }
            let places: Vec<Place> = ranges.iter().map(|range| place(range, Block::ZERO)).collect();
            let record = self.encode_record(subject, (Block::ZERO, 0), 0, system_use.as_ref(), &places);
            if !ranges.is_empty() {
                continuations.push((subject.key(), ranges));
            }
            for _ in 0..sections {
                length = behind_record(length, record.len() as u64);
            }
        }
        length = length.next_multiple_of(SECTOR);
        if length > SECTION {
            return Err(Iso9660Error::DirectoryTooLong {
                path: self.path(directory),
                length,
            });
        }
        self.lengths[directory.index()] = length;
        self.continuation_length = continuation_length;
        self.continuations.extend(continuations);
        Ok(())
    }

    /// The records of a directory in their order, §10.3: whose, how many in a row, and with what system use. One at a time: a directory
    /// may have more entries than memory should hold in this form.
    fn records(&self, directory: IsoNode) -> impl Iterator<Item = (Subject, u64, Option<SystemUse>)> {
        let subjects = [Subject::Dot(directory), Subject::DotDot(self.parent(directory))];
        let children = self.children[&directory].iter().map(|&id| Subject::Node(id));
        subjects.into_iter().chain(children).map(|subject| {
            let sections = match (subject, &self.tree.node(subject.node()).kind) {
                (Subject::Node(_), Kind::File { length }) => length.div_ceil(SECTION).max(1),
                _ => 1,
            };
            let system_use = (self.flavour == Flavour::RockRidge).then(|| self.system_use(subject));
            (subject, sections, system_use)
        })
    }

    fn system_use(&self, subject: Subject) -> SystemUse {
        let node = self.tree.node(subject.node());
        match subject {
            Subject::Dot(IsoNode::ROOT) => SystemUse::of_root(&node.posix, system_use_capacity(1)),
            Subject::Dot(_) | Subject::DotDot(_) => SystemUse::of_dot(&node.posix, system_use_capacity(1)),
            Subject::Node(id) => {
                let capacity = system_use_capacity(self.identifier(id).len());
                SystemUse::of_node(&node.name, &node.kind, &node.posix, capacity)
            }
        }
    }

    /// The parent of a directory, in the hierarchy; the root's is the root.
    pub(super) fn parent(&self, node: IsoNode) -> IsoNode {
        self.tree.node(node).parent
    }

    /// What the record of a node has for its identifier.
    pub(super) fn identifier(&self, node: IsoNode) -> Vec<u8> {
        identifier::encode(
            &self.names[node.index()],
            self.is_directory(node),
            self.flavour == Flavour::Joliet,
        )
    }

    /// Where in the continuation area the pieces of a record are.
    fn ranges(&self, subject: Subject) -> &[Range] {
        self.continuations.get(&subject.key()).map_or(&[], Vec::as_slice)
    }

    /// The places of a record's continuation.
    fn places<L: Locate>(&self, subject: Subject, locate: &L) -> Result<Vec<Place>, L::Error> {
        let ranges = self.ranges(subject).iter();
        ranges
            .map(|range| Ok(place(range, locate.continuation(range.offset / SECTOR * SECTOR)?)))
            .collect()
    }

    /// Directories in the order of the path table: parents before their children.
    pub fn directories(&self) -> &[IsoNode] {
        &self.directories
    }

    /// The length of a directory, a whole number of logical sectors.
    pub fn directory_length(&self, node: IsoNode) -> u64 {
        self.lengths[node.index()]
    }

    /// The root directory as a volume descriptor names it, if it begins at `offset`.
    pub fn root_record(&self, offset: u64) -> Root {
        Root {
            offset,
            length: self.directory_length(IsoNode::ROOT),
            recorded: self.tree.node(IsoNode::ROOT).posix.mtime,
        }
    }

    /// The length of the continuation area, a whole number of logical blocks; 0 where no record needs one.
    pub fn continuation_length(&self) -> u64 {
        self.continuation_length.next_multiple_of(SECTOR)
    }

    /// The name that readers of this hierarchy see, Rock Ridge apart.
    pub fn name(&self, node: IsoNode) -> String {
        self.names[node.index()].to_string()
    }

    /// Names that this hierarchy holds in another form. A primary identifier that differs only in case does not count.
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// Joliet names that readers which ignore case take for another: the other, and the name.
    pub fn case_collisions(&self) -> &[(IsoNode, IsoNode)] {
        &self.case_collisions
    }

    /// The first directory that is deeper than §7.8.2.2 allows.
    pub fn too_deep(&self) -> Option<IsoNode> {
        self.too_deep
    }

    fn path(&self, mut node: IsoNode) -> String {
        let mut components = Vec::new();
        while node != IsoNode::ROOT {
            components.push(text::visible(&self.tree.node(node).name));
            node = self.tree.node(node).parent;
        }
        components
            .iter()
            .rev()
            .map(|component| format!("/{component}"))
            .collect()
    }
}

/// What a directory record is of.
#[derive(Clone, Copy)]
enum Subject {
    /// The directory itself.
    Dot(IsoNode),
    /// Its parent, by node.
    DotDot(IsoNode),
    Node(IsoNode),
}

impl Subject {
    /// Whose attributes the record has.
    fn node(self) -> IsoNode {
        let (Self::Dot(id) | Self::DotDot(id) | Self::Node(id)) = self;
        id
    }

    /// `.` and `..` fit their records everywhere but in the root.
    fn key(self) -> IsoNode {
        match self {
            Self::Dot(_) | Self::DotDot(_) => ROOT_DOT,
            Self::Node(id) => id,
        }
    }
}

/// The place of a piece whose range in the continuation area is known, and with it the block that holds it.
fn place(range: &Range, block: Block) -> Place {
    Place {
        block,
        within: (range.offset % SECTOR) as u32,
        length: range.length as u32,
    }
}

/// The first place from `offset` where `length` bytes lie inside one block.
fn within_block(offset: u64, length: u32) -> u64 {
    match offset % SECTOR + u64::from(length) > SECTOR {
        true => offset.next_multiple_of(SECTOR),
        false => offset,
    }
}

/// The end of a record that follows `length` bytes of a directory.
fn behind_record(length: u64, record: u64) -> u64 {
    within_block(length, record as u32) + record
}
