//! Modes, owners and times: what a `[[files]]` entry asks for, what is kept from the host, what is the same everywhere.

use crate::ground::time::Timestamp;
use crate::manifest::{Files, Preserve};
use crate::tree::Attributes;

/// How the attributes of an entry's nodes come about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Which `[[files]]` entry this is.
    pub(super) origin: u32,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    pub(super) preserve_mode: bool,
    preserve_owner: bool,
    preserve_mtime: bool,
    /// Whether hard links of the host become hard links of the image.
    pub(super) preserve_links: bool,
    /// Whether to ignore the host's x bit.
    ignore_mode: bool,
    timestamp: Timestamp,
}

/// What a file of the host, or an entry of an archive, says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) directory: bool,
    pub(super) symlink: bool,
    pub(super) attributes: Attributes,
}

impl Rules {
    pub(super) fn new(origin: u32, entry: &Files, timestamp: Timestamp) -> Self {
        let preserve = |what| entry.preserve.iter().any(|kept| *kept.get_ref() == what);
        Self {
            origin,
            mode: entry.mode.as_ref().map(|mode| *mode.get_ref()),
            uid: entry.uid.as_ref().map(|uid| *uid.get_ref()),
            gid: entry.gid.as_ref().map(|gid| *gid.get_ref()),
            preserve_mode: preserve(Preserve::Mode),
            preserve_owner: preserve(Preserve::Owner),
            preserve_mtime: preserve(Preserve::Mtime),
            preserve_links: preserve(Preserve::Hardlinks),
            ignore_mode: entry.ignore_mode.as_ref().is_some_and(|ignore| *ignore.get_ref()),
            timestamp,
        }
    }

    /// Keeps all attributes as an entry has them.
    pub(super) fn kept(origin: u32, timestamp: Timestamp) -> Self {
        Self {
            origin,
            mode: None,
            uid: None,
            gid: None,
            preserve_mode: true,
            preserve_owner: true,
            preserve_mtime: true,
            preserve_links: true,
            ignore_mode: false,
            timestamp,
        }
    }

    /// Attributes of what the manifest itself gives.
    pub(super) fn inline(&self, default_mode: u32) -> Attributes {
        Attributes {
            mode: self.mode.unwrap_or(default_mode),
            uid: self.uid.unwrap_or(0),
            gid: self.gid.unwrap_or(0),
            mtime: self.timestamp,
        }
    }

    /// Attributes of a host file.
    pub(super) fn host(&self, data: &std::fs::Metadata) -> Attributes {
        use std::os::unix::fs::MetadataExt;
        self.given(Given {
            directory: data.is_dir(),
            symlink: data.is_symlink(),
            attributes: Attributes {
                mode: data.mode() & 0o7777,
                uid: data.uid(),
                gid: data.gid(),
                mtime: Timestamp::from_unix(data.mtime()),
            },
        })
    }

    /// Attributes of what brings its own along. Without a wish they are the same on every host: owner 0:0, 0644 or 0755 by the
    /// owner's `x` bit.
    pub(super) fn given(&self, given: Given) -> Attributes {
        let own = given.attributes;
        let is_directory = given.directory;
        let is_program = own.mode & 0o100 != 0 && !self.ignore_mode;
        let normal = match is_program || is_directory {
            true => 0o755,
            false => 0o644,
        };
        let mode = match self.mode {
            // Who may read a directory may enter it.
            Some(mode) if is_directory => mode | (mode & 0o444) >> 2,
            Some(mode) => mode,
            None if self.preserve_mode => own.mode,
            None => normal,
        };
        let (uid, gid) = match self.preserve_owner {
            true => (own.uid, own.gid),
            false => (0, 0),
        };
        let mtime = match self.preserve_mtime {
            true => own.mtime,
            false => self.timestamp,
        };
        let mode = if given.symlink { 0o777 } else { mode };
        Attributes {
            mode,
            uid: self.uid.unwrap_or(uid),
            gid: self.gid.unwrap_or(gid),
            mtime,
        }
    }
}
