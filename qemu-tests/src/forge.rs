//! EFI programs with signatures that somebody has tampered with, by the bytes of the Microsoft PE Format.

/// WIN_CERT_TYPE_PKCS_SIGNED_DATA.
pub const PKCS_SIGNED_DATA: u16 = 2;
/// WIN_CERT_TYPE_EFI_GUID.
pub const EFI_GUID: u16 = 0x0EF1;
/// EFI_CERT_TYPE_PKCS7_GUID as it stands in a file.
pub const PKCS7_GUID: [u8; 16] = *b"\x9D\xD2\xAF\x4A\xDF\x68\xEE\x49\x8A\xA9\x34\x7D\x37\x56\x65\xA7";

fn word(program: &[u8], at: usize) -> usize {
    u32::from_le_bytes(program[at..at + 4].try_into().expect("four bytes")) as usize
}

/// Where the headers of a program for 64 bits have the place and size of its certificate table.
fn directory(program: &[u8]) -> usize {
    word(program, 0x3C) + 24 + 112 + 32
}

/// The certificates in a program's table, without their headers.
pub fn signatures(program: &[u8]) -> Vec<Vec<u8>> {
    let at = directory(program);
    let (offset, size) = (word(program, at), word(program, at + 4));
    let mut table = &program[offset..offset + size];
    let mut found = Vec::new();
    while table.len() > 8 {
        let length = word(table, 0);
        found.push(table[8..length].to_vec());
        table = &table[length.next_multiple_of(8).min(table.len())..];
    }
    found
}

/// The program without its table.
pub fn unsigned(program: &[u8]) -> Vec<u8> {
    let at = directory(program);
    let mut program = match word(program, at) {
        0 => program.to_vec(),
        offset => program[..offset].to_vec(),
    };
    program[at..at + 8].fill(0);
    program
}

/// The program with a table of these entries in place of its own: type and certificate.
pub fn with_table(program: &[u8], entries: &[(u16, &[u8])]) -> Vec<u8> {
    let mut program = unsigned(program);
    program.resize(program.len().next_multiple_of(8), 0);
    let mut table = Vec::new();
    for (kind, certificate) in entries {
        table.extend_from_slice(&(certificate.len() as u32 + 8).to_le_bytes());
        table.extend_from_slice(&0x0200_u16.to_le_bytes());
        table.extend_from_slice(&kind.to_le_bytes());
        table.extend_from_slice(certificate);
        table.resize(table.len().next_multiple_of(8), 0);
    }
    let at = directory(&program);
    let offset = program.len() as u32;
    program[at..at + 4].copy_from_slice(&offset.to_le_bytes());
    program[at + 4..at + 8].copy_from_slice(&(table.len() as u32).to_le_bytes());
    program.extend_from_slice(&table);
    program
}

/// A certificate that is nothing but the common name of Microsoft's authority (X.520, 2.5.4.3).
pub fn name_alone() -> Vec<u8> {
    let name = b"Microsoft Corporation UEFI CA 2011";
    [b"\x06\x03\x55\x04\x03\x0C", &[name.len() as u8][..], name].concat()
}

/// The program with one byte changed in the text for DOS, which no UEFI reads.
pub fn changed(program: &[u8]) -> Vec<u8> {
    let mut program = program.to_vec();
    program[0x60] ^= 1;
    program
}

/// The program with another text of the same length in place of the only one like it.
pub fn with_text(program: &[u8], old: &str, new: &str) -> Result<Vec<u8>, String> {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let mut places = program
        .windows(old.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == old);
    let (Some((at, _)), None) = (places.next(), places.next()) else {
        return Err(format!("{old:?} is not there once"));
    };
    let mut program = program.to_vec();
    program[at..at + new.len()].copy_from_slice(new);
    Ok(program)
}
