//! The file that becomes the image, and how it takes its place.
//!
//! Where the file system has `O_TMPFILE`, the file has no name until it is complete: whatever ends the program, nothing is
//! left. A target that does not exist is then linked in one step. An old one is replaced by `rename`, which needs a name to
//! rename from: only a kill between `linkat` and `rename` leaves one hidden file, `.isobuild-` and random letters.
//! Elsewhere the file has such a name from the start; a kill or a second interrupt leaves it.
//!
//! The order on the disk is `fsync` of the file, `linkat` or `rename`, `fsync` of the directory (P1): a crash shows the old
//! image or the new one, never a name without its bytes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use tempfile::NamedTempFile;

use super::input::retry;
use super::{Interrupt, OutputError, io_error};

/// What the kernel asks of a file's creator; it takes the umask away, race-free.
const MODE: Mode = Mode::from_raw_mode(0o666);

/// How a hidden name begins.
const PREFIX: &str = ".isobuild-";

/// Links that are followed: as many as Linux does.
const LINKS: usize = 40;

/// A file beside the target that will become it. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Output {
    target: PathBuf,
    file: Temporary,
    /// Open directories to `fsync`: the target's first, then those that got a new directory.
    directories: Vec<(PathBuf, File)>,
}

/// The file until it takes its place.
#[derive(Debug)]
enum Temporary {
    /// Made by `O_TMPFILE`.
    Unnamed(File),
    /// With a hidden name, which is removed on drop.
    Named(NamedTempFile<File>),
}

impl Output {
    /// Creates the file beside what `target` resolves to. Directories that are missing are made.
    pub(crate) fn create(target: &Path) -> Result<Self, OutputError> {
        let target = resolve(target)?;
        let directory = parent(&target).to_owned();
        let directories = make_directories(&directory)?;
        let file = match unnamed(&directory) {
            Some(file) => Temporary::Unnamed(file),
            None => Temporary::Named(named(&directory)?),
        };
        Ok(Self {
            target,
            file,
            directories,
        })
    }

    /// The path that the image will have, its links resolved.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The directory of that path.
    pub(super) fn directory(&self) -> &Path {
        parent(&self.target)
    }

    /// Whether both files would get the same name in the same directory, also by different paths.
    pub(super) fn has_the_place_of(&self, other: &Self) -> bool {
        let place = |output: &Self| {
            let directory = output.directory().metadata().ok()?;
            Some((directory.dev(), directory.ino(), output.target.file_name()?.to_owned()))
        };
        place(self).is_some_and(|own| place(other) == Some(own))
    }

    /// The file to write to.
    pub(super) fn file(&self) -> &File {
        match &self.file {
            Temporary::Unnamed(file) => file,
            Temporary::Named(file) => file.as_file(),
        }
    }

    /// Makes the file `size` zeros long, all a hole. A limit on the length of files (`EFBIG`) is met here.
    pub(crate) fn set_size(&self, size: u64) -> Result<(), OutputError> {
        self.file()
            .set_len(size)
            .map_err(io_error(&self.target, "make room in", Some(size)))
    }

    /// Writes bytes at a place.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), OutputError> {
        self.file()
            .write_all_at(bytes, offset)
            .map_err(io_error(&self.target, "write", Some(offset)))
    }

    /// Brings the file to the disk and into its place.
    pub(crate) fn commit(self, interrupt: &Interrupt) -> Result<(), OutputError> {
        self.sync()?;
        interrupt.check()?;
        self.take_place()
    }

    /// Brings the file to the disk.
    pub(super) fn sync(&self) -> Result<(), OutputError> {
        retry(|| self.file().sync_all()).map_err(io_error(&self.target, "fsync", None))
    }

    /// Brings the file into its place.
    pub(super) fn take_place(self) -> Result<(), OutputError> {
        let target = &self.target;
        match self.file {
            Temporary::Unnamed(file) => match link(&file, target) {
                Err(Errno::EXIST) => {
                    let hidden = tempfile::Builder::new()
                        .prefix(PREFIX)
                        .make_in(parent(target), |path| Ok(link(&file, path)?))
                        .map_err(io_error(target, "link", None))?;
                    replace(hidden, target)?;
                }
                result => result.map_err(io_error(target, "link", None))?,
            },
            Temporary::Named(file) => replace(file, target)?,
        }
        for (path, directory) in &self.directories {
            match retry(|| directory.sync_all()) {
                // fsync(2): a file system that does not support it for directories, as some network ones.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {}
                result => result.map_err(io_error(path, "fsync", None))?,
            }
        }
        Ok(())
    }
}

