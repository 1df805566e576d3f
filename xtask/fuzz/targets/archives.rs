//! Any bytes as an archive, or, behind [`SPARSE`], what they stand for: an ISO image is long. What its entries are said to be lies in it,
//! and their paths lead nowhere else.

#![no_main]

use isobuild::inside::formats::archive::Kind;
use isobuild::inside::ground::read_at::ReadAt;
use isobuild::inside::ground::spool::Spool;
use isobuild::inside::resolve::sources::{self, Content};
use isobuild_fuzz::{Sparse, with_right_sums};
use libfuzzer_sys::fuzz_target;

const SPARSE: &[u8] = b"sparse";

fuzz_target!(|input: &[u8]| {
    let bytes = match input.strip_prefix(SPARSE) {
        Some(input) => Sparse::new(input).bytes(),
        None => with_right_sums(input.to_vec()),
    };
    let spool = Spool::new(bytes.size());
    let entries = match sources::read(&bytes, &spool).map(|archive| archive.content) {
        Ok(Content::Entries(entries) | Content::Image(entries, _)) => entries,
        _ => return,
    };
    let held = match spool.into_file() {
        Some(decompressed) => decompressed.file().metadata().expect("the file is open").len(),
        None => 0,
    };
    for entry in entries {
        let mut parts = entry.path.split(|&byte| byte == b'/');
        assert!(entry.path.is_empty() || parts.all(|part| !matches!(part, b"" | b"." | b"..")));
        assert!(!entry.path.contains(&0));
        if let Kind::File(place) = entry.kind {
            let size = if place.spooled { held } else { bytes.size() };
            assert!(place.offset.checked_add(place.length).is_some_and(|end| end <= size));
        }
    }
});
