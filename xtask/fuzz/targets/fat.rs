//! Any bytes as a FAT volume.

#![no_main]

use isobuild_fuzz::Sparse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = isobuild::inside::formats::fat::read(&Sparse::new(input));
});
