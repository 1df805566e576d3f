//! Two indexes of one tree held against each other. Files are known by where their content is, since an index may have to change a
//! name.

use std::collections::HashMap;

use crate::formats::iso9660::{self, EntryKind};
use crate::formats::udf::{self, Kind};
use crate::ground::text;

use super::indexes::Index;

/// Files that are named before the rest is counted.
const NAMED: usize = 20;

/// What one index says that a better one does not.
#[derive(Debug, Default)]
pub(crate) struct Disagreement {
    /// What cannot be right.
    pub(crate) faults: Vec<String>,
    /// Names that the better one does not have; somebody may have wanted that.
    pub(crate) remarks: Vec<String>,
    /// Files that the other says more bytes of: the entry of the better one, and that of the other.
    pub(crate) longer: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Directory,
    File,
    /// Links and devices.
    Other,
}

/// What an index says of a name, as far as all can say it.
struct Name<'a> {
    path: &'a [u8],
    what: What,
    /// Of the content as it is stored.
    length: u64,
    /// Where the content begins.
    offset: Option<u64>,
}

impl<'a> Name<'a> {
    fn new(path: &'a [u8], what: What, length: u64, offset: Option<u64>) -> Self {
        Self {
            path,
            what,
            length,
            offset: offset.filter(|_| what == What::File && length > 0),
        }
    }

    fn of_iso9660(entry: &'a iso9660::IsoEntry) -> Self {
        let what = match entry.kind {
            EntryKind::Directory => What::Directory,
            EntryKind::File => What::File,
            EntryKind::Symlink(_) | EntryKind::Other(_) => What::Other,
        };
        let offset = entry.extents.first().map(|&(offset, _)| offset);
        Self::new(&entry.path, what, entry.length, offset)
    }

    fn of_udf(entry: &'a udf::UdfEntry) -> Self {
        let what = match entry.kind {
            Kind::Directory => What::Directory,
            Kind::File => What::File,
            Kind::Symlink(_) | Kind::Other(_) => What::Other,
        };
        let offset = entry.extents.first().and_then(|&(offset, _)| offset);
        Self::new(&entry.path, what, entry.length, offset)
    }
}

/// The names of an index.
struct Names<'a> {
    all: Vec<Name<'a>>,
    /// Files that have a content: where it begins, and their number in `all`.
    placed: Vec<(u64, usize)>,
}

impl<'a> Names<'a> {
    fn of(index: &'a Index) -> Self {
        let all: Vec<Name<'_>> = match index {
            Index::Iso(walk) => walk.entries.iter().map(Name::of_iso9660).collect(),
            Index::Udf(volume) => volume.entries.iter().map(Name::of_udf).collect(),
        };
        let numbered = all.iter().enumerate();
        let mut placed: Vec<(u64, usize)> = numbered.filter_map(|(at, name)| Some((name.offset?, at))).collect();
        placed.sort_unstable();
        Self { all, placed }
    }

    /// The files whose content begins at `offset`.
    fn at(&self, offset: u64) -> &[(u64, usize)] {
        let start = self.placed.partition_point(|&(at, _)| at < offset);
        let rest = &self.placed[start..];
        &rest[..rest.partition_point(|&(at, _)| at == offset)]
    }

    fn files_by_path(&self) -> HashMap<&'a [u8], usize> {
        let files = self.all.iter().enumerate().filter(|(_, name)| name.what == What::File);
        files.map(|(at, name)| (name.path, at)).collect()
    }

    fn count(&self, of: impl Fn(&Name<'_>) -> bool) -> usize {
        self.all.iter().filter(|name| of(name)).count()
    }
}

/// The files of two indexes, matched.
#[derive(Default)]
struct Matched {
    /// Numbers in the better and in the other index of files that do not have the same length.
    lengths: Vec<(usize, usize)>,
    /// Numbers in the other index of files that the better one does not name.
    missing: Vec<usize>,
    /// The same, of files that have the same name and length there and another place.
    elsewhere: Vec<usize>,
}

