//! A plan in the words of [`crate::facts`], without a byte of the image having been written.

use std::collections::HashMap;

use crate::facts::boot_images::boot_length;
use crate::facts::extents::{Claim, settle_claims};
use crate::facts::verdicts;
use crate::facts::{Common, Description, Extent, Planned, What};
use crate::formats::iso9660::IsoNode;
use crate::tree::PayloadId;
use crate::tree::contents::BootBytes;

use super::layout::{Content, Region};
use super::{Late, Plan, PlanError};

impl Plan {
    /// All but what grows with the tree, the extents and the map of names: what a build reports.
    pub fn brief(&self, late: &Late) -> Result<Description, PlanError> {
        let contents = &self.contents;
        let mut described = Description {
            facts: Common {
                size: self.size(),
                ..Common::default()
            },
            planned: Planned {
                warnings: self.warnings(),
                menu: contents.menu.clone(),
                owner: contents.owner.clone(),
                parts: contents.parts.clone(),
                ..Planned::default()
            },
            ..Description::default()
        };
        for (_, index) in self.indexes.all() {
            index.describe(self, late, &mut described.facts)?;
        }
        if verdicts::needs_extents(&described.facts) {
            self.add_extents(&mut described)?;
        }
        described.cells = verdicts::cells(&described, &[]);
        Ok(described)
    }

    /// Everything, every extent included.
    pub fn describe(&self, late: &Late) -> Result<Description, PlanError> {
        let mut described = self.brief(late)?;
        if described.facts.extents.is_empty() {
            self.add_extents(&mut described)?;
        }
        let indexes = self.indexes.all().into_iter();
        described.planned.name_map = indexes.flat_map(|(_, index)| index.name_map(self)).collect();
        Ok(described)
    }

    fn add_extents(&self, described: &mut Description) -> Result<(), PlanError> {
        let claims = settle_claims(self.claims()?).into_iter();
        (described.facts.extents, described.planned.sources) =
            claims.map(|Claim { extent, source }| (extent, source)).unzip();
        Ok(())
    }

    fn claims(&self) -> Result<Vec<Claim>, PlanError> {
        let mut names: HashMap<PayloadId, Vec<IsoNode>> = HashMap::new();
        for (node, payload) in (0..).zip(&self.nodes) {
            if let Some(payload) = payload {
                names.entry(*payload).or_default().push(IsoNode::new(node));
            }
        }
        let mut claims = Vec::with_capacity(self.regions().len());
        for region in joined(self.regions()) {
            let mut extent = Extent::new(region.offset, region.length, What::File);
            let mut source = None;
            match region.content {
                Content::Structure { index, what, number } => {
                    extent.what = what;
                    extent.paths = self.indexes.get(index)?.piece_names((what, number), self);
                }
                Content::Payload(id) => {
                    source = Some(self.contents.tree.payload(id).source.shown(&self.contents.base));
                    let nodes = names.get(&id);
                    if self.places.payload(id) == Some(region.offset) {
                        extent.paths = nodes.into_iter().flatten().map(|&n| self.richest_path(n)).collect();
                    }
                    extent.paths.extend(self.indexes.iso.own_path(id));
                    if self.is_ready_esp(id) {
                        let is_named = !extent.paths.is_empty();
                        let parts = self.ready_extents(region.offset, is_named).into_iter();
                        claims.extend(parts.map(|extent| Claim {
                            extent,
                            source: source.clone(),
                        }));
                        if !is_named {
                            continue;
                        }
                    } else if nodes.is_none() && extent.paths.is_empty() && !self.places.is_in_volume(region.offset) {
                        extent.what = What::BootImage;
                        extent.length = self.hidden_length(id, region.length);
                    }
                    extent.paths.extend(self.esp_paths(id, region.offset)?);
                }
            }
            claims.push(Claim { extent, source });
        }
        Ok(claims)
    }

    /// How much of a boot image without a name can be told from the image alone: what the firmware loads, what its own table
    /// says, and all up to the last byte that is not zero.
    fn hidden_length(&self, id: PayloadId, length: u64) -> u64 {
        let images = self.contents.boot.iter();
        let told = images.filter(|boot| boot.image == BootBytes::Payload(id)).map(|boot| {
            let loaded = boot_length(boot.platform, boot.emulation, boot.sectors, boot.disk_length, 0);
            loaded.max(boot.end)
        });
        let table = if self.contents.tree.payload(id).patched.is_some() {
            length
        } else {
            0
        };
        told.max().unwrap_or(0).max(table)
    }
}

/// Regions, of which pieces of one kind that are made one after the other and have no names of their own are one: UDF's file entries.
fn joined(regions: &[Region]) -> impl Iterator<Item = Region> {
    let is_entries = |region: &Region| {
        let content = region.content;
        matches!(
            content,
            Content::Structure {
                what: What::UdfFileEntry,
                ..
            }
        )
    };
    let runs = regions
        .chunk_by(move |one, next| is_entries(one) && is_entries(next) && one.offset + one.length == next.offset);
    runs.filter_map(|run| {
        let length = run.iter().map(|region| region.length).sum();
        run.first().map(|first| Region { length, ..*first })
    })
}
