//! Names and contents of an image as files of the host, all of them inside one directory.
//!
//! Nothing that the image says leads out of that directory: every directory on the way to a name is opened by itself and no symbolic
//! link is followed, nothing that is there is written to, and symbolic links are made last. What cannot be made is a fault of the
//! report, and the rest is made.

mod place;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use rustix::fd::AsFd as _;
use rustix::fs::{FileType, Mode};

use crate::formats::iso9660::EntryKind;
use crate::ground::read_at::ReadAt;
use crate::ground::text;
use crate::look::contents::{CopyError, Item};
use place::Place;

/// How often the files may hold the image's bytes; more is a trap.
const TIMES: u64 = 1000;
/// Faults beyond this are counted only.
const FAULTS: usize = 100;

/// What has been made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Contents and further names.
    pub files: u64,
    /// Without those that were there.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Devices, FIFOs and sockets.
    pub others: u64,
    /// Of contents.
    pub bytes: u64,
    /// Names that have not been made, in words.
    pub faults: Vec<String>,
    /// How many more there are.
    pub more_faults: u64,
}

/// Why extracting ends early.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// Reading the image failed.
    #[error("reading the image: {0}")]
    Read(io::Error),
    /// The directory cannot be written to.
    #[error("{}: {source}", text::visible(.path))]
    Write {
        /// In the image.
        path: Vec<u8>,
        /// What the system said.
        source: io::Error,
    },
    /// `progress` has asked to stop.
    #[error("stopped")]
    Stopped,
    /// The contents would not fit.
    #[error("{}", .0)]
    TooLarge(String),
}

/// Makes `items` in `directory`, which is there. Parents stand before their children in `items`; a directory that is not among them
/// is made where it is needed. If `privileged`, owners, set-id bits and devices are made too. `progress` is told the bytes that are done,
/// and says whether to go on; a file that is not whole then is removed.
pub fn extract(
    image: &dyn ReadAt,
    items: &[&Item],
    directory: &File,
    privileged: bool,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Report, ExtractError> {
    let mut extraction = Extraction {
        image,
        place: Place::new(directory),
        privileged,
        report: Report::default(),
        names: HashMap::new(),
    };
    extraction.fits(items, directory)?;
    let mut made = Vec::new();
    for item in items {
        match &item.kind {
            EntryKind::Directory if extraction.directory(item)? => made.push(*item),
            EntryKind::File => extraction.file(item, progress)?,
            EntryKind::Other(device) => extraction.other(item, *device)?,
            _ => {}
        }
    }
    for item in items {
        if let EntryKind::Symlink(target) = &item.kind {
            extraction.symlink(item, target)?;
        }
    }
    // What is made in a directory changes its time, and one may forbid to write into it.
    for item in made.into_iter().rev() {
        let result = extraction.place.finish_directory(item, privileged);
        extraction.done(item, result)?;
    }
    Ok(extraction.report)
}

/// The length of all contents, those with several names once.
pub fn total(items: &[&Item]) -> u64 {
    let mut seen = HashMap::new();
    let files = items.iter().filter(|item| item.kind == EntryKind::File);
    let new = files.filter(|item| link_key(item).is_none_or(|key| seen.insert(key, ()).is_none()));
    new.fold(0, |sum, item| sum.saturating_add(item.length))
}

/// What names of one file have in common: the number of the file, and the place of its content.
fn link_key(item: &Item) -> Option<(u64, Option<u64>)> {
    let posix = item.posix.filter(|posix| posix.links > 1 && posix.serial != 0)?;
    Some((posix.serial, item.extents.first().and_then(|&(offset, _)| offset)))
}

struct Extraction<'a> {
    image: &'a dyn ReadAt,
    place: Place<'a>,
    privileged: bool,
    report: Report,
    /// The first name of each file that has several.
    names: HashMap<(u64, Option<u64>), &'a [u8]>,
}

impl<'a> Extraction<'a> {
    fn fits(&self, items: &[&Item], directory: &File) -> Result<(), ExtractError> {
        let total = total(items);
        let most = self.image.size().saturating_mul(TIMES);
        if total > most {
            return Err(ExtractError::TooLarge(format!(
                "the files would have {}, which is more than {TIMES} times the image: it is made to fill disks",
                text::size(total)
            )));
        }
        // A file system that does not say how much is free will say when nothing is.
        let Ok(system) = rustix::fs::fstatvfs(directory) else {
            return Ok(());
        };
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        match total > free {
            true => Err(ExtractError::TooLarge(format!(
                "the files have {}, and {} are free",
                text::size(total),
                text::size(free)
            ))),
            false => Ok(()),
        }
    }

