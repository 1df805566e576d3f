use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::output::{FileFormat, Interrupt, Piece, PieceSource, Target, Wanted, write_all};

/// A disk of 5 MiB: bytes that differ everywhere at its start, in the middle and in its last sector.
fn bytes() -> Vec<u8> {
    let mut disk = vec![0; 5 << 20];
    for (start, length) in [(0, 100_000), (3_000_000, 200_000), ((5 << 20) - 512, 512)] {
        for (byte, at) in disk[start..start + length].iter_mut().zip(start..) {
            *byte = (at.wrapping_mul(2_654_435_761) >> 13) as u8 | 1;
        }
    }
    disk
}

/// The disk in a file of a form.
fn file(name: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    let format = FileFormat::of_name(name).unwrap();
    let disk = bytes();
    let pieces = [Ok::<_, std::convert::Infallible>(Piece {
        offset: 0,
        length: disk.len() as u64,
        source: PieceSource::Bytes(disk.as_slice().into()),
    })];
    let targets = [Target::of_disk(path.clone(), format)];
    let size = disk.len() as u64;
    write_all(
        &targets,
        size,
        pieces.into_iter(),
        Wanted::default(),
        &mut |_| {},
        &Interrupt::default(),
    )
    .unwrap();
    std::fs::read(Path::new(&path)).unwrap()
}

fn disk(file: Vec<u8>) -> Result<Option<Shared>, DiskError> {
    disk_in(&Shared::new(file))
}

#[test]
fn every_form_that_is_written_is_read() {
    let wanted = bytes();
    for name in ["qcow2", "vhd", "vhd-fixed", "vhdx", "vmdk", "dmg"] {
        let disk = disk(file(name)).unwrap().unwrap();
        assert_eq!(disk.size(), wanted.len() as u64, "{name}");
        assert!(disk.read_vec_at(0, disk.size()).unwrap() == wanted, "{name}");
        // Across the borders of units, and behind the end.
        for offset in [65_530, (1 << 18) - 5, (2 << 20) - 7, 3_100_000] {
            assert_eq!(
                disk.read_vec_at(offset, 20).unwrap(),
                wanted[offset as usize..][..20],
                "{name}"
            );
        }
        assert!(disk.read_exact_at(&mut [0; 20], (5 << 20) - 19).is_err(), "{name}");
        // All in front of data is zeros, and the data is found.
        let mut at = 0;
        for wanted in [0, 3_000_000, (5 << 20) - 512] {
            let data = disk.data_from(at).unwrap();
            assert!(
                data <= wanted && bytes()[at as usize..data as usize].iter().all(|&byte| byte == 0),
                "{name} {at} {data}"
            );
            at = wanted + 300_000;
        }
        assert_eq!(disk.data_from(5 << 20).unwrap(), 5 << 20, "{name}");
    }
}

#[test]
fn an_image_that_begins_like_a_disk_is_an_image() {
    let mut image = vec![0; 1 << 20];
    image[..4].copy_from_slice(b"QFI\xfb");
    assert!(disk(image.clone()).is_err());
    image[0x8001..0x8006].copy_from_slice(b"CD001");
    assert!(disk(image).unwrap().is_none());
}

