//! Starting what an entry names: a Linux kernel with its initrds, or any EFI program.

use crate::console::EfiConsole;
use crate::files::Files;
use crate::firmware::{Firmware, nodes};
use crate::medium::own_device;
use crate::mixed;
use crate::tables::*;
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use isobuild_loader::line::Failure;
use isobuild_loader::linux::padded;
use isobuild_loader::menu_file::Entry;
use isobuild_loader::progress::Progress;

/// The menu file's key for a program of this processor.
pub(crate) const OWN: &[u8] = if cfg!(target_arch = "x86_64") {
    b"efi-x64"
} else if cfg!(target_arch = "x86") {
    b"efi-ia32"
} else {
    b"efi-aa64"
};

/// Loads and starts an entry. It comes back only with the reason why that was impossible.
pub(crate) fn start(
    firmware: Firmware,
    console: &mut EfiConsole,
    files: &mut Files,
    entry: &Entry,
    command_line: &[u8],
    quiet: bool,
) -> Failure {
    let Some(path) = entry.efi(OWN).or(entry.kernel()) else {
        return Failure::of("The entry names nothing that UEFI can start.");
    };
    let is_unified = entry.is_unified(OWN);
    let offered = !is_unified && entry.initrds().next().is_some();
    // What is missing is told before anything is loaded.
    let length = if offered { initrds_length(files, entry) } else { Ok(0) };
    let prepared = length.and_then(|length| {
        let image = program(firmware, console, files, path, quiet)?;
        // Without options, a unified kernel image uses the command line inside it. Options would be measured in place of that.
        if !is_unified || command_line != entry.command_line() {
            set_options(firmware, image, command_line)?;
        }
        Ok((image, length))
    });
    let (image, length) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return failure,
    };
    let mut provider = Provider {
        head: LoadFile2 { load_file },
        length,
        entry,
        console,
        files,
        quiet,
        failure: None,
    };
    let mut media = null_mut();
    let interface = (&raw mut provider).cast::<c_void>();
    if offered {
        let path = (&raw const INITRD_PATH).cast();
        if !firmware.install(&mut media, &DEVICE_PATH, path) || !firmware.install(&mut media, &LOAD_FILE_2, interface) {
            return Failure::of("The firmware takes no initrd from the loader.");
        }
    }
    let status = match mixed::entry(firmware, image) {
        Some(entry) => entry(image, firmware.system),
        None => (firmware.boot().start_image)(image, null_mut(), null_mut()),
    };
    if offered {
        let uninstall = firmware.boot().uninstall_protocol;
        uninstall(media, &LOAD_FILE_2, interface);
        uninstall(media, &DEVICE_PATH, (&raw const INITRD_PATH).cast());
    }
    provider.failure.unwrap_or_else(|| refusal(path, status))
}

/// Loads a program into memory that the firmware then owns.
fn program(
    firmware: Firmware,
    console: &mut EfiConsole,
    files: &mut Files,
    path: &[u8],
    quiet: bool,
) -> Result<Handle, Failure> {
    let length = files.length(path)?;
    let memory = usize::try_from(length)
        .ok()
        .and_then(|length| firmware.allocate(length));
    let Some(memory) = memory else {
        return Err(Failure::of("Too little memory for ")
            .bytes(path)
            .text(", which has ")
            .size(length)
            .text("."));
    };
    let mut progress = Progress::new(length, quiet);
    let mut image = null_mut();
    let mut room = [0; 2048];
    let origin = origin(firmware, path, &mut room);
    let loaded = files.load(path, console, &mut progress, memory).map(|length| {
        let load_image = firmware.boot().load_image;
        load_image(false, firmware.image, origin, memory.as_ptr(), length, &mut image)
    });
    firmware.free(memory);
    let status = loaded?;
    match status {
        0 => Ok(image),
        status => {
            if !image.is_null() {
                // §7.4.1: a program that Secure Boot refuses is loaded all the same.
                (firmware.boot().unload_image)(image);
            }
            Err(refusal(path, status))
        }
    }
}

/// How many bytes the initrds have together.
fn initrds_length(files: &mut Files, entry: &Entry) -> Result<u64, Failure> {
    let mut total = 0;
    for path in entry.initrds() {
        total = padded(total) + files.length(path)?;
    }
    Ok(total)
}

