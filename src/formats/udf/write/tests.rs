//! Structures against the tables of ECMA-167 and UDF 1.02: each field by the byte that its clause gives.

use super::super::descriptor::{FILE_ENTRY, FILE_IDENTIFIER, Tag};
use super::super::{u16_at, u32_at, u64_at};
use super::*;

const BLOCK_LENGTH: usize = BLOCK as usize;

fn description(label: &str) -> VolumeDescription {
    VolumeDescription {
        label: label.into(),
        unique: [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
        time: Timestamp::from_unix(1_767_225_600),
        end: 1000 * BLOCK,
        root: 300 * BLOCK,
        files: 7,
        directories: 3,
        next_unique_id: 25,
    }
}

/// The descriptor in a block, whose tag must be right.
fn block(bytes: &[u8], number: usize, identifier: u16, location: u32) -> &[u8] {
    let block = &bytes[number * BLOCK_LENGTH..(number + 1) * BLOCK_LENGTH];
    let tag = Tag::parse(block).unwrap();
    assert_eq!((tag.identifier, tag.location, tag.crc), (identifier, location, true));
    // 3/7.2.2 and 3/7.2.5: the version of NSR02, and the number that means nothing.
    assert_eq!((u16_at(block, 2), block[5], u16_at(block, 6)), (Some(2), 0, Some(0)));
    block
}

fn numbers<const N: usize>(bytes: &[u8], at: [usize; N]) -> [u32; N] {
    at.map(|at| u32_at(bytes, at).unwrap())
}

#[test]
fn the_recognition_sequence_is_three_descriptors() {
    let bytes = recognition();
    assert_eq!(bytes.len() as u64, RECOGNITION_LENGTH);
    for (number, identifier) in [b"BEA01", b"NSR02", b"TEA01"].into_iter().enumerate() {
        let descriptor = &bytes[number * BLOCK_LENGTH..];
        assert_eq!(
            (descriptor[0], &descriptor[1..6], descriptor[6]),
            (0, &identifier[..], 1)
        );
    }
}

#[test]
fn an_anchor_has_both_sequences() {
    let bytes = anchor(256 * BLOCK).unwrap();
    let anchor = block(&bytes, 0, 2, 256);
    assert_eq!(numbers(anchor, [16, 20, 24, 28]), [32_768, 32, 32_768, 48]);
    assert_eq!(u16_at(anchor, 10), Some(496));
}

#[test]
fn a_sequence_has_six_descriptors_and_tells_them_apart_by_place() {
    let [main, reserve] = SEQUENCES.map(|start| description("NAME").sequence(start).unwrap());
    assert_eq!(main.len() as u64, SEQUENCE_LENGTH);
    for (number, (identifier, length)) in [(1, 496), (4, 496), (5, 496), (6, 430), (7, 8), (8, 496)]
        .into_iter()
        .enumerate()
    {
        for (bytes, start) in [(&main, 32), (&reserve, 48)] {
            let descriptor = block(bytes, number, identifier, start + number as u32);
            assert_eq!(u16_at(descriptor, 10), Some(length));
            if identifier != 8 {
                assert_eq!(u32_at(descriptor, 16), Some(number as u32));
            }
        }
        // All but the tags' own fields are the same.
        let fields = number * BLOCK_LENGTH + 16..(number + 1) * BLOCK_LENGTH;
        assert_eq!(main[fields.clone()], reserve[fields]);
    }
}

#[test]
fn the_volume_is_described_by_field() {
    let bytes = description("NAME").sequence(32 * BLOCK).unwrap();
    // 3/10.1.
    let primary = block(&bytes, 0, 1, 32);
    assert_eq!((&primary[24..29], primary[55]), (&b"\x08NAME"[..], 5));
    assert_eq!(&primary[72..93], b"\x080123456789ABCDEFNAME");
    assert_eq!(primary[199], 21);
    assert_eq!(
        [56, 58, 60, 62].map(|at| u16_at(primary, at)),
        [Some(1), Some(1), Some(2), Some(2)]
    );
    assert_eq!(numbers(primary, [64, 68]), [1, 1]);
    assert_eq!(&primary[200..224], b"\0OSTA Compressed Unicode");
    assert_eq!(&primary[345..354], b"*isobuild");
    // 1/7.3: type 1, UTC, 2026-01-01 00:00:00.
    assert_eq!(primary[376..388], [0, 0x10, 0xea, 7, 1, 1, 0, 0, 0, 0, 0, 0]);
    // UDF 2.2.7.
    let use_volume = block(&bytes, 1, 4, 33);
    assert_eq!(&use_volume[21..33], b"*UDF LV Info");
    assert_eq!(use_volume[44..46], [2, 1]);
    assert_eq!((&use_volume[116..121], use_volume[243]), (&b"\x08NAME"[..], 5));
    // 3/10.5: from block 257 to block 1000.
    let partition = block(&bytes, 2, 5, 34);
    assert_eq!((u16_at(partition, 20), u16_at(partition, 22)), (Some(1), Some(0)));
    assert_eq!((partition[24], &partition[25..31]), (2, &b"+NSR02"[..]));
    assert_eq!(numbers(partition, [184, 188, 192]), [1, 257, 743]);
    // 3/10.6.
    let logical = block(&bytes, 3, 6, 35);
    assert_eq!((&logical[84..89], logical[211]), (&b"\x08NAME"[..], 5));
    assert_eq!(u32_at(logical, 212), Some(2048));
    assert_eq!(&logical[217..236], b"*OSTA UDF Compliant");
    assert_eq!(logical[240..243], [2, 1, 3]);
    assert_eq!(
        numbers(logical, [248, 252, 264, 268, 432, 436]),
        [4096, 0, 6, 1, 4096, 64]
    );
    assert_eq!(logical[440..446], [1, 6, 1, 0, 0, 0]);
}

#[test]
fn the_integrity_is_closed_and_the_file_set_leads_to_the_root() {
    let bytes = description("NAME").integrity().unwrap();
    // 3/10.10, UDF 2.2.6.
    let integrity = block(&bytes, 0, 9, 64);
    block(&bytes, 1, 8, 65);
    assert_eq!(u64_at(integrity, 40), Some(25));
    assert_eq!(
        numbers(integrity, [28, 72, 76, 80, 84, 120, 124]),
        [1, 1, 46, 0, 743, 7, 3]
    );
    assert_eq!([128, 130, 132].map(|at| u16_at(integrity, at)), [Some(0x102); 3]);
    let bytes = description("NAME").file_set().unwrap();
    // 4/14.1: places count in the partition.
    let set = block(&bytes, 0, 256, 0);
    block(&bytes, 1, 8, 1);
    assert_eq!((&set[112..117], set[239]), (&b"\x08NAME"[..], 5));
    assert_eq!((&set[304..309], set[335]), (&b"\x08NAME"[..], 5));
    assert_eq!(numbers(set, [400, 404]), [2048, 43]);
    assert_eq!(&set[417..436], b"*OSTA UDF Compliant");
}

#[test]
fn dates_are_moved_to_the_nearest_year_that_has_a_number() {
    let time = |seconds: i64| {
        let at = Timestamp::from_unix(seconds);
        let mut bytes = Vec::new();
        Fields::behind(&mut bytes).time(at);
        let bytes = &bytes[TAG..];
        let year = u16_at(bytes, 2).unwrap();
        (is_recordable(at), year, bytes[4..9].to_vec())
    };
    // From the first to the last second of the Gregorian years 1 to 9999.
    assert_eq!(time(-62_135_596_800), (true, 1, vec![1, 1, 0, 0, 0]));
    assert_eq!(time(-62_135_596_801), (false, 1, vec![1, 1, 0, 0, 0]));
    assert_eq!(time(253_402_300_799), (true, 9999, vec![12, 31, 23, 59, 59]));
    assert_eq!(time(i64::MAX), (false, 9999, vec![12, 31, 23, 59, 59]));
}

#[test]
fn a_file_entry_has_extents_of_less_than_a_gibibyte() {
    let entry = FileEntry {
        content: Content::File,
        // Two full extents, and one of 5 bytes.
        length: 2 * 0x3fff_f800 + 5,
        start: Some(400 * BLOCK),
        mode: 0o104_751,
        uid: 1000,
        gid: 100,
        links: 2,
        modified: Timestamp::from_unix(0),
        unique_id: 77,
    };
    let mut bytes = vec![0; 10];
    file_entry(&entry, 301 * BLOCK, &mut bytes).unwrap();
    // It goes behind what is there.
    let bytes = bytes.split_off(10);
    let read = block(&bytes, 0, FILE_ENTRY, 44);
    // 4/14.6: strategy 4, one entry, a regular file, set-user-id, contiguous, archive bit, short descriptors.
    assert_eq!((u16_at(read, 20), u16_at(read, 24), read[27]), (Some(4), Some(1), 5));
    assert_eq!(u16_at(read, 34), Some(0x40 | 0x200 | 0x30));
    assert_eq!(numbers(read, [36, 40]), [1000, 100]);
    // 4/14.9.5: 0o751 as five bits for the owner, the group and others.
    assert_eq!(u32_at(read, 44), Some(0b00111_00101_00001));
    assert_eq!(u16_at(read, 48), Some(2));
    assert_eq!(
        (u64_at(read, 56), u64_at(read, 64)),
        (Some(entry.length), Some(2 * 524_287 + 1))
    );
    assert_eq!(
        (u64_at(read, 160), u32_at(read, 168), u32_at(read, 172)),
        (Some(77), Some(0), Some(24))
    );
    let extents = [176, 180, 184, 188, 192, 196];
    assert_eq!(
        numbers(read, extents),
        [0x3fff_f800, 143, 0x3fff_f800, 143 + 524_287, 5, 143 + 2 * 524_287]
    );
    assert_eq!(u16_at(read, 10), Some(160 + 24));
}

#[test]
fn what_no_file_entry_records_is_refused() {
    // 234 descriptors behind the 176 bytes of a block of 2048.
    let longest = 234 * ((1 << 30) - 2048);
    assert_eq!(UnrecordableFile::refuse(65_535, longest), Ok(65_535));
    assert_eq!(
        UnrecordableFile::refuse(1, longest + 1),
        Err(UnrecordableFile::Length(longest + 1))
    );
    assert_eq!(
        UnrecordableFile::refuse(65_536, 0),
        Err(UnrecordableFile::Links(65_536))
    );
    let mut bytes = Vec::new();
    let entry = FileEntry {
        content: Content::File,
        length: longest,
        start: Some(400 * BLOCK),
        mode: 0,
        uid: 0,
        gid: 0,
        links: 1,
        modified: Timestamp::default(),
        unique_id: 1,
    };
    file_entry(&entry, 301 * BLOCK, &mut bytes).unwrap();
    assert_eq!(bytes.len(), BLOCK_LENGTH);
    // Blocks before the partition, and bytes at which no block begins.
    for offset in [256 * BLOCK, 300 * BLOCK + 1] {
        assert!(file_entry(&entry, offset, &mut bytes).is_err());
    }
}

#[test]
fn names_cross_blocks_and_know_where_they_begin() {
    let mut directory = Directory::new(500 * BLOCK, 0).unwrap();
    directory.parent(300 * BLOCK, 0).unwrap();
    let long = "n".repeat(200);
    for number in 0..20 {
        directory
            .name(Name {
                name: &long,
                is_directory: number % 2 == 1,
                entry: (310 + number) * BLOCK,
                unique_id: 16 + number as u32,
            })
            .unwrap();
    }
    directory
        .name(Name {
            name: "é€",
            is_directory: false,
            entry: 400 * BLOCK,
            unique_id: 99,
        })
        .unwrap();
    let bytes = directory.finish();
    // 4/14.4: 38 bytes and the name, up to a multiple of 4.
    assert_eq!((name_length(""), name_length(&long), name_length("é€")), (40, 240, 44));
    assert_eq!(bytes.len(), 40 + 20 * 240 + 44);
    let read = |at: usize, length: usize| {
        let name = &bytes[at..at + length];
        let tag = Tag::parse(name).unwrap();
        assert!(tag.crc && tag.identifier == FILE_IDENTIFIER);
        assert_eq!(u32::from(u16_at(name, 10).unwrap()), length as u32 - 16);
        // Its block in the partition, 257 before that of the image.
        assert_eq!(tag.location, 243 + (at / BLOCK_LENGTH) as u32);
        (name[18], name[19], numbers(name, [20, 24, 32]), &name[38..])
    };
    assert_eq!(read(0, 40), (0x0a, 0, [2048, 43, 0], &[0, 0][..]));
    assert_eq!(read(40, 240).0, 0);
    let (characteristics, length, numbers, name) = read(280, 240);
    assert_eq!((characteristics, length, numbers), (2, 201, [2048, 54, 17]));
    assert_eq!((name[0], &name[1..201], &name[201..]), (8, long.as_bytes(), &[0][..]));
    for number in 2..20 {
        read(40 + number * 240, 240);
    }
    assert_eq!(read(4840, 44).3, [16, 0, 0xe9, 0x20, 0xac, 0]);
}

#[test]
fn names_that_windows_does_not_show_are_mapped() {
    let latin = "ü".repeat(260);
    let wide = format!("{}.txt", "文".repeat(130));
    let names: [&[u8]; 16] = [
        b"plain.txt",
        b"a;b",
        "grün €".as_bytes(),
        b"a:b",
        b"a<b",
        b"a_b",
        b"tab\there",
        b"dot.",
        b"space ",
        b"...",
        "\u{1f600}".as_bytes(),
        b"\xff",
        latin.as_bytes(),
        wide.as_bytes(),
        &[b'x'; 254],
        &[b'x'; 255],
    ];
    let latin = "ü".repeat(254);
    let wide = format!("{}.txt", "文".repeat(123));
    let cut = format!("{}_1", "x".repeat(252));
    let expected = [
        (3, "a_b_1"),
        (4, "a_b_2"),
        (6, "tab_here"),
        (7, "dot_"),
        (8, "space_"),
        (9, "___"),
        (10, "_"),
        (11, "__1"),
        (12, &latin),
        (13, &wide),
        (15, &cut),
    ];
    let expected: Vec<_> = expected.map(|(number, name)| (number, name.to_owned())).to_vec();
    assert_eq!(assign(&names), expected);
}

#[test]
fn a_label_is_cut_where_its_field_ends() {
    let whole = "L".repeat(32);
    assert_eq!(VolumeDescription::short_label(&whole), "L".repeat(30));
    assert_eq!(
        VolumeDescription::short_label("ä文".repeat(8).as_str()),
        "ä文".repeat(7) + "ä"
    );
    let bytes = description(&whole).sequence(32 * BLOCK).unwrap();
    assert_eq!((bytes[24], bytes[54], bytes[55]), (8, b'L', 31));
    // The logical volume has it whole.
    assert_eq!(bytes[3 * BLOCK_LENGTH + 211], 33);
}
