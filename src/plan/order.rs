//! The one place that says what comes after what in an image.
//!
//! Pieces that have to be at a certain byte are put there first. All others follow in the order of the table, around those.

use crate::facts::What;
use crate::formats::iso9660::{SECTOR, SYSTEM_AREA};
use crate::ground::range::Range;
use crate::output::DISK_UNIT;
use crate::tree::PayloadId;

use super::PlanError;
use super::index::Index;
use super::layout::{ALIGNMENT, IndexId, Need, Places, Where};

/// What is put next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// What follows begins at this byte or behind it.
    NotBefore(u64),
    /// What follows begins behind the last of these.
    Behind(What),
    /// The pieces of this kind, of each index.
    Pieces(What),
    /// Payloads that no volume holds.
    Payloads(Class),
    /// The partition of the ISO 9660 data ends here.
    DataEnd,
}

/// Which payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Boot images without a name in the tree.
    Hidden,
    /// Under 64 KiB.
    Small,
    /// The others: they stand behind all small ones, so that their alignment costs a gap only once.
    Large,
}

use Step::{Behind, DataEnd, NotBefore, Payloads, Pieces};

/// The order of the image.
const ORDER: &[Step] = &[
    Pieces(What::MasterBootRecord),
    Pieces(What::GptHeader),
    Pieces(What::GptEntries),
    NotBefore(SYSTEM_AREA),
    Pieces(What::PrimaryDescriptor),
    // El Torito §2.0: in logical sector 17.
    Pieces(What::BootRecord),
    Pieces(What::JolietDescriptor),
    Pieces(What::Terminator),
    Pieces(What::UdfRecognition),
    // One that found no room in the system area.
    Behind(What::GptEntries),
    // These have fixed places. ISO 9660 fills the room between the second and the third, and goes on behind the last.
    Pieces(What::UdfVolumeDescriptors),
    Pieces(What::UdfIntegrity),
    Pieces(What::UdfAnchor),
    Pieces(What::UdfFileSet),
    Behind(What::UdfIntegrity),
    Pieces(What::PathTableL),
    Pieces(What::PathTableM),
    Pieces(What::JolietPathTableL),
    Pieces(What::JolietPathTableM),
    Pieces(What::Directory),
    Pieces(What::ContinuationArea),
    Pieces(What::JolietDirectory),
    Behind(What::UdfFileSet),
    Pieces(What::UdfFileEntry),
    Pieces(What::UdfDirectory),
    Pieces(What::BootCatalog),
    Payloads(Class::Hidden),
    Payloads(Class::Small),
    Payloads(Class::Large),
    DataEnd,
    // The whole volume.
    Pieces(What::FatBootSector),
    Pieces(What::BackupGptEntries),
    Pieces(What::BackupGptHeader),
];

/// Zeros that end an image without tables: 150 logical sectors, as other writers have them. A drive that reads ahead at the end of a
/// disc, and readers that take the first 68 KiB at once to find a label, find bytes there.
const PADDING: u64 = 150 * SECTOR;

/// How an image ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With zeros.
    Padded,
    /// At a multiple of [`DISK_UNIT`]. The backup tables are directly in front of the end.
    Aligned,
}

/// Payload of 64 KiB and more starts on 4 KiB, so that file systems with reflinks share every whole block of it; the rest is packed
/// by logical sectors.
fn payload_alignment(length: u64) -> u64 {
    if is_large(length) { 4096 } else { SECTOR }
}

/// Whether a payload counts as large.
pub(super) fn is_large(length: u64) -> bool {
    length >= 64 << 10
}

/// What the walk through the order has come to.
struct Walk {
    places: Places,
    /// What lies at a certain byte, by offset.
    fixed: Vec<Range>,
    /// Where the next piece may begin.
    next: u64,
    /// What is at the end of the image: whose, and how far from it.
    last: Vec<(IndexId, What, Need, u64)>,
}

