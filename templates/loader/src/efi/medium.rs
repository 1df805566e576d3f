//! Which medium this loader was started from.

use crate::disk::EfiDisk;
use crate::files::Files;
use crate::firmware::{Firmware, nodes};
use crate::tables::*;
use crate::volume::Volume;
use core::ptr::NonNull;
use isobuild_loader::disk::Disk;
use isobuild_loader::iso9660::Extent;
use isobuild_loader::line::Failure;
use isobuild_loader::medium::{ID_PATH, menu_of, read_menu};
use isobuild_loader::menu_file::{ID_LENGTH, LARGEST, Menu, PATH, is_id};

/// More handles than this are not looked at.
const MOST_HANDLES: usize = 256;

/// The medium and its menu.
pub(crate) struct Medium {
    pub files: Files,
    pub menu: Menu<'static>,
    /// Whether it is the one that the firmware started the loader from.
    pub own: bool,
}

impl Medium {
    /// The menu has been read into `menu`, and stays there for as long as the loader runs.
    fn new(files: Files, menu: &'static [u8], own: bool) -> Self {
        let menu = Menu::new(menu);
        Self { files, menu, own }
    }
}

/// Finds the image's medium: first the whole disk that holds the loader's own partition or boot image, confirmed by the
/// image's id; then the file system that the loader was started from, if the image's files have been copied there; then, by
/// the id alone, any other disk.
///
/// # Errors
/// No medium is this image's. The sentence is about the own one.
pub(crate) fn find(firmware: &Firmware) -> Result<Medium, Failure> {
    let room = firmware.allocate(LARGEST);
    let room = room.ok_or_else(|| Failure::of("The firmware has no memory for the loader."))?;
    let device = own_device(firmware);
    let own = device.and_then(|device| firmware.protocol::<u8>(device, &DEVICE_PATH));
    let volume = device.and_then(|device| Volume::of(firmware, device));
    let id = volume.as_ref().and_then(id_of);
    let id = id.as_ref().map(|digits| &digits[..]);

    let mut failure = Failure::of("The firmware shows no medium that the loader could have come from.");
    match disk(firmware, own, true, id, room) {
        Some(Ok(disk)) => return Ok(Medium::new(Files::Tree(disk), room, true)),
        Some(Err(reason)) => failure = reason,
        None => {}
    }
    match volume.map(|volume| copied(volume, id, room)) {
        Some(Ok(Some(volume))) => return Ok(Medium::new(Files::Copied(volume), room, true)),
        Some(Ok(None)) => {
            failure = failure
                .text(" Nor is there a copy of ")
                .bytes(PATH)
                .text(" beside the loader.");
        }
        Some(Err(reason)) => failure = reason,
        None => {}
    }
    if id.is_some() {
        firmware.connect_all();
        if let Some(Ok(disk)) = disk(firmware, own, false, id, room) {
            return Ok(Medium::new(Files::Tree(disk), room, false));
        }
    }
    Err(failure)
}

/// The image's id, which stands in a file beside the loader.
fn id_of(volume: &Volume) -> Option<[u8; ID_LENGTH]> {
    let mut digits = [0; ID_LENGTH];
    let mut file = volume.open(ID_PATH).ok()?;
    file.read(0, &mut digits).ok()?;
    is_id(&digits).then_some(digits)
}

/// The whole disk with the image's menu, among those that hold the loader's own device or those that do not. The error is of
/// the last one.
fn disk(
    firmware: &Firmware,
    own: Option<NonNull<u8>>,
    is_own: bool,
    id: Option<&[u8]>,
    room: &mut [u8],
) -> Option<Result<EfiDisk, Failure>> {
    let mut last = None;
    let mut handles = [core::ptr::null_mut(); MOST_HANDLES];
    for &handle in firmware.handles(Some(&BLOCK_IO), &mut handles) {
        if holds(firmware.protocol::<u8>(handle, &DEVICE_PATH), own) != is_own {
            continue;
        }
        let Some(mut disk) = EfiDisk::whole(firmware, handle) else {
            continue;
        };
        match menu_of(&mut disk, id, room) {
            Ok(_) => return Some(Ok(disk)),
            Err(reason) => last = Some(Err(reason)),
        }
    }
    last
}

/// The volume, if the image's files have been copied to it.
fn copied(volume: Volume, id: Option<&[u8]>, room: &mut [u8]) -> Result<Option<Volume>, Failure> {
    let Ok(mut file) = volume.open(PATH) else {
        return Ok(None);
    };
    let extent = Extent {
        offset: 0,
        length: file.length,
    };
    read_menu(&mut file, extent, id, room)?;
    Ok(Some(volume))
}

/// The device that the firmware loaded this program from.
pub(crate) fn own_device(firmware: &Firmware) -> Option<Handle> {
    let loaded = firmware.protocol::<LoadedImage>(firmware.image, &LOADED_IMAGE)?;
    // SAFETY: the protocol is the firmware's.
    let device = unsafe { (*loaded.as_ptr()).device };
    (!device.is_null()).then_some(device)
}

/// Whether one device path begins the other: the device holds the other one.
fn holds(outer: Option<NonNull<u8>>, inner: Option<NonNull<u8>>) -> bool {
    let (Some(outer), Some(inner)) = (outer, inner) else {
        return false;
    };
    let (outer, inner) = (nodes(outer), nodes(inner));
    inner.starts_with(outer)
}
