//! Clusters are taken, given back and filled.

use super::{EditError, Editor, Node, Piece};
use crate::formats::fat::What;
use crate::formats::fat::geometry::Geometry;

impl Editor<'_> {
    /// The clusters of a file or directory, by its extents.
    pub(super) fn clusters_of(&self, extents: &[(u64, u64)]) -> Vec<u32> {
        let size = u64::from(self.geometry.cluster_size);
        let mut clusters = Vec::new();
        for &(offset, length) in extents {
            let first = self.geometry.cluster_at(offset);
            clusters.extend((0..length.div_ceil(size)).map(|number| first + number as u32));
        }
        clusters
    }

    /// Whether something outside of the volume uses a cluster.
    pub(super) fn is_foreign(&self, cluster: u32) -> bool {
        let start = self.geometry.cluster_offset(cluster);
        let end = start + u64::from(self.geometry.cluster_size);
        let mut foreign = self.foreign.iter();
        foreign.any(|range| range.offset < end && range.end() > start)
    }

    /// Takes free clusters, the first ones of the volume.
    pub(super) fn take(&mut self, path: &str, count: usize) -> Result<Vec<u32>, EditError> {
        let end = 2 + self.geometry.clusters;
        let taken: Vec<u32> = (self.next..end)
            .filter(|&cluster| self.is_free(cluster))
            .take(count)
            .collect();
        if taken.len() < count {
            return Err(EditError::Full {
                path: path.to_owned(),
                needed: count as u64,
                free: taken.len() as u64,
            });
        }
        self.next = taken.last().map_or(self.next, |last| last + 1);
        self.freed -= count as i64;
        Ok(taken)
    }

    pub(super) fn give_back(&mut self, clusters: &[u32]) {
        self.table.set_clusters(&[], clusters);
        self.freed += clusters.len() as i64;
        let first = clusters.iter().min();
        self.next = first.map_or(self.next, |&first| self.next.min(first));
    }

    /// Stores the content of a file that has some clusters already. The result is those that it has then.
    pub(super) fn put(&mut self, path: &str, before: Vec<u32>, content: &[u8]) -> Result<Vec<u32>, EditError> {
        let size = self.geometry.cluster_size as usize;
        let needed = content.len().div_ceil(size);
        let (foreign, mut clusters): (Vec<u32>, Vec<u32>) =
            before.into_iter().partition(|&cluster| self.is_foreign(cluster));
        let gone = clusters.split_off(needed.min(clusters.len()));
        let more = self.take(path, needed - clusters.len())?;
        clusters.extend(more);
        self.give_back(&foreign);
        self.give_back(&gone);
        self.table.set_clusters(&clusters, &[]);
        for (&cluster, piece) in clusters.iter().zip(content.chunks(size)) {
            let mut bytes = piece.to_vec();
            bytes.resize(size, 0);
            self.write(cluster, bytes, None, path);
        }
        Ok(clusters)
    }

    /// Frees the clusters of what is gone, and makes them zeros.
    pub(super) fn erase(&mut self, node: &Node) {
        self.give_back(&node.clusters);
        let what = node.is_directory.then(|| What::Directory(node.path.clone()));
        for &cluster in &node.clusters {
            if !self.is_foreign(cluster) {
                let zeros = vec![0; self.geometry.cluster_size as usize];
                self.write(cluster, zeros, what.clone(), &node.path);
            }
        }
    }

    pub(super) fn write(&mut self, cluster: u32, bytes: Vec<u8>, what: Option<What>, path: &str) {
        self.pieces.push(Piece {
            offset: self.geometry.cluster_offset(cluster),
            bytes,
            what,
            path: path.to_owned(),
        });
    }
}

impl Geometry {
    /// The cluster that begins at a byte of the volume.
    fn cluster_at(&self, offset: u64) -> u32 {
        let first = self.cluster_offset(2);
        2 + (offset.saturating_sub(first) / u64::from(self.cluster_size)) as u32
    }
}
