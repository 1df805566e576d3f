//! Files of the host that are opened to be read, and how to tell that one is still what it was.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// What `fstat` says of a file's identity and content. Two equal stamps are the same bytes, as far as the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The device of the file system.
    pub dev: u64,
    /// The inode on it.
    pub ino: u64,
    /// The length in bytes.
    pub size: u64,
    /// The last change of the content: seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// The last change of content, owner, mode or names. Unlike `mtime` no program can set it back.
    pub ctime: (i64, i64),
}

impl Stamp {
    /// The stamp in `metadata`.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The first thing that differs in `now`, in words that follow the file's name.
    pub fn change(&self, now: &Self) -> Option<String> {
        if (self.dev, self.ino) != (now.dev, now.ino) {
            Some("another file has taken its place".into())
        } else if now.size < self.size {
            Some(format!("it shrank from {} to {} bytes", self.size, now.size))
        } else if now.size > self.size {
            Some(format!("it grew from {} to {} bytes", self.size, now.size))
        } else if self.mtime != now.mtime {
            Some("its content was modified (mtime)".into())
        } else if self.ctime != now.ctime {
            Some("its content, owner, mode or names were changed (ctime)".into())
        } else {
            None
        }
    }
}

/// Opens a source to read.
///
/// `O_NOATIME` keeps the access time of the user's files, and only their owner may ask for it: others get a plain open.
/// `O_NONBLOCK` means nothing to a regular file; a FIFO that took its place would otherwise hang the open.
pub fn open(path: &Path) -> io::Result<File> {
    let with = |flags: OFlags| {
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
    };
    match with(OFlags::NOATIME) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => with(OFlags::empty()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_of_a_stamp_is_compared() {
        let stamp = Stamp {
            dev: 1,
            ino: 2,
            size: 3,
            mtime: (4, 5),
            ctime: (6, 7),
        };
        assert_eq!(stamp.change(&stamp), None);
        for (now, words) in [
            (Stamp { dev: 9, ..stamp }, "another file"),
            (Stamp { ino: 9, ..stamp }, "another file"),
            (Stamp { size: 2, ..stamp }, "shrank from 3 to 2"),
            (Stamp { size: 4, ..stamp }, "grew from 3 to 4"),
            (Stamp { mtime: (4, 6), ..stamp }, "mtime"),
            (Stamp { mtime: (3, 5), ..stamp }, "mtime"),
            (Stamp { ctime: (6, 8), ..stamp }, "ctime"),
        ] {
            let change = stamp.change(&now).unwrap_or_default();
            assert!(change.contains(words), "{change}");
        }
    }

    #[test]
    fn a_fifo_does_not_hang_the_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert!(!open(&path).unwrap().metadata().unwrap().is_file());
    }

    #[test]
    fn opening_keeps_the_access_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        file.set_times(std::fs::FileTimes::new().set_accessed(long_ago))
            .unwrap();
        assert_eq!(io::read_to_string(open(&path).unwrap()).unwrap(), "content");
        assert_eq!(std::fs::metadata(&path).unwrap().accessed().unwrap(), long_ago);
    }
}
