//! The boot code of the MBR, for sticks and disks under BIOS: assembly alone.

#![no_std]
#![no_main]

core::arch::global_asm!(include_str!("mbr.s"), options(att_syntax));

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
