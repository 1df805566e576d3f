//! From a [`Table`] to the bytes of its four structures.

use std::io::{Cursor, Error as IoError, Read, Result as IoResult, Seek, SeekFrom, Write};

use ::gpt::disk::LogicalBlockSize;
use ::gpt::header::{Header, HeaderError};

use super::{
    ARRAY_SIZE, ENTRY_COUNT, ENTRY_SIZE, Guid, HEADER_SIZE, NAME_UNITS, Partition, Placement, SIGNATURE, Table,
    placement,
};

/// The bytes of a table, each with the byte offset it belongs at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// The primary header: one logical sector, zero behind the 92 bytes of the header.
    pub header: Vec<u8>,
    /// The primary array.
    pub entries: Vec<u8>,
    /// The backup array: the same bytes.
    pub backup_entries: Vec<u8>,
    /// The backup header: MyLBA, AlternateLBA, PartitionEntryLBA and the checksum differ.
    pub backup_header: Vec<u8>,
    /// Where each goes.
    pub placement: Placement,
}

/// What cannot be put into a table.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GptError {
    /// Disks of other sectors do not exist.
    #[error("a GPT is for logical sectors of 512 or 4096 bytes, not {0}")]
    SectorSize(u64),
    /// [`placement`] found none.
    #[error(
        "a GPT with its array at byte {entries_offset} does not fit a disk of {disk_size} bytes with logical sectors of {sector_size}"
    )]
    NoRoom {
        /// Bytes of a logical sector.
        sector_size: u64,
        /// Bytes of the disk.
        disk_size: u64,
        /// The primary array's offset.
        entries_offset: u64,
    },
    /// The array has 128 entries.
    #[error("a GPT of 16 KiB holds 128 partitions, not {0}")]
    TooMany(usize),
    /// UEFI 5.3.3: 72 bytes.
    #[error("partition name {name:?} has {units} UTF-16 units; a GPT holds 36")]
    Name {
        /// The name.
        name: String,
        /// Its length.
        units: usize,
    },
    /// A NUL ends the name for every reader.
    #[error("partition name {0:?} contains NUL, which ends a name in a GPT")]
    NameHasNul(String),
    /// UEFI 5.3.3: a zero type marks an unused entry.
    #[error("partition {0:?} has the type of an unused GPT entry")]
    Unused(String),
    /// Readers find partitions by it.
    #[error("partitions {first:?} and {second:?} have the same GUID {guid}")]
    SameGuid {
        /// One name.
        first: String,
        /// The other name.
        second: String,
        /// The GUID of both.
        guid: Guid,
    },
    /// Entries hold LBAs.
    #[error(
        "partition {name:?}, {length} bytes from byte {start}, is empty or not in whole logical sectors of {sector_size} bytes"
    )]
    Unaligned {
        /// The partition's name.
        name: String,
        /// First byte.
        start: u64,
        /// Bytes.
        length: u64,
        /// Bytes of a logical sector.
        sector_size: u64,
    },
    /// EDK2 drops such a partition.
    #[error(
        "partition {name:?}, {length} bytes from byte {start}, is outside the usable bytes {first} to {last} of the GPT"
    )]
    Outside {
        /// The partition's name.
        name: String,
        /// First byte.
        start: u64,
        /// Bytes.
        length: u64,
        /// First usable byte.
        first: u64,
        /// Last usable byte.
        last: u64,
    },
    /// EDK2 drops both.
    #[error("partition {first:?} ends at byte {first_end}, but partition {second:?} starts at byte {second_start}")]
    Overlap {
        /// The name of the one in front.
        first: String,
        /// Its end.
        first_end: u64,
        /// The name of the one behind.
        second: String,
        /// Its start.
        second_start: u64,
    },
    /// The records' encoder refused them. No input that we know leads here, but a broken table must never be written.
    #[error("the GPT cannot be encoded: {0}")]
    Record(String),
}

impl From<IoError> for GptError {
    fn from(error: IoError) -> Self {
        Self::Record(error.to_string())
    }
}

impl From<HeaderError> for GptError {
    fn from(error: HeaderError) -> Self {
        Self::Record(error.to_string())
    }
}

/// The bytes of `table`.
pub fn encode(table: &Table) -> Result<Encoded, GptError> {
    let &Table {
        sector_size,
        disk_size,
        entries_offset,
        backup_entries_offset,
        ..
    } = table;
    let logical = match sector_size {
        512 => LogicalBlockSize::Lb512,
        4096 => LogicalBlockSize::Lb4096,
        other => return Err(GptError::SectorSize(other)),
    };
    let placement =
        placement(sector_size, disk_size, entries_offset, backup_entries_offset).ok_or(GptError::NoRoom {
            sector_size,
            disk_size,
            entries_offset,
        })?;
    let (first_usable, usable_end) = usable(table, &placement)?;
    check(table, first_usable, usable_end)?;
    let entries = array(table)?;

    let mut primary = Header {
        signature: String::from_utf8_lossy(SIGNATURE).into_owned(),
        revision: (1, 0),
        header_size_le: HEADER_SIZE,
        crc32: 0,
        reserved: 0,
        current_lba: 1,
        backup_lba: placement.backup_header.0 / sector_size,
        first_usable: first_usable / sector_size,
        last_usable: usable_end / sector_size - 1,
        disk_guid: table
            .disk_guid
            .to_string()
            .parse()
            .map_err(|_| unreadable(table.disk_guid))?,
        part_start: placement.entries.0 / sector_size,
        num_parts: ENTRY_COUNT,
        part_size: ENTRY_SIZE,
        crc32_parts: 0,
    };
    let mut backup = Header {
        current_lba: primary.backup_lba,
        backup_lba: primary.current_lba,
        part_start: placement.backup_entries.0 / sector_size,
        ..primary.clone()
    };

    let mut disk = Sparse::new(placement.entries.0, &entries, placement.header);
    primary.write_primary(&mut disk, logical)?;
    let header = disk.header;
    let mut disk = Sparse::new(placement.backup_entries.0, &entries, placement.backup_header);
    backup.write_backup(&mut disk, logical)?;
    let backup_header = disk.header;
    Ok(Encoded {
        header,
        backup_entries: entries.clone(),
        entries,
        backup_header,
        placement,
    })
}

