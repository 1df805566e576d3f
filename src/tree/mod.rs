//! What goes into an image: nodes in an arena, and the payloads they share. No addresses.

pub mod base;
pub mod contents;
pub mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ground::time::Timestamp;
use crate::tree::source::Source;

/// A node of a [`Tree`]; [`ROOT`] is the root directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

impl NodeId {
    /// Its place among all nodes, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A payload of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadId(usize);

impl PayloadId {
    /// Its place among all payloads, from 0.
    pub fn index(self) -> usize {
        self.0
    }

    /// The payload at a place among all.
    #[cfg(test)]
    pub(crate) fn at(index: usize) -> Self {
        Self(index)
    }
}

/// The root directory of every tree.
pub const ROOT: NodeId = NodeId(0);

/// The directory tree of the ISO 9660 volume and every payload of the image, those of the ESP and the boot images included.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    payloads: Vec<Payload>,
}

/// A name in the tree.
#[derive(Debug)]
pub struct Node {
    /// The directory that holds it; the root holds itself.
    pub parent: NodeId,
    /// One path component as bytes, without `/` and NUL; empty for the root.
    pub name: Arc<[u8]>,
    /// What the name stands for.
    pub kind: Kind,
    /// Permissions, owner and time.
    pub attributes: Attributes,
    /// Which `[[files]]` entry put it here; none for directories that a path implies.
    pub origin: Option<u32>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Children by name, in the order of their bytes: the order of the host's directory never shows.
    Directory(BTreeMap<Arc<[u8]>, NodeId>),
    /// Names that share a payload share its extent.
    File(PayloadId),
    /// The target, any bytes.
    Symlink(Box<[u8]>),
    /// A character or block device.
    Device {
        /// A block device, not a character device.
        block: bool,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// The POSIX side of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attributes {
    /// The twelve permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time.
    pub mtime: Timestamp,
}

/// Bytes that the image stores once, however many names and formats point at them.
#[derive(Debug)]
pub struct Payload {
    /// In bytes.
    pub length: u64,
    /// Where the bytes come from.
    pub source: Source,
    /// What stands for the content in the identity of the image, which GUIDs come from; zero where no identity is asked for.
    pub digest: [u8; 32],
    /// Address fields that are filled in, and the bytes around them.
    pub patched: Option<Patched>,
    /// Where the image's id stands in bytes that are in memory: 32 hexadecimal digits, zeros until the id is known.
    pub image_id: Option<usize>,
    /// Whether its names are links to one file. Otherwise they are files that have the same bytes.
    pub linked: bool,
}

impl Payload {
    /// A payload whose bytes are stored as they are.
    pub fn new(length: u64, source: Source, digest: [u8; 32]) -> Self {
        Self {
            length,
            source,
            digest,
            patched: None,
            image_id: None,
            linked: false,
        }
    }
}

/// A boot image that is kept in memory, since its own address is written into it.
#[derive(Clone, Debug)]
pub struct Patched {
    /// Which fields.
    pub patch: Patch,
    /// All bytes, as they were read.
    pub bytes: Arc<[u8]>,
}

/// Address fields inside a BIOS boot image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// The boot information table at byte 8.
    Isolinux,
    /// The same table, and the u64 at 2548.
    Grub2,
}

/// Why a node cannot be put where it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Another node has this very path.
    Occupied(NodeId),
    /// A component of the path is not a directory.
    NotDirectory(NodeId),
    /// A component of the path is a link that does not lead to a directory of the tree.
    Link(NodeId),
}

impl Conflict {
    /// The node that is in the way.
    pub fn node(&self) -> NodeId {
        match *self {
            Self::Occupied(node) | Self::NotDirectory(node) | Self::Link(node) => node,
        }
    }
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// There is no such name.
    Missing,
    /// This link leads to no name of the tree, or back to itself.
    Link(NodeId),
}

impl Tree {
    /// A tree of nothing but a root directory.
    pub fn new(root: Attributes) -> Self {
        let kind = Kind::Directory(BTreeMap::new());
        let root = Node {
            parent: ROOT,
            name: Arc::default(),
            kind,
            attributes: root,
            origin: None,
        };
        Self {
            nodes: vec![root],
            payloads: Vec::new(),
        }
    }

    /// The node `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The payload `id`.
    pub fn payload(&self, id: PayloadId) -> &Payload {
        &self.payloads[id.0]
    }

    /// Every payload, in the order of their ids.
    pub fn payloads(&self) -> &[Payload] {
        &self.payloads
    }

    /// How many nodes there are, the root included.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Adds bytes that nothing points at yet.
    pub fn add_payload(&mut self, payload: Payload) -> PayloadId {
        self.payloads.push(payload);
        PayloadId(self.payloads.len() - 1)
    }

    /// Asks for address fields in the payload `id`, whose identity has a digest of what else is in it.
    pub fn set_patched(&mut self, id: PayloadId, patched: Patched, digest: [u8; 32]) {
        let payload = &mut self.payloads[id.0];
        payload.patched = Some(patched);
        payload.digest = digest;
    }

    /// Marks the names of a payload as links to one file.
    pub fn set_linked(&mut self, id: PayloadId) {
        self.payloads[id.0].linked = true;
    }

    /// Asks for the image's id in the payload `id`, at a byte of it.
    pub fn set_image_id(&mut self, id: PayloadId, at: usize) {
        self.payloads[id.0].image_id = Some(at);
    }

