//! What is in an image, as names and bytes: the tree by its richest index, the FAT volumes that firmware reads, and the partitions with
//! their file systems.

mod disk;
mod item;
mod place;

use crate::facts::{FileSystem, PartitionTable};
use crate::formats::fat;
use crate::formats::iso9660::{self, EntryKind};
use crate::ground::read_at::ReadAt;
use crate::ground::text;
use crate::look::inspect::{self, Index, Indexes, InspectError};

use item::order;
use place::parts;

pub use item::{Attributes, CopyError, Item};
pub use place::Place;

/// Symbolic links that a path may lead through: as many as Linux follows.
const LINKS: usize = 40;

/// Why something in an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The image cannot be read.
    #[error(transparent)]
    Image(#[from] InspectError),
    /// What was asked for is not there, or not of that kind.
    #[error("{}", .0)]
    Absent(String),
}

impl From<iso9660::Iso9660Error> for ContentsError {
    fn from(error: iso9660::Iso9660Error) -> Self {
        InspectError::from(error).into()
    }
}

/// The names of one volume.
#[derive(Debug)]
pub struct Tree {
    items: Vec<Item>,
    /// The index that the items are of; `None` for what is in partitions.
    pub index: Option<FileSystem>,
    /// How many names the volume has that are no items, since no path can hold them or they lead nowhere.
    pub left_out: usize,
    /// What contradicts the standard, what the indexes do not agree on, and what else the items do not show.
    pub notes: Vec<String>,
}

impl Tree {
    /// What `place` is in, and the path there; of several sessions the newest.
    pub fn of(image: &dyn ReadAt, place: Place) -> Result<(Self, Vec<u8>), ContentsError> {
        Self::of_session(image, place, None)
    }

    /// The image's own tree, by its richest index. A disk has only the names in its partitions, which is an error here.
    pub fn of_index(image: &dyn ReadAt) -> Result<Self, ContentsError> {
        let (tree, _) = Self::of(image, Place::Tree(b"/".to_vec()))?;
        match tree.index {
            Some(_) => Ok(tree),
            None => Err(ContentsError::Absent(
                "it is a disk without ISO 9660 and UDF, and has no tree of its own".into(),
            )),
        }
    }

    /// The same in a session, counted from 1, the oldest.
    pub fn of_session(
        image: &dyn ReadAt,
        place: Place,
        session: Option<usize>,
    ) -> Result<(Self, Vec<u8>), ContentsError> {
        let any: fn(&Index) -> bool = |_| true;
        let is_tree = matches!(place, Place::Tree(_));
        let (path, among, absent) = match place {
            Place::Esp(number, path) => return Ok((Self::esp(image, number)?, path)),
            Place::Partition(number) => {
                return Err(ContentsError::Absent(format!(
                    "partition:{number} are bytes; partition:{number}/ are the names in it"
                )));
            }
            Place::In(number, path) => return Ok((Self::partition(image, number)?, path)),
            Place::Tree(path) => (path, any, "no volume"),
            Place::Iso(path) => (path, Index::is_iso9660 as _, "no ISO 9660 volume"),
            Place::Joliet(path) => (path, Index::is_joliet as _, "no Joliet volume"),
            Place::Udf(path) => (path, Index::is_udf as _, "no UDF volume"),
        };
        inspect::refuse(image)?;
        let mut indexes = inspect::indexes(image, session)?;
        if indexes.is_disk() && is_tree {
            return Ok((Self::disk(image)?, path));
        }
        indexes.all.retain(among);
        let tree = Self::of_indexes(indexes);
        let tree = tree.ok_or_else(|| ContentsError::Absent(format!("the image has {absent}")))?;
        Ok((tree, path))
    }

