use super::*;

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The file of a disk of which two clusters are not zero, computed by hand: header, two clusters, refcounts, L1, two L2 tables.
#[test]
fn tables_lie_behind_the_clusters() {
    let mut writer = Writer::new((600 << 20) + 512).unwrap();
    assert_eq!(writer.place(3), 0x1_0000);
    assert_eq!(writer.place(8192 + 5), 0x2_0000);
    let (pieces, length) = writer.finish();
    // Header, 2 clusters, a block, the refcount table, the L1 table, 2 L2 tables.
    assert_eq!(length, 8 * 0x1_0000);
    let at = |offset: u64| &pieces.iter().find(|piece| piece.0 == offset).unwrap().1;
    let header = at(0);
    assert_eq!(&header[..8], b"QFI\xfb\0\0\0\x03");
    assert_eq!(number(header, 24), (600 << 20) + 512);
    // l1_size, l1_table_offset, refcount_table_offset, refcount_table_clusters.
    assert_eq!(header[36..40], 2u32.to_be_bytes());
    assert_eq!((number(header, 40), number(header, 48)), (0x5_0000, 0x4_0000));
    assert_eq!(header[56..60], 1u32.to_be_bytes());
    let l1 = at(0x5_0000);
    assert_eq!(
        (number(l1, 0), number(l1, 8), l1.len()),
        (COPIED | 0x6_0000, COPIED | 0x7_0000, 16)
    );
    assert_eq!(number(at(0x6_0000), 3 * 8), COPIED | 0x1_0000);
    assert_eq!(number(at(0x7_0000), 5 * 8), COPIED | 0x2_0000);
    assert_eq!(number(at(0x4_0000), 0), 0x3_0000);
    assert_eq!(at(0x3_0000).as_slice(), [0, 1].repeat(8));
}

#[test]
fn an_empty_disk_has_tables_and_a_longer_one_is_refused() {
    let (pieces, length) = Writer::new(0).unwrap().finish();
    assert_eq!((pieces.len(), length), (4, 4 * 0x1_0000));
    // 2^22 entries of 512 MiB each: docs/interop/qcow2.txt has no limit, QEMU has.
    assert_eq!(Writer::new((1 << 51) + 1).unwrap_err(), 1 << 51);
}

/// One block counts 32768 clusters: the cluster that is one too many takes a block more.
#[test]
fn reference_counts_count_themselves() {
    for (clusters, blocks) in [(32_768 - 4, 1), (32_768 - 3, 2)] {
        // One L2 table counts 8192 clusters, so there are four or five, which are no part of this number.
        let mut writer = Writer::new(4 << 30).unwrap();
        let tables = (clusters as u64).div_ceil(8192);
        let data = clusters as u64 - tables;
        for number in 0..data {
            writer.place(number);
        }
        let (pieces, length) = writer.finish();
        // Header, data, L2 tables, L1 table, refcount table, blocks.
        assert_eq!(length, (1 + clusters as u64 + 1 + 1 + blocks) * 0x1_0000);
        let counted = pieces.iter().filter(|piece| piece.1.starts_with(&[0, 1]));
        let counts: usize = counted.map(|piece| piece.1.len() / 2).sum();
        assert_eq!(counts as u64, length / 0x1_0000);
    }
}
