//! From the bytes of any disk to a [`Table`], with a sentence for each thing that is not as UEFI wants it.
//!
//! Nothing found on the disk is trusted with memory or time: a field is looked at before the bytes it speaks of are, and
//! before the `gpt` crate sees it.

use std::io::Cursor;

use ::gpt::disk::LogicalBlockSize;
use ::gpt::header::{Header, read_header_from_arbitrary_device};
use ::gpt::partition::file_read_partitions;

use crate::ground::read_at::ReadAt;

use super::{ENTRY_SIZE, Guid, HEADER_SIZE, Partition, SIGNATURE, Table};

/// The longest array that is read: 8192 entries of 128 bytes. Linux and EDK2 write 128 entries, and so does everybody.
const MAX_ARRAY: u64 = 1 << 20;
/// The smallest and the largest logical sector a GPT may be looked for with; 2048 is a CD's.
const SECTOR_SIZES: std::ops::RangeInclusive<u64> = 512..=4096;

/// A table as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// The primary table; where it cannot be relied upon, the backup, if that can.
    pub table: Table,
    /// For each partition of the table its number: its index in the array, from 1.
    pub numbers: Vec<u32>,
    /// SizeOfPartitionEntry.
    pub entry_size: u32,
    /// NumberOfPartitionEntries.
    pub entry_count: u32,
    /// HeaderCRC32, as stored.
    pub header_crc: u32,
    /// PartitionEntryArrayCRC32, as stored.
    pub entries_crc: u32,
    /// Whether the checksums of the primary or of the backup are right: firmware takes no other table.
    pub valid: bool,
    /// Numbers of partitions that EDK2 does not take: outside of what is usable, or overlapping.
    pub refused: Vec<u32>,
    /// What is wrong, a sentence each: the field, its value, what it should be. Those about the backup start with
    /// "backup GPT: ".
    pub faults: Vec<String>,
    /// What is not as UEFI wants it and is taken by every firmware.
    pub remarks: Vec<String>,
    /// Byte offset and length of header, array, backup header and backup array, as found. Length 0: not found.
    pub regions: [(u64, u64); 4],
}

/// Reads the table of a disk with logical sectors of `sector_size` bytes.
///
/// `None`: there is no "EFI PART" in LBA 1, nor a valid backup in the last LBA.
pub fn decode(disk: &dyn ReadAt, sector_size: u64) -> Option<Decoded> {
    if !sector_size.is_power_of_two() || !SECTOR_SIZES.contains(&sector_size) {
        return None;
    }
    let last_lba = (disk.size() / sector_size).checked_sub(1)?;
    let primary = Half::read(disk, sector_size, 1, "GPT");
    // EDK2 follows AlternateLBA of a valid primary only.
    let alternate = match &primary {
        Some(half) if half.valid && half.header.backup_lba <= last_lba => half.header.backup_lba,
        _ => last_lba,
    };
    let backup = match alternate {
        1 => None,
        lba => Half::read(disk, sector_size, lba, "backup GPT"),
    };

    let (mut faults, mut remarks) = (Vec::new(), Vec::new());
    if !disk.size().is_multiple_of(sector_size) {
        faults.push(format!(
            "GPT: the disk has {} bytes, which is not a multiple of its logical sector of {sector_size}",
            disk.size()
        ));
    }
    match &primary {
        Some(half) => {
            faults.extend_from_slice(&half.faults);
            // So is every image on a larger disk, and EDK2 follows the field.
            let is_there = backup.as_ref().is_some_and(|backup| backup.valid);
            let is_found = half.valid && half.header.backup_lba == alternate && is_there;
            let list = if is_found { &mut remarks } else { &mut faults };
            half.compare(list, "AlternateLBA", half.header.backup_lba, last_lba);
        }
        None => faults.push("GPT: no header in LBA 1; the backup stands in".to_owned()),
    }
    match &backup {
        Some(half) => {
            faults.extend_from_slice(&half.faults);
            half.compare(&mut faults, "AlternateLBA", half.header.backup_lba, 1);
        }
        None => faults.push(format!(
            "backup GPT: no header in LBA {alternate}; EDK2 writes one there when it sees the disk"
        )),
    }
    if let (Some(primary), Some(backup)) = (&primary, &backup)
        && primary.valid
    {
        compare(&primary.header, &backup.header, &mut faults);
    }

    let region = |half: &Option<Half>, what: fn(&Half) -> (u64, u64)| half.as_ref().map_or((0, 0), what);
    let regions = [
        region(&primary, |half| half.header_region),
        region(&primary, |half| half.entries_region),
        region(&backup, |half| half.header_region),
        region(&backup, |half| half.entries_region),
    ];
    let usual = sector_size * 2;
    let entries_offset = match regions[1] {
        (_, 0) => usual,
        (offset, _) => offset,
    };
    let half = match (primary, backup) {
        (Some(half), _) if half.valid => half,
        (_, Some(half)) if half.valid => half,
        (half, _) => half?,
    };
    let valid = half.valid;
    let refused = check_partitions(&half, &mut faults);
    let (numbers, partitions) = half.partitions.into_iter().unzip();
    let header = half.header;
    Some(Decoded {
        table: Table {
            disk_guid: Guid::from_bytes_le(header.disk_guid.to_bytes_le()),
            partitions,
            sector_size,
            disk_size: disk.size() / sector_size * sector_size,
            entries_offset,
            backup_entries_offset: Some(regions[3])
                .filter(|&(_, length)| length > 0)
                .and_then(|(offset, length)| {
                    let usual = regions[2].0.checked_sub(length);
                    (usual != Some(offset)).then_some(offset)
                }),
            first_usable: header.first_usable.saturating_mul(sector_size),
            usable_end: header.last_usable.saturating_add(1).saturating_mul(sector_size),
        },
        numbers,
        entry_size: header.part_size,
        entry_count: header.num_parts,
        header_crc: half.header_crc,
        entries_crc: header.crc32_parts,
        valid,
        refused,
        faults,
        remarks,
        regions,
    })
}

