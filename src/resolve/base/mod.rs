//! An existing image as the starting point: what it is, and what is asked of it.

mod answers;
mod areas;
mod ignition;
mod kernel_args;
mod original;
mod sums;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::formats::iso9660::EntryKind;
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Shared};
use crate::ground::stamp::Stamp;
use crate::ground::text;
use crate::look::contents::{Item, Place, Tree as ImageTree};
use crate::look::inspect;
use crate::look::open::{self, Name, OpenError};
use crate::manifest::{self, At, Document};
use crate::tree::base::{BaseImage, FatEdit, Growth};
use crate::tree::source::{Member, Source};
use crate::tree::{Attributes, Kind, PayloadId};

use super::host::check_digest;
use super::walk::Exclude;
use original::Original;

use super::{Environment, Resolution, ResolveError, Resolved};

/// Reads the base and what is to come into it.
pub(super) fn resolve(
    document: &Document,
    base: &At<manifest::Base>,
    environment: &Environment,
) -> Result<Resolved<Growth>, ResolveError> {
    let mut resolution = Resolution::begin(document, environment)?;
    let base = base.get_ref();
    let image = resolution.base_image(base)?;
    let path = resolution.host_path(base.image.get_ref());
    let unusable = |error: &dyn std::fmt::Display| ResolveError::input(&path, error.to_string());
    let (tree, _) = ImageTree::of(&image.image, Place::Tree(b"/".to_vec())).map_err(|error| unusable(&error))?;
    let remove = resolution.removed(base, &tree);
    resolution.lead_through(&tree, &remove);
    for (index, entry) in document.manifest.files.iter().enumerate() {
        resolution.add_files(index as u32, entry)?;
    }
    resolution.check_unreadable()?;
    let in_use = in_use(&image.image).map_err(|error| unusable(&error))?;
    let mut edits = Edits::default();
    if base.kernel_args.is_some() || base.answers.is_some() {
        let original = Original::read(&image.image, &tree).map_err(|error| unusable(&error))?;
        let answers = match &base.answers {
            Some(answers) => resolution.answers(answers, &original, &mut edits)?,
            None => Vec::new(),
        };
        resolution.kernel_args(base, answers, &path, &original, &mut edits)?;
    }
    resolution.check_unreadable()?;
    resolution.sums(&image.image, &tree, &remove, &mut edits)?;
    let is_changed = !remove.is_empty()
        || !document.manifest.files.is_empty()
        || base.kernel_args.is_some()
        || base.answers.is_some()
        || document.manifest.iso.implant_md5;
    if !is_changed {
        resolution.warn(
            &base.image,
            "nothing is changed: there is neither [[files]] nor anything else",
            "",
        );
    }
    let (resolution, report) = resolution.end()?;
    let warnings = report.warnings();
    Ok(Resolved {
        contents: Growth {
            base: image,
            tree: resolution.tree,
            remove,
            edits: edits.tree,
            fat_edits: edits.fat,
            in_use,
            implant_md5: document.manifest.iso.implant_md5,
            warnings,
            _decompressed: resolution.decompressed,
        },
        output: resolution.output,
        report,
    })
}

/// New contents for files that the base has.
#[derive(Debug, Default)]
struct Edits {
    /// Of the tree, by path.
    tree: Vec<(Vec<u8>, PayloadId)>,
    /// Of FAT volumes.
    fat: Vec<FatEdit>,
}

/// Boot images and FAT volumes. Firmware finds them without their names, so they stay when a name goes.
fn in_use(image: &dyn ReadAt) -> Result<Vec<Range>, inspect::InspectError> {
    let structures = inspect::boot_structures(image)?;
    let entries = structures.el_torito.iter().map(|entry| Range {
        offset: entry.offset,
        length: entry.length,
    });
    let volumes = inspect::fat_volumes(image)?.map(|(offset, contents)| Range {
        offset,
        length: contents.size,
    });
    Ok(entries.chain(volumes).collect())
}

