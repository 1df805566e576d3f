//! Starting a 64-bit kernel from a 32-bit firmware, which many 64-bit tablets and netbooks have.
//!
//! The firmware loads such a program and refuses to start it. A kernel that can be started all the same (Linux with
//! `CONFIG_EFI_MIXED`) says where its 32-bit entry is.

use crate::firmware::Firmware;
use crate::tables::{Handle, LOADED_IMAGE, LoadedImage, Status, SystemTable};
use isobuild_loader::pe;

/// An application's entry (UEFI 2.10 §4.1.1).
pub(crate) type Entry = extern "efiapi" fn(Handle, *mut SystemTable) -> Status;

/// The 32-bit entry of a loaded program for another machine. `None`: the firmware is to start it.
pub(crate) fn entry(firmware: Firmware, image: Handle) -> Option<Entry> {
    if !cfg!(target_arch = "x86") {
        return None;
    }
    let loaded = firmware.protocol::<LoadedImage>(image, &LOADED_IMAGE)?;
    // SAFETY: the protocol is the firmware's, and so is the memory, until the image is unloaded.
    let (base, program) = unsafe {
        let LoadedImage { base, size, .. } = *loaded.as_ptr();
        (base, core::slice::from_raw_parts(base, usize::try_from(size).ok()?))
    };
    let offset = pe::compatible_entry(program, pe::IA32)?;
    // SAFETY: the program says that this is an entry in this machine's calling convention, and it lies inside of it.
    Some(unsafe { core::mem::transmute::<*const u8, Entry>(base.wrapping_add(offset)) })
}
