//! A host directory into the tree, in an order that does not depend on the host.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::ground::text::visible_path;
use crate::manifest::{At, Files};
use crate::resolve::ResolveError;
use crate::tree::{Kind, NodeId};

use super::Resolution;
use super::host::changed;
use super::rules::Rules;

/// The size in bytes of the buffer for the names of a file's extended attributes.
const NAMES: usize = 4096;

/// Directories may nest this deep, on any host.
const DEPTH: usize = 1024;

/// The patterns of `exclude`. One without `/` matches a name at any depth, one with `/` the path below `from`; what a `/` ends
/// matches directories alone.
pub(super) struct Exclude {
    patterns: GlobSet,
    /// Whether the pattern of the same index looks at the name, not at the path.
    by_name: Vec<bool>,
    directories_only: Vec<bool>,
    used: Vec<bool>,
}

impl Exclude {
    /// The patterns, or which one does not compile and why.
    pub(super) fn new(patterns: &[At<String>]) -> Result<Self, (usize, String)> {
        let mut set = GlobSetBuilder::new();
        let (mut by_name, mut directories_only) = (Vec::new(), Vec::new());
        for (index, pattern) in patterns.iter().enumerate() {
            let text = pattern.get_ref();
            let stripped = text.strip_suffix('/').unwrap_or(text);
            directories_only.push(stripped.len() < text.len());
            by_name.push(!stripped.contains('/'));
            let anchored = stripped.strip_prefix('/').unwrap_or(stripped);
            let glob = GlobBuilder::new(anchored).literal_separator(true).build();
            set.add(glob.map_err(|error| (index, error.to_string()))?);
        }
        let patterns = set.build().map_err(|error| (0, error.to_string()))?;
        Ok(Self {
            patterns,
            used: vec![false; by_name.len()],
            by_name,
            directories_only,
        })
    }

    /// Whether `path`, relative to the source, is left out.
    pub(super) fn matches(&mut self, path: &Path, directory: bool) -> bool {
        if self.used.is_empty() {
            return false;
        }
        let name = path.file_name().map(Path::new).unwrap_or(path);
        let by_path = self.patterns.matches(path).into_iter().map(|index| (index, false));
        let by_name = self.patterns.matches(name).into_iter().map(|index| (index, true));
        let mut matched = false;
        for (index, of_name) in by_path.chain(by_name) {
            if self.by_name[index] == of_name && (directory || !self.directories_only[index]) {
                self.used[index] = true;
                matched = true;
            }
        }
        matched
    }

    /// Patterns that have matched nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = usize> {
        self.used
            .iter()
            .enumerate()
            .filter(|(_, used)| !**used)
            .map(|(index, _)| index)
    }
}

/// A directory that is still to be read.
struct Pending {
    path: PathBuf,
    /// Relative to the source.
    relative: PathBuf,
    node: NodeId,
    depth: usize,
    /// Whether `node` was reached through a link in the image. Then the directory keeps its own attributes.
    through_link: bool,
}

/// What a link of the host becomes in the image.
enum Link {
    /// A link.
    Kept,
    /// The file that it leads to.
    File(Metadata),
    /// The directory that it leads to.
    Directory,
    /// Nothing: an error has been reported.
    Refused,
}

