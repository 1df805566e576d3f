//! An open disk, or a file that plays one: reads and writes past the page cache, so that what is read has been on the medium.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FallocateFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::DeviceError;
use super::edit::Place;
use super::host::Host;
use super::target::{Kind, Target};
use crate::ground::read_at::ReadAt;
use crate::ground::stamp::Stamp;
use crate::output::{ALIGNMENT, BUFFER, Buffer};

/// Where an image is written to.
#[derive(Debug)]
pub struct Medium {
    path: PathBuf,
    file: File,
    /// The same, past the page cache, where the file system has that.
    direct: Option<File>,
    size: u64,
    sector_size: u64,
    is_disk: bool,
    /// It was made here.
    is_new: bool,
}

impl Medium {
    /// Opens what was chosen, for this program alone, and makes sure that it still is what was chosen. A file is made if there is none.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if another program has it, or another disk has taken its place.
    pub fn open(target: &Target, host: &Host) -> Result<Self, DeviceError> {
        let file = open(target)?;
        let mut medium = Self {
            direct: direct(&file, OFlags::RDWR),
            path: target.path().to_owned(),
            size: io::Seek::seek(&mut &file, io::SeekFrom::End(0)).map_err(DeviceError::io(
                target.path(),
                "measure",
                None,
            ))?,
            sector_size: 1,
            is_disk: false,
            is_new: matches!(target.kind(), Kind::File { length: None }),
            file,
        };
        let stat = rustix::fs::fstat(&medium.file).map_err(DeviceError::io(target.path(), "look at", None))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if let Kind::Disk { .. } = target.kind() {
            let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            if kind != FileType::BlockDevice || !target.is_still(host, number, medium.size) {
                return Err(target.replaced());
            }
            medium.sector_size = target.sector_size();
            medium.is_disk = true;
        } else if kind != FileType::RegularFile {
            return Err(target.replaced());
        }
        Ok(medium)
    }

    /// Opens a disk, a disc or a file to read what is on it.
    ///
    /// # Errors
    /// [`DeviceError::Io`]; and [`DeviceError::Refused`] if it is neither.
    pub fn open_to_read(path: &Path) -> Result<Self, DeviceError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(DeviceError::io(path, "open", None))?;
        let file = File::from(file);
        let kind = rustix::fs::fstat(&file).map_err(DeviceError::io(path, "look at", None))?;
        let kind = FileType::from_raw_mode(kind.st_mode);
        if !matches!(kind, FileType::BlockDevice | FileType::RegularFile) {
            return Err(DeviceError::refused(path, "it is neither a disk nor a regular file"));
        }
        let is_disk = kind == FileType::BlockDevice;
        let sector_size = match is_disk {
            true => {
                rustix::fs::ioctl_blksszget(&file).map_err(DeviceError::io(path, "ask for the sectors of", None))?
            }
            false => 1,
        };
        Ok(Self {
            direct: direct(&file, OFlags::RDONLY),
            path: path.to_owned(),
            size: io::Seek::seek(&mut &file, io::SeekFrom::End(0)).map_err(DeviceError::io(path, "measure", None))?,
            sector_size: sector_size.into(),
            is_disk,
            is_new: false,
            file,
        })
    }

    /// Its path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes; a file's length.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of a logical sector, of which reads and writes are multiples; 1 for a file.
    pub fn sector_size(&self) -> u64 {
        self.sector_size
    }

    /// Makes sure that no other run of this program changes it at the same time.
    pub(super) fn lock(&self) -> Result<(), DeviceError> {
        match rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(()),
            Err(Errno::WOULDBLOCK) => Err(DeviceError::refused(&self.path, "another program is changing it")),
            Err(error) => Err(DeviceError::io(&self.path, "lock", None)(error)),
        }
    }

    /// Makes sure that a file is what it was when it was read. The node of a disk says nothing of the disk.
    pub(super) fn is_still(&self, stamp: &Stamp) -> Result<(), DeviceError> {
        let data = self
            .file
            .metadata()
            .map_err(DeviceError::io(&self.path, "look at", None))?;
        match stamp.change(&Stamp::of(&data)).filter(|_| !self.is_disk) {
            None => Ok(()),
            Some(what) => Err(DeviceError::Changed {
                path: self.path.clone(),
                what,
            }),
        }
    }

    /// After a failure: takes a file away that was made here.
    pub(super) fn abandon(&self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Makes a file this long, if it is shorter.
    pub(super) fn grow(&mut self, size: u64) -> Result<(), DeviceError> {
        if !self.is_disk && self.size < size {
            self.file
                .set_len(size)
                .map_err(DeviceError::io(&self.path, "make room in", Some(size)))?;
            self.size = size;
        }
        Ok(())
    }

    /// Writes the first `length` bytes of `buffer`.
    pub(super) fn write(&mut self, buffer: &Buffer, length: usize, offset: u64) -> Result<(), DeviceError> {
        let bytes = buffer.get(..length).unwrap_or_default();
        if let Some(direct) = self.direct.as_ref().filter(|_| self.fits_blocks(length, offset)) {
            let result = direct.write_all_at(bytes, offset);
            if !refuses(&result) {
                return result.map_err(DeviceError::io(&self.path, "write", Some(offset)));
            }
            self.direct = None;
        }
        self.file
            .write_all_at(bytes, offset)
            .map_err(DeviceError::io(&self.path, "write", Some(offset)))
    }

    /// Fills the first `length` bytes of `buffer` from the medium.
    pub(super) fn read(&mut self, buffer: &mut Buffer, length: usize, offset: u64) -> Result<(), DeviceError> {
        let fits = self.fits_blocks(length, offset);
        let bytes = buffer.get_mut(..length).unwrap_or_default();
        if let Some(direct) = self.direct.as_ref().filter(|_| fits) {
            let result = direct.read_exact_at(bytes, offset);
            if !refuses(&result) {
                return result.map_err(DeviceError::io(&self.path, "read", Some(offset)));
            }
            self.direct = None;
        }
        // The pages have been written: they are clean, and go.
        let length = std::num::NonZeroU64::new(length as u64);
        let _ = rustix::fs::fadvise(&self.file, offset, length, Advice::DontNeed);
        self.file
            .read_exact_at(bytes, offset)
            .map_err(DeviceError::io(&self.path, "read", Some(offset)))
    }

    /// Whether a transfer can go past the page cache.
    fn fits_blocks(&self, length: usize, offset: u64) -> bool {
        let block = if self.is_disk {
            self.sector_size
        } else {
            ALIGNMENT as u64
        };
        offset.is_multiple_of(block) && (length as u64).is_multiple_of(block)
    }

    /// Writes zeros over a range, cut where the medium ends.
    pub(super) fn zero(&mut self, offset: u64, length: u64) -> Result<(), DeviceError> {
        let zeros = Buffer::new();
        let end = offset.saturating_add(length).min(self.size);
        let mut at = offset;
        while at < end {
            let length = (end - at).min(BUFFER as u64);
            self.write(&zeros, length as usize, at)?;
            at += length;
        }
        Ok(())
    }

    /// Asks the medium to forget its first `length` bytes, so that they read as zeros (fallocate(2), `FALLOC_FL_PUNCH_HOLE`). False if
    /// it cannot.
    pub(super) fn discard(&self, length: u64) -> bool {
        let length = length - length % self.sector_size;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        length > 0 && rustix::fs::fallocate(&self.file, flags, 0, length).is_ok()
    }

    /// Returns when all that was written is on the medium.
    pub(super) fn sync(&self) -> Result<(), DeviceError> {
        rustix::io::retry_on_intr(|| rustix::fs::fdatasync(&self.file)).map_err(DeviceError::io(
            &self.path,
            "flush the writes to",
            None,
        ))
    }
}

