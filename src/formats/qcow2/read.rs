//! Reads the disk in an existing file.

use std::io::{self, Read as _};

use flate2::bufread::DeflateDecoder;

use super::{HEADER_LENGTH, MAGIC};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::disk::{self, DiskError, Layout, Place, wrong};
use crate::ground::fields::{be_u32 as word, be_u64 as long};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};
use crate::ground::text::visible;

/// The bits of a table entry that are the offset of a table or a cluster.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// An L2 entry: the cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// An L2 entry of version 3: the cluster reads as zeros.
const ZERO: u64 = 1;

/// Incompatible features. The first two mark a dirty and a corrupt file: its reference counts are wrong, and a reader does not need them.
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;
const KNOWN: u64 = 0b11 | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2;

/// Subclusters of an extended L2 entry.
const SUBCLUSTERS: u64 = 32;

/// Where the clusters are.
struct Clusters {
    bits: u32,
    l1_offset: u64,
    /// Bytes of an L2 entry.
    entry: u64,
    zstd: bool,
}

/// Opens the disk in a file.
///
/// # Errors
/// The file is damaged, or is a layer over another file, or encrypted.
pub fn open(file: Shared) -> Result<Shared, DiskError> {
    let header = file.read_vec_at(0, file.size().min(HEADER_LENGTH.into()))?;
    if header.len() < 72 || word(&header, 0) != MAGIC {
        return Err(DiskError::refused("its qcow2 header is cut short"));
    }
    let version = word(&header, 4);
    if !(2..=3).contains(&version) {
        return Err(DiskError::refused(format!(
            "it is qcow of version {version}; versions 2 and 3 are read"
        )));
    }
    let (backing, length) = (long(&header, 8), word(&header, 16));
    if backing != 0 {
        let name = file.read_vec_at(backing, length.min(1023).into()).unwrap_or_default();
        let name = visible(&name);
        return Err(DiskError::refused(format!(
            "it is a layer over another file, {name}, which is not read"
        )));
    }
    match word(&header, 32) {
        0 => {}
        method => {
            let method = if method == 2 { "LUKS" } else { "AES" };
            return Err(DiskError::refused(format!("it is encrypted with {method}")));
        }
    }
    let features = if version == 3 { long(&header, 72) } else { 0 };
    if features & EXTERNAL_DATA != 0 {
        return Err(DiskError::refused("its bytes are in another file, which is not read"));
    }
    if features & !KNOWN != 0 {
        let unknown = features & !KNOWN;
        return Err(DiskError::refused(format!(
            "it has features that are not known: bits {unknown:#x}"
        )));
    }
    let zstd = features & COMPRESSION_TYPE != 0 && header.get(104) == Some(&1);
    if features & COMPRESSION_TYPE != 0 && !zstd {
        return Err(DiskError::refused("it is compressed in a way that is not known"));
    }
    let cluster_bits = word(&header, 20);
    if !(9..=21).contains(&cluster_bits) {
        return Err(DiskError::refused(format!(
            "its clusters have 2^{cluster_bits} bytes; 2^9 to 2^21 are possible"
        )));
    }
    let entry = if features & EXTENDED_L2 != 0 { 16 } else { 8 };
    let size = long(&header, 24);
    let (l1_entries, l1_offset) = (u64::from(word(&header, 36)), long(&header, 40));
    let each = ((1u64 << cluster_bits) / entry) << cluster_bits;
    if size.div_ceil(each) > l1_entries {
        return Err(DiskError::refused(format!(
            "it says that its disk has {size} bytes, and its table has room for {l1_entries} times {each}"
        )));
    }
    if l1_offset
        .checked_add(l1_entries * 8)
        .is_none_or(|end| end > file.size())
    {
        return Err(DiskError::refused("its L1 table lies behind the end of the file"));
    }
    let clusters = Clusters {
        bits: cluster_bits,
        l1_offset,
        entry,
        zstd,
    };
    disk::open(file, size, clusters)
}

