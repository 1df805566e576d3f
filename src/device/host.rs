//! Where a Linux system describes itself: sysfs, procfs, device nodes.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a running system describes itself.
#[derive(Clone, Debug)]
pub struct Host {
    /// sysfs.
    pub sys: PathBuf,
    /// procfs.
    pub proc: PathBuf,
    /// The device nodes.
    pub dev: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            sys: "/sys".into(),
            proc: "/proc".into(),
            dev: "/dev".into(),
        }
    }
}

impl Host {
    /// The directory of all block devices.
    pub(super) fn blocks(&self) -> PathBuf {
        self.sys.join("block")
    }

    /// The node of a block device. The kernel writes `!` where the path has a `/`.
    pub(super) fn node(&self, name: &str) -> PathBuf {
        self.dev.join(name.replace('!', "/"))
    }
}

/// The text of an attribute, without the space around it. `None` if it is empty or cannot be read.
pub(super) fn text(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}
