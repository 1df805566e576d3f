//! What is planned reads back, in all kinds and sizes.

mod boundaries;
mod edit;
mod fatfs;
mod hostile;
mod naming;

use std::collections::BTreeMap;
use std::io;

use proptest::prelude::*;

use super::*;
use crate::ground::read_at::ReadAt;

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const NOON: Timestamp = Timestamp::from_unix(1_767_268_800);

/// A volume with its bytes where there are any; the rest is zero.
pub(super) struct Sparse {
    size: u64,
    pub(super) parts: BTreeMap<u64, Vec<u8>>,
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        if end > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        for (&start, part) in self.parts.range(..end).rev() {
            let part_end = start + part.len() as u64;
            if part_end <= offset {
                break;
            }
            let (from, to) = (start.max(offset), part_end.min(end));
            buffer[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&part[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }
}

pub(super) fn file(name: impl Into<String>, length: u64, key: usize) -> Node {
    Node {
        name: name.into(),
        kind: Kind::File { length, key },
    }
}

pub(super) fn directory(name: impl Into<String>, nodes: Vec<Node>) -> Node {
    Node {
        name: name.into(),
        kind: Kind::Directory(nodes),
    }
}

pub(super) fn volume(root: Vec<Node>, size: Size, sector_size: u32) -> Volume {
    Volume {
        root,
        label: "ESP".into(),
        timestamp: NOON,
        size,
        sector_size,
    }
}

/// The bytes of a file: they tell its key and the place in it.
pub(super) fn content(key: usize, length: u64) -> Vec<u8> {
    (0..length)
        .map(|at| (at / 251 + at + 31 * key as u64 + 1) as u8)
        .collect()
}

/// Paths of all nodes: the length of a file with its key, `None` for a directory.
pub(super) fn paths(nodes: &[Node]) -> BTreeMap<String, Option<(u64, usize)>> {
    fn add(parent: &str, nodes: &[Node], all: &mut BTreeMap<String, Option<(u64, usize)>>) {
        for node in nodes {
            let path = format!("{parent}/{}", node.name);
            match &node.kind {
                Kind::Directory(nodes) => {
                    add(&path, nodes, all);
                    all.insert(path, None);
                }
                Kind::File { length, key } => {
                    all.insert(path, Some((*length, *key)));
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    add("", nodes, &mut all);
    all
}

/// The whole volume with the files' bytes. Nothing may overlap, and every region has its length.
pub(super) fn sparse(volume: &Volume, plan: &Plan) -> Sparse {
    let mut parts = BTreeMap::new();
    for (number, region) in plan.regions().iter().enumerate() {
        let bytes = plan.encode(number, MIB, 0x1234_5678);
        assert_eq!(region.length, bytes.len() as u64, "{:?}", region.what);
        assert!(parts.insert(region.offset, bytes).is_none());
    }
    for (length, key) in paths(&volume.root).into_values().flatten().filter(|file| file.0 > 0) {
        let offset = plan.file_offset(key).unwrap();
        assert!(parts.insert(offset, content(key, length)).is_none());
    }
    let mut end = 0;
    for (&offset, bytes) in &parts {
        assert!(offset >= end, "overlap at {offset}");
        end = offset + bytes.len() as u64;
    }
    assert!(end <= plan.size());
    Sparse {
        size: plan.size(),
        parts,
    }
}

/// Whether every driver takes a volume with this many clusters for the same kind.
pub(super) fn is_safe(clusters: u64) -> bool {
    [4085_u64, 65525]
        .iter()
        .all(|&boundary| clusters.abs_diff(boundary) > 16)
}

/// The count of clusters, from the regions alone.
fn count_clusters(plan: &Plan) -> u64 {
    let root = plan
        .regions()
        .iter()
        .find(|region| region.what == What::RootDirectory)
        .unwrap();
    let data = match plan.kind() {
        FatKind::Fat32 => root.offset,
        _ => root.offset + root.length,
    };
    assert!(data.is_multiple_of(ALIGNMENT.max(plan.cluster_size().into())));
    (plan.size() - data) / u64::from(plan.cluster_size())
}

/// The invariant of this leaf: what was planned is what is read.
pub(super) fn check_round_trip(volume: &Volume) -> Plan {
    let plan = plan(volume).unwrap();
    let bytes = sparse(volume, &plan);
    let contents = read(&bytes).unwrap();
    assert_eq!(contents.notes, Vec::<String>::new());
    assert_eq!(contents.kind, plan.kind());
    assert_eq!(contents.size, plan.size());
    assert_eq!(contents.cluster_size, plan.cluster_size());
    assert_eq!(contents.sector_size, volume.sector_size);
    assert_eq!(contents.label, volume.label);
    assert_eq!(contents.serial, 0x1234_5678);
    // BPB_HiddSec: the logical sectors in front of the volume.
    let hidden = bytes.read_vec_at(28, 4).unwrap();
    let hidden = u32::from_le_bytes(hidden.try_into().unwrap());
    assert_eq!(u64::from(hidden), MIB / u64::from(volume.sector_size));
    assert_eq!(contents.regions, plan.regions());
    let mut wanted = paths(&volume.root);
    for entry in &contents.entries {
        let node = wanted
            .remove(&entry.path)
            .unwrap_or_else(|| panic!("{} is new", entry.path));
        assert_eq!(entry.directory, node.is_none());
        assert_eq!(
            entry.modified,
            Timestamp::from_unix(clamped(volume.timestamp).0.unix() & !1)
        );
        match node {
            Some((0, key)) => {
                assert_eq!((entry.length, plan.file_offset(key)), (0, None));
                assert!(entry.extents.is_empty());
            }
            Some((length, key)) => {
                let offset = plan.file_offset(key).unwrap();
                let alignment = ALIGNMENT.max(plan.cluster_size().into());
                assert!(offset.is_multiple_of(alignment), "{} at {offset}", entry.path);
                assert_eq!((entry.length, &entry.extents), (length, &vec![(offset, length)]));
            }
            None => {
                let (offset, length) = entry.extents[0];
                let what = What::Directory(entry.path.clone());
                assert!(plan.regions().contains(&Region { offset, length, what }));
            }
        }
    }
    assert!(wanted.is_empty(), "lost: {wanted:?}");
    assert!(plan.size().is_multiple_of(4096));
    assert!(is_safe(count_clusters(&plan)));
    plan
}

fn tree() -> impl Strategy<Value = Vec<Node>> {
    let name = prop_oneof![
        "[A-Z0-9]{1,8}(\\.[A-Z]{1,3})?",
        "[a-zA-Z0-9 +._é日😀-]{0,40}[a-z]",
        "same prefix [a-z0-9]{1,3}\\.conf",
    ];
    let length = prop_oneof![Just(0), 1u64..9000, 4090u64..4100];
    let leaf = (name.clone(), length).prop_map(|(name, length)| Node {
        name,
        kind: Kind::File { length, key: 0 },
    });
    let node = leaf.prop_recursive(4, 60, 12, move |inner| {
        (name.clone(), prop::collection::vec(inner, 0..12)).prop_map(|(name, nodes)| Node {
            name,
            kind: Kind::Directory(nodes),
        })
    });
    prop::collection::vec(node, 0..12).prop_map(|mut nodes| {
        settle(&mut nodes, &mut 0);
        nodes
    })
}

/// Numbers the files and drops names that are there already.
fn settle(nodes: &mut Vec<Node>, next: &mut usize) {
    let mut seen = std::collections::BTreeSet::new();
    nodes.retain(|node| seen.insert(super::names::fold(&node.name)));
    for node in nodes {
        match &mut node.kind {
            Kind::Directory(nodes) => settle(nodes, next),
            Kind::File { key, .. } => {
                *key = *next;
                *next += 1;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_tree_reads_back(
        root in tree(),
        size in prop_oneof![
            (0..MIB).prop_map(|free| Size::Fit { free }),
            (8 * MIB / 4096..600 * MIB / 4096).prop_map(|n| Size::Exact(n * 4096)),
        ],
        sector_size in prop_oneof![Just(512), Just(4096)],
        label in "([A-Z0-9]([A-Z0-9_ -]{0,9}[A-Z0-9])?)?",
        seconds in 0i64..6_000_000_000,
    ) {
        let timestamp = Timestamp::from_unix(seconds);
        check_round_trip(&Volume { root, label, timestamp, size, sector_size });
    }

    #[test]
    fn the_order_of_the_nodes_does_not_matter(root in tree()) {
        let size = Size::Fit { free: 0 };
        let forward = volume(root, size, 512);
        let mut backward = forward.clone();
        backward.root.reverse();
        let (forward, backward) = (plan(&forward).unwrap(), plan(&backward).unwrap());
        prop_assert_eq!(forward.regions(), backward.regions());
        let bytes = |plan: &Plan| (0..plan.regions().len()).map(|number| plan.encode(number, 0, 1)).collect::<Vec<_>>();
        prop_assert_eq!(bytes(&forward), bytes(&backward));
    }
}

#[test]
fn an_empty_volume_is_small() {
    for sector_size in [512, 4096] {
        let plan = check_round_trip(&volume(Vec::new(), Size::Fit { free: 0 }, sector_size));
        assert_eq!((plan.size(), plan.kind()), (64 * KIB, FatKind::Fat12));
    }
}

#[test]
fn fit_leaves_what_was_asked_and_no_cluster_more() {
    for free in [0, 1, 4096, 100_000, 5 * MIB, 20 * MIB, 300 * MIB] {
        let root = vec![file("a", 200_000, 0)];
        let plan = check_round_trip(&volume(root, Size::Fit { free }, 512));
        let used = 200_000_u64.next_multiple_of(4096);
        let least = plan.size() - plan.file_offset(0).unwrap() - used;
        assert_eq!(least, free.next_multiple_of(4096), "{free}");
    }
}

#[test]
fn large_volumes_have_large_clusters() {
    for (gib, cluster_size) in [(1, 4096), (8, 4096), (9, 8192), (17, 16384), (33, 32768)] {
        for sector_size in [512, 4096] {
            let root = vec![file("a", 5000, 0), file("b", 5000, 1)];
            let plan = check_round_trip(&volume(root, Size::Exact(gib << 30), sector_size));
            assert_eq!((plan.cluster_size(), plan.kind()), (cluster_size, FatKind::Fat32));
        }
    }
}

#[test]
fn many_directories_get_smaller_clusters() {
    let root: Vec<Node> = (0..300).map(|n| directory(format!("D{n}"), Vec::new())).collect();
    let small = check_round_trip(&volume(root.clone(), Size::Exact(MIB), 512));
    assert_eq!(small.cluster_size(), 2048);
    let error = plan(&volume(root, Size::Exact(MIB), 4096)).unwrap_err();
    assert!(
        matches!(error, FatError::NoSpace { size: MIB, needed } if needed > MIB),
        "{error}"
    );
}

#[test]
fn impossible_sizes_are_refused() {
    for size in [
        0,
        4096,
        60 * KIB,
        MIB + 512,
        (1 << 41) + 4096,
        u64::MAX,
        u64::MAX - 4095,
    ] {
        let error = plan(&volume(Vec::new(), Size::Exact(size), 512)).unwrap_err();
        assert!(matches!(error, FatError::Size { .. }), "{size}: {error}");
    }
    for free in [1 << 45, u64::MAX] {
        let error = plan(&volume(Vec::new(), Size::Fit { free }, 512)).unwrap_err();
        assert!(matches!(error, FatError::Size { .. }), "{free}: {error}");
    }
    let error = plan(&volume(Vec::new(), Size::Exact(MIB), 2048)).unwrap_err();
    assert!(matches!(error, FatError::SectorSize(2048)));
    let many: Vec<Node> = (0..40).map(|n| file(format!("{n}"), (1 << 32) - 1, n)).collect();
    let error = plan(&volume(many.clone(), Size::Exact(1 << 30), 512)).unwrap_err();
    assert!(matches!(error, FatError::NoSpace { .. }), "{error}");
    let large = plan(&volume(many, Size::Fit { free: 0 }, 512)).unwrap();
    assert_eq!(large.cluster_size(), 32768);
}

#[test]
fn a_file_has_at_most_four_gibibytes_less_one() {
    let largest = plan(&volume(vec![file("a", (1 << 32) - 1, 0)], Size::Fit { free: 0 }, 512));
    assert!(largest.unwrap().size() > 1 << 32);
    let nodes = vec![directory("d", vec![file("a", 1 << 32, 0)])];
    let error = plan(&volume(nodes, Size::Fit { free: 0 }, 512)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/d/a has 4294967296 bytes; a file in a FAT has at most 4294967295"
    );
}

#[test]
fn timestamps_are_clamped() {
    let text = |seconds| {
        let (nearest, other) = clamped(Timestamp::from_unix(seconds));
        (nearest.to_string(), other)
    };
    assert_eq!(text(0), ("1980-01-01T00:00:00Z".into(), true));
    assert_eq!(text(315_532_800), ("1980-01-01T00:00:00Z".into(), false));
    assert_eq!(text(i64::MAX / 4), ("2107-12-31T23:59:59Z".into(), true));
    for seconds in [i64::MIN / 4, 0, 1_767_268_801, i64::MAX / 4] {
        let mut volume = volume(vec![file("a", 1, 0)], Size::Fit { free: 0 }, 512);
        volume.timestamp = Timestamp::from_unix(seconds);
        check_round_trip(&volume);
    }
}
