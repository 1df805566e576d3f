//! The nodes of a volume as directories with their names settled, before anything has a place.

use std::collections::HashMap;

use super::directory::{self, MAX_ENTRIES};
use super::names::{self, ShortName};
use super::{FatError, Kind, Node};

/// A directory. The root is the first; a directory comes before its subdirectories.
#[derive(Debug)]
pub(super) struct Directory {
    /// `/` for the root.
    pub(super) path: String,
    /// The root is its own parent.
    pub(super) parent: usize,
    pub(super) items: Vec<Item>,
    /// Directory entries with those of long names, of `.` and `..`, and of the label.
    pub(super) entries: u64,
}

/// A name in a directory.
#[derive(Debug)]
pub(super) struct Item {
    /// Empty if the short name says it all.
    pub(super) long: Vec<u16>,
    pub(super) short: ShortName,
    pub(super) target: Target,
}

/// What a name stands for, by its number in the [`Tree`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Directory(usize),
    File(usize),
}

/// A file, wherever its name is.
#[derive(Debug)]
pub(super) struct File {
    pub(super) length: u32,
    pub(super) key: usize,
}

/// Directories from the root down, their items in the order of their folded names; files in the order of their items.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) directories: Vec<Directory>,
    pub(super) files: Vec<File>,
}

/// No Linux program can name a longer path, and nested directories could make it as long as the volume.
pub(super) const MAX_PATH: usize = 4096;

/// The path of `name` in the directory at `parent`.
pub(super) fn join(parent: &str, name: &str) -> String {
    format!("{}/{name}", parent.trim_end_matches('/'))
}

impl Tree {
    /// Checks the names and lengths, sorts each directory and chooses the short names.
    pub(super) fn new(root: &[Node], has_label: bool) -> Result<Self, FatError> {
        let mut tree = Self {
            directories: Vec::new(),
            files: Vec::new(),
        };
        // Directories that wait: parent, number of the item there, path, nodes.
        let mut waiting = vec![(0, None, "/".to_owned(), root)];
        while let Some((parent, item, path, nodes)) = waiting.pop() {
            let number = tree.directories.len();
            if let Some(item) = item
                && let Some(parent) = tree.directories.get_mut(parent)
                && let Some(name) = parent.items.get_mut::<usize>(item)
            {
                name.target = Target::Directory(number);
            }
            let own_entries = if number == 0 { u64::from(has_label) } else { 2 };
            let nodes = sorted(&path, nodes)?;
            let items = tree.items(&path, &nodes)?;
            let entries = items.iter().map(|item| directory::entries_for(&item.long)).sum::<u64>() + own_entries;
            if entries > MAX_ENTRIES {
                return Err(FatError::DirectoryFull { path, entries });
            }
            for (item, node) in nodes.iter().enumerate().rev() {
                if let Kind::Directory(children) = &node.kind {
                    waiting.push((number, Some(item), join(&path, &node.name), children));
                }
            }
            tree.directories.push(Directory {
                path,
                parent,
                items,
                entries,
            });
        }
        Ok(tree)
    }

    /// The names of a directory; its files get their numbers, its subdirectories will get theirs.
    fn items(&mut self, path: &str, nodes: &[&Node]) -> Result<Vec<Item>, FatError> {
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let shorts = names::short_names(&names);
        let mut items = Vec::with_capacity(nodes.len());
        for (node, short) in nodes.iter().zip(shorts) {
            let refuse = |reason| FatError::Name {
                path: join(path, &node.name),
                reason,
            };
            let long = names::long_units(&node.name).map_err(refuse)?;
            if join(path, &node.name).len() > MAX_PATH {
                return Err(refuse("has at most 4096 bytes with its path"));
            }
            let is_short = names::exact_short(&node.name).is_some();
            let target = match node.kind {
                Kind::Directory(_) => Target::Directory(0),
                Kind::File { length, key } => {
                    let length = u32::try_from(length).map_err(|_| FatError::FileTooLong {
                        path: join(path, &node.name),
                        length,
                    })?;
                    self.files.push(File { length, key });
                    Target::File(self.files.len() - 1)
                }
            };
            items.push(Item {
                long: if is_short { Vec::new() } else { long },
                short,
                target,
            });
        }
        Ok(items)
    }
}

/// The nodes of a directory by folded name, of which no two may be equal.
fn sorted<'a>(path: &str, nodes: &'a [Node]) -> Result<Vec<&'a Node>, FatError> {
    let mut seen: HashMap<String, &str> = HashMap::with_capacity(nodes.len());
    for node in nodes {
        if let Some(first) = seen.insert(names::fold(&node.name), &node.name) {
            let (first, second) = (join(path, first), join(path, &node.name));
            return Err(FatError::Clash { first, second });
        }
    }
    let mut nodes: Vec<&Node> = nodes.iter().collect();
    nodes.sort_by_cached_key(|node| names::fold(&node.name));
    Ok(nodes)
}
