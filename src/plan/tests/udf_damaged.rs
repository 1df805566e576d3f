//! What `inspect` says of a UDF volume with one byte or one block changed.

use super::udf::{UDF, block_of};
use super::*;

/// The faults that `inspect` finds in an image of which one byte is another.
fn faults_of(bytes: &[u8], at: u64) -> Vec<String> {
    let mut damaged = bytes.to_vec();
    damaged[at as usize] ^= 0x40;
    inspect(&damaged).unwrap().facts.faults
}

#[test]
fn the_checksum_of_every_descriptor_is_looked_at() {
    let host = host();
    let (described, bytes) = host.build(&format!("{UDF}{TREE}"));
    let blocks = |what| block_of(&described, what);
    let (anchors, sequences) = (blocks(What::UdfAnchor), blocks(What::UdfVolumeDescriptors));
    // In each a byte that nobody looks at by itself.
    let mut places = vec![
        (
            64 * 2048 + 20,
            "UDF: the checksum of the integrity descriptor at 131072 is wrong".to_owned(),
        ),
        (
            257 * 2048 + 18,
            "UDF: the checksum of the file set descriptor at 526336 is wrong".to_owned(),
        ),
        (
            259 * 2048 + 75,
            "UDF: /: the checksum of the file entry at 530432 is wrong".to_owned(),
        ),
    ];
    for anchor in anchors {
        let at = anchor * 2048;
        places.push((at + 100, format!("UDF: the checksum of the anchor at {at} is wrong")));
    }
    for descriptor in sequences
        .iter()
        .flat_map(|first| (0..5).map(move |number| first + number))
    {
        let at = descriptor * 2048;
        // Of the last, the count of its entries.
        let byte = if descriptor % 16 == 4 { 20 } else { 35 };
        places.push((
            at + byte,
            format!("UDF: the checksum of the volume descriptor at {at} is wrong"),
        ));
    }
    let root = extent(&described, "udf:/").offset;
    // The version of the file in the second name.
    places.push((
        root + 40 + 16,
        "UDF: the directory /: the checksum of a name is wrong".to_owned(),
    ));
    for (at, fault) in places {
        assert_eq!(faults_of(&bytes, at), [fault], "{at}");
    }
    assert_eq!(inspect(&bytes).unwrap().facts.faults, [""; 0]);
}

#[test]
fn an_anchor_that_is_lost_is_missed_on_a_larger_medium_too() {
    let host = host();
    let (described, mut bytes) = host.build(&format!("{UDF}{TREE}"));
    let [first, last] = block_of(&described, What::UdfAnchor)[..] else {
        panic!("{described:?}")
    };
    bytes.resize(bytes.len() + 1_000_000, 0);
    assert_eq!(inspect(&bytes).unwrap().facts.faults, [""; 0]);
    let without = |lost: u64| {
        let mut damaged = bytes.clone();
        damaged[lost as usize * 2048..][..2048].fill(0);
        let image = inspect(&damaged).unwrap();
        (image.facts.faults, image.found.remarks)
    };
    let said = |left: u64| format!("UDF: there is one anchor, in sector {left}, ");
    // Readers mind the first alone.
    let (faults, remarks) = without(last);
    assert!(faults.is_empty() && remarks[0].starts_with(&said(first)), "{remarks:?}");
    let (faults, remarks) = without(first);
    assert!(remarks.is_empty() && faults[0].starts_with(&said(last)), "{faults:?}");
}

#[test]
fn indexes_that_do_not_agree_are_told() {
    let host = host();
    let (described, bytes) = host.build(&format!("{UDF}{TREE}"));
    // File entries are numbered in the order of the tree: /, /a, /b, /b/c.
    let entry = |number: u64| (259 + number) * 2048;
    let change = |at: u64, value: u8| {
        let mut damaged = bytes.clone();
        damaged[at as usize] = value;
        let image = inspect(&damaged).unwrap();
        [image.facts.faults, image.found.remarks].concat()
    };
    let said = change(entry(1) + 56, 9);
    assert!(
        has(
            &said,
            "/a has 1 bytes in the Rock Ridge tree and 9 bytes in the UDF tree"
        ),
        "{said:?}"
    );
    let place = extent(&described, "iso:/b/c").offset;
    let said = change(entry(1) + 180, (place / 2048 - 257) as u8);
    assert!(!said.is_empty(), "{said:?}");
    // A name less.
    let root = extent(&described, "udf:/").offset;
    let said = change(root + 40 + 18, 4);
    assert!(!said.is_empty(), "{said:?}");
}
