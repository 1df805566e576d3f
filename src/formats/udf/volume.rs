//! From the anchor to the file set: ECMA-167 3/8.4.2, UDF 2.2.3.

use std::collections::HashSet;

use super::descriptor::{
    ANCHOR, Allocation, FILE_SET, INTEGRITY, LOGICAL_VOLUME, PARTITION, POINTER, TERMINATING, Tag,
};
use super::maps;
use super::partition::{Partitions, Physical};
use super::text::dstring;
use super::{Structure, UdfError, What, u16_at, u32_at};
use crate::ground::read_at::ReadAt;

/// The sector of the first anchor, and of the one on a disc that is still written.
const FIRST: u64 = 256;
const UNCLOSED: u64 = 512;
/// Logical sectors that media have, the one of discs first: UDF has a volume's blocks as long.
const SECTORS: [u64; 4] = [2048, 512, 4096, 1024];
/// Descriptors in a sequence; an honest one has some ten.
const DESCRIPTORS: usize = 64;

/// A volume whose root is found.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) label: String,
    pub(super) partitions: Partitions,
    pub(super) root: Allocation,
    pub(super) structures: Vec<Structure>,
    pub(super) notes: Vec<String>,
    pub(super) remarks: Vec<String>,
}

/// What a volume descriptor sequence says.
#[derive(Default)]
struct Sequence {
    logical: Option<Vec<u8>>,
    /// By their numbers.
    partitions: Vec<(u16, Physical)>,
    structures: Vec<Structure>,
    notes: Vec<String>,
}

/// Opens the volume of an image; none if there is no anchor. The image may be at the begin of a larger medium, and end at `end`.
pub(super) fn open(image: &dyn ReadAt, end: u64) -> Result<Option<Opened>, UdfError> {
    let Some((block, anchors)) = SECTORS.into_iter().find_map(|block| {
        let anchors = anchors(image, block, end);
        (!anchors.is_empty()).then_some((block, anchors))
    }) else {
        return Ok(None);
    };
    let mut structures = Vec::new();
    let mut sequence = Sequence::default();
    let (mut notes, mut remarks) = (Vec::new(), Vec::new());
    match lonely(&anchors, block) {
        Some((FIRST, said)) => remarks.push(said),
        Some((_, said)) => notes.push(said),
        None => {}
    }
    for (offset, anchor) in &anchors {
        if Tag::parse(anchor).is_some_and(|tag| !tag.crc) {
            notes.push(format!("the checksum of the anchor at {offset} is wrong"));
        }
        structures.push(Structure {
            offset: *offset,
            length: block,
            what: What::Anchor,
        });
        // The main sequence, else the reserve.
        for at in [16, 24] {
            let (Some(length), Some(sector)) = (u32_at(anchor, at), u32_at(anchor, at + 4)) else {
                continue;
            };
            let extent = (u64::from(sector) * block, u64::from(length));
            if length == 0 || structures.iter().any(|known| known.offset == extent.0) {
                continue;
            }
            let mut read = read_sequence(image, block, extent);
            structures.extend(read.structures.iter().cloned());
            notes.append(&mut read.notes);
            if read.logical.is_none() {
                let at = extent.0;
                notes.push(format!(
                    "the volume descriptor sequence at {at} has no logical volume descriptor (ECMA-167 3/10.6)"
                ));
            }
            if sequence.logical.is_none() {
                sequence = read;
            }
        }
    }
    let Some(logical) = sequence.logical.take() else {
        return Err(UdfError::Damaged(
            "there is no logical volume descriptor (ECMA-167 3/10.6)".into(),
        ));
    };
    if u32_at(&logical, 212).map(u64::from) != Some(block) {
        return Err(UdfError::Damaged(format!(
            "its blocks are not as long as its sectors of {block} bytes"
        )));
    }
    structures.extend(integrity(image, &logical, block, &mut notes));
    let mapped = maps::read(image, &logical, block, &sequence.partitions);
    structures.extend(mapped.structures);
    notes.extend(mapped.notes);
    let file_set = Allocation::long(logical.get(248..).unwrap_or_default());
    let root = file_set.and_then(|place| {
        let offset = mapped.partitions.place(place.partition, place.block)?;
        let bytes = image.read_vec_at(offset, block).ok()?;
        let tag = Tag::parse(&bytes).filter(|tag| tag.identifier == FILE_SET)?;
        if !tag.crc {
            notes.push(format!("the checksum of the file set descriptor at {offset} is wrong"));
        }
        structures.push(Structure {
            offset,
            length: place.length.max(block),
            what: What::FileSet,
        });
        Allocation::long(bytes.get(400..)?)
    });
    let Some(root) = root else {
        return Err(UdfError::Damaged(
            "there is no file set descriptor (ECMA-167 4/14.1)".into(),
        ));
    };
    Ok(Some(Opened {
        label: logical.get(84..212).map(dstring).unwrap_or_default(),
        partitions: mapped.partitions,
        root,
        structures,
        notes,
        remarks,
    }))
}

