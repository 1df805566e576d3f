//! Any bytes as a disk: GPT for every logical sector size, MBR with its logical partitions, Apple's partition map.

#![no_main]

use isobuild::inside::formats::apm;
use isobuild::inside::formats::gpt;
use isobuild::inside::formats::mbr;
use isobuild::inside::ground::read_at::ReadAt;
use isobuild_fuzz::Sparse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for sector_size in [512, 1024, 2048, 4096] {
        gpt::decode(&Sparse::new(input), sector_size);
    }
    let disk = Sparse::new(input);
    apm::read(&disk);
    let mut first = [0; 512];
    if disk.read_exact_at(&mut first, 0).is_ok()
        && let Some(table) = mbr::decode(&first)
    {
        for slot in &table.slots {
            mbr::logical(&disk, slot);
        }
    }
});
