//! Where the contents, the layout and the standards meet: [`plan()`] decides every address, [`Plan::pieces`] makes every byte.
//!
//! Both are pure. What the order of `order.rs` comes to, first to last:
//!
//! | region | why there |
//! |---|---|
//! | MBR, primary GPT | byte 0, 512 and 1024: UEFI 5.2 and 5.3; all inside ISO 9660's system area |
//! | volume descriptors | logical sector 16, ECMA-119 §7.7.2; El Torito's boot record is sector 17 |
//! | path tables, directories | parents before children, so that a reader that streams never looks back |
//! | continuation area | behind the directories that point into it |
//! | Joliet directories | a second index over the same files |
//! | UDF's file entries and directories | a third, behind its own fixed places: `formats/udf/write` has them |
//! | boot catalog, hidden boot images | few and small |
//! | files under 64 KiB, then larger ones | in the order of their paths; the larger ones on 4 KiB, so that reflinks share their blocks |
//! | ESP | on 1 MiB as partitioning tools want it; near the end, so that El Torito's "to the end of the volume" fits it |
//! | UDF's root directory and last anchor | as close to the end as UDF has the anchor |
//! | backup GPT | the last logical sectors |
//!
//! With `layout = "multi-sector"` there are two GPTs, each at the places that its logical sectors give it: the second header at byte
//! 4096, where the first table has its array otherwise, which therefore stands behind the volume descriptors; two backup arrays, and
//! the two backup headers in the last 4096 bytes. A second ESP follows the first.

mod describe;
pub mod grow;
mod identity;
mod index;
mod iso_tree;
mod layout;
mod order;
mod patches;
pub(crate) mod sums;
#[cfg(test)]
pub(crate) mod tests;
mod warnings;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use crate::facts::What;
use crate::formats::iso9660::{self, SECTOR};
use crate::formats::{el_torito, fat, gpt, mbr, udf};
use crate::ground::block::NotABlock;
use crate::ground::range::Range;
use crate::output::{Piece, PieceSource};
use crate::tree::PayloadId;
use crate::tree::contents::{BootBytes, Contents};
use crate::tree::source::Source;

pub use layout::Region;
pub use sums::Late;

use identity::Identity;
use index::{Indexes, Target};
use iso_tree::IsoTree;
use layout::{Content, IndexId, Places};
use order::{Class, End};

/// An image with every address decided.
#[derive(Debug)]
pub struct Plan {
    contents: Contents,
    /// The tree as ISO 9660 has it.
    iso: Arc<iso9660::Tree>,
    /// By node of that tree; `None` for a node without data.
    nodes: Vec<Option<PayloadId>>,
    indexes: Indexes,
    places: Places,
    identity: Identity,
}

/// Why an image cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// What ISO 9660, Rock Ridge or Joliet cannot hold.
    #[error(transparent)]
    Iso9660(#[from] iso9660::Iso9660Error),
    /// What a FAT cannot hold.
    #[error("the ESP: {0}")]
    Fat(#[from] fat::FatError),
    /// What a GPT cannot hold.
    #[error(transparent)]
    Gpt(#[from] gpt::GptError),
    /// What an MBR cannot hold.
    #[error(transparent)]
    Mbr(#[from] mbr::MbrError),
    /// What a boot catalog cannot hold.
    #[error(transparent)]
    ElTorito(#[from] el_torito::ElToritoError),
    /// What no file entry of UDF can record.
    #[error("{path}: {error}")]
    Udf {
        /// In the image.
        path: String,
        /// Why.
        error: udf::write::UnrecordableFile,
    },
    /// More than ISO 9660 can number.
    #[error(
        "the image would have {0} bytes; ISO 9660 numbers logical blocks of 2048 bytes with 32 bits, which is \
         8796093020160 bytes at most (ECMA-119 §9.4.9)"
    )]
    TooLarge(u128),
    /// A structure without a place, or of another length than it was measured with.
    #[error("isobuild contradicts itself, which is a bug of it: {0}")]
    Bug(String),
}

/// The planner has chosen every place, and refused an image of more blocks.
impl From<NotABlock> for PlanError {
    fn from(error: NotABlock) -> Self {
        Self::Bug(error.to_string())
    }
}

/// Decides where everything goes. What cannot be encoded is an error here, before output begins.
pub fn plan(contents: Contents) -> Result<Plan, PlanError> {
    check_total(&contents)?;
    let IsoTree { tree, payloads: nodes } = IsoTree::of(&contents.tree);
    let iso = Arc::new(tree);
    let indexes = Indexes::of(&contents, &iso)?;
    let end = match contents.tables.mbr {
        Some(_) => End::Aligned,
        None => End::Padded,
    };
    let payloads = Payloads::of(&contents, &nodes, &indexes);
    let count = contents.tree.payloads().len();
    let places = order::place(&indexes.all(), |class| payloads.of_class(class), count, end)?;
    if u32::try_from(places.size / SECTOR).is_err() {
        return Err(PlanError::TooLarge(u128::from(places.size)));
    }
    let plan = Plan {
        identity: Identity::of(&contents),
        iso,
        nodes,
        indexes,
        places,
        contents,
    };
    plan.check()?;
    Ok(plan)
}

/// The payloads that no volume holds.
struct Payloads<'c> {
    contents: &'c Contents,
    nodes: &'c [Option<PayloadId>],
    held: HashSet<PayloadId>,
}

impl<'c> Payloads<'c> {
    fn of(contents: &'c Contents, nodes: &'c [Option<PayloadId>], indexes: &Indexes) -> Self {
        let indexes = indexes.all();
        Self {
            contents,
            nodes,
            held: indexes.into_iter().flat_map(|(_, index)| index.holds()).collect(),
        }
    }

    /// Boot images without a name in the order of the catalog, files in the order of their paths.
    fn of_class(&self, class: Class) -> Box<dyn Iterator<Item = (PayloadId, u64)> + '_> {
        let length = |id: PayloadId| (id, self.contents.tree.payload(id).length);
        let files = self.nodes.iter().flatten().copied();
        let wanted = files.filter(|id| !self.held.contains(id)).map(length);
        match class {
            Class::Hidden => {
                let named: HashSet<PayloadId> = self.nodes.iter().flatten().copied().collect();
                let hidden = self.contents.boot.iter().filter_map(|boot| match boot.image {
                    BootBytes::Payload(payload) => Some(payload),
                    BootBytes::Esp => None,
                });
                let hidden = hidden.chain(self.contents.readme);
                let hidden = hidden.filter(move |id| !named.contains(id) && !self.held.contains(id));
                Box::new(hidden.map(length))
            }
            Class::Small => Box::new(wanted.filter(|&(_, length)| !order::is_large(length))),
            Class::Large => Box::new(wanted.filter(|&(_, length)| order::is_large(length))),
        }
    }
}

