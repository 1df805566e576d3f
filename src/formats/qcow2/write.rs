//! Writes a new file: the header, the clusters that are not zero in their order, then the tables. Their lengths are known only then.

use super::{COPIED, HEADER_LENGTH, MAGIC};

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Entries of eight bytes in a cluster.
const ENTRIES: u64 = CLUSTER / 8;
/// Reference counts of two bytes in a cluster.
const COUNTS: u64 = CLUSTER / 2;
/// QEMU refuses a longer L1 table: 32 MiB.
const L1_ENTRIES: u64 = (32 << 20) / 8;

/// The state of a file of version 3 while its clusters are written.
#[derive(Debug)]
pub struct Writer {
    size: u64,
    /// The L2 tables that are not empty, with the numbers of their L1 entries.
    tables: Vec<(u64, Vec<u64>)>,
    /// The next cluster of the file.
    next: u64,
}

impl Writer {
    /// So many bytes of the disk stand together in the file.
    pub const UNIT: u64 = CLUSTER;

    /// For a disk of `size` bytes. The error is the size of the longest disk.
    pub fn new(size: u64) -> Result<Self, u64> {
        let most = L1_ENTRIES * ENTRIES * CLUSTER;
        match size <= most {
            true => Ok(Self {
                size,
                tables: Vec::new(),
                next: 1,
            }),
            false => Err(most),
        }
    }

    /// The offset in the file for the cluster of the disk with this number. The numbers ascend.
    pub fn place(&mut self, number: u64) -> u64 {
        let (table, entry) = (number / ENTRIES, number % ENTRIES);
        if self.tables.last().is_none_or(|(last, _)| *last != table) {
            self.tables.push((table, vec![0; ENTRIES as usize]));
        }
        let offset = self.next * CLUSTER;
        self.next += 1;
        if let Some((_, entries)) = self.tables.last_mut() {
            entries[entry as usize] = COPIED | offset;
        }
        offset
    }

    /// All other structures with their offsets, and the length of the file.
    pub fn finish(self) -> (Vec<(u64, Vec<u8>)>, u64) {
        // The reference counts and their table, the L1 table, the L2 tables. 7-Zip warns of bytes behind the last L2 table.
        let l1_entries = self.size.div_ceil(CLUSTER * ENTRIES).max(1);
        let l1_clusters = (l1_entries * 8).div_ceil(CLUSTER);
        let first_block = self.next;
        let (blocks, table_clusters) = refcount_clusters(first_block + l1_clusters + self.tables.len() as u64);
        let refcount_table = (first_block + blocks) * CLUSTER;
        let l1_offset = refcount_table + table_clusters * CLUSTER;
        let first_table = l1_offset / CLUSTER + l1_clusters;
        let clusters = first_table + self.tables.len() as u64;

        let mut pieces = Vec::new();
        let offsets: Vec<u64> = (first_block..)
            .take(blocks as usize)
            .map(|block| block * CLUSTER)
            .collect();
        pieces.push((refcount_table, big_endian(&offsets)));
        // Each cluster is referred to once.
        for (block, offset) in (0..).zip(offsets) {
            let counts = (clusters - block * COUNTS).min(COUNTS);
            pieces.push((offset, [0, 1].repeat(counts as usize)));
        }
        let mut l1 = vec![0u64; l1_entries as usize];
        for (number, (table, _)) in (first_table..).zip(&self.tables) {
            l1[*table as usize] = COPIED | (number * CLUSTER);
        }
        pieces.push((l1_offset, big_endian(&l1)));
        let tables = (first_table..).zip(self.tables);
        pieces.extend(tables.map(|(number, (_, entries))| (number * CLUSTER, big_endian(&entries))));

        let mut header = Vec::with_capacity(HEADER_LENGTH as usize);
        let word = |header: &mut Vec<u8>, value: u32| header.extend(value.to_be_bytes());
        let long = |header: &mut Vec<u8>, value: u64| header.extend(value.to_be_bytes());
        word(&mut header, MAGIC);
        word(&mut header, 3);
        // No backing file: its offset and the length of its name.
        long(&mut header, 0);
        word(&mut header, 0);
        word(&mut header, CLUSTER_BITS);
        long(&mut header, self.size);
        // No encryption.
        word(&mut header, 0);
        word(&mut header, l1_entries as u32);
        long(&mut header, l1_offset);
        long(&mut header, refcount_table);
        word(&mut header, table_clusters as u32);
        // No snapshots: their number and the offset of their table.
        word(&mut header, 0);
        long(&mut header, 0);
        // Features: incompatible, compatible, for automatic clearing.
        (0..3).for_each(|_| long(&mut header, 0));
        // refcount_order: 16 bits.
        word(&mut header, 4);
        word(&mut header, HEADER_LENGTH);
        // The type of compression and its padding, and the end of the header extensions.
        header.resize(HEADER_LENGTH as usize + 8, 0);
        pieces.insert(0, (0, header));
        (pieces, clusters * CLUSTER)
    }
}

/// The number of clusters with reference counts, and of clusters with pointers to these. They count the other clusters and themselves.
fn refcount_clusters(others: u64) -> (u64, u64) {
    let (mut blocks, mut table) = (1, 1);
    loop {
        let wanted = (others + table + blocks).div_ceil(COUNTS);
        let wanted_table = (wanted * 8).div_ceil(CLUSTER);
        if (wanted, wanted_table) == (blocks, table) {
            return (blocks, table);
        }
        (blocks, table) = (wanted, wanted_table);
    }
}

fn big_endian(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}
