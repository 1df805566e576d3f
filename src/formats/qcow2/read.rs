//! The disk in an existing file.

use std::io::{self, Read as _};
use std::sync::{Mutex, PoisonError};

use flate2::bufread::DeflateDecoder;

use super::{HEADER_LENGTH, MAGIC};
use crate::ground::decompress::{Behind, Compression};
use crate::ground::disk::{self, DiskError, Place, Scattered, wrong};
use crate::ground::fields::{be_u32 as word, be_u64 as long};
use crate::ground::pages::Pages;
use crate::ground::read_at::{ReadAt as _, Shared};
use crate::ground::text::visible;

/// Table entries: where in the file a table or a cluster is.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// An L2 entry: the cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// An L2 entry of version 3: the cluster reads as zeros.
const ZERO: u64 = 1;

/// Incompatible features. A dirty file has wrong reference counts, which a reader does not use; the corrupt bit forbids to write.
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;
const KNOWN: u64 = 0b11 | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2;

/// Subclusters of an extended L2 entry.
const SUBCLUSTERS: u64 = 32;

/// A disk. Every read looks its clusters up; the tables are not held.
#[derive(Debug)]
pub struct Disk {
    file: Shared,
    tables: Pages,
    size: u64,
    cluster_bits: u32,
    l1_offset: u64,
    /// Bytes of an L2 entry.
    entry: u64,
    zstd: bool,
    /// The cluster that was decompressed last.
    decoded: Mutex<Option<(u64, Vec<u8>)>>,
}

impl Disk {
    /// Reads the header.
    ///
    /// # Errors
    /// The file is damaged, or is a layer over another file, or encrypted.
    pub fn open(file: Shared) -> Result<Self, DiskError> {
        let header = file.read_vec_at(0, file.size().min(HEADER_LENGTH.into()))?;
        if header.len() < 72 || word(&header, 0) != MAGIC {
            return Err(DiskError::refused("its qcow2 header is cut short"));
        }
        let version = word(&header, 4);
        if !(2..=3).contains(&version) {
            return Err(DiskError::refused(format!(
                "it is qcow of version {version}; version 2 and 3 are read"
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
        Ok(Self {
            tables: Pages::new(file.clone()),
            file,
            size,
            cluster_bits,
            l1_offset,
            entry,
            zstd,
            decoded: Mutex::default(),
        })
    }

    fn number(&self, offset: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.tables.read_exact_at(&mut bytes, offset)?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// Units of the disk for which an L2 table has entries.
    fn entries(&self) -> u64 {
        (1 << self.cluster_bits) / self.entry
    }

    /// The L2 table of a cluster; zero if it has none.
    fn table(&self, cluster: u64) -> io::Result<u64> {
        let entry = self.number(self.l1_offset + cluster / self.entries() * 8)?;
        Ok(entry & OFFSET)
    }

    /// The L2 entry of a cluster, and which of its subclusters are in the file.
    fn lookup(&self, cluster: u64) -> io::Result<(u64, u32)> {
        let table = self.table(cluster)?;
        if table == 0 {
            return Ok((0, 0));
        }
        let place = table.checked_add(cluster % self.entries() * self.entry);
        let place = place.ok_or(io::ErrorKind::UnexpectedEof)?;
        let entry = self.number(place).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                wrong(format!("a table is to be at byte {table}, behind the end of the file"))
            }
            _ => error,
        })?;
        let there = match self.entry {
            // Extended L2 entries: the lower half says which are allocated, the upper half which are zeros.
            16 => {
                let bitmap = self.number(place + 8)?;
                bitmap as u32 & !((bitmap >> 32) as u32)
            }
            _ if entry & ZERO != 0 => 0,
            _ => u32::MAX,
        };
        Ok((entry, there))
    }

    /// Compressed Clusters Descriptor: the bytes of a cluster.
    fn decompressed(&self, entry: u64) -> io::Result<Vec<u8>> {
        let bits = 62 - (self.cluster_bits - 8);
        let offset = entry & ((1 << bits) - 1);
        let sectors = entry >> bits & ((1 << (self.cluster_bits - 8)) - 1);
        let length = (sectors + 1) * 512 - offset % 512;
        let there = self.file.size().saturating_sub(offset).min(length);
        let compressed = self.file.read_vec_at(offset, there)?;
        let cluster = 1u64 << self.cluster_bits;
        let mut bytes = Vec::new();
        match self.zstd {
            true => {
                let behind = Behind::default();
                let mut frame = Compression::Zstd.reader(&compressed[..], &behind);
                // What is behind the frame is another cluster's.
                (&mut frame).take(cluster).read_to_end(&mut bytes)?;
            }
            false => {
                DeflateDecoder::new(&compressed[..])
                    .take(cluster)
                    .read_to_end(&mut bytes)?;
            }
        }
        match bytes.len() as u64 == cluster {
            true => Ok(bytes),
            false => Err(wrong(format!(
                "a compressed cluster at byte {offset} has {} bytes",
                bytes.len()
            ))),
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
        let size = 1 << self.cluster_bits;
        let (cluster, within) = (offset / size, offset % size);
        if self.table(cluster)? == 0 {
            let each = self.entries() * size;
            return Ok((Place::Zeros, each - offset % each));
        }
        let (entry, there) = self.lookup(cluster)?;
        if entry & COMPRESSED != 0 {
            return Ok((Place::Coded, size - within));
        }
        // Without subclusters all of them are alike.
        let subcluster = if self.entry == 16 { size / SUBCLUSTERS } else { size };
        let length = subcluster - within % subcluster;
        match entry & OFFSET {
            0 => Ok((Place::Zeros, size - within)),
            _ if there >> (within / subcluster) & 1 == 0 => Ok((Place::Zeros, length)),
            start => Ok((Place::File(start + within), length)),
        }
    }

    fn decode(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let size = 1 << self.cluster_bits;
        let (entry, _) = self.lookup(offset / size)?;
        let start = (offset % size) as usize;
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = match &*decoded {
            Some((of, cluster)) if *of == entry => cluster,
            _ => {
                let cluster = self.decompressed(entry)?;
                &decoded.insert((entry, cluster)).1
            }
        };
        let bytes = cluster.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

disk::read_at!(Disk);
