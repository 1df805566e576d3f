//! Writes a new stream-optimized file: the header, the descriptor, the grains that are not zero, the directory and a footer. Each grain is
//! compressed by itself, and each grain table stands behind its grains.

use std::io::{self, Write as _};

use super::{AT_END, MAGIC, SECTOR};

/// grainSize in sectors.
const GRAIN_SECTORS: u64 = 128;
const GRAIN: u64 = GRAIN_SECTORS * SECTOR;
/// numGTEsPerGT.
const ENTRIES: u64 = 512;
/// overHead, in sectors: where the first grain begins.
const OVERHEAD: u64 = 128;
/// descriptorOffset and descriptorSize, in sectors.
const DESCRIPTOR: (u64, u64) = (1, 20);
/// The longest disk. An entry has 32 bits for a sector, so that the file ends at 2 TiB, and a grain that does not compress takes 130 sectors.
const MOST: u64 = 2000 << 30;

/// "Markers": the types.
const END_OF_STREAM: u32 = 0;
const GRAIN_TABLE: u32 = 1;
const GRAIN_DIRECTORY: u32 = 2;
const FOOTER: u32 = 3;

/// The state of a file while its grains are written.
#[derive(Debug)]
pub struct Writer {
    capacity: u64,
    /// The grain directory.
    directory: Vec<u32>,
    /// The grain table that is being filled, and its number.
    table: Option<(u64, Vec<u32>)>,
    /// The next sector of the file.
    next: u64,
    /// Tables that are complete, with their offsets.
    complete: Vec<(u64, Vec<u8>)>,
}

impl Writer {
    /// So many bytes of the disk stand together in the file.
    pub const UNIT: u64 = GRAIN;

    /// For a disk of `size` bytes, a whole number of sectors. The error is the size of the longest disk.
    pub fn new(size: u64) -> Result<Self, u64> {
        if size > MOST {
            return Err(MOST);
        }
        Ok(Self {
            capacity: size / SECTOR,
            directory: vec![0; size.div_ceil(GRAIN * ENTRIES) as usize],
            table: None,
            next: OVERHEAD,
            complete: Vec::new(),
        })
    }

    /// A grain as it stands in the file: a "Grain marker", the compressed bytes (RFC 1950), and zeros up to a whole sector. If `bytes` is shorter
    /// than a grain, zeros are added to it.
    ///
    /// # Errors
    /// The encoder fails.
    pub fn grain(number: u64, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut grain = (number * GRAIN_SECTORS).to_le_bytes().to_vec();
        grain.extend([0; 4]);
        let mut encoder = flate2::write::ZlibEncoder::new(grain, flate2::Compression::default());
        encoder.write_all(bytes)?;
        encoder.write_all(&vec![0; (GRAIN as usize).saturating_sub(bytes.len())])?;
        let mut grain = encoder.finish()?;
        let length = (grain.len() - 12) as u32;
        grain[8..12].copy_from_slice(&length.to_le_bytes());
        grain.resize(grain.len().next_multiple_of(SECTOR as usize), 0);
        Ok(grain)
    }

    /// The offset for the grain with this number. It takes `length` bytes. The numbers ascend.
    pub fn place(&mut self, number: u64, length: u64) -> u64 {
        let (table, entry) = (number / ENTRIES, number % ENTRIES);
        if self.table.as_ref().is_none_or(|(current, _)| *current != table) {
            self.end_table();
            self.table = Some((table, vec![0; ENTRIES as usize]));
        }
        let sector = self.take(length);
        if let Some((_, entries)) = &mut self.table {
            entries[entry as usize] = sector as u32;
        }
        sector * SECTOR
    }

    /// The tables that have become complete, with their offsets.
    pub fn complete(&mut self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.complete)
    }

    /// All other structures with their offsets, and the length of the file. `id` identifies the content.
    pub fn finish(mut self, id: u32) -> (Vec<(u64, Vec<u8>)>, u64) {
        self.end_table();
        let directory: Vec<u8> = self.directory.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let place = self.metadata(GRAIN_DIRECTORY, directory);
        let end = self.next * SECTOR;
        let header = header(self.capacity, AT_END);
        let mut pieces = self.complete;
        pieces.push((0, header));
        pieces.push((DESCRIPTOR.0 * SECTOR, descriptor(self.capacity, id)));
        let footer = [
            marker(1, FOOTER),
            self::header(self.capacity, place),
            marker(0, END_OF_STREAM),
        ]
        .concat();
        let length = end + footer.len() as u64;
        pieces.push((end, footer));
        (pieces, length)
    }

    fn end_table(&mut self) {
        if let Some((number, entries)) = self.table.take() {
            let entries = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
            let place = self.metadata(GRAIN_TABLE, entries);
            self.directory[number as usize] = place as u32;
        }
    }

    /// Adds a marker with a table behind it. Returns the sector of the table.
    fn metadata(&mut self, kind: u32, mut table: Vec<u8>) -> u64 {
        table.resize(table.len().next_multiple_of(SECTOR as usize), 0);
        let mut bytes = marker(table.len() as u64 / SECTOR, kind);
        bytes.extend(table);
        let sector = self.take(bytes.len() as u64);
        self.complete.push((sector * SECTOR, bytes));
        sector + 1
    }

    fn take(&mut self, length: u64) -> u64 {
        let sector = self.next;
        self.next += length.div_ceil(SECTOR);
        sector
    }
}

/// "Metadata markers": the sectors of what follows, a size of zero, the type.
fn marker(sectors: u64, kind: u32) -> Vec<u8> {
    let mut marker = sectors.to_le_bytes().to_vec();
    marker.extend([0; 4]);
    marker.extend(kind.to_le_bytes());
    marker.resize(SECTOR as usize, 0);
    marker
}

/// "Hosted Sparse Extent Header". `directory` is the sector of the grain directory.
fn header(capacity: u64, directory: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    // Version 3. Flags: the newline test, compressed grains, markers.
    header.extend(3u32.to_le_bytes());
    header.extend(0x3_0001u32.to_le_bytes());
    for number in [capacity, GRAIN_SECTORS, DESCRIPTOR.0, DESCRIPTOR.1] {
        header.extend(number.to_le_bytes());
    }
    header.extend((ENTRIES as u32).to_le_bytes());
    // rgdOffset: no second directory.
    for number in [0, directory, OVERHEAD] {
        header.extend(number.to_le_bytes());
    }
    // uncleanShutdown, the newline test, compressAlgorithm: RFC 1951.
    header.extend([0, b'\n', b' ', b'\r', b'\n', 1, 0]);
    header.resize(SECTOR as usize, 0);
    header
}

/// "The Descriptor File". Readers do not look at the name of the extent, because it is this file itself.
fn descriptor(capacity: u64, id: u32) -> Vec<u8> {
    let cylinders = (capacity / (16 * 63)).min(16_383);
    let text = format!(
        "# Disk DescriptorFile\nversion=1\nCID={id:08x}\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n\n\
         # Extent description\nRW {capacity} SPARSE \"image.vmdk\"\n\n\
         # The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"4\"\nddb.geometry.cylinders = \"{cylinders}\"\n\
         ddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\nddb.adapterType = \"ide\"\n"
    );
    let mut bytes = text.into_bytes();
    bytes.resize((DESCRIPTOR.1 * SECTOR) as usize, 0);
    bytes
}
