//! Calls to the BIOS, and the memory below 640 KiB that they share with the loader.

/// Where a call's registers are, as `modes.s` knows too.
const REGISTERS: usize = 0x1000;
/// Where a read's bytes arrive: 64 KiB that cross no 64 KiB boundary.
pub(crate) const BUFFER: usize = 0x2_0000;
/// Bytes of [`BUFFER`].
pub(crate) const BUFFER_LENGTH: usize = 0x1_0000;
/// What calls read and write besides their registers.
pub(crate) const SCRATCH: usize = 0x3_0000;
/// Where a kernel's real-mode part goes, with its stack and command line; 64 KiB.
pub(crate) const SETUP: usize = 0x4_0000;
/// Where the menu file is kept; 64 KiB.
pub(crate) const MENU_FILE: usize = 0x5_0000;

/// The registers of a call, at the offsets of `modes.s`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Registers {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
    pub esi: u32,
    pub edi: u32,
    pub ebp: u32,
    pub ds: u16,
    pub es: u16,
    pub flags: u16,
    pub call: u16,
}

const PAUSE: u16 = 256;
const START_KERNEL: u16 = 257;
const START_PROGRAM: u16 = 258;

unsafe extern "C" {
    fn real_mode();
}

impl Registers {
    /// The carry flag: most calls set it when they fail.
    pub(crate) fn failed(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The zero flag.
    pub(crate) fn zero(&self) -> bool {
        self.flags & 0x40 != 0
    }
}

fn call(what: u16, with: Registers) -> Registers {
    let registers = REGISTERS as *mut Registers;
    // SAFETY: one thread, and the assembly reads and writes this memory only within `real_mode`.
    unsafe {
        registers.write_volatile(Registers { call: what, ..with });
        real_mode();
        registers.read_volatile()
    }
}

/// A software interrupt.
pub(crate) fn interrupt(number: u8, with: Registers) -> Registers {
    call(u16::from(number), with)
}

/// Sleeps until the next interrupt: at most a tick of the clock, 55 ms.
pub(crate) fn pause() {
    call(PAUSE, Registers::default());
}

/// Enters the kernel whose real-mode part is at [`SETUP`]. It never comes back.
pub(crate) fn start_kernel() {
    let es = (SETUP >> 4) as u16;
    call(
        START_KERNEL,
        Registers {
            es,
            ..Registers::default()
        },
    );
}

/// Moves a program of `length` bytes from [`SETUP`] to 0x7c00 and enters it, as a BIOS does. It never comes back.
pub(crate) fn start_program(length: u32, drive: u8) {
    let (esi, ecx, edx) = (SETUP as u32, length, u32::from(drive));
    call(
        START_PROGRAM,
        Registers {
            esi,
            ecx,
            edx,
            ..Registers::default()
        },
    );
}

/// The segment of an address below 1 MiB.
pub(crate) fn segment(address: usize) -> u16 {
    (address >> 4) as u16
}

/// Writes a value to memory of the loader's own below 640 KiB.
pub(crate) fn poke<T>(address: usize, value: T) {
    // SAFETY: the addresses above are the loader's alone, and every page is mapped.
    unsafe { (address as *mut T).write_unaligned(value) }
}

/// Reads a value from memory below 1 MiB: the loader's own, or the BIOS data area.
pub(crate) fn peek<T: Copy>(address: usize) -> T {
    // SAFETY: as above; the BIOS changes its data area only while it runs.
    unsafe { (address as *const T).read_unaligned() }
}

/// Memory at an address, as bytes.
///
/// # Safety
/// Nobody else uses that memory as long as the bytes are.
pub(crate) unsafe fn bytes(address: usize, length: usize) -> &'static mut [u8] {
    // SAFETY: as the caller says; the first 4 GiB are mapped.
    unsafe { core::slice::from_raw_parts_mut(address as *mut u8, length) }
}

/// Writes to an I/O port.
pub(crate) fn out(port: u16, value: u8) {
    // SAFETY: the callers write to the ports of the serial line and of the reset logic.
    unsafe { core::arch::asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) }
}

/// Reads from an I/O port.
pub(crate) fn input(port: u16) -> u8 {
    let value: u8;
    // SAFETY: reading the ports of the serial line changes nothing but its buffer.
    unsafe { core::arch::asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) }
    value
}
