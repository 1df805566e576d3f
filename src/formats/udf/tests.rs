//! Volumes written here, block by block, with what no tool at hand writes: metadata partitions, chains of allocation descriptors,
//! and lies.

use super::descriptor::{
    ALLOCATION_EXTENT, ANCHOR, EXTENDED_FILE_ENTRY, FILE_ENTRY, FILE_IDENTIFIER, FILE_SET, LOGICAL_VOLUME, PARTITION,
    TERMINATING, crc,
};
use super::{Kind, UdfEntry, UdfError, Volume};
use crate::ground::read_at::ReadAt;

const BLOCK: usize = 2048;
/// First logical sector of the partition, and its blocks.
const START: usize = 257;
const BLOCKS: usize = 64;

struct Writer(Vec<u8>);

fn read(bytes: &dyn ReadAt) -> Result<Option<Volume>, UdfError> {
    super::read(bytes, bytes.size())
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

/// A descriptor with its tag. The checksum covers all of it.
fn tagged(identifier: u16, location: u32, mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() as u16 - 16;
    put(&mut bytes, 0, &identifier.to_le_bytes());
    put(&mut bytes, 2, &[2, 0, 0, 0]);
    let sum = crc(&bytes[16..]);
    put(&mut bytes, 8, &sum.to_le_bytes());
    put(&mut bytes, 10, &body.to_le_bytes());
    put(&mut bytes, 12, &location.to_le_bytes());
    bytes[4] = bytes[..16].iter().fold(0, |sum, &byte| sum.wrapping_add(byte));
    bytes
}

fn short(length: u32, block: u32) -> Vec<u8> {
    [length.to_le_bytes(), block.to_le_bytes()].concat()
}

fn long(length: u32, block: u32, partition: u16) -> Vec<u8> {
    let mut bytes = short(length, block);
    bytes.extend(partition.to_le_bytes());
    bytes.resize(16, 0);
    bytes
}

fn name(name: &str, block: u32, partition: u16) -> Vec<u8> {
    let mut bytes = vec![0; 38];
    bytes[18] = if name.is_empty() { 8 } else { 0 };
    put(&mut bytes, 20, &long(BLOCK as u32, block, partition));
    if !name.is_empty() {
        bytes.push(8);
        bytes.extend(name.bytes());
    }
    bytes[19] = (bytes.len() - 38) as u8;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    tagged(FILE_IDENTIFIER, 0, bytes)
}

/// A file entry of a type, with its content or allocation descriptors.
fn file_entry(file_type: u8, form: u8, length: u64, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 176];
    bytes[20] = 4;
    bytes[27] = file_type;
    bytes[34] = form;
    put(&mut bytes, 44, &(5u32 << 10 | 4 << 5 | 1).to_le_bytes());
    put(&mut bytes, 48, &[1, 0]);
    put(&mut bytes, 56, &length.to_le_bytes());
    put(&mut bytes, 172, &(data.len() as u32).to_le_bytes());
    bytes.extend(data);
    tagged(FILE_ENTRY, 0, bytes)
}

impl Writer {
    /// Anchor, descriptors and file set; the file set and all file entries are in the partition map `partition`.
    fn new(maps: &[Vec<u8>], partition: u16) -> Self {
        let mut writer = Self(vec![0; (START + BLOCKS) * BLOCK]);
        let mut anchor = vec![0; 512];
        put(&mut anchor, 16, &short(3 * BLOCK as u32, 32));
        for sector in [256, START + BLOCKS - 1] {
            writer.sector(sector, &tagged(ANCHOR, sector as u32, anchor.clone()));
        }
        let mut logical = vec![0; 440];
        put(&mut logical, 84, b"\x08label");
        logical[84 + 127] = 6;
        put(&mut logical, 212, &(BLOCK as u32).to_le_bytes());
        put(&mut logical, 240, &[0x50, 0x02]);
        put(&mut logical, 248, &long(BLOCK as u32, 0, partition));
        put(&mut logical, 268, &(maps.len() as u32).to_le_bytes());
        logical.extend(maps.concat());
        writer.sector(32, &tagged(LOGICAL_VOLUME, 32, logical));
        let mut physical = vec![0; 512];
        put(&mut physical, 188, &(START as u32).to_le_bytes());
        put(&mut physical, 192, &(BLOCKS as u32).to_le_bytes());
        writer.sector(33, &tagged(PARTITION, 33, physical));
        writer.sector(34, &tagged(TERMINATING, 34, vec![0; 512]));
        writer
    }

    fn sector(&mut self, sector: usize, bytes: &[u8]) {
        put(&mut self.0, sector * BLOCK, bytes);
    }

