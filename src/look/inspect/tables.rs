//! MBR and GPT as facts.

use std::io;

use crate::facts::{Common, Extent, Found, GptFacts, Partition, PartitionKind, PartitionTable, What};
use crate::formats::apm;
use crate::formats::gpt;
use crate::formats::mbr::{self, Slot};
use crate::ground::read_at::ReadAt;

use super::disk;
use crate::facts::boot_code::mbr_facts;
use crate::facts::partitions::{gpt_partition, mbr_partition, table_entry};

/// Adds what the partition tables say.
pub(super) fn read(
    image: &dyn ReadAt,
    facts: &mut Common,
    found: &mut Found,
    claims: &mut Vec<Extent>,
) -> io::Result<()> {
    let mut sector = [0; 512];
    image.read_exact_at(&mut sector, 0)?;
    facts.boot_sector = disk::boot_sector(image)?;
    // The code of a boot sector may look like an MBR without partitions.
    if facts.boot_sector.is_none()
        && let Some(mbr) = mbr::decode(&sector)
    {
        claims.push(Extent::new(0, 512, What::MasterBootRecord));
        facts.mbr = Some(mbr_facts(&mbr.boot_code, mbr.disk_signature));
        for (index, slot) in mbr.slots.iter().enumerate() {
            facts.partitions.extend(mbr_partition(index, slot, 512));
        }
        logical_partitions(image, &mbr.slots, facts, claims);
        refuse_overlapping(facts);
    }
    for sector_size in [512, 4096] {
        let Some(table) = gpt::decode(image, sector_size) else {
            continue;
        };
        let words = [
            What::GptHeader,
            What::GptEntries,
            What::BackupGptHeader,
            What::BackupGptEntries,
        ];
        for (what, (offset, length)) in words.into_iter().zip(table.regions) {
            claims.push(Extent::new(offset, length, what));
        }
        facts.gpt.push(GptFacts {
            sector_size,
            disk_guid: table.table.disk_guid.to_string(),
            header_crc32: table.header_crc,
            entries_crc32: table.entries_crc,
            refused: match (table.valid, is_protected(&sector)) {
                (false, _) => Some("the checksums of both GPTs are wrong".into()),
                (_, false) => Some("no slot of type EE begins at LBA 1".into()),
                _ => None,
            },
        });
        for (partition, &number) in table.table.partitions.iter().zip(&table.numbers) {
            let refused = table.refused.contains(&number);
            facts.partitions.push(Partition {
                refused: refused.then(|| "it overlaps another, or is not in the usable part of the disk".into()),
                ..gpt_partition(number, partition, sector_size)
            });
        }
        // Linux, Windows and EDK2 look at the MBR alone then: isohybrid leaves such a table beside a real one.
        let is_ignored = table.valid && !is_protected(&sector) && facts.mbr.is_some();
        match is_ignored {
            true => {
                let shown =
                    |fault: String| format!("{fault} (nobody reads this GPT: no slot of type EE begins at LBA 1)");
                found
                    .remarks
                    .extend(table.faults.into_iter().chain(table.remarks).map(shown));
            }
            false => {
                facts.faults.extend(table.faults);
                found.remarks.extend(table.remarks);
            }
        }
    }
    if let Some(map) = apm::read(image) {
        let length = (map.partitions.len() as u64 + 1) * map.block;
        claims.push(Extent::new(map.block, length - map.block, What::ApplePartitionMap));
        facts
            .faults
            .extend(map.fault.map(|fault| format!("Apple partition map: {fault}")));
        for (index, partition) in map.partitions.into_iter().enumerate() {
            facts.partitions.push(Partition {
                table: PartitionTable::Apm,
                name: Some(partition.name),
                active: None,
                ..table_entry(
                    index,
                    map.block,
                    PartitionKind::Apple(partition.kind),
                    partition.start,
                    partition.length,
                )
            });
        }
    }
    Ok(())
}

/// EDK2 takes a GPT behind a slot of type EE that begins at exactly LBA 1, and does not look for 55 AA.
fn is_protected(sector: &[u8; 512]) -> bool {
    let (slots, _) = sector[446..510].as_chunks::<16>();
    slots
        .iter()
        .any(|slot| slot[4] == mbr::PROTECTIVE && slot[8..12] == [1, 0, 0, 0])
}

/// EDK2 takes no partition of an MBR in which any two that are not of type 0 overlap.
fn refuse_overlapping(facts: &mut Common) {
    let primary = |p: &&Partition| p.number <= 4 && p.kind != PartitionKind::Empty && p.length > 0;
    let ranges: Vec<(u64, u64)> = facts
        .partitions
        .iter()
        .filter(primary)
        .map(|p| (p.start, p.start + p.length))
        .collect();
    let overlap = |(number, &(start, end)): (usize, &(u64, u64))| {
        ranges[..number]
            .iter()
            .any(|&(other, other_end)| start < other_end && other < end)
    };
    if ranges.iter().enumerate().any(overlap) {
        for partition in &mut facts.partitions {
            partition.refused = Some("two entries of the MBR overlap".into());
        }
    }
}

/// Numbered from 5, as Linux does.
fn logical_partitions(image: &dyn ReadAt, slots: &[Slot], facts: &mut Common, claims: &mut Vec<Extent>) {
    let mut number = 4;
    for found in slots.iter().filter_map(|slot| mbr::logical(image, slot)) {
        for &offset in &found.records {
            claims.push(Extent::new(offset, 512, What::ExtendedBootRecord));
        }
        for (start, length, kind) in found.partitions {
            facts
                .partitions
                .push(table_entry(number, 512, PartitionKind::of_mbr(kind), start, length));
            number += 1;
        }
        facts.faults.extend(found.fault.map(|fault| format!("MBR: {fault}")));
    }
}