impl Clusters {
    fn size(&self) -> u64 {
        1 << self.bits
    }

    /// An L2 table has entries for so many clusters.
    fn entries(&self) -> u64 {
        self.size() / self.entry
    }

    /// The offset of the L2 table that has an entry for a cluster. Zero means that all clusters of the table are holes.
    fn table(&self, file: &Pages, cluster: u64) -> io::Result<u64> {
        let entry = file.array(self.l1_offset + cluster / self.entries() * 8)?;
        Ok(u64::from_be_bytes(entry) & OFFSET)
    }

    /// The L2 entry of a cluster, and a bit for each of its subclusters that the file holds.
    fn lookup(&self, file: &Pages, table: u64, cluster: u64) -> io::Result<(u64, u32)> {
        let place = table + cluster % self.entries() * self.entry;
        let behind = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => wrong(format!(
                "a table should be at byte {table}, which is behind the end of the file"
            )),
            _ => error,
        };
        let entry = u64::from_be_bytes(file.array(place).map_err(behind)?);
        let there = match self.entry {
            // Extended L2 entries: a bit in the lower half means allocated, one in the upper half means zeros.
            16 => {
                let bitmap = u64::from_be_bytes(file.array(place + 8).map_err(behind)?);
                bitmap as u32 & !((bitmap >> 32) as u32)
            }
            _ if entry & ZERO != 0 => 0,
            _ => u32::MAX,
        };
        Ok((entry, there))
    }
}

impl Layout for Clusters {
    fn place(&self, file: &Pages, offset: u64) -> io::Result<(Place, u64)> {
        let (cluster, within) = (offset / self.size(), offset % self.size());
        let table = self.table(file, cluster)?;
        if table == 0 {
            let each = self.entries() * self.size();
            return Ok((Place::Zeros, each - offset % each));
        }
        let (entry, there) = self.lookup(file, table, cluster)?;
        let left = self.size() - within;
        if entry & COMPRESSED != 0 {
            let unit = Place::Unit {
                number: entry,
                offset: within,
            };
            return Ok((unit, left));
        }
        // A cluster without subclusters is one of them.
        let subcluster = if self.entry == 16 {
            self.size() / SUBCLUSTERS
        } else {
            self.size()
        };
        let length = subcluster - within % subcluster;
        match entry & OFFSET {
            0 => Ok((Place::Zeros, left)),
            _ if there >> (within / subcluster) & 1 == 0 => Ok((Place::Zeros, length)),
            start => Ok((Place::File(start + within), length)),
        }
    }

    /// Compressed Clusters Descriptor: the number of a compressed cluster is its L2 entry.
    fn decode(&self, file: &Shared, entry: u64) -> io::Result<Vec<u8>> {
        let bits = 62 - (self.bits - 8);
        let offset = entry & ((1 << bits) - 1);
        let sectors = entry >> bits & ((1 << (self.bits - 8)) - 1);
        let length = (sectors + 1) * 512 - offset % 512;
        let there = file.size().saturating_sub(offset).min(length);
        let compressed = file.read_vec_at(offset, there)?;
        let mut bytes = Vec::new();
        // The bytes behind the compressed ones belong to another cluster.
        match self.zstd {
            true => {
                let behind = Behind::default();
                let mut frame = Compression::Zstd.reader(&compressed[..], &behind);
                (&mut frame).take(self.size()).read_to_end(&mut bytes)?;
            }
            false => {
                let mut stream = DeflateDecoder::new(&compressed[..]);
                (&mut stream).take(self.size()).read_to_end(&mut bytes)?;
            }
        }
        match bytes.len() as u64 == self.size() {
            true => Ok(bytes),
            false => Err(wrong(format!(
                "a compressed cluster at byte {offset} has {} bytes",
                bytes.len()
            ))),
        }
    }
}