    fn block(&mut self, block: usize, bytes: &[u8]) {
        self.sector(START + block, bytes);
    }

    fn volume(&self) -> Volume {
        read(&self.0).unwrap().unwrap()
    }
}

fn file_set(root: u32, partition: u16) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    put(&mut bytes, 400, &long(BLOCK as u32, root, partition));
    tagged(FILE_SET, 0, bytes)
}

fn physical_map() -> Vec<u8> {
    vec![1, 6, 0, 0, 0, 0]
}

/// The root at block 1 with these names, all of them in its file entry.
fn simple(names: &[Vec<u8>]) -> Writer {
    let mut writer = Writer::new(&[physical_map()], 0);
    writer.block(0, &file_set(1, 0));
    let content = [name("", 1, 0), names.concat()].concat();
    writer.block(1, &file_entry(4, 3, content.len() as u64, &content));
    writer
}

fn find<'v>(volume: &'v Volume, path: &str) -> &'v UdfEntry {
    let found = volume.entries.iter().find(|entry| entry.path == path.as_bytes());
    found.unwrap_or_else(|| panic!("no {path} in {volume:?}"))
}

fn at(block: usize) -> Option<u64> {
    Some(((START + block) * BLOCK) as u64)
}

#[test]
fn a_metadata_partition_holds_the_tree() {
    let mut metadata = vec![0; 64];
    put(&mut metadata, 0, &[2, 64]);
    put(&mut metadata, 5, b"*UDF Metadata Partition");
    put(&mut metadata, 40, &10u32.to_le_bytes());
    put(&mut metadata, 44, &u32::MAX.to_le_bytes());
    // Before the map that it is in.
    let mut writer = Writer::new(&[physical_map(), metadata], 1);
    let pieces = [short(2 * BLOCK as u32, 20), short(BLOCK as u32, 30)].concat();
    writer.block(10, &file_entry(250, 0, 3 * BLOCK as u64, &pieces));
    writer.block(20, &file_set(1, 1));
    let names = [name("", 1, 1), name("file", 2, 1)].concat();
    writer.block(21, &file_entry(4, 3, names.len() as u64, &names));
    writer.block(30, &file_entry(5, 1, 3000, &long(3000, 40, 0)));
    let volume = writer.volume();
    assert_eq!(volume.label, "label");
    assert_eq!(find(&volume, "/file").extents, [(at(40), 3000)]);
    assert_eq!(find(&volume, "/file").attributes.mode, 0o100_541);
    assert_eq!(volume.notes, [""; 0]);
}

#[test]
fn allocation_descriptors_go_on_elsewhere_and_leave_holes() {
    let mut writer = simple(&[name("file", 2, 0)]);
    let more = short(3 << 30 | BLOCK as u32, 3);
    let list = [short(BLOCK as u32, 10), short(1 << 30 | 4096, 0), more].concat();
    writer.block(2, &file_entry(5, 0, 10_000, &list));
    let mut continued = vec![0; 24];
    put(&mut continued, 20, &8u32.to_le_bytes());
    continued.extend(short(4096, 20));
    writer.block(3, &tagged(ALLOCATION_EXTENT, 3, continued));
    let volume = writer.volume();
    // The last extent is allocated to its end, and the content ends before.
    let wanted = [(at(10), 2048), (None, 4096), (at(20), 10_000 - 6144)];
    assert_eq!(find(&volume, "/file").extents, wanted);
    assert_eq!(volume.notes, [""; 0]);
}

#[test]
fn an_extended_entry_and_links_of_every_component() {
    let mut writer = simple(&[name("link", 2, 0), name("extended", 3, 0)]);
    let target = b"\x02\0\0\0\x05\x02\0\0\x08a\x03\0\0\0\x04\0\0\0\x05\x03\0\0\x10\x30\x42";
    writer.block(2, &file_entry(12, 3, target.len() as u64, target));
    let mut extended = vec![0; 216];
    extended[20] = 4;
    extended[27] = 5;
    extended[34] = 3;
    put(&mut extended, 56, &4u64.to_le_bytes());
    put(&mut extended, 212, &4u32.to_le_bytes());
    extended.extend(b"text");
    writer.block(3, &tagged(EXTENDED_FILE_ENTRY, 0, extended));
    let volume = writer.volume();
    assert_eq!(find(&volume, "/link").kind, Kind::Symlink("/a/.././あ".into()));
    assert_eq!(find(&volume, "/extended").extents, [(at(3).map(|at| at + 216), 4)]);
}

