//! Whole hierarchies: encoded, laid out, and read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::ground::block::Block;
use crate::ground::read_at::ReadAt;

const TIME: Timestamp = Timestamp::from_unix(1_767_225_600);

fn posix(mode: u32, serial: u32) -> Posix {
    Posix {
        mode,
        links: 1,
        uid: 0,
        gid: 0,
        serial,
        mtime: TIME,
    }
}

/// A tree of these paths, parents before children; a path that ends in `/` is a directory, `->` names a link's target.
pub(super) fn tree(paths: &[&str]) -> Tree {
    let mut tree = Tree {
        nodes: vec![Node {
            parent: IsoNode::ROOT,
            name: Arc::default(),
            kind: Kind::Directory,
            posix: posix(0o040_755, 1),
        }],
    };
    let mut known: BTreeMap<String, IsoNode> = BTreeMap::from([(String::new(), IsoNode::ROOT)]);
    for path in paths {
        let (path, target) = path
            .split_once("->")
            .map_or((*path, None), |(path, target)| (path, Some(target)));
        let directory = path.ends_with('/');
        let path = path.trim_end_matches('/');
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (kind, mode) = match target {
            Some(target) => (Kind::Symlink { target: target.into() }, 0o120_777),
            None if directory => (Kind::Directory, 0o040_755),
            None => (Kind::File { length: 5 }, 0o100_644),
        };
        let serial = tree.nodes.len() as u32;
        known.insert(path.to_owned(), IsoNode::new(serial));
        tree.nodes.push(Node {
            parent: known[parent],
            name: name.as_bytes().into(),
            kind,
            posix: posix(mode, serial + 1),
        });
    }
    tree
}

/// A volume of one hierarchy, its descriptor and where its nodes are.
pub(super) struct Volume {
    pub(super) bytes: Vec<u8>,
    pub(super) descriptor: VolumeDescriptor,
    pub(super) nodes: Vec<u64>,
}

struct Addresses<'a> {
    nodes: &'a [u64],
    continuation: u64,
}

impl Locate for Addresses<'_> {
    type Error = NotABlock;

    fn directory(&self, node: IsoNode) -> Result<Block, NotABlock> {
        Block::at(self.nodes[node.index()])
    }

    fn data(&self, node: IsoNode, offset: u64) -> Result<Block, NotABlock> {
        Block::at(self.nodes[node.index()] + offset)
    }

    fn continuation(&self, offset: u64) -> Result<Block, NotABlock> {
        Block::at(self.continuation + offset)
    }
}

pub(super) fn volume(tree: &Tree, flavour: Flavour) -> Volume {
    volume_at(tree, flavour, 0)
}

/// The volume of a session that begins at `start`, with nothing before it.
pub(super) fn volume_at(tree: &Tree, flavour: Flavour, start: u64) -> Volume {
    let hierarchy = Hierarchy::plan(tree, flavour).unwrap();
    let mut end = start + SYSTEM_AREA + 2 * SECTOR;
    let mut place = |length: u64| {
        let offset = end;
        end += length.next_multiple_of(SECTOR);
        offset
    };
    let path_table_length = hierarchy.path_table_length();
    let (path_table_l, path_table_m) = (place(path_table_length), place(path_table_length));
    let mut nodes = vec![0; tree.nodes.len()];
    for &directory in hierarchy.directories() {
        nodes[directory.index()] = place(hierarchy.directory_length(directory));
    }
    let continuation = place(hierarchy.continuation_length());
    for (id, node) in tree.iter() {
        if let Kind::File { length } = node.kind {
            nodes[id.index()] = place(length.min(SECTOR));
        }
    }
    let addresses = Addresses {
        nodes: &nodes,
        continuation,
    };
    let descriptor = VolumeDescriptor {
        kind: if flavour == Flavour::Joliet {
            VolumeKind::Joliet
        } else {
            VolumeKind::Primary
        },
        identifiers: Identifiers {
            volume: "A Volume".into(),
            publisher: "p".into(),
            ..Identifiers::default()
        },
        space: end - start,
        path_table_length,
        path_table_l,
        path_table_m,
        root: hierarchy.root_record(nodes[0]),
        created: TIME,
        application_use: [0; FIELD_LENGTH],
    };
    let mut bytes = vec![0; end as usize];
    let mut put = |offset: u64, piece: &[u8]| bytes[offset as usize..][..piece.len()].copy_from_slice(piece);
    put(start + SYSTEM_AREA, &descriptor.encode().unwrap());
    put(start + SYSTEM_AREA + SECTOR, &terminator());
    put(path_table_l, &hierarchy.path_table(Endian::Little, &addresses).unwrap());
    put(path_table_m, &hierarchy.path_table(Endian::Big, &addresses).unwrap());
    for &directory in hierarchy.directories() {
        let encoded = hierarchy.directory(directory, &addresses).unwrap();
        assert_eq!(encoded.len() as u64, hierarchy.directory_length(directory));
        put(addresses.nodes[directory.index()], &encoded);
    }
    let area = hierarchy.continuation(&addresses).unwrap();
    assert_eq!(area.len() as u64, hierarchy.continuation_length());
    put(continuation, &area);
    Volume {
        bytes,
        descriptor,
        nodes,
    }
}

