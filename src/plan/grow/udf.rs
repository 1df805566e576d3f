//! The UDF volume of the base. Names lead to file entries, which keep their places; so a directory that moves changes nothing but its own
//! file entry.

mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::GrowError;
use super::draft::Draft;
use super::listing::{Listed, Listing, Place};
use crate::facts::What;
use crate::formats::iso9660::edit::NewName;
use crate::formats::iso9660::{self, EntryKind, Posix, SECTOR};
use crate::formats::udf::edit::{self, RawEntry, RawName, Totals};
use crate::formats::udf::write::{Content, FILE_ENTRY_LENGTH, FileEntry, Name, UnrecordableFile, assign_beside};
use crate::formats::udf::{self, Volume};
use crate::ground::range::Range;
use crate::ground::read_at::{Pieces, ReadAt};
use crate::ground::text;

/// A directory whose names change.
#[derive(Debug)]
struct Open {
    path: Vec<u8>,
    entry: RawEntry,
    names: Vec<RawName>,
    /// The bytes that it has now, if they are in one piece and not in the file entry.
    room: Option<Place>,
}

/// The volume.
#[derive(Debug)]
pub(super) struct UdfVolume {
    volume: Volume,
    partition: Range,
    pub(super) listing: Listing,
    /// Where the file entry of each name begins.
    entry_of: Vec<u64>,
    /// By the file entry: the number of its first name, and how many it has.
    names_of: HashMap<u64, (usize, u32)>,
    /// The end of its last structure or file.
    pub(super) end: u64,
    /// The anchors that stand behind that.
    pub(super) anchors: BTreeSet<u64>,
    /// By the file entry, new ones too.
    open: BTreeMap<u64, Open>,
    totals: Totals,
}

impl UdfVolume {
    /// The volume of a base whose ISO 9660 volume ends at byte `end`.
    pub(super) fn read(base: &dyn ReadAt, end: u64) -> Result<Self, GrowError> {
        let unsupported = |why: &str| {
            GrowError::Unsupported(format!(
                "the image has UDF {why}, and such an image is not changed in place"
            ))
        };
        let Some(mut volume) = udf::read(base, end)? else {
            return Err(unsupported("whose anchor is missing (ECMA-167 3/8.4.2.1)"));
        };
        let partition = match volume.partition {
            Some(partition) if volume.block == SECTOR => partition,
            Some(_) => return Err(unsupported("with blocks that are not of 2048 bytes")),
            None => return Err(unsupported("with several partitions, or one that a table lies over")),
        };
        if edit::has_space_map(base, &volume)? {
            return Err(unsupported("with a map of free blocks"));
        }
        let mut entries = std::mem::take(&mut volume.entries);
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let held = |entry: &udf::UdfEntry| entry.extents.iter().map(|(_, length)| length).sum::<u64>();
        if let Some(cut_short) = entries.iter().find(|entry| held(entry) < entry.length) {
            return Err(GrowError::Conflict(format!(
                "the image is cut short: of {} in UDF not all is there",
                text::visible(&cut_short.path)
            )));
        }
        let entry_of: Vec<u64> = entries.iter().map(|entry| entry.entry).collect();
        let mut names_of = HashMap::new();
        for (number, entry) in entry_of.iter().enumerate() {
            names_of.entry(*entry).or_insert((number, 0)).1 += 1;
        }
        let listed = entries.into_iter().map(|entry| Listed {
            path: entry.path,
            kind: match entry.kind {
                udf::Kind::Directory => EntryKind::Directory,
                udf::Kind::File => EntryKind::File,
                udf::Kind::Symlink(target) => EntryKind::Symlink(target),
                udf::Kind::Other(numbers) => EntryKind::Other(numbers),
            },
            extents: entry
                .extents
                .into_iter()
                .filter_map(|(offset, length)| Some((offset?, length)))
                .collect(),
        });
        let listing = Listing::of(listed.collect());
        let (anchors, others): (Vec<_>, Vec<_>) = volume
            .structures
            .iter()
            .partition(|structure| structure.what == udf::What::Anchor);
        let of_structures = others.iter().map(|structure| structure.offset + structure.length);
        let of_files = listing.used().map(|(offset, length)| offset + length);
        let end = of_structures.chain(of_files).max().unwrap_or(0);
        let behind = anchors
            .iter()
            .map(|anchor| anchor.offset)
            .filter(|&anchor| anchor >= end);
        let anchors = edit::anchors_before(base, &behind.collect::<Vec<_>>(), end)?;
        let totals = Totals {
            end: partition.end(),
            files: 0,
            directories: 0,
            next_unique_id: edit::next_unique_id(base, &volume)?,
        };
        Ok(Self {
            partition,
            listing,
            end,
            anchors,
            entry_of,
            names_of,
            open: BTreeMap::new(),
            totals,
            volume,
        })
    }

    /// Where the file entry of a name begins.
    pub(super) fn file_entry(&self, entry: usize) -> Option<u64> {
        self.entry_of.get(entry).copied()
    }