#[test]
fn what_lies_is_noted_and_ends() {
    let noted = |writer: &Writer, why: &str| {
        let notes = writer.volume().notes;
        assert!(notes.iter().any(|note| note.contains(why)), "{notes:?}, not {why}");
    };
    noted(&simple(&[name("file", 2, 9)]), "/file leads to no partition");
    noted(&simple(&[name("file", 9999, 0)]), "/file leads to no partition");
    noted(&simple(&[name("file", 5, 0)]), "there is no file entry");
    noted(
        &simple(&[name("again", 1, 0)]),
        "the directory /again has the same place as another directory",
    );

    let mut chain = simple(&[name("file", 2, 0)]);
    let more = short(3 << 30 | BLOCK as u32, 3);
    chain.block(2, &file_entry(5, 0, 5000, &more));
    let mut continued = vec![0; 24];
    put(&mut continued, 20, &8u32.to_le_bytes());
    continued.extend(&more);
    chain.block(3, &tagged(ALLOCATION_EXTENT, 3, continued));
    noted(&chain, "/file: its allocation descriptors do not go on");

    let mut long_file = simple(&[name("file", 2, 0)]);
    let list = short(0x3fff_f800, 0).repeat(100);
    long_file.block(2, &file_entry(5, 0, u64::MAX, &list));
    noted(&long_file, "/file: its content has more bytes than the image");

    let mut damaged = simple(&[name("file", 2, 0)]);
    let mut entry = file_entry(5, 3, 4, b"text");
    entry[100] ^= 1;
    damaged.block(2, &entry);
    noted(&damaged, "/file: the checksum of the file entry");

    let mut strategy = simple(&[name("file", 2, 0)]);
    let mut entry = file_entry(5, 3, 4, b"text");
    entry[20] = 0;
    entry[21] = 16;
    strategy.block(2, &entry);
    noted(&strategy, "is of strategy 4096, which is not supported");
}

#[test]
fn what_everything_depends_on_is_an_error() {
    let whole = simple(&[]);
    let without = |sectors: &[usize]| {
        let mut bytes = whole.0.clone();
        for sector in sectors {
            bytes[sector * BLOCK..][..BLOCK].fill(0);
        }
        read(&bytes)
    };
    assert!(matches!(without(&[256, START + BLOCKS - 1]), Ok(None)));
    // One that is left is enough to read, and is said.
    let last = START + BLOCKS - 1;
    let first_alone = without(&[last]).unwrap().unwrap();
    assert!(first_alone.remarks[0].starts_with("there is one anchor, in sector 256, "));
    assert_eq!(first_alone.notes, [""; 0]);
    let last_alone = without(&[256]).unwrap().unwrap();
    assert!(last_alone.notes[0].starts_with(&format!("there is one anchor, in sector {last}, ")));
    for (sector, why) in [
        (32, "no logical volume descriptor"),
        (33, "no file set descriptor"),
        (START, "no file set descriptor"),
        (START + 1, "there is no file entry"),
    ] {
        match without(&[sector]) {
            Err(UdfError::Damaged(reason)) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{sector}: {other:?}"),
        }
    }
}

/// Every byte of every structure, each turned into some others, and every end.
#[test]
fn no_byte_makes_it_panic() {
    let mut writer = simple(&[name("a", 2, 0), name("b", 3, 0), name("link", 4, 0)]);
    writer.block(2, &file_entry(5, 0, 5000, &[short(4096, 10), short(904, 20)].concat()));
    let inner = name("", 1, 0);
    writer.block(
        3,
        &file_entry(4, 1, inner.len() as u64, &long(inner.len() as u32, 5, 0)),
    );
    writer.block(5, &inner);
    writer.block(4, &file_entry(12, 3, 8, b"\x05\x02\0\0\x08a\0\0"));
    let whole = writer.0;
    let structures = [
        32,
        33,
        256,
        START,
        START + 1,
        START + 2,
        START + 3,
        START + 4,
        START + 5,
    ];
    for sector in structures {
        for byte in 0..520 {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                let block = &mut bytes[sector * BLOCK..][..BLOCK];
                block[byte] = value;
                // With a tag that is right again, so that what is behind it is believed.
                let identifier = u16::from_le_bytes([block[0], block[1]]);
                if byte >= 16 {
                    let again = tagged(
                        identifier,
                        u32::from_le_bytes([block[12], block[13], 0, 0]),
                        block.to_vec(),
                    );
                    block.copy_from_slice(&again);
                }
                let _ = read(&bytes);
            }
        }
    }
    for end in (0..whole.len()).step_by(509) {
        let _ = read(&whole[..end].to_vec());
    }
}
