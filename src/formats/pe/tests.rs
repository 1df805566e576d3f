//! A program built by hand, its fields one after the other made hostile.

use proptest::prelude::*;

use super::certificates::{CertificateTable, TableFault};
use super::*;

/// A PE32+ or PE32 image with one section and, if asked for, a certificate table at byte 1024.
pub(crate) fn program(magic: u16, machine: u16, section: &[u8; 8], certificates: &[u8]) -> Vec<u8> {
    let directories = if magic == 0x20B { 112 } else { 96 };
    let optional_size = directories + 16 * 8;
    let mut file = vec![0; 1024];
    file[..2].copy_from_slice(b"MZ");
    file[0x3C] = 0x80;
    file[0x80..0x84].copy_from_slice(b"PE\0\0");
    file[0x84..0x86].copy_from_slice(&machine.to_le_bytes());
    file[0x86] = 1;
    file[0x94..0x96].copy_from_slice(&(optional_size as u16).to_le_bytes());
    let optional = 0x98;
    file[optional..optional + 2].copy_from_slice(&magic.to_le_bytes());
    file[optional + 68] = 10;
    file[optional + directories - 4] = 16;
    if !certificates.is_empty() {
        let entry = optional + directories + 32;
        file[entry..entry + 4].copy_from_slice(&1024_u32.to_le_bytes());
        file[entry + 4..entry + 8].copy_from_slice(&(certificates.len() as u32).to_le_bytes());
    }
    file[optional + optional_size..][..8].copy_from_slice(section);
    file.extend_from_slice(certificates);
    file
}

/// A program for x64 with these sections, whose names are in the string table if they are longer than 8 bytes.
pub(crate) fn program_of(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = program(0x20B, 0x8664, &[0; 8], &[]);
    let (optional, table) = (0x98, 0x98 + 112 + 16 * 8);
    file[0x86] = sections.len() as u8;
    file[optional + 60..optional + 64].copy_from_slice(&1024_u32.to_le_bytes());
    let mut strings = vec![0; 4];
    for (number, (name, bytes)) in sections.iter().enumerate() {
        let mut header = [0; 40];
        if name.len() > 8 {
            let at = format!("/{}", strings.len());
            header[..at.len()].copy_from_slice(at.as_bytes());
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
        } else {
            header[..name.len()].copy_from_slice(name.as_bytes());
        }
        let stored = bytes.len().next_multiple_of(16);
        for (field, value) in [(8, bytes.len()), (16, stored), (20, file.len())] {
            header[field..field + 4].copy_from_slice(&(value as u32).to_le_bytes());
        }
        file[table + 40 * number..][..40].copy_from_slice(&header);
        file.extend_from_slice(bytes);
        file.resize(file.len() + stored - bytes.len(), 0);
    }
    let symbols = file.len() as u32;
    file[0x84 + 8..0x84 + 12].copy_from_slice(&symbols.to_le_bytes());
    file.extend_from_slice(&strings);
    file
}

/// One entry of the certificate table, padded to 8 bytes.
fn certificate(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = (data.len() + 8) as u32;
    let mut entry = [length.to_le_bytes(), [0, 2, kind as u8, (kind >> 8) as u8]].concat();
    entry.extend_from_slice(data);
    entry.resize(entry.len().next_multiple_of(8), 0);
    entry
}

#[test]
fn headers_say_what_firmware_can_start_it() {
    for (magic, code, machine) in [
        (0x20B, 0x8664, Machine::X64),
        (0x10B, 0x014C, Machine::Ia32),
        (0x20B, 0xAA64, Machine::Aa64),
        (0x10B, 0x01C2, Machine::Arm),
        (0x20B, 0x5064, Machine::RiscV64),
        (0x20B, 0x6264, Machine::LoongArch64),
        (0x20B, 0x9041, Machine::Other(0x9041)),
    ] {
        let file = program(magic, code, b".text\0\0\0", &[]);
        let pe = read(&file).unwrap();
        assert_eq!((pe.machine, pe.subsystem, pe.compatible.len()), (machine, 10, 0));
        assert_eq!(pe.sections.len(), 1);
        assert_eq!(pe.certificate_table(&file), CertificateTable::default());
    }
    let has = |section, name| {
        read(&program(0x20B, 0x8664, section, &[]))
            .unwrap()
            .section(name)
            .is_some()
    };
    assert!(has(b".sbat\0\0\0", ".sbat"));
    assert!(!has(b".sbatlev", ".sbat"));
    assert!(has(b".sbatlev", ".sbatlev"));
}