    /// By the best index. What another says more is taken from there, or said.
    pub(in crate::look) fn of_indexes(mut indexes: Indexes) -> Option<Self> {
        let best = indexes.all.swap_remove(inspect::best(&indexes.all)?);
        let mut notes: Vec<String> = indexes.of_sessions().into_iter().chain(indexes.faults).collect();
        let mut longer = Vec::new();
        for other in &indexes.all {
            let found = inspect::compare(&best, other);
            notes.extend(found.faults.into_iter().chain(found.remarks));
            if let [first, more @ ..] = other.notes() {
                let more = match more.len() {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                notes.push(format!("the {} tree, which is not read: {first}{more}", other.name()));
            }
            let items = |(at, number)| Some((at, item_of(other, number)?));
            longer.extend(found.longer.into_iter().filter_map(items));
        }
        let left_out = best.left_out();
        let index = best.file_system();
        notes.extend(best.notes().iter().chain(best.remarks()).cloned());
        let mut items: Vec<Item> = match best {
            Index::Iso(walk) => walk.entries.into_iter().map(Item::from).collect(),
            Index::Udf(volume) => volume.entries.into_iter().map(Item::from).collect(),
        };
        for (at, other) in longer {
            if let Some(item) = items.get_mut(at)
                && item.zisofs.is_none()
                && item.length < other.length
            {
                (item.length, item.extents, item.is_whole) = (other.length, other.extents, other.is_whole);
            }
        }
        Some(Self {
            index: Some(index),
            ..Self::new(items, left_out, notes)
        })
    }

    /// A FAT volume, counted from 1 as [`inspect::inspect`] counts them.
    pub fn esp(image: &dyn ReadAt, number: usize) -> Result<Self, ContentsError> {
        let mut seen = 0;
        let found = inspect::fat_volumes(image)?.find(|_| {
            seen += 1;
            seen == number
        });
        let Some((start, contents)) = found else {
            let message = match seen {
                0 => "the image has no ESP: no partition or boot catalog entry leads to a FAT volume".into(),
                count => format!("the image has {count} FAT volumes, and no esp{number}:"),
            };
            return Err(ContentsError::Absent(message));
        };
        Ok(Self::fat(start, contents))
    }

    /// What is in a FAT volume that begins at the byte `start` of the image.
    pub fn fat(start: u64, contents: fat::Contents) -> Self {
        let root = Item::empty(b"/".to_vec(), EntryKind::Directory);
        let items = contents.entries.into_iter().map(|entry| {
            let kind = match entry.directory {
                true => EntryKind::Directory,
                false => EntryKind::File,
            };
            Item {
                length: entry.length,
                modified: entry.modified,
                extents: placed(&entry.extents, start),
                ..Item::empty(entry.path.into_bytes(), kind)
            }
        });
        Self::new(std::iter::once(root).chain(items).collect(), 0, contents.notes)
    }

    /// In the order of their paths, so that what is in a directory stands together behind it.
    pub(in crate::look) fn new(mut items: Vec<Item>, left_out: usize, notes: Vec<String>) -> Self {
        items.sort_by(Item::order);
        Self {
            items,
            index: None,
            left_out,
            notes,
        }
    }

    /// All of them, what is in a directory behind it.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What is at exactly this path.
    pub fn get(&self, path: &[u8]) -> Option<&Item> {
        let found = self.items.binary_search_by(|item| order(&item.path, path));
        self.items.get(found.ok()?)
    }

    /// What `path` names, symbolic links followed but for the last if `last` says so.
    pub fn find(&self, path: &[u8], follow_last: bool) -> Result<&Item, ContentsError> {
        let absent = |why: &str| ContentsError::Absent(format!("{}: {why}", text::visible(path)));
        let missing = || absent("there is no such name in the image");
        let backwards = |path| parts(path).rev().map(<[u8]>::to_vec).collect::<Vec<_>>();
        let mut left = backwards(path);
        let mut at: Vec<u8> = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == b".." {
                at.truncate(at.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
                continue;
            }
            let here = [at.as_slice(), b"/", &part].concat();
            let item = self.get(&here).ok_or_else(missing)?;
            match &item.kind {
                EntryKind::Symlink(target) if follow_last || !left.is_empty() => {
                    links += 1;
                    if links > LINKS {
                        return Err(absent("its symbolic links have no end"));
                    }
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    left.extend(backwards(target));
                }
                _ => at = here,
            }
        }
        self.get(if at.is_empty() { b"/" } else { &at }).ok_or_else(missing)
    }

    /// What is in a directory, itself left out; `deep`, with all that is below.
    pub fn below<'t>(&'t self, directory: &'t Item, deep: bool) -> impl Iterator<Item = &'t Item> {
        let prefix: &[u8] = if directory.path == b"/" { b"" } else { &directory.path };
        self.items.iter().filter(move |item| {
            let rest = item.path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(b"/"));
            rest.is_some_and(|rest| !rest.is_empty() && (deep || !rest.contains(&b'/')))
        })
    }
}

