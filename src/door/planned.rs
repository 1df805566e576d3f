//! What is planned: an image that is made, or one that is changed.

use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use super::Error;
use super::preview::Preview;
use crate::facts::{Description, verdicts};
use crate::formats::iso9660::TagSumming;
use crate::ground::range::Range;
use crate::ground::read_at::ReadAt;
use crate::look::{inspect, started};
use crate::manifest::Document;
use crate::output::{BoxedError, Piece};
use crate::plan::grow::Grown;
use crate::plan::sums::Digests;
use crate::plan::{Late, Plan, PlanError};
use crate::resolve::{ResolveError, SourceBytes};
use crate::tree::source::Source;

/// An image that is planned, of either kind.
pub(super) enum Planned {
    /// A new image.
    New(Box<Plan>),
    /// An existing one with changes.
    Grown(Box<Grown>),
    /// An existing one with changes, laid out anew. `_grown` keeps the files that were decompressed for it.
    Compact {
        plan: Box<Plan>,
        warnings: Vec<String>,
        _grown: Arc<Grown>,
    },
}

impl Planned {
    /// Of the image, in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => plan.size(),
            Self::Grown(grown) => grown.size(),
        }
    }

    /// The bytes of the volume that a sum of its own bytes covers.
    pub(super) fn volume_size(&self) -> u64 {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => plan.size(),
            Self::Grown(grown) => grown.volume_size(),
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        match self {
            Self::New(plan) => plan.warnings(),
            Self::Compact { warnings, .. } => warnings.clone(),
            Self::Grown(grown) => grown.warnings(),
        }
    }

    pub(super) fn sources(&self) -> Box<dyn Iterator<Item = &Source> + '_> {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => Box::new(plan.sources()),
            Self::Grown(grown) => Box::new(grown.sources()),
        }
    }

    pub(super) fn digests(&self) -> Option<Digests> {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => plan.digests(),
            Self::Grown(_) => None,
        }
    }

    pub(super) fn tag_summing(&self) -> Option<TagSumming> {
        match self {
            Self::New(_) | Self::Compact { .. } => None,
            Self::Grown(grown) => grown.tag_summing(),
        }
    }

    pub(super) fn wants_media_md5(&self) -> bool {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => plan.wants_media_md5(),
            Self::Grown(grown) => grown.wants_media_md5(),
        }
    }

    /// The pieces of the image by offset.
    pub(super) fn pieces<'p>(
        &'p self,
        late: &'p Late,
    ) -> Box<dyn Iterator<Item = Result<Piece<'p>, BoxedError>> + Send + 'p> {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => {
                Box::new(plan.pieces(late).map(|piece| piece.map_err(Into::into)))
            }
            Self::Grown(grown) => Box::new(grown.pieces(late).map(|piece| piece.map_err(Into::into))),
        }
    }

    /// All but what grows with the tree.
    pub(super) fn brief(&self, late: &Late, document: &Document) -> Result<Description, Error> {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => self.said(plan, plan.brief(late), late, document),
            Self::Grown(grown) => described(grown),
        }
    }

    /// Everything.
    pub(super) fn describe(&self, late: &Late, document: &Document) -> Result<Description, Error> {
        match self {
            Self::New(plan) | Self::Compact { plan, .. } => self.said(plan, plan.describe(late), late, document),
            Self::Grown(grown) => described(grown),
        }
    }

    fn said(
        &self,
        plan: &Plan,
        described: Result<Description, PlanError>,
        late: &Late,
        document: &Document,
    ) -> Result<Description, Error> {
        let failed = |error| Error::planned(error, document);
        let mut described = described.map_err(failed)?;
        described.planned.warnings = self.warnings();
        // A plan does not read its menus or the signatures of what they start. The reader of images does.
        if started::is_asked_for(&described.facts) {
            let image = Preview::new(plan.size(), plan.pieces(late)).map_err(failed)?;
            described.facts.menu_programs = started::menu_programs(&image, &described.facts);
            described.cells = verdicts::cells(&described, &[]);
        }
        Ok(described)
    }
}

/// The image is looked at as if it were written.
fn described(grown: &Grown) -> Result<Description, Error> {
    let bytes = Bytes::of(grown)?;
    let path = Path::new("the image that is planned");
    let mut described = inspect::inspect(&bytes).map_err(|error| Error::inspected(path, error))?;
    // What is odd about the base is said by `inspect` and `check`.
    described.found.remarks.clear();
    described.planned.warnings = grown.warnings();
    described.planned.changed = Some(grown.changed());
    Ok(described)
}

/// The bytes of an image that is changed, those of new files from where they are.
pub(super) struct Bytes<G> {
    grown: G,
    contents: Vec<(Range, SourceBytes)>,
}

impl<G: Deref<Target = Grown>> Bytes<G> {
    /// Opens the files that are new in the image.
    pub(super) fn of(grown: G) -> Result<Self, Error> {
        let contents = grown
            .contents()
            .map(|(range, source)| Ok((range, SourceBytes::open(source)?)));
        let contents = contents.collect::<Result<_, ResolveError>>()?;
        Ok(Self { grown, contents })
    }
}

impl<G: Deref<Target = Grown>> ReadAt for Bytes<G> {
    fn size(&self) -> u64 {
        self.grown.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.grown.read_exact_at(buffer, offset)?;
        let wanted = Range {
            offset,
            length: buffer.len() as u64,
        };
        let first = self.contents.partition_point(|(range, _)| range.end() <= offset);
        let here = self.contents[first..]
            .iter()
            .take_while(|(range, _)| range.offset < wanted.end());
        for (range, content) in here {
            let Some(both) = range.overlap(wanted) else { continue };
            let bytes = content.read(both.offset - range.offset, both.length as usize);
            let bytes = bytes.map_err(|error| io::Error::other(error.to_string()))?;
            buffer[(both.offset - offset) as usize..][..bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }
}
