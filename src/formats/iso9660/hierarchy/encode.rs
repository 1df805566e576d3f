//! The bytes of a hierarchy, once its addresses are known.

use super::{Addresses, Hierarchy, Kind, PARENT, SECTION, SECTOR, SELF, Subject, behind_record};
use crate::formats::iso9660::record::{DIRECTORY, MULTI_EXTENT, Record};
use crate::formats::iso9660::rock_ridge::{Place, SystemUse};

impl Hierarchy<'_> {
    /// A directory's extent, §7.8: no record crosses the end of a logical sector.
    pub fn directory(&self, node: usize, addresses: &Addresses<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.lengths[node] as usize);
        for (subject, sections, system_use) in self.records(node) {
            let places = self.places(subject, addresses.continuation);
            for section in 0..sections {
                let (extent, flags) = self.section(subject, section, sections, addresses);
                let record = self.encode_record(subject, extent, flags, system_use.as_ref(), &places);
                let start = behind_record(bytes.len() as u64, record.len() as u64) as usize - record.len();
                bytes.resize(start, 0);
                bytes.extend(record);
            }
        }
        bytes.resize(bytes.len().next_multiple_of(SECTOR as usize), 0);
        bytes
    }

    /// Offset and length of one section of what a record names, and its flags: §7.6.3, §10.1.7.
    fn section(&self, subject: Subject, section: u64, sections: u64, addresses: &Addresses<'_>) -> ((u64, u32), u8) {
        let id = subject.node();
        let length = match self.tree.nodes[id].kind {
            Kind::Directory => self.lengths[id],
            Kind::File { length } => length,
            _ => 0,
        };
        let start = section * SECTION;
        let here = (length - start).min(SECTION) as u32;
        let flags = if section + 1 < sections { MULTI_EXTENT } else { 0 };
        ((if here == 0 { 0 } else { addresses.nodes[id] + start }, here), flags)
    }

    /// The continuation area: pieces in the order of the records that point at them, so that a reader that streams meets each in turn.
    pub fn continuation(&self, addresses: &Addresses<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.continuation_length as usize);
        for &directory in &self.directories {
            for (subject, _, system_use) in self.records(directory) {
                let places = self.places(subject, addresses.continuation);
                for (place, piece) in system_use
                    .iter()
                    .flat_map(|system_use| system_use.continuation(&places))
                {
                    bytes.resize((place.offset - addresses.continuation) as usize, 0);
                    bytes.extend(piece);
                }
            }
        }
        bytes.resize(self.continuation_length() as usize, 0);
        bytes
    }

    /// One record; `extent` is the offset and the length of what it names.
    pub(super) fn encode_record(
        &self,
        subject: Subject,
        (extent, length): (u64, u32),
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
            recorded: self.tree.nodes[id].posix.mtime,
            flags: flags | if directory { DIRECTORY } else { 0 },
            identifier: &identifier,
            system_use: &system_use.map_or(Vec::new(), |system_use| system_use.inline(places)),
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        bytes
    }
}
