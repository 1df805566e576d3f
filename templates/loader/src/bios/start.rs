//! Starting what an entry names: a Linux kernel by the 16-bit entry of its boot protocol, or a program at 0x7c00.

use crate::console::BiosConsole;
use crate::disk::BiosDisk;
use crate::memory;
use crate::real_mode::{SETUP, bytes, peek, poke, start_kernel, start_program};
use isobuild_loader::disk::Disk;
use isobuild_loader::iso9660::{self, Extent};
use isobuild_loader::line::Failure;
use isobuild_loader::linux::{HEADER_LENGTH, Header, KERNEL, padded, place, video_mode};
use isobuild_loader::menu_file::{Entry, LARGEST_PROGRAM};
use isobuild_loader::progress::{Progress, load};

/// The end of the memory that the page tables map.
const REACH: u64 = 0xffff_f000;

/// Where the command line stands within the kernel's 64 KiB, above its heap and stack.
const COMMAND_LINE: usize = 0xe000;

/// The largest real-mode part: 64 sectors and the boot sector.
const LARGEST_SETUP: usize = 65 * 512;

/// Loads and starts an entry. It comes back only with the reason why that was impossible.
pub(crate) fn start(
    console: &mut BiosConsole,
    disk: &mut BiosDisk,
    entry: &Entry,
    command_line: &[u8],
    quiet: bool,
) -> Failure {
    let path = match (entry.bios(), entry.kernel()) {
        (Some(path), _) | (None, Some(path)) => path,
        (None, None) => return Failure::of("The entry names nothing that BIOS can start."),
    };
    let loaded = find(disk, path).and_then(|(file, header)| match header {
        Some(header) => linux(
            console,
            disk,
            &Kernel { path, file, header },
            entry,
            command_line,
            quiet,
        ),
        None if entry.bios().is_some() => program(disk, file, path),
        None => Err(Failure::new()
            .bytes(path)
            .text(" is not a Linux kernel that BIOS can start.")),
    });
    loaded
        .err()
        .unwrap_or_else(|| Failure::new().bytes(path).text(" has given the machine back."))
}

/// Finds a file and what its set-up header says, if it has one.
fn find(disk: &mut BiosDisk, path: &[u8]) -> Result<(Extent, Option<Header>), Failure> {
    let file = iso9660::find(disk, path)?;
    let mut head = [0; HEADER_LENGTH];
    let length = HEADER_LENGTH.min(file.length as usize);
    disk.read(file.offset, &mut head[..length])?;
    Ok((file, Header::read(&head)))
}

/// A kernel that has been found.
struct Kernel<'a> {
    path: &'a [u8],
    file: Extent,
    header: Header,
}

fn linux(
    console: &mut BiosConsole,
    disk: &mut BiosDisk,
    kernel: &Kernel,
    entry: &Entry,
    command_line: &[u8],
    quiet: bool,
) -> Result<(), Failure> {
    let Kernel { path, file, header } = kernel;
    if command_line.len() > header.command_line || command_line.len() > 0x1000 {
        let line = Failure::of("The command line has ")
            .number(command_line.len() as u64)
            .text(" bytes, ")
            .bytes(path);
        return Err(line.text(" takes ").number(header.command_line as u64).text("."));
    }
    let setup_length = header.setup_length;
    let Some(kernel_length) = file.length.checked_sub(setup_length as u64) else {
        return Err(Failure::new().bytes(path).text(" is cut short."));
    };
    if setup_length > LARGEST_SETUP {
        return Err(Failure::new()
            .bytes(path)
            .text(" has a real-mode part of more than 64 sectors."));
    }
    let mut initrd_length = 0;
    for path in entry.initrds() {
        initrd_length = padded(initrd_length) + iso9660::find(disk, path)?.length;
    }
    let (free, count) = memory::free();
    let initrd = place(header, &free[..count], kernel_length, initrd_length, REACH)?;

    let mut progress = Progress::new(kernel_length + initrd_length, quiet);
    // SAFETY: the kernel's 64 KiB are the loader's alone, and `place` has made sure of the rest.
    let (setup, kernel) = unsafe {
        (
            bytes(SETUP, setup_length),
            bytes(KERNEL as usize, kernel_length as usize),
        )
    };
    disk.read(file.offset, setup)?;
    load(disk, console, &mut progress, file.offset + setup_length as u64, kernel)?;
    let mut at = initrd;
    for path in entry.initrds() {
        let extent = iso9660::find(disk, path)?;
        let start = initrd + padded(at - initrd);
        // SAFETY: as above: within what `place` has found.
        let (gap, memory) = unsafe {
            (
                bytes(at as usize, (start - at) as usize),
                bytes(start as usize, extent.length as usize),
            )
        };
        gap.fill(0);
        load(disk, console, &mut progress, extent.offset, memory)?;
        at = start + extent.length;
    }
    fill_header(command_line, initrd, initrd_length);
    start_kernel();
    Ok(())
}