impl Resolution<'_> {
    /// Puts everything below the host directory `from` under `node`.
    pub(super) fn walk(
        &mut self,
        from: &Path,
        node: NodeId,
        exclude: &mut Exclude,
        rules: &Rules,
        entry: &Files,
    ) -> Result<(), ResolveError> {
        let (mut skipped, mut attributed) = (Vec::new(), Vec::new());
        let mut pending = vec![Pending {
            path: from.into(),
            relative: PathBuf::new(),
            node,
            depth: 0,
            through_link: false,
        }];
        while let Some(directory) = pending.pop() {
            if directory.depth > DEPTH {
                return Err(ResolveError::input(
                    &directory.path,
                    "directories nest more than 1024 deep",
                ));
            }
            let before = match directory.path.metadata() {
                Ok(data) => data,
                Err(error) => {
                    self.note_or_fail(&directory.path, error)?;
                    continue;
                }
            };
            if !directory.through_link {
                self.tree
                    .set_attributes(directory.node, rules.host(&before), rules.origin);
            }
            let names = match names(&directory.path) {
                Ok(names) => names,
                Err(error) => {
                    self.note_or_fail(&directory.path, error)?;
                    continue;
                }
            };
            for name in names {
                let path = directory.path.join(&name);
                let relative = directory.relative.join(&name);
                let data = match path.symlink_metadata() {
                    Ok(data) => data,
                    Err(error) => {
                        self.note_or_fail(&path, error)?;
                        continue;
                    }
                };
                if exclude.matches(&relative, data.is_dir()) {
                    continue;
                }
                let name = name.as_bytes();
                if rules.preserve_mode && has_extended_attributes(&path) {
                    attributed.push(path.clone());
                }
                let mut data = data;
                let mut is_directory = data.is_dir();
                if data.is_symlink() {
                    match self.link(from, &path, &relative, entry)? {
                        Link::Kept => {}
                        Link::File(there) => data = there,
                        Link::Directory => is_directory = true,
                        Link::Refused => continue,
                    }
                }
                if is_directory {
                    match self.tree.directory(directory.node, name, self.implied) {
                        Ok(node) => pending.push(Pending {
                            path,
                            relative,
                            node,
                            depth: directory.depth + 1,
                            through_link: self.tree.node(node).parent != directory.node,
                        }),
                        Err(conflict) => self.report_conflict(entry, &conflict),
                    }
                    continue;
                }
                let Some(kind) = self.leaf(&path, &data, rules, &mut skipped)? else {
                    continue;
                };
                let attributes = rules.host(&data);
                self.add_node(entry, (directory.node, name), kind, attributes, rules)?;
            }
            let after = directory.path.metadata();
            let after = after.map_err(|_| changed(&directory.path, "it vanished"))?;
            let stamp = |data: &Metadata| (data.ino(), data.mtime(), data.mtime_nsec());
            if stamp(&before) != stamp(&after) {
                return Err(changed(&directory.path, "its entries changed while they were read"));
            }
        }
        self.warn_skipped(entry, &skipped);
        self.warn_attributed(entry, &attributed);
        Ok(())
    }

    /// Decides what a symbolic link below `from` becomes. A build sandbox puts links in place of its inputs: each leads out of `from` to a
    /// path that ends as its own does. Kept, such a link would lead nowhere on the machine that reads the image, and to follow it would be a
    /// guess, so it is an error unless `follow` decides.
    fn link(&mut self, from: &Path, path: &Path, relative: &Path, entry: &Files) -> Result<Link, ResolveError> {
        const OF_THE_SYSTEM: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];
        let target = path.read_link().map_err(|_| changed(path, "it was a link before"))?;
        let follow = entry.follow.as_ref().map(|follow| *follow.get_ref());
        let Ok(there) = path.metadata() else {
            return Ok(Link::Kept);
        };
        if follow == Some(true) {
            return followed(from, path, there);
        }
        let inside = target.strip_prefix("/").map(|below| from.join(below));
        let is_of_sandbox = follow.is_none()
            && target.is_absolute()
            && inside.is_ok_and(|inside| inside.symlink_metadata().is_err())
            && !OF_THE_SYSTEM.iter().any(|system| target.starts_with(system))
            && target.ends_with(relative);
        if !is_of_sandbox {
            return Ok(Link::Kept);
        }
        if let Some(from) = &entry.from {
            let message = format!(
                "{} is a link to {}, as build sandboxes make them: it would lead nowhere in the image",
                visible_path(path),
                visible_path(&target)
            );
            let help = "`follow = true` takes what it leads to, `follow = false` keeps the link";
            self.error_with(from, message, "in this input", help);
        }
        Ok(Link::Refused)
    }

    /// Anything but a directory. FIFOs and sockets have no content to keep, and opening one could wait for ever.
    fn leaf(
        &mut self,
        path: &Path,
        data: &Metadata,
        rules: &Rules,
        skipped: &mut Vec<PathBuf>,
    ) -> Result<Option<Kind>, ResolveError> {
        let kind = data.file_type();
        if kind.is_file() {
            let payload = self
                .host
                .payload(&mut self.tree, path, Some(data), None, rules.preserve_links)?;
            return Ok(payload.map(Kind::File));
        }
        if kind.is_symlink() {
            let target = path.read_link().map_err(|_| changed(path, "it was a link before"))?;
            return Ok(Some(Kind::Symlink(target.as_os_str().as_bytes().into())));
        }
        let block = kind.is_block_device();
        if rules.preserve_mode && (block || kind.is_char_device()) {
            let (major, minor) = (rustix::fs::major(data.rdev()), rustix::fs::minor(data.rdev()));
            return Ok(Some(Kind::Device { block, major, minor }));
        }
        skipped.push(path.into());
        Ok(None)
    }

    /// An input without permission is noted, so that all of them are told at once; one that vanished has changed under us.
    fn note_or_fail(&mut self, path: &Path, error: io::Error) -> Result<(), ResolveError> {
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                self.host.note_unreadable(path, &error);
                Ok(())
            }
            io::ErrorKind::NotFound => Err(changed(path, "it vanished")),
            _ => Err(ResolveError::io(path, "reading", error)),
        }
    }

    fn warn_attributed(&mut self, entry: &Files, attributed: &[PathBuf]) {
        let (Some(first), Some(from)) = (attributed.first(), &entry.from) else {
            return;
        };
        let message = format!(
            "the image does not hold the extended attributes of {} (capabilities, access control lists or a user's own), {} first",
            match attributed.len() {
                1 => "1 file".to_owned(),
                count => format!("{count} files"),
            },
            visible_path(first)
        );
        self.warn(from, message, "in this input");
    }

    pub(super) fn warn_skipped(&mut self, entry: &Files, skipped: &[PathBuf]) {
        let Some(first) = skipped.first() else { return };
        let count = skipped.len();
        let message = format!(
            "left out {count} special {}, {} first: FIFOs and sockets never go into an image, devices only with \
             `preserve = [\"mode\"]`",
            if count == 1 { "file" } else { "files" },
            visible_path(first)
        );
        if let Some(from) = &entry.from {
            self.warn(from, message, "in this input");
        }
    }
}