/// The first usable byte and the one behind the last, as the table asks for them or as UEFI demands it.
fn usable(table: &Table, placement: &Placement) -> Result<(u64, u64), GptError> {
    let &Table {
        sector_size,
        disk_size,
        entries_offset,
        first_usable,
        usable_end,
        ..
    } = table;
    let usable_end = (usable_end / sector_size * sector_size).min(placement.usable_end());
    first_usable
        .checked_next_multiple_of(sector_size)
        .map(|first| first.max(placement.first_usable()))
        .filter(|&first| first < usable_end)
        .map(|first| (first, usable_end))
        .ok_or(GptError::NoRoom {
            sector_size,
            disk_size,
            entries_offset,
        })
}

/// Refuses what firmware would drop without a word.
fn check(table: &Table, first: u64, usable_end: u64) -> Result<(), GptError> {
    let sector_size = table.sector_size;
    if table.partitions.len() > ENTRY_COUNT as usize {
        return Err(GptError::TooMany(table.partitions.len()));
    }
    for Partition {
        kind,
        name,
        start,
        length,
        ..
    } in &table.partitions
    {
        let (name, start, length) = (name.clone(), *start, *length);
        let units = name.encode_utf16().count();
        if units > NAME_UNITS {
            return Err(GptError::Name { name, units });
        }
        if name.contains('\0') {
            return Err(GptError::NameHasNul(name));
        }
        if *kind == Guid::nil() {
            return Err(GptError::Unused(name));
        }
        if length == 0 || start % sector_size != 0 || length % sector_size != 0 {
            return Err(GptError::Unaligned {
                name,
                start,
                length,
                sector_size,
            });
        }
        let inside = start.checked_add(length).is_some_and(|end| end <= usable_end);
        if start < first || !inside {
            return Err(GptError::Outside {
                name,
                start,
                length,
                first,
                last: usable_end - 1,
            });
        }
    }
    let mut order: Vec<&Partition> = table.partitions.iter().collect();
    order.sort_by_key(|partition| partition.guid);
    for (first, second) in order.iter().zip(order.iter().skip(1)) {
        if first.guid == second.guid {
            return Err(GptError::SameGuid {
                first: first.name.clone(),
                second: second.name.clone(),
                guid: first.guid,
            });
        }
    }
    order.sort_by_key(|partition| partition.start);
    for (first, second) in order.iter().zip(order.iter().skip(1)) {
        let first_end = first.start + first.length;
        if first_end > second.start {
            return Err(GptError::Overlap {
                first: first.name.clone(),
                first_end,
                second: second.name.clone(),
                second_start: second.start,
            });
        }
    }
    Ok(())
}

/// The partition entry array.
fn array(table: &Table) -> Result<Vec<u8>, GptError> {
    let mut array = Cursor::new(vec![0; ARRAY_SIZE as usize]);
    for (index, partition) in (0..).zip(&table.partitions) {
        let kind: ::gpt::partition_types::Type = partition.kind.to_string().parse().map_err(GptError::Record)?;
        let record = ::gpt::partition::Partition {
            part_type_guid: kind,
            part_guid: partition
                .guid
                .to_string()
                .parse()
                .map_err(|_| unreadable(partition.guid))?,
            first_lba: partition.start / table.sector_size,
            last_lba: (partition.start + partition.length) / table.sector_size - 1,
            flags: partition.attributes,
            name: partition.name.clone(),
        };
        // The array is a disk of its own here: it starts at LBA 0, whatever an LBA is.
        record.write_to_device(&mut array, index, 0, LogicalBlockSize::Lb512, ENTRY_SIZE)?;
    }
    Ok(array.into_inner())
}

/// The crate's GUID type has no public name; its parser is the way to a value.
fn unreadable(guid: Guid) -> GptError {
    GptError::Record(format!("{guid} is unreadable"))
}

/// A disk of two ranges: an array to read, for its checksum, and a header to write. The crate's header encoder knows no
/// other way to get at the one and to hand out the other.
struct Sparse<'a> {
    entries: (u64, &'a [u8]),
    header_offset: u64,
    header: Vec<u8>,
    position: u64,
}

impl<'a> Sparse<'a> {
    fn new(entries_offset: u64, entries: &'a [u8], (header_offset, length): (u64, u64)) -> Self {
        let header = vec![0; usize::try_from(length).unwrap_or(0)];
        Self {
            entries: (entries_offset, entries),
            header_offset,
            header,
            position: 0,
        }
    }
}

/// The part of a range that starts `offset` bytes into the disk.
fn from_position(position: u64, offset: u64) -> usize {
    position
        .checked_sub(offset)
        .and_then(|at| usize::try_from(at).ok())
        .unwrap_or(usize::MAX)
}

impl Read for Sparse<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let (offset, entries) = self.entries;
        let mut rest = entries.get(from_position(self.position, offset)..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for Sparse<'_> {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        let at = from_position(self.position, self.header_offset);
        let mut rest = self.header.get_mut(at..).unwrap_or_default();
        let count = rest.write(bytes)?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl Seek for Sparse<'_> {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::End(_) | SeekFrom::Current(_) => {
                return Err(std::io::ErrorKind::Unsupported.into());
            }
        };
        Ok(self.position)
    }
}
