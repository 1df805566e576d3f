//! The layout for media with logical sectors of more than one size.

use super::{BOOT, host};
use crate::facts::{PartitionKind, PartitionTable};

const MULTI_SECTOR: &str = "[disk]\nlayout = \"multi-sector\"\n";

#[test]
fn a_multi_sector_image_has_a_table_and_an_esp_for_each_sector() {
    let (described, bytes) = host().build(&format!("{BOOT}\"/outside\" = \"loader\"\n{MULTI_SECTOR}"));
    assert_eq!(described.facts.faults, [""; 0]);
    assert!(bytes.len().is_multiple_of(4096));
    for (sector_size, volume) in [(512, &described.facts.esp[0]), (4096, &described.facts.esp[1])] {
        let of_table = |partition: &&crate::facts::Partition| {
            partition.table == PartitionTable::Gpt && partition.sector_size == sector_size
        };
        let partitions: Vec<_> = described.facts.partitions.iter().filter(of_table).collect();
        assert_eq!(partitions.len(), 3, "{partitions:?}");
        let esp = partitions
            .iter()
            .find(|partition| partition.kind == PartitionKind::Esp)
            .unwrap();
        assert_eq!((esp.start, u64::from(volume.sector_size)), (volume.offset, sector_size));
        assert!(partitions.iter().all(|partition| partition.start % 4096 == 0));
    }
    let named = |path: &str| {
        described
            .facts
            .extents
            .iter()
            .any(|extent| extent.paths.iter().any(|name| name == path))
    };
    assert!(named("esp:/outside") && named("esp2:/EFI/BOOT/BOOTX64.EFI"));
    assert!(!named("esp2:/outside"));
    assert_eq!(
        described.planned.warnings,
        ["\"/outside\" is not in the ESP for media with sectors of 4096 bytes"]
    );
    let (described, _) = host().build(&format!("[boot.bios]\nimage = \"bios.bin\"\n{MULTI_SECTOR}"));
    assert_eq!((described.facts.gpt.len(), described.facts.esp.len()), (2, 0));
}

#[test]
fn what_would_be_in_a_multi_sector_image_twice_is_bounded() {
    let host = host();
    host.put("large", &vec![1; (1 << 20) + 1]);
    let error = host.error(&format!("{BOOT}\"/EFI/large\" = \"large\"\n{MULTI_SECTOR}"));
    assert!(
        error.contains(
            "\"/EFI/large\" has 1048577 bytes, and with layout \"multi-sector\" they would be in the image twice"
        ),
        "{error}"
    );
    host.put("large", &vec![1; 1 << 20]);
    host.build(&format!("{BOOT}\"/EFI/large\" = \"large\"\n{MULTI_SECTOR}"));
    let error = host.error(&format!("[boot.uefi]\nimage = \"esp.img\"\n{MULTI_SECTOR}"));
    assert!(error.contains("a ready image is for one"), "{error}");
}
