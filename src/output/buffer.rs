//! Memory that the kernel can write from without a copy of its own.

use std::ops::{Deref, DerefMut};

/// What is gathered for one write. Short pieces are many; a small image would wait longer for its first write of a larger one.
pub(crate) const BUFFER: usize = 1 << 20;

/// open(2), `O_DIRECT`: addresses, lengths and offsets have to be multiples of the device's logical block, which is no longer.
pub(crate) const ALIGNMENT: usize = 4096;

/// [`BUFFER`] bytes at an address that is a multiple of [`ALIGNMENT`].
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// All zeros.
    pub(crate) fn new() -> Self {
        let bytes = vec![0; BUFFER + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, start }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..self.start + BUFFER).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.start + BUFFER).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_where_it_has_to_be() {
        let mut buffer = Buffer::new();
        assert_eq!((buffer.len(), buffer.as_ptr().align_offset(ALIGNMENT)), (BUFFER, 0));
        buffer[BUFFER - 1] = 1;
        assert_eq!(buffer.iter().position(|&byte| byte != 0), Some(BUFFER - 1));
    }
}
