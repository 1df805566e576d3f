//! Any bytes as a UDF volume. Tags carry checksums that a fuzzer does not hit: they are made right before each look.

#![no_main]

use isobuild::inside::ground::read_at::ReadAt;
use isobuild_fuzz::{Sparse, with_right_tags};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let input = with_right_tags(input);
    let image = Sparse::new(&input);
    let _ = isobuild::inside::formats::udf::read(&image, image.size());
});
