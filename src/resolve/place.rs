//! `[[files]]`: one entry at a time into the tree.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::error::Error;
use crate::manifest::{Files, Spanned, image_path};
use crate::source::Giver;
use crate::text;
use crate::tree::{Attributes, Conflict, Kind, NodeId, ROOT};

use super::Resolution;
use super::rules::Rules;
use super::walk::Exclude;

impl Resolution<'_> {
    /// Puts what one `[[files]]` entry names into the tree.
    pub(super) fn add_files(&mut self, origin: u32, entry: &Spanned<Files>) -> Result<(), Error> {
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
        self.add_leaf(entry, &components, kind, rules.inline(mode), &rules);
        Ok(())
    }

    fn add_from(
        &mut self,
        entry: &Files,
        from: &Spanned<String>,
        to: &[&[u8]],
        into: bool,
        rules: &Rules,
    ) -> Result<(), Error> {
        let path = self.host_path(from.get_ref());
        let data = match path.metadata() {
            Ok(data) => data,
            Err(error) => {
                self.error(from, format!("cannot use {:?}: {error}", from.get_ref()), "this input");
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
        let payload = self.host.payload(&mut self.tree, &path, None, sha256)?;
        if let Some(payload) = payload {
            self.add_leaf(entry, &to, Kind::File(payload), rules.host(&data), rules);
        }
        Ok(())
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
        from: &Spanned<String>,
        path: &Path,
        to: &[&[u8]],
        rules: &Rules,
    ) -> Result<(), Error> {
        let Some(mut exclude) = self.exclude(entry) else {
            return Ok(());
        };
        if let Some(inside) = self.output_inside(path)
            && !exclude.matches(&inside, false)
        {
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

    /// Where the output lies below the directory `source`, if it does.
    fn output_inside(&self, source: &Path) -> Option<std::path::PathBuf> {
        let source = source.canonicalize().ok()?;
        let parent = match self.output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut existing = parent;
        while !existing.exists() {
            existing = existing.parent()?;
        }
        let base = match existing.as_os_str().is_empty() {
            true => Path::new(".").canonicalize().ok()?,
            false => existing.canonicalize().ok()?,
        };
        let rest = self.output.strip_prefix(existing).ok()?;
        base.join(rest).strip_prefix(&source).ok().map(Path::to_path_buf)
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
        let mut node = directory;
        for name in path {
            match self.tree.directory(node, name, self.implied) {
                Ok(id) => node = id,
                Err(conflict) => {
                    self.report_conflict(entry, &conflict);
                    return None;
                }
            }
        }
        Some(node)
    }

    pub(super) fn add_leaf(
        &mut self,
        entry: &Files,
        path: &[&[u8]],
        kind: Kind,
        attributes: Attributes,
        rules: &Rules,
    ) {
        let Some((name, parents)) = path.split_last() else {
            self.error(
                &entry.to,
                "a file needs a name of its own",
                "this is the root directory",
            );
            return;
        };
        let Some(parent) = self.directory(entry, parents) else {
            return;
        };
        let added = self.tree.insert(parent, name, kind, attributes, Some(rules.origin));
        if let Err(conflict) = added {
            self.report_conflict(entry, &conflict);
        }
    }

    /// Two entries that want the same path: both places are shown.
    pub(super) fn report_conflict(&mut self, entry: &Files, conflict: &Conflict) {
        let (node, message) = match conflict {
            Conflict::Occupied(node) => (*node, "is put into the image twice"),
            Conflict::NotDirectory(node) => (*node, "is not a directory"),
        };
        let path = text::visible(&self.tree.path(node));
        let mut labels = vec![Label {
            span: entry.to.span(),
            text: "and again here".into(),
        }];
        labels.extend(self.origin_label(node));
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            message: format!("{path} {message}"),
            labels,
            help: None,
        });
    }
}