impl Matched {
    fn of(better: &Names<'_>, other: &Names<'_>) -> Self {
        let mut matched = Self::default();
        // Few images need it.
        let mut paths = None;
        let mut rest = other.placed.as_slice();
        while let Some(&(offset, _)) = rest.first() {
            let (here, behind) = rest.split_at(rest.partition_point(|&(at, _)| at == offset));
            rest = behind;
            let known = better.at(offset);
            let mut unnamed = here.len().saturating_sub(known.len());
            for &(_, number) in here {
                let name = &other.all[number];
                let known = known.iter().map(|&(_, at)| (at, &better.all[at]));
                if !known.clone().any(|(_, known)| known.length == name.length) {
                    let same_path = known.clone().find(|(_, known)| known.path == name.path);
                    matched
                        .lengths
                        .extend(same_path.or(known.clone().next()).map(|(at, _)| (at, number)));
                }
                if unnamed == 0 {
                    continue;
                }
                let paths = paths.get_or_insert_with(|| better.files_by_path());
                match paths.get(name.path).map(|&at| (at, &better.all[at])) {
                    Some((_, same)) if same.offset == Some(offset) => continue,
                    Some((at, same)) if same.length != name.length => matched.lengths.push((at, number)),
                    Some(_) => matched.elsewhere.push(number),
                    None => matched.missing.push(number),
                }
                unnamed -= 1;
            }
        }
        matched.emptied(better, other);
        matched.lengths.sort_unstable();
        matched.lengths.dedup();
        matched
    }

    /// Files that have a content by the better index and none by the other.
    fn emptied(&mut self, better: &Names<'_>, other: &Names<'_>) {
        let unknown = better.placed.iter().filter(|(offset, _)| other.at(*offset).is_empty());
        let mut paths = None;
        for &(_, at) in unknown {
            let paths = paths.get_or_insert_with(|| other.files_by_path());
            let same = paths.get(better.all[at].path).copied();
            self.lengths.extend(
                same.filter(|&number| other.all[number].length == 0)
                    .map(|number| (at, number)),
            );
        }
    }
}

/// What `other` says and `better` does not. A stub is not meant to agree with UDF.
pub(crate) fn compare(better: &Index, other: &Index) -> Disagreement {
    if better.is_udf() && other.is_stub() {
        return Disagreement::default();
    }
    let (ours, theirs) = (Names::of(better), Names::of(other));
    let matched = Matched::of(&ours, &theirs);
    let mut found = Disagreement::default();
    let (a, b) = (better.name(), other.name());
    for &(at, number) in matched.lengths.iter().take(NAMED) {
        let (ours, theirs) = (&ours.all[at], &theirs.all[number]);
        found.faults.push(format!(
            "{} has {} bytes in the {a} tree and {} bytes in the {b} tree",
            text::visible(ours.path),
            ours.length,
            theirs.length
        ));
    }
    if let Some(more @ 1..) = matched.lengths.len().checked_sub(NAMED) {
        let more = format!("{more} more files do not have the same length in the {b} tree");
        found.faults.push(more);
    }
    let longer = |&(at, number): &(usize, usize)| theirs.all[number].length > ours.all[at].length;
    found.longer = matched.lengths.into_iter().filter(longer).collect();
    let mut remark = |numbers: &[usize], what: &str| {
        let Some(&first) = numbers.first() else {
            return;
        };
        let files = if numbers.len() == 1 { "file" } else { "files" };
        found.remarks.push(format!(
            "the {b} tree names {} {files} {what}: {}{}",
            numbers.len(),
            other.place(),
            text::visible(theirs.all[first].path)
        ));
    };
    remark(&matched.missing, &format!("that the {a} tree does not name"));
    remark(&matched.elsewhere, &format!("that the {a} tree has at another place"));
    let is_empty = |name: &Name<'_>| name.what == What::File && name.length == 0;
    let others = |names: &Names<'_>| names.count(|name| name.what == What::Other);
    // genisoimage writes a link as an empty file where an index has no links.
    let emptied = others(&ours).saturating_sub(others(&theirs));
    for (one, more, of, as_others) in [
        (
            "empty file",
            "empty files",
            &is_empty as &dyn Fn(&Name<'_>) -> bool,
            emptied,
        ),
        ("directory", "directories", &|name| name.what == What::Directory, 0),
        (
            "link or device",
            "links and devices",
            &|name| name.what == What::Other,
            0,
        ),
    ] {
        let (in_a, in_b) = (ours.count(of), theirs.count(of));
        if in_b > in_a + as_others {
            let what = if in_b == 1 { one } else { more };
            found
                .remarks
                .push(format!("the {b} tree has {in_b} {what} and the {a} tree {in_a}"));
        }
    }
    // Beside UDF, what ISO 9660 holds may be nothing.
    if other.files() == 0 && better.files() > 0 && !other.is_plain() {
        let files = better.files();
        found
            .faults
            .push(format!("the {b} tree holds no file, and the {a} tree holds {files}"));
    }
    found
}

#[cfg(test)]
mod tests;