/// One header and its array.
struct Half {
    /// "GPT" or "backup GPT".
    name: &'static str,
    header: Header,
    /// HeaderCRC32 as stored; the crate's field holds a checksum that fits.
    header_crc: u32,
    header_region: (u64, u64),
    /// Length 0 if the array was not read.
    entries_region: (u64, u64),
    sector_size: u64,
    partitions: Vec<(u32, Partition)>,
    faults: Vec<String>,
    /// EDK2 would take this half: signature, both checksums and MyLBA are right, and the array can be read.
    valid: bool,
}

impl Half {
    /// The header in `lba` and what it points to. `None` without a signature.
    fn read(disk: &dyn ReadAt, sector_size: u64, lba: u64, name: &'static str) -> Option<Self> {
        let offset = lba.checked_mul(sector_size)?;
        let sector = disk.read_vec_at(offset, sector_size).ok()?;
        let (header, header_crc) = record(&sector)?;
        let mut half = Self {
            name,
            header,
            header_crc,
            header_region: (offset, sector_size),
            entries_region: (0, 0),
            sector_size,
            partitions: Vec::new(),
            faults: Vec::new(),
            valid: true,
        };
        half.check_header(&sector, lba);
        match half.array(disk) {
            Ok(array) => half.read_array(&array),
            Err(fault) => half.fault(fault),
        }
        Some(half)
    }

    /// Notes something that makes this half invalid.
    fn fault(&mut self, sentence: String) {
        self.faults.push(format!("{}: {sentence}", self.name));
        self.valid = false;
    }

    /// Adds a fault that leaves the half valid if a field is not as it should be.
    fn compare(&self, faults: &mut Vec<String>, field: &str, found: u64, expected: u64) {
        if found != expected {
            faults.push(format!("{}: {field} is {found}, not {expected}", self.name));
        }
    }