fn open(target: &Target) -> Result<File, DeviceError> {
    let common = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let flags = match target.kind() {
        // open(2): on a block device O_EXCL fails while it, or a part of it, is mounted or otherwise claimed.
        Kind::Disk { .. } => common | OFlags::EXCL,
        Kind::File { length: Some(_) } => common | OFlags::NONBLOCK,
        Kind::File { length: None } => common | OFlags::CREATE | OFlags::EXCL,
    };
    let path = target.path();
    match rustix::fs::open(path, flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => Ok(file.into()),
        Err(Errno::BUSY) => Err(DeviceError::refused(
            path,
            "another program has it, or a file system on it is mounted",
        )),
        Err(Errno::ROFS) => Err(DeviceError::refused(path, "it is read-only")),
        Err(Errno::EXIST | Errno::LOOP | Errno::NOENT) => Err(target.replaced()),
        Err(error @ (Errno::ACCESS | Errno::PERM)) if matches!(target.kind(), Kind::Disk { .. }) => Err(
            DeviceError::io(path, "open (only root may write to disks: run this with sudo)", None)(error),
        ),
        Err(error) => Err(DeviceError::io(path, "open", None)(error)),
    }
}

/// The open file once more, past the page cache. The descriptor is what was opened, whatever stands at the path by now.
fn direct(file: &File, access: OFlags) -> Option<File> {
    let flags = access | OFlags::DIRECT | OFlags::CLOEXEC;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::open(path, flags, Mode::empty()).ok().map(File::from)
}

/// Whether this is no error of the medium: there is no way past the page cache.
fn refuses(result: &io::Result<()>) -> bool {
    let errno = result.as_ref().err().and_then(Errno::from_io_error);
    matches!(errno, Some(Errno::INVAL | Errno::OPNOTSUPP))
}

/// An image that is changed where it is. Bytes go through the page cache: ranges are small, and of any length.
impl Place for Medium {
    fn length(&self) -> u64 {
        self.size
    }

    fn can_grow(&self) -> bool {
        !self.is_disk
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        if length > self.size {
            // A full disk is found before a byte is written; a file system that cannot reserve finds it later.
            let reserved = rustix::fs::fallocate(&self.file, FallocateFlags::empty(), self.size, length - self.size);
            match reserved {
                Ok(()) | Err(Errno::OPNOTSUPP) => {}
                Err(error) => {
                    self.file.set_len(self.size)?;
                    return Err(error.into());
                }
            }
        }
        self.file.set_len(length)?;
        self.size = length;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(rustix::io::retry_on_intr(|| rustix::fs::fdatasync(&self.file))?)
    }
}

impl ReadAt for Medium {
    fn size(&self) -> u64 {
        self.size
    }

    /// What decoders read piece by piece may come from the page cache.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