/// "Section Table", Name: GNU's linker writes names of more than 8 bytes into the string table behind the symbols.
#[test]
fn long_names_of_sections_are_in_the_string_table() {
    let name = |short: &[u8; 8], strings: &[u8]| {
        let mut file = program(0x20B, 0x8664, short, &[]);
        // Two symbols of 18 bytes in front of the strings, which begin with their length.
        file[0x84 + 8..0x84 + 12].copy_from_slice(&1024_u32.to_le_bytes());
        file[0x84 + 12] = 2;
        file.extend_from_slice(&[0; 36]);
        file.extend_from_slice(strings);
        read(&file).unwrap().sections[0].name.clone()
    };
    assert_eq!(name(b"/4\0\0\0\0\0\0", b"\x11\0\0\0.vendor_cert\0"), ".vendor_cert");
    assert_eq!(name(b"/5\0\0\0\0\0\0", b"\x11\0\0\0.vendor_cert\0"), "vendor_cert");
    for outside in [b"/9999999", b"/x\0\0\0\0\0\0", b"/-4\0\0\0\0\0"] {
        let short = std::str::from_utf8(outside).unwrap().trim_end_matches('\0');
        assert_eq!(name(outside, b"\x11\0\0\0.vendor_cert\0"), short);
    }
}

#[test]
fn a_64_bit_kernel_says_that_32_bit_firmware_can_start_it() {
    let with = |entries: &[u8], stored: u32| {
        let mut file = program(0x20B, 0x8664, b".compat\0", &[]);
        let header = 0x98 + 112 + 16 * 8;
        file[header + 8..header + 12].copy_from_slice(&(entries.len() as u32).to_le_bytes());
        file[header + 16..header + 20].copy_from_slice(&stored.to_le_bytes());
        file[header + 20..header + 24].copy_from_slice(&1024_u32.to_le_bytes());
        file.extend_from_slice(entries);
        read(&file).unwrap().compatible
    };
    let linux = [1, 8, 0x4C, 1, 0x90, 3, 0, 0, 0, 0];
    assert_eq!(with(&linux, 512), [Machine::Ia32]);
    assert_eq!(with(&[&[7, 3, 0][..], &linux].concat(), 512), [Machine::Ia32]);
    for broken in [
        &[][..],
        &[1],
        &[1, 8],
        &[1, 8, 0x4C],
        &[1, 4, 0x4C, 1],
        &[1, 0, 0x4C, 1, 0, 0, 0, 0],
    ] {
        assert_eq!(with(broken, 512), [], "{broken:?}");
    }
    assert_eq!(with(&linux, 1), [], "what is not in the file");
    assert_eq!(with(&linux, u32::MAX), [Machine::Ia32]);
}

/// The table of a program with these bytes as its table.
fn table_of(table: &[u8]) -> CertificateTable {
    let file = program(0x20B, 0x8664, b".text\0\0\0", table);
    read(&file).unwrap().certificate_table(&file)
}

/// UEFI 32.2.4: the GUID of PKCS #7 as it stands in a file.
const PKCS7_GUID: &[u8; 16] = b"\x9D\xD2\xAF\x4A\xDF\x68\xEE\x49\x8A\xA9\x34\x7D\x37\x56\x65\xA7";

#[test]
fn signatures_are_of_two_types() {
    let table = [
        certificate(2, b"first"),
        certificate(0x0EF1, &[PKCS7_GUID, b"second".as_slice()].concat()),
        certificate(0x0EF1, &[&[0; 16], b"another GUID".as_slice()].concat()),
        certificate(1, b"X.509"),
    ];
    let entries = vec![
        AttributeCertificate::Pkcs7(b"first".to_vec()),
        AttributeCertificate::Pkcs7(b"second".to_vec()),
        AttributeCertificate::Other(0x0EF1),
        AttributeCertificate::Other(1),
    ];
    let found = table_of(&table.concat());
    assert_eq!((found.entries, found.fault), (entries, None));
}

/// EDK2 walks from entry to entry, and takes none if it does not come to the table's end.
#[test]
fn a_table_that_does_not_end_where_it_says_counts_for_nothing() {
    let whole = certificate(2, b"signature");
    assert_eq!(table_of(&whole).fault, None);
    for length in [0_u32, 7, 8, 4096, u32::MAX] {
        let mut table = whole.clone();
        table[..4].copy_from_slice(&length.to_le_bytes());
        assert_eq!(table_of(&table).fault, Some(TableFault::Length), "{length}");
    }
    let padded = [whole.as_slice(), &[0; 8]].concat();
    assert_eq!(table_of(&padded).fault, Some(TableFault::Length));
    assert_eq!(
        table_of(&whole[..17]).fault,
        Some(TableFault::Length),
        "without its padding"
    );
    let mut file = program(0x20B, 0x8664, b".text\0\0\0", &whole);
    let entry = 0x98 + 112 + 32;
    file[entry] += 1;
    let outside = read(&file).unwrap().certificate_table(&file);
    assert_eq!((outside.entries.len(), outside.fault), (0, Some(TableFault::Outside)));
    // Three directories only, or an optional header that ends in front of the fifth.
    let mut few = program(0x20B, 0x8664, b".text\0\0\0", &whole);
    few[0x98 + 108] = 3;
    let mut short = program(0x20B, 0x8664, b".text\0\0\0", &whole);
    short[0x94] = 112;
    for file in [few, short] {
        let none = read(&file).unwrap().certificate_table(&file);
        assert_eq!(none, CertificateTable::default());
    }
}

