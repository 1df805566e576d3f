//! An image that is opened to be read: a file or a disk, the disk in a file of another form, or what is decompressed into a temporary file.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use crate::ground::decompress::{Behind, Compression};
use crate::ground::disk::DiskError;
use crate::ground::read_at::{FileAt, ReadAt, Shared};
use crate::ground::spool::{self, Decompressed, Spool};
use crate::ground::stamp;

use super::disk::disk_in;

/// Compressed bytes that are read at a time.
const BUFFER: usize = 256 << 10;
/// Bytes of a disk that are written at a time.
const STEP: u64 = 1 << 20;

/// An image that can be read at any place.
#[derive(Debug)]
pub struct Opened {
    bytes: Shared,
    path: PathBuf,
    behind: u64,
    /// It is removed with this.
    _decompressed: Option<Decompressed>,
}

/// Whether another program has to find what is decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// No other program has to: the file has no name, so that nothing is left if this program is killed.
    Needless,
    /// It has a name in the directory for temporary files.
    Needed,
}

/// Why an image cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened or read.
    #[error("{}", .0)]
    Read(io::Error),
    /// It is something else, in words that go on from its name.
    #[error("is {}, not an image", .0)]
    Other(&'static str),
    /// The disk in a file of another form cannot be read. The sentence follows the file's name and a colon.
    #[error("{}", .0)]
    Disk(String),
    /// What is compressed is damaged or too large, in words that go on from its name.
    #[error("{}", .0)]
    Compressed(String),
    /// What is decompressed cannot be held.
    #[error("{}", .0)]
    Hold(io::Error),
    /// The caller has stopped it.
    #[error("stopped")]
    Stopped,
}

/// Opens the image at `path`. `go_on` learns how many of how many compressed bytes are decompressed, and says whether to go on.
///
/// Reading a FIFO or a terminal could wait for ever, so that an image is a regular file or a block device.
///
/// # Errors
/// See [`OpenError`]. What the bytes are is not looked at.
pub fn open(path: &Path, name: Name, go_on: &mut dyn FnMut(u64, u64) -> bool) -> Result<Opened, OpenError> {
    let file = stamp::open(path).map_err(OpenError::Read)?;
    let kind = file.metadata().map_err(OpenError::Read)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(OpenError::Other(match kind.is_dir() {
            true => "a directory",
            false => "neither a file nor a disk",
        }));
    }
    let bytes = FileAt::new(file.try_clone().map_err(OpenError::Read)?).map_err(OpenError::Read)?;
    let start = bytes.read_vec_at(0, bytes.size().min(16)).map_err(OpenError::Read)?;
    let opened = match Compression::of(&start) {
        Some(compression) => decompressed(file, bytes.size(), compression, name, go_on)?,
        None => Opened {
            bytes: Shared::new(bytes),
            path: path.to_owned(),
            behind: 0,
            _decompressed: None,
        },
    };
    // The last sector of a disc may be unreadable, and a drive holds no file.
    if !kind.is_file() {
        return Ok(opened);
    }
    match disk_in(&opened.bytes) {
        Ok(None) => Ok(opened),
        Ok(Some(disk)) if name == Name::Needless => Ok(Opened { bytes: disk, ..opened }),
        Ok(Some(disk)) => expanded(&disk, opened.behind, go_on),
        Err(DiskError::Read(error)) if error.raw_os_error().is_some() => Err(OpenError::Read(error)),
        Err(DiskError::Read(error)) => Err(OpenError::Disk(format!("it is damaged: {error}"))),
        Err(DiskError::Refused(why)) => Err(OpenError::Disk(why)),
    }
}

/// Copies a disk to a temporary raw file. Its holes stay holes.
fn expanded(disk: &Shared, behind: u64, go_on: &mut dyn FnMut(u64, u64) -> bool) -> Result<Opened, OpenError> {
    let expanded = Decompressed::new(true).map_err(OpenError::Hold)?;
    expanded.file().set_len(disk.size()).map_err(OpenError::Hold)?;
    let read = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => OpenError::Disk(error.to_string()),
        _ => OpenError::Read(error),
    };
    let mut at = 0;
    loop {
        at = disk.data_from(at).map_err(read)?;
        let length = disk.size().saturating_sub(at).min(STEP);
        if length == 0 {
            break;
        }
        let bytes = disk.read_vec_at(at, length).map_err(read)?;
        expanded.file().write_all_at(&bytes, at).map_err(OpenError::Hold)?;
        at += length;
        if !go_on(at, disk.size()) {
            return Err(OpenError::Stopped);
        }
    }
    let bytes = FileAt::new(expanded.file().try_clone().map_err(OpenError::Hold)?).map_err(OpenError::Hold)?;
    Ok(Opened {
        bytes: Shared::new(bytes),
        path: expanded.path().to_owned(),
        behind,
        _decompressed: Some(expanded),
    })
}

