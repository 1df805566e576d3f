//! Files of a file system that the firmware reads (§13.4 Simple File System, §13.5 File).

use crate::firmware::Firmware;
use crate::tables::*;
use core::ptr::{NonNull, null_mut};
use isobuild_loader::disk::Disk;
use isobuild_loader::iso9660::{is_directory, missing};
use isobuild_loader::line::Failure;

/// The longest path, in UCS-2 units.
const LONGEST_PATH: usize = 1024;

/// A file system, opened. It stays so for as long as the loader runs.
pub(crate) struct Volume {
    root: NonNull<FileProtocol>,
}

impl Volume {
    /// The file system of a handle.
    pub(crate) fn of(firmware: &Firmware, handle: Handle) -> Option<Self> {
        let volume = firmware.protocol::<FileSystem>(handle, &FILE_SYSTEM)?.as_ptr();
        let mut root = null_mut();
        // SAFETY: the protocol is the firmware's.
        let status = unsafe { ((*volume).open_volume)(volume, &mut root) };
        let root = if status == 0 { NonNull::new(root) } else { None };
        root.map(|root| Self { root })
    }

    /// Opens a file by its absolute path, whose components are separated by `/`.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read.
    pub(crate) fn open(&self, path: &[u8]) -> Result<File, Failure> {
        const READ: u64 = 1;
        let mut units = [0; LONGEST_PATH];
        separated(path, &mut units).ok_or_else(|| missing(path))?;
        let mut handle = null_mut();
        let root = self.root.as_ptr();
        // SAFETY: the protocol is the firmware's, and the path ends in a zero.
        let status = unsafe { ((*root).open)(root, &mut handle, units.as_ptr(), READ, 0) };
        let handle = match (status, NonNull::new(handle)) {
            (0, Some(handle)) => handle,
            (NOT_FOUND | 0, _) => return Err(missing(path)),
            _ => return Err(Failure::new().bytes(path).text(" cannot be opened on the boot medium.")),
        };
        let mut file = File { handle, length: 0 };
        match file.information() {
            Some(Information { directory: true, .. }) => Err(is_directory(path)),
            Some(Information { length, .. }) => {
                file.length = length;
                Ok(file)
            }
            None => Err(Failure::new().bytes(path).text(" has no length on the boot medium.")),
        }
    }
}

/// A path as UEFI takes it: UCS-2, separated by `\`, with the zero that ends it.
fn separated(path: &[u8], into: &mut [u16; LONGEST_PATH]) -> Option<()> {
    let path = core::str::from_utf8(path).ok()?;
    let mut room = into[..LONGEST_PATH - 1].iter_mut();
    for unit in path.encode_utf16() {
        *room.next()? = if unit == u16::from(b'/') {
            u16::from(b'\\')
        } else {
            unit
        };
    }
    Some(())
}

/// An open file; its bytes are read as a medium's are. Dropped, it is closed.
pub(crate) struct File {
    handle: NonNull<FileProtocol>,
    /// Bytes.
    pub length: u64,
}

/// What §13.5.16 says of a file.
struct Information {
    length: u64,
    directory: bool,
}

impl File {
    fn information(&self) -> Option<Information> {
        /// The fields before the name.
        const FIELDS: usize = 80;
        const DIRECTORY: u64 = 0x10;
        // The name is in it too. The firmware wants eight-byte fields aligned.
        let mut words = [0_u64; (FIELDS + 2 * LONGEST_PATH) / 8];
        let mut size = size_of_val(&words);
        let file = self.handle.as_ptr();
        // SAFETY: the protocol is the firmware's, and `size` is the room's.
        let status = unsafe { ((*file).get_info)(file, &FILE_INFO, &mut size, words.as_mut_ptr().cast()) };
        (status == 0 && size >= FIELDS).then(|| Information {
            length: words[1],
            directory: words[9] & DIRECTORY != 0,
        })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let file = self.handle.as_ptr();
        // SAFETY: opened by `Volume::open`, and closed here alone.
        unsafe { ((*file).close)(file) };
    }
}

impl Disk for File {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        let file = self.handle.as_ptr();
        let mut done = 0;
        while done < into.len() {
            let rest = &mut into[done..];
            let mut length = rest.len();
            let at = offset + done as u64;
            // SAFETY: the protocol is the firmware's, and `length` is the room's.
            let status = unsafe {
                match ((*file).set_position)(file, at) {
                    0 => ((*file).read)(file, &mut length, rest.as_mut_ptr()),
                    status => status,
                }
            };
            if status != 0 || length == 0 {
                return Err(Failure::of("A file of the boot medium cannot be read at its byte ")
                    .number(at)
                    .text("."));
            }
            done += length;
        }
        Ok(())
    }
}
