//! The ISO 9660 hierarchies: the primary one, with Rock Ridge or without, and Joliet, which is ISO 9660 with other words.

use std::sync::Arc;

use crate::facts::{Common, Counts, FileSystem, Identifiers, MappedName, What};
use crate::formats::iso9660::{
    self, Endian, FIELD_LENGTH, Flavour, Hierarchy, IsoNode, Kind, Locate, MediaMd5, SECTOR, Tree, VolumeDescriptor,
    VolumeKind,
};
use crate::ground::block::Block;
use crate::ground::text;
use crate::plan::layout::{IndexId, Need, Where};
use crate::plan::{Late, Plan, PlanError};
use crate::tree::PayloadId;
use crate::tree::contents::Contents;

use super::{Index, not_mine, path_in};

/// What the structures of a hierarchy are called.
#[derive(Debug)]
struct Words {
    id: IndexId,
    kind: VolumeKind,
    descriptor: What,
    path_table_l: What,
    path_table_m: What,
    directory: What,
    /// In the map of names.
    index: FileSystem,
}

const PRIMARY: Words = Words {
    id: IndexId::Iso,
    kind: VolumeKind::Primary,
    descriptor: What::PrimaryDescriptor,
    path_table_l: What::PathTableL,
    path_table_m: What::PathTableM,
    directory: What::Directory,
    index: FileSystem::Iso9660,
};

const JOLIET: Words = Words {
    id: IndexId::Joliet,
    kind: VolumeKind::Joliet,
    descriptor: What::JolietDescriptor,
    path_table_l: What::JolietPathTableL,
    path_table_m: What::JolietPathTableM,
    directory: What::JolietDirectory,
    index: FileSystem::Joliet,
};

/// The one file of an ISO 9660 hierarchy that leaves the tree to UDF, named as media of Windows have it.
const README: &str = "README.TXT";

/// A hierarchy and its words.
#[derive(Debug)]
pub(in crate::plan) struct Iso {
    pub(in crate::plan) hierarchy: Hierarchy<Arc<Tree>>,
    words: &'static Words,
    /// The one file of a hierarchy that leaves the tree to UDF.
    readme: Option<PayloadId>,
}

/// Where the nodes of a hierarchy are.
struct Places<'p> {
    plan: &'p Plan,
    iso: &'p Iso,
}

impl Locate for Places<'_> {
    type Error = PlanError;

    fn directory(&self, node: IsoNode) -> Result<Block, PlanError> {
        block(
            self.plan
                .places
                .piece(self.iso.words.id, self.iso.words.directory, node.number())?,
        )
    }

    fn data(&self, node: IsoNode, offset: u64) -> Result<Block, PlanError> {
        let payload = match self.iso.readme {
            Some(readme) => Some(readme),
            None => self.plan.nodes.get(node.index()).copied().flatten(),
        };
        let missing = || PlanError::Bug(format!("{node:?} has no payload"));
        block(self.plan.places.stored(payload.ok_or_else(missing)?)? + offset)
    }

    fn continuation(&self, offset: u64) -> Result<Block, PlanError> {
        block(self.plan.places.piece(self.iso.words.id, What::ContinuationArea, 0)? + offset)
    }
}

fn block(offset: u64) -> Result<Block, PlanError> {
    Ok(Block::at(offset).map_err(iso9660::Iso9660Error::from)?)
}

impl Iso {
    /// The hierarchy of a tree.
    pub(super) fn plan(tree: &Arc<Tree>, flavour: Flavour) -> Result<Self, PlanError> {
        let words = match flavour {
            Flavour::Joliet => &JOLIET,
            _ => &PRIMARY,
        };
        let hierarchy = Hierarchy::plan(Arc::clone(tree), flavour)?;
        Ok(Self {
            hierarchy,
            words,
            readme: None,
        })
    }

    /// A hierarchy of nothing but a README.
    pub(super) fn stub(contents: &Contents, readme: PayloadId) -> Result<Self, PlanError> {
        let node = |name: &[u8], kind| iso9660::Node {
            parent: IsoNode::ROOT,
            name: name.into(),
            kind,
            posix: iso9660::Posix {
                mode: 0,
                links: 1,
                uid: 0,
                gid: 0,
                serial: 1,
                mtime: contents.timestamp,
            },
        };
        let length = contents.tree.payload(readme).length;
        let nodes = vec![
            node(b"", Kind::Directory),
            node(README.as_bytes(), Kind::File { length }),
        ];
        Ok(Self {
            hierarchy: Hierarchy::plan(Arc::new(Tree { nodes }), Flavour::Plain)?,
            words: &PRIMARY,
            readme: Some(readme),
        })
    }

    /// The name of a payload that this hierarchy alone has.
    pub(in crate::plan) fn own_path(&self, payload: PayloadId) -> Option<String> {
        (self.readme == Some(payload)).then(|| format!("iso:/{README}"))
    }

    fn is_primary(&self) -> bool {
        self.words.kind == VolumeKind::Primary
    }

    fn descriptor(&self, plan: &Plan, late: &Late) -> Result<Vec<u8>, PlanError> {
        let contents = &plan.contents;
        let root = self.words.directory;
        let root = plan.places.piece(self.words.id, root, IsoNode::ROOT.number())?;
        let table = |what| plan.places.piece(self.words.id, what, 0);
        let descriptor = VolumeDescriptor {
            kind: self.words.kind,
            identifiers: contents.identifiers.clone(),
            space: plan.size(),
            path_table_length: self.hierarchy.path_table_length(),
            path_table_l: table(self.words.path_table_l)?,
            path_table_m: table(self.words.path_table_m)?,
            root: self.hierarchy.root_record(root),
            created: contents.timestamp,
            application_use: match &late.media_md5 {
                Some(media_md5) if self.is_primary() => media_md5.encode(),
                None if self.is_primary() && contents.implant_md5 => MediaMd5::absent(),
                _ => [0; FIELD_LENGTH],
            },
        };
        Ok(descriptor.encode()?.to_vec())
    }

