//! Writes a new file: the chunks that are not zero, then the property list and the trailer. Each chunk is compressed with zlib by itself.

use std::io::{self, Write as _};

use base64ct::{Base64, Encoding as _};
use crc32fast::Hasher;

use super::{KOLY, MISH, SECTOR, TERMINATOR, TRAILER, ZEROS, ZLIB};

/// 512 sectors, as `hdiutil` has them.
const CHUNK: u64 = 512 * SECTOR;
/// The longest disk. Its table of chunks has 40 bytes for each 256 KiB, and is in memory.
const MOST: u64 = 64 << 40;

/// A chunk as it stands in the file.
#[derive(Debug)]
pub struct Chunk {
    /// Compressed: RFC 1950.
    pub bytes: Vec<u8>,
    /// CRC-32 of the bytes before compression.
    inside: u32,
    /// CRC-32 of the compressed bytes.
    outside: u32,
    /// The number of bytes before compression.
    length: u64,
}

impl Chunk {
    /// # Errors
    /// The encoder fails.
    pub fn of(bytes: &[u8]) -> io::Result<Self> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes)?;
        let compressed = encoder.finish()?;
        Ok(Self {
            inside: crc32fast::hash(bytes),
            outside: crc32fast::hash(&compressed),
            length: bytes.len() as u64,
            bytes: compressed,
        })
    }
}

/// A run of chunks of one type.
#[derive(Clone, Copy, Debug)]
struct Run {
    kind: u32,
    sector: u64,
    sectors: u64,
    offset: u64,
    length: u64,
}

/// The state of a file while its chunks are written.
#[derive(Debug)]
pub struct Writer {
    sectors: u64,
    runs: Vec<Run>,
    /// The next sector of the disk.
    sector: u64,
    /// The length of the chunks in the file.
    next: u64,
    /// CRC-32 of the disk so far.
    inside: Hasher,
    /// CRC-32 of the chunks in the file so far.
    outside: Hasher,
}

impl Writer {
    /// So many bytes of the disk stand together in the file.
    pub const UNIT: u64 = CHUNK;

    /// For a disk of `size` bytes, a whole number of sectors. The error is the size of the longest disk.
    pub fn new(size: u64) -> Result<Self, u64> {
        match size <= MOST {
            true => Ok(Self {
                sectors: size / SECTOR,
                runs: Vec::new(),
                sector: 0,
                next: 0,
                inside: Hasher::new(),
                outside: Hasher::new(),
            }),
            false => Err(MOST),
        }
    }

    /// The offset in the file for the chunk with this number. The numbers ascend.
    pub fn place(&mut self, number: u64, chunk: &Chunk) -> u64 {
        self.zeros(number * (CHUNK / SECTOR));
        let offset = self.next;
        self.runs.push(Run {
            kind: ZLIB,
            sector: self.sector,
            sectors: chunk.length / SECTOR,
            offset,
            length: chunk.bytes.len() as u64,
        });
        self.sector += chunk.length / SECTOR;
        self.next += chunk.bytes.len() as u64;
        self.inside
            .combine(&Hasher::new_with_initial_len(chunk.inside, chunk.length));
        let length = chunk.bytes.len() as u64;
        self.outside
            .combine(&Hasher::new_with_initial_len(chunk.outside, length));
        offset
    }

    /// Adds zeros up to a sector of the disk.
    fn zeros(&mut self, end: u64) {
        let sectors = end.saturating_sub(self.sector);
        if sectors > 0 {
            self.runs.push(Run {
                kind: ZEROS,
                sector: self.sector,
                sectors,
                offset: self.next,
                length: 0,
            });
            self.sector = end;
            let length = sectors * SECTOR;
            self.inside
                .combine(&Hasher::new_with_initial_len(crc_of_zeros(length), length));
        }
    }

    /// All other structures with their offsets, and the length of the file. `id` identifies the disk.
    pub fn finish(mut self, id: [u8; 16]) -> (Vec<(u64, Vec<u8>)>, u64) {
        self.zeros(self.sectors);
        let inside = self.inside.clone().finalize();
        let list = property_list(&self.table(inside));
        let mut end = list.clone();
        end.extend(self.trailer(inside, list.len() as u64, id));
        let length = self.next + end.len() as u64;
        (vec![(self.next, end)], length)
    }

