//! The image that is written: a file, the disk in a file of another form, or the bytes in a compressed one, read once from its first byte to
//! its last.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DeviceError;
use crate::ground::decompress::{Behind, Compression};
use crate::ground::read_at::{FileAt, ReadAt, Reader, Shared};
use crate::ground::stamp;
use crate::ground::stamp::Stamp;
use crate::look::disk::{disk_in, is_disk_file};
use crate::look::inspect;
use crate::look::open::{self, Name};
use crate::look::size::declared_size;

/// What is written last: the system area and the tables that firmware starts from, the descriptors behind them, and more.
pub(super) const HEAD: usize = 1 << 20;

/// Bytes of a compressed file that are read at a time.
const READ: usize = 256 * 1024;

/// An image on its way to a medium.
pub struct Payload {
    path: PathBuf,
    reader: Box<dyn Read + Send>,
    head: Vec<u8>,
    behind: Behind,
    /// The image if it can be read at any offset. A compressed one cannot.
    whole: Option<Shared>,
    file: File,
    stamp: Stamp,
    changes: Vec<(u64, Vec<u8>)>,
    additions: Vec<Addition>,
    /// Where the next bytes of the image belong.
    position: u64,
    /// Behind the image: which addition is next, and how much of it is done.
    addition: Option<(usize, u64)>,
}

/// Bytes that are no part of the image, for a place behind it.
#[derive(Debug)]
pub(super) struct Addition {
    /// Where they go.
    pub(super) offset: u64,
    /// How many there are.
    pub(super) length: u64,
    /// What they are.
    pub(super) source: Source,
}

/// Where added bytes come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Memory.
    Bytes(Vec<u8>),
    /// A file, from an offset on.
    File(Arc<File>, u64),
}

