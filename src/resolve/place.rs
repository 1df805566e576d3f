//! `[[files]]`: one entry at a time into the tree.

use std::path::Path;

use crate::ground::text;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::{self, At, Files, image_path};
use crate::resolve::ResolveError;
use crate::tree::source::Giver;
use crate::tree::{Attributes, Conflict, Kind, NodeId, ROOT};

use super::Resolution;
use super::host::has_same_bytes;
use super::rules::Rules;
use super::walk::Exclude;

impl Resolution<'_> {
    /// Puts what one `[[files]]` entry names into the tree.
    pub(super) fn add_files(&mut self, origin: u32, entry: &At<Files>) -> Result<(), ResolveError> {
        let entry = entry.get_ref();
        let Ok(to) = image_path(entry.to.get_ref()) else {
            // The manifest's own check has reported it.
            return Ok(());
        };
        let rules = Rules::new(origin, entry, self.timestamp);
        let components: Vec<&[u8]> = to.components.iter().map(String::as_bytes).collect();
        if let Some(from) = &entry.from {
            return self.add_from(entry, from, &components, to.directory, &rules);
        }
        if let Some(given) = &entry.given {
            let name = Path::new(entry.to.get_ref());
            let payload = self.host.given(&mut self.tree, given, name)?;
            return self
                .add_leaf(entry, &components, Kind::File(payload), rules.inline(0o644), &rules)
                .map(drop);
        }
        let (kind, mode) = match (&entry.text, &entry.link) {
            (Some(text), _) => {
                let bytes = text.get_ref().as_bytes();
                (
                    Kind::File(self.host.inline(&mut self.tree, bytes, Giver::Manifest)),
                    0o644,
                )
            }
            (None, Some(link)) => (Kind::Symlink(link.get_ref().as_bytes().into()), 0o777),
            (None, None) => return Ok(()),
        };
        self.add_leaf(entry, &components, kind, rules.inline(mode), &rules)?;
        Ok(())
    }

    fn add_from(
        &mut self,
        entry: &Files,
        from: &At<String>,
        to: &[&[u8]],
        into: bool,
        rules: &Rules,
    ) -> Result<(), ResolveError> {
        let path = self.host_path(from.get_ref());
        let data = match path.metadata() {
            Ok(data) => data,
            Err(error) => {
                self.missing(from, &error);
                return Ok(());
            }
        };
        if entry.unpack() {
            return self.add_archive(entry, from, &path, (to, into), rules);
        }
        if data.is_dir() {
            if entry.sha256.is_some() {
                self.error(from, "`sha256` is for a single file", "this is a directory");
                return Ok(());
            }
            return self.add_tree(entry, from, &path, to, rules);
        }
        let mut to = to.to_vec();
        let name = path.file_name().map(|name| name.to_os_string()).unwrap_or_default();
        if into {
            use std::os::unix::ffi::OsStrExt;
            to.push(name.as_bytes());
        }
        if !data.is_file() {
            self.error(from, "only regular files and directories can be put into an image", "");
            return Ok(());
        }
        self.refuse_patterns(entry);
        let sha256 = entry
            .sha256
            .as_ref()
            .and_then(|digits| text::sha256_from_hex(digits.get_ref()));
        let payload = self
            .host
            .payload(&mut self.tree, &path, None, sha256, rules.preserve_links)?;
        if let Some(payload) = payload {
            self.add_leaf(entry, &to, Kind::File(payload), rules.host(&data), rules)?;
        }
        Ok(())
    }

    /// Reports an input that cannot be used. If the path looks like one for a shell, the help says so.
    pub(super) fn missing(&mut self, text: &At<String>, error: &std::io::Error) {
        let message = format!("cannot use {:?}: {error}", text.get_ref());
        match manifest::of_a_shell(text.get_ref()) {
            Some(help) if error.kind() == std::io::ErrorKind::NotFound => {
                self.error_with(text, message, "this input", help)
            }
            _ => self.error(text, message, "this input"),
        }
    }

    /// A single file leaves nothing out.
    pub(super) fn refuse_patterns(&mut self, entry: &Files) {
        for pattern in &entry.exclude {
            self.error(
                pattern,
                "`exclude` is for directories and archives",
                "the input is a single file",
            );
        }
    }

    /// The contents of a host directory, into the directory `to` of the image.
    fn add_tree(
        &mut self,
        entry: &Files,
        from: &At<String>,
        path: &Path,
        to: &[&[u8]],
        rules: &Rules,
    ) -> Result<(), ResolveError> {
        let Some(mut exclude) = self.exclude(entry) else {
            return Ok(());
        };
        let mut inside = self.outputs.iter().filter_map(|target| inside(&target.path, path));
        if let Some(inside) = inside.find(|inside| !exclude.matches(inside, false)) {
            self.error(
                from,
                format!("the output {} would be written into its own input", inside.display()),
                "this directory; exclude the output, or write it elsewhere with `output` or -o",
            );
            return Ok(());
        }
        let Some(directory) = self.directory(entry, to) else {
            return Ok(());
        };
        self.walk(path, directory, &mut exclude, rules, entry)?;
        self.warn_unused(entry, &exclude);
        Ok(())
    }

    /// The entry's patterns; none if one of them is wrong, which is reported.
    pub(super) fn exclude(&mut self, entry: &Files) -> Option<Exclude> {
        let exclude = Exclude::new(&entry.exclude);
        exclude
            .map_err(|(index, message)| self.error(&entry.exclude[index], message, "this pattern"))
            .ok()
    }

    pub(super) fn warn_unused(&mut self, entry: &Files, exclude: &Exclude) {
        for index in exclude.unused() {
            self.warn(
                &entry.exclude[index],
                "this pattern leaves nothing out",
                "matches nothing",
            );
        }
    }

    /// The image directory at `path`, made where it is not there; a component that is something else is reported.
    pub(super) fn directory(&mut self, entry: &Files, path: &[&[u8]]) -> Option<NodeId> {
        self.directory_below(entry, ROOT, path.iter().copied())
    }

    /// The same below a directory.
    pub(super) fn directory_below<'p>(
        &mut self,
        entry: &Files,
        directory: NodeId,
        path: impl IntoIterator<Item = &'p [u8]>,
    ) -> Option<NodeId> {
        match self.tree.directories(directory, path, self.implied) {
            Ok(node) => Some(node),
            Err(conflict) => {
                self.report_conflict(entry, &conflict);
                None
            }
        }
    }

    pub(super) fn add_leaf(
        &mut self,
        entry: &Files,
        path: &[&[u8]],
        kind: Kind,
        attributes: Attributes,
        rules: &Rules,
    ) -> Result<(), ResolveError> {
        let Some((name, parents)) = path.split_last() else {
            self.error(
                &entry.to,
                "a file needs a name of its own",
                "this is the root directory",
            );
            return Ok(());
        };
        let Some(parent) = self.directory(entry, parents) else {
            return Ok(());
        };
        self.add_node(entry, (parent, name), kind, attributes, rules)
    }

    /// Puts a leaf under a directory. If that name exists, the two must be the same, or the entry must say `replace`.
    pub(super) fn add_node(
        &mut self,
        entry: &Files,
        (parent, name): (NodeId, &[u8]),
        kind: Kind,
        attributes: Attributes,
        rules: &Rules,
    ) -> Result<(), ResolveError> {
        let added = self
            .tree
            .insert(parent, name, kind.clone(), attributes, Some(rules.origin));
        match added {
            Ok(_) => {}
            Err(Conflict::Occupied(node)) if self.is_same(node, &kind, attributes)? => {}
            Err(Conflict::Occupied(node))
                if (entry.replace() || self.is_of_base(node))
                    && !matches!(self.tree.node(node).kind, Kind::Directory(_)) =>
            {
                self.tree.replace(node, kind, attributes, Some(rules.origin));
            }
            Err(conflict) => self.report_conflict(entry, &conflict),
        }
        Ok(())
    }

    /// Whether a node already has these bytes, mode, owner and time.
    fn is_same(&self, node: NodeId, kind: &Kind, attributes: Attributes) -> Result<bool, ResolveError> {
        let there = self.tree.node(node);
        if there.attributes != attributes {
            return Ok(false);
        }
        match (&there.kind, kind) {
            (Kind::File(a), Kind::File(b)) if a != b => {
                let (a, b) = (self.tree.payload(*a), self.tree.payload(*b));
                Ok(a.length == b.length && has_same_bytes(&a.source, &b.source, a.length)?)
            }
            (Kind::Directory(_), _) => Ok(false),
            (there, kind) => Ok(there == kind),
        }
    }

    /// Whether the node stands for a directory or link of the base.
    fn is_of_base(&self, node: NodeId) -> bool {
        self.document.manifest.base.is_some() && self.tree.node(node).origin.is_none()
    }

    /// Reports that two entries want the same path, with both places and the ways out.
    pub(super) fn report_conflict(&mut self, entry: &Files, conflict: &Conflict) {
        let node = conflict.node();
        let (message, help) = match conflict {
            Conflict::Occupied(node) if self.is_of_base(*node) => ("is a directory in the base", None),
            Conflict::Occupied(_) => (
                "is put into the image twice, and not with the same bytes, mode, owner and time",
                Some("`exclude` leaves it out of one of the two; `replace = true` lets the later entry take its place"),
            ),
            Conflict::NotDirectory(_) => ("is not a directory", None),
            Conflict::Link(_) => (
                "is a link that does not lead to a directory of the image, and a file is put below it",
                None,
            ),
        };
        let path = text::visible(&self.tree.path(node));
        let mut diagnostic = Diagnostic::error(format!("{path} {message}"), entry.to.span(), "and again here");
        diagnostic.labels.extend(self.origin_label(node));
        diagnostic.help = help.map(str::to_owned);
        self.diagnostics.push(diagnostic);
    }
}

/// The path of an output relative to the directory `source`, if it lies below it.
fn inside(output: &Path, source: &Path) -> Option<std::path::PathBuf> {
    let source = source.canonicalize().ok()?;
    let output = std::path::absolute(output).ok()?;
    let mut existing = output.parent()?;
    while !existing.exists() {
        existing = existing.parent()?;
    }
    let rest = output.strip_prefix(existing).ok()?;
    let whole = existing.canonicalize().ok()?.join(rest);
    whole.strip_prefix(&source).ok().map(Path::to_path_buf)
}