    fn fault(&mut self, item: &Item, why: &str) {
        match self.report.faults.len() < FAULTS {
            true => self.report.faults.push(format!("{}: {why}", text::visible(&item.path))),
            false => self.report.more_faults += 1,
        }
    }

    /// Whether it is done. What is in the way is a fault; that the disk is full or broken ends everything.
    fn done(&mut self, item: &Item, result: io::Result<()>) -> Result<bool, ExtractError> {
        use io::ErrorKind::{
            AlreadyExists, InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied, Unsupported,
        };
        let Err(source) = result else {
            return Ok(true);
        };
        match source.kind() {
            AlreadyExists => self.fault(item, "something is there already; it is left as it is"),
            NotADirectory => self.fault(item, "what is to hold it is no directory, or a symbolic link"),
            NotFound | InvalidInput | InvalidFilename | PermissionDenied | Unsupported => {
                self.fault(item, &source.to_string());
            }
            _ => {
                let path = item.path.clone();
                return Err(ExtractError::Write { path, source });
            }
        }
        Ok(false)
    }

    /// Whether the directory was made, and not there.
    fn directory(&mut self, item: &Item) -> Result<bool, ExtractError> {
        if item.path == b"/" {
            return Ok(false);
        }
        let mut made = false;
        let result = self.place.make_directory(&item.path).map(|new| made = new);
        self.done(item, result)?;
        self.report.directories += u64::from(made);
        Ok(made)
    }

    fn file(&mut self, item: &'a Item, progress: &mut dyn FnMut(u64) -> bool) -> Result<(), ExtractError> {
        let key = link_key(item);
        if let Some(first) = key.and_then(|key| self.names.get(&key).copied()) {
            let result = self.place.link(first, &item.path);
            if self.done(item, result)? {
                self.report.files += 1;
            }
            return Ok(());
        }
        let mut file = match self.place.create(&item.path) {
            Ok(file) => file,
            Err(error) => return self.done(item, Err(error)).map(drop),
        };
        let mut done = self.report.bytes;
        let copied = item.copy(self.image, &mut |bytes| {
            file.write_all(bytes)?;
            done += bytes.len() as u64;
            match progress(done) {
                true => Ok(()),
                false => Err(io::ErrorKind::Interrupted.into()),
            }
        });
        let result = match copied {
            Ok(()) => place::finish(file.as_fd(), item, self.privileged),
            Err(error) => {
                // Half a content under its name would be taken for the whole.
                let _ = self.place.remove(&item.path);
                match error {
                    CopyError::Damaged(why) => {
                        self.fault(item, &why);
                        return Ok(());
                    }
                    CopyError::Read(error) => return Err(ExtractError::Read(error)),
                    CopyError::Write(error) if error.kind() == io::ErrorKind::Interrupted => {
                        return Err(ExtractError::Stopped);
                    }
                    CopyError::Write(error) => Err(error),
                }
            }
        };
        if self.done(item, result)? {
            self.report.files += 1;
            self.report.bytes = done;
            if let Some(key) = key {
                self.names.insert(key, &item.path);
            }
        }
        Ok(())
    }

    fn symlink(&mut self, item: &Item, target: &[u8]) -> Result<(), ExtractError> {
        let result = self.place.symlink(item, target, self.privileged);
        if self.done(item, result)? {
            self.report.symlinks += 1;
        }
        Ok(())
    }

    fn other(&mut self, item: &Item, device: Option<(u32, u32)>) -> Result<(), ExtractError> {
        let mode = item.posix.map_or(0, |posix| posix.mode);
        let kind = FileType::from_raw_mode(mode as _);
        let known = match kind {
            FileType::BlockDevice | FileType::CharacterDevice => device.is_some(),
            FileType::Fifo | FileType::Socket => true,
            _ => false,
        };
        if !known {
            self.fault(item, "it is neither a file nor a known device");
            return Ok(());
        }
        if !self.privileged {
            self.fault(item, "devices, FIFOs and sockets are made with --privileged alone");
            return Ok(());
        }
        let mode = Mode::from_raw_mode(mode as _);
        let result = self.place.node(item, kind, mode, device.unwrap_or_default());
        if self.done(item, result)? {
            self.report.others += 1;
        }
        Ok(())
    }
}

/// Opens the directory that is extracted into; it is made if it is not there.
pub fn open(directory: &Path) -> io::Result<File> {
    std::fs::create_dir_all(directory)?;
    let opened = File::open(directory)?;
    match opened.metadata()?.is_dir() {
        true => Ok(opened),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}