    /// UEFI 5.3.2: the header's own fields.
    fn check_header(&mut self, sector: &[u8], lba: u64) {
        let (size, my_lba) = (self.header.header_size_le, self.header.current_lba);
        match usize::try_from(size).ok().and_then(|size| sector.get(..size)) {
            Some(bytes) if size >= HEADER_SIZE => {
                let computed = checksum_without_field(bytes);
                if computed != self.header_crc {
                    self.fault(format!(
                        "HeaderCRC32 is {:08x}, but the header's checksum is {computed:08x}",
                        self.header_crc
                    ));
                }
            }
            _ => self.fault(format!(
                "HeaderSize is {size}; it is at least {HEADER_SIZE} and at most the logical sector of {}",
                self.sector_size
            )),
        }
        if my_lba != lba {
            self.fault(format!("MyLBA is {my_lba}, but the header is in LBA {lba}"));
        }
        let Header {
            revision: (major, minor),
            reserved,
            first_usable,
            last_usable,
            ..
        } = self.header;
        let mut faults = Vec::new();
        if (major, minor) != (1, 0) {
            faults.push(format!("{}: Revision is {major}.{minor}, not 1.0", self.name));
        }
        self.compare(&mut faults, "Reserved", reserved.into(), 0);
        if first_usable > last_usable {
            faults.push(format!(
                "{}: FirstUsableLBA {first_usable} is behind LastUsableLBA {last_usable}",
                self.name
            ));
        } else if (first_usable..=last_usable).contains(&lba) {
            faults.push(format!(
                "{}: usable LBAs {first_usable} to {last_usable} cover the header in LBA {lba}",
                self.name
            ));
        }
        self.faults.append(&mut faults);
    }

    /// UEFI 5.3.2, 5.3.3: the bytes of the array, once the fields that give its place and length make sense.
    fn array(&mut self, disk: &dyn ReadAt) -> Result<Vec<u8>, String> {
        let Header {
            part_start,
            num_parts,
            part_size,
            first_usable,
            last_usable,
            ..
        } = self.header;
        if part_size < ENTRY_SIZE || !part_size.is_power_of_two() {
            return Err(format!(
                "SizeOfPartitionEntry is {part_size}; it is {ENTRY_SIZE} times a power of two"
            ));
        }
        let length = u64::from(num_parts) * u64::from(part_size);
        if length > MAX_ARRAY {
            return Err(format!(
                "NumberOfPartitionEntries {num_parts} times SizeOfPartitionEntry {part_size} is an array of {length} bytes; at most {MAX_ARRAY} are read"
            ));
        }
        let array = part_start
            .checked_mul(self.sector_size)
            .and_then(|offset| Some((offset, disk.read_vec_at(offset, length).ok()?)));
        let Some((offset, array)) = array else {
            return Err(format!(
                "PartitionEntryLBA is {part_start}; an array of {length} bytes there is not inside the disk of {} bytes",
                disk.size()
            ));
        };
        self.entries_region = (offset, length);
        // The end is on the disk, so it does not overflow.
        let array_end = (offset + length).div_ceil(self.sector_size);
        if part_start <= last_usable && array_end > first_usable {
            self.faults.push(format!(
                "{}: usable LBAs {first_usable} to {last_usable} cover the array in LBAs {part_start} to {}",
                self.name,
                array_end.saturating_sub(1)
            ));
        }
        Ok(array)
    }

    /// UEFI 5.3.3: the entries. Bytes of an entry behind the 128th have no meaning yet.
    fn read_array(&mut self, array: &[u8]) {
        let computed = crc32fast::hash(array);
        if computed != self.header.crc32_parts {
            self.fault(format!(
                "PartitionEntryArrayCRC32 is {:08x}, but the array's checksum is {computed:08x}",
                self.header.crc32_parts
            ));
        }
        let entry_size = usize::try_from(self.header.part_size).unwrap_or(usize::MAX);
        let short: Vec<u8> = array
            .chunks_exact(entry_size)
            .flat_map(|entry| entry.iter().take(ENTRY_SIZE as usize).copied())
            .collect();
        // The crate reads an array of 128-byte entries with the right checksum, and panics on others: this is one.
        let header = Header {
            part_start: 0,
            part_size: ENTRY_SIZE,
            crc32_parts: crc32fast::hash(&short),
            ..self.header.clone()
        };
        let records = file_read_partitions(&mut Cursor::new(short), &header, LogicalBlockSize::Lb512);
        let sector_size = self.sector_size;
        match records {
            Ok(records) => {
                let used = records.into_iter().filter(|(_, record)| record.is_used());
                self.partitions = used
                    .map(|(number, record)| (number, partition(record, sector_size)))
                    .collect();
            }
            Err(error) => self.fault(format!("the array cannot be read: {error}")),
        }
    }
}

