//! Where an image is changed.

use std::io;

/// Bytes that can be written at any place.
pub(in crate::device) trait Place {
    /// In bytes: of a file; of a disk all of it.
    fn length(&self) -> u64;

    /// Whether it is a file, which can become longer.
    fn can_grow(&self) -> bool;

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes a file longer, where there is room for it, or shorter.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Returns when all is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}
