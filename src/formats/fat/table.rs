//! The allocation table: for each cluster the next one of its file (`FAT: FAT Data Structure`).

use super::FatKind;

/// What a table entry says about its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Belongs to nothing.
    Free,
    /// This cluster comes next.
    Next(u32),
    /// The last of its file.
    End,
    /// Not to be used.
    Bad,
    /// No cluster has this number.
    Invalid(u32),
}

/// The bytes of a table. An entry past their end reads as free and cannot be set.
#[derive(Debug)]
pub(super) struct Table {
    kind: FatKind,
    bytes: Vec<u8>,
}

impl Table {
    /// All clusters free. Entry 0 repeats BPB_Media, entry 1 is an end mark, whose two high bits on FAT16 and FAT32 say that
    /// the volume was left clean and without errors.
    pub(super) fn new(kind: FatKind, length: usize, media: u8) -> Self {
        let mut table = Self {
            kind,
            bytes: vec![0; length],
        };
        table.set(0, table.end_mark() & !0xFF | u32::from(media));
        table.set(1, table.end_mark());
        table
    }

    /// A table as it was read.
    pub(super) fn from_bytes(kind: FatKind, bytes: Vec<u8>) -> Self {
        Self { kind, bytes }
    }

    /// The same links in a table of more clusters, and maybe of a wider kind.
    pub(super) fn with_clusters(mut self, clusters: u32, kind: FatKind, more: u32) -> Self {
        let length = kind.table_bytes(more.into()) as usize;
        if kind == self.kind {
            self.bytes.resize(length, 0);
            return self;
        }
        let mut wider = Self {
            kind,
            bytes: vec![0; length],
        };
        // The marks stand at the upper end of what an entry holds.
        let above = wider.end_mark() - self.end_mark();
        for cluster in 0..clusters.saturating_add(2) {
            let value = self.get(cluster);
            let is_mark = cluster < 2 || value >= self.end_mark() - 8;
            wider.set(cluster, if is_mark { value + above } else { value });
        }
        wider
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The largest of the end marks. Those that are valid begin at 8 below; 7 below is the mark of a bad cluster.
    fn end_mark(&self) -> u32 {
        match self.kind {
            FatKind::Fat12 => 0xFFF,
            FatKind::Fat16 => 0xFFFF,
            FatKind::Fat32 => 0x0FFF_FFFF,
        }
    }

    /// Links `count` clusters from `first` to a chain.
    pub(super) fn set_chain(&mut self, first: u32, count: u32) {
        for cluster in first..first.saturating_add(count).saturating_sub(1) {
            self.set(cluster, cluster + 1);
        }
        if let Some(last) = count.checked_sub(1) {
            self.set(first.saturating_add(last), self.end_mark());
        }
    }

    /// Links clusters that need not follow each other to a chain, and frees others.
    pub(super) fn set_clusters(&mut self, chain: &[u32], free: &[u32]) {
        for pair in chain.windows(2) {
            self.set(pair[0], pair[1]);
        }
        if let Some(&last) = chain.last() {
            self.set(last, self.end_mark());
        }
        for &cluster in free {
            self.set(cluster, 0);
        }
    }

    /// What the entry of `cluster` says in a volume of `clusters` clusters.
    pub(super) fn link(&self, cluster: u32, clusters: u32) -> Link {
        let end_mark = self.end_mark();
        match self.get(cluster) {
            0 => Link::Free,
            value if value >= end_mark - 7 => Link::End,
            value if value == end_mark - 8 => Link::Bad,
            value if value >= 2 && value - 2 < clusters => Link::Next(value),
            value => Link::Invalid(value),
        }
    }

    fn get(&self, cluster: u32) -> u32 {
        let at = self.position(cluster);
        let byte = |n: usize| at.and_then(|at| self.bytes.get(at.checked_add(n)?)).copied();
        let bytes = [0, 1, 2, 3].map(|n| byte(n).unwrap_or(0));
        let [low, high, ..] = bytes;
        match self.kind {
            FatKind::Fat12 if cluster.is_multiple_of(2) => u32::from(u16::from_le_bytes([low, high]) & 0xFFF),
            FatKind::Fat12 => u32::from(u16::from_le_bytes([low, high]) >> 4),
            FatKind::Fat16 => u32::from(u16::from_le_bytes([low, high])),
            FatKind::Fat32 => u32::from_le_bytes(bytes) & 0x0FFF_FFFF,
        }
    }

    fn set(&mut self, cluster: u32, value: u32) {
        let Some(at) = self.position(cluster) else { return };
        let [b0, b1, b2, b3] = value.to_le_bytes();
        let entry = self.bytes.get_mut(at..).unwrap_or_default();
        match (self.kind, entry) {
            // Two entries share three bytes; the even one has the low nibble of the middle byte.
            (FatKind::Fat12, [low, high, ..]) if cluster.is_multiple_of(2) => {
                *low = b0;
                *high = *high & 0xF0 | b1 & 0x0F;
            }
            (FatKind::Fat12, [low, high, ..]) => {
                *low = *low & 0x0F | b0 << 4;
                *high = b1 << 4 | b0 >> 4;
            }
            (FatKind::Fat16, [low, high, ..]) => [*low, *high] = [b0, b1],
            // The high four bits are no part of the entry and keep what they were.
            (FatKind::Fat32, [e0, e1, e2, e3, ..]) => {
                [*e0, *e1, *e2, *e3] = [b0, b1, b2, *e3 & 0xF0 | b3 & 0x0F];
            }
            _ => {}
        }
    }

    fn position(&self, cluster: u32) -> Option<usize> {
        usize::try_from(u64::from(cluster) * self.kind.bits() / 8).ok()
    }
}
