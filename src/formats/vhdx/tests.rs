use super::*;

#[test]
fn the_checksum_is_crc_32c() {
    // RFC 3720 §B.4: 32 bytes of zeros, and of ones.
    assert_eq!(checksum(&[0; 32]), 0x8a91_36aa);
    assert_eq!(checksum(&[0xff; 32]), 0x62a8_ab43);
}

#[test]
fn blocks_follow_the_tables() {
    // One block more than a chunk: 4096 blocks of a MiB and 512-byte sectors, then an entry for their bitmap.
    let mut writer = Writer::new((4097 << 20) - 512).unwrap();
    assert_eq!(writer.place(0), 4 << 20);
    assert_eq!(writer.place(4095), 5 << 20);
    assert_eq!(writer.place(4096), 6 << 20);
    let (pieces, length) = writer.finish([1; 16]);
    assert_eq!(length, 7 << 20);
    let at = |offset: u64| &pieces.iter().find(|piece| piece.0 == offset).unwrap().1;
    assert_eq!(&at(0)[..12], b"vhdxfilei\0s\0");
    let entry = |offset: u64| offset.to_le_bytes();
    let table = 3 << 20;
    assert_eq!(at(table).as_slice(), entry(4 << 20 | 6));
    assert_eq!(at(table + 4095 * 8).as_slice(), entry(5 << 20 | 6));
    assert_eq!(at(table + 4097 * 8).as_slice(), entry(6 << 20 | 6));
    for (number, offset) in [(1, 64 << 10), (2, 128 << 10)] {
        let header = at(offset);
        assert_eq!((&header[..4], header[8], header.len()), (&b"head"[..], number, 4096));
        assert_eq!(
            (header[66], u32::from_le_bytes(*header[68..].first_chunk().unwrap())),
            (1, 1 << 20)
        );
        let mut unsummed = header.clone();
        unsummed[4..8].fill(0);
        assert_eq!(header[4..8], checksum(&unsummed).to_le_bytes());
    }
    let regions = at(192 << 10);
    assert_eq!(regions, at(256 << 10));
    assert_eq!(
        regions[16..32],
        *b"\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08"
    );
    let metadata = at(2 << 20);
    assert_eq!((&metadata[..8], metadata[10]), (&b"metadata"[..], 5));
    // The block's size, flags, the disk's size, its identity, the sectors.
    let items = &metadata[64 << 10..];
    assert_eq!(items[..8], (1u64 << 20).to_le_bytes());
    assert_eq!(items[8..16], ((4097u64 << 20) - 512).to_le_bytes());
    assert_eq!(items[32..40], [0, 2, 0, 0, 0, 16, 0, 0]);
}

#[test]
fn the_table_of_a_long_disk_is_longer() {
    // 131,072 entries are a MiB; the 32nd bitmap's entry is the one too many.
    assert_eq!(Writer::new((131_072 - 31) << 20).unwrap().place(0), 4 << 20);
    assert_eq!(Writer::new((131_072 - 30) << 20).unwrap().place(0), 5 << 20);
    assert_eq!(Writer::new((64 << 40) + 512).unwrap_err(), 64 << 40);
}