fn decompressed(
    file: File,
    size: u64,
    compression: Compression,
    name: Name,
    go_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Opened, OpenError> {
    // Its length was found at its end.
    io::Seek::rewind(&mut &file).map_err(OpenError::Read)?;
    let spool = Spool::of_image(size, name == Name::Needed);
    let behind = Behind::default();
    let mut source = compression.reader(
        BufReader::with_capacity(BUFFER, file.try_clone().map_err(OpenError::Read)?),
        &behind,
    );
    let mut stopped = false;
    let mut watched = Watched {
        source: &mut source,
        look: &mut || {
            // Where the decoder has come to: a pipe has no such place, a file and a disk have.
            let done = io::Seek::stream_position(&mut &file).unwrap_or(0);
            stopped = !go_on(done, size);
            !stopped
        },
    };
    let result = spool.append(&mut watched);
    drop(source);
    if stopped {
        return Err(OpenError::Stopped);
    }
    result.map_err(|error| failed(error, compression))?;
    let bytes = spool.bytes().map_err(|error| failed(error, compression))?;
    let decompressed = match spool.into_file() {
        Some(decompressed) if bytes.size() > 0 => decompressed,
        _ => {
            let message = format!("is compressed with {}, and nothing is in it", compression.name());
            return Err(OpenError::Compressed(message));
        }
    };
    Ok(Opened {
        bytes: Shared::new(bytes),
        path: decompressed.path().to_owned(),
        behind: behind.bytes(),
        _decompressed: Some(decompressed),
    })
}

fn failed(error: spool::SpoolError, compression: Compression) -> OpenError {
    match error {
        spool::SpoolError::Read(error) if error.raw_os_error().is_some() => OpenError::Read(error),
        spool::SpoolError::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            OpenError::Compressed(format!("is compressed with {}, and cut short", compression.name()))
        }
        spool::SpoolError::Read(error) => OpenError::Compressed(format!(
            "is compressed with {}, and damaged: {error}",
            compression.name()
        )),
        spool::SpoolError::Hold(error) => OpenError::Hold(error),
        error @ spool::SpoolError::TooMuch => OpenError::Compressed(error.to_string()),
    }
}

/// Reads what `source` gives as long as `look` says to.
struct Watched<'a> {
    source: &'a mut dyn Read,
    look: &'a mut dyn FnMut() -> bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.look)() {
            true => self.source.read(buffer),
            false => Err(io::ErrorKind::Other.into()),
        }
    }
}

impl Opened {
    /// Where other programs find its bytes: the file itself, or what was decompressed from it if that has a name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes behind the compressed image that are neither zeros nor a part of it.
    pub fn behind(&self) -> u64 {
        self.behind
    }
}

impl ReadAt for Opened {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.read_exact_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        self.bytes.data_from(offset)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn opened(bytes: &[u8], name: Name) -> Result<Opened, OpenError> {
        open(file(bytes).path(), name, &mut |_, _| true)
    }

    #[test]
    fn a_compressed_image_reads_as_what_is_in_it() {
        let image: Vec<u8> = (0..3 << 20).map(|at| (at >> 12) as u8).collect();
        let image_file = file(&image);
        let plain = open(image_file.path(), Name::Needless, &mut |_, _| true).unwrap();
        assert_eq!((plain.size(), plain.path()), (3 << 20, image_file.path()));
        let compressed = [&gzip(&image[..1 << 20])[..], &gzip(&image[1 << 20..])].concat();
        let mut told = Vec::new();
        let compressed_file = file(&[&compressed[..], b"behind"].concat());
        let unpacked = open(compressed_file.path(), Name::Needless, &mut |done, of| {
            told.push((done, of));
            true
        })
        .unwrap();
        assert_eq!(unpacked.read_vec_at(0, unpacked.size()).unwrap(), image);
        assert_eq!(unpacked.behind(), 6);
        assert_eq!(
            told.last().unwrap(),
            &(compressed.len() as u64 + 6, compressed.len() as u64 + 6)
        );

        let named = opened(&compressed, Name::Needed).unwrap();
        let path = named.path().to_owned();
        assert_eq!(std::fs::read(&path).unwrap(), image);
        drop(named);
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let image = gzip(&[7; 70_000]);
        let words = |result: Result<Opened, OpenError>| result.map(|_| ()).unwrap_err().to_string();
        assert!(words(opened(&image[..40], Name::Needless)).contains("cut short"));
        let mut damaged = image.clone();
        let sum = damaged.len() - 8;
        damaged[sum] ^= 1;
        assert!(words(opened(&damaged, Name::Needless)).contains("damaged"));
        // 65 MiB in a frame of zstd's, four bytes for each 128 KiB of one byte (RFC 8878 §3.1.1).
        let bomb = |byte: u8| {
            let mut frame = b"\x28\xb5\x2f\xfd\0\x38".to_vec();
            for number in 0..520 {
                let header = (128u32 << 10) << 3 | 1 << 1 | u32::from(number == 519);
                frame.extend(&header.to_le_bytes()[..3]);
                frame.push(byte);
            }
            frame
        };
        assert!(words(opened(&bomb(7), Name::Needless)).contains("1000 times"));
        // Zeros take no room.
        let zeros = opened(&bomb(0), Name::Needless).unwrap();
        assert_eq!(zeros.size(), 65 << 20);
        assert_eq!(zeros.read_vec_at((65 << 20) - 5, 5).unwrap(), [0; 5]);
        assert!(words(opened(&gzip(b""), Name::Needless)).contains("nothing is in it"));
        let stopped = open(file(&image).path(), Name::Needless, &mut |_, _| false);
        assert!(matches!(stopped, Err(OpenError::Stopped)));
        let directory = tempfile::tempdir().unwrap();
        let other = open(directory.path(), Name::Needless, &mut |_, _| true);
        assert!(words(other).contains("a directory"));
        let missing = open(&directory.path().join("missing"), Name::Needless, &mut |_, _| true);
        assert!(matches!(missing, Err(OpenError::Read(error)) if error.kind() == io::ErrorKind::NotFound));
    }
}
