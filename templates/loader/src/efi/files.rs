//! The image's files, wherever they are.

use crate::console::EfiConsole;
use crate::disk::EfiDisk;
use crate::volume::Volume;
use isobuild_loader::iso9660;
use isobuild_loader::line::Failure;
use isobuild_loader::progress::{Progress, load};

/// Where the image's files are.
pub(crate) enum Files {
    /// In the ISO 9660 tree of the medium that the image was written to.
    Tree(EfiDisk),
    /// Copied, one by one, to the file system that the firmware started the loader from.
    Copied(Volume),
}

impl Files {
    /// How many bytes a file has, by its absolute path.
    ///
    /// # Errors
    /// There is no such file, or the medium has failed.
    pub(crate) fn length(&mut self, path: &[u8]) -> Result<u64, Failure> {
        match self {
            Self::Tree(disk) => iso9660::find(disk, path).map(|file| file.length),
            Self::Copied(volume) => volume.open(path).map(|file| file.length),
        }
    }

    /// Reads a file into the beginning of `into`, and says how many bytes it has.
    ///
    /// # Errors
    /// There is no such file, it is longer than `into`, or the medium has failed.
    pub(crate) fn load(
        &mut self,
        path: &[u8],
        console: &mut EfiConsole,
        progress: &mut Progress,
        into: &mut [u8],
    ) -> Result<usize, Failure> {
        match self {
            Self::Tree(disk) => {
                let file = iso9660::find(disk, path)?;
                let into = beginning(path, file.length, into)?;
                load(disk, console, progress, file.offset, into)?;
                Ok(into.len())
            }
            Self::Copied(volume) => {
                let mut file = volume.open(path)?;
                let into = beginning(path, file.length, into)?;
                load(&mut file, console, progress, 0, into)?;
                Ok(into.len())
            }
        }
    }
}

/// As much of `into` as the file has bytes.
fn beginning<'a>(path: &[u8], length: u64, into: &'a mut [u8]) -> Result<&'a mut [u8], Failure> {
    let length = usize::try_from(length).ok();
    length
        .and_then(|length| into.get_mut(..length))
        .ok_or_else(|| Failure::new().bytes(path).text(" has grown since it was measured."))
}
