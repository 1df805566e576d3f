//! Names that an archive has several times: who unpacks it has the last one in the end.

use std::collections::HashMap;

use super::{ArchiveEntry, Kind};

/// The entries without those that a later one takes the place of, and a word about them. Directories come together, and a directory
/// where a file is stays for whoever puts both into a tree to refuse.
pub(super) fn last_ones(mut entries: Vec<ArchiveEntry>) -> (Vec<ArchiveEntry>, Option<String>) {
    let mut last: HashMap<&[u8], usize> = HashMap::new();
    let mut replaced = vec![false; entries.len()];
    let is_leaf = |entry: &ArchiveEntry| entry.kind != Kind::Directory;
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| is_leaf(entry)) {
        if let Some(earlier) = last.insert(&entry.path, at) {
            replaced[earlier] = true;
        }
    }
    let names: Vec<usize> = (0..entries.len()).filter(|&at| replaced[at]).collect();
    let Some(&first) = names.first() else {
        return (entries, None);
    };
    let shown = crate::ground::text::visible(&entries[first].path);
    let warning = match names.len() {
        1 => format!("has {shown:?} twice; the last one is taken"),
        count => {
            format!("has names several times, {shown:?} among them; the last one is taken, and {count} entries are not")
        }
    };
    resolve_links(&mut entries);
    let mut at = 0;
    entries.retain(|_| {
        at += 1;
        !replaced[at - 1]
    });
    (entries, Some(warning))
}

/// A hard link is to the file that had the name before it, which need not be the last one: it gets that file's place itself.
fn resolve_links(entries: &mut [ArchiveEntry]) {
    let mut files: HashMap<Vec<u8>, Kind> = HashMap::new();
    for entry in entries {
        if let Kind::Link(target) = &entry.kind
            && let Some(file) = files.get(target)
        {
            entry.kind = file.clone();
        }
        if let Kind::File(_) = entry.kind {
            files.insert(entry.path.clone(), entry.kind.clone());
        }
    }
}
