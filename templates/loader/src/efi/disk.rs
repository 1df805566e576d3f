//! Media by Block I/O.

use crate::firmware::Firmware;
use crate::tables::*;
use core::ptr::NonNull;
use isobuild_loader::disk::{Disk, unreadable};
use isobuild_loader::line::Failure;

/// How much is read in one call at most. Larger calls gain nothing, and some firmware fails at them.
const MOST: usize = 1 << 20;

/// The buffer for what does not begin or end with a block.
const BOUNCE: usize = 1 << 16;

/// How often a read is tried.
const TRIES: usize = 5;

/// A whole medium.
pub(crate) struct EfiDisk {
    io: NonNull<BlockIo>,
    bounce: &'static mut [u8],
    firmware: Firmware,
}

impl EfiDisk {
    /// The medium of a handle, unless it is a partition, absent, or has blocks that nobody uses, or there is no memory to
    /// read it with.
    pub(crate) fn whole(firmware: &Firmware, handle: Handle) -> Option<Self> {
        let io = firmware.protocol::<BlockIo>(handle, &BLOCK_IO)?;
        // SAFETY: the protocol is the firmware's.
        let media = unsafe { &*(*io.as_ptr()).media };
        let size = media.block_size as usize;
        if !media.present || media.logical_partition || !size.is_power_of_two() || !(512..=BOUNCE).contains(&size) {
            return None;
        }
        let bounce = firmware.allocate(BOUNCE)?;
        Some(Self {
            io,
            bounce,
            firmware: *firmware,
        })
    }

    fn media(&self) -> &Media {
        // SAFETY: the protocol is the firmware's; it may change the media's fields between calls, not during one.
        unsafe { &*(*self.io.as_ptr()).media }
    }

    /// Bytes of a block of this medium.
    pub(crate) fn block_size(&self) -> usize {
        self.media().block_size as usize
    }

    /// Bytes of the whole medium.
    pub(crate) fn length(&self) -> u64 {
        self.media()
            .last_block
            .saturating_add(1)
            .saturating_mul(self.block_size() as u64)
    }
}

impl Drop for EfiDisk {
    fn drop(&mut self) {
        self.firmware.free(core::mem::take(&mut self.bounce));
    }
}

/// Reads whole blocks, one by one where all of them together fail. The error is the block that cannot be read.
fn each_block(io: NonNull<BlockIo>, first: u64, into: *mut u8, length: usize, size: usize) -> Result<(), u64> {
    if blocks(io, first, into, length, 1) {
        return Ok(());
    }
    for (block, offset) in (first..).zip((0..length).step_by(size)) {
        if !blocks(io, block, into.wrapping_add(offset), size, TRIES) {
            return Err(block);
        }
    }
    Ok(())
}

/// Reads whole blocks; `into` has room for `length` bytes, a multiple of the block size (§13.9.2).
fn blocks(io: NonNull<BlockIo>, block: u64, into: *mut u8, length: usize, tries: usize) -> bool {
    let io = io.as_ptr();
    for _ in 0..tries {
        // SAFETY: the protocol is the firmware's; the media's id changes with the medium.
        let status = unsafe { ((*io).read_blocks)(io, (*(*io).media).id, block, length, into) };
        match status {
            0 => return true,
            MEDIA_CHANGED => {}
            // After the last try too: the next read may be of another file.
            DEVICE_ERROR => {
                // SAFETY: as above.
                unsafe { ((*io).reset)(io, false) };
            }
            _ => return false,
        }
    }
    false
}

impl Disk for EfiDisk {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        let size = self.block_size();
        let align = (self.media().io_align as usize).max(1);
        let mut done = 0;
        while done < into.len() {
            let at = offset + done as u64;
            let (block, skip) = (at / size as u64, (at % size as u64) as usize);
            let rest = &mut into[done..];
            // Whole blocks go straight to where they belong, the rest by way of the buffer.
            let direct = skip == 0 && rest.len() >= size && (rest.as_ptr() as usize).is_multiple_of(align);
            let length = match direct {
                true => rest.len().min(MOST) / size * size,
                false => rest.len().min(self.bounce.len() - skip),
            };
            let read = match direct {
                true => each_block(self.io, block, rest.as_mut_ptr(), length, size),
                false => {
                    let whole = (skip + length).next_multiple_of(size);
                    each_block(self.io, block, self.bounce.as_mut_ptr(), whole, size)
                }
            };
            if let Err(lost) = read {
                return Err(unreadable(lost * size as u64));
            }
            if !direct {
                rest[..length].copy_from_slice(&self.bounce[skip..skip + length]);
            }
            done += length;
        }
        Ok(())
    }
}