/// The fields of a header, and its checksum as stored. `None` without a signature.
fn record(sector: &[u8]) -> Option<(Header, u32)> {
    let mut bytes: [u8; HEADER_SIZE as usize] = *sector.first_chunk()?;
    if !bytes.starts_with(SIGNATURE) {
        return None;
    }
    let stored = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
    // The crate refuses a header whose checksum over 92 bytes is wrong. Here that is a fault like others, so it gets one
    // that is right, in LBA 1 of a disk of two logical sectors.
    let fitting = checksum_without_field(&bytes);
    bytes[16..20].copy_from_slice(&fitting.to_le_bytes());
    let mut disk = vec![0; 512];
    disk.extend_from_slice(&bytes);
    let header = read_header_from_arbitrary_device(&mut Cursor::new(disk), LogicalBlockSize::Lb512).ok()?;
    Some((header, stored))
}

/// UEFI 5.3.2: the checksum of a header is taken with HeaderCRC32, bytes 16 to 19, as zero.
fn checksum_without_field(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.get(..16).unwrap_or(header));
    hasher.update(&[0; 4]);
    hasher.update(header.get(20..).unwrap_or_default());
    hasher.finalize()
}

/// An entry in bytes. Numbers that do not fit become the largest; such an entry is outside the disk and gets a fault.
fn partition(record: ::gpt::partition::Partition, sector_size: u64) -> Partition {
    let sectors = match record.last_lba.checked_sub(record.first_lba) {
        Some(distance) => distance.saturating_add(1),
        None => 0,
    };
    Partition {
        kind: Guid::from_bytes_le(record.part_type_guid.guid.to_bytes_le()),
        guid: Guid::from_bytes_le(record.part_guid.to_bytes_le()),
        name: record.name,
        start: record.first_lba.saturating_mul(sector_size),
        length: sectors.saturating_mul(sector_size),
        attributes: record.flags,
    }
}

/// UEFI 5.3.2: the backup header is the primary one but for its place, its array's place and its checksum.
fn compare(primary: &Header, backup: &Header, faults: &mut Vec<String>) {
    let mut differ = |field: &str, primary: String, backup: String| {
        if primary != backup {
            faults.push(format!("backup GPT: {field} is {backup}; the primary's is {primary}"));
        }
    };
    let (p, b) = (primary, backup);
    differ("DiskGUID", p.disk_guid.to_string(), b.disk_guid.to_string());
    differ("FirstUsableLBA", p.first_usable.to_string(), b.first_usable.to_string());
    differ("LastUsableLBA", p.last_usable.to_string(), b.last_usable.to_string());
    differ(
        "NumberOfPartitionEntries",
        p.num_parts.to_string(),
        b.num_parts.to_string(),
    );
    differ("SizeOfPartitionEntry", p.part_size.to_string(), b.part_size.to_string());
    differ(
        "PartitionEntryArrayCRC32",
        format!("{:08x}", p.crc32_parts),
        format!("{:08x}", b.crc32_parts),
    );
}

/// EDK2 drops entries outside the usable LBAs, and both of two that overlap.
fn check_partitions(half: &Half, faults: &mut Vec<String>) -> Vec<u32> {
    let sector_size = half.sector_size;
    let first = half.header.first_usable.saturating_mul(sector_size);
    let end = half.header.last_usable.saturating_add(1).saturating_mul(sector_size);
    let (mut ranges, mut refused) = (Vec::new(), Vec::new());
    for (number, Partition { start, length, .. }) in &half.partitions {
        if *length == 0 {
            faults.push(format!("{}: partition {number} ends before it starts", half.name));
            refused.push(*number);
            continue;
        }
        let partition_end = start.saturating_add(*length);
        if *start < first || partition_end > end || partition_end == u64::MAX {
            refused.push(*number);
            faults.push(format!(
                "{}: partition {number} is bytes {start} to {}; bytes {first} to {} are usable",
                half.name,
                partition_end - 1,
                end.saturating_sub(1)
            ));
        }
        ranges.push((*start, partition_end, *number));
    }
    ranges.sort_unstable();
    let mut furthest: Option<(u64, u32)> = None;
    for (start, end, number) in ranges {
        match furthest {
            Some((reached, other)) if start < reached => {
                refused.extend([number, other]);
                faults.push(format!(
                    "{}: partition {number} starts at byte {start}, but partition {other} ends at byte {reached}",
                    half.name
                ));
            }
            _ => (),
        }
        if furthest.is_none_or(|(reached, _)| end > reached) {
            furthest = Some((end, number));
        }
    }
    refused
}
