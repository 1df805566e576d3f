use super::*;

#[test]
fn a_fixed_disk_is_the_disk_and_a_footer() {
    let mut writer = Writer::new(Kind::Fixed, 3 << 20).unwrap();
    assert_eq!((writer.place(0), writer.place(1)), (0, 2 << 20));
    let (pieces, length) = writer.finish([7; 16]);
    assert_eq!((pieces.len(), pieces[0].0, length), (1, 3 << 20, (3 << 20) + 512));
    let footer = &pieces[0].1;
    assert_eq!(&footer[..16], b"conectix\0\0\0\x02\0\x01\0\0");
    assert_eq!(footer[16..24], [0xff; 8]);
    assert_eq!(
        footer[40..56],
        [(3u64 << 20).to_be_bytes(), (3u64 << 20).to_be_bytes()].concat()
    );
    assert_eq!(footer[60..64], [0, 0, 0, 2]);
    assert_eq!(footer[68..84], [7; 16]);
    let sum: u32 = footer
        .iter()
        .enumerate()
        .filter(|(at, _)| !(64..68).contains(at))
        .map(|(_, &byte)| u32::from(byte))
        .sum();
    assert_eq!(footer[64..68], (!sum).to_be_bytes());
}

#[test]
fn a_dynamic_disk_has_a_table() {
    let mut writer = Writer::new(Kind::Dynamic, 7 << 20).unwrap();
    // Footer, header, a table of one sector: 2048. The bitmap stands in the sector before a multiple of 4096.
    assert_eq!(writer.place(1), 4096);
    assert_eq!(writer.place(3), 4096 + (2 << 20) + 4096);
    let (pieces, length) = writer.finish([0; 16]);
    let at = |offset: u64| &pieces.iter().find(|piece| piece.0 == offset).unwrap().1;
    assert_eq!(length, 4096 + (2 << 20) + 4096 + (2 << 20) + 512);
    assert_eq!(at(0), at(length - 512));
    assert_eq!(at(0)[16..24], [0, 0, 0, 0, 0, 0, 2, 0]);
    let header = at(512);
    assert_eq!((&header[..8], header.len()), (&b"cxsparse"[..], 1024));
    assert_eq!(header[16..24], 1536u64.to_be_bytes());
    assert_eq!(header[28..36], [0, 0, 0, 4, 0, 0x20, 0, 0]);
    let table = at(1536);
    assert_eq!(table.len(), 512);
    assert_eq!(table[..4], [0xff; 4]);
    assert_eq!(table[4..8], 7u32.to_be_bytes());
    assert_eq!(table[12..16], (15u32 + 4096).to_be_bytes());
    assert!(table[16..].iter().all(|&byte| byte == 0xff));
    assert_eq!((at(7 * 512).len(), at(7 * 512)[0]), (512, 0xff));
}

#[test]
fn a_disk_that_hyper_v_refuses_is_refused() {
    assert!(Writer::new(Kind::Dynamic, 2040 << 30).is_ok());
    assert_eq!(Writer::new(Kind::Fixed, (2040 << 30) + 512).unwrap_err(), 2040 << 30);
}