/// What a reader must find: the path of every node, its kind and its place.
fn check(tree: &Tree, flavour: Flavour) -> Walk {
    let volume = volume(tree, flavour);
    let read = read_descriptors(&volume.bytes).unwrap();
    let [
        (SYSTEM_AREA, Descriptor::Volume(descriptor)),
        (_, Descriptor::Terminator),
    ] = &read[..]
    else {
        panic!("{read:?}")
    };
    assert_eq!(**descriptor, volume.descriptor);
    path_tables(&volume.bytes, descriptor).unwrap();
    let walk = walk(&volume.bytes, descriptor).unwrap();
    assert_eq!((walk.flavour, &walk.notes), (flavour, &Vec::new()));
    let hierarchy = Hierarchy::plan(tree, flavour).unwrap();
    let mut wanted = Vec::new();
    for (id, node) in tree.iter() {
        let kind = match &node.kind {
            Kind::Directory => EntryKind::Directory,
            Kind::File { .. } => EntryKind::File,
            Kind::Symlink { target } if flavour == Flavour::RockRidge => EntryKind::Symlink(target.clone()),
            _ if flavour == Flavour::RockRidge => EntryKind::Other(None),
            _ => continue,
        };
        let extents = match node.kind {
            Kind::Directory => vec![(volume.nodes[id.index()], hierarchy.directory_length(id))],
            Kind::File { length: 1.. } => vec![(volume.nodes[id.index()], 5)],
            _ => Vec::new(),
        };
        wanted.push(IsoEntry {
            path: path(tree, &hierarchy, flavour, id),
            kind,
            is_whole: true,
            zisofs: None,
            length: extents.iter().map(|(_, length)| length).sum(),
            extents,
            posix: (flavour == Flavour::RockRidge).then_some(node.posix),
            modified: TIME,
            record: 0,
        });
    }
    let mut found = walk.entries.clone();
    wanted.sort_by(|a, b| a.path.cmp(&b.path));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.iter_mut().for_each(|entry| entry.record = 0);
    assert_eq!(found, wanted);
    walk
}

fn path(tree: &Tree, hierarchy: &Hierarchy<&Tree>, flavour: Flavour, id: IsoNode) -> Vec<u8> {
    if id == IsoNode::ROOT {
        return b"/".to_vec();
    }
    let parent = match tree.node(id).parent {
        IsoNode::ROOT => Vec::new(),
        parent => path(tree, hierarchy, flavour, parent),
    };
    let name = match flavour {
        Flavour::RockRidge => tree.node(id).name.to_vec(),
        _ => hierarchy.name(id).into_bytes(),
    };
    [parent, b"/".to_vec(), name].concat()
}

const FLAVOURS: [Flavour; 3] = [Flavour::Plain, Flavour::RockRidge, Flavour::Joliet];

#[test]
fn a_tree_reads_back_in_every_flavour() {
    let long = "n".repeat(253);
    let deep: Vec<String> = (1..=12).map(|depth| "d/".repeat(depth)).collect();
    let target = format!("l->{}", "t/".repeat(900));
    let mut paths = vec![
        "a",
        "b/",
        "b/c.txt",
        "b/C.TXT",
        "b/link->../a",
        "b/grün?",
        ".hidden",
        &long,
        &target,
    ];
    paths.extend(deep.iter().map(String::as_str));
    let tree = tree(&paths);
    for flavour in FLAVOURS {
        check(&tree, flavour);
    }
}