/// An entry of an index by its number.
fn item_of(index: &Index, number: usize) -> Option<Item> {
    match index {
        Index::Iso(walk) => walk.entries.get(number).cloned().map(Item::from),
        Index::Udf(volume) => volume.entries.get(number).cloned().map(Item::from),
    }
}

/// The extents of a volume that begins at `start`.
fn placed(extents: &[(u64, u64)], start: u64) -> Vec<(Option<u64>, u64)> {
    extents
        .iter()
        .map(|&(offset, length)| (Some(start + offset), length))
        .collect()
}

/// The bytes of a partition, of the GPT where there is one.
pub fn partition(image: &dyn ReadAt, number: u32) -> Result<Item, ContentsError> {
    let partitions = inspect::partitions(image)?;
    let table = |table| partitions.iter().find(|p| p.table == table && p.number == number);
    let has_gpt = partitions.iter().any(|p| p.table == PartitionTable::Gpt);
    let found = match has_gpt {
        true => table(PartitionTable::Gpt),
        false => table(PartitionTable::Mbr),
    };
    let found = found.ok_or_else(|| ContentsError::Absent(format!("there is no partition {number}")))?;
    Ok(Item {
        length: found.length,
        extents: vec![(Some(found.start), found.length)],
        ..Item::empty(format!("partition:{number}").into_bytes(), EntryKind::File)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &str, kind: EntryKind) -> Item {
        Item::empty(path.into(), kind)
    }

    fn tree() -> Tree {
        let link = |target: &str| EntryKind::Symlink(target.into());
        let items = vec![
            item("/b", EntryKind::Directory),
            item("/", EntryKind::Directory),
            item("/b/c", EntryKind::File),
            item("/b.txt", EntryKind::File),
            item("/b/up", link("../b/./c")),
            item("/d", link("b")),
            item("/loop", link("/loop")),
            item("/absolute", link("/d/up")),
        ];
        Tree::new(items, 0, Vec::new())
    }

    #[test]
    fn links_are_followed_inside_and_not_without_end() {
        let tree = tree();
        let found = |path: &str, last| {
            tree.find(path.as_bytes(), last)
                .map(|item| String::from_utf8_lossy(&item.path).into_owned())
        };
        for (path, wanted) in [
            ("/d/c", "/b/c"),
            ("/d/up", "/b/c"),
            ("/absolute", "/b/c"),
            ("/../../d/..", "/"),
            ("/", "/"),
        ] {
            assert_eq!(found(path, true).unwrap(), wanted, "{path}");
        }
        assert_eq!(found("/absolute", false).unwrap(), "/absolute");
        assert_eq!(found("/d/up", false).unwrap(), "/b/up");
        assert!(found("/loop", true).unwrap_err().to_string().contains("no end"));
        assert!(found("/b/c/x", true).unwrap_err().to_string().contains("no such name"));
    }

    #[test]
    fn what_is_below_stands_together() {
        let tree = tree();
        let below = |path: &str, deep| {
            let items = tree.below(tree.find(path.as_bytes(), true).unwrap(), deep);
            items
                .map(|item| String::from_utf8_lossy(&item.path).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(below("/", false), ["/absolute", "/b", "/b.txt", "/d", "/loop"]);
        assert_eq!(
            below("/", true),
            ["/absolute", "/b", "/b/c", "/b/up", "/b.txt", "/d", "/loop"]
        );
        assert_eq!(below("/b", false), ["/b/c", "/b/up"]);
    }
}
