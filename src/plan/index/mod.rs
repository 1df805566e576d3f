//! The indexes over the extents: each says how much room it needs, makes its bytes, and describes itself.

mod catalog;
pub(super) mod fat;
mod gpt;
pub(super) mod iso;
mod mbr;
pub(super) mod udf;

use std::sync::Arc;

use crate::facts::{Common, MappedName, What};
use crate::formats::iso9660::{Flavour, IsoNode, Tree};
use crate::tree::contents::Contents;
use crate::tree::{PayloadId, contents};

use super::layout::{IndexId, Need};
use super::{Late, Plan, PlanError};

use catalog::Catalog;
use fat::Fat;
use gpt::Gpt;
use iso::Iso;
use mbr::Mbr;
use udf::Udf;

/// A format over the extents of an image, of which it owns its own pieces alone.
pub(super) trait Index {
    /// Asks for room for each piece of this kind. How long a piece is depends on no address.
    fn needs(&self, what: What, ask: &mut dyn FnMut(Need));

    /// Payloads whose place is inside this index's volume.
    fn holds(&self) -> Vec<PayloadId> {
        Vec::new()
    }

    /// The bytes of a piece, as many as it asked for.
    fn encode(&self, piece: (What, u32), plan: &Plan, late: &Late) -> Result<Vec<u8>, PlanError>;

    /// What the image says by this index, all but extents.
    fn describe(&self, plan: &Plan, late: &Late, facts: &mut Common) -> Result<(), PlanError>;

    /// The names of a piece in the image.
    fn piece_names(&self, _piece: (What, u32), _plan: &Plan) -> Vec<String> {
        Vec::new()
    }

    /// Names that this index cannot hold as they are.
    fn name_map(&self, _plan: &Plan) -> Vec<MappedName> {
        Vec::new()
    }
}

/// The indexes of an image.
#[derive(Debug)]
pub(super) struct Indexes {
    pub(super) iso: Iso,
    pub(super) joliet: Option<Iso>,
    pub(super) udf: Option<Udf>,
    catalog: Option<Catalog>,
    pub(super) mbr: Option<Mbr>,
    gpts: Vec<Gpt>,
    pub(super) fats: Vec<Fat>,
}

impl Indexes {
    /// The indexes that the contents ask for.
    pub(super) fn of(contents: &Contents, tree: &Arc<Tree>) -> Result<Self, PlanError> {
        let flavour = match contents.rock_ridge {
            true => Flavour::RockRidge,
            false => Flavour::Plain,
        };
        let iso = match contents.readme {
            Some(readme) => Iso::stub(contents, readme),
            None => Iso::plan(tree, flavour),
        };
        let joliet = contents.joliet.then(|| Iso::plan(tree, Flavour::Joliet));
        let udf = contents.udf.then(|| Udf::plan(tree));
        Ok(Self {
            iso: iso?,
            joliet: joliet.transpose()?,
            udf: udf.transpose()?,
            catalog: (!contents.boot.is_empty()).then_some(Catalog),
            mbr: contents.tables.mbr.map(Mbr),
            gpts: gpt::all(&contents.tables, contents.udf),
            fats: fat::all(contents)?,
        })
    }

    /// All of them, in the order in which they describe the image.
    pub(super) fn all(&self) -> Vec<(IndexId, &dyn Index)> {
        let mut all: Vec<(IndexId, &dyn Index)> = vec![(IndexId::Iso, &self.iso)];
        all.extend(self.joliet.iter().map(|index| (IndexId::Joliet, index as &dyn Index)));
        all.extend(self.udf.iter().map(|index| (IndexId::Udf, index as &dyn Index)));
        all.extend(self.catalog.iter().map(|index| (IndexId::Catalog, index as &dyn Index)));
        all.extend(self.mbr.iter().map(|index| (IndexId::Mbr, index as &dyn Index)));
        let gpts = (0..).zip(&self.gpts);
        all.extend(gpts.map(|(number, index)| (IndexId::Gpt(number), index as &dyn Index)));
        let fats = (0..).zip(&self.fats);
        all.extend(fats.map(|(number, index)| (IndexId::Fat(number), index as &dyn Index)));
        all
    }

    /// The index with this id.
    pub(super) fn get(&self, id: IndexId) -> Result<&dyn Index, PlanError> {
        let index: Option<&dyn Index> = match id {
            IndexId::Iso => Some(&self.iso),
            IndexId::Joliet => self.joliet.as_ref().map(|index| index as &dyn Index),
            IndexId::Udf => self.udf.as_ref().map(|index| index as &dyn Index),
            IndexId::Catalog => self.catalog.as_ref().map(|index| index as &dyn Index),
            IndexId::Mbr => self.mbr.as_ref().map(|index| index as &dyn Index),
            IndexId::Gpt(number) => self.gpts.get(usize::from(number)).map(|index| index as &dyn Index),
            IndexId::Fat(number) => self.fats.get(usize::from(number)).map(|index| index as &dyn Index),
        };
        index.ok_or_else(|| PlanError::Bug(format!("there is no index {id:?}")))
    }
}

/// The path of a node, by what an index calls each node on the way.
fn path_in(tree: &Tree, mut node: IsoNode, name: impl Fn(IsoNode) -> Vec<u8>) -> Vec<u8> {
    let mut components = Vec::new();
    while node != IsoNode::ROOT {
        components.push(name(node));
        node = tree.node(node).parent;
    }
    if components.is_empty() {
        return b"/".to_vec();
    }
    let mut path = Vec::new();
    for name in components.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

/// What a kind of piece that an index does not have is to it.
fn not_mine(piece: (What, u32)) -> PlanError {
    let (what, number) = piece;
    PlanError::Bug(format!("the {what} {number} is another index's"))
}

/// What partition tables and boot code point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// What is in the ISO 9660 volume alone.
    Data,
    /// The ESP for media with logical sectors of the first size, or of the second.
    Esp(u8),
    /// The bytes of a payload.
    Payload(PayloadId),
}

impl From<contents::BootBytes> for Target {
    fn from(bytes: contents::BootBytes) -> Self {
        match bytes {
            contents::BootBytes::Esp => Self::Esp(0),
            contents::BootBytes::Payload(id) => Self::Payload(id),
        }
    }
}
