//! The bytes of a hierarchy, once its addresses are known.

use std::ops::Deref;

use super::{Hierarchy, IsoNode, Kind, Locate, PARENT, SECTION, SECTOR, SELF, Subject, Tree, behind_record};
use crate::formats::iso9660::record::{DIRECTORY, MULTI_EXTENT, Record};
use crate::formats::iso9660::rock_ridge::{Place, SystemUse};
use crate::ground::block::Block;

impl<T: Deref<Target = Tree>> Hierarchy<T> {
    /// A directory's extent, §7.8: no record crosses the end of a logical sector.
    ///
    /// # Errors
    /// Of this and of the others: what `locate` says of a place that it does not know.
    pub fn directory<L: Locate>(&self, node: IsoNode, locate: &L) -> Result<Vec<u8>, L::Error> {
        let mut bytes = Vec::with_capacity(self.directory_length(node) as usize);
        for (subject, sections, system_use) in self.records(node) {
            let places = self.places(subject, locate)?;
            for section in 0..sections {
                let (extent, flags) = self.section(subject, section, sections, locate)?;
                let record = self.encode_record(subject, extent, flags, system_use.as_ref(), &places);
                let start = behind_record(bytes.len() as u64, record.len() as u64) as usize - record.len();
                bytes.resize(start, 0);
                bytes.extend(record);
            }
        }
        bytes.resize(bytes.len().next_multiple_of(SECTOR as usize), 0);
        Ok(bytes)
    }

    /// Block and length of one section of what a record names, and its flags: §7.6.3, §10.1.7.
    fn section<L: Locate>(
        &self,
        subject: Subject,
        section: u64,
        sections: u64,
        locate: &L,
    ) -> Result<((Block, u32), u8), L::Error> {
        let id = subject.node();
        let is_directory = self.is_directory(id);
        let length = match self.tree.node(id).kind {
            Kind::Directory => self.directory_length(id),
            Kind::File { length } => length,
            _ => 0,
        };
        let start = section * SECTION;
        let here = (length - start).min(SECTION) as u32;
        let flags = if section + 1 < sections { MULTI_EXTENT } else { 0 };
        let block = match (here, is_directory) {
            (0, _) => Block::ZERO,
            (_, true) => locate.directory(id)?,
            (_, false) => locate.data(id, start)?,
        };
        Ok(((block, here), flags))
    }

    /// The continuation area: pieces in the order of the records that point at them, so that a reader that streams meets each in turn.
    pub fn continuation<L: Locate>(&self, locate: &L) -> Result<Vec<u8>, L::Error> {
        if self.continuation_length == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::with_capacity(self.continuation_length as usize);
        for &directory in &self.directories {
            for (subject, _, system_use) in self.records(directory) {
                let places = self.places(subject, locate)?;
                let pieces = system_use
                    .iter()
                    .flat_map(|system_use| system_use.continuation(&places));
                for (range, piece) in self.ranges(subject).iter().zip(pieces) {
                    bytes.resize(range.offset as usize, 0);
                    bytes.extend(piece);
                }
            }
        }
        bytes.resize(self.continuation_length() as usize, 0);
        Ok(bytes)
    }

    /// One record; `extent` is the first block and the length of what it names.
    pub(super) fn encode_record(
        &self,
        subject: Subject,
        (extent, length): (Block, u32),
        flags: u8,
        system_use: Option<&SystemUse>,
        places: &[Place],
    ) -> Vec<u8> {
        let (id, identifier, directory) = match subject {
            Subject::Dot(id) => (id, SELF.to_vec(), true),
            Subject::DotDot(id) => (id, PARENT.to_vec(), true),
            Subject::Node(id) => (id, self.identifier(id), self.is_directory(id)),
        };
        let record = Record {
            extent,
            length,
            recorded: self.tree.node(id).posix.mtime,
            flags: flags | if directory { DIRECTORY } else { 0 },
            identifier: &identifier,
            system_use: &system_use.map_or(Vec::new(), |system_use| system_use.inline(places)),
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        bytes
    }
}
