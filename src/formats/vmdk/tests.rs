use std::io::Read as _;

use super::*;

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn a_grain_says_where_it_belongs() {
    let grain = Writer::grain(3, &[7; 1000]).unwrap();
    assert_eq!(grain.len() % 512, 0);
    assert_eq!(grain[..8], (3u64 * 128).to_le_bytes());
    let length = number(&grain, 8) as usize;
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(&grain[12..12 + length])
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!((bytes.len(), bytes[999], bytes[1000]), (65_536, 7, 0));
}

#[test]
fn tables_stand_behind_their_grains() {
    // Two tables' worth of grains and one sector.
    let mut writer = Writer::new((64 << 20) + 512).unwrap();
    assert_eq!(writer.place(1, 1024), 128 * 512);
    assert_eq!(writer.place(511, 512), 130 * 512);
    assert!(writer.complete().is_empty());
    // A marker and four sectors of the table lie between.
    assert_eq!(writer.place(1024, 512), (131 + 5) * 512);
    let first = writer.complete();
    assert_eq!((first.len(), first[0].0), (1, 131 * 512));
    assert_eq!(first[0].1[..16], [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    let table = &first[0].1[512..];
    assert_eq!(
        (number(table, 4), number(table, 511 * 4), table.len()),
        (128, 130, 2048)
    );
    let (pieces, length) = writer.finish(0xabcd);
    let at = |sector: u64| &pieces.iter().find(|piece| piece.0 == sector * 512).unwrap().1;
    // The second table of grains is not there, the third is at 137, the directory behind it at 142, then the footer.
    let directory = &at(142)[512..];
    assert_eq!(
        (number(directory, 0), number(directory, 4), number(directory, 8)),
        (132, 0, 138)
    );
    assert_eq!(length, (142 + 2 + 3) * 512);
    let footer = at(144);
    assert_eq!(footer[..16], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
    let header = at(0);
    assert_eq!(header[..4], *b"KDMV");
    assert_eq!(header[12..20], (131_073u64).to_le_bytes());
    assert_eq!(
        (header[56..64].to_vec(), number(&footer[512..], 56)),
        (vec![0xff; 8], 143)
    );
    let text = String::from_utf8(at(1).clone()).unwrap();
    assert!(
        text.contains("CID=0000abcd\n") && text.contains("RW 131073 SPARSE"),
        "{text}"
    );
}

#[test]
fn a_disk_whose_file_has_no_room_is_refused() {
    assert_eq!(Writer::new((2000 << 30) + 512).unwrap_err(), 2000 << 30);
}