#[test]
fn pieces_of_continuations_follow_in_the_order_of_the_records() {
    let names: Vec<String> = (0..300).map(|n| format!("{n}{}", "x".repeat(200 + n % 50))).collect();
    let tree = tree(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let walk = check(&tree, Flavour::RockRidge);
    assert!(walk.continuations.len() > 250);
    assert!(walk.continuations.is_sorted());
    assert!(
        walk.continuations
            .iter()
            .all(|(offset, length)| offset % SECTOR + length <= SECTOR)
    );
}

#[test]
fn a_large_file_has_a_record_for_each_section() {
    let mut tree = tree(&["big", "small"]);
    tree.nodes[1].kind = Kind::File {
        length: 2 * SECTION + 7,
    };
    for flavour in FLAVOURS {
        let volume = volume(&tree, flavour);
        let root = volume.bytes.read_vec_at(volume.descriptor.root.offset, SECTOR).unwrap();
        let mut records = Vec::new();
        let mut rest = root.as_slice();
        while rest[0] != 0 {
            records.push((
                rest[25],
                u32::from_le_bytes([rest[2], rest[3], rest[4], rest[5]]),
                rest[10..14].to_vec(),
            ));
            rest = &rest[usize::from(rest[0])..];
        }
        let (first, step) = ((volume.nodes[1] / SECTOR) as u32, (SECTION / SECTOR) as u32);
        let long = (SECTION as u32).to_le_bytes().to_vec();
        let wanted = [
            (0x80, first, long.clone()),
            (0x80, first + step, long),
            (0, first + 2 * step, vec![7, 0, 0, 0]),
        ];
        assert_eq!(records[2..5], wanted, "{flavour:?}");
        let walk = walk(&volume.bytes, &volume.descriptor).unwrap();
        assert_eq!(walk.entries.len(), 3, "{flavour:?}");
    }
}

#[test]
fn what_no_reader_could_follow_is_refused() {
    let deep: Vec<String> = (1..=DEPTH + 1).map(|depth| "d/".repeat(depth)).collect();
    let deep = tree(&deep.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(matches!(
        Hierarchy::plan(&deep, Flavour::RockRidge),
        Err(Iso9660Error::TooDeep { .. })
    ));
    let name = "n".repeat(256);
    let long = tree(&[&name]);
    assert!(matches!(
        Hierarchy::plan(&long, Flavour::RockRidge),
        Err(Iso9660Error::NameTooLong { length: 256, .. })
    ));
    let mut descriptor = volume(&long, Flavour::Plain).descriptor;
    descriptor.identifiers.volume = "v".repeat(33);
    assert!(matches!(
        descriptor.encode(),
        Err(Iso9660Error::FieldTooLong {
            field: "volume identifier",
            limit: 32,
            ..
        })
    ));
}

#[test]
fn path_tables_number_parents_with_sixteen_bits() {
    let names: Vec<String> = (0..65_536).map(|n| format!("d{n}/")).collect();
    let mut paths: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(Hierarchy::plan(&tree(&paths), Flavour::Plain).is_ok());
    // In the order of identifiers "D99999" would come last; "D9999" does.
    paths.push("d9999/x/");
    let last = tree(&paths);
    assert!(matches!(
        Hierarchy::plan(&last, Flavour::Plain),
        Err(Iso9660Error::ParentNumber { number: 65_537, .. })
    ));
}

#[test]
fn names_that_differ_only_in_case_are_told() {
    let tree = tree(&["a", "A", "b"]);
    let joliet = Hierarchy::plan(&tree, Flavour::Joliet).unwrap();
    assert_eq!(joliet.case_collisions(), [(IsoNode::new(1), IsoNode::new(2))]);
    assert_eq!(joliet.mappings(), []);
    let deep = self::tree(&[
        "1/",
        "1/2/",
        "1/2/3/",
        "1/2/3/4/",
        "1/2/3/4/5/",
        "1/2/3/4/5/6/",
        "1/2/3/4/5/6/7/",
    ]);
    assert_eq!(Hierarchy::plan(&deep, Flavour::Plain).unwrap().too_deep(), None);
}

#[test]
fn no_changed_byte_makes_the_reader_fall_or_loop() {
    let tree = tree(&["a", "b/", "b/c", "b/l->../a/b", "b/d/", "b/d/e", &"n".repeat(220)]);
    for flavour in FLAVOURS {
        let Volume {
            bytes: mut damaged,
            descriptor,
            ..
        } = volume(&tree, flavour);
        for at in SYSTEM_AREA as usize..damaged.len() {
            for value in [0, 1, 0xFF, damaged[at] ^ 1] {
                let before = std::mem::replace(&mut damaged[at], value);
                let read = read_descriptors(&damaged);
                let descriptors = read.unwrap_or_default();
                for (_, read) in &descriptors {
                    if let Descriptor::Volume(volume) = read {
                        let _ = path_tables(&damaged, volume);
                        if let Ok(walk) = walk(&damaged, volume) {
                            assert!(walk.entries.len() < 200 && walk.notes.len() <= 101);
                        }
                    }
                }
                // The change of the descriptor does not move the root directory.
                if let Ok(walk) = walk(&damaged, &descriptor) {
                    assert!(walk.entries.len() < 200 && walk.notes.len() <= 101);
                }
                damaged[at] = before;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_names_read_back(names in proptest::collection::btree_set("[a-zA-Z0-9._+ ü*;]{1,40}", 1..60), split in 1usize..9) {
        let mut paths: Vec<String> = Vec::new();
        for (index, name) in names.iter().filter(|name| !matches!(name.as_str(), "." | "..")).enumerate() {
            match index % split {
                0 => paths.push(format!("{name}/")),
                _ => paths.push(format!("{}{name}", paths.iter().rev().find(|path| path.ends_with('/')).cloned().unwrap_or_default())),
            }
        }
        let tree = tree(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        for flavour in FLAVOURS {
            check(&tree, flavour);
        }
    }
}
