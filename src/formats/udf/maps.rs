//! The partition maps of a logical volume, and the tables that they need: ECMA-167 3/10.7, UDF 2.2.8 to 2.2.13.

use super::file_entry;
use super::partition::{Map, Partitions, Physical};
use super::{Structure, What, u16_at, u32_at};
use crate::ground::read_at::{Pieces, ReadAt};

/// Partition maps; UDF 2.2.4.5 knows no more than two.
const MAPS: usize = 16;
/// Blocks before the end of a medium in which the table of a virtual partition is looked for: more than a drive writes after it.
const RUN_OUT: u64 = 512;
/// Bytes of a table of a virtual partition that are read.
const TABLE: u64 = 16 << 20;

/// What the partition maps of a volume lead to.
pub(super) struct Mapped {
    pub(super) partitions: Partitions,
    pub(super) structures: Vec<Structure>,
    pub(super) notes: Vec<String>,
}

/// ECMA-167 3/10.7: reads the partition maps of a logical volume descriptor, whose blocks have `block` bytes. The partitions are known by
/// their numbers.
pub(super) fn read(image: &dyn ReadAt, logical: &[u8], block: u64, partitions: &[(u16, Physical)]) -> Mapped {
    let mut mapped = Mapped {
        partitions: Partitions {
            block,
            maps: Vec::new(),
        },
        structures: Vec::new(),
        notes: Vec::new(),
    };
    let count = u32_at(logical, 268).unwrap_or(0) as usize;
    let mut rest = logical.get(440..).unwrap_or_default();
    let mut metadata = Vec::new();
    for number in 0..count.min(MAPS) {
        let Some((map, behind)) = rest
            .get(1)
            .and_then(|&length| rest.split_at_checked(length.into()))
            .filter(|(map, _)| map.len() >= 6)
        else {
            mapped.notes.push(format!("partition map {number} is cut short"));
            mapped.partitions.maps.push(Map::Nothing);
            return mapped;
        };
        rest = behind;
        let physical = |at: usize| {
            let number = u16_at(map, at)?;
            partitions
                .iter()
                .find(|&&(of, _)| of == number)
                .map(|&(_, physical)| physical)
        };
        let resolved = match (map[0], map.get(5..28)) {
            (1, _) => physical(4).map(Map::Physical),
            (2, Some(name)) if name.starts_with(b"*UDF Sparable Partition") => {
                physical(38).and_then(|under| sparable(image, map, under, &mut mapped))
            }
            (2, Some(name)) if name.starts_with(b"*UDF Virtual Partition") => {
                physical(38).and_then(|under| virtual_partition(image, under, &mut mapped))
            }
            (2, Some(name)) if name.starts_with(b"*UDF Metadata Partition") => {
                // Its file is in another map, which may follow.
                metadata.push((number, u16_at(map, 38), [u32_at(map, 40), u32_at(map, 44)]));
                Some(Map::Nothing)
            }
            _ => None,
        };
        if resolved.is_none() {
            mapped.notes.push(format!("partition map {number} cannot be followed"));
        }
        mapped.partitions.maps.push(resolved.unwrap_or(Map::Nothing));
    }
    for (number, of, files) in metadata {
        let under = of
            .and_then(|of| partitions.iter().find(|&&(number, _)| number == of))
            .map(|&(_, under)| under);
        // The metadata file, else its mirror.
        let found = files
            .into_iter()
            .flatten()
            .find_map(|file| metadata_partition(image, under?, file, &mut mapped));
        match found {
            Some(map) => mapped.partitions.maps[number] = map,
            None => mapped
                .notes
                .push(format!("the metadata file of partition map {number} cannot be read")),
        }
    }
    mapped
}

