//! An existing image as the starting point: what it is, and what is asked of it.

mod answers;
mod areas;
mod boot;
mod concatenated;
mod esp;
mod fill;
mod ignition;
mod kernel_args;
mod original;
mod sums;
mod unified;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::facts::FileSystem;
use crate::formats::iso9660::EntryKind;
use crate::ground::range::Range;
use crate::ground::read_at::{ReadAt, Shared};
use crate::ground::stamp::Stamp;
use crate::ground::text;
use crate::look::contents::{Item, Tree as ImageTree};
use crate::look::inspect;
use crate::look::open::{self, Name, OpenError, Opened};
use crate::look::size::{HEAD, declared_size};
use crate::manifest::{self, At, Document, esp_path};
use crate::tree::base::{BaseImage, FatEdit, FatVolume, Growth};
use crate::tree::source::{Member, Source};
use crate::tree::{Attributes, Kind, PayloadId};

use super::host::check_digest;
use super::walk::Exclude;
use esp::Volumes;
use kernel_args::Texts;
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
    let tree = ImageTree::of_index(&image.image).map_err(|error| unusable(&error))?;
    let tree = Rc::new(tree);
    let remove = resolution.removed(base, &tree);
    resolution.lead_through(&tree, &remove);
    for (index, entry) in document.manifest.files.iter().enumerate() {
        if esp_path(entry.get_ref().to.get_ref()).is_none() {
            resolution.add_files(index as u32, entry)?;
        }
    }
    resolution.check_unreadable()?;
    let volumes = inspect::fat_volumes(&image.image).map_err(|error| unusable(&error))?;
    let volumes = Volumes {
        image: &image.image,
        all: volumes.collect(),
    };
    let in_use = in_use(&volumes).map_err(|error| unusable(&error))?;
    let mut edits = Edits::of(&tree, &volumes);
    resolution.fat_files(&base.remove, &volumes, &mut edits)?;
    if base.kernel_args.is_some() || base.answers.is_some() || base.boot.is_some() {
        let original = Original::read(&image.image, &tree).map_err(|error| unusable(&error))?;
        let answers = match &base.answers {
            Some(answers) => resolution.answers(answers, &original, &mut edits)?,
            None => Vec::new(),
        };
        let args = base.kernel_args.as_ref().map(At::get_ref);
        if let Some(entries) = resolution.entries(args, &original.menu.entries) {
            let mut texts = Texts::new();
            resolution.kernel_args(base, answers, &entries, &original, &edits, &mut texts)?;
            if let Some(boot) = &base.boot {
                resolution.base_boot(boot, &entries, &original, &volumes, &mut edits, &mut texts)?;
            }
            resolution.texts(texts, &mut edits);
            // A configuration that is removed needs no arguments.
            edits.tree.retain(|(path, _)| !is_below(path, &remove));
        }
    }
    let fills = match &base.fill {
        Some(fill) => Some(resolution.fill(fill, &image.image)?),
        None => None,
    };
    resolution.check_unreadable()?;
    resolution.sums(&image.image, &tree, &remove, &mut edits)?;
    let is_changed = !remove.is_empty()
        || base.fill.is_some()
        || base.compact
        || !document.manifest.files.is_empty()
        || base.kernel_args.is_some()
        || base.answers.is_some()
        || base.boot.is_some()
        || edits.fat.iter().any(|volume| !volume.edits.is_empty())
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
            names_of: tree.index.unwrap_or(FileSystem::Iso9660),
            fills,
            remove,
            edits: edits.tree,
            fat: edits.fat,
            in_use,
            implant_md5: document.manifest.iso.implant_md5,
            warnings,
            _decompressed: resolution.decompressed,
        },
        outputs: resolution.outputs,
        report,
    })
}

/// New contents for files that the base has.
#[derive(Debug)]
struct Edits {
    /// Of the tree, by path.
    tree: Vec<(Vec<u8>, PayloadId)>,
    /// In FAT volumes, the first of which is `esp:`.
    fat: Vec<FatVolume>,
}

impl Edits {
    /// Every volume, and nothing to do.
    fn of(tree: &ImageTree, volumes: &Volumes<'_>) -> Self {
        let volumes = volumes.all.iter().zip(1..);
        let fat = volumes.map(|((start, contents), number)| FatVolume {
            start: *start,
            size: contents.size,
            number,
            foreign: foreign(tree, *start, contents.size),
            edits: Vec::new(),
        });
        Self {
            tree: Vec::new(),
            fat: fat.collect(),
        }
    }

    /// Whether an edit is about this path of a volume.
    fn changes_in_fat(&self, number: usize, path: &[u8]) -> bool {
        let volume = self.fat.iter().find(|volume| volume.number == number);
        volume.is_some_and(|volume| {
            let mut edits = volume.edits.iter();
            edits.any(|edit| edit.path.as_bytes().eq_ignore_ascii_case(path))
        })
    }

    /// An edit in the volume of this number, from 1.
    fn in_fat(&mut self, number: usize, edit: FatEdit) {
        let volume = self.fat.iter_mut().find(|volume| volume.number == number);
        if let Some(volume) = volume.filter(|volume| !volume.removes(&edit)) {
            volume.edits.push(edit);
        }
    }

    /// An edit in the volume of this number, and in all that hold the same files: an ESP that discs start may stand a second time for sticks.
    fn in_fat_and_copies(&mut self, number: usize, edit: &FatEdit, volumes: &Volumes<'_>) {
        for copy in volumes.copies(number) {
            self.in_fat(copy, edit.clone());
        }
    }
}

