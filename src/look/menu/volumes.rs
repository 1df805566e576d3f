//! The volumes that loaders read files from: the image's tree, each FAT volume, and ext4 in partitions.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::formats::iso9660::{self, EntryKind, VolumeKind};
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::text;
use crate::look::contents::{ContentsError, Item, Tree};
use crate::look::inspect;

/// The largest configuration that is read. The largest of a distribution is some 50 KiB.
pub(super) const LARGEST: u64 = 1 << 20;

/// A file by its volume and its path there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File {
    /// 0 is the tree, others are FAT volumes in the order of `esp:`, `esp2:` and so on, and then those of partitions.
    pub volume: usize,
    /// From the root of the volume.
    pub path: Vec<u8>,
}

/// A volume as loaders know it.
pub(super) struct Volume {
    /// Before the colon of a place: `iso`, `esp`, `esp2`. Of a partition, before the path: `partition:2`.
    pub(super) name: String,
    pub(super) tree: Rc<Tree>,
    pub(super) label: String,
    /// As GRUB and udev write it: the serial number of a FAT, the date of a change of ISO 9660.
    pub(super) uuid: String,
    /// Names are found by letters of any case: FAT, and ISO 9660 without Rock Ridge.
    ignores_case: bool,
    lower: OnceCell<HashMap<Vec<u8>, usize>>,
}

impl Volume {
    /// Whether it is a FAT volume, which UEFI reads by itself.
    pub(super) fn is_fat(&self) -> bool {
        self.name.starts_with("esp")
    }
}

/// All of them. The tree is the first.
#[derive(Clone)]
pub(super) struct Volumes<'i> {
    image: &'i dyn ReadAt,
    all: Vec<Rc<Volume>>,
    /// Texts that files have instead of their own.
    texts: HashMap<File, Vec<u8>>,
}

/// A volume of files that are made up: name, label, and paths with their texts.
#[cfg(any(test, feature = "inside"))]
pub(super) type MadeUp<'m> = (&'m str, &'m str, &'m [(&'m str, &'m str)]);

/// The tree's number.
pub const TREE: usize = 0;

impl<'i> Volumes<'i> {
    /// The `tree` is that of the image.
    pub(super) fn new(image: &'i dyn ReadAt, tree: Rc<Tree>) -> Result<Self, ContentsError> {
        let (label, uuid) = identity(image)?;
        // On a disk the volumes are in partitions alone.
        let tree = match tree.index {
            Some(_) => tree,
            None => Rc::new(Tree::new(
                vec![Item::empty(b"/".to_vec(), EntryKind::Directory)],
                0,
                Vec::new(),
            )),
        };
        let root = tree.get(b"/");
        let mut all = vec![Rc::new(Volume {
            name: "iso".into(),
            ignores_case: root.is_none_or(|root| root.posix.is_none()),
            tree,
            label,
            uuid,
            lower: OnceCell::new(),
        })];
        for (number, (start, contents)) in (1..).zip(inspect::fat_volumes(image)?) {
            all.push(Rc::new(Volume {
                name: match number {
                    1 => "esp".into(),
                    number => format!("esp{number}"),
                },
                label: contents.label.clone(),
                uuid: format!("{:04X}-{:04X}", contents.serial >> 16, contents.serial & 0xffff),
                tree: Rc::new(Tree::fat(start, contents)),
                ignores_case: true,
                lower: OnceCell::new(),
            }));
        }
        let others = inspect::volumes(image, &inspect::partitions(image)?)?.into_iter();
        all.extend(others.filter_map(|volume| Self::ext(volume).map(Rc::new)));
        Ok(Self {
            image,
            all,
            texts: HashMap::new(),
        })
    }

    /// An ext2, ext3 or ext4 file system in a partition.
    fn ext(volume: inspect::Volume) -> Option<Volume> {
        let (name, start) = (volume.place(), volume.range.offset);
        match (volume.partition, volume.contents) {
            (Some(_), inspect::Contents::Ext(contents)) => Some(Volume {
                name,
                label: contents.label.clone(),
                uuid: contents.uuid(),
                tree: Rc::new(Tree::ext(start, contents)),
                ignores_case: false,
                lower: OnceCell::new(),
            }),
            _ => None,
        }
    }