impl Payload {
    /// Opens an image and reads its first MiB.
    ///
    /// # Errors
    /// [`DeviceError::Image`] if it cannot be read, is empty, or holds a disk in a form that no firmware reads.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let unreadable = |error: io::Error| DeviceError::image(path, error.to_string());
        let file = stamp::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let kind = metadata.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Err(DeviceError::image(path, "it is neither a file nor a disk"));
        }
        let stamp = Stamp::of(&metadata);
        let bytes = Shared::new(FileAt::new(file.try_clone().map_err(unreadable)?).map_err(unreadable)?);
        let start = bytes.read_vec_at(0, bytes.size().min(16)).map_err(unreadable)?;
        let behind = Behind::default();
        let (mut reader, mut whole): (Box<dyn Read + Send>, _) = match Compression::of(&start) {
            Some(compression) => {
                io::Seek::rewind(&mut &file).map_err(unreadable)?;
                let source = BufReader::with_capacity(READ, file.try_clone().map_err(unreadable)?);
                (compression.reader(source, &behind), None)
            }
            None => {
                // The last sector of a disc may be unreadable, and a drive holds no file.
                let found = if kind.is_file() { disk_in(&bytes) } else { Ok(None) };
                let found = found.map_err(|error| DeviceError::image(path, error.to_string()))?;
                let whole = found.unwrap_or(bytes);
                (Box::new(Reader::new(whole.clone())), Some(whole))
            }
        };
        let mut head = read_head(path, &mut reader)?;
        // A disk in a compressed file can be read only after all of it is decompressed. Only the end of a DMG shows that it is one.
        if whole.is_none() && (is_disk_file(&head) || !is_a_disk(&head)) {
            let opened = open::open(path, Name::Needless, &mut |_, _| true);
            let opened = opened.map_err(|error| DeviceError::image(path, error.to_string()))?;
            let opened = Shared::new(opened);
            reader = Box::new(Reader::new(opened.clone()));
            head = read_head(path, &mut reader)?;
            whole = Some(opened);
        }
        if head.is_empty() {
            return Err(DeviceError::image(path, "there is nothing in it"));
        }
        // The end of a compressed image is not known yet.
        let end = match &whole {
            Some(whole) => {
                let length = whole.size().min(512);
                whole.read_vec_at(whole.size() - length, length).map_err(unreadable)?
            }
            None => Vec::new(),
        };
        if let Some(what) = inspect::not_an_image(&head, &end) {
            return Err(DeviceError::image(path, what.to_string()));
        }
        Ok(Self {
            path: path.to_owned(),
            reader,
            head,
            behind,
            whole,
            file,
            stamp,
            changes: Vec::new(),
            additions: Vec::new(),
            position: HEAD as u64,
            addition: None,
        })
    }

    /// Its path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its first MiB, or all of a shorter one.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Its bytes: known of a file, and what a compressed one says of itself by its volume descriptor and its GPT.
    pub fn size(&self) -> Option<u64> {
        let whole = self.whole.as_ref().map(ReadAt::size);
        whole.or_else(|| declared_size(&self.head))
    }

    /// Whether [`size`](Self::size) is known, not only said.
    #[cfg(test)]
    pub fn size_is_known(&self) -> bool {
        self.whole.is_some()
    }

    /// Bytes behind the compressed image that are neither zeros nor a part of it; known when all of it has been read.
    pub fn behind(&self) -> u64 {
        self.behind.bytes()
    }

    /// The image, if it can be read at any offset.
    pub(super) fn whole(&self) -> Option<&Shared> {
        self.whole.as_ref()
    }

    /// Takes another head of the same length, and zeros for a range behind it.
    pub(super) fn change(&mut self, head: Vec<u8>, (offset, length): (u64, u64)) {
        self.head = head;
        let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
        patch(&mut self.head, 0, offset, &zeros);
        self.changes.push((offset, zeros));
    }

    /// Has more written behind the image.
    pub(super) fn add(&mut self, addition: Addition) {
        self.additions.push(addition);
    }

    /// What is written behind the image.
    pub(super) fn additions(&self) -> &[Addition] {
        &self.additions
    }

    /// How many bytes there are to write, if that is known.
    pub(super) fn total(&self) -> Option<u64> {
        let added: u64 = self.additions.iter().map(|addition| addition.length).sum();
        Some(self.size()? + added)
    }

    /// Fills `buffer` with what follows: the rest of the image, then what was added. The result is where it belongs and how much there is;
    /// `None` at the end.
    pub(super) fn next(&mut self, buffer: &mut [u8]) -> Result<Option<(u64, usize)>, DeviceError> {
        if self.addition.is_none() {
            let length = read_full(&mut self.reader, buffer).map_err(|error| broken(&self.path, error))?;
            if length > 0 {
                let offset = self.position;
                self.position += length as u64;
                for (at, bytes) in &self.changes {
                    patch(buffer.get_mut(..length).unwrap_or_default(), offset, *at, bytes);
                }
                return Ok(Some((offset, length)));
            }
            self.unchanged()?;
            let said = declared_size(&self.head).filter(|_| self.whole.is_none());
            let end = match self.head.len() < HEAD {
                true => self.head.len() as u64,
                false => self.position,
            };
            if said.is_some_and(|said| said > end) {
                return Err(DeviceError::image(
                    &self.path,
                    format!("it ends too early, after {end} bytes; it was cut"),
                ));
            }
        }
        let (mut index, mut done) = self.addition.unwrap_or_default();
        while let Some(addition) = self.additions.get(index) {
            let length =
                addition
                    .read(buffer, done)
                    .map_err(DeviceError::io(&self.path, "read what is added to", None))?;
            if length > 0 {
                self.addition = Some((index, done + length as u64));
                return Ok(Some((addition.offset + done, length)));
            }
            (index, done) = (index + 1, 0);
        }
        self.addition = Some((index, done));
        Ok(None)
    }

    /// Where `bytes`, which belong at `offset`, first differ from the image. `None` where that takes reading a compressed one again.
    pub(super) fn first_difference(&self, bytes: &[u8], offset: u64) -> Option<u64> {
        let whole = self.whole.as_ref()?;
        let length = whole.size().saturating_sub(offset).min(bytes.len() as u64);
        let mut own = vec![0; bytes.len()];
        whole.read_exact_at(own.get_mut(..length as usize)?, offset).ok()?;
        patch(&mut own, offset, 0, &self.head);
        for (at, zeros) in &self.changes {
            patch(&mut own, offset, *at, zeros);
        }
        let place = own.iter().zip(bytes).position(|(own, byte)| own != byte)?;
        Some(offset + place as u64)
    }

    /// Makes sure that the file is still what it was when it was opened.
    fn unchanged(&self) -> Result<(), DeviceError> {
        let metadata = self
            .file
            .metadata()
            .map_err(DeviceError::io(&self.path, "look at", None))?;
        match self.stamp.change(&Stamp::of(&metadata)) {
            None => Ok(()),
            Some(what) => Err(DeviceError::Changed {
                path: self.path.clone(),
                what,
            }),
        }
    }
}

