//! A small tree whose modes, owners, times and hard links an image has to keep.

use std::collections::BTreeMap;
use std::fs::{self, FileTimes, Permissions};
use std::io::Result;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Files and directories by name: mode and time of the last change. Set-id bits and the sticky bit among them.
const FILES: [(&str, u32, u64); 6] = [
    ("plain", 0o644, 1_767_225_600),
    ("program", 0o755, 315_532_800),
    ("set-uid", 0o4711, 1_000_000_001),
    ("read-only", 0o400, 4_102_444_799),
    ("directory", 0o1777, 86_400),
    ("directory/secret", 0o600, 0),
];

/// The table of a manifest that keeps all of the tree `from`, at `to`.
pub fn manifest(from: &str, to: &str) -> String {
    format!("[[files]]\nfrom = \"{from}\"\nto = \"{to}\"\npreserve = [\"mode\", \"owner\", \"mtime\", \"hardlinks\"]\n")
}

/// Makes the tree at `tree`, which is not there. `plain` has a second name and a link to it.
pub fn make(tree: &Path) -> Result<()> {
    fs::create_dir_all(tree.join("directory"))?;
    for (name, ..) in FILES {
        if name != "directory" {
            fs::write(tree.join(name), name)?;
        }
    }
    fs::hard_link(tree.join("plain"), tree.join("second name"))?;
    symlink("plain", tree.join("link"))?;
    // What is in a directory before the directory, whose time it changes.
    for (name, mode, seconds) in FILES.into_iter().rev() {
        let time = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(seconds));
        fs::File::open(tree.join(name))?.set_times(time)?;
        // Only root can give a file away; others keep all of them.
        let _ = chown(tree.join(name), Some(1000 + mode), Some(2000 + mode));
        fs::set_permissions(tree.join(name), Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// What `stat` says of a file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Permissions with the set-id bits and the sticky bit.
    pub mode: u32,
    /// Seconds since 1970 of the last change.
    pub mtime: i64,
    /// How many names it has.
    pub links: u64,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The attributes of the tree's files and directories below `directory`, by name.
pub fn attributes(directory: &Path) -> Result<BTreeMap<String, Attributes>> {
    let of = |name: &str| {
        let data = fs::symlink_metadata(directory.join(name))?;
        let attributes = Attributes {
            mode: data.mode() & 0o7777,
            mtime: data.mtime(),
            links: data.nlink(),
            uid: data.uid(),
            gid: data.gid(),
        };
        Ok((name.to_owned(), attributes))
    };
    FILES.iter().map(|(name, ..)| of(name)).collect()
}
