//! Entries of a cpio in its forms.

use super::*;

/// One entry of a cpio: header, name and content, padded. `serial` is the inode and how many names it has.
pub(super) fn cpio(magic: &str, name: &str, mode: u32, serial: (u32, u32), bytes: &[u8]) -> Vec<u8> {
    let (inode, links) = serial;
    let (length, named) = (bytes.len(), name.len() + 1);
    let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
    // GNU cpio leaves the sum of a link 0, though that has a content.
    let is_file = mode & 0o170_000 == 0o100_000;
    let sum = if magic == "070702" && is_file { sum } else { 0 };
    let mut entry = match magic {
        "070707" => format!(
            "{magic}{:06o}{inode:06o}{mode:06o}{:06o}{:06o}{links:06o}{:06o}{:011o}{named:06o}{length:011o}",
            3,
            7,
            8,
            0x0801,
            9
        ),
        _ => format!(
            "{magic}{inode:08x}{mode:08x}{:08x}{:08x}{links:08x}{:08x}{length:08x}{:08x}{:08x}{:08x}{:08x}{named:08x}{sum:08x}",
            7, 8, 9, 3, 1, 8, 1
        ),
    }
    .into_bytes();
    let align = if magic == "070707" { 1 } else { 4 };
    entry.extend(name.bytes());
    entry.push(0);
    entry.resize(entry.len().next_multiple_of(align), 0);
    entry.extend_from_slice(bytes);
    entry.resize(entry.len().next_multiple_of(align), 0);
    entry
}

pub(super) fn cpio_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let magic = entries[0][..6].to_vec();
    let end = cpio(str::from_utf8(&magic).unwrap(), "TRAILER!!!", 0, (0, 1), b"");
    [entries.concat(), end].concat()
}

#[test]
fn every_kind_of_entry_of_a_cpio() {
    for magic in ["070701", "070702", "070707"] {
        let archive = cpio_of(&[
            cpio(magic, ".", 0o040_755, (1, 2), b""),
            cpio(magic, "early", 0o100_600, (5, 3), b""),
            cpio(magic, "bin/one", 0o100_755, (2, 1), b"first"),
            cpio(magic, "with", 0o100_600, (5, 3), b"content"),
            cpio(magic, "late", 0o100_600, (5, 3), b""),
            cpio(magic, "link", 0o120_777, (3, 1), b"bin/one"),
            cpio(magic, "device", 0o060_640, (4, 1), b""),
            cpio(magic, "fifo", 0o010_640, (6, 1), b""),
        ]);
        let expected = [
            " 755 7:8 9 directory",
            "early 600 7:8 9 file content",
            "bin/one 755 7:8 9 file first",
            "with 600 7:8 9 file content",
            "late 600 7:8 9 same with",
            "link 777 7:8 9 link bin/one",
            "device 640 7:8 9 device true 8 1",
            "fifo 640 7:8 9 special",
        ];
        assert_eq!(listed(&archive).unwrap(), expected, "{magic}");
        // A second one behind padding, as the kernel reads them.
        let more = [
            &archive[..],
            &[0; 512],
            &cpio_of(&[cpio(magic, "x", 0o100_644, (1, 1), b"y")]),
        ]
        .concat();
        let entries = listed(&more).unwrap();
        assert_eq!(entries.last().unwrap(), "x 644 7:8 9 file y", "{magic}");
        assert!(refusal(&[&archive[..], b"\0\0\0\0garbage"].concat()).contains("behind its end"));
        for length in (6..archive.len()).step_by(5) {
            listed(&archive[..length]).expect_err("it is cut short");
        }
    }
    let mut wrong = cpio_of(&[cpio("070702", "a", 0o100_644, (1, 1), b"text")]);
    wrong[112] ^= 1;
    assert!(refusal(&wrong).contains("the sum of"));
}

/// The old binary form, as GNU cpio and 7th Edition Unix write it: words of 16 bits, the more significant one of two first.
fn binary(big: bool, name: &str, mode: u16, links: u16, bytes: &[u8]) -> Vec<u8> {
    let (named, length) = (name.len() as u16 + 1, bytes.len() as u32);
    let long = |value: u32| [(value >> 16) as u16, value as u16];
    let words = [
        &[0o070_707, 3, 2, mode, 7, 8, links, 0x0801][..],
        &long(1_000_000_000),
        &[named],
        &long(length),
    ]
    .concat();
    let word = |word: u16| if big { word.to_be_bytes() } else { word.to_le_bytes() };
    let mut entry: Vec<u8> = words.into_iter().flat_map(word).collect();
    assert_eq!(entry.len(), 26);
    for part in [name.as_bytes(), b"\0"] {
        entry.extend(part);
    }
    entry.resize(entry.len().next_multiple_of(2), 0);
    entry.extend(bytes);
    entry.resize(entry.len().next_multiple_of(2), 0);
    entry
}

#[test]
fn the_old_binary_form_is_read_in_both_byte_orders() {
    for big in [false, true] {
        let long = [b'x'; 70_001];
        let archive = [
            binary(big, "bin", 0o040_755, 2, b""),
            binary(big, "bin/a", 0o100_644, 1, b"odd"),
            binary(big, "b", 0o100_644, 1, &long),
            binary(big, "link", 0o120_777, 1, b"bin/a"),
            binary(big, "d", 0o060_640, 1, b""),
            binary(big, "TRAILER!!!", 0, 1, b""),
            vec![0; 100],
        ]
        .concat();
        assert_eq!(
            listed(&archive).unwrap(),
            [
                "bin 755 7:8 1000000000 directory",
                "bin/a 644 7:8 1000000000 file odd",
                "b 644 7:8 1000000000 file of 70001 bytes",
                "link 777 7:8 1000000000 link bin/a",
                "d 640 7:8 1000000000 device true 8 1",
            ]
        );
    }
}

#[test]
fn a_link_to_a_name_with_nul_is_refused() {
    let archive = cpio_of(&[cpio("070701", "link", 0o120_777, (1, 1), b"a\0b")]);
    assert!(refusal(&archive).contains("NUL"));
    let archive = cpio_of(&[cpio("070701", "a\0b", 0o100_644, (1, 1), b"")]);
    assert!(refusal(&archive).contains("NUL"));
}