    /// The places of all file entries that have a name.
    pub(super) fn file_entries(&self) -> impl Iterator<Item = Place> + '_ {
        self.names_of.keys().map(|&entry| (entry, FILE_ENTRY_LENGTH))
    }

    /// The volume's own structures: neither file entries nor directories.
    pub(super) fn structures(&self) -> impl Iterator<Item = Place> + '_ {
        let structures = self.volume.structures.iter();
        let own = structures.filter(|structure| {
            use udf::What::{Allocation, Directory, FileEntry};
            !matches!(structure.what, Allocation | Directory(_) | FileEntry)
        });
        own.map(|structure| (structure.offset, structure.length))
    }

    pub(super) fn identifier(&self, entry: usize) -> Vec<u8> {
        name_of(self.listing.path(entry)).to_vec()
    }

    fn known(&self, entry: usize) -> Result<u64, GrowError> {
        self.file_entry(entry)
            .ok_or_else(|| GrowError::Bug("a name without a number".into()))
    }

    fn next_unique_id(&mut self) -> u32 {
        let next = self.totals.next_unique_id;
        self.totals.next_unique_id = next.saturating_add(1);
        // UDF 2.3.4.3: a directory holds the lower half.
        next as u32
    }

    /// The names of a directory that is to be changed, by its file entry.
    fn opened(&mut self, draft: &Draft, directory: u64) -> Result<&mut Open, GrowError> {
        if !self.open.contains_key(&directory) {
            let number = self.names_of.get(&directory);
            let listed = number.and_then(|&(number, _)| self.listing.get(number));
            let listed = listed.ok_or_else(|| GrowError::Bug(format!("no directory at {directory}")))?;
            let extents = listed.extents.iter().map(|&(offset, length)| (Some(offset), length));
            let content = Pieces::new(draft, extents);
            let content = content.read_vec_at(0, content.size())?;
            let room = match listed.extents.as_slice() {
                // A file entry is one block, so what begins with a block is not in it.
                &[(offset, length)] if offset.is_multiple_of(SECTOR) => Some((offset, length.next_multiple_of(SECTOR))),
                _ => None,
            };
            let open = Open {
                path: listed.path.clone(),
                entry: RawEntry::read(draft, directory)?,
                names: edit::names(&content)?,
                room,
            };
            self.open.insert(directory, open);
        }
        self.open
            .get_mut(&directory)
            .ok_or_else(|| GrowError::Bug("a directory that was opened is not there".into()))
    }

    /// Opens the directory of an entry. Returns its file entry, and the index of the name.
    fn name(&mut self, draft: &Draft, entry: usize) -> Result<(u64, usize), GrowError> {
        let (partition, own) = (self.partition.offset, self.known(entry)?);
        let path = self.listing.path(entry).to_vec();
        let parent = self.listing.parent(entry).and_then(|parent| self.file_entry(parent));
        let parent = parent.ok_or_else(|| GrowError::Bug("a name without a directory".into()))?;
        let open = self.opened(draft, parent)?;
        let is_it = |name: &RawName| {
            let text = name.name();
            name.entry(partition) == Some(own) && text.is_some_and(|text| text.as_bytes() == name_of(&path))
        };
        let at = open.names.iter().position(is_it);
        let lost = || GrowError::Bug(format!("{} is not in its directory", text::visible(&path)));
        Ok((parent, at.ok_or_else(lost)?))
    }

    /// Gives a file another content. A file entry that other names lead to stays theirs.
    pub(super) fn set_content(&mut self, draft: &mut Draft, entry: usize, place: Place) -> Result<(), GrowError> {
        let partition = self.partition.offset;
        let (start, length) = place;
        let shown = [self.shown(self.listing.path(entry))];
        let own = self.known(entry)?;
        let mut raw = RawEntry::read(draft, own)?;
        if self.names_of.get(&own).is_some_and(|&(_, names)| names > 1) {
            self.unname(draft, own)?;
            let unique_id = self.next_unique_id();
            raw.become_another(unique_id);
            let (directory, at) = self.name(draft, entry)?;
            let new = draft.take(FILE_ENTRY_LENGTH);
            self.opened(draft, directory)?.names[at].set_entry(new, unique_id, partition)?;
            self.totals.files += 1;
            self.entry_of[entry] = new;
            self.names_of.insert(new, (entry, 1));
        }
        let own = self.known(entry)?;
        raw.set_content(start, length, partition)?;
        Ok(draft.write(own, &raw.encode(own, partition)?, What::UdfFileEntry, &shown)?)
    }

    /// A file entry loses a name. Whether it was the last.
    fn unname(&mut self, draft: &mut Draft, own: u64) -> Result<bool, GrowError> {
        let names = self.names_of.get_mut(&own).map(|(_, names)| names);
        let names = names.ok_or_else(|| GrowError::Bug(format!("the file entry at {own} has no name")))?;
        *names -= 1;
        if *names == 0 {
            self.names_of.remove(&own);
            return Ok(true);
        }
        let mut raw = RawEntry::read(draft, own)?;
        raw.add_links(-1);
        draft.write(own, &raw.encode(own, self.partition.offset)?, What::UdfFileEntry, &[])?;
        Ok(false)
    }

    /// Takes a name away, and all below it. The result are the places of contents, directories and file entries that it had.
    pub(super) fn remove(&mut self, draft: &mut Draft, entry: usize) -> Result<Vec<Place>, GrowError> {
        let (directory, at) = self.name(draft, entry)?;
        let is_directory = self
            .listing
            .get(entry)
            .is_some_and(|entry| entry.kind == EntryKind::Directory);
        let open = self.opened(draft, directory)?;
        open.names.remove(at);
        if is_directory {
            open.entry.add_links(-1);
        }
        let mut places = Vec::new();
        for (number, extents) in self.listing.remove(entry) {
            let own = self.known(number)?;
            if !self.unname(draft, own)? {
                continue;
            }
            let kind = self.listing.get(number).map(|entry| &entry.kind);
            match kind == Some(&EntryKind::Directory) {
                true => self.totals.directories -= 1,
                false => self.totals.files -= 1,
            }
            self.open.remove(&own);
            places.extend(extents);
            places.push((own, FILE_ENTRY_LENGTH));
        }
        Ok(places)
    }

    /// Begins a new directory, to be added to that at `parent`. Its place is that of its file entry.
    pub(super) fn begin_directory(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        path: Vec<u8>,
        posix: &Posix,
    ) -> Result<Place, GrowError> {
        let partition = self.partition.offset;
        let own = draft.take(FILE_ENTRY_LENGTH);
        let entry = FileEntry {
            content: Content::Directory,
            ..described(posix, self.next_unique_id())
        };
        let above = self.opened(draft, parent)?;
        let parent_id = above.entry.unique_id();
        let open = Open {
            path,
            entry: RawEntry::new(&entry, own, partition)?,
            names: vec![RawName::parent(parent, parent_id, partition)?],
            room: None,
        };
        self.open.insert(own, open);
        self.totals.directories += 1;
        Ok((own, FILE_ENTRY_LENGTH))
    }

    /// Adds a name to the directory at `parent`, that of another or one of its own. Whether readers see another name.
    pub(super) fn add(
        &mut self,
        draft: &mut Draft,
        parent: u64,
        name: &NewName<'_>,
        place: Place,
        identifier: Option<Vec<u8>>,
    ) -> Result<bool, GrowError> {
        let partition = self.partition.offset;
        let is_directory = matches!(name.kind, iso9660::Kind::Directory);
        let (own, unique_id) = match is_directory {
            // Its file entry is as it was begun.
            true => (place.0, self.opened(draft, place.0)?.entry.unique_id()),
            false => self.new_file(draft, name, place)?,
        };
        let open = self.opened(draft, parent)?;
        let known: Vec<String> = open.names.iter().filter_map(RawName::name).collect();
        let identifier = match identifier {
            Some(same) => String::from_utf8_lossy(&same).into_owned(),
            None => assign_beside(name.name, &known),
        };
        let is_mapped = identifier.as_bytes() != name.name;
        let name = Name {
            name: &identifier,
            is_directory,
            entry: own,
            unique_id,
        };
        open.names.push(RawName::new(name, partition)?);
        if is_directory {
            open.entry.add_links(1);
        }
        Ok(is_mapped)
    }

    /// The file entry of a new file, and its unique id.
    fn new_file(&mut self, draft: &mut Draft, name: &NewName<'_>, place: Place) -> Result<(u64, u32), GrowError> {
        let (partition, (start, length)) = (self.partition.offset, place);
        let path = text::visible(name.name);
        UnrecordableFile::refuse(1, length).map_err(|error| GrowError::Unsupported(format!("{path}: {error}")))?;
        let own = draft.take(FILE_ENTRY_LENGTH);
        let unique_id = self.next_unique_id();
        let entry = FileEntry {
            content: Content::File,
            length,
            start: (length > 0).then_some(start),
            ..described(name.posix, unique_id)
        };
        let bytes = RawEntry::new(&entry, own, partition)?.encode(own, partition)?;
        draft.write(own, &bytes, What::UdfFileEntry, &[])?;
        self.totals.files += 1;
        Ok((own, unique_id))
    }

    fn shown(&self, path: &[u8]) -> String {
        format!("udf:{}", text::lossless(path))
    }
}

/// The last component of a path.
fn name_of(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    &path[start..]
}

/// A file entry with one name, without content.
fn described(posix: &Posix, unique_id: u32) -> FileEntry {
    FileEntry {
        content: Content::File,
        length: 0,
        start: None,
        mode: posix.mode,
        uid: posix.uid,
        gid: posix.gid,
        links: 1,
        modified: posix.mtime,
        unique_id: unique_id.into(),
    }
}