#[test]
fn what_is_more_than_one_file_is_refused_by_name() {
    let refused = |file: Vec<u8>| match disk(file) {
        Err(DiskError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    // backing_file_offset and backing_file_size, and the name there.
    let mut layer = file("qcow2");
    layer[8..20].copy_from_slice(&[0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 8]);
    layer[512..520].copy_from_slice(b"base.img");
    assert!(refused(layer).contains("base.img"));
    let mut encrypted = file("qcow2");
    encrypted[35] = 2;
    assert!(refused(encrypted).contains("LUKS"));
    // 2^63 bytes, in a table of one entry.
    let mut long = file("qcow2");
    long[24] = 0x80;
    assert!(refused(long).contains("9223372036"));
    let mut external = file("qcow2");
    external[79] = 4;
    assert!(refused(external).contains("another file"));
    assert!(refused(b"encrcdsa\0\0\0\x02".to_vec()).contains("encrypted"));
    let text = b"# Disk DescriptorFile\nversion=1\nRW 8192 FLAT \"disk-flat.vmdk\" 0\n";
    assert!(refused(text.to_vec()).contains("disk-flat.vmdk"));
    let mut vhdx = file("vhdx");
    // A LogGuid in the header that counts, which makes its checksum wrong.
    vhdx[(128 << 10) + 48] = 1;
    assert!(disk(vhdx.clone()).is_ok(), "the other header counts");
    vhdx[(64 << 10) + 8] = 9;
    assert!(refused(vhdx).contains("header"));
}

/// All entries of the table point at one block: a file of 4 MiB has a disk of 1 GiB.
#[test]
fn a_short_file_has_no_long_disk() {
    let mut vdi = vec![0; 4 << 20];
    vdi[64..72].copy_from_slice(b"\x7f\x10\xda\xbe\x01\0\x01\0");
    vdi[76] = 1;
    for (at, number) in [(340, 512u32), (344, 1 << 20), (376, 1 << 20), (384, 1024)] {
        vdi[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    vdi[368..376].copy_from_slice(&(1u64 << 30).to_le_bytes());
    let error = disk(vdi.clone()).unwrap_err();
    assert!(error.to_string().contains("more than the"), "{error}");
    // With one block in the file and all others absent, the whole disk can be read.
    vdi[516..512 + 4096].fill(0xff);
    vdi[1 << 20] = 9;
    let disk = disk(vdi).unwrap().unwrap();
    assert_eq!(
        (
            disk.size(),
            disk.read_vec_at(0, 1).unwrap(),
            disk.data_from(1 << 20).unwrap()
        ),
        (1 << 30, vec![9], 1 << 30)
    );
}

/// libsparse: 4096-byte blocks; two raw, three that are not there, one filled with a word, a checksum.
#[test]
fn androids_chunks_follow_each_other() {
    let mut sparse = b"\x3a\xff\x26\xed\x01\0\0\0\x1c\0\x0c\0".to_vec();
    sparse.extend([4096u32, 6, 4, 0].iter().flat_map(|number| number.to_le_bytes()));
    let chunk = |kind: u16, blocks: u32, data: &[u8]| {
        let mut chunk = kind.to_le_bytes().to_vec();
        chunk.extend([0, 0]);
        chunk.extend(blocks.to_le_bytes());
        chunk.extend((12 + data.len() as u32).to_le_bytes());
        chunk.extend(data);
        chunk
    };
    let raw: Vec<u8> = (0..8192u32).map(|at| at as u8).collect();
    for part in [
        chunk(0xcac1, 2, &raw),
        chunk(0xcac3, 3, &[]),
        chunk(0xcac2, 1, b"word"),
        chunk(0xcac4, 0, &[0; 4]),
    ] {
        sparse.extend(part);
    }
    let disk = disk(sparse.clone()).unwrap().unwrap();
    let wanted = [&raw[..], &[0; 3 * 4096], &b"word".repeat(1024)].concat();
    assert!(disk.read_vec_at(0, disk.size()).unwrap() == wanted);
    assert_eq!(disk.read_vec_at(5 * 4096 + 2, 5).unwrap(), b"rdwor");
    assert_eq!(disk.data_from(8192).unwrap(), 5 * 4096);
    sparse.truncate(sparse.len() - 20);
    assert!(super::tests::disk(sparse).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A damaged file is refused, or has a disk that reads or says why not. Nothing takes long, and nothing panics.
    #[test]
    fn damage_is_survived(form in 0usize..6, places in prop::collection::vec((0usize..4096, any::<u8>(), any::<bool>()), 1..12)) {
        let name = ["qcow2", "vhd", "vhd-fixed", "vhdx", "vmdk", "dmg"][form];
        let mut file = file(name);
        for (place, byte, at_end) in places {
            let length = file.len();
            // Where headers and tables are: the first bytes, those at every 64 KiB, and the last.
            let place = if at_end { length - 1 - place } else { (place * 64 + place % 512) % length };
            file[place] = byte;
        }
        if let Ok(Some(disk)) = disk(file) {
            let size = disk.size();
            for offset in [0, size / 2, size.saturating_sub(4096)] {
                let _ = disk.read_vec_at(offset, 4096.min(size - offset));
            }
        }
    }
}