    /// Gives an existing directory the attributes that a manifest asks for.
    pub fn set_attributes(&mut self, id: NodeId, attributes: Attributes, origin: u32) {
        self.nodes[id.0].attributes = attributes;
        self.nodes[id.0].origin = Some(origin);
    }

    /// The child of the directory `parent` called `name`.
    pub fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.nodes[parent.0].kind {
            Kind::Directory(children) => children.get(name).copied(),
            _ => None,
        }
    }

    /// The node at `components` from the root.
    pub fn find<'a>(&self, components: impl IntoIterator<Item = &'a [u8]>) -> Option<NodeId> {
        components
            .into_iter()
            .try_fold(ROOT, |node, name| self.child(node, name))
    }

    /// The node at `components` from the root, symbolic links followed: what they lead to, by their targets inside the tree.
    pub fn follow(&self, components: &[&[u8]]) -> Result<NodeId, Lost> {
        // As many as Linux follows.
        const LINKS: usize = 40;
        let mut left: Vec<Vec<u8>> = components.iter().rev().map(|name| name.to_vec()).collect();
        let (mut at, mut links, mut through) = (ROOT, 0, None);
        while let Some(name) = left.pop() {
            match &name[..] {
                b"" | b"." => continue,
                b".." => {
                    at = self.nodes[at.0].parent;
                    continue;
                }
                _ => {}
            }
            let lost = through.map_or(Lost::Missing, Lost::Link);
            let node = self.child(at, &name).ok_or(lost)?;
            let Kind::Symlink(target) = &self.nodes[node.0].kind else {
                at = node;
                continue;
            };
            links += 1;
            if links > LINKS {
                return Err(Lost::Link(node));
            }
            through = Some(node);
            if target.starts_with(b"/") {
                at = ROOT;
            }
            left.extend(target.split(|&byte| byte == b'/').rev().map(<[u8]>::to_vec));
        }
        Ok(at)
    }

    /// Puts a new node under the directory `parent`.
    pub fn insert(
        &mut self,
        parent: NodeId,
        name: &[u8],
        kind: Kind,
        attributes: Attributes,
        origin: Option<u32>,
    ) -> Result<NodeId, Conflict> {
        let id = NodeId(self.nodes.len());
        let Kind::Directory(children) = &mut self.nodes[parent.0].kind else {
            return Err(Conflict::NotDirectory(parent));
        };
        if let Some(&other) = children.get(name) {
            return Err(Conflict::Occupied(other));
        }
        let name: Arc<[u8]> = name.into();
        children.insert(name.clone(), id);
        self.nodes.push(Node {
            parent,
            name,
            kind,
            attributes,
            origin,
        });
        Ok(id)
    }

    /// Changes what a node is. The node must not be a directory.
    pub fn replace(&mut self, node: NodeId, kind: Kind, attributes: Attributes, origin: Option<u32>) {
        let node = &mut self.nodes[node.0];
        (node.kind, node.attributes, node.origin) = (kind, attributes, origin);
    }

    /// Finds the directory `name` under `parent`, or creates it with the attributes `implied`. The function follows a symbolic link to a
    /// directory of the tree, as GNU tar's `--keep-directory-symlink` does: a system's `/lib` is often such a link.
    pub fn directory(&mut self, parent: NodeId, name: &[u8], implied: Attributes) -> Result<NodeId, Conflict> {
        match self.child(parent, name) {
            Some(id) if matches!(self.nodes[id.0].kind, Kind::Directory(_)) => Ok(id),
            Some(id) if matches!(self.nodes[id.0].kind, Kind::Symlink(_)) => {
                let path = self.path(id);
                let components: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
                match self.follow(&components) {
                    Ok(there) if matches!(self.nodes[there.0].kind, Kind::Directory(_)) => Ok(there),
                    _ => Err(Conflict::Link(id)),
                }
            }
            Some(id) => Err(Conflict::NotDirectory(id)),
            None => self.insert(parent, name, Kind::Directory(BTreeMap::new()), implied, None),
        }
    }

    /// Finds the directory at `path` under `from`, and creates each directory on the way that is missing.
    pub fn directories<'p>(
        &mut self,
        from: NodeId,
        path: impl IntoIterator<Item = &'p [u8]>,
        implied: Attributes,
    ) -> Result<NodeId, Conflict> {
        path.into_iter()
            .try_fold(from, |node, name| self.directory(node, name, implied))
    }

    /// Gives back the memory that was kept for more nodes and payloads.
    pub fn shrink_to_fit(&mut self) {
        self.nodes.shrink_to_fit();
        self.payloads.shrink_to_fit();
    }

    /// Every node in the one canonical order: a directory before its children, these in the order of their names' bytes.
    /// It depends on the paths alone, not on the order of the manifest or of the host's directories.
    pub fn in_order(&self) -> Vec<NodeId> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut pending = vec![ROOT];
        while let Some(id) = pending.pop() {
            order.push(id);
            if let Kind::Directory(children) = &self.nodes[id.0].kind {
                pending.extend(children.values().rev());
            }
        }
        order
    }

    /// The absolute path of a node as bytes: `/` for the root.
    pub fn path(&self, id: NodeId) -> Vec<u8> {
        if id == ROOT {
            return b"/".to_vec();
        }
        let mut components = Vec::new();
        let mut at = id;
        while at != ROOT {
            components.push(&self.nodes[at.0].name);
            at = self.nodes[at.0].parent;
        }
        let mut path = Vec::new();
        for name in components.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        path
    }
}