impl Resolution<'_> {
    fn base_image(&mut self, base: &manifest::Base) -> Result<BaseImage, ResolveError> {
        let path = self.host_path(base.image.get_ref());
        let Some((file, data)) = self.host.input(&path, None)? else {
            self.check_unreadable()?;
            return Err(ResolveError::input(&path, "cannot be opened"));
        };
        if let Some(wanted) = base
            .sha256
            .as_ref()
            .and_then(|digest| text::sha256_from_hex(digest.get_ref()))
        {
            check_digest(&file, &path, wanted)?;
        }
        let opened = open::open(&path, Name::Needed, &mut |_, _| true);
        let opened = opened.map_err(|error| match error {
            OpenError::Read(error) | OpenError::Hold(error) => ResolveError::io(&path, "reading", error),
            other => ResolveError::input(&path, other.to_string()),
        })?;
        let stored = opened.path().to_owned();
        let metadata = stored
            .metadata()
            .map_err(|error| ResolveError::io(&stored, "reading", error))?;
        let member = (stored != path).then(|| {
            Arc::new(Member {
                archive: Arc::from(path.as_path()),
                stamp: Stamp::of(&data),
                path: Box::default(),
            })
        });
        inspect::refuse(&opened).map_err(|error| ResolveError::input(&path, error.to_string()))?;
        Ok(BaseImage {
            image: Shared::new(opened),
            source: Source::File {
                path: Arc::from(stored.as_path()),
                stamp: Stamp::of(&metadata),
                offset: 0,
                member,
            },
        })
    }

    /// Adds the base's directories and links to the tree, so that paths of `[[files]]` can lead through them. Removed ones are left out.
    fn lead_through(&mut self, tree: &ImageTree, remove: &[Vec<u8>]) {
        let remove: HashSet<&[u8]> = remove.iter().map(Vec::as_slice).collect();
        for item in tree.items() {
            if remove.contains(item.path.as_slice()) {
                continue;
            }
            let kind = match &item.kind {
                EntryKind::Directory => Kind::Directory(BTreeMap::new()),
                EntryKind::Symlink(target) => Kind::Symlink(target.as_slice().into()),
                _ => continue,
            };
            let mut components: Vec<&[u8]> = item
                .path
                .split(|&byte| byte == b'/')
                .filter(|part| !part.is_empty())
                .collect();
            let Some(name) = components.pop() else {
                continue;
            };
            if let Some(parent) = self.tree.find(components) {
                // Two names that are equal are a fault of the base, which `check` tells.
                let _ = self.tree.insert(parent, name, kind, attributes(item), None);
            }
        }
    }

    /// The paths that match the patterns. What is in a removed directory is not listed.
    fn removed(&mut self, base: &manifest::Base, tree: &ImageTree) -> Vec<Vec<u8>> {
        let mut patterns = match Exclude::new(&base.remove) {
            Ok(patterns) => patterns,
            Err((index, why)) => {
                if let Some(pattern) = base.remove.get(index) {
                    self.error(pattern, format!("this pattern is wrong: {why}"), "this pattern");
                }
                return Vec::new();
            }
        };
        let mut removed: Vec<Vec<u8>> = Vec::new();
        for item in tree.items() {
            let relative = item.path.strip_prefix(b"/").unwrap_or(&item.path);
            let is_inside = removed.last().is_some_and(|last| {
                item.path
                    .strip_prefix(last.as_slice())
                    .is_some_and(|rest| rest.starts_with(b"/"))
            });
            if relative.is_empty()
                || !patterns.matches(path_of(relative), item.kind == EntryKind::Directory)
                || is_inside
            {
                continue;
            }
            removed.push(item.path.clone());
        }
        let unused: Vec<usize> = patterns.unused().collect();
        for pattern in unused.into_iter().filter_map(|index| base.remove.get(index)) {
            self.warn(
                pattern,
                "this pattern matches nothing in the base",
                "nothing is removed",
            );
        }
        removed
    }
}

fn path_of(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

fn attributes(item: &Item) -> Attributes {
    let posix = item.posix.as_ref();
    Attributes {
        mode: posix.map_or(0o755, |posix| posix.mode & 0o7777),
        uid: posix.and_then(|posix| posix.uid).unwrap_or(0),
        gid: posix.and_then(|posix| posix.gid).unwrap_or(0),
        mtime: item.modified,
    }
}

/// All bytes of a small file of the base, if they can be read.
fn bytes_of(item: &Item, image: &dyn ReadAt) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let copied = item.copy(image, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    copied.is_ok().then_some(bytes)
}
