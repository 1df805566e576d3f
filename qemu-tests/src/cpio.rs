//! The `newc` archive that Linux unpacks into its first root file system.
//!
//! Its text is Documentation/driver-api/early-userspace/buffer-format.rst: a header of the magic `070701` and thirteen
//! numbers of eight hexadecimal digits, the name with a NUL, the data; header with name, and data, are padded to four bytes.

/// An initramfs under construction.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

/// The type bits of a directory and of a regular file in `mode`.
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

impl Archive {
    /// Adds a directory; its parent was added before.
    pub fn directory(&mut self, name: &str) {
        self.member(name, DIRECTORY | 0o755, &[]);
    }

    /// Adds a file that may be run.
    pub fn file(&mut self, name: &str, data: &[u8]) {
        self.member(name, REGULAR | 0o755, data);
    }

    /// The archive with its end mark.
    pub fn finish(mut self) -> Vec<u8> {
        self.member("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn member(&mut self, name: &str, mode: u32, data: &[u8]) {
        self.inode += 1;
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        // ino, mode, uid, gid, nlink, mtime, filesize, maj, min, rmaj, rmin, namesize, chksum
        let numbers = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for number in numbers {
            self.bytes.extend_from_slice(format!("{number:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_a_header_a_name_and_data_each_padded() {
        let mut archive = Archive::default();
        archive.file("init", b"#!x\n\n");
        let bytes = archive.finish();
        assert_eq!(&bytes[..22], b"07070100000001000081ed");
        assert_eq!(&bytes[94..102], b"00000005");
        assert_eq!(&bytes[110..124], b"init\0\0#!x\n\n\0\0\0");
        assert_eq!(&bytes[124..130], b"070701");
        assert_eq!(bytes.len() % 4, 0);
    }
}
