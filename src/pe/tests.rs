//! A program built by hand, its fields one after the other made hostile.

use proptest::prelude::*;

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

/// An attribute of a distinguished name.
fn common_name(tag: u8, value: &[u8]) -> Vec<u8> {
    [
        b"\x30\x11\x06\x03\x55\x04\x03".as_slice(),
        &[tag, value.len() as u8],
        value,
    ]
    .concat()
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
        let pe = read(&program(magic, code, b".text\0\0\0", &[])).unwrap();
        let unsigned = Pe {
            machine,
            subsystem: 10,
            signed: false,
            signers: vec![],
            sbat: false,
            initrd: false,
            compatible: vec![],
        };
        assert_eq!(pe, unsigned);
    }
    assert!(read(&program(0x20B, 0x8664, b".sbat\0\0\0", &[])).unwrap().sbat);
    assert!(!read(&program(0x20B, 0x8664, b".sbatlev", &[])).unwrap().sbat);
    assert!(read(&program(0x20B, 0x8664, b".initrd\0", &[])).unwrap().initrd);
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

#[test]
fn signers_are_the_common_names_of_every_signature() {
    let utf16: Vec<u8> = "Ä".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let first = [
        common_name(0x0C, b"Vendor"),
        common_name(0x13, b"Vendor CA"),
        vec![0xFF; 3],
    ];
    let second = [
        common_name(0x13, b"Vendor"),
        common_name(0x1E, &utf16),
        common_name(2, b"no text"),
    ];
    let table = [
        certificate(2, &first.concat()),
        certificate(0x0EF1, &common_name(0x0C, b"not PKCS #7")),
        certificate(2, &second.concat()),
    ];
    for magic in [0x10B, 0x20B] {
        let pe = read(&program(magic, 0x8664, b".text\0\0\0", &table.concat())).unwrap();
        assert_eq!(
            (pe.signed, pe.signers),
            (true, ["Vendor", "Vendor CA", "Ä"].map(String::from).into())
        );
    }
    let pe = read(&program(0x20B, 0x8664, b".text\0\0\0", &table[1])).unwrap();
    assert!(!pe.signed && pe.signers.is_empty());
}

#[test]
fn certificate_tables_that_lie_are_cut() {
    let whole = certificate(2, &common_name(0x0C, b"Vendor"));
    for length in [0_u32, 7, 8, 4096, u32::MAX] {
        let mut table = whole.clone();
        table[..4].copy_from_slice(&length.to_le_bytes());
        assert!(
            !read(&program(0x20B, 0x8664, b".text\0\0\0", &table)).unwrap().signed,
            "{length}"
        );
    }
    let mut file = program(0x20B, 0x8664, b".text\0\0\0", &whole);
    let entry = 0x98 + 112 + 32;
    file[entry + 4..entry + 8].fill(0xFF);
    assert!(
        read(&file).unwrap().signed,
        "a size past the end of the file ends there"
    );
    file[entry..entry + 4].fill(0xFF);
    assert!(!read(&file).unwrap().signed);
    // Three directories only, or an optional header that ends in front of the fifth.
    let mut few = program(0x20B, 0x8664, b".text\0\0\0", &whole);
    few[0x98 + 108] = 3;
    assert!(!read(&few).unwrap().signed);
    let mut short = program(0x20B, 0x8664, b".text\0\0\0", &whole);
    short[0x94] = 112;
    assert!(!read(&short).unwrap().signed);
}

#[test]
fn a_table_of_any_size_is_read_up_to_a_limit() {
    let names: Vec<Vec<u8>> = (0..200)
        .map(|n| common_name(0x0C, format!("signer {n}").as_bytes()))
        .collect();
    let mut table = certificate(2, &names.concat());
    assert_eq!(
        read(&program(0x20B, 0x8664, b".text\0\0\0", &table))
            .unwrap()
            .signers
            .len(),
        64
    );
    table.resize(2 << 20, 0);
    table.extend(certificate(2, &common_name(0x0C, b"past the limit")));
    assert_eq!(
        read(&program(0x20B, 0x8664, b".text\0\0\0", &table))
            .unwrap()
            .signers
            .len(),
        64
    );
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
        edits in proptest::collection::vec((0_usize..1100, any::<u8>()), 0..16),
        length in 0_usize..1100,
    ) {
        let table = certificate(2, &common_name(0x0C, b"Vendor").repeat(8));
        let mut file = program(0x20B, 0x8664, b".sbat\0\0\0", &table);
        edits.into_iter().for_each(|(at, byte)| file[at] = byte);
        if let Some(pe) = read(&file) {
            prop_assert!(pe.signers.len() <= 64 && (pe.signed || pe.signers.is_empty()));
        }
        file.truncate(length);
        // The last field every program has: the number of data directories.
        prop_assert!(read(&file).is_none() || length >= 0x98 + 96);
    }
}