/// What a link becomes that is followed if it leads out of `from`. `there` describes what it leads to.
fn followed(from: &Path, path: &Path, there: Metadata) -> Result<Link, ResolveError> {
    let canonical = |path: &Path| {
        path.canonicalize()
            .map_err(|source| ResolveError::io(path, "reading", source))
    };
    let to = canonical(path)?;
    if to.starts_with(canonical(from)?) {
        return Ok(Link::Kept);
    }
    if !there.is_dir() {
        return Ok(Link::File(there));
    }
    if canonical(path.parent().unwrap_or(path))?.starts_with(&to) {
        let message = "leads to a directory that contains the link, and cannot be followed";
        return Err(ResolveError::input(path, message));
    }
    Ok(Link::Directory)
}

/// Whether a file has extended attributes that a copy should keep: capabilities, access control lists, or attributes of a user. SELinux
/// labels do not count. Where SELinux is used every file has one, and the system that receives the files sets its own.
fn has_extended_attributes(path: &Path) -> bool {
    let mut names = Vec::with_capacity(NAMES);
    // An error means that the file system has no attributes, so none can be lost. Names that do not fit are still names.
    let listed = rustix::fs::llistxattr(path, rustix::buffer::spare_capacity(&mut names));
    if listed == Err(rustix::io::Errno::RANGE) {
        return true;
    }
    names.split(|&byte| byte == 0).any(|name| {
        name == b"security.capability" || name.starts_with(b"system.posix_acl_") || name.starts_with(b"user.")
    })
}

/// Names in a directory in the order of their bytes.
fn names(path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in path.read_dir()? {
        names.push(entry?.file_name());
    }
    names.sort_unstable();
    Ok(names)
}
