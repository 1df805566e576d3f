//! What the loader asks of a boot medium.

use crate::line::Failure;

/// A medium that is read by the byte, whatever its sectors are.
pub trait Disk {
    /// Fills `into` with the bytes that begin at `offset`.
    ///
    /// # Errors
    /// The medium has failed, after retries.
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Failure>;
}

/// The sentence for bytes that cannot be read.
pub fn unreadable(offset: u64) -> Failure {
    Failure::of("The boot medium cannot be read at byte ")
        .number(offset)
        .text(".")
}

/// A little-endian number of `N` bytes at `offset`; zero where there are no such bytes.
pub fn little_endian<const N: usize>(bytes: &[u8], offset: usize) -> u64 {
    bytes
        .get(offset..offset + N)
        .unwrap_or(&[])
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}
