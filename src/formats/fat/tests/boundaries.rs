//! No volume has a count of clusters that some driver takes for another kind.

use super::*;
use crate::formats::fat::geometry::Geometry;

#[test]
fn every_exact_size_keeps_away_from_the_boundaries() {
    for sector_size in [512_u32, 4096] {
        for shift in 9..=15 {
            let cluster_size = 1_u32 << shift;
            if cluster_size < sector_size {
                continue;
            }
            for boundary in [4085_u64, 65525] {
                let middle = boundary * u64::from(cluster_size);
                // The tables and the root directory move the boundary up, by at most this much.
                let reach = 200 * u64::from(cluster_size.max(4096)) + MIB / 2;
                let first = middle.saturating_sub(reach).max(64 * KIB).next_multiple_of(4096);
                let mut kinds = Vec::new();
                for size in (first..middle + reach).step_by(4096) {
                    let found = Geometry::exact(size, sector_size, cluster_size)
                        .unwrap_or_else(|| panic!("{size} in clusters of {cluster_size}"));
                    assert!(is_safe(found.clusters.into()), "{size}: {found:?}");
                    assert_eq!(found.kind, FatKind::from_clusters(found.clusters));
                    check_areas(&found, size);
                    kinds.push(found.kind);
                }
                kinds.dedup();
                assert_eq!(kinds.len(), 2, "{cluster_size}: one change at {boundary}: {kinds:?}");
            }
        }
    }
}

/// The areas fill the volume but for less than an alignment and the clusters that keep away from a boundary.
fn check_areas(found: &Geometry, size: u64) {
    let cluster = u64::from(found.cluster_size);
    assert_eq!(found.size(), size);
    assert!(found.data_offset().is_multiple_of(cluster.max(4096)));
    assert_eq!((size - found.data_offset()) / cluster, u64::from(found.clusters));
    assert!(found.kind.table_bytes(found.clusters.into()) <= found.table_length());
    let shorter = found.table_length() - u64::from(found.sector_size);
    let clusters_with_it = u64::from(found.clusters) + 16;
    assert!(found.kind.table_bytes(clusters_with_it) > shorter || shorter == 0);
}

#[test]
fn plans_near_a_boundary_read_back_as_planned() {
    for sector_size in [512, 4096] {
        for middle in [4085 * 4096 + 40 * KIB, 65525 * 4096 + 300 * KIB] {
            let sizes = (middle - 400 * KIB..middle + 800 * KIB).step_by(4096);
            for size in sizes {
                let size = size / 4096 * 4096;
                check_round_trip(&volume(vec![file("a", 1, 0)], Size::Exact(size), sector_size));
            }
        }
    }
}

#[test]
fn fitted_volumes_keep_away_too() {
    for sector_size in [512, 4096] {
        let mut kinds = Vec::new();
        for boundary in [4085_u64, 65525] {
            let mut last = 0;
            for clusters in boundary - 60..boundary + 60 {
                let size = Size::Fit { free: clusters * 4096 };
                let plan = check_round_trip(&volume(Vec::new(), size, sector_size));
                assert!(plan.size() >= last && plan.size() >= clusters * 4096);
                last = plan.size();
                kinds.push(plan.kind());
            }
        }
        kinds.dedup();
        assert_eq!(kinds, [FatKind::Fat12, FatKind::Fat16, FatKind::Fat32]);
    }
}
