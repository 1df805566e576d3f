//! The BIOS front end.
#![no_std]
#![no_main]
#[path = "../mem.rs"]
mod mem;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
