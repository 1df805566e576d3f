//! `[boot.uefi]` and what a loader adds: the EFI system partition.

use crate::facts::LoaderFacts;
use crate::facts::fallback::LONGEST_LIST;
use crate::facts::fallback::is_list;
use crate::facts::fallback::with_lists;
use crate::facts::loaders::loader_facts;
use crate::facts::loaders::programs;
use crate::facts::loaders::shim_facts;
use crate::ground::text;
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::{DiskLayout, Text, Uefi, image_path, parse_size};
use crate::resolve::ResolveError;
use crate::tree::contents::in_second_esp;
use crate::tree::{Kind, PayloadId, ROOT};

use super::{Esp, Resolution};

/// A file that is in two ESPs is in the image twice; loaders are not longer than this.
const LARGEST_TWICE: u64 = 1 << 20;

impl Resolution<'_> {
    /// A ready ESP, or one made of the loader's files and of the manifest's, of which the manifest's win.
    pub(super) fn esp(
        &mut self,
        uefi: &Uefi,
        of_loader: Vec<(Vec<String>, PayloadId)>,
    ) -> Result<Option<Esp>, ResolveError> {
        if let Some(image) = &uefi.image {
            if self.layout == DiskLayout::MultiSector {
                let message = "layout \"multi-sector\" makes an ESP for each size of sectors, of `files`; a ready image is for one";
                self.error(image, message, "cannot be both");
            }
            return self.ready_esp(image);
        }
        if uefi.files.is_none() && of_loader.is_empty() {
            return Ok(None);
        }
        let mut placed = Vec::new();
        for (to, from) in uefi.files.iter().flatten() {
            let (Ok(path), Some(payload)) = (image_path(to.get_ref()), self.reference(from)?) else {
                continue;
            };
            placed.push((Some(to), path.components, payload));
        }
        for (mut path, payload) in of_loader {
            if let Some((_, _, own)) = placed.iter().find(|(_, other, _)| same_in_fat(other, &path)) {
                // Behind a shim of the manifest's the loader is what it starts, unless the manifest has that too.
                let shim = shim_facts(self.open(*own)?.0.as_ref());
                let (Some(shim), Some(name)) = (shim, path.last_mut()) else {
                    continue;
                };
                *name = shim.starts;
                if placed.iter().any(|(_, other, _)| same_in_fat(other, &path)) {
                    continue;
                }
            }
            // The manifest's spelling of a directory is everybody's: to a FAT both are one.
            for length in (1..path.len()).rev() {
                let spelled = placed.iter().filter_map(|(_, other, _)| other.get(..length));
                if let Some(other) = spelled.into_iter().find(|other| same_in_fat(other, &path[..length])) {
                    let other = other.to_vec();
                    path[..length].clone_from_slice(&other);
                    break;
                }
            }
            placed.push((None, path, payload));
        }
        let mut files = Vec::new();
        for (to, path, payload) in placed {
            if in_second_esp(&path) {
                self.mirror(to, &path, payload);
            }
            if let (DiskLayout::MultiSector, Some(to)) = (self.layout, to) {
                self.twice(to, &path, payload);
            }
            files.push((path, payload));
        }
        files.sort();
        let loaders = self.loaders(&files)?;
        let size = uefi.size.as_ref().and_then(|size| parse_size(size.get_ref()).ok());
        Ok(Some(Esp::Files { files, size, loaders }))
    }

    /// What a second ESP means for a file of the manifest's.
    fn twice(&mut self, to: &Text, path: &[String], payload: PayloadId) {
        let length = self.tree.payload(payload).length;
        if !in_second_esp(path) {
            let message = format!(
                "{:?} is not in the ESP for media with sectors of 4096 bytes",
                to.get_ref()
            );
            self.warn(to, message, "only what is under /EFI is in both");
        } else if length > LARGEST_TWICE {
            let message = format!(
                "{:?} has {length} bytes, and with layout \"multi-sector\" they would be in the image twice: what is under /EFI has \
                 {LARGEST_TWICE} at most",
                to.get_ref()
            );
            self.error(to, message, "is in both ESPs");
        }
    }

    /// What firmware and shim make of the files, as `inspect` finds it in the volume.
    fn loaders(&self, files: &[(Vec<String>, PayloadId)]) -> Result<Vec<LoaderFacts>, ResolveError> {
        let files: Vec<(String, PayloadId)> = files
            .iter()
            .map(|(path, payload)| (format!("/{}", path.join("/")), *payload))
            .collect();
        let mut loaders = Vec::new();
        for path in programs(files.iter().map(|(path, _)| path.as_str())) {
            if let Some((_, payload)) = files.iter().find(|(other, _)| other == path) {
                loaders.push(self.loader_facts(path, *payload)?);
            }
        }
        let mut lists = Vec::new();
        for (path, payload) in files.iter().filter(|(path, _)| is_list(path)) {
            let (bytes, _) = self.open(*payload)?;
            if bytes.size() <= LONGEST_LIST {
                let list = bytes.read_vec_at(0, bytes.size()).unwrap_or_default();
                lists.push((path.clone(), list));
            }
        }
        with_lists(&mut loaders, &lists);
        loaders.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(loaders)
    }

    fn loader_facts(&self, path: &str, payload: PayloadId) -> Result<LoaderFacts, ResolveError> {
        let (bytes, _) = self.open(payload)?;
        Ok(loader_facts(path, bytes.as_ref()))
    }

    /// Shows a file of the ESP in the ISO 9660 tree too, so that tools that copy files to a FAT stick copy the loader. A file that
    /// `[[files]]` has put there stays.
    fn mirror(&mut self, at: Option<&Text>, path: &[String], payload: PayloadId) {
        let Some((name, parents)) = path.split_last() else {
            return;
        };
        let file = crate::tree::Attributes {
            mode: 0o644,
            ..self.implied
        };
        let parents = parents.iter().map(String::as_bytes);
        let parent = self.tree.directories(ROOT, parents, self.implied);
        let added = parent.and_then(|parent| {
            let kind = Kind::File(payload);
            self.tree.insert(parent, name.as_bytes(), kind, file, None)
        });
        let kept = match added {
            Ok(_) => return,
            Err(conflict) => conflict.node(),
        };
        if !matches!(self.tree.node(kept).kind, Kind::File(other) if other == payload) {
            let path = text::visible(&self.tree.path(kept));
            let message = format!("{path} of [[files]] stays in the ISO tree; the ESP holds another");
            match at {
                Some(at) => self.warn(at, message, "is not shown in the ISO tree"),
                None => self.diagnostics.push(Diagnostic {
                    severity: Severity::Warning,
                    message,
                    labels: Vec::new(),
                    help: None,
                }),
            }
        }
    }
}

/// Whether a FAT takes two paths for one.
pub(super) fn same_in_fat(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.to_lowercase() == b.to_lowercase())
}
