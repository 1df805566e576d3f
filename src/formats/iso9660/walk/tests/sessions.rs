//! Volumes one behind the other.

use super::super::super::tests::{tree, volume, volume_at};
use super::super::super::{Flavour, Iso9660Error, SECTOR, SYSTEM_AREA, VolumeKind};
use super::super::{Session, sessions, walk};

/// The paths of each session.
fn read(image: &[u8]) -> Vec<Vec<String>> {
    let image = &image.to_vec();
    let paths = |session: &Session| {
        let walk = walk(image, session.volume(VolumeKind::Primary).unwrap()).unwrap();
        super::paths(&walk)
    };
    sessions(image).unwrap().iter().map(paths).collect()
}

/// Three sessions as genisoimage appends them, `between` sectors apart.
fn appended(between: u64) -> Vec<u8> {
    let mut image = Vec::new();
    for name in ["first", "second", "third"] {
        let start = image.len() as u64;
        let session = volume_at(&tree(&[name]), Flavour::RockRidge, start);
        image.extend(&session.bytes[start as usize..]);
        image.resize(image.len() + (between * SECTOR) as usize, 0);
    }
    image
}

#[test]
fn appended_sessions_are_found_wherever_the_next_one_begins() {
    for between in [0, 150, 11_400] {
        assert_eq!(
            read(&appended(between)),
            [["/", "/first"], ["/", "/second"], ["/", "/third"]]
        );
    }
}

/// As xorriso and growisofs grow an image: each session on a boundary of 16 sectors, the newest descriptors in sector 16 too.
#[test]
fn the_newest_session_may_have_its_descriptors_in_sector_16() {
    let mut image = vec![0; 32 * SECTOR as usize];
    let mut starts = Vec::new();
    for name in ["first", "second", "third"] {
        image.resize(image.len().next_multiple_of(16 * SECTOR as usize), 0);
        let start = image.len() as u64;
        starts.push(start);
        let session = volume_at(&tree(&[name]), Flavour::RockRidge, start);
        image.extend(&session.bytes[start as usize..]);
    }
    let newest = (starts[2] + SYSTEM_AREA) as usize;
    let descriptors = image[newest..newest + 2 * SECTOR as usize].to_vec();
    image[SYSTEM_AREA as usize..][..descriptors.len()].copy_from_slice(&descriptors);
    assert_eq!(read(&image), [["/", "/first"], ["/", "/second"], ["/", "/third"]]);
    let sessions = sessions(&image).unwrap();
    let copies = sessions.iter().flat_map(|session| &session.copies);
    let copies: Vec<u64> = copies.map(|(offset, _)| *offset).collect();
    assert_eq!(copies, [newest as u64, newest as u64 + SECTOR]);
}

/// The second volume of an image whose first partition can be mounted counts from that partition; a whole image inside a file from
/// that file's start.
#[test]
fn volumes_that_count_from_elsewhere_are_no_sessions() {
    let inner = volume(&tree(&["inner"]), Flavour::RockRidge);
    let mut image = volume(&tree(&["outer"]), Flavour::RockRidge).bytes;
    image.resize(image.len().next_multiple_of(16 * SECTOR as usize), 0);
    image.extend(&inner.bytes);
    assert_eq!(read(&image), [["/", "/outer"]]);
}

#[test]
fn a_later_session_alone_is_named() {
    let session = volume_at(&tree(&["second"]), Flavour::RockRidge, 1000 * SECTOR);
    let error = sessions(&session.bytes[1000 * SECTOR as usize..].to_vec()).unwrap_err();
    assert!(matches!(error, Iso9660Error::NotIso9660(_)));
    let said = error.to_string();
    assert!(
        said.contains("it begins with sector 1000;") && said.contains("later session"),
        "{said}"
    );
}
