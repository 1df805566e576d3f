//! The stable JSON of facts, where its form is not that of the types: typed values are their words.

use std::fmt::Display;

use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use super::{Description, Extent, FileSystem, PartitionKind, PartitionTable, What};
use crate::formats::pe::Machine;

impl Serialize for Description {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (facts, planned) = (&self.facts, &self.planned);
        let mut out = serializer.serialize_struct("Description", 26)?;
        out.serialize_field("volume_id", &facts.volume_id)?;
        out.serialize_field("size", &facts.size)?;
        out.serialize_field("sha256", &planned.sha256)?;
        if !planned.outputs.is_empty() {
            out.serialize_field("outputs", &planned.outputs)?;
        }
        out.serialize_field("media_md5", &facts.media_md5)?;
        out.serialize_field("identifiers", &facts.identifiers)?;
        out.serialize_field("filesystems", &facts.filesystems)?;
        out.serialize_field("counts", &facts.counts)?;
        out.serialize_field("boot_catalog", &facts.boot_catalog)?;
        out.serialize_field("el_torito", &facts.el_torito)?;
        out.serialize_field("mbr", &facts.mbr)?;
        if let Some(boot_sector) = &facts.boot_sector {
            out.serialize_field("boot_sector", boot_sector)?;
        }
        out.serialize_field("gpt", &facts.gpt)?;
        out.serialize_field("partitions", &facts.partitions)?;
        if !self.found.volumes.is_empty() {
            out.serialize_field("volumes", &self.found.volumes)?;
        }
        out.serialize_field("esp", &facts.esp)?;
        out.serialize_field("extents", &Extents(self))?;
        if let Some(changed) = &planned.changed {
            let changes: Vec<Sourced<'_>> = changed.extents.iter().map(|extent| Sourced(extent, None)).collect();
            out.serialize_field("changes", &changes)?;
            out.serialize_field("grows", &changed.grows)?;
            out.serialize_field("moved_from", &changed.moved_from)?;
        }
        out.serialize_field("cells", &self.cells)?;
        out.serialize_field("warnings", &self.warnings().collect::<Vec<_>>())?;
        if !planned.menu.is_empty() {
            out.serialize_field("menu", &planned.menu)?;
        }
        if !planned.parts.is_empty() {
            out.serialize_field("parts", &planned.parts)?;
        }
        if !facts.menu_programs.is_empty() {
            out.serialize_field("menu_programs", &facts.menu_programs)?;
        }
        out.serialize_field("name_map", &planned.name_map)?;
        out.serialize_field("faults", &facts.faults)?;
        out.end()
    }
}

/// The extents of a description, each with its source.
struct Extents<'d>(&'d Description);

impl Serialize for Extents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let extents = &self.0.facts.extents;
        let mut sources = self.0.planned.sources.iter().map(Option::as_deref);
        let mut out = serializer.serialize_seq(Some(extents.len()))?;
        for extent in extents {
            out.serialize_element(&Sourced(extent, sources.next().flatten()))?;
        }
        out.end()
    }
}

/// An extent and its source.
struct Sourced<'d>(&'d Extent, Option<&'d str>);

impl Serialize for Sourced<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(extent, source) = self;
        let mut out = serializer.serialize_struct("Extent", 5)?;
        out.serialize_field("offset", &extent.offset)?;
        out.serialize_field("length", &extent.length)?;
        out.serialize_field("what", &extent.what)?;
        if !extent.paths.is_empty() {
            out.serialize_field("paths", &extent.paths)?;
        }
        if let Some(source) = source {
            out.serialize_field("source", source)?;
        }
        out.end()
    }
}

/// The word of a value.
pub(super) fn word<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The word of a machine; `none` where there is no PE header.
pub(super) fn machine<S: Serializer>(machine: &Option<Machine>, serializer: S) -> Result<S::Ok, S::Error> {
    match machine {
        Some(machine) => serializer.collect_str(machine),
        None => serializer.serialize_str("none"),
    }
}

impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for PartitionTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for PartitionKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for FileSystem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
