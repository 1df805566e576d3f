//! What a file is and where its bytes are.

use super::descriptor::{ALLOCATION_EXTENT, Allocation, EXTENDED_FILE_ENTRY, FILE_ENTRY, Recorded, TAG, Tag};
use super::partition::{Extents, Partitions};
use super::text::timestamp;
use super::{Attributes, u16_at, u32_at, u64_at};
use crate::ground::read_at::ReadAt;

/// ECMA-167 4/14.6.6.
pub(super) const DIRECTORY: u8 = 4;
pub(super) const BLOCK_DEVICE: u8 = 6;
pub(super) const CHARACTER_DEVICE: u8 = 7;
pub(super) const FIFO: u8 = 9;
pub(super) const SOCKET: u8 = 10;
pub(super) const SYMLINK: u8 = 12;
/// Extents of more allocation descriptors that one file may have: each holds hundreds.
const CONTINUATIONS: usize = 4096;

/// ECMA-167 4/14.9 and 4/14.17.
#[derive(Debug)]
pub(super) struct FileEntry {
    pub(super) file_type: u8,
    /// Of the content, in bytes.
    pub(super) length: u64,
    pub(super) extents: Extents,
    pub(super) attributes: Attributes,
    /// Of a device.
    pub(super) device: Option<(u32, u32)>,
    /// Byte offset and length of extents of allocation descriptors.
    pub(super) continued: Vec<(u64, u64)>,
    /// What is wrong with it, in words.
    pub(super) notes: Vec<String>,
}

/// The file entry in the block at byte `offset`, whose allocation descriptors count in `partition`.
pub(super) fn read(
    image: &dyn ReadAt,
    partitions: &Partitions,
    offset: u64,
    partition: u16,
) -> Result<FileEntry, String> {
    let bytes = image
        .read_vec_at(offset, partitions.block)
        .map_err(|error| format!("the file entry at {offset}: {error}"))?;
    let tag = Tag::parse(&bytes).filter(|tag| matches!(tag.identifier, FILE_ENTRY | EXTENDED_FILE_ENTRY));
    let Some(tag) = tag else {
        return Err(format!("there is no file entry at {offset}"));
    };
    let cut = || format!("the file entry at {offset} is cut short");
    let mut entry = parse(&bytes, tag.identifier == EXTENDED_FILE_ENTRY).ok_or_else(cut)?;
    if !tag.crc {
        entry
            .notes
            .push(format!("the checksum of the file entry at {offset} is wrong"));
    }
    // ECMA-167 4/14.6.2: 4 is a single entry; 4096 has trees of them, which UDF has for write-once media.
    match u16_at(&bytes, 20) {
        Some(4) => {}
        strategy => {
            let strategy = strategy.unwrap_or(0);
            return Err(format!(
                "the file entry at {offset} is of strategy {strategy}, which is not supported"
            ));
        }
    }
    let flags = u16_at(&bytes, 34).ok_or_else(cut)?;
    let (start, length) = descriptors(&bytes, tag.identifier == EXTENDED_FILE_ENTRY).ok_or_else(cut)?;
    // ECMA-167 4/14.6.8.
    match flags & 7 {
        3 => {
            let held = entry.length.min(length as u64);
            if held < entry.length {
                entry
                    .notes
                    .push(format!("the content in the file entry at {offset} is cut short"));
            }
            entry.extents = vec![(Some(offset + start as u64), held)];
        }
        form => {
            let list = bytes.get(start..start + length).unwrap_or_default().to_vec();
            allocations(image, partitions, list, form, partition, &mut entry);
        }
    }
    Ok(entry)
}

/// Where the allocation descriptors stand, or the content.
pub(super) fn descriptors(bytes: &[u8], extended: bool) -> Option<(usize, usize)> {
    let lengths = if extended { 208 } else { 168 };
    let (attributes, length) = (u32_at(bytes, lengths)? as usize, u32_at(bytes, lengths + 4)? as usize);
    let start = (lengths + 8).checked_add(attributes)?;
    (start.checked_add(length)? <= bytes.len()).then_some((start, length))
}

fn parse(bytes: &[u8], extended: bool) -> Option<FileEntry> {
    let file_type = *bytes.get(27)?;
    let (modified, serial, lengths) = if extended { (92, 200, 208) } else { (84, 160, 168) };
    let device = u32_at(bytes, lengths).and_then(|length| {
        let start = lengths + 8;
        device(bytes.get(start..start.checked_add(length as usize)?)?)
    });
    Some(FileEntry {
        file_type,
        length: u64_at(bytes, 56)?,
        extents: Extents::new(),
        attributes: Attributes {
            mode: mode(file_type, u32_at(bytes, 44)?, u16_at(bytes, 34)?),
            links: u16_at(bytes, 48)?.into(),
            uid: u32_at(bytes, 36).filter(|&id| id != u32::MAX),
            gid: u32_at(bytes, 40).filter(|&id| id != u32::MAX),
            serial: u64_at(bytes, serial)?,
            modified: timestamp(bytes.get(modified..)?).unwrap_or_default(),
        },
        device,
        continued: Vec::new(),
        notes: Vec::new(),
    })
}

