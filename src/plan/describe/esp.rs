//! The ESP in the words of a plan.

use crate::facts::fat::{esp_facts, esp_faults};
use crate::facts::{EspFacts, Extent, What, esp_name};
use crate::ground::text;
use crate::plan::esp::{LABEL, SECTOR_SIZES};
use crate::plan::{Plan, Span};
use crate::tree::PayloadId;
use crate::tree::contents::Esp;

impl Plan<'_> {
    /// What is wrong with a ready ESP; one that is made here has no faults.
    pub(super) fn esp_faults(&self) -> Vec<String> {
        match (&self.contents.esp, self.esp) {
            (Some(Esp::Image { contents, .. }), Some(span)) => esp_faults(contents, span.offset),
            _ => Vec::new(),
        }
    }

    pub(super) fn esp_facts(&self) -> Vec<EspFacts> {
        let loaders = match (&self.contents.esp, self.esp) {
            (Some(Esp::Image { contents, loaders, .. }), Some(span)) => {
                return vec![esp_facts(span.offset, contents, loaders.clone())];
            }
            (Some(Esp::Files { loaders, .. }), _) => loaders,
            _ => return Vec::new(),
        };
        let volumes = self.volumes.iter().zip(SECTOR_SIZES);
        volumes
            .map(|(volume, (sector_size, name))| EspFacts {
                offset: volume.span.offset,
                length: volume.fat.size(),
                kind: volume.fat.kind().to_string(),
                sector_size,
                cluster_size: volume.fat.cluster_size(),
                label: LABEL.into(),
                serial: self.identity.number(name),
                // All of them are under /EFI, and what is there is in each volume.
                loaders: loaders.clone(),
            })
            .collect()
    }

    pub(super) fn is_esp_image(&self, id: PayloadId) -> bool {
        matches!(&self.contents.esp, Some(Esp::Image { payload, .. }) if *payload == id)
    }

    pub(super) fn in_volume(&self, offset: u64) -> bool {
        let within = |span: Span| (span.offset..span.end()).contains(&offset);
        self.volumes.iter().any(|volume| within(volume.span))
    }

    pub(super) fn esp_paths(&self, id: PayloadId, offset: u64) -> Vec<String> {
        let Some(Esp::Files { files, .. }) = &self.contents.esp else {
            return Vec::new();
        };
        let mut paths = Vec::new();
        for (number, volume) in (1..).zip(&self.volumes) {
            for (key, (path, payload)) in files.iter().enumerate() {
                let at = volume.fat.file_offset(key).map(|at| volume.span.offset + at);
                if *payload == id && at == Some(offset) {
                    let name = esp_name(number);
                    paths.push(format!("{name}/{}", text::lossless(path.join("/").as_bytes())));
                }
            }
        }
        paths
    }

    pub(super) fn esp_image_extents(&self, start: u64, named: bool, whole: &Extent) -> Vec<Extent> {
        let Some(Esp::Image { extents, .. }) = &self.contents.esp else {
            return Vec::new();
        };
        // Where the image is a file of the tree too, its name covers what no FAT structure points at.
        let inner = extents.iter().filter(|extent| !(named && extent.what == What::Unknown));
        inner
            .map(|extent| Extent {
                offset: extent.offset + start,
                source: whole.source.clone(),
                ..extent.clone()
            })
            .collect()
    }
}
