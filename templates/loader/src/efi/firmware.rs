//! Calls to the firmware.

use crate::tables::*;
use core::ffi::c_void;
use core::ptr::{NonNull, null, null_mut};

/// The page size of UEFI's memory services (§7.2).
const PAGE: usize = 4096;

/// What the firmware hands to an application: valid until a kernel leaves boot services, which never comes back.
#[derive(Clone, Copy)]
pub(crate) struct Firmware {
    pub image: Handle,
    pub system: *mut SystemTable,
}

impl Firmware {
    pub(crate) fn boot(&self) -> &'static BootServices {
        // SAFETY: the table outlives the loader.
        unsafe { &*(*self.system).boot }
    }

    pub(crate) fn runtime(&self) -> &'static RuntimeServices {
        // SAFETY: as above.
        unsafe { &*(*self.system).runtime }
    }

    /// A protocol of a handle.
    pub(crate) fn protocol<T>(&self, handle: Handle, guid: &Guid) -> Option<NonNull<T>> {
        let mut interface = null_mut();
        let status = (self.boot().handle_protocol)(handle, guid, &mut interface);
        if status == 0 {
            NonNull::new(interface.cast())
        } else {
            None
        }
    }

    /// The handles with a protocol, or all, as many as there is room for.
    pub(crate) fn handles<'a>(&self, guid: Option<&Guid>, room: &'a mut [Handle]) -> &'a [Handle] {
        const ALL_HANDLES: u32 = 0;
        const BY_PROTOCOL: u32 = 2;
        let (search, guid) = match guid {
            Some(guid) => (BY_PROTOCOL, guid as *const Guid),
            None => (ALL_HANDLES, null()),
        };
        let mut length = size_of_val(room);
        let status = (self.boot().locate_handle)(search, guid, null(), &mut length, room.as_mut_ptr());
        let count = if status == 0 { length / size_of::<Handle>() } else { 0 };
        &room[..count.min(room.len())]
    }

    /// Lets every driver look at every device. A firmware that is in a hurry has done so for the medium that it started alone.
    pub(crate) fn connect_all(&self) {
        const MOST_HANDLES: usize = 1024;
        for &handle in self.handles(None, &mut [null_mut(); MOST_HANDLES]) {
            (self.boot().connect_controller)(handle, null(), null(), true);
        }
    }

    /// Memory for `length` bytes, in whole pages.
    pub(crate) fn allocate(&self, length: usize) -> Option<&'static mut [u8]> {
        const ANY_PAGES: u32 = 0;
        const LOADER_DATA: u32 = 2;
        // No slice may be longer (32-bit machines have files that are).
        isize::try_from(length).ok()?;
        let mut address = 0;
        let pages = length.div_ceil(PAGE).max(1);
        let status = (self.boot().allocate_pages)(ANY_PAGES, LOADER_DATA, pages, &mut address);
        // SAFETY: the firmware has given these pages to us alone.
        (status == 0).then(|| unsafe { core::slice::from_raw_parts_mut(address as usize as *mut u8, length) })
    }

    /// Gives memory back.
    pub(crate) fn free(&self, memory: &'static mut [u8]) {
        (self.boot().free_pages)(memory.as_ptr() as usize as u64, memory.len().div_ceil(PAGE).max(1));
    }

    /// Puts a protocol on a handle; a null handle becomes a new one.
    pub(crate) fn install(&self, handle: &mut Handle, guid: &Guid, interface: *const c_void) -> bool {
        const NATIVE: u32 = 0;
        (self.boot().install_protocol)(handle, guid, NATIVE, interface) == 0
    }

    /// A variable of the specification's own name space, as a number of up to eight bytes.
    pub(crate) fn variable(&self, name: &[u16]) -> Option<u64> {
        let mut bytes = [0; 8];
        self.variable_bytes(name, &mut bytes).map(|_| u64::from_le_bytes(bytes))
    }

    /// A variable of the specification's own name space: how many bytes it has, if there is room for them.
    pub(crate) fn variable_bytes(&self, name: &[u16], bytes: &mut [u8]) -> Option<usize> {
        let mut length = bytes.len();
        let get = self.runtime().get_variable;
        let status = get(
            name.as_ptr(),
            &GLOBAL_VARIABLE,
            null_mut(),
            &mut length,
            bytes.as_mut_ptr(),
        );
        (status == 0).then_some(length)
    }
}

/// An ASCII text as UEFI takes it, with the zero that ends it.
pub(crate) fn wide<const N: usize>(text: &str) -> [u16; N] {
    let mut units = [0; N];
    for (unit, byte) in units[..N - 1].iter_mut().zip(text.bytes()) {
        *unit = u16::from(byte);
    }
    units
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
