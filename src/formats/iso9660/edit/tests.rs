//! Records by the bytes that their clauses give.

use super::*;
use crate::ground::time::Timestamp;

#[test]
fn records_keep_what_is_not_changed() {
    let posix = Posix {
        mode: 0o40_755,
        links: 2,
        uid: 0,
        gid: 0,
        serial: 7,
        mtime: Timestamp::default(),
    };
    let [mut own, parent] = dots(Flavour::RockRidge, &posix);
    own.set(Block::at(2048 * 300).unwrap(), 4096);
    assert_eq!((own.block(), own.is_directory(), own.is_dot()), (300, true, true));
    let before = own.bytes().to_vec();
    own.add_links(0, 3);
    // RRIP 4.1.1: the number of links stands 12 bytes into PX, which follows 34 bytes of the record; both orders of its bytes.
    assert_eq!(own.bytes()[46..54], [5, 0, 0, 0, 0, 0, 0, 5]);
    assert_eq!((&own.bytes()[..46], &own.bytes()[54..]), (&before[..46], &before[54..]));
    let kind = Kind::File { length: 10 };
    let named = |name: &'static str| NewName {
        name: name.as_bytes(),
        kind: &kind,
        posix: &posix,
    };
    let mut records = vec![own, parent];
    for (name, joliet, others, wanted) in [
        ("a file.text", false, vec![], &b"A_FILE.TEXT;1"[..]),
        ("a file.text", false, vec![&b"A_FILE.TEXT;1"[..]], b"A_FI_0.TEXT;1"),
        ("b", true, vec![], b"\0b"),
        ("b", true, vec![b"\0x\0;\x001"], b"\0b\0;\x001"),
        ("b", true, vec![b"\0B"], b"\0b\0_\x000"),
    ] {
        let flavour = if joliet { Flavour::Joliet } else { Flavour::RockRidge };
        assert_eq!(named(name).identifier(flavour, &others), wanted, "{name} {others:?}");
    }
    for name in ["B.TXT;1", "A.TXT;1", "AB.;1"] {
        let (record, pieces) = named("x").record(Flavour::Plain, name.as_bytes(), (Block::ZERO, 0), false, &[]);
        assert!(pieces.is_empty());
        let at = place_of(name.as_bytes(), &records, false);
        records.insert(at, record);
    }
    let names: Vec<&[u8]> = records.iter().skip(2).map(RawRecord::identifier).collect();
    assert_eq!(names, [&b"A.TXT;1"[..], b"AB.;1", b"B.TXT;1"]);
    let bytes = directory(&records);
    assert_eq!(bytes.len(), 2048);
    let read: Vec<RawRecord> = super::records(&bytes).into_iter().map(|(_, record)| record).collect();
    assert_eq!(read, records);
    // A name of 255 bytes does not fit its record.
    let long = [b'n'; 255];
    let long = NewName {
        name: &long,
        kind: &kind,
        posix: &posix,
    };
    let identifier = long.identifier(Flavour::RockRidge, &[]);
    assert!(!long.continuation(Flavour::RockRidge, &identifier).is_empty());
}
