//! Any bytes as a file with a disk in it: QEMU's, VMware's, Microsoft's, Apple's, VirtualBox's, Android's. What is said to be a hole reads as
//! zeros, and nothing is read behind the end of the disk.

#![no_main]

use isobuild::inside::ground::read_at::{ReadAt, Shared};
use isobuild::inside::look::disk::disk_in;
use isobuild_fuzz::{Sparse, with_right_disks};
use libfuzzer_sys::fuzz_target;

/// Stretches of data that are looked at.
const STRETCHES: usize = 64;
const PAGE: u64 = 4096;

fuzz_target!(|input: &[u8]| {
    let file = with_right_disks(Sparse::new(input).bytes());
    let Ok(Some(disk)) = disk_in(&Shared::new(file)) else {
        return;
    };
    let size = disk.size();
    let mut at = 0;
    for _ in 0..STRETCHES {
        let Ok(data) = disk.data_from(at) else { return };
        assert!((at..=size.max(at)).contains(&data));
        if data > at {
            let hole = disk.read_vec_at(at, PAGE.min(data - at));
            assert!(hole.is_ok_and(|hole| hole.iter().all(|&byte| byte == 0)));
        }
        if data >= size {
            break;
        }
        let length = PAGE.min(size - data);
        let _ = disk.read_vec_at(data, length);
        at = data + length;
    }
    let _ = disk.read_vec_at(size.saturating_sub(PAGE), PAGE.min(size));
    assert!(disk.read_exact_at(&mut [0; 2], size.saturating_sub(1)).is_err());
});