/// UDF 2.2.9 and 2.2.12.
fn sparable(image: &dyn ReadAt, map: &[u8], under: Physical, mapped: &mut Mapped) -> Option<Map> {
    let block = mapped.partitions.block;
    let packet = u32::from(u16_at(map, 40)?);
    if !packet.is_power_of_two() {
        return None;
    }
    let length = u64::from(u32_at(map, 44)?).min(TABLE);
    for number in 0..usize::from(*map.get(42)?) {
        let offset = u64::from(u32_at(map, 48 + 4 * number)?) * block;
        let Ok(table) = image.read_vec_at(offset, length) else {
            continue;
        };
        // 2.2.12: an identifier behind a tag, the number of entries at 48, entries of eight bytes from 56.
        if !table
            .get(17..)
            .is_some_and(|name| name.starts_with(b"*UDF Sparing Table"))
        {
            continue;
        }
        mapped.structures.push(Structure {
            offset,
            length,
            what: What::PartitionTable,
        });
        let entries = table.get(56..).unwrap_or_default().chunks_exact(8);
        let entries = entries.take(u16_at(&table, 48)?.into());
        let moved = entries.filter_map(|entry| Some((u32_at(entry, 0)?, u32_at(entry, 4)?)));
        // From 0xfffffff0 on they are spare, or bad themselves.
        let moved = moved.filter(|&(original, _)| original < 0xffff_fff0).collect();
        return Some(Map::Sparable { under, packet, moved });
    }
    mapped.notes.push("there is no sparing table".into());
    Some(Map::Physical(under))
}

/// UDF 2.2.11: the file entry of the table is in the last block that was written.
fn virtual_partition(image: &dyn ReadAt, under: Physical, mapped: &mut Mapped) -> Option<Map> {
    let block = mapped.partitions.block;
    let alone = Partitions {
        block,
        maps: vec![Map::Physical(under)],
    };
    let last = image.size() / block;
    for sector in (last.saturating_sub(RUN_OUT)..last).rev() {
        let offset = sector * block;
        let Ok(entry) = file_entry::read(image, &alone, offset, 0) else {
            continue;
        };
        // 248 since UDF 2.00, else a file of no type.
        if !matches!(entry.file_type, 0 | 248) || entry.length > TABLE {
            continue;
        }
        let content = Pieces::new(image, entry.extents.iter().copied());
        let Ok(table) = content.read_vec_at(0, entry.length) else {
            continue;
        };
        let numbers = match (entry.file_type, u16_at(&table, 0)) {
            (248, Some(header)) => table.get(usize::from(header)..),
            // UDF 1.50, 2.2.10: behind the numbers an identifier and the place of the table before.
            _ => table
                .len()
                .checked_sub(36)
                .filter(|&end| table[end + 1..].starts_with(b"*UDF Virtual Alloc Tbl"))
                .map(|end| &table[..end]),
        };
        let Some(numbers) = numbers else {
            continue;
        };
        mapped.structures.push(Structure {
            offset,
            length: block,
            what: What::PartitionTable,
        });
        let extents = entry
            .extents
            .iter()
            .filter_map(|&(offset, length)| Some((offset?, length)));
        let pieces = extents.map(|(offset, length)| Structure {
            offset,
            length,
            what: What::PartitionTable,
        });
        mapped.structures.extend(pieces);
        let table = numbers.chunks_exact(4).filter_map(|number| u32_at(number, 0)).collect();
        return Some(Map::Virtual { under, table });
    }
    None
}

/// UDF 2.2.13: a file of the partition whose content is the metadata partition.
fn metadata_partition(image: &dyn ReadAt, under: Physical, file: u32, mapped: &mut Mapped) -> Option<Map> {
    let block = mapped.partitions.block;
    let alone = Partitions {
        block,
        maps: vec![Map::Physical(under)],
    };
    let offset = alone.place(0, file)?;
    let entry = file_entry::read(image, &alone, offset, 0).ok()?;
    let mut pieces = Vec::new();
    let mut first = 0;
    for (offset, length) in entry.extents {
        if let Some(offset) = offset {
            pieces.push((first, offset, length / block));
        }
        first += length.div_ceil(block);
    }
    mapped.structures.push(Structure {
        offset,
        length: block,
        what: What::PartitionTable,
    });
    Some(Map::Metadata { pieces })
}