/// Gives everything its place. `payloads` are the payloads of a class that no volume holds, with their lengths; each has one place.
pub(super) fn place<'a>(
    indexes: &[(IndexId, &dyn Index)],
    payloads: impl Fn(Class) -> Box<dyn Iterator<Item = (PayloadId, u64)> + 'a>,
    count: usize,
    end: End,
) -> Result<Places, PlanError> {
    let mut walk = Walk {
        places: Places::new(count),
        fixed: Vec::new(),
        next: 0,
        last: Vec::new(),
    };
    walk.take_fixed(indexes);
    for step in ORDER {
        match *step {
            NotBefore(byte) => walk.next = walk.next.max(byte),
            Behind(what) => walk.next = walk.next.max(walk.end_of(what)),
            Pieces(what) => walk.pieces(indexes, what),
            Payloads(class) => {
                for (id, length) in payloads(class) {
                    walk.payload(id, length);
                }
            }
            DataEnd => walk.places.data_end = walk.next,
        }
    }
    walk.finish(end)
}

impl Walk {
    fn take_fixed(&mut self, indexes: &[(IndexId, &dyn Index)]) {
        let kinds = ORDER.iter().filter_map(|step| match step {
            Pieces(what) => Some(*what),
            _ => None,
        });
        for what in kinds {
            for (id, index) in indexes {
                index.needs(what, &mut |need| {
                    if let (Where::At(offset), true) = (need.place, need.length > 0) {
                        let range = Range {
                            offset,
                            length: need.length,
                        };
                        self.fixed.push(range);
                        self.places.put_piece((*id, what, need.number), range, need.inside);
                    }
                });
            }
        }
        self.fixed.sort_unstable_by_key(|range| range.offset);
    }

    fn pieces(&mut self, indexes: &[(IndexId, &dyn Index)], what: What) {
        for (id, index) in indexes {
            index.needs(what, &mut |need| match need.place {
                _ if need.length == 0 => {}
                Where::Next(alignment) => {
                    let range = self.take(need.length, alignment);
                    self.places.put_piece((*id, what, need.number), range, need.inside);
                }
                Where::FromEnd(distance) => self.last.push((*id, what, need, distance)),
                Where::At(_) => {}
            });
        }
    }

    fn payload(&mut self, id: PayloadId, length: u64) {
        if length > 0 && self.places.payload(id).is_none() {
            let range = self.take(length, payload_alignment(length));
            self.places.put_payload(id, range);
        }
    }

    /// The first room that is free, never before what was taken last.
    fn take(&mut self, length: u64, alignment: u64) -> Range {
        let mut range = Range {
            offset: self.next.next_multiple_of(alignment),
            length,
        };
        for fixed in &self.fixed {
            if fixed.offset < range.end() && range.offset < fixed.end() {
                range.offset = fixed.end().next_multiple_of(alignment);
            }
        }
        self.next = range.end();
        range
    }

    fn end_of(&self, wanted: What) -> u64 {
        let regions = self.places.regions.iter();
        let ends = regions.filter_map(|region| match region.content {
            super::layout::Content::Structure { what, .. } if what == wanted => Some(region.offset + region.length),
            _ => None,
        });
        ends.max().unwrap_or(0)
    }

