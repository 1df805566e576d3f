//! The disk in an existing sparse file.

use std::io::{self, Read as _};
use std::sync::{Mutex, PoisonError};

use flate2::bufread::ZlibDecoder;

use super::{AT_END, MAGIC, SECTOR};
use crate::ground::disk::{self, DiskError, Place, Scattered, wrong};
use crate::ground::fields::{le_u16, le_u32, le_u64};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};
use crate::ground::text::visible;

/// Flags: an entry of 1 is a grain of zeros; grains are compressed; there are markers.
const ZERO_ENTRIES: u32 = 1 << 2;
const COMPRESSED: u32 = 1 << 16;
const MARKERS: u32 = 1 << 17;

/// Sectors that a grain may have: a greater one would be decompressed for each byte of it.
const GRAINS: std::ops::RangeInclusive<u64> = 1..=8192;
/// Entries that a grain table may have. All of VMware's have 512.
const MOST_ENTRIES: u32 = 1 << 16;
/// The longest descriptor that is looked at.
const DESCRIPTOR: u64 = 64 << 10;

/// A disk.
#[derive(Debug)]
pub struct Disk {
    file: Shared,
    tables: Pages,
    size: u64,
    /// In bytes.
    grain: u64,
    /// Entries of a grain table.
    entries: u64,
    /// Where the grain directory is.
    directory: u64,
    flags: u32,
    /// The grain that was decompressed last, by its place.
    decoded: Mutex<Option<(u64, Vec<u8>)>>,
}

impl Disk {
    /// Reads header and descriptor.
    ///
    /// # Errors
    /// The file is damaged, or has its bytes in other files, or is a layer over another one.
    pub fn open(file: Shared) -> Result<Self, DiskError> {
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
        Ok(Self {
            tables: Pages::new(file.clone()),
            file,
            size,
            grain: grain * SECTOR,
            entries: entries.into(),
            directory: directory * SECTOR,
            flags,
            decoded: Mutex::default(),
        })
    }

    fn number(&self, offset: u64) -> io::Result<u64> {
        let mut bytes = [0; 4];
        self.tables.read_exact_at(&mut bytes, offset)?;
        Ok(u32::from_le_bytes(bytes).into())
    }

    /// The sector of a grain; zero if it is not in the file.
    fn sector(&self, grain: u64) -> io::Result<u64> {
        let table = self.number(self.directory + grain / self.entries * 4)?;
        if table == 0 {
            return Ok(0);
        }
        let entry = self.number(table * SECTOR + grain % self.entries * 4)?;
        Ok(if self.flags & ZERO_ENTRIES != 0 && entry == 1 {
            0
        } else {
            entry
        })
    }

    /// "Grain marker": the bytes of a grain.
    fn decompressed(&self, sector: u64) -> io::Result<Vec<u8>> {
        let at = sector * SECTOR;
        let length = u64::from(le_u32(&self.file.read_vec_at(at, 12)?, 8));
        // zlib cannot make a grain twice as long.
        if length > 2 * self.grain {
            return Err(wrong(format!(
                "the grain at byte {at} says that it has {length} bytes compressed"
            )));
        }
        let compressed = self.file.read_vec_at(at + 12, length)?;
        let mut bytes = Vec::new();
        ZlibDecoder::new(&compressed[..])
            .take(self.grain)
            .read_to_end(&mut bytes)?;
        // The last grain of a disk may be shorter.
        bytes.resize(self.grain as usize, 0);
        Ok(bytes)
    }
}

/// Says which other files a text names.
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

/// "The Descriptor File": a layer names its parent.
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

impl Scattered for Disk {
    fn disk_size(&self) -> u64 {
        self.size
    }

    fn file(&self) -> &Shared {
        &self.file
    }

    fn place(&self, offset: u64) -> io::Result<(Place, u64)> {
        let each = self.entries * self.grain;
        if self.number(self.directory + offset / each * 4)? == 0 {
            return Ok((Place::Zeros, each - offset % each));
        }
        let within = offset % self.grain;
        let place = match self.sector(offset / self.grain)? {
            0 => Place::Zeros,
            _ if self.flags & COMPRESSED != 0 => Place::Coded,
            sector => Place::File(sector * SECTOR + within),
        };
        Ok((place, self.grain - within))
    }

    fn decode(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let sector = self.sector(offset / self.grain)?;
        let start = (offset % self.grain) as usize;
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let grain = match &*decoded {
            Some((of, grain)) if *of == sector => grain,
            _ => {
                let grain = self.decompressed(sector)?;
                &decoded.insert((sector, grain)).1
            }
        };
        let bytes = grain.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

disk::read_at!(Disk);
