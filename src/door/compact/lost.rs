//! What an image loses when it is laid out anew.

use std::collections::BTreeSet;
use std::io;

use crate::facts::{Description, Partition, PartitionKind, PartitionTable, Verdict};
use crate::formats::iso9660::{self, SECTOR, SYSTEM_AREA};
use crate::ground::read_at::ReadAt;

/// Structures outside of the tree that the new image does not have: older sessions, partition tables, partitions and FAT volumes.
pub(super) fn structures(image: &dyn ReadAt, before: &Description, after: &Description) -> io::Result<Vec<String>> {
    let (before, after) = (&before.facts, &after.facts);
    let mut gone = Vec::new();
    match iso9660::sessions(image).map_or(0, |sessions| sessions.len()) {
        0 | 1 => {}
        2 => gone.push("an older session".to_owned()),
        count => gone.push(format!("{} older sessions", count - 1)),
    }
    let is_apple = |partition: &Partition| partition.table == PartitionTable::Apm;
    if before.partitions.iter().any(is_apple) && !after.partitions.iter().any(is_apple) {
        gone.push("an Apple partition map".to_owned());
    }
    let is_esp = |partition: &Partition| {
        let mut volumes = before.esp.iter();
        partition.kind == PartitionKind::Esp || volumes.any(|volume| volume.offset == partition.start)
    };
    let is_kept = |partition: &Partition| {
        let name = |of: &Partition| (of.table, of.kind.clone(), of.name.clone());
        after.partitions.iter().any(|now| name(now) == name(partition))
    };
    let mut seen = BTreeSet::new();
    for partition in &before.partitions {
        let is_gap = partition.name.as_ref().is_some_and(|name| name.starts_with("Gap"));
        let is_other =
            matches!(partition.kind, PartitionKind::Empty | PartitionKind::Protective) || is_apple(partition);
        if is_other
            || is_gap
            || is_kept(partition)
            || is_esp(partition)
            || partition.start == 0
            || !seen.insert(partition.start)
        {
            continue;
        }
        let (number, start) = (partition.number, partition.start);
        let descriptor = start + SYSTEM_AREA;
        let has_volume = descriptor + SECTOR <= image.size() && image.read_vec_at(descriptor + 1, 5)? == b"CD001";
        if has_volume {
            gone.push(format!(
                "a volume in partition {number}, which could be mounted by itself (byte {start})"
            ));
        } else if start > SYSTEM_AREA || partition.length < SYSTEM_AREA {
            gone.push(format!("partition {number}, at byte {start}"));
        }
    }
    if let Some(others @ 1..) = before.esp.len().checked_sub(after.esp.len()) {
        gone.push(format!("{others} of {} volumes of FAT", before.esp.len()));
    }
    Ok(gone)
}

/// A cell in which the new image does not boot although the old one does, with the reason.
pub(super) fn cell(before: &Description, after: &Description) -> Option<String> {
    let boots = |verdict: &&Verdict| verdict.boots;
    let mut kept = before.cells.iter().filter(boots);
    kept.find_map(|verdict| {
        let mut now = after.cells.iter().filter(|now| now.cell == verdict.cell);
        let now = now.find(|now| !now.boots)?;
        Some(format!("{} would not boot any more: {}", now.cell, now.reason))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::Host;

    #[test]
    fn a_cell_that_is_lost_is_told_with_its_reason() {
        let host = Host::new(&[("loader", &[2; 9000])]);
        let (before, _) = host.build("[boot.bios]\nimage = \"loader\"\n");
        assert_eq!(cell(&before, &before), None);
        let mut after = before.clone();
        let verdict = after.cells.iter_mut().find(|verdict| verdict.boots).unwrap();
        (verdict.boots, verdict.reason) = (false, "there is no catalog".into());
        let why = format!("{} would not boot any more: there is no catalog", verdict.cell);
        assert_eq!(cell(&before, &after), Some(why));
        assert_eq!(cell(&after, &before), None);
    }
}