/// The fields of the set-up header that the loader writes (boot.rst, "Details of header fields").
fn fill_header(command_line: &[u8], initrd: u64, initrd_length: u64) {
    const CAN_USE_HEAP: u8 = 0x80;
    const UNKNOWN_LOADER: u8 = 0xff;
    // SAFETY: within the kernel's 64 KiB.
    let text = unsafe { bytes(SETUP + COMMAND_LINE, command_line.len() + 1) };
    text[..command_line.len()].copy_from_slice(command_line);
    text[command_line.len()] = 0;
    poke(SETUP + 0x1fa, video_mode(command_line));
    poke(SETUP + 0x210, UNKNOWN_LOADER);
    poke(SETUP + 0x211, peek::<u8>(SETUP + 0x211) | CAN_USE_HEAP);
    poke(SETUP + 0x224, (COMMAND_LINE - 0x200) as u16);
    poke(SETUP + 0x228, (SETUP + COMMAND_LINE) as u32);
    if initrd_length > 0 {
        poke(SETUP + 0x218, initrd as u32);
        poke(SETUP + 0x21c, initrd_length as u32);
    }
}

fn program(disk: &mut BiosDisk, file: Extent, path: &[u8]) -> Result<(), Failure> {
    if file.length > LARGEST_PROGRAM {
        let line = Failure::new()
            .bytes(path)
            .text(" is neither a Linux-style program nor one of at most ");
        return Err(line.size(LARGEST_PROGRAM).text("."));
    }
    let length = file.length as usize;
    // SAFETY: a kernel's place, and the one from which the program is moved: below the 64-bit stack.
    let (memory, low) = unsafe { (bytes(KERNEL as usize, length), bytes(SETUP, length)) };
    disk.read(file.offset, memory)?;
    // The last part of it goes over the menu file, which is not needed once nothing can fail any more.
    low.copy_from_slice(memory);
    start_program(file.length as u32, disk.drive);
    Ok(())
}

/// Starts the boot code of the first other hard disk that has any, if this medium is a hard disk itself: a BIOS tries one hard
/// disk and no second. Otherwise, and where there is none, it comes back.
pub(crate) fn next_disk(own: &BiosDisk) {
    const FIRST: u8 = 0x80;
    const LAST: u8 = 0x8f;
    if !(FIRST..=LAST).contains(&own.drive) {
        return;
    }
    for mut disk in (FIRST..=LAST)
        .filter(|&drive| drive != own.drive)
        .filter_map(BiosDisk::with_packets)
    {
        // SAFETY: the kernel's place, which nothing needs now.
        let sector = unsafe { bytes(SETUP, 512) };
        if disk.read(0, sector).is_ok() && sector.ends_with(&[0x55, 0xaa]) {
            start_program(512, disk.drive);
        }
    }
}