    /// The table of chunks.
    fn table(&self, sum: u32) -> Vec<u8> {
        let mut table = MISH.to_vec();
        table.extend(1u32.to_be_bytes());
        // First sector, number of sectors, where the chunks' offsets count from.
        for number in [0, self.sectors, 0] {
            table.extend(number.to_be_bytes());
        }
        // Sectors that a reader needs room for, and the descriptor's number.
        table.extend(((CHUNK / SECTOR) as u32 + 8).to_be_bytes());
        table.extend(u32::MAX.to_be_bytes());
        table.extend([0; 24]);
        table.extend(checksum(sum));
        let end = Run {
            kind: TERMINATOR,
            sector: self.sectors,
            sectors: 0,
            offset: self.next,
            length: 0,
        };
        table.extend((self.runs.len() as u32 + 1).to_be_bytes());
        for run in self.runs.iter().chain([&end]) {
            table.extend(run.kind.to_be_bytes());
            table.extend([0; 4]);
            for number in [run.sector, run.sectors, run.offset, run.length] {
                table.extend(number.to_be_bytes());
            }
        }
        table
    }

    fn trailer(&self, inside: u32, list: u64, id: [u8; 16]) -> Vec<u8> {
        let mut trailer = KOLY.to_vec();
        trailer.extend(4u32.to_be_bytes());
        trailer.extend((TRAILER as u32).to_be_bytes());
        // Flags: flattened.
        trailer.extend(1u32.to_be_bytes());
        // Data fork: running offset, offset, length. Resource fork: offset, length.
        for number in [0, 0, self.next, 0, 0] {
            trailer.extend(number.to_be_bytes());
        }
        // Segment 1 of 1.
        trailer.extend([0, 0, 0, 1, 0, 0, 0, 1]);
        trailer.extend(id);
        trailer.extend(checksum(self.outside.clone().finalize()));
        trailer.extend(self.next.to_be_bytes());
        trailer.extend(list.to_be_bytes());
        trailer.extend([0; 120]);
        // The sum of the tables' sums, one behind the other.
        trailer.extend(checksum(crc32fast::hash(&inside.to_be_bytes())));
        // Variant: the image of a device.
        trailer.extend(1u32.to_be_bytes());
        trailer.extend(self.sectors.to_be_bytes());
        trailer.resize(TRAILER, 0);
        trailer
    }
}

/// Type 2 is CRC-32, of 32 bits in room for 1024.
fn checksum(sum: u32) -> Vec<u8> {
    let mut bytes = [2u32, 32, sum].map(u32::to_be_bytes).concat();
    bytes.resize(8 + 128, 0);
    bytes
}

/// The CRC-32 of `length` zeros. It takes a step for each bit of the number, not for each zero.
fn crc_of_zeros(length: u64) -> u32 {
    let mut all = Hasher::new();
    let mut power = Hasher::new();
    power.update(&[0]);
    let mut power_length = 1u64;
    let mut left = length;
    while left > 0 {
        if left & 1 == 1 {
            all.combine(&power);
        }
        left >>= 1;
        if left > 0 {
            let half = Hasher::new_with_initial_len(power.clone().finalize(), power_length);
            power.combine(&half);
            power_length *= 2;
        }
    }
    all.finalize()
}

fn property_list(table: &[u8]) -> Vec<u8> {
    let data = Base64::encode_string(table);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n\t<key>resource-fork</key>\n\t<dict>\n\t\t<key>blkx</key>\n\t\t<array>\n\t\t\t<dict>\n\
         \t\t\t\t<key>Attributes</key>\n\t\t\t\t<string>0x0050</string>\n\
         \t\t\t\t<key>CFName</key>\n\t\t\t\t<string>whole disk (unknown partition : 0)</string>\n\
         \t\t\t\t<key>Data</key>\n\t\t\t\t<data>\n{data}\n\t\t\t\t</data>\n\
         \t\t\t\t<key>ID</key>\n\t\t\t\t<string>0</string>\n\
         \t\t\t\t<key>Name</key>\n\t\t\t\t<string>whole disk (unknown partition : 0)</string>\n\
         \t\t\t</dict>\n\t\t</array>\n\t</dict>\n</dict>\n</plist>\n"
    )
    .into_bytes()
}
