//! "Section Table": the parts of a program, by name.

use crate::ground::read_at::ReadAt;

use super::{bytes, u16_at, u32_at};

/// "Section Table": bytes of a section header.
pub(super) const SECTION_HEADER: u64 = 40;
/// "COFF Symbol Table": bytes of a symbol. The string table is behind the symbols.
const SYMBOL: u64 = 18;
/// The longest name in the string table that is read, in bytes. GNU's longest are some 30.
const MAX_NAME: u64 = 64;

/// A part of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Without its padding; lossy where it is not UTF-8.
    pub name: String,
    /// PointerToRawData: where it is in the file.
    pub offset: u64,
    /// How many bytes of the file a program sees in memory: the less of VirtualSize and SizeOfRawData.
    pub length: u64,
    /// SizeOfRawData: how many bytes of the file it takes.
    pub stored: u64,
}

/// The sections of a file whose COFF header is at `coff` and whose section table is at `table`. `None` if the table is cut. Their
/// number has 16 bits.
pub(super) fn read(file: &dyn ReadAt, coff: u64, table: u64) -> Option<Vec<Section>> {
    let count = u16_at(file, coff + 2)?;
    // Both are 0 in images that Microsoft's tools make; GNU's keep the string table for names of more than 8 bytes.
    let (symbols, number) = (u32_at(file, coff + 8)?, u32_at(file, coff + 12)?);
    let strings = u64::from(symbols) + u64::from(number) * SYMBOL;
    let headers = (0..u64::from(count)).map(|index| table + index * SECTION_HEADER);
    headers.map(|header| section(file, header, strings)).collect()
}

fn section(file: &dyn ReadAt, header: u64, strings: u64) -> Option<Section> {
    let short: [u8; 8] = bytes(file, header)?;
    let stored = u64::from(u32_at(file, header + 16)?);
    let name = until_zero(&short);
    Some(Section {
        name: long_name(file, name, strings).unwrap_or_else(|| String::from_utf8_lossy(name).into_owned()),
        offset: u32_at(file, header + 20)?.into(),
        length: stored.min(u32_at(file, header + 8)?.into()),
        stored,
    })
}

/// "Section Table", Name: a slash and a decimal offset into the string table.
fn long_name(file: &dyn ReadAt, short: &[u8], strings: u64) -> Option<String> {
    let offset: u64 = str::from_utf8(short.strip_prefix(b"/")?).ok()?.parse().ok()?;
    let start = strings.checked_add(offset)?;
    let length = file.size().checked_sub(start)?.min(MAX_NAME);
    let name = file.read_vec_at(start, length).ok()?;
    String::from_utf8(until_zero(&name).to_vec()).ok()
}

fn until_zero(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap_or_default()
}