    /// Volumes that are made up. The first is the tree.
    #[cfg(any(test, feature = "inside"))]
    pub(super) fn made_up(image: &'i mut Vec<u8>, volumes: &[MadeUp<'_>]) -> Self {
        let mut all = Vec::new();
        for (name, label, files) in volumes {
            let mut items = vec![Item::empty(b"/".to_vec(), EntryKind::Directory)];
            for (path, text) in *files {
                let parents = path
                    .match_indices('/')
                    .skip(1)
                    .map(|(at, _)| path.as_bytes()[..at].to_vec());
                items.extend(parents.map(|path| Item::empty(path, EntryKind::Directory)));
                let mut item = Item::empty(path.as_bytes().to_vec(), EntryKind::File);
                item.extents = vec![(Some(image.len() as u64), text.len() as u64)];
                item.length = text.len() as u64;
                items.push(item);
                image.extend_from_slice(text.as_bytes());
            }
            items.sort_by(Item::order);
            items.dedup_by(|a, b| a.path == b.path);
            all.push(Rc::new(Volume {
                name: (*name).into(),
                tree: Rc::new(Tree::new(items, 0, Vec::new())),
                label: (*label).into(),
                uuid: format!("{name}-uuid"),
                ignores_case: *name != "iso",
                lower: OnceCell::new(),
            }));
        }
        Self {
            image,
            all,
            texts: HashMap::new(),
        }
    }

    /// The label of the tree's volume.
    pub(super) fn label(&self) -> &str {
        self.all.first().map_or("", |volume| &volume.label)
    }

    /// The same volumes, in which files have other texts.
    pub(super) fn with_texts(&self, texts: &HashMap<File, Vec<u8>>) -> Self {
        Self {
            texts: texts.clone(),
            ..self.clone()
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Volume)> {
        self.all.iter().map(Rc::as_ref).enumerate()
    }

    pub(super) fn get(&self, volume: usize) -> Option<&Volume> {
        self.all.get(volume).map(Rc::as_ref)
    }

    /// A volume by the name before its places.
    pub(super) fn named(&self, name: &[u8]) -> Option<usize> {
        self.all.iter().position(|volume| volume.name.as_bytes() == name)
    }

    /// What is at the path, links followed.
    pub(super) fn item(&self, file: &File) -> Option<&Item> {
        let volume = self.get(file.volume)?;
        if let Ok(item) = volume.tree.find(&file.path, true) {
            return Some(item);
        }
        if !volume.ignores_case {
            return None;
        }
        self.of_any_case(file)
    }

    /// The same, by letters of any case.
    fn of_any_case(&self, file: &File) -> Option<&Item> {
        let volume = self.get(file.volume)?;
        let lower = volume.lower.get_or_init(|| {
            let items = volume.tree.items().iter().enumerate();
            items
                .map(|(number, item)| (item.path.to_ascii_lowercase(), number))
                .collect()
        });
        let wanted = joined(b"/", &file.path).to_ascii_lowercase();
        lower.get(&wanted).and_then(|&number| volume.tree.items().get(number))
    }

    /// The file by letters of any case, as the volume names it.
    pub(super) fn file_of_any_case(&self, file: &File) -> Option<File> {
        let item = self.of_any_case(file).filter(|item| item.kind == EntryKind::File)?;
        Some(File {
            volume: file.volume,
            path: item.path.clone(),
        })
    }

    /// The file at a path of the volume that another file is in.
    pub(super) fn beside(&self, other: &File, path: &str) -> Option<File> {
        let path = joined(b"/", path.as_bytes());
        let volume = other.volume;
        self.file(&File { volume, path })
    }

    /// The file as the volume names it, if it is there.
    pub(super) fn file(&self, file: &File) -> Option<File> {
        let item = self.item(file).filter(|item| item.kind == EntryKind::File)?;
        Some(File {
            volume: file.volume,
            path: item.path.clone(),
        })
    }

    /// The place as it is typed.
    pub(super) fn place(&self, file: &File) -> String {
        let name = self.get(file.volume).map_or("", |volume| &volume.name);
        // The name of a partition has its colon already.
        let colon = if name.contains(':') { "" } else { ":" };
        format!("{name}{colon}{}", text::lossless(&file.path))
    }

    /// The content of a file, as far as it is stored as it is.
    pub(super) fn bytes(&self, file: &File) -> Option<Pieces<'i>> {
        let item = self.item(file).filter(|item| item.is_whole && item.zisofs.is_none())?;
        Some(Pieces::new(self.image, item.extents.iter().copied()))
    }

    /// The bytes of a configuration.
    pub(super) fn text(&self, file: &File) -> Result<Vec<u8>, String> {
        if let Some(text) = self.texts.get(file) {
            return Ok(text.clone());
        }
        let item = self.item(file).ok_or("is missing")?;
        if item.length > LARGEST {
            let size = text::size(item.length);
            return Err(format!(
                "is not read: it has {size}, and no configuration has more than 1 MiB"
            ));
        }
        let mut bytes = Vec::new();
        let copied = item.copy(self.image, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        copied.map_err(|error| format!("is not read: {error}"))?;
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err("is in UTF-16, which no loader reads".into());
        }
        Ok(bytes)
    }
}

/// Volume identifier, and the date by which GRUB and udev know an ISO 9660 volume: ECMA-119 §8.4.27, else §8.4.26.
fn identity(image: &dyn ReadAt) -> Result<(String, String), ContentsError> {
    let sessions = match iso9660::sessions(image) {
        Err(iso9660::Iso9660Error::NotIso9660(_)) => Vec::new(),
        sessions => sessions?,
    };
    let Some(session) = sessions.last() else {
        return Ok((String::new(), String::new()));
    };
    let primary = session
        .descriptors
        .iter()
        .find_map(|(offset, descriptor)| match descriptor {
            iso9660::Descriptor::Volume(volume) if volume.kind == VolumeKind::Primary => Some((*offset, volume)),
            _ => None,
        });
    let Some((offset, volume)) = primary else {
        return Ok((String::new(), String::new()));
    };
    let date = |at: u64| {
        let digits = image.read_vec_at(offset + at, 16).ok()?;
        let is_set = digits.iter().all(u8::is_ascii_digit) && digits.iter().any(|&digit| digit != b'0');
        let digits = str::from_utf8(&digits).ok().filter(|_| is_set)?;
        let parts = [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16];
        Some(parts.map(|part| &digits[part]).join("-"))
    };
    Ok((
        volume.identifiers.volume.clone(),
        date(830).or_else(|| date(813)).unwrap_or_default(),
    ))
}

/// A path as it counts from a directory: one that begins with a slash counts from the root.
pub(super) fn joined(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let directory: &[u8] = if path.starts_with(b"/") { b"" } else { directory };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in [directory, path]
        .into_iter()
        .flat_map(|path| path.split(|&byte| byte == b'/'))
    {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined: Vec<u8> = parts.iter().flat_map(|part| [b"/", *part].concat()).collect();
    if joined.is_empty() { b"/".to_vec() } else { joined }
}

/// The directory of a path.
pub(super) fn directory(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) | None => b"/",
        Some(at) => &path[..at],
    }
}
