//! The names on a disk: those in the file systems of its partitions.

use super::{Attributes, ContentsError, Item, Tree};
use crate::facts::{Partition, PartitionKind};
use crate::formats::ext4::{self, Kind};
use crate::formats::iso9660::EntryKind;
use crate::ground::read_at::ReadAt;
use crate::look::inspect::{self, Contents, Volume};

impl Tree {
    /// A disk with partitions has a directory for each of them whose file system can be read, such as `/partition-2`. If the whole disk is a
    /// file system, that is the tree.
    pub(super) fn disk(image: &dyn ReadAt) -> Result<Self, ContentsError> {
        let partitions = inspect::partitions(image)?;
        let volumes = inspect::volumes(image, &partitions)?;
        let mut items = vec![Item::empty(b"/".to_vec(), EntryKind::Directory)];
        let (mut notes, mut left_out) = (Vec::new(), 0);
        let others = inspect::numbered(&partitions).filter(|partition| is_unknown(partition, &volumes));
        notes.extend(others.map(|partition| {
            let number = partition.number;
            match inspect::within(partition, image.size()).length {
                0 => format!("partition {number} is behind the end of the image"),
                _ => format!("what is in partition {number} is not recognised; partition:{number} are its bytes"),
            }
        }));
        for volume in volumes {
            match Self::volume(volume) {
                (None, Ok(tree)) => return Ok(tree),
                (Some(number), Ok(tree)) => {
                    left_out += tree.left_out;
                    notes.extend(tree.notes.iter().map(|note| format!("partition {number}: {note}")));
                    items.extend(tree.items.into_iter().map(|item| Item {
                        path: below(number, &item.path),
                        ..item
                    }));
                }
                // Swap space has no names.
                (_, Err(("swap", _))) => {}
                (None, Err((_, why))) => return Err(ContentsError::Absent(why)),
                (Some(number), Err((_, why))) => notes.push(format!("partition {number}: {why}")),
            }
        }
        Ok(Self::new(items, left_out, notes))
    }

    /// The names in a partition.
    pub(super) fn partition(image: &dyn ReadAt, number: u32) -> Result<Self, ContentsError> {
        let partitions = inspect::partitions(image)?;
        let absent = |why: String| ContentsError::Absent(format!("partition:{number}: {why}"));
        if !inspect::numbered(&partitions).any(|partition| partition.number == number) {
            return Err(absent("there is no such partition".into()));
        }
        let mut volumes = inspect::volumes(image, &partitions)?.into_iter();
        let volume = volumes.find(|volume| volume.partition == Some(number));
        let volume = volume.ok_or_else(|| absent("its contents are not recognised, and no names are read".into()))?;
        Self::volume(volume).1.map_err(|(_, why)| absent(why))
    }

    /// The number of a volume's partition, and its names. If they are not read: what the file system is called, and why.
    fn volume(volume: Volume) -> (Option<u32>, Result<Self, (&'static str, String)>) {
        let start = volume.range.offset;
        let tree = match volume.contents {
            Contents::Fat(contents) => Ok(Self::fat(start, contents)),
            Contents::Ext(contents) => Ok(Self::ext(start, contents)),
            Contents::Other(word, _, Some(why)) => Err((word, format!("its {word} file system is not read: {why}"))),
            Contents::Other(word, _, None) => Err((word, format!("it has {word}, which is not read"))),
        };
        (volume.partition, tree)
    }

    /// What is in an ext2, ext3 or ext4 volume that begins at the byte `start` of the image.
    pub fn ext(start: u64, volume: ext4::Volume) -> Self {
        let items = volume.entries.into_iter().map(|entry| item(entry, start)).collect();
        let notes = volume.notes.into_iter().chain(volume.remarks).collect();
        Self::new(items, volume.left_out, notes)
    }
}

/// Whether nothing is known of what is in a partition. In some there is no file system.
fn is_unknown(partition: &Partition, volumes: &[Volume]) -> bool {
    let is_known = volumes.iter().any(|volume| volume.partition == Some(partition.number));
    // Extended partitions hold others.
    let has_none = matches!(
        partition.kind,
        PartitionKind::BiosBoot | PartitionKind::Mbr(0x05 | 0x0F | 0x85)
    );
    !is_known && !has_none
}

/// A path of a partition, from the root of the disk.
fn below(number: u32, path: &[u8]) -> Vec<u8> {
    let rest: &[u8] = if path == b"/" { b"" } else { path };
    [format!("/partition-{number}").as_bytes(), rest].concat()
}

fn item(entry: ext4::Entry, start: u64) -> Item {
    let pieces = entry.extents.iter();
    Item {
        length: entry.length,
        posix: Some(Attributes {
            mode: entry.mode,
            links: entry.links,
            uid: Some(entry.uid),
            gid: Some(entry.gid),
            serial: entry.inode.into(),
        }),
        modified: entry.modified,
        extents: pieces
            .map(|&(offset, length)| (offset.map(|offset| start + offset), length))
            .collect(),
        is_whole: entry.is_whole,
        ..Item::empty(
            entry.path,
            match entry.kind {
                Kind::Directory => EntryKind::Directory,
                Kind::File => EntryKind::File,
                Kind::Symlink(target) => EntryKind::Symlink(target),
                Kind::Other(device) => EntryKind::Other(device),
            },
        )
    }
}
