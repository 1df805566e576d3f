//! Names below one directory, reached one component at a time and never through a symbolic link.

use std::fs::File;
use std::io;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::{Errno, retry_on_intr};

use crate::ground::text;
use crate::ground::time::Timestamp;
use crate::look::contents::Item;

/// Permissions without the set-id bits and the sticky bit.
const PERMISSIONS: u32 = 0o777;
/// With them.
const ALL: u32 = 0o7777;

/// A directory, and the one below it that was used last: what follows each other is mostly in one.
pub(super) struct Place<'a> {
    root: &'a File,
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl<'a> Place<'a> {
    pub(super) fn new(root: &'a File) -> Self {
        Self { root, last: None }
    }

    /// The directory that holds `path`, and the last component. Directories on the way are made.
    fn parent<'p>(&mut self, path: &'p [u8]) -> io::Result<(BorrowedFd<'_>, &'p [u8])> {
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let (directory, name) = path.split_at(slash.map_or(0, |at| at + 1));
        if !text::is_component(name) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let directory = directory.strip_suffix(b"/").unwrap_or(directory);
        if self.last.as_ref().is_none_or(|(known, _)| known != directory) {
            let opened = self.open(directory)?;
            self.last = Some((directory.to_vec(), opened));
        }
        match &self.last {
            Some((_, opened)) => Ok((opened.as_fd(), name)),
            None => Ok((self.root.as_fd(), name)),
        }
    }

    /// The directory at `path`, made where it is not there.
    fn open(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = self.root.try_clone().map(OwnedFd::from)?;
        for component in path
            .split(|&byte| byte == b'/')
            .filter(|component| !component.is_empty())
        {
            if !text::is_component(component) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let open = || retry_on_intr(|| rustix::fs::openat(&at, component, flags, Mode::empty()));
            let next = match open() {
                Err(Errno::NOENT) => {
                    rustix::fs::mkdirat(&at, component, Mode::from_raw_mode(0o777))?;
                    open()
                }
                next => next,
            };
            // Some systems call a link here a loop, others no directory.
            at = next.map_err(|error| if error == Errno::LOOP { Errno::NOTDIR } else { error })?;
        }
        Ok(at)
    }

    /// Whether it was made. One that is there is taken; anything else that is there is not.
    pub(super) fn make_directory(&mut self, path: &[u8]) -> io::Result<bool> {
        let (parent, name) = self.parent(path)?;
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => self.open(path).map(|_| false),
            Err(error) => Err(error.into()),
        }
    }

    /// A new file.
    pub(super) fn create(&mut self, path: &[u8]) -> io::Result<File> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o666)));
        Ok(opened?.into())
    }

    pub(super) fn remove(&mut self, path: &[u8]) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
    }

    /// A further name of what was made at `first`; neither goes through a link.
    pub(super) fn link(&mut self, first: &[u8], path: &[u8]) -> io::Result<()> {
        let (parent, first_name) = self.parent(first)?;
        let first_parent = parent.try_clone_to_owned()?;
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::linkat(
            first_parent,
            first_name,
            parent,
            name,
            AtFlags::empty(),
        )?)
    }

    pub(super) fn symlink(&mut self, item: &Item, target: &[u8], privileged: bool) -> io::Result<()> {
        let (parent, name) = self.parent(&item.path)?;
        rustix::fs::symlinkat(target, parent, name)?;
        finish_name(parent, name, item, privileged)
    }

    /// A device, FIFO or socket.
    pub(super) fn node(&mut self, item: &Item, kind: FileType, mode: Mode, device: (u32, u32)) -> io::Result<()> {
        let (parent, name) = self.parent(&item.path)?;
        let device = rustix::fs::makedev(device.0, device.1);
        rustix::fs::mknodat(parent, name, kind, mode, device)?;
        // The umask may have taken some of the mode. Who could put a link there by now may write here anyway.
        rustix::fs::chmodat(parent, name, mode, AtFlags::empty())?;
        finish_name(parent, name, item, true)
    }

    /// [`finish`] for a directory, once everything in it is made.
    pub(super) fn finish_directory(&mut self, item: &Item, privileged: bool) -> io::Result<()> {
        let directory = self.open(&item.path)?;
        finish(directory.as_fd(), item, privileged)
    }
}

/// Owner, permissions and time, where the volume has them.
pub(super) fn finish(opened: BorrowedFd<'_>, item: &Item, privileged: bool) -> io::Result<()> {
    if let Some(posix) = &item.posix {
        if privileged {
            rustix::fs::fchown(opened, posix.uid.map(Uid::from_raw), posix.gid.map(Gid::from_raw))?;
        }
        let mask = if privileged { ALL } else { PERMISSIONS };
        rustix::fs::fchmod(opened, Mode::from_raw_mode((posix.mode & mask) as _))?;
    }
    // A volume without attributes may have no times either: that is the epoch then.
    if item.posix.is_none() && item.modified == Timestamp::default() {
        return Ok(());
    }
    Ok(rustix::fs::futimens(opened, &times(item))?)
}

/// Owner and time of what cannot be opened.
fn finish_name(parent: BorrowedFd<'_>, name: &[u8], item: &Item, privileged: bool) -> io::Result<()> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    if let Some(posix) = item.posix.filter(|_| privileged) {
        let (uid, gid) = (posix.uid.map(Uid::from_raw), posix.gid.map(Gid::from_raw));
        rustix::fs::chownat(parent, name, uid, gid, flags)?;
    }
    Ok(rustix::fs::utimensat(parent, name, &times(item), flags)?)
}

/// The time of the last change for both.
fn times(item: &Item) -> Timestamps {
    let time = Timespec {
        tv_sec: item.modified.unix(),
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
