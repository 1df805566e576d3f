//! Any bytes as a UDF volume. Tags carry checksums that a fuzzer does not hit: they are made right before each look.

#![no_main]

use isobuild_fuzz::{Sparse, with_right_tags};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = isobuild::inside::formats::udf::read(&Sparse::new(&with_right_tags(input)));
});