/// Puts what of `bytes`, which belong at `at`, falls into `buffer`, which begins at `offset`.
fn patch(buffer: &mut [u8], offset: u64, at: u64, bytes: &[u8]) {
    let end = (at + bytes.len() as u64).min(offset + buffer.len() as u64);
    let start = at.max(offset);
    if start < end
        && let Some(place) = buffer.get_mut((start - offset) as usize..(end - offset) as usize)
        && let Some(bytes) = bytes.get((start - at) as usize..(end - at) as usize)
    {
        place.copy_from_slice(bytes);
    }
}

impl Addition {
    /// Fills `buffer` with what begins at `done` of it. Returns how much there is.
    pub(super) fn read(&self, buffer: &mut [u8], done: u64) -> io::Result<usize> {
        let length = self.length.saturating_sub(done).min(buffer.len() as u64) as usize;
        let place = buffer.get_mut(..length).unwrap_or_default();
        match &self.source {
            Source::Bytes(bytes) => bytes.read_exact_at(place, done)?,
            Source::File(file, start) => file.read_exact_at(place, start + done)?,
        }
        Ok(length)
    }
}

/// The system's errors are its own; wrong bytes are the image's.
fn broken(path: &Path, error: io::Error) -> DeviceError {
    match error.raw_os_error() {
        Some(_) => DeviceError::io(path, "read", None)(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            DeviceError::image(path, "it ends too early; it was cut")
        }
        None => DeviceError::image(path, format!("it cannot be decompressed: {error}")),
    }
}

/// Whether these first bytes belong to a disk or a volume.
fn is_a_disk(head: &[u8]) -> bool {
    declared_size(head).is_some() || head.get(510..512) == Some(b"\x55\xaa")
}

fn read_head(path: &Path, reader: &mut impl Read) -> Result<Vec<u8>, DeviceError> {
    let mut head = vec![0; HEAD];
    let length = read_full(reader, &mut head).map_err(|error| broken(path, error))?;
    head.truncate(length);
    Ok(head)
}

/// Fills `buffer` as far as there are bytes.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(length) => done += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
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

    #[test]
    fn a_compressed_image_says_its_size_in_its_head() {
        let mut image = vec![0; 3 << 20];
        image[0x8000..0x8006].copy_from_slice(b"\x01CD001");
        image[0x8050..0x8054].copy_from_slice(&1536u32.to_le_bytes());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&image).unwrap();
        let gzip = file(&gzip.finish().unwrap());
        let mut payload = Payload::open(gzip.path()).unwrap();
        assert_eq!((payload.size(), payload.size_is_known()), (Some(3 << 20), false));
        assert!(payload.head() == &image[..HEAD]);
        let mut rest = vec![1; 4 << 20];
        assert_eq!(payload.next(&mut rest).unwrap(), Some((1 << 20, 2 << 20)));
        assert_eq!(payload.next(&mut rest).unwrap(), None);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for (bytes, said) in [
            (&b""[..], "there is nothing in it"),
            (b"QFI\xfb and more", "qcow2 header is cut short"),
            (b"\x1f\x8b\x08\0cut", "it ends too early"),
        ] {
            let file = file(bytes);
            let Err(error) = Payload::open(file.path()) else {
                panic!("{said}")
            };
            assert!(error.to_string().contains(said), "{error}");
        }
        assert!(Payload::open(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn a_file_that_changes_is_noticed() {
        let mut file = file(&[7; 100]);
        let payload = Payload::open(file.path()).unwrap();
        assert_eq!((payload.size(), payload.head().len()), (Some(100), 100));
        payload.unchanged().unwrap();
        file.write_all(b"more").unwrap();
        assert!(matches!(payload.unchanged(), Err(DeviceError::Changed { .. })));
    }
}