impl Plan {
    /// Of the image, in bytes.
    pub fn size(&self) -> u64 {
        self.places.size
    }

    /// Where the bytes of the payloads come from.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.contents.tree.payloads().iter().map(|payload| &payload.source)
    }

    /// What each byte belongs to, by offset.
    pub fn regions(&self) -> &[Region] {
        &self.places.regions
    }

    /// The pieces of the image by offset; between them are zeros. Each is encoded when it is asked for: there may be any number of
    /// directories.
    ///
    /// # Errors
    /// [`PlanError::Bug`]: whatever else can be wrong, [`plan`] has found.
    pub fn pieces<'p>(&'p self, late: &'p Late) -> impl Iterator<Item = Result<Piece<'p>, PlanError>> {
        self.regions().iter().map(|region| self.piece(region, late))
    }

    fn piece(&self, region: &Region, late: &Late) -> Result<Piece<'_>, PlanError> {
        let source = match region.content {
            Content::Payload(id) => self.payload(id, late)?,
            Content::Structure { index, what, number } => {
                let bytes = self.indexes.get(index)?.encode((what, number), self, late)?;
                PieceSource::Bytes(Cow::Owned(bytes))
            }
        };
        match &source {
            PieceSource::Bytes(bytes) if bytes.len() as u64 != region.length => Err(PlanError::Bug(format!(
                "{:?} has {} bytes and not {}",
                region.content,
                bytes.len(),
                region.length
            ))),
            _ => Ok(Piece {
                offset: region.offset,
                length: region.length,
                source,
            }),
        }
    }

    /// Encodes the pieces that can be refused. Those that grow with the tree cannot: what they hold has been measured.
    fn check(&self) -> Result<(), PlanError> {
        let late = Late::default();
        for region in self.regions() {
            let can_be_refused = match region.content {
                Content::Structure { what, .. } => matches!(
                    what,
                    What::MasterBootRecord
                        | What::GptHeader
                        | What::PrimaryDescriptor
                        | What::BootRecord
                        | What::JolietDescriptor
                        | What::BootCatalog
                ),
                Content::Payload(id) => self.contents.tree.payload(id).patched.is_some(),
            };
            if can_be_refused {
                self.piece(region, &late)?;
            }
        }
        Ok(())
    }

    /// The bytes that a table or a catalog points at.
    fn range(&self, target: Target) -> Result<Range, PlanError> {
        match target {
            Target::Data => Ok(Range {
                offset: 0,
                length: self.places.data_end,
            }),
            Target::Esp(number) => self.places.volume(IndexId::Fat(number)),
            Target::Payload(id) => Ok(Range {
                offset: self.places.stored(id)?,
                length: self.contents.tree.payload(id).length,
            }),
        }
    }

    /// The partition of the ESP with this number, if there is one.
    fn esp_partition(&self, number: u8) -> Result<Option<Range>, PlanError> {
        if usize::from(number) >= self.indexes.fats.len() {
            return Ok(None);
        }
        self.range(Target::Esp(number))
            .map(|range| Some(range.rounded(layout::ALIGNMENT)))
    }
}

/// All payloads together must leave room for 32-bit block numbers; beyond it sums of 64 bits are not safe either.
fn check_total(contents: &Contents) -> Result<(), PlanError> {
    let lengths = contents
        .tree
        .payloads()
        .iter()
        .map(|payload| u128::from(payload.length));
    let total: u128 = lengths.sum();
    match total > u128::from(u32::MAX) * u128::from(SECTOR) {
        true => Err(PlanError::TooLarge(total)),
        false => Ok(()),
    }
}