    fn places<'p>(&'p self, plan: &'p Plan) -> Places<'p> {
        Places { plan, iso: self }
    }

    /// Without Rock Ridge links and devices are not in the image.
    fn counts(plan: &Plan) -> Counts {
        let mut counts = Counts::default();
        for node in &plan.iso.nodes {
            match node.kind {
                Kind::Directory => counts.directories += 1,
                Kind::File { .. } => counts.files += 1,
                _ if !plan.contents.rock_ridge => {}
                Kind::Symlink { .. } => counts.symlinks += 1,
                _ => counts.others += 1,
            }
        }
        counts
    }
}

impl Index for Iso {
    fn needs(&self, what: What, ask: &mut dyn FnMut(Need)) {
        let words = self.words;
        let next = Where::Next(SECTOR);
        if what == words.descriptor || (what == What::Terminator && self.is_primary()) {
            ask(Need::new(0, SECTOR, next));
        } else if what == words.path_table_l || what == words.path_table_m {
            ask(Need::new(0, self.hierarchy.path_table_length(), next));
        } else if what == words.directory {
            for &node in self.hierarchy.directories() {
                ask(Need::new(node.number(), self.hierarchy.directory_length(node), next));
            }
        } else if what == What::ContinuationArea && self.is_primary() {
            ask(Need::new(0, self.hierarchy.continuation_length(), next));
        }
    }

    fn encode(&self, piece: (What, u32), plan: &Plan, late: &Late) -> Result<Vec<u8>, PlanError> {
        let (words, places) = (self.words, self.places(plan));
        match piece {
            (what, _) if what == words.descriptor => self.descriptor(plan, late),
            (what, _) if what == words.path_table_l => self.hierarchy.path_table(Endian::Little, &places),
            (what, _) if what == words.path_table_m => self.hierarchy.path_table(Endian::Big, &places),
            (what, node) if what == words.directory => self.hierarchy.directory(IsoNode::new(node), &places),
            (What::Terminator, _) => Ok(iso9660::terminator().to_vec()),
            (What::ContinuationArea, _) => self.hierarchy.continuation(&places),
            _ => Err(not_mine(piece)),
        }
    }

    fn describe(&self, plan: &Plan, late: &Late, facts: &mut Common) -> Result<(), PlanError> {
        if !self.is_primary() {
            facts.filesystems.push(FileSystem::Joliet);
            return Ok(());
        }
        let ids = &plan.contents.identifiers;
        facts.volume_id.clone_from(&ids.volume);
        facts.media_md5 = late.media_md5.as_ref().map(|implanted| implanted.md5.clone());
        facts.identifiers = Identifiers {
            system_id: ids.system.clone(),
            volume_set_id: ids.volume_set.clone(),
            publisher_id: ids.publisher.clone(),
            preparer_id: ids.preparer.clone(),
            application_id: ids.application.clone(),
            created: plan.contents.timestamp.to_string(),
        };
        facts.filesystems.push(FileSystem::Iso9660);
        if plan.contents.rock_ridge {
            facts.filesystems.push(FileSystem::RockRidge);
        }
        facts.counts = Self::counts(plan);
        Ok(())
    }

    /// Directories of the primary hierarchy are named as it names them: by Rock Ridge, or by identifier.
    fn piece_names(&self, (what, number): (What, u32), plan: &Plan) -> Vec<String> {
        if what != self.words.directory {
            return Vec::new();
        }
        let is_rock_ridge = self.is_primary() && plan.contents.rock_ridge;
        let path = path_in(&plan.iso, IsoNode::new(number), |node| match is_rock_ridge {
            true => plan.iso.node(node).name.to_vec(),
            false => self.hierarchy.name(node).into_bytes(),
        });
        vec![format!("iso:{}", text::lossless(&path))]
    }

    fn name_map(&self, plan: &Plan) -> Vec<MappedName> {
        let mappings = self.hierarchy.mappings().iter();
        mappings
            .map(|mapping| MappedName {
                path: text::lossless(&plan.node_path(mapping.node)),
                index: self.words.index,
                name: mapping.identifier.clone(),
            })
            .collect()
    }
}

impl Plan {
    /// The path of a node of the ISO tree.
    pub(in crate::plan) fn node_path(&self, node: IsoNode) -> Vec<u8> {
        path_in(&self.iso, node, |node| self.iso.node(node).name.to_vec())
    }

    /// The path that the richest index holds: the name itself with Rock Ridge, else UDF's, else Joliet's, else the level-3 identifier.
    pub(in crate::plan) fn richest_path(&self, node: IsoNode) -> String {
        if let (false, Some(udf)) = (self.contents.rock_ridge, &self.indexes.udf) {
            return udf.path(node);
        }
        let index = self.indexes.joliet.as_ref().unwrap_or(&self.indexes.iso);
        let path = path_in(&self.iso, node, |node| match self.contents.rock_ridge {
            true => self.iso.node(node).name.to_vec(),
            false => index.hierarchy.name(node).into_bytes(),
        });
        format!("iso:{}", text::lossless(&path))
    }
}
