//! A volume made by hand, by the tables of `ext4`. What `mke2fs` makes is compared with `debugfs` by the tests that run other programs.

use super::*;

/// Bytes of a block.
const BLOCK: usize = 1024;
const INODE: usize = 256;
/// The inode table begins in this block, behind the super block and the descriptors.
const TABLE: usize = 4;
/// Data begins in this block.
const DATA: usize = 16;
const EXTENTS: u32 = 0x8_0000;

/// A volume of one group: blocks of 1 KiB, inodes of 256 bytes.
struct Made {
    bytes: Vec<u8>,
}

impl Made {
    fn new() -> Self {
        let mut made = Self {
            bytes: vec![0; 64 * BLOCK],
        };
        // s_inodes_count, s_blocks_count_lo, s_first_data_block, s_blocks_per_group, s_inodes_per_group, s_rev_level, s_feature_incompat
        for (at, value) in [
            (0, 32u32),
            (4, 64),
            (0x14, 1),
            (0x20, 8192),
            (0x28, 32),
            (0x4C, 1),
            (0x60, 0x42),
        ] {
            made.put(1024 + at, &value.to_le_bytes());
        }
        made.put(1024 + 0x38, &[0x53, 0xEF]);
        made.put(1024 + 0x58, &256u16.to_le_bytes());
        made.put(1024 + 0x78, b"by hand");
        made.put(2 * BLOCK + 8, &(TABLE as u32).to_le_bytes());
        made
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn inode_at(number: usize) -> usize {
        TABLE * BLOCK + (number - 1) * INODE
    }

    fn inode(&mut self, number: usize, mode: u16, length: u32, flags: u32, block: &[u8]) {
        let at = Self::inode_at(number);
        self.put(at, &mode.to_le_bytes());
        self.put(at + 4, &length.to_le_bytes());
        self.put(at + 0x1A, &[1, 0]);
        self.put(at + 0x20, &flags.to_le_bytes());
        self.put(at + 0x28, block);
        self.put(at + 0x80, &32u16.to_le_bytes());
    }

    /// A directory in one block of its own.
    fn directory(&mut self, number: usize, block: usize, names: &[(u32, &str)]) {
        let extent = tree(0, &[leaf(0, 1, block as u32)]);
        self.inode(number, 0o040_755, BLOCK as u32, EXTENTS, &extent);
        let entries: Vec<_> = [(number as u32, "."), (2, "..")]
            .into_iter()
            .chain(names.iter().copied())
            .collect();
        let mut at = block * BLOCK;
        for (index, (inode, name)) in entries.iter().enumerate() {
            let length = match index + 1 == entries.len() {
                true => (block + 1) * BLOCK - at,
                false => (8 + name.len()).next_multiple_of(4),
            };
            self.put(at, &inode.to_le_bytes());
            self.put(at + 4, &(length as u16).to_le_bytes());
            self.put(at + 6, &[name.len() as u8, 0]);
            self.put(at + 8, name.as_bytes());
            at += length;
        }
    }

    fn read(&self) -> Volume {
        read(&self.bytes).unwrap()
    }

    /// What the root names `x`.
    fn only(&self) -> (Entry, Vec<String>) {
        let volume = self.read();
        let entry = volume.entries.iter().find(|entry| entry.path == b"/x");
        (entry.unwrap().clone(), volume.notes)
    }
}

/// A node of an extent tree.
fn tree(depth: u16, entries: &[[u8; 12]]) -> Vec<u8> {
    let count = entries.len() as u16;
    let header = [0xF30A, count, 4, depth, 0, 0].map(u16::to_le_bytes);
    [header.as_flattened(), entries.as_flattened()].concat()
}

fn leaf(logical: u32, count: u16, start: u32) -> [u8; 12] {
    let mut leaf = [0; 12];
    leaf[..4].copy_from_slice(&logical.to_le_bytes());
    leaf[4..6].copy_from_slice(&count.to_le_bytes());
    leaf[8..].copy_from_slice(&start.to_le_bytes());
    leaf
}

fn index(logical: u32, child: u32) -> [u8; 12] {
    let mut index = [0; 12];
    index[..4].copy_from_slice(&logical.to_le_bytes());
    index[4..8].copy_from_slice(&child.to_le_bytes());
    index
}

fn addresses(list: &[(usize, u32)]) -> [u8; 60] {
    let mut block = [0; 60];
    for &(at, address) in list {
        block[at * 4..at * 4 + 4].copy_from_slice(&address.to_le_bytes());
    }
    block
}

/// In blocks.
fn runs(entry: &Entry) -> Vec<(Option<u64>, u64)> {
    let block = BLOCK as u64;
    let in_blocks = |&(offset, length): &(Option<u64>, u64)| (offset.map(|offset: u64| offset / block), length / block);
    entry.extents.iter().map(in_blocks).collect()
}

#[test]
fn names_and_what_inodes_say_of_them() {
    let mut made = Made::new();
    made.directory(
        2,
        DATA,
        &[
            (12, "d"),
            (13, "f"),
            (14, "link"),
            (15, "old"),
            (16, "pipe"),
            (13, "same"),
        ],
    );
    made.directory(12, DATA + 1, &[(17, "new")]);
    made.inode(13, 0o104_755, 5, EXTENTS, &tree(0, &[leaf(0, 1, 40)]));
    made.inode(14, 0o120_777, 4, 0, b"/d/x");
    made.inode(15, 0o060_660, 0, 0, &0x0801u32.to_le_bytes());
    made.inode(16, 0o010_600, 0, 0, &[]);
    // Major 259 and minor 70000: (70000 & 0xff) | (259 << 8) | ((70000 & 0xfff00) << 12).
    made.inode(17, 0o020_600, 0, 0, &[0, 0, 0, 0, 0x70, 0x03, 0x11, 0x11]);
    let at = Made::inode_at(13);
    // Both halves of the owner, and a time after 2038: 2^32 seconds and -1.
    made.put(at + 2, &0x5678u16.to_le_bytes());
    made.put(at + 0x78, &0x1234u16.to_le_bytes());
    made.put(at + 0x10, &u32::MAX.to_le_bytes());
    made.put(at + 0x88, &1u32.to_le_bytes());
    let volume = made.read();
    assert_eq!((volume.version, volume.label.as_str()), (Version::Ext4, "by hand"));
    assert_eq!(volume.left_out, 0);
    assert!(volume.notes.is_empty() && volume.remarks.is_empty(), "{volume:?}");
    let kinds: Vec<_> = volume
        .entries
        .iter()
        .map(|entry| (str::from_utf8(&entry.path).unwrap(), entry.kind.clone(), entry.inode))
        .collect();
    let wanted = [
        ("/", Kind::Directory, 2),
        ("/d", Kind::Directory, 12),
        ("/f", Kind::File, 13),
        ("/link", Kind::Symlink(b"/d/x".to_vec()), 14),
        ("/old", Kind::Other(Some((8, 1))), 15),
        ("/pipe", Kind::Other(None), 16),
        ("/same", Kind::File, 13),
        ("/d/new", Kind::Other(Some((259, 70000))), 17),
    ];
    assert_eq!(kinds, wanted);
    let file = &volume.entries[2];
    assert_eq!((file.mode, file.uid, file.length), (0o104_755, 0x1234_5678, 5));
    assert_eq!(file.modified, Timestamp::from_unix((1 << 32) - 1));
    assert_eq!(file.extents, [(Some(40 * 1024), 5)]);
}

#[test]
fn extents_holes_and_blocks_that_are_not_written() {
    let mut made = Made::new();
    made.directory(2, DATA, &[(12, "x")]);
    // Two extents that follow each other, a hole, two blocks that are not written, and one behind the end of the content.
    let leaves = [leaf(0, 2, 40), leaf(2, 1, 42), leaf(5, 32770, 50), leaf(9, 4, 60)];
    made.inode(12, 0o100_644, 9 * 1024, EXTENTS, &tree(0, &leaves));
    let (entry, notes) = made.only();
    assert_eq!(runs(&entry), [(Some(40), 3), (None, 6)]);
    assert!(entry.is_whole && notes.is_empty());
    // The same leaves in a block of their own.
    made.inode(12, 0o100_644, 9 * 1024, EXTENTS, &tree(1, &[index(0, 20)]));
    made.put(20 * BLOCK, &tree(0, &leaves));
    assert_eq!(runs(&made.only().0), [(Some(40), 3), (None, 6)]);
}

#[test]
fn direct_and_indirect_blocks() {
    let mut made = Made::new();
    made.directory(2, DATA, &[(12, "x")]);
    let list = [(0, 40), (1, 41), (3, 30), (12, 20), (13, 21)];
    // 12 direct blocks, 256 behind the first indirect one, and one behind the second.
    made.inode(12, 0o100_644, 269 * 1024, 0, &addresses(&list));
    made.put(20 * BLOCK, &44u32.to_le_bytes());
    made.put(21 * BLOCK, &22u32.to_le_bytes());
    made.put(22 * BLOCK, &45u32.to_le_bytes());
    let (entry, notes) = made.only();
    assert!(notes.is_empty(), "{notes:?}");
    let wanted = [
        (Some(40), 2),
        (None, 1),
        (Some(30), 1),
        (None, 8),
        (Some(44), 1),
        (None, 255),
        (Some(45), 1),
    ];
    assert_eq!(runs(&entry), wanted);
}

#[test]
fn data_in_the_inode() {
    const INLINE: u32 = 0x1000_0000;
    let mut made = Made::new();
    made.directory(2, DATA, &[(12, "x"), (13, "d")]);
    made.inode(12, 0o100_644, 64, INLINE, &[b'a'; 60]);
    let at = Made::inode_at(12);
    // The attributes begin behind 128 + 32 bytes: the magic number, an entry of 16 bytes and its name, and the value.
    made.put(at + 160, &0xEA02_0000u32.to_le_bytes());
    made.put(at + 164, &[4, 7, 40, 0, 0, 0, 0, 0, 4, 0, 0, 0]);
    made.put(at + 180, b"data");
    made.put(at + 204, b"rest");
    // An inline directory: the parent's number, then entries as in a block.
    let mut entries = vec![2, 0, 0, 0, 14, 0, 0, 0, 56, 0, 1, 0, b'y'];
    entries.resize(60, 0);
    made.inode(13, 0o040_755, 60, INLINE, &entries);
    made.inode(14, 0o120_777, 0, 0, &[]);
    let (entry, notes) = made.only();
    let offset = at as u64;
    assert_eq!(entry.extents, [(Some(offset + 40), 60), (Some(offset + 204), 4)]);
    assert!(entry.is_whole && notes.is_empty(), "{notes:?}");
    assert!(made.read().entries.iter().any(|entry| entry.path == b"/d/y"));
    // Without the attribute a part is missing.
    made.put(at + 160, &[0; 4]);
    let (entry, notes) = made.only();
    assert!(!entry.is_whole);
    assert_eq!(notes, ["/x: not all of it is in its inode"]);
}

/// What is changed, and what the notes say then.
type Damage = (fn(&mut Made), &'static str);

#[test]
fn damage_is_said() {
    let cases: [Damage; 8] = [
        (
            |made| made.inode(12, 0o100_644, 5, EXTENTS, &[0; 60]),
            "/x: its tree of extents is damaged",
        ),
        (
            |made| {
                made.inode(
                    12,
                    0o100_644,
                    9999,
                    EXTENTS,
                    &tree(0, &[leaf(0, 2, 40), leaf(1, 2, 50)]),
                )
            },
            "/x: its extents overlap",
        ),
        (
            |made| made.inode(12, 0o100_644, 9999, EXTENTS, &tree(0, &[leaf(0, 2, 63)])),
            "/x: a part of it is behind the end of the volume",
        ),
        (
            |made| {
                made.inode(12, 0o100_644, 9999, EXTENTS, &tree(1, &[index(0, 20)]));
                made.put(20 * BLOCK, &tree(1, &[index(0, 20)]));
            },
            "/x: its tree of extents is damaged",
        ),
        (
            |made| made.inode(12, 0o100_644, 99_999, 0, &addresses(&[(12, 64)])),
            "/x: block 64, which says where it is, is not in the volume",
        ),
        (
            |made| made.directory(2, DATA, &[(2, "x")]),
            "the directory /x is the same as another directory",
        ),
        (
            |made| made.directory(2, DATA, &[(33, "y"), (12, "x")]),
            "/y: inode 33 is not in any group",
        ),
        (
            |made| made.directory(2, DATA, &[(12, "a/b"), (12, "x")]),
            "/a/b cannot be part of a path; it is left out",
        ),
    ];
    for (damage, wanted) in cases {
        let mut made = Made::new();
        made.directory(2, DATA, &[(12, "x")]);
        made.inode(12, 0o100_644, 0, EXTENTS, &tree(0, &[]));
        assert!(made.only().1.is_empty());
        damage(&mut made);
        assert_eq!(made.only().1, [wanted]);
    }
}

/// A field of the super block, its new value, and what the error says then.
type Refusal = (usize, u32, &'static str);

#[test]
fn what_is_not_read_is_refused_by_name() {
    let cases: [Refusal; 8] = [
        (0x38, 0, "the magic number of the super block is wrong"),
        (0x60, 0x8, "it is the journal of a file system that is elsewhere"),
        (
            0x60,
            0x8000_0002,
            "it has incompatible features that are not known here: 0x80000000",
        ),
        (0x18, 7, "blocks of 2^7 KiB are too large"),
        (0x20, 0, "the super block counts no blocks or inodes in a group"),
        (0x58, 384, "inodes of 384 bytes are impossible"),
        (4, u32::MAX, "it is too short for its 524288 groups of blocks"),
        (0x18, 6, "the descriptors of its groups are in block 2, behind its end"),
    ];
    for (field, value, wanted) in cases {
        let mut made = Made::new();
        made.directory(2, DATA, &[]);
        made.put(1024 + field, &value.to_le_bytes());
        let error = read(&made.bytes).unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
    assert!(read(&vec![0; 2047]).is_err());
    let mut made = Made::new();
    made.inode(2, 0o100_644, 0, 0, &[]);
    assert_eq!(
        read(&made.bytes).unwrap_err().to_string(),
        "the root is not a directory"
    );
}

#[test]
fn no_change_of_a_byte_makes_it_fall() {
    let mut made = Made::new();
    made.directory(2, DATA, &[(12, "x"), (13, "d")]);
    made.directory(13, DATA + 1, &[(2, "up")]);
    made.inode(12, 0o100_644, 9 * 1024, EXTENTS, &tree(1, &[index(0, 20)]));
    made.put(20 * BLOCK, &tree(0, &[leaf(0, 2, 40)]));
    let bytes = made.bytes;
    proptest::proptest!(|(changes in proptest::collection::vec((0usize..21 * BLOCK, proptest::num::u8::ANY), 1..20))| {
        let mut bytes = bytes.clone();
        for (at, value) in changes {
            bytes[at] = value;
        }
        if let Ok(volume) = read(&bytes) {
            for entry in &volume.entries {
                let held: u64 = entry.extents.iter().map(|&(_, length)| length).sum();
                proptest::prop_assert!(held <= entry.length || matches!(entry.kind, Kind::Symlink(_)));
            }
        }
    });
}
