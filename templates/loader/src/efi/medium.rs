//! Which medium this loader was started from.

use crate::disk::EfiDisk;
use crate::firmware::{Firmware, wide};
use crate::tables::*;
use core::ptr::NonNull;
use isobuild_loader::line::Failure;
use isobuild_loader::medium::{ID_PATH, menu_of};
use isobuild_loader::menu_file::{ID_LENGTH, LARGEST, Menu, is_id};

/// More handles than this are not looked at.
const MOST_HANDLES: usize = 256;

/// The medium and its menu.
pub(crate) struct Medium {
    pub disk: EfiDisk,
    pub menu: Menu<'static>,
    /// Whether it is the one that the firmware started the loader from.
    pub own: bool,
}

/// Finds the image's medium: first the whole disk that holds the loader's own partition or boot image, confirmed by the
/// image's id; then, by the id alone, any other.
///
/// # Errors
/// No medium is this image's. The sentence is about the own one.
pub(crate) fn find(firmware: &Firmware) -> Result<Medium, Failure> {
    let no_memory = || Failure::of("The firmware has no memory for the loader.");
    let room = firmware.allocate(LARGEST).ok_or_else(no_memory)?;
    let mut bounce = EfiDisk::bounce(firmware).ok_or_else(no_memory)?;
    let device = own_device(firmware);
    let mut digits = [0; ID_LENGTH];
    let path = wide::<32>(ID_PATH);
    let read = device.and_then(|device| firmware.read_file(device, &path, &mut digits));
    let id = (read == Some(ID_LENGTH) && is_id(&digits)).then_some(&digits[..]);

    let own = device.and_then(|device| firmware.protocol::<u8>(device, &DEVICE_PATH));
    let mut failure = Failure::of("The firmware shows no medium that the loader could have come from.");
    for is_own in [true, false] {
        if !is_own {
            if id.is_none() {
                break;
            }
            firmware.connect_all();
        }
        let mut handles = [core::ptr::null_mut(); MOST_HANDLES];
        for &handle in firmware.handles(Some(&BLOCK_IO), &mut handles) {
            let Some(io) = EfiDisk::whole(firmware, handle) else {
                continue;
            };
            if holds(firmware.protocol::<u8>(handle, &DEVICE_PATH), own) != is_own {
                continue;
            }
            let mut disk = EfiDisk::new(io, bounce);
            match menu_of(&mut disk, id, room) {
                // The menu stays where it was read for as long as the loader runs.
                Ok(_) => {
                    let menu = Menu::new(room);
                    return Ok(Medium {
                        disk,
                        menu,
                        own: is_own,
                    });
                }
                Err(reason) if is_own => failure = reason,
                Err(_) => {}
            }
            bounce = disk.into_bounce();
        }
    }
    Err(failure)
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

/// A device path's bytes without the node that ends it (§10.3.1: type, subtype, length; type 0x7f ends it).
pub(crate) fn nodes(path: NonNull<u8>) -> &'static [u8] {
    const END: u8 = 0x7f;
    const LONGEST: usize = 4096;
    let start = path.as_ptr();
    let mut length = 0;
    // SAFETY: the firmware's device paths are well-formed; a node without a length ends it too.
    unsafe {
        while *start.add(length) != END && length < LONGEST {
            let node = usize::from(u16::from_le_bytes([*start.add(length + 2), *start.add(length + 3)]));
            if node < 4 {
                break;
            }
            length += node;
        }
        core::slice::from_raw_parts(start, length)
    }
}
