//! `ext4`, "Directory Entries". A hashed directory is read as a plain one: its index looks like unused entries there.

use crate::ground::fields::{le_u16, le_u32};

/// The fields before a name.
const HEADER: usize = 8;

/// Every inode and name in a block of a directory, `.` and `..` left out, and what is wrong with the block.
pub(super) fn names(block: &[u8]) -> (Vec<(u32, &[u8])>, Option<&'static str>) {
    let mut names = Vec::new();
    let mut rest = block;
    while rest.len() >= HEADER {
        let length = match le_u16(rest, 4) {
            // Blocks of 64 KiB are longer than the field can say.
            0 | 0xFFFF if rest.len() > 0xFFFC => rest.len(),
            length => usize::from(length),
        };
        let name_length = usize::from(rest[6]);
        if length < HEADER || !length.is_multiple_of(4) || length > rest.len() || HEADER + name_length > length {
            let fault = "an entry is longer than its block, or its name is longer than the entry";
            return (names, Some(fault));
        }
        let inode = le_u32(rest, 0);
        let name = &rest[HEADER..HEADER + name_length];
        if inode != 0 && !matches!(name, b"." | b"..") {
            names.push((inode, name));
        }
        rest = &rest[length..];
    }
    (names, None)
}