/// ECMA-167 4/14.9.5: five bits each for others, the group and the owner, of which the three lowest are x, w and r; and the flags of
/// 4/14.6.8 for set-user-id, set-group-id and sticky.
fn mode(file_type: u8, permissions: u32, flags: u16) -> u32 {
    let three = |shift: u32| permissions >> shift & 7;
    let kind = match file_type {
        DIRECTORY => 0o040_000,
        BLOCK_DEVICE => 0o060_000,
        CHARACTER_DEVICE => 0o020_000,
        FIFO => 0o010_000,
        SOCKET => 0o140_000,
        SYMLINK => 0o120_000,
        _ => 0o100_000,
    };
    let special = u32::from(flags >> 6 & 7);
    let special = (special & 1) << 11 | (special & 2) << 9 | (special & 4) << 7;
    kind | special | three(10) << 6 | three(5) << 3 | three(0)
}

/// ECMA-167 4/14.10.7: the numbers of a device, among the extended attributes.
fn device(attributes: &[u8]) -> Option<(u32, u32)> {
    // 4/14.10.1: a header of 24 bytes.
    let mut rest = attributes.get(24..)?;
    while let Some(length) = u32_at(rest, 8) {
        if u32_at(rest, 0)? == 12 {
            return Some((u32_at(rest, 16)?, u32_at(rest, 20)?));
        }
        rest = rest.get((length as usize).max(12)..)?;
    }
    None
}

/// Follows allocation descriptors and their continuations to the end of the content.
fn allocations(
    image: &dyn ReadAt,
    partitions: &Partitions,
    mut list: Vec<u8>,
    form: u16,
    partition: u16,
    entry: &mut FileEntry,
) {
    let width = [8, 16, 20][usize::from(form.min(2))];
    let mut left = entry.length;
    // A content that is recorded once cannot have more bytes than the image.
    let mut recorded = image.size();
    loop {
        let mut next = None;
        for descriptor in list.chunks_exact(width) {
            let allocation = match form {
                0 => Allocation::short(descriptor, partition),
                1 => Allocation::long(descriptor),
                _ => Allocation::extended(descriptor),
            };
            let Some(mut allocation) = allocation.filter(|allocation| allocation.length > 0) else {
                break;
            };
            if allocation.kind == Recorded::Continued {
                next = Some(allocation);
                break;
            }
            // The last extent may be allocated beyond the content's end.
            allocation.length = allocation.length.min(left);
            left -= allocation.length;
            if allocation.kind == Recorded::Yes {
                let Some(rest) = recorded.checked_sub(allocation.length) else {
                    entry.notes.push("its content has more bytes than the image".into());
                    return;
                };
                recorded = rest;
            }
            if partitions.add(allocation, &mut entry.extents).is_none() {
                entry.notes.push("a part of its content is in no partition".into());
                return;
            }
        }
        let Some(allocation) = next.filter(|_| left > 0) else {
            break;
        };
        let Some(more) = continued(image, partitions, allocation, entry) else {
            entry
                .notes
                .push("its allocation descriptors do not go on where they should".into());
            return;
        };
        list = more;
    }
    // UDF 2.3.6.4 and ECMA-167 4/12.1: what has no descriptor is not recorded.
    if left > 0 {
        entry.notes.push(format!("{left} bytes of its content have no place"));
    }
}

/// ECMA-167 4/14.5: allocation descriptors in an extent of their own.
fn continued(
    image: &dyn ReadAt,
    partitions: &Partitions,
    allocation: Allocation,
    entry: &mut FileEntry,
) -> Option<Vec<u8>> {
    let offset = partitions.place(allocation.partition, allocation.block)?;
    if entry.continued.len() >= CONTINUATIONS || entry.continued.iter().any(|&(known, _)| known == offset) {
        return None;
    }
    let bytes = image.read_vec_at(offset, partitions.block).ok()?;
    let tag = Tag::parse(&bytes).filter(|tag| tag.identifier == ALLOCATION_EXTENT)?;
    if !tag.crc {
        let note = format!("the checksum of the allocation descriptors at {offset} is wrong");
        entry.notes.push(note);
    }
    entry.continued.push((offset, partitions.block));
    let start = TAG + 8;
    let length = u32_at(&bytes, TAG + 4)? as usize;
    Some(bytes.get(start..start.checked_add(length)?)?.to_vec())
}