/// Where the logical volume says that its integrity descriptor is.
fn integrity(image: &dyn ReadAt, logical: &[u8], block: u64, notes: &mut Vec<String>) -> Option<Structure> {
    let length = u64::from(u32_at(logical, 432).filter(|&length| length > 0)?);
    let offset = u64::from(u32_at(logical, 436)?) * block;
    let bytes = image.read_vec_at(offset, block).unwrap_or_default();
    match Tag::parse(&bytes).filter(|tag| tag.identifier == INTEGRITY) {
        Some(tag) if tag.crc => {}
        Some(_) => notes.push(format!("the checksum of the integrity descriptor at {offset} is wrong")),
        None => notes.push(format!(
            "there is no integrity descriptor at {offset} (ECMA-167 3/10.10)"
        )),
    }
    Some(Structure {
        offset,
        length,
        what: What::Integrity,
    })
}

/// ECMA-167 3/8.4.2.1, UDF 2.2.3: two of sectors 256, the last, and 256 before it; 512 on a disc that is still written.
fn anchors(image: &dyn ReadAt, block: u64, end: u64) -> Vec<(u64, Vec<u8>)> {
    let mut sectors = vec![FIRST];
    for end in [image.size(), end] {
        let count = end / block;
        sectors.extend([count.saturating_sub(1), count.saturating_sub(257)]);
    }
    sectors.push(UNCLOSED);
    let mut known = HashSet::new();
    sectors.retain(|&sector| known.insert(sector));
    let anchor = |sector: u64| {
        let bytes = image.read_vec_at(sector * block, block).ok()?;
        let tag = Tag::parse(&bytes)?;
        (tag.identifier == ANCHOR && u64::from(tag.location) == sector).then_some((sector * block, bytes))
    };
    sectors.into_iter().filter_map(anchor).collect()
}

/// The sector of an anchor that is the only one, and what there is to say of it. Many discs have the first alone, and most readers look
/// at no other. A disc that is still written has one.
fn lonely(anchors: &[(u64, Vec<u8>)], block: u64) -> Option<(u64, String)> {
    let [(offset, _)] = anchors else {
        return None;
    };
    let sector = offset / block;
    let said = format!(
        "there is one anchor, in sector {sector}, and not two of sectors {FIRST}, the last, and 256 before it (ECMA-167 3/8.4.2.1)"
    );
    (sector != UNCLOSED).then_some((sector, said))
}

/// Reads one sequence, which a volume descriptor pointer continues elsewhere.
fn read_sequence(image: &dyn ReadAt, block: u64, extent: (u64, u64)) -> Sequence {
    let mut sequence = Sequence::default();
    // Of the descriptors that prevail, by kind and number: the highest volume descriptor sequence number.
    let mut prevailing: Vec<(u16, u16, u32)> = Vec::new();
    let (mut at, mut end) = (extent.0, extent.0.saturating_add(extent.1));
    let mut start = at;
    for _ in 0..DESCRIPTORS {
        if at + block > end {
            break;
        }
        let Some((tag, bytes)) = image
            .read_vec_at(at, block)
            .ok()
            .and_then(|bytes| Some((Tag::parse(&bytes)?, bytes)))
        else {
            break;
        };
        at += block;
        if !tag.crc {
            let note = format!("the checksum of the volume descriptor at {} is wrong", at - block);
            sequence.notes.push(note);
        }
        let number = if tag.identifier == PARTITION {
            u16_at(&bytes, 22).unwrap_or(0)
        } else {
            0
        };
        let order = u32_at(&bytes, 16).unwrap_or(0);
        let known = prevailing
            .iter()
            .position(|&(kind, of, _)| (kind, of) == (tag.identifier, number));
        match known {
            Some(known) if prevailing[known].2 > order => continue,
            Some(known) => prevailing[known].2 = order,
            None => prevailing.push((tag.identifier, number, order)),
        }
        match tag.identifier {
            LOGICAL_VOLUME => sequence.logical = Some(bytes),
            PARTITION => {
                let (Some(start), Some(length)) = (u32_at(&bytes, 188), u32_at(&bytes, 192)) else {
                    continue;
                };
                let physical = Physical {
                    start: start.into(),
                    length: length.into(),
                };
                sequence.partitions.retain(|&(of, _)| of != number);
                sequence.partitions.push((number, physical));
            }
            POINTER => {
                sequence.structures.push(descriptors(start, at));
                let (Some(length), Some(sector)) = (u32_at(&bytes, 20), u32_at(&bytes, 24)) else {
                    break;
                };
                at = u64::from(sector) * block;
                (start, end) = (at, at.saturating_add(length.into()));
            }
            TERMINATING => break,
            _ => {}
        }
    }
    sequence.structures.push(descriptors(start, at));
    sequence
}

fn descriptors(start: u64, end: u64) -> Structure {
    Structure {
        offset: start,
        length: end - start,
        what: What::VolumeDescriptors,
    }
}
