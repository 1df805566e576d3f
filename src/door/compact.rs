//! `base.compact`: a base with its changes, laid out anew.
//!
//! The image is changed in place first, in thought. A manifest is read off the result, and made of its parts.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::Error;
use super::error::base_path;
use super::planned::{Bytes, Planned};
use crate::facts::{Description, Partition, PartitionKind, PartitionTable, Verdict};
use crate::formats::iso9660::{SECTOR, SYSTEM_AREA};
use crate::ground::input_error::InputError;
use crate::ground::read_at::{ReadAt, Shared};
use crate::ground::text;
use crate::look::contents::ContentsError;
use crate::look::import::{self, BOOT, Choice, ESP};
use crate::look::inspect;
use crate::manifest::diagnostic::{Report, Severity};
use crate::manifest::{self, Document};
use crate::plan::grow::Grown;
use crate::plan::{self, Late};
use crate::resolve::{self, Environment, Parts, ResolveError};
use crate::tree::source::Composed;

/// Plans the image that `grown` is, with everything in another place.
pub(super) fn compact(grown: Grown, document: &Document, environment: &Environment) -> Result<Planned, Error> {
    let path = base_path(document);
    let failed = |message: &dyn std::fmt::Display| {
        Error::Input(InputError::unusable(
            &path,
            format!("cannot be laid out anew: {message}"),
        ))
    };
    let grown = Arc::new(grown);
    let image = Shared::new(Bytes::of(grown.clone())?);
    let choice = Choice {
        says_esp_size: false,
        has_owners: true,
    };
    let import = import::import(&image, "image.iso", choice).map_err(|error| match error {
        ContentsError::Image(error) => Error::inspected(&path, error),
        error => failed(&error),
    })?;
    let mut again = manifest::parse(&document.path, &import.manifest).map_err(|error| failed(&error))?;
    again.manifest.iso.implant_md5 |= grown.wants_media_md5();
    let of_esp = import.esp.into_iter();
    let of_esp = of_esp.map(|item| (format!("{ESP}{}", text::lossless(&item.path)), item));
    let beside = import.boot.into_iter();
    let beside = beside.map(|(name, range)| (format!("{BOOT}/{name}"), range));
    let parts = Parts {
        image: Composed {
            image: image.clone(),
            stretches: grown.stretches(),
        },
        tree: import.items,
        files: of_esp.collect(),
        bytes: beside.collect(),
    };
    let resolved = resolve::anew(&again, environment, parts, &path);
    let mut resolved = resolved.map_err(|error| match error {
        ResolveError::Manifest(report) => failed(&messages(&report)),
        error => error.into(),
    })?;
    let contents = &mut resolved.contents;
    let tree = &contents.tree;
    let is_there = |path: &[u8]| tree.find(path.split(|&byte| byte == b'/').skip(1)).is_some();
    let unnamed = import.unnamed.iter().filter(|path| !is_there(path));
    let unnamed = unnamed.map(|path| format!("the name {} for its boot catalog", text::visible(path)));
    let left_out: Vec<String> = import.left_out.into_iter().chain(unnamed).collect();
    let mut warnings = grown.warnings();
    warnings.extend(resolved.report.warnings());
    contents.warnings = Vec::new();
    let plan = plan::plan(resolved.contents).map_err(|error| failed(&error))?;
    let after = plan.brief(&Late::default()).map_err(|error| failed(&error))?;
    let before = inspect::inspect(&image).map_err(|error| Error::inspected(&path, error))?;
    if let Some(why) = lost(&before, &after) {
        return Err(failed(&why));
    }
    let gone = gone(&image, &before, &after).map_err(|source| InputError::io(&path, "reading", source))?;
    let gone = left_out.into_iter().chain(gone);
    warnings.extend(gone.map(|what| format!("laid out anew, the image no longer has {what}")));
    warnings.extend(plan.warnings());
    Ok(Planned::Compact {
        plan: Box::new(plan),
        warnings,
        _grown: grown,
    })
}

/// What the image had that no name leads to.
fn gone(image: &dyn ReadAt, before: &Description, after: &Description) -> io::Result<Vec<String>> {
    let (before, after) = (&before.facts, &after.facts);
    let mut gone = Vec::new();
    let is_apple = |partition: &Partition| partition.table == PartitionTable::Apm;
    if before.partitions.iter().any(is_apple) && !after.partitions.iter().any(is_apple) {
        gone.push("an Apple partition map".to_owned());
    }
    let is_esp = |partition: &Partition| {
        let mut volumes = before.esp.iter();
        partition.kind == PartitionKind::Esp || volumes.any(|volume| volume.offset == partition.start)
    };
    let is_kept = |partition: &Partition| {
        let name = |of: &Partition| (of.table, of.kind.clone(), of.name.clone());
        after.partitions.iter().any(|now| name(now) == name(partition))
    };
    let mut seen = BTreeSet::new();
    for partition in &before.partitions {
        let is_gap = partition.name.as_ref().is_some_and(|name| name.starts_with("Gap"));
        let is_other =
            matches!(partition.kind, PartitionKind::Empty | PartitionKind::Protective) || is_apple(partition);
        if is_other
            || is_gap
            || is_kept(partition)
            || is_esp(partition)
            || partition.start == 0
            || !seen.insert(partition.start)
        {
            continue;
        }
        let (number, start) = (partition.number, partition.start);
        let descriptor = start + SYSTEM_AREA;
        let has_volume = descriptor + SECTOR <= image.size() && image.read_vec_at(descriptor + 1, 5)? == b"CD001";
        if has_volume {
            gone.push(format!(
                "a volume in partition {number}, which could be mounted by itself (byte {start})"
            ));
        } else if start > SYSTEM_AREA || partition.length < SYSTEM_AREA {
            gone.push(format!("partition {number}, at byte {start}"));
        }
    }
    if let Some(others @ 1..) = before.esp.len().checked_sub(after.esp.len()) {
        gone.push(format!("{others} of {} volumes of FAT", before.esp.len()));
    }
    Ok(gone)
}

/// Why the image does not boot any more where it did.
fn lost(before: &Description, after: &Description) -> Option<String> {
    let boots = |verdict: &&Verdict| verdict.boots;
    let mut kept = before.cells.iter().filter(boots);
    kept.find_map(|verdict| {
        let mut now = after.cells.iter().filter(|now| now.cell == verdict.cell);
        let now = now.find(|now| !now.boots)?;
        Some(format!("{} would not boot any more: {}", now.cell, now.reason))
    })
}

fn messages(report: &Report) -> String {
    let all = report.diagnostics.iter();
    let all = all.filter(|diagnostic| diagnostic.severity == Severity::Error);
    let all: Vec<&str> = all.map(|diagnostic| diagnostic.message.as_str()).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::Host;

    /// An image that boots in one cell less than before is no image at all.
    #[test]
    fn a_cell_that_is_lost_is_told_with_its_reason() {
        let host = Host::new(&[("loader", &[2; 9000])]);
        let (before, _) = host.build("[boot.bios]\nimage = \"loader\"\n");
        assert_eq!(lost(&before, &before), None);
        let mut after = before.clone();
        let cell = after.cells.iter_mut().find(|verdict| verdict.boots).unwrap();
        (cell.boots, cell.reason) = (false, "there is no catalog".into());
        let why = format!("{} would not boot any more: there is no catalog", cell.cell);
        assert_eq!(lost(&before, &after), Some(why));
        assert_eq!(lost(&after, &before), None);
    }
}
