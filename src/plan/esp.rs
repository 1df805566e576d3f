//! The EFI system partition: a FAT volume, and with `layout = "multi-sector"` a second one for disks of larger logical sectors.

use std::collections::HashSet;

use crate::formats::fat;
use crate::formats::iso9660::SECTOR;
use crate::plan::layout::{Content, Layout};
use crate::tree::PayloadId;
use crate::tree::contents::{Contents, Esp, in_second_esp};

use super::{Addresses, PlanError, Span};

/// Where partitions start: what partitioning tools use, and a multiple of every flash page.
const ALIGNMENT: u64 = 1 << 20;

/// The label of a volume that we make.
pub(super) const LABEL: &str = "ESP";

/// Free bytes in a volume that we make, for keys and settings that are added on a stick. They are a hole in the image file.
const FREE: u64 = 1 << 20;

/// A FAT volume that is made here.
pub(super) struct Volume {
    pub(super) fat: fat::Plan,
    pub(super) span: Span,
}

/// Logical sectors of the volumes, and what the names of their partitions and serial numbers are made of.
pub(super) const SECTOR_SIZES: [(u32, &str); 2] = [(512, "ESP"), (4096, "ESP-4Kn")];

/// The volumes of an ESP that is made of files, whose numbers are the FAT's keys.
pub(super) fn plan(contents: &Contents) -> Result<Vec<fat::Plan>, PlanError> {
    let Some(Esp::Files { files, size, .. }) = &contents.esp else {
        return Ok(Vec::new());
    };
    let mut volumes = Vec::new();
    for (number, (sector_size, _)) in SECTOR_SIZES.into_iter().take(contents.tables.esps.len()).enumerate() {
        let mut root = Vec::new();
        for (key, (path, payload)) in files.iter().enumerate() {
            if number == 0 || in_second_esp(path) {
                let length = contents.tree.payload(*payload).length;
                insert(&mut root, path, fat::Kind::File { length, key });
            }
        }
        let exact = size.filter(|_| number == 0);
        let volume = fat::Volume {
            root,
            label: LABEL.into(),
            timestamp: contents.timestamp,
            size: exact.map_or(fat::Size::Fit { free: FREE }, fat::Size::Exact),
            sector_size,
        };
        volumes.push(fat::plan(&volume)?);
    }
    Ok(volumes)
}

/// Payloads whose place the ESP decides.
pub(super) fn payloads(contents: &Contents) -> HashSet<PayloadId> {
    match &contents.esp {
        Some(Esp::Files { files, .. }) => files.iter().map(|(_, payload)| *payload).collect(),
        Some(Esp::Image { payload, .. }) => HashSet::from([*payload]),
        None => HashSet::new(),
    }
}

/// Puts the volumes, or the ready one, behind everything. The result is where the first one is, and those that are made here.
pub(super) fn place(
    layout: &mut Layout,
    addresses: &mut Addresses,
    contents: &Contents,
    fats: Vec<fat::Plan>,
) -> (Option<Span>, Vec<Volume>) {
    let mut start = layout.end().next_multiple_of(ALIGNMENT);
    if let Some(Esp::Image { payload, .. }) = &contents.esp {
        let length = contents.tree.payload(*payload).length;
        layout.place_at(Content::Payload(*payload), start, length);
        addresses.payloads[*payload] = Some(start);
        let length = length.next_multiple_of(SECTOR);
        layout.reserve(start + length);
        return (Some(Span { offset: start, length }), Vec::new());
    }
    let files = match &contents.esp {
        Some(Esp::Files { files, .. }) => files.as_slice(),
        _ => &[],
    };
    let mut volumes: Vec<Volume> = Vec::new();
    for (number, fat) in fats.into_iter().enumerate() {
        for (index, region) in fat.regions().iter().enumerate() {
            layout.place_at(Content::Fat(number, index), start + region.offset, region.length);
        }
        for (key, &(_, payload)) in files.iter().enumerate() {
            let Some(offset) = fat.file_offset(key) else { continue };
            let length = contents.tree.payload(payload).length;
            layout.place_at(Content::Payload(payload), start + offset, length);
            addresses.payloads[payload].get_or_insert(start + offset);
        }
        let span = Span {
            offset: start,
            length: fat.size(),
        };
        volumes.push(Volume { fat, span });
        layout.reserve(span.end());
        start = span.end().next_multiple_of(ALIGNMENT);
    }
    (volumes.first().map(|volume| volume.span), volumes)
}

fn insert(nodes: &mut Vec<fat::Node>, path: &[String], kind: fat::Kind) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        nodes.push(fat::Node {
            name: first.clone(),
            kind,
        });
        return;
    }
    // Two spellings of one directory are left to the FAT, which names both in its error.
    let known = nodes
        .iter()
        .position(|node| node.name == *first && matches!(node.kind, fat::Kind::Directory(_)));
    let index = known.unwrap_or_else(|| {
        nodes.push(fat::Node {
            name: first.clone(),
            kind: fat::Kind::Directory(Vec::new()),
        });
        nodes.len() - 1
    });
    if let fat::Kind::Directory(children) = &mut nodes[index].kind {
        insert(children, rest, kind);
    }
}