/// Follows the links of `target` by hand, because the last of them may dangle; refuses what is no place for an image.
fn resolve(target: &Path) -> Result<PathBuf, OutputError> {
    let mut path = target.to_owned();
    for _ in 0..LINKS {
        // `out/` and `out/.` mean a directory, also one that does not exist: `file_name` would not see it.
        let bytes = path.as_os_str().as_encoded_bytes();
        if path.file_name().is_none() || bytes.ends_with(b"/") || bytes.ends_with(b"/.") {
            return Err(OutputError::Refused {
                path,
                what: "a directory",
            });
        }
        let kind = match path.symlink_metadata() {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(io_error(&path, "examine", None)(error)),
        };
        if kind.is_symlink() {
            let link = path.read_link().map_err(io_error(&path, "read the link", None))?;
            path = parent(&path).join(link);
        } else if kind.is_file() {
            return Ok(path);
        } else {
            return Err(OutputError::Refused { path, what: what(kind) });
        }
    }
    Err(io_error(target, "follow the links of", None)(Errno::LOOP))
}

/// The kind of something that is neither a regular file nor a link.
fn what(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        "a directory"
    } else if kind.is_block_device() {
        "a block device"
    } else if kind.is_char_device() {
        "a character device"
    } else if kind.is_fifo() {
        "a FIFO"
    } else {
        "a socket"
    }
}

/// The directory of `path`.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes `directory` and what is missing above it. Returns all directories that an `fsync` makes lasting, open.
fn make_directories(directory: &Path) -> Result<Vec<(PathBuf, File)>, OutputError> {
    let mut changed = vec![directory];
    while let Some(&missing) = changed.last()
        && !missing.exists()
    {
        changed.push(parent(missing));
    }
    retry(|| std::fs::create_dir_all(directory)).map_err(io_error(directory, "make the directory", None))?;
    let open = |path: &Path| match File::open(path) {
        Ok(file) => Ok((path.to_owned(), file)),
        Err(error) => Err(io_error(path, "open", None)(error)),
    };
    changed.into_iter().map(open).collect()
}

/// A file without a name; none where the file system has no such thing, or `/proc` is not there to name it by.
///
/// Whatever the error is: if it is not about `O_TMPFILE`, creating a named file meets it again.
fn unnamed(directory: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file: File = retry_on_intr(|| rustix::fs::open(directory, flags, MODE)).ok()?.into();
    descriptor(&file).exists().then_some(file)
}

/// A file with a hidden name.
fn named(directory: &Path) -> Result<NamedTempFile<File>, OutputError> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    tempfile::Builder::new()
        .prefix(PREFIX)
        .make_in(directory, |path| {
            Ok(retry_on_intr(|| rustix::fs::openat(CWD, path, flags, MODE)).map(File::from)?)
        })
        .map_err(io_error(directory, "create a file in", None))
}

/// open(2), `O_TMPFILE`: the path by which an unnamed file is linked without a capability.
fn descriptor(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Gives an unnamed file a name that does not exist.
fn link(file: &File, path: &Path) -> Result<(), Errno> {
    let from = descriptor(file);
    retry_on_intr(|| rustix::fs::linkat(CWD, &from, CWD, path, AtFlags::SYMLINK_FOLLOW))
}

/// Renames a hidden file over the target.
fn replace<F>(mut hidden: NamedTempFile<F>, target: &Path) -> Result<(), OutputError> {
    loop {
        match hidden.persist(target) {
            Ok(_) => return Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::Interrupted => hidden = error.file,
            Err(error) => return Err(io_error(target, "rename to", None)(error.error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As where there is no `O_TMPFILE`.
    fn with_name(target: &Path) -> Output {
        let file = Temporary::Named(named(parent(target)).unwrap());
        let directories = make_directories(parent(target)).unwrap();
        Output {
            target: target.into(),
            file,
            directories,
        }
    }

    fn count(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_named_file_takes_its_place_or_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("image");
        for size in [5, 3] {
            let output = with_name(&target);
            output.set_size(size).unwrap();
            output.commit(&Interrupt::default()).unwrap();
            assert_eq!((target.metadata().unwrap().len(), count(directory.path())), (size, 1));
        }
        let output = with_name(&target);
        assert_eq!(count(directory.path()), 2);
        drop(output);
        assert_eq!(count(directory.path()), 1);

        let output = with_name(&target);
        let stop = Interrupt::default();
        stop.request(2);
        assert!(matches!(output.commit(&stop), Err(OutputError::Interrupted(2))));
        assert_eq!((target.metadata().unwrap().len(), count(directory.path())), (3, 1));
    }

    #[test]
    fn a_place_that_is_taken_meanwhile_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("image");
        for make in [with_name, |target: &Path| Output::create(target).unwrap()] {
            let output = make(&target);
            std::fs::create_dir(&target).unwrap();
            let error = output.commit(&Interrupt::default()).unwrap_err();
            assert!(
                matches!(
                    error,
                    OutputError::Io {
                        action: "rename to",
                        ..
                    }
                ),
                "{error}"
            );
            assert_eq!(count(directory.path()), 1);
            std::fs::remove_dir(&target).unwrap();
        }
    }

    #[test]
    fn an_unnamed_file_is_seen_by_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let output = Output::create(&directory.path().join("image")).unwrap();
        let hidden = matches!(output.file, Temporary::Named(_));
        assert_eq!(count(directory.path()), usize::from(hidden));
    }
}