#[test]
fn a_table_past_the_limit_is_not_read() {
    assert_eq!(table_of(&certificate(2, b"x").repeat(16)).fault, None);
    let many = table_of(&certificate(2, b"x").repeat(17));
    assert_eq!((many.entries.len(), many.fault), (16, Some(TableFault::TooLong)));
    let long = table_of(&certificate(2, &vec![0; 1 << 20]));
    assert_eq!((long.entries.len(), long.fault), (0, Some(TableFault::TooLong)));
}

/// "Calculating the PE Image Hash", by hand for a program of two sections in the wrong order, with bytes between and behind them.
#[test]
fn a_signature_covers_all_but_three_fields() {
    let mut file = program(0x20B, 0x8664, b".text\0\0\0", &certificate(2, b"signature"));
    let (optional, sections) = (0x98, 0x98 + 112 + 16 * 8);
    file[0x86] = 2;
    file[optional + 60..optional + 64].copy_from_slice(&512_u32.to_le_bytes());
    let mut place = |section: usize, offset: u32, stored: u32| {
        let header = sections + 40 * section;
        file[header + 16..header + 20].copy_from_slice(&stored.to_le_bytes());
        file[header + 20..header + 24].copy_from_slice(&offset.to_le_bytes());
    };
    place(0, 640, 64);
    place(1, 512, 100);
    for (at, byte) in file.iter_mut().enumerate().skip(512) {
        *byte = at as u8;
    }
    let covered = |file: &Vec<u8>| {
        let mut covered = Vec::new();
        let result = read(file)
            .unwrap()
            .covered_bytes(file, |bytes| covered.extend_from_slice(bytes));
        result.map(|()| covered)
    };
    let entry = optional + 112 + 32;
    // 512 bytes of headers and 164 of sections are 676: there the rest begins, wherever the sections are.
    let wanted = [
        &file[..optional + 64],
        &file[optional + 68..entry],
        &file[entry + 8..512],
        &file[512..612],
        &file[640..704],
        &file[676..1024],
    ];
    assert_eq!(covered(&file).unwrap(), wanted.concat());
    // A section that ends behind the file, or sections and certificates that together are longer.
    for stored in [413_u32, 2000, u32::MAX] {
        let mut long = file.clone();
        long[sections + 16..sections + 20].copy_from_slice(&stored.to_le_bytes());
        assert!(matches!(covered(&long), Err(CoverFault::Layout)), "{stored}");
    }
    let mut headers = file.clone();
    headers[optional + 60..optional + 64].copy_from_slice(&(entry as u32 + 7).to_le_bytes());
    assert!(matches!(covered(&headers), Err(CoverFault::Layout)));
}

#[test]
fn other_files_are_no_programs() {
    let file = program(0x20B, 0x8664, b".text\0\0\0", &[]);
    for (at, byte) in [(0, b'm'), (0x80, b'p'), (0x3C, 0x7F), (0x3F, 0xFF), (0x98, 0x07)] {
        let mut other = file.clone();
        other[at] = byte;
        assert_eq!(read(&other), None, "byte {at}");
    }
    assert_eq!(read(&Vec::new()), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        edits in proptest::collection::vec((0_usize..1096, any::<u8>()), 0..16),
        length in 0_usize..1100,
    ) {
        let table = certificate(2, b"signature").repeat(3);
        let mut file = program(0x20B, 0x8664, b".sbat\0\0\0", &table);
        edits.into_iter().for_each(|(at, byte)| file[at] = byte);
        if let Some(pe) = read(&file) {
            prop_assert!(pe.certificate_table(&file).entries.len() <= 16);
            let mut covered = 0;
            let result = pe.covered_bytes(&file, |bytes| covered += bytes.len());
            prop_assert!(result.is_err() || covered <= file.len());
        }
        file.truncate(length);
        // The last field every program has: the number of data directories.
        prop_assert!(read(&file).is_none() || length >= 0x98 + 96);
    }
}
