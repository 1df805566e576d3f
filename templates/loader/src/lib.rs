//! The core of isobuild's boot loader: everything that no firmware has to be asked for.
//!
//! A front end ([`Platform`]) reads bytes from the boot medium, shows text and takes keys; the core finds files in
//! ISO 9660 ([`iso9660`]), reads the menu file ([`menu_file`]), shows the menu ([`menu`]) with its editor ([`editor`]) and
//! says what is to be started ([`run`]). There are two front ends, `efi` and `bios`; both are 64-bit code. Nothing here
//! allocates, and nothing here is unsafe, so all of it is tested on the host.

#![no_std]
#![forbid(unsafe_code)]
// What comes from a file or a medium may be anything: it leads to an error value. In a test a panic is the failure.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

#[cfg(test)]
extern crate std;

pub mod console;
pub mod device_path;
pub mod disk;
pub mod editor;
pub mod glyphs;
pub mod iso9660;
pub mod line;
pub mod linux;
pub mod medium;
pub mod menu;
pub mod menu_file;
pub mod page;
pub mod pe;
pub mod progress;
mod run;
pub mod serial_keys;
pub mod terminal;

#[cfg(test)]
mod testing;

pub use run::{Platform, fault, report, run};
