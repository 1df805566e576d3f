//! Reads the disk in an existing sparse file.

use std::io::{self, Read as _};

use flate2::bufread::ZlibDecoder;

use super::{AT_END, MAGIC, SECTOR};
use crate::ground::disk::{self, DiskError, Layout, Place, wrong};
use crate::ground::fields::{le_u16, le_u32, le_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};
use crate::ground::text::visible;

/// Flags: an entry of 1 is a grain of zeros; grains are compressed; there are markers.
const ZERO_ENTRIES: u32 = 1 << 2;
const COMPRESSED: u32 = 1 << 16;
const MARKERS: u32 = 1 << 17;

/// The sectors of a grain that are read. A reader decompresses a whole grain for one byte of it.
const GRAINS: std::ops::RangeInclusive<u64> = 1..=8192;
/// The most entries of a grain table that are read. VMware makes 512.
const MOST_ENTRIES: u32 = 1 << 16;
/// So many bytes of a descriptor are read.
const DESCRIPTOR: u64 = 64 << 10;

/// Where the grains are.
struct Grains {
    /// The length of a grain in bytes.
    length: u64,
    /// Entries of a grain table.
    entries: u64,
    /// The offset of the grain directory.
    directory: u64,
    flags: u32,
}

/// Opens the disk in a file.
///
/// # Errors
/// The file is damaged, or its bytes are in other files, or it is a layer over another file.
pub fn open(file: Shared) -> Result<Shared, DiskError> {
    let start = file.read_vec_at(0, file.size().min(SECTOR))?;
    if !start.starts_with(MAGIC) {
        let text = file.read_vec_at(0, file.size().min(DESCRIPTOR))?;
        return Err(DiskError::refused(match start.starts_with(b"COWD") {
            true => "it is a VMDK of ESX that grows, which is not read".into(),
            false => elsewhere(&text),
        }));
    }
    let mut header = start;
    if le_u64(&header, 56) == AT_END {
        let at = file.size().saturating_sub(2 * SECTOR);
        header = file.read_vec_at(at, SECTOR).unwrap_or_default();
        if !header.starts_with(MAGIC) {
            return Err(DiskError::refused("its VMDK is cut short: its footer is missing"));
        }
    }
    let (version, flags) = (le_u32(&header, 4), le_u32(&header, 8));
    if !(1..=3).contains(&version) {
        return Err(DiskError::refused(format!(
            "it is a VMDK of version {version}; versions 1 to 3 are read"
        )));
    }
    if flags & COMPRESSED != 0 && (flags & MARKERS == 0 || le_u16(&header, 77) != 1) {
        return Err(DiskError::refused("its VMDK is compressed in a way that is not known"));
    }
    let (capacity, grain) = (le_u64(&header, 12), le_u64(&header, 20));
    let (entries, directory) = (le_u32(&header, 44), le_u64(&header, 56));
    if !grain.is_power_of_two() || !GRAINS.contains(&grain) || entries == 0 || entries > MOST_ENTRIES {
        return Err(DiskError::refused(format!(
            "its VMDK has grains of {grain} sectors, {entries} in a table"
        )));
    }
    descriptor(&file, &header)?;
    let size = capacity.checked_mul(SECTOR);
    let tables = capacity.div_ceil(grain * u64::from(entries));
    let end = directory
        .checked_mul(SECTOR)
        .and_then(|at| at.checked_add(tables.checked_mul(4)?));
    let Some(size) = size.filter(|_| end.is_some_and(|end| end <= file.size())) else {
        return Err(DiskError::refused(format!(
            "it says that its disk has {capacity} sectors, and its table has no room for that"
        )));
    };
    let grains = Grains {
        length: grain * SECTOR,
        entries: entries.into(),
        directory: directory * SECTOR,
        flags,
    };
    disk::open(file, size, grains)
}

/// The error for a descriptor without a disk: it names the file that has the bytes.
fn elsewhere(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let extent = text
        .lines()
        .find(|line| line.starts_with("RW ") || line.starts_with("RDONLY "));
    match extent.and_then(|line| line.split('"').nth(1)) {
        Some(name) => format!(
            "its bytes are in another file, {}, which is not read",
            visible(name.as_bytes())
        ),
        None => "it is a VMDK whose bytes are in other files, which are not read".into(),
    }
}

/// "The Descriptor File": refuses a layer and names its parent.
fn descriptor(file: &Shared, header: &[u8]) -> Result<(), DiskError> {
    let (offset, length) = (le_u64(header, 28), le_u64(header, 36));
    let offset = offset.saturating_mul(SECTOR);
    let length = length
        .saturating_mul(SECTOR)
        .min(DESCRIPTOR)
        .min(file.size().saturating_sub(offset));
    let text = file.read_vec_at(offset.min(file.size()), length)?;
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    match value("parentCID=").map(str::trim) {
        None | Some("ffffffff") => Ok(()),
        Some(_) => {
            let name = value("parentFileNameHint=").unwrap_or_default();
            let name = visible(name.trim().trim_matches('"').as_bytes());
            Err(DiskError::refused(format!(
                "it is a layer over another file, {name}, which is not read"
            )))
        }
    }
}

impl Layout for Grains {
    fn place(&self, file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        let number = |at: u64| file.array(at).map(|bytes| u64::from(u32::from_le_bytes(bytes)));
        let each = self.entries * self.length;
        let table = number(self.directory + offset / each * 4)?;
        if table == 0 {
            return Ok((Place::Zeros, each - offset % each));
        }
        let (grain, within) = (offset / self.length, offset % self.length);
        let place = match number(table * SECTOR + grain % self.entries * 4)? {
            0 => Place::Zeros,
            1 if self.flags & ZERO_ENTRIES != 0 => Place::Zeros,
            sector if self.flags & COMPRESSED != 0 => Place::Unit {
                number: sector,
                offset: within,
            },
            sector => Place::File(sector * SECTOR + within),
        };
        Ok((place, self.length - within))
    }

    /// "Grain marker": the number of a compressed grain is its sector.
    fn decode(&self, file: &Shared, sector: u64) -> io::Result<Vec<u8>> {
        let at = sector * SECTOR;
        let length = u64::from(le_u32(&file.read_vec_at(at, 12)?, 8));
        // zlib never makes bytes twice as long.
        if length > 2 * self.length {
            return Err(wrong(format!(
                "the grain at byte {at} says that it has {length} compressed bytes"
            )));
        }
        let compressed = file.read_vec_at(at + 12, length)?;
        let mut bytes = Vec::new();
        ZlibDecoder::new(&compressed[..])
            .take(self.length)
            .read_to_end(&mut bytes)?;
        // The last grain of a disk may be shorter.
        bytes.resize(self.length as usize, 0);
        Ok(bytes)
    }
}
