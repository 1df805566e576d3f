//! The tree as the ISO 9660 leaf wants it: numbered in the canonical order, with link counts and serial numbers.

use std::collections::HashMap;

use crate::formats::iso9660::{self, IsoNode};
use crate::tree::{Attributes, Kind, PayloadId, ROOT, Tree};

/// File type bits of POSIX `st_mode`, RRIP 4.1.1.
mod file_type {
    pub(super) const CHARACTER: u32 = 0o020_000;
    pub(super) const DIRECTORY: u32 = 0o040_000;
    pub(super) const BLOCK: u32 = 0o060_000;
    pub(super) const REGULAR: u32 = 0o100_000;
    pub(super) const SYMLINK: u32 = 0o120_000;
}

/// The leaf's tree, and which payload each of its nodes stands for.
#[derive(Debug)]
pub(super) struct IsoTree {
    /// Nodes in canonical order.
    pub(super) tree: iso9660::Tree,
    /// By node of `tree`; `None` for a node without data.
    pub(super) payloads: Vec<Option<PayloadId>>,
}

impl IsoTree {
    /// Renumbers the nodes of a tree.
    pub(super) fn of(tree: &Tree) -> Self {
        let order = tree.in_order();
        let mut number = vec![IsoNode::ROOT; tree.node_count()];
        for (new, old) in (0..).zip(&order) {
            number[old.index()] = IsoNode::new(new);
        }
        let mut links: HashMap<(PayloadId, Attributes), (u32, u32)> = HashMap::new();
        let mut subdirectories = vec![0u32; tree.node_count()];
        for (new, &old) in (0u32..).zip(&order) {
            let node = tree.node(old);
            match node.kind {
                Kind::File(payload) if tree.payload(payload).linked => {
                    // Names of one file share a serial number, that of the first.
                    let serial = new + 1;
                    links.entry((payload, node.attributes)).or_insert((serial, 0)).1 += 1;
                }
                Kind::Directory(_) if old != ROOT => subdirectories[node.parent.index()] += 1,
                _ => {}
            }
        }
        let mut nodes = Vec::with_capacity(order.len());
        let mut payloads = Vec::with_capacity(order.len());
        for (new, &old) in (0u32..).zip(&order) {
            let node = tree.node(old);
            let Attributes { mode, uid, gid, mtime } = node.attributes;
            let mut posix = iso9660::Posix {
                mode,
                links: 1,
                uid,
                gid,
                serial: new + 1,
                mtime,
            };
            let mut payload = None;
            let kind = match &node.kind {
                Kind::Directory(_) => {
                    posix.mode |= file_type::DIRECTORY;
                    posix.links = 2 + subdirectories[old.index()];
                    iso9660::Kind::Directory
                }
                Kind::File(id) => {
                    posix.mode |= file_type::REGULAR;
                    if let Some(&(serial, count)) = links.get(&(*id, node.attributes)) {
                        (posix.serial, posix.links) = (serial, count);
                    }
                    payload = Some(*id);
                    iso9660::Kind::File {
                        length: tree.payload(*id).length,
                    }
                }
                Kind::Symlink(target) => {
                    posix.mode |= file_type::SYMLINK;
                    iso9660::Kind::Symlink {
                        target: target.to_vec(),
                    }
                }
                Kind::Device { block, major, minor } => {
                    posix.mode |= if *block { file_type::BLOCK } else { file_type::CHARACTER };
                    iso9660::Kind::Device {
                        major: *major,
                        minor: *minor,
                    }
                }
            };
            payloads.push(payload);
            nodes.push(iso9660::Node {
                parent: number[node.parent.index()],
                name: node.name.clone(),
                kind,
                posix,
            });
        }
        Self {
            tree: iso9660::Tree { nodes },
            payloads,
        }
    }
}