/// The command line, in the units of UEFI. It stays allocated: the program may keep it.
fn set_options(firmware: Firmware, image: Handle, command_line: &[u8]) -> Result<(), Failure> {
    let no_memory = Failure::of("The firmware has no memory for the command line.");
    let memory = firmware.allocate(2 * command_line.len() + 2).ok_or(no_memory)?;
    let mut length = 0;
    let mut push = |unit: u16| {
        memory[length..length + 2].copy_from_slice(&unit.to_le_bytes());
        length += 2;
    };
    for piece in command_line.utf8_chunks() {
        piece.valid().encode_utf16().for_each(&mut push);
        if !piece.invalid().is_empty() {
            push(u16::from(b'?'));
        }
    }
    push(0);
    let Some(loaded) = firmware.protocol::<LoadedImage>(image, &LOADED_IMAGE) else {
        return Err(Failure::of("The firmware does not show what it has loaded."));
    };
    // SAFETY: §9.1: whoever loads an image sets its options before it starts.
    unsafe {
        (*loaded.as_ptr()).options = memory.as_ptr().cast();
        (*loaded.as_ptr()).options_length = length as u32;
    }
    Ok(())
}

/// Where the program says it came from: the loader's own device, and its path in the image.
fn origin(firmware: Firmware, path: &[u8], room: &mut [u8; 2048]) -> *const u8 {
    const END: [u8; 4] = [0x7f, 0xff, 4, 0];
    const MEDIA: u8 = 4;
    const FILE_PATH: u8 = 4;
    let device = own_device(&firmware).and_then(|device| firmware.protocol::<u8>(device, &DEVICE_PATH));
    let device = device.map_or(&[][..], nodes);
    let node = 4 + 2 * (path.len() + 1);
    if device.is_empty() || device.len() + node + END.len() > room.len() {
        return null();
    }
    let (head, rest) = room.split_at_mut(device.len());
    head.copy_from_slice(device);
    let (file, end) = rest.split_at_mut(node);
    file[..4].copy_from_slice(&[MEDIA, FILE_PATH, node as u8, (node >> 8) as u8]);
    file[4..].fill(0);
    for (unit, &byte) in file[4..].chunks_exact_mut(2).zip(path) {
        unit[0] = if byte == b'/' { b'\\' } else { byte };
    }
    end[..4].copy_from_slice(&END);
    room.as_ptr()
}

/// Why a program has not started, or what it has come back with.
fn refusal(path: &[u8], status: Status) -> Failure {
    let path = Failure::new().bytes(path);
    match status {
        UNSUPPORTED => path.text(" is not a program for this machine's UEFI."),
        SECURITY_VIOLATION | ACCESS_DENIED => {
            path.text(" is refused by Secure Boot: this machine does not trust its signature.")
        }
        OUT_OF_RESOURCES => path.text(" has found too little memory."),
        0 => path.text(" has ended and given the machine back."),
        status => path
            .text(" has failed with UEFI status ")
            .number((status & !ERROR) as u64)
            .text("."),
    }
}

/// What gives the kernel its initrds, when it asks for them, straight into its own memory.
#[repr(C)]
struct Provider<'a> {
    head: LoadFile2,
    entry: &'a Entry<'a>,
    length: u64,
    console: &'a mut EfiConsole,
    files: &'a mut Files,
    quiet: bool,
    failure: Option<Failure>,
}

/// The device path under which Linux looks for its initrd: one vendor-defined media node and the end.
#[repr(C, packed)]
struct InitrdPath {
    node: [u8; 4],
    vendor: Guid,
    end: [u8; 4],
}

static INITRD_PATH: InitrdPath = InitrdPath {
    node: [4, 3, 20, 0],
    vendor: INITRD_MEDIA,
    end: [0x7f, 0xff, 4, 0],
};

extern "efiapi" fn load_file(
    this: *mut LoadFile2,
    _path: *const u8,
    boot_policy: bool,
    length: *mut usize,
    buffer: *mut u8,
) -> Status {
    if boot_policy {
        return UNSUPPORTED;
    }
    // SAFETY: `this` is the head of the provider that was installed, and §13.2.1 describes the other two.
    unsafe {
        let provider = &mut *this.cast::<Provider>();
        let Ok(need) = isize::try_from(provider.length).map(|need| need as usize) else {
            return OUT_OF_RESOURCES;
        };
        let room = core::mem::replace(&mut *length, need);
        if buffer.is_null() || room < need {
            return BUFFER_TOO_SMALL;
        }
        let memory = core::slice::from_raw_parts_mut(buffer, need);
        match provider.fill(memory) {
            Ok(()) => 0,
            Err(failure) => {
                provider.failure = Some(failure);
                DEVICE_ERROR
            }
        }
    }
}

impl Provider<'_> {
    fn fill(&mut self, memory: &mut [u8]) -> Result<(), Failure> {
        let mut progress = Progress::new(self.length, self.quiet);
        let mut end = 0;
        for path in self.entry.initrds() {
            let start = padded(end as u64) as usize;
            memory[end..start].fill(0);
            end = start
                + self
                    .files
                    .load(path, self.console, &mut progress, &mut memory[start..])?;
        }
        Ok(())
    }
}