/// The bytes of a volume that files of the tree are in, counted from its first byte. A file that is the volume does not count.
fn foreign(tree: &ImageTree, start: u64, size: u64) -> Vec<Range> {
    let extents = tree.items().iter().flat_map(|item| &item.extents);
    let inside = extents.filter_map(|&(offset, length)| {
        let offset = offset?.checked_sub(start)?;
        (offset > 0 && offset < size).then_some(Range { offset, length })
    });
    inside.collect()
}

/// Boot images and FAT volumes. Firmware finds them without their names, so they stay when a name goes.
fn in_use(volumes: &Volumes<'_>) -> Result<Vec<Range>, inspect::InspectError> {
    let structures = inspect::boot_structures(volumes.image)?;
    let entries = structures.el_torito.iter().map(|entry| Range {
        offset: entry.offset,
        length: entry.length,
    });
    let volumes = volumes.all.iter().map(|(offset, contents)| Range {
        offset: *offset,
        length: contents.size,
    });
    Ok(entries.chain(volumes).collect())
}

impl Resolution<'_> {
    fn base_image(&mut self, base: &manifest::Base) -> Result<BaseImage, ResolveError> {
        let path = self.host_path(base.image.get_ref());
        // `edit` changes an image on a stick, too.
        let is_disk = path.metadata().is_ok_and(|data| data.file_type().is_block_device());
        let stamp = match is_disk {
            true => None,
            false => {
                let Some((file, data)) = self.host.input(&path, None)? else {
                    self.check_unreadable()?;
                    return Err(ResolveError::input(&path, "cannot be opened"));
                };
                let wanted = base.sha256.as_ref();
                if let Some(wanted) = wanted.and_then(|digest| text::sha256_from_hex(digest.get_ref())) {
                    check_digest(&file, &path, wanted)?;
                }
                Some(Stamp::of(&data))
            }
        };
        let opened = open::open(&path, Name::Needed, &mut |_, _| true);
        let opened = opened.map_err(|error| match error {
            OpenError::Read(error) | OpenError::Hold(error) => ResolveError::io(&path, "reading", error),
            other => ResolveError::input(&path, other.to_string()),
        })?;
        let stored = opened.path().to_owned();
        // What the file was before its first byte was read.
        let before = stamp.filter(|_| stored == path).map(Ok);
        let now = || stored.metadata().map(|data| Stamp::of(&data));
        let stored_stamp = before.unwrap_or_else(now);
        let stored_stamp = stored_stamp.map_err(|error| ResolveError::io(&stored, "reading", error))?;
        let member = stamp.filter(|_| stored != path).map(|stamp| {
            Arc::new(Member {
                archive: Arc::from(path.as_path()),
                stamp,
                path: Box::default(),
                made: None,
            })
        });
        let image = match is_disk {
            true => Shared::new(Beginning::of(opened).map_err(|error| ResolveError::io(&path, "reading", error))?),
            false => Shared::new(opened),
        };
        inspect::refuse(&image).map_err(|error| ResolveError::input(&path, error.to_string()))?;
        Ok(BaseImage {
            image,
            source: Source::File {
                path: Arc::from(stored.as_path()),
                stamp: stored_stamp,
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

    /// The paths of the tree that go. What is in a removed directory is not listed.
    fn removed(&mut self, base: &manifest::Base, tree: &ImageTree) -> Vec<Vec<u8>> {
        let of_tree = base.remove.iter();
        let of_tree = of_tree.filter(|pattern| esp_path(pattern.get_ref()).is_none());
        let patterns: Vec<At<String>> = of_tree.cloned().collect();
        let items = tree.items().iter();
        let items: Vec<(&[u8], bool)> = items
            .map(|item| (item.path.as_slice(), item.kind == EntryKind::Directory))
            .collect();
        self.matching(&patterns, &items)
    }

    /// Of sorted paths, each with whether it is a directory, those that match a pattern, without what is in such a directory.
    fn matching(&mut self, patterns: &[At<String>], items: &[(&[u8], bool)]) -> Vec<Vec<u8>> {
        let mut compiled = match Exclude::new(patterns) {
            Ok(compiled) => compiled,
            Err((index, why)) => {
                if let Some(pattern) = patterns.get(index) {
                    self.error(pattern, format!("this pattern is wrong: {why}"), "this pattern");
                }
                return Vec::new();
            }
        };
        let mut matching: Vec<Vec<u8>> = Vec::new();
        for &(path, is_directory) in items {
            let relative = path.strip_prefix(b"/").unwrap_or(path);
            let is_inside = matching.last().is_some_and(|last| {
                path.strip_prefix(last.as_slice())
                    .is_some_and(|rest| rest.starts_with(b"/"))
            });
            if relative.is_empty() || !compiled.matches(path_of(relative), is_directory) || is_inside {
                continue;
            }
            matching.push(path.to_vec());
        }
        let unused: Vec<usize> = compiled.unused().collect();
        for pattern in unused.into_iter().filter_map(|index| patterns.get(index)) {
            let message = format!("`{}` matches nothing in the base", pattern.get_ref());
            self.warn(pattern, message, "nothing is removed");
        }
        matching
    }
}

/// The image at the beginning of a disk, as long as it says.
#[derive(Debug)]
struct Beginning {
    disk: Opened,
    size: u64,
}

impl Beginning {
    fn of(disk: Opened) -> io::Result<Self> {
        let head = disk.read_vec_at(0, disk.size().min(HEAD))?;
        let size = declared_size(&head).map_or(disk.size(), |said| said.min(disk.size()));
        Ok(Self { disk, size })
    }
}

impl ReadAt for Beginning {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.size => self.disk.read_exact_at(buffer, offset),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Whether a path is one of these or in one of them.
fn is_below(path: &[u8], all: &[Vec<u8>]) -> bool {
    let mut tops = all.iter().filter_map(|top| path.strip_prefix(top.as_slice()));
    tops.any(|rest| rest.is_empty() || rest.starts_with(b"/"))
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