    fn finish(mut self, end: End) -> Result<Places, PlanError> {
        let places = &mut self.places;
        let last = self.last.iter().map(|(.., distance)| *distance).max().unwrap_or(0);
        match end {
            End::Padded => {
                places.size = (self.next + PADDING.max(last)).next_multiple_of(SECTOR);
                places.usable_end = places.size;
            }
            End::Aligned => {
                let last = last.next_multiple_of(ALIGNMENT);
                places.size = (self.next.next_multiple_of(ALIGNMENT) + last).next_multiple_of(DISK_UNIT);
                places.usable_end = places.size - last;
            }
        }
        for (id, what, need, distance) in self.last {
            let offset = places.size.checked_sub(distance);
            let offset = offset.ok_or_else(|| PlanError::Bug(format!("the {what} begins before the image")))?;
            let length = need.length;
            places.put_piece((id, what, need.number), Range { offset, length }, need.inside);
        }
        let regions = &mut places.regions;
        regions.sort_unstable_by_key(|region| region.offset);
        for pair in regions.windows(2) {
            if pair[0].offset + pair[0].length > pair[1].offset {
                return Err(PlanError::Bug(format!("{:?} and {:?} overlap", pair[0], pair[1])));
            }
        }
        regions.shrink_to_fit();
        Ok(self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Common;
    use crate::plan::layout::{Content, Region};
    use crate::plan::{Late, Plan};

    /// An index that needs room and nothing else.
    struct Room(Vec<(What, u64, Where)>);

    impl Index for Room {
        fn needs(&self, what: What, ask: &mut dyn FnMut(Need)) {
            for (number, &(_, length, place)) in (0..).zip(self.0.iter().filter(|(own, ..)| *own == what)) {
                ask(Need::new(number, length, place));
            }
        }

        fn encode(&self, _: (What, u32), _: &Plan, _: &Late) -> Result<Vec<u8>, PlanError> {
            Ok(Vec::new())
        }

        fn describe(&self, _: &Plan, _: &Late, _: &mut Common) -> Result<(), PlanError> {
            Ok(())
        }
    }

    fn placed(room: Vec<(What, u64, Where)>, payloads: &[u64], end: End) -> Result<Places, PlanError> {
        let room = Room(room);
        let of_class = |class: Class| -> Box<dyn Iterator<Item = (PayloadId, u64)>> {
            let all = (0..)
                .map(PayloadId::at)
                .zip(payloads.iter().copied())
                .collect::<Vec<_>>();
            let wanted = move |&(_, length): &(PayloadId, u64)| match class {
                Class::Hidden => false,
                Class::Small => !is_large(length),
                Class::Large => is_large(length),
            };
            Box::new(all.into_iter().filter(wanted))
        };
        place(&[(IndexId::Iso, &room)], of_class, payloads.len(), end)
    }

    #[test]
    fn fixed_places_are_gone_around_and_nothing_goes_back() {
        let places = placed(
            vec![
                (What::PrimaryDescriptor, 2048, Where::Next(2048)),
                // In the way of the second directory; the third would have room in front of it.
                (What::GptHeader, 100, Where::At(32768 + 3 * 2048)),
                (What::Directory, 4096, Where::Next(2048)),
                (What::Directory, 4096, Where::Next(2048)),
                (What::Directory, 0, Where::Next(2048)),
                (What::Directory, 1, Where::Next(2048)),
            ],
            &[70_000, 10, 0],
            End::Padded,
        )
        .unwrap();
        let at = |what, number| places.piece(IndexId::Iso, what, number).unwrap();
        assert_eq!(at(What::PrimaryDescriptor, 0), 32768);
        assert_eq!(at(What::Directory, 0), 32768 + 2048);
        assert_eq!(at(What::Directory, 1), 32768 + 4 * 2048);
        assert!(
            places.piece(IndexId::Iso, What::Directory, 2).is_err(),
            "it has no bytes"
        );
        assert_eq!(at(What::Directory, 3), 32768 + 6 * 2048);
        // The small payload first, then the large one on 4 KiB.
        assert_eq!(places.payload(PayloadId::at(1)), Some(32768 + 7 * 2048));
        assert_eq!(places.payload(PayloadId::at(0)), Some(32768 + 8 * 2048));
        assert_eq!(places.payload(PayloadId::at(2)), None);
        let end = 32768 + 8 * 2048 + 70_000;
        assert_eq!(places.data_end, end);
        assert_eq!(places.size, (end + 150 * 2048).next_multiple_of(2048));
    }

    #[test]
    fn what_is_at_the_end_counts_from_there() {
        let places = placed(
            vec![
                (What::BackupGptEntries, 16384, Where::FromEnd(16896)),
                (What::BackupGptHeader, 512, Where::FromEnd(512)),
            ],
            &[1],
            End::Aligned,
        )
        .unwrap();
        assert_eq!(places.usable_end, (1 << 20) - 20480);
        assert_eq!(places.size, 1 << 20);
        let header = places.piece(IndexId::Iso, What::BackupGptHeader, 0).unwrap();
        assert_eq!(header, places.size - 512);
        let last = Region {
            offset: header,
            length: 512,
            content: Content::Structure {
                index: IndexId::Iso,
                what: What::BackupGptHeader,
                number: 0,
            },
        };
        assert_eq!(places.regions.last(), Some(&last));
    }

    #[test]
    fn regions_may_not_overlap() {
        let room = vec![
            (What::GptHeader, 512, Where::At(512)),
            (What::GptEntries, 512, Where::At(1000)),
        ];
        let error = placed(room, &[], End::Padded).unwrap_err().to_string();
        assert!(error.contains("overlap"), "{error}");
    }
}
